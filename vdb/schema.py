"""The tables of a store: their columns, their keys and the version of the whole.

Every table has one non-nullable string ``key`` column. Lance is told that it is the (unenforced) primary key, which
makes concurrent inserts of the same key conflict instead of duplicating rows (docs/design/keys.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdb.recipe import Layer, Modality, StoredDtype

SCHEMA_VERSION = 2
"""Raised by one with every change of the tables below; vdb.migrations leads from each version to the next."""

DATA_STORAGE_VERSION = "2.2"
"""Lance's file format. Pinned: newer formats cannot be read by every lancedb within our bounds."""

ORIGINAL = "original"
"""The variant of an item that nobody altered."""

_KEY = pa.field(
    "key", pa.string(), nullable=False, metadata={"lance-schema:unenforced-primary-key": "true"}
)


def _text(name: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, pa.string(), nullable=nullable)


FAILED = "failed"
INAPPLICABLE = "inapplicable"
"""What the ledger says of an item: something went wrong, or it cannot have that variant."""

TEXT_TO_IMAGE = "text-to-image"
IMAGE_TO_TEXT = "image-to-text"
"""The directions of a trial: from what is asked about to what is chosen from."""

_TIME = pa.timestamp("us", tz="UTC")

# Items. `source` says where a row came from ("captions.json", "items.csv:12"), so that two claims on one id
# can both be named.
CONCEPTS = pa.schema(
    [_KEY, _text("concept_id"), _text("name"), _text("dataset"), _text("source")],
)
IMAGES = pa.schema(
    [
        _KEY,
        _text("image_id"),
        _text("concept_id", nullable=True),
        _text("uri"),
        _text("sha256"),
        _text("dataset"),
        _text("source"),
    ]
)
CAPTIONS = pa.schema(
    [
        _KEY,
        _text("caption_id"),
        _text("concept_id", nullable=True),
        _text("text"),
        _text("gloss", nullable=True),  # an English reading, for captions in another language
        _text("dataset"),
        _text("source"),
    ]
)
PAIRS = pa.schema(
    [_KEY, _text("image_id"), _text("caption_id"), _text("dataset"), _text("source")],
)
SEGMENTS = pa.schema(
    [
        _KEY,
        _text("image_id"),
        _text("segment_id"),
        _text(
            "segmentation"
        ),  # who drew it: "panoptic" covers each pixel once, "instances" only some things
        _text("category"),
        pa.field("is_thing", pa.bool_(), nullable=False),
        pa.field("is_crowd", pa.bool_(), nullable=False),  # many things under one mask
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        _text("counts"),  # COCO's compressed run-length encoding, as pycocotools writes it
        _text("dataset"),
        _text("source"),
    ]
)

TRIALS = pa.schema(
    [
        _KEY,
        _text("trial_id"),
        _text(
            "direction"
        ),  # "text-to-image": a caption and two images; "image-to-text": the reverse
        _text("query_id"),
        _text("candidate_0"),
        _text("candidate_1"),
        pa.field(
            "label", pa.float64(), nullable=False
        ),  # 1: people took candidate 0; 0: 1; 0.5: a tie
        pa.field("weight", pa.float64(), nullable=False),
        pa.field(
            "gap", pa.float64(), nullable=True
        ),  # how much further up the preferred one was rated
        pa.field("scores_0", pa.list_(pa.float64()), nullable=True),  # one a judge
        pa.field("scores_1", pa.list_(pa.float64()), nullable=True),
        _text("judge", nullable=True),  # who judged, where each trial has one judge
        _text("dataset"),
        _text("source"),
    ]
)

# Variants. What vdb can compute has its definition here alone; what somebody else made has its files or texts too.
VARIANTS = pa.schema(
    [
        _KEY,
        _text("variant"),
        _text("modality"),
        _text("kind", nullable=True),  # "appearance" or "semantic", where it was said
        _text("definition"),  # JSON: parameters, version, tagger, ...
        _text("fingerprint"),
        _text("source"),
    ]
)
IMAGE_VARIANTS = pa.schema(
    [
        _KEY,
        _text("image_id"),
        _text("variant"),
        _text("uri"),
        _text("sha256"),
        _text("dataset"),
        _text("source"),
    ]
)
CAPTION_VARIANTS = pa.schema(
    [
        _KEY,
        _text("caption_id"),
        _text("variant"),
        _text("text"),
        _text("dataset"),
        _text("source"),
    ]
)
BLOBS = pa.schema(
    [_KEY, _text("sha256"), pa.field("data", pa.large_binary(), nullable=False)],
)

