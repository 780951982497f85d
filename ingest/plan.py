"""What an ingest has to do: the items of the store less what its space holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from vdb.errors import InputError, NotFoundError
from vdb.schema import ORIGINAL, id_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdb.database import Database
    from vdb.recipe import Modality, Recipe

_COLUMNS: dict[Modality, tuple[str, ...]] = {
    "image": ("uri", "sha256"),
    "text": ("text",),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted, what is there and what remains.

    Attributes
    ----------
    todo : DataFrame
        ``item_id``, ``concept_id`` and what the encoder needs (``uri`` and ``sha256``, or ``text``), sorted by id.
    wanted, stored : int
        Items asked for, and those of them that the space holds.
    row_bytes : int
        Bytes of vectors a row.
    """

    todo: pl.DataFrame
    wanted: int
    stored: int
    row_bytes: int

    @property
    def bytes_to_write(self) -> int:
        """Bytes of vectors that remain to be written."""
        return len(self.todo) * self.row_bytes


def make_plan(
    db: Database,
    recipe: Recipe,
    space: str,
    *,
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
    items = _items(db, recipe.modality, datasets, limit)
    there = _stored(db, space, recipe.modality)
    todo = items.join(there, on="item_id", how="anti", maintain_order="left")
    width = sum(layer.width for layer in recipe.layers)
    return Plan(
        todo=todo,
        wanted=len(items),
        stored=len(items) - len(todo),
        row_bytes=width * np.dtype(recipe.stored_dtype).itemsize,
    )


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


def _stored(db: Database, space: str, modality: Modality) -> pl.DataFrame:
    known = db.spaces().filter(pl.col("space") == space).collect()
    if known.is_empty():
        return pl.DataFrame(schema={"item_id": pl.String})
    rows = db.scan(space, layers=[], variant=ORIGINAL)
    return rows.select(pl.col(id_column(modality)).alias("item_id")).collect()
