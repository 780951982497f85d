"""Which column names a row of which table, and whether what is named is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import polars as pl

from vdb import layouts, schema, tables
from vdb.errors import InputError
from vdb.keys import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdb.database import Database

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

_FEW = 20_000  # rows whose ids are looked up rather than joined with the whole table


class Reference(NamedTuple):
    """A column of ``table`` that holds ids of ``target``: in every row, or in the trials of one direction."""

    table: str
    column: str
    target: str
    direction: str | None = None

    def rows(self, frame: Frame) -> Frame:
        """Return the rows in which the reference is made."""
        made = pl.col(self.column).is_not_null()
        if self.direction is not None:
            made &= pl.col("direction") == self.direction
        return frame.filter(made)


REFERENCES: tuple[Reference, ...] = (
    Reference("images", "concept_id", "concepts"),
    Reference("captions", "concept_id", "concepts"),
    Reference("pairs", "image_id", "images"),
    Reference("pairs", "caption_id", "captions"),
    Reference("segments", "image_id", "images"),
    Reference("trials", "query_id", "captions", schema.TEXT_TO_IMAGE),
    Reference("trials", "candidate_0", "images", schema.TEXT_TO_IMAGE),
    Reference("trials", "candidate_1", "images", schema.TEXT_TO_IMAGE),
    Reference("trials", "query_id", "images", schema.IMAGE_TO_TEXT),
    Reference("trials", "candidate_0", "captions", schema.IMAGE_TO_TEXT),
    Reference("trials", "candidate_1", "captions", schema.IMAGE_TO_TEXT),
    Reference("image_variants", "image_id", "images"),
    Reference("caption_variants", "caption_id", "captions"),
)
"""Every column that names a row of another table."""


def check_reference(
    db: Database, frame: pl.DataFrame, reference: Reference, coming: pl.DataFrame | None
) -> None:
    """Check that what the rows of ``frame`` name is in the store or ``coming`` with them.

    Raises
    ------
    InputError
        Naming the first row that refers to nothing.
    """
    column, target = reference.column, reference.target
    wanted = reference.rows(frame).select(column, "source")
    [identity] = schema.KEYED_BY[target]
    if coming is not None:
        wanted = wanted.join(coming, left_on=column, right_on=identity, how="anti")
    if wanted.is_empty():
        return
    there = looked_up(db, target, identity, wanted[column]).select(identity)
    dangling = wanted.lazy().join(there, left_on=column, right_on=identity, how="anti").collect()
    for row in dangling.head(1).iter_rows(named=True):
        more = f" (and {len(dangling) - 1} more)" if len(dangling) > 1 else ""
        raise InputError(
            f"{row['source']}: {column} {row[column]!r} refers to no {target.removesuffix('s')} "
            f"of the file or the store{more}"
        )


def check_unreferred(db: Database, names: Sequence[str]) -> None:
    """Check that no row of another data set refers to an image or a caption of these.

    Raises
    ------
    InputError
        Naming the data set, one of its rows, and what to do.
    """
    mine = pl.col("dataset").is_in(list(names))
    for reference in REFERENCES:
        column, target = reference.column, reference.target
        if target == "concepts":  # which stay as long as anybody uses them
            continue
        [identity] = schema.KEYED_BY[target]
        items = db.read(target).filter(mine).select(identity, owner="dataset")
        others = reference.rows(db.read(reference.table).filter(~mine))
        found = others.join(items, left_on=column, right_on=identity, how="inner")
        first = found.select("dataset", "source", "owner", column, rows=pl.len()).head(1)
        for row in first.collect().iter_rows(named=True):
            raise InputError(
                f"data set {row['owner']!r} cannot be removed alone: {row['rows']} {reference.table} of data set "
                f"{row['dataset']!r} refer to its {target} ({row['source']} to {row[column]!r}); "
                f"remove both: `vdb remove dataset {row['owner']} {row['dataset']}`"
            )


def used_concepts(db: Database, names: Sequence[str]) -> pl.LazyFrame:
    """Return ``concept_id``, and of one exemplar in a data set that is none of ``names`` that ``user`` and a source.

    The source, ``used_at``, is where the exemplar was read.
    """
    others = ~pl.col("dataset").is_in(list(names))
    items = [
        db.read(table).filter(others).select("concept_id", "dataset", "source")
        for table in ("images", "captions")
    ]
    first = pl.concat(items).drop_nulls("concept_id").sort("dataset", "source")
    one = first.unique("concept_id", keep="first", maintain_order=True)
    return one.select("concept_id", user="dataset", used_at="source")


def give_away_concepts(db: Database, names: Sequence[str]) -> None:
    """Make each concept of these data sets that another one uses a concept of that one."""
    mine = pl.col("dataset").is_in(list(names))
    used = db.concepts().filter(mine).join(used_concepts(db, names), on="concept_id").collect()
    if len(used):
        layout = layouts.CONCEPTS
        owner = {"dataset": "user", "source": "used_at"}
        given = used.with_columns(key=keys(("concept_id",)), **owner).select(layout.names)
        rows = given.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(layout)
        tables.upsert(db.table("concepts"), rows)


def looked_up(db: Database, name: str, column: str, ids: pl.Series) -> pl.LazyFrame:
    """Return at least the rows of a table whose ``column`` is among ``ids``, without reading all for a few."""
    there = db.read(name)
    return there if len(ids) > _FEW else there.filter(pl.col(column).is_in(ids.unique().implode()))
