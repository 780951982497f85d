"""The columns of each of a store's own tables.

Every one has a non-nullable string ``key``, which Lance is told is the (unenforced) primary key: concurrent inserts of
the same key then conflict instead of duplicating rows (docs/design/keys.md).
"""

from __future__ import annotations

import pyarrow as pa

KEY = pa.field(
    "key", pa.string(), nullable=False, metadata={"lance-schema:unenforced-primary-key": "true"}
)


def text(name: str, *, nullable: bool = False) -> pa.Field:
    """Make a column of text."""
    return pa.field(name, pa.string(), nullable=nullable)


_TIME = pa.timestamp("us", tz="UTC")

# Items. `source` says where a row came from ("captions.json", "items.csv:12"), so that two claims on one id
# can both be named.
CONCEPTS = pa.schema(
    [KEY, text("concept_id"), text("name"), text("dataset"), text("source")],
)
IMAGES = pa.schema(
    [
        KEY,
        text("image_id"),
        text("concept_id", nullable=True),
        text("uri"),
        text("sha256"),
        text("dataset"),
        text("source"),
    ]
)
CAPTIONS = pa.schema(
    [
        KEY,
        text("caption_id"),
        text("concept_id", nullable=True),
        text("text"),
        text("gloss", nullable=True),  # an English reading, for captions in another language
        text("dataset"),
        text("source"),
    ]
)
PAIRS = pa.schema(
    [KEY, text("image_id"), text("caption_id"), text("dataset"), text("source")],
)
SEGMENTS = pa.schema(
    [
        KEY,
        text("image_id"),
        text("segment_id"),
        text(
            "segmentation"
        ),  # who drew it: "panoptic" covers each pixel once, "instances" only some things
        text("category"),
        pa.field("is_thing", pa.bool_(), nullable=False),
        pa.field("is_crowd", pa.bool_(), nullable=False),  # many things under one mask
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        text("counts"),  # COCO's compressed run-length encoding, as pycocotools writes it
        text("dataset"),
        text("source"),
    ]
)

TRIALS = pa.schema(
    [
        KEY,
        text("trial_id"),
        text(
            "direction"
        ),  # "text-to-image": a caption and two images; "image-to-text": the reverse
        text("query_id"),
        text("candidate_0"),
        text("candidate_1"),
        pa.field(
            "label", pa.float64(), nullable=False
        ),  # 1: people took candidate 0; 0: 1; 0.5: a tie
        pa.field("weight", pa.float64(), nullable=False),
        pa.field(
            "gap", pa.float64(), nullable=True
        ),  # how much further up the preferred one was rated
        pa.field("scores_0", pa.list_(pa.float64()), nullable=True),  # one a judge
        pa.field("scores_1", pa.list_(pa.float64()), nullable=True),
        text("judge", nullable=True),  # who judged, where each trial has one judge
        text("dataset"),
        text("source"),
    ]
)

# Variants. What vdb can compute has its definition here alone; what somebody else made has its files or texts too.
VARIANTS = pa.schema(
    [
        KEY,
        text("variant"),
        text("modality"),
        text("kind", nullable=True),  # "appearance" or "semantic", where it was said
        text("definition"),  # JSON: parameters, version, tagger, ...
        text("fingerprint"),
        text("source"),
    ]
)
IMAGE_VARIANTS = pa.schema(
    [
        KEY,
        text("image_id"),
        text("variant"),
        text("uri"),
        text("sha256"),
        text("dataset"),
        text("source"),
    ]
)
CAPTION_VARIANTS = pa.schema(
    [
        KEY,
        text("caption_id"),
        text("variant"),
        text("text"),
        text("dataset"),
        text("source"),
    ]
)
BLOBS = pa.schema(
    [KEY, text("sha256"), pa.field("data", pa.large_binary(), nullable=False)],
)

# The store's own books.
SPACES = pa.schema(
    [
        KEY,
        text("space"),
        text("model"),
        text("modality"),
        text("fingerprint"),
        text("recipe"),  # vdb.recipe.Recipe as JSON
        pa.field("created_at", _TIME, nullable=False),
    ]
)
FAILURES = pa.schema(
    [
        KEY,
        text("space"),
        text("item_id"),
        text("variant"),
        text(
            "status"
        ),  # "failed"; or "inapplicable": the item cannot have the variant, which is no fault
        text("reason"),
        text("run_id"),
        pa.field("failed_at", _TIME, nullable=False),
    ]
)
RUNS = pa.schema(
    [
        KEY,
        text("run_id"),
        text("command"),
        text("parameters"),  # JSON
        text("versions"),  # JSON
        pa.field("seed", pa.int64(), nullable=True),
        pa.field("started_at", _TIME, nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        text("outcome"),  # "finished", or the error that ended it
    ]
)
PICTURES = pa.schema(
    [
        KEY,
        text("run_id"),
        text("name"),
        text("title"),
        text("spec"),  # Vega-Lite JSON, the data in it
        pa.field("svg", pa.binary(), nullable=False),
        pa.field("png", pa.binary(), nullable=False),
    ]
)
META = pa.schema([KEY, text("value")])

TABLES: dict[str, pa.Schema] = {
    "concepts": CONCEPTS,
    "images": IMAGES,
    "captions": CAPTIONS,
    "pairs": PAIRS,
    "segments": SEGMENTS,
    "trials": TRIALS,
    "variants": VARIANTS,
    "image_variants": IMAGE_VARIANTS,
    "caption_variants": CAPTION_VARIANTS,
    "blobs": BLOBS,
    "spaces": SPACES,
    "failures": FAILURES,
    "runs": RUNS,
    "pictures": PICTURES,
    "meta": META,
}
