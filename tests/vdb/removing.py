"""Stores with two data sets to remove one of, and what must hold whatever was removed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import vdb
from vdb import books, items, schema, variants
from vdb.blobs import embedded_uri
from vdb.recipe import Layer, Recipe
from vdb.references import REFERENCES
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from pathlib import Path

    from vdb.database import Database
    from vdb.recipe import Modality

N = 6
SHARED = b"a photo that both data sets hold " * 40


def photo(name: str) -> bytes:
    """Make bytes that no compression shortens and no other item has."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).bytes(2000)


def recipe(modality: Modality) -> Recipe:
    layers = (Layer("blocks.0", 4, 0.0), Layer("blocks.1", 6, 1.0))
    return Recipe(
        "toy", "timm", "toy", "1", "pretrained", modality, "cls", "float32", "float16", layers
    )


def frame(name: str, /, **columns: object) -> pl.DataFrame:
    rows = {"dataset": name, "source": f"{name}-items.csv:2", **columns}
    height = max(len(value) for value in rows.values() if isinstance(value, list))
    return pl.DataFrame(
        {key: value if isinstance(value, list) else [value] * height for key, value in rows.items()}
    )


def batch(name: str, concept: str | None = None) -> tuple[dict[str, pl.DataFrame], list[bytes]]:
    """Make a data set with rows in each table, its image 0 a photo that others have too."""
    images, captions = [f"{name}-img-{i}" for i in range(N)], [f"{name}-cap-{i}" for i in range(N)]
    contents = [SHARED, *(photo(image) for image in images[1:])]
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    made = photo(f"{name} inpainted")
    made_digest = hashlib.sha256(made).hexdigest()
    of = [f"{name}-dog", concept or f"{name}-cat"]
    concepts = [of[i % 2] for i in range(N)]
    tables = {
        "concepts": frame(name, concept_id=[f"{name}-dog", f"{name}-cat"], name=["dog", "cat"]),
        "images": frame(
            name,
            image_id=images,
            concept_id=concepts,
            uri=[embedded_uri(digest) for digest in digests],
            sha256=digests,
        ),
        "captions": frame(
            name,
            caption_id=captions,
            concept_id=concepts,
            text=[f"{name} said of {caption}" for caption in captions],
            gloss=None,
        ).cast({"gloss": pl.String}),
        "pairs": frame(name, image_id=images, caption_id=captions),
        "segments": frame(
            name,
            image_id=images[:2],
            segment_id="1",
            segmentation="panoptic",
            category=f"{name} category",
            is_thing=True,
            is_crowd=False,
            height=1,
            width=1,
            counts="01",
        ),
        "trials": frame(
            name,
            trial_id=[f"{name}-t0", f"{name}-t1"],
            direction=[schema.TEXT_TO_IMAGE, schema.IMAGE_TO_TEXT],
            query_id=[captions[0], images[1]],
            candidate_0=[images[0], captions[1]],
            candidate_1=[images[2], captions[2]],
            label=1.0,
            weight=1.0,
            gap=None,
            scores_0=None,
            scores_1=None,
            judge=None,
        ),
        "image_variants": frame(
            name,
            image_id=images[:1],
            variant="inpainted",
            uri=embedded_uri(made_digest),
            sha256=made_digest,
        ),
        "caption_variants": frame(
            name, caption_id=captions[:1], variant=f"{name}-style", text=f"{name} otherwise"
        ),
        "variants": pl.DataFrame(
            {
                "variant": ["inpainted", f"{name}-style"],
                "modality": ["image", "text"],
                "kind": ["semantic", None],
                "definition": "{}",
                "fingerprint": "ready-made",
                "source": f"{name}-items.csv",
            }
        ),
    }
    return tables, [*contents, made]


def ingest(db: Database, name: str) -> None:
    """Store vectors of each item, under a computed variant and a ready-made one too, and enter failures."""
    for space, modality, kind, own in (
        ("eye", "image", "img", "inpainted"),
        ("tongue", "text", "cap", f"{name}-style"),
    ):
        ids = [f"{name}-{kind}-{i}" for i in range(N)]
        rows = [Row(i, None, v) for v in ("original", "altered") for i in ids[:-1]]
        rows.append(Row(ids[0], None, own))
        values = np.random.default_rng(1).standard_normal((len(rows), 10)).astype(np.float16)
        with SpaceWriter(db.create_space(space, recipe(modality))) as writer:
            writer.write(rows, values)
        books.record_failures(db, space, [(ids[-1], "original", f"{name} reason")], "r")
        books.record_failures(
            db, space, [(ids[-1], "altered", f"{name} no mask")], "r", status=schema.INAPPLICABLE
        )
        definition = {"name": "altered", "vocabulary": {name: [f"{name} word"]}}
        variants.define(db, "altered", modality, "semantic", definition, "f", "vdb")


def add(db: Database, name: str, concept: str | None = None) -> Database:
    """Add a data set and ingest it."""
    tables, contents = batch(name, concept)
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    items.add(db, tables, zip(digests, contents, strict=True))
    ingest(db, name)
    return db


def two_datasets(place: Path) -> Database:
    """Make a store of ``red`` and ``blue``, of which ``blue`` uses a concept of ``red``."""
    return add(add(vdb.open(place, create=True), "red"), "blue", "red-cat")


def only(name: str, place: Path) -> Database:
    """Make a store as if there had never been another data set."""
    return add(vdb.open(place, create=True), name)


def holding(db: Database) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the store but times, by table, in no particular order."""
    found = {}
    for table in db.tables():
        rows = pl.DataFrame(table.to_arrow())
        rows = rows.drop("failed_at", "created_at", strict=False)
        found[table.name] = sorted(rows.rows(), key=repr)
    return {name: rows for name, rows in found.items() if rows}


def dangling(db: Database) -> list[str]:
    """Name each reference to what is not there, vectors' and definitions' too."""
    bad = []
    for reference in REFERENCES:
        [identity] = schema.KEYED_BY[reference.target]
        rows = reference.rows(db.read(reference.table))
        there = db.read(reference.target).select(identity)
        lost = rows.join(there, left_on=reference.column, right_on=identity, how="anti").collect()
        bad += [f"{reference.table}.{reference.column}"] * lost.height
    for name, column, table in (
        ("eye", "image_id", "images"),
        ("tongue", "caption_id", "captions"),
    ):
        there = db.read(table).select(column)
        rows = db.scan(name, layers=[]).join(there, on=column, how="anti").collect()
        bad += [f"{name}.{column}"] * rows.height
        ledger = db.failures().filter(pl.col("space") == name)
        lost = ledger.join(there, left_on="item_id", right_on=column, how="anti").collect()
        bad += [f"failures of {name}"] * lost.height
    return bad
