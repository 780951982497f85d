"""The store at a glance: what each data set holds, and what each space holds of what it could."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from vdb import schema, tables
from vdb.blobs import EMBEDDED
from vdb.masks import ByMasks, by_masks, is_no_masks, segmentations, things
from vdb.recipe import CENTROIDS
from vdb.schema import FAILED, INAPPLICABLE, ITEMS, ORIGINAL, READY_MADE, id_column

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from vdb.database import Database
    from vdb.recipe import Modality
    from vdb.space import Space

OF_A_DATASET = tuple(
    name for name, layout in schema.TABLES.items() if "dataset" in layout.names and name != "meta"
)
"""The tables whose rows belong to a data set."""


def datasets(db: Database) -> pl.DataFrame:
    """Count what each data set holds.

    Returns
    -------
    pl.DataFrame
        ``dataset`` and the rows it has in ``images``, ``captions``, ``concepts``, ``pairs``, ``segments``, ``trials``,
        ``image_variants`` and ``caption_variants`` (altered items that somebody else made), and ``embedded``: its
        images whose bytes the store holds. Sorted by ``dataset``.
    """
    held = pl.col("uri").str.starts_with(EMBEDDED)
    counts = {name: db.read(name).select("dataset") for name in OF_A_DATASET}
    counts["embedded"] = db.images().filter(held).select("dataset")
    counted = [
        rows.group_by("dataset").len().collect().with_columns(table=pl.lit(name))
        for name, rows in counts.items()
    ]
    columns = ["images", "captions", "concepts", "pairs", "segments", "trials"]
    columns += [*READY_MADE.values(), "embedded"]
    wide = pl.concat(counted).pivot("table", index="dataset", values="len")
    return wide.select(
        "dataset",
        *(
            (pl.col(name).fill_null(0) if name in wide.columns else pl.lit(0))
            .cast(pl.Int64)
            .alias(name)
            for name in columns
        ),
    ).sort("dataset")


def overview(db: Database) -> pl.DataFrame:
    """Count, for each data set, space and variant, the items it should hold, holds, and lacks for a reason or without.

    Returns
    -------
    pl.DataFrame
        ``dataset``, ``space``, ``model``, ``modality``, ``variant``, ``layers``, ``expected``, ``stored``, ``failed``,
        ``inapplicable``, ``remaining``, ``fingerprint``. Only variants that the space has a vector or an entry in the
        ledger of, and the original where it has neither of any. A variant that somebody else made is expected of the
        items that have one, one that takes out a category of the images with such a thing, any other of each item of
        the data set. ``dataset`` is null for vectors whose item is not in the store.
    """
    grids = []
    expected: dict[Modality, pl.DataFrame] = {}
    for name in db.spaces().select("space").sort("space").collect()["space"]:
        space = db.space(name)
        modality = space.recipe.modality
        if modality not in expected:
            expected[modality] = _items(db, modality)
        grids.append(_grid(db, space, expected[modality]))
    return pl.concat([pl.DataFrame(schema=_SCHEMA), *grids]).sort("dataset", "space", "variant")


def _items(db: Database, modality: Modality) -> pl.DataFrame:
    """Return ``item_id`` and ``dataset`` of each item."""
    return (
        db.read(ITEMS[modality])
        .select(pl.col(id_column(modality)).alias("item_id"), "dataset")
        .collect()
    )


def _grid(db: Database, space: Space, items: pl.DataFrame) -> pl.DataFrame:
    recipe = space.recipe
    rows = tables.read(space.table, [space.id_column, "variant"])
    stored = pl.DataFrame(rows).rename({space.id_column: "item_id"})
    ledger = db.failures().filter(pl.col("space") == space.name)
    missing = ledger.select("item_id", "variant", "status", "reason").collect()
    if len(missing):  # an entry may outlive its cause when a run is killed
        missing = missing.join(stored, on=["item_id", "variant"], how="anti")
    variants = {*stored["variant"].unique(), *missing["variant"].unique()} or {ORIGINAL}
    masked = _by_masks(db, variants) if recipe.modality == "image" else {}
    missing = _with_no_masks(db, masked, items, stored, missing)
    cells = [
        # Of centroids there is one a group, which no item lacks.
        _count(stored, items).rename({"len": "expected"})
        if CENTROIDS in recipe.preprocessing
        else _expected(db, recipe.modality, items, variants, masked),
        _count(stored, items).rename({"len": "stored"}),
        *(
            _count(missing.filter(pl.col("status") == status), items).rename({"len": status})
            for status in (FAILED, INAPPLICABLE)
        ),
    ]
    grid = pl.concat(cells, how="diagonal").group_by("dataset", "variant").sum()
    known = {
        "space": space.name,
        "model": recipe.model,
        "modality": recipe.modality,
        "layers": len(recipe.layers),
        "fingerprint": recipe.fingerprint,
    }
    there = pl.col("stored") + pl.col(FAILED) + pl.col(INAPPLICABLE)
    return (
        grid.with_columns(**{name: pl.lit(value) for name, value in known.items()})
        .with_columns(remaining=(pl.col("expected") - there).clip(0))
        .select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())
    )


def _by_masks(db: Database, variants: Collection[str]) -> dict[str, ByMasks]:
    """Return what those of the variants that need masks ask of them."""
    mine = (pl.col("modality") == "image") & pl.col("variant").is_in(list(variants))
    defined = db.variants().filter(mine).select("variant", "definition").collect()
    asked = {
        name: by_masks(json.loads(definition).get("settings", {}))
        for name, definition in defined.iter_rows()
    }
    return {name: one for name, one in asked.items() if one is not None}


def _with_no_masks(
    db: Database,
    masked: Mapping[str, ByMasks],
    items: pl.DataFrame,
    stored: pl.DataFrame,
    missing: pl.DataFrame,
) -> pl.DataFrame:
    """Replace the entries that say an image has no masks by what the store says now, as the next plan does."""
    asked = {name: one.segmentation for name, one in masked.items() if one.category is None}
    if not asked:
        return missing
    void = [reason for reason in missing["reason"].unique() if is_no_masks(reason)]
    entered = missing.filter(~(pl.col("variant").is_in(list(asked)) & pl.col("reason").is_in(void)))
    names = pl.DataFrame({"variant": list(asked), "segmentation": list(asked.values())})
    pairs = items.select("item_id").join(names, how="cross")
    without = pairs.join(segmentations(db), on=["item_id", "segmentation"], how="anti")
    for known in (stored, entered):
        without = without.join(known, on=["item_id", "variant"], how="anti")
    told = without.select("item_id", "variant", status=pl.lit(INAPPLICABLE), reason=pl.lit(""))
    return pl.concat([entered, told])


def _expected(
    db: Database,
    modality: Modality,
    items: pl.DataFrame,
    variants: Collection[str],
    masked: Mapping[str, ByMasks],
) -> pl.DataFrame:
    """Count the items of each data set that each variant should have a vector of."""
    identity = pl.col(id_column(modality)).alias("item_id")
    ready = db.read(READY_MADE[modality]).select(identity, "variant")
    ready = ready.filter(pl.col("variant").is_in(list(variants)))
    made = ready.collect()
    some = {name: one for name, one in masked.items() if one.category is not None}
    having = [made]
    if some:
        names = pl.DataFrame([(name, *one) for name, one in some.items()], _ASKED, orient="row")
        of_these = things(db).join(names, on=["segmentation", "category"])
        having.append(of_these.select("item_id", "variant"))
    counted = _count(pl.concat(having), items).rename({"len": "expected"})
    computed = sorted(set(variants) - set(made["variant"]) - set(some))
    sizes = items.group_by("dataset").agg(expected=pl.len().cast(pl.Int64))
    every = sizes.join(pl.DataFrame({"variant": computed}, {"variant": pl.String}), how="cross")
    return pl.concat([counted, every.select(counted.columns)])


def _count(rows: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Count rows of ``item_id`` and ``variant`` by the item's data set and the variant."""
    known = rows.join(items, on="item_id", how="left")
    return known.group_by("dataset", "variant").agg(pl.len().cast(pl.Int64))


_ASKED = {"variant": pl.String, "segmentation": pl.String, "category": pl.String}
_SCHEMA = {
    "dataset": pl.String,
    "space": pl.String,
    "model": pl.String,
    "modality": pl.String,
    "variant": pl.String,
    "layers": pl.Int64,
    "expected": pl.Int64,
    "stored": pl.Int64,
    "failed": pl.Int64,
    "inapplicable": pl.Int64,
    "remaining": pl.Int64,
    "fingerprint": pl.String,
}