# The store's own books.
SPACES = pa.schema(
    [
        _KEY,
        _text("space"),
        _text("model"),
        _text("modality"),
        _text("fingerprint"),
        _text("recipe"),  # vdb.recipe.Recipe as JSON
        pa.field("created_at", _TIME, nullable=False),
    ]
)
FAILURES = pa.schema(
    [
        _KEY,
        _text("space"),
        _text("item_id"),
        _text("variant"),
        _text(
            "status"
        ),  # "failed"; or "inapplicable": the item cannot have the variant, which is no fault
        _text("reason"),
        _text("run_id"),
        pa.field("failed_at", _TIME, nullable=False),
    ]
)
RUNS = pa.schema(
    [
        _KEY,
        _text("run_id"),
        _text("command"),
        _text("parameters"),  # JSON
        _text("versions"),  # JSON
        pa.field("seed", pa.int64(), nullable=True),
        pa.field("started_at", _TIME, nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        _text("outcome"),  # "finished", or the error that ended it
    ]
)
PICTURES = pa.schema(
    [
        _KEY,
        _text("run_id"),
        _text("name"),
        _text("title"),
        _text("spec"),  # Vega-Lite JSON, the data in it
        pa.field("svg", pa.binary(), nullable=False),
        pa.field("png", pa.binary(), nullable=False),
    ]
)
META = pa.schema([_KEY, _text("value")])

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

KEYED_BY: dict[str, tuple[str, ...]] = {
    "concepts": ("concept_id",),
    "images": ("image_id",),
    "captions": ("caption_id",),
    "pairs": ("image_id", "caption_id"),
    "segments": ("image_id", "segment_id"),
    "trials": ("trial_id",),
    "variants": ("modality", "variant"),
    "image_variants": ("image_id", "variant"),
    "caption_variants": ("caption_id", "variant"),
    "blobs": ("sha256",),
    "spaces": ("space",),
    "failures": ("space", "item_id", "variant"),
    "runs": ("run_id",),
    "pictures": ("run_id", "name"),
}
"""The columns whose values, joined by :func:`key_of`, are a row's key."""


READY_MADE: dict[Modality, str] = {"image": "image_variants", "text": "caption_variants"}
"""The tables of variants that somebody else made, by what they are variants of."""


def key_of(*parts: str) -> str:
    r"""Join parts into one key; no two tuples of parts share a key.

    >>> key_of("img-1", "original")
    'img-1|original'
    >>> key_of("a|b", "c") == key_of("a", "b|c")
    False
    """
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def layer_column(index: int) -> str:
    """Name the column of a layer: ``layer_00``, ``layer_01``, ..."""
    return f"layer_{index:02d}"


def id_column(modality: Modality) -> str:
    """Name the id column of the items that a modality encodes."""
    return "image_id" if modality == "image" else "caption_id"


def space_schema(modality: Modality, layers: Sequence[Layer], dtype: StoredDtype) -> pa.Schema:
    """Lay out a space: a row for each (item, variant), a column for each layer.

    Returns
    -------
    pa.Schema
        ``key``, ``image_id`` or ``caption_id``, ``concept_id``, ``variant``, then ``layer_00`` ... of
        ``fixed_size_list<dtype>[width]``.
    """
    scalar = pa.float16() if dtype == "float16" else pa.float32()
    return pa.schema(
        [
            _KEY,
            _text(id_column(modality)),
            _text("concept_id", nullable=True),
            _text("variant"),
            *(
                pa.field(layer_column(i), pa.list_(scalar, layer.width), nullable=False)
                for i, layer in enumerate(layers)
            ),
        ]
    )


def plain(field: pa.Field) -> pa.Field:
    """Return the field as the store keeps it: Polars writes large strings, binaries and lists."""
    return pa.field(field.name, _plain_type(field.type))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_plain_type(kind.value_type), kind.list_size)
    if pa.types.is_struct(kind):
        return pa.struct([plain(field) for field in kind])
    return kind
