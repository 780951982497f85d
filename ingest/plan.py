"""What an ingest has to do: the variants of the store's items less what its space holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from ingest.wanted import READY_MADE, Wanted
from vdb.errors import InputError, NotFoundError
from vdb.schema import ORIGINAL, id_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vdb.database import Database
    from vdb.recipe import Modality, Recipe

_COLUMNS: dict[Modality, tuple[str, ...]] = {
    "image": ("uri", "sha256"),
    "text": ("text", "dataset"),
}


class Rows(NamedTuple):
    """How many rows of a variant are asked for, and how many of those the space holds."""

    wanted: int
    stored: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted, what is there and what remains.

    Attributes
    ----------
    todo : DataFrame
        A row an item of which something is missing, sorted by id: ``item_id``, ``concept_id``, what the encoder needs
        (``uri`` and ``sha256``, or ``text`` and ``dataset``), and ``variants``, the missing ones in the order of
        ``rows``.
    rows : mapping of str to Rows
        For each variant asked for; of a ready-made one, only the items that have it are.
    row_bytes : int
        Bytes of vectors a row.
    """

    todo: pl.DataFrame
    rows: Mapping[str, Rows]
    row_bytes: int

    @property
    def wanted(self) -> int:
        """Rows asked for, of all variants."""
        return sum(rows.wanted for rows in self.rows.values())

    @property
    def stored(self) -> int:
        """Those of them that the space holds."""
        return sum(rows.stored for rows in self.rows.values())

    @property
    def remaining(self) -> int:
        """Those of them that it lacks."""
        return self.wanted - self.stored

    @property
    def bytes_to_write(self) -> int:
        """Bytes of vectors that remain to be written."""
        return self.remaining * self.row_bytes


def make_plan(
    db: Database,
    recipe: Recipe,
    space: str,
    *,
    variants: Sequence[Wanted] | None = None,
    datasets: Sequence[str] = (),
    limit: int | None = None,
) -> Plan:
    """Find what remains to be ingested.

    Parameters
    ----------
    db : Database
    recipe : Recipe
        Of the encoder; decides the modality.
    space : str
        Need not exist yet.
    variants : sequence of Wanted, optional
        Of the recipe's modality; the original by default.
    datasets : sequence of str
        Only items of these; all by default.
    limit : int, optional
        Only the first so many items, by id: a larger limit later goes on where a smaller one ended.

    Raises
    ------
    NotFoundError
        A data set is not in the store.
    InputError
        There is nothing of the model's modality in the store.
    """
    variants = variants or (Wanted(ORIGINAL, recipe.modality),)
    items = _items(db, recipe.modality, datasets, limit)
    there = _stored(db, space, recipe.modality, [one.name for one in variants])
    rows: dict[str, Rows] = {}
    missing: list[pl.Series] = []
    for one in variants:
        expected = _expected(db, one, items["item_id"])
        mine = there.filter(pl.col("variant") == one.name)["item_id"]
        stored = expected & items["item_id"].is_in(mine.implode())
        rows[one.name] = Rows(int(expected.sum()), int(stored.sum()))
        missing.append(expected & ~stored)
    width = sum(layer.width for layer in recipe.layers)
    return Plan(
        todo=_todo(items, list(rows), missing),
        rows=rows,
        row_bytes=width * np.dtype(recipe.stored_dtype).itemsize,
    )


def _todo(items: pl.DataFrame, names: list[str], missing: Sequence[pl.Series]) -> pl.DataFrame:
    """Give each item the list of what it lacks; names as an Enum, which takes a byte each."""
    kind = pl.Enum(names)
    lists = pl.concat_list(
        pl.when(lacking).then(pl.lit(name, kind)).otherwise(None)
        for name, lacking in zip(names, missing, strict=True)
    ).list.drop_nulls()
    return items.with_columns(variants=lists).filter(pl.col("variants").list.len() > 0)


def _items(
    db: Database, modality: Modality, datasets: Sequence[str], limit: int | None
) -> pl.DataFrame:
    table = "images" if modality == "image" else "captions"
    items = db.read(table)
    if datasets:
        known = items.select("dataset").unique().collect()["dataset"].to_list()
        for name in datasets:
            if name not in known:
                raise NotFoundError.named("data set", name, known, place=f"with {table}")
        items = items.filter(pl.col("dataset").is_in(datasets))
    identity = pl.col(id_column(modality)).alias("item_id")
    found = items.select(identity, "concept_id", *_COLUMNS[modality]).sort("item_id").collect()
    if found.is_empty():
        raise InputError(
            f"the store holds no {table} for this model to encode; `vdb add` some first"
        )
    return found if limit is None else found.head(limit)


def _expected(db: Database, variant: Wanted, ids: pl.Series) -> pl.Series:
    """Tell of each item whether it is to have the variant: of a ready-made one only those that do."""
    if not variant.ready_made:
        return pl.repeat(value=True, n=len(ids), dtype=pl.Boolean, eager=True)
    rows = db.read(READY_MADE[variant.modality]).filter(pl.col("variant") == variant.name)
    have = rows.select(pl.col(id_column(variant.modality)).alias("item_id")).collect()["item_id"]
    return ids.is_in(have.implode())


def _stored(db: Database, space: str, modality: Modality, variants: Sequence[str]) -> pl.DataFrame:
    known = db.spaces().filter(pl.col("space") == space).collect()
    if known.is_empty():
        return pl.DataFrame(schema={"item_id": pl.String, "variant": pl.String})
    rows = db.scan(space, layers=[]).filter(pl.col("variant").is_in(list(variants)))
    return rows.select(pl.col(id_column(modality)).alias("item_id"), "variant").collect()
