"""What an ingest has to do: the variants of the store's items less what its space holds, or cannot hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from ingest.pipeline.expecting import Expected, expecting
from ingest.pipeline.wanted import Wanted
from vdb.errors import InputError, NotFoundError
from vdb.masks import is_no_masks
from vdb.schema import INAPPLICABLE, ITEMS, ORIGINAL, id_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vdb.database import Database
    from vdb.recipe import Modality, Recipe

_COLUMNS: dict[Modality, tuple[str, ...]] = {
    "image": ("uri", "sha256"),
    "text": ("text", "dataset"),
}
_ENTRY = {"item_id": pl.String, "variant": pl.String, "reason": pl.String}


class Rows(NamedTuple):
    """How many rows of a variant are asked for; how many the space holds, and how many it cannot."""

    wanted: int
    stored: int
    inapplicable: int = 0

    @property
    def remaining(self) -> int:
        """Those that are to be made."""
        return self.wanted - self.stored - self.inapplicable


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted, what is there, what cannot be and what remains.

    Attributes
    ----------
    todo : DataFrame
        A row an item of which something is missing, sorted by id: ``item_id``, ``concept_id``, what the encoder needs
        (``uri`` and ``sha256``, or ``text`` and ``dataset``), and ``variants``, the missing ones in the order of
        ``rows``.
    rows : mapping of str to Rows
        For each variant asked for; of a ready-made one, and of one that takes out a category, only the items that have
        it are.
    row_bytes : int
        Bytes of vectors a row.
    cannot : DataFrame
        ``item_id``, ``variant``, ``reason``: the items that cannot have a variant. The ledger says so, whatever the
        reason but masks that were missing, or the store has no masks of the segmentation for it.
    unentered : DataFrame
        Those of ``cannot`` that the ledger does not have yet, or with another reason.
    """

    todo: pl.DataFrame
    rows: Mapping[str, Rows]
    row_bytes: int
    cannot: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_ENTRY))
    unentered: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_ENTRY))

    @property
    def wanted(self) -> int:
        """Rows asked for, of all variants."""
        return sum(rows.wanted for rows in self.rows.values())

    @property
    def stored(self) -> int:
        """Those of them that the space holds."""
        return sum(rows.stored for rows in self.rows.values())

    @property
    def inapplicable(self) -> int:
        """Those of them that cannot be."""
        return sum(rows.inapplicable for rows in self.rows.values())

    @property
    def remaining(self) -> int:
        """Those of them that are to be made."""
        return sum(rows.remaining for rows in self.rows.values())

    @property
    def bytes_to_write(self) -> int:
        """Bytes of vectors that remain to be written, unless an item turns out not to have a variant."""
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
    """Find what remains to be ingested; nothing is decoded.

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
        Only the first so many items, by id as text, of those that the store has enough of for one of the variants (a
        ready-made file, a category, masks): a larger limit later goes on where a smaller one ended.

    Raises
    ------
    NotFoundError
        A data set is not in the store.
    InputError
        There is nothing of the model's modality in the store.
    """
    variants = variants or (Wanted(ORIGINAL, recipe.modality),)
    items = _items(db, recipe.modality, datasets)
    expected = expecting(db, variants, items["item_id"])
    if limit is not None:
        first = _first(expected, limit)
        items = items[first]
        expected = [one.at(first) for one in expected]
    there = _stored(db, space, recipe.modality, [one.name for one in variants])
    ledger = _ledger(db, space, [one.name for one in variants])
    void = [reason for reason in ledger["reason"].unique() if is_no_masks(reason)]
    for_good = ledger.filter(~pl.col("reason").is_in(void))
    ids = items["item_id"]
    rows: dict[str, Rows] = {}
    missing: list[pl.Series] = []
    cannot: list[pl.DataFrame] = []
    for one, of_it in zip(variants, expected, strict=True):
        mine = there.filter(pl.col("variant") == one.name)["item_id"]
        stored = of_it.expected & ids.is_in(mine.implode())
        unfit = _cannot(ids, of_it, stored, for_good.filter(pl.col("variant") == one.name))
        lacking = of_it.expected & ~stored & ~ids.is_in(unfit["item_id"].implode())
        rows[one.name] = Rows(int(of_it.expected.sum()), int(stored.sum()), len(unfit))
        missing.append(lacking)
        cannot.append(unfit.select("item_id", pl.lit(one.name).alias("variant"), "reason"))
    width = sum(layer.width for layer in recipe.layers)
    unfit = pl.concat(cannot)
    return Plan(
        todo=_todo(items, list(rows), missing),
        rows=rows,
        row_bytes=width * np.dtype(recipe.stored_dtype).itemsize,
        cannot=unfit,
        unentered=unfit.join(ledger, on=list(_ENTRY), how="anti", maintain_order="left"),
    )


def _first(expected: Sequence[Expected], limit: int) -> pl.Series:
    """Return the places of the first items that can have one of the variants; where none can, that are asked for one.

    The latter so that the reason why they cannot is told.
    """
    able = pl.select(pl.any_horizontal([one.expected & one.reasons.is_null() for one in expected]))
    asked = pl.select(pl.any_horizontal([one.expected for one in expected]))
    mine = able.to_series() if able.to_series().any() else asked.to_series()
    return mine.arg_true().head(limit)


def _cannot(
    ids: pl.Series, of_it: Expected, stored: pl.Series, ledger: pl.DataFrame
) -> pl.DataFrame:
    """Return ``item_id`` and ``reason`` of the items that cannot have a variant.

    What the ledger has is settled, as neither the item nor the definition can change. But masks can be added: whether
    there are any is read off the store, and no entry that says there are none is in this ``ledger``.
    """
    missing = pl.DataFrame({"item_id": ids, "reason": of_it.reasons}).filter(
        of_it.expected & ~stored
    )
    settled = ledger.select("item_id", settled="reason")
    known = missing.join(settled, on="item_id", how="left", maintain_order="left")
    return known.select("item_id", pl.coalesce("reason", "settled").alias("reason")).drop_nulls()


def _todo(items: pl.DataFrame, names: list[str], missing: Sequence[pl.Series]) -> pl.DataFrame:
    """Give each item the list of what it lacks; names as an Enum, which takes a byte each."""
    kind = pl.Enum(names)
    lists = pl.concat_list(
        pl.when(lacking).then(pl.lit(name, kind)).otherwise(None)
        for name, lacking in zip(names, missing, strict=True)
    ).list.drop_nulls()
    return items.with_columns(variants=lists).filter(pl.col("variants").list.len() > 0)


def _items(db: Database, modality: Modality, datasets: Sequence[str]) -> pl.DataFrame:
    table = ITEMS[modality]
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
    return found


def _stored(db: Database, space: str, modality: Modality, variants: Sequence[str]) -> pl.DataFrame:
    known = db.spaces().filter(pl.col("space") == space).collect()
    if known.is_empty():
        return pl.DataFrame(schema={"item_id": pl.String, "variant": pl.String})
    rows = db.scan(space, layers=[]).filter(pl.col("variant").is_in(list(variants)))
    return rows.select(pl.col(id_column(modality)).alias("item_id"), "variant").collect()


def _ledger(db: Database, space: str, variants: Sequence[str]) -> pl.DataFrame:
    """Return ``item_id``, ``variant`` and ``reason`` of what the space's ledger has as inapplicable."""
    mine = db.failures().filter(
        pl.col("space") == space,
        pl.col("status") == INAPPLICABLE,
        pl.col("variant").is_in(list(variants)),
    )
    return mine.select(list(_ENTRY)).collect()
