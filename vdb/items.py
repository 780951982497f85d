"""Adding items: every row is checked against the others and against the store before any is written.

An id stands for one content. The same id with the same content changes nothing; with another content it is an error
that names both places. The same text under two ids is two captions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from vdb import schema, tables
from vdb.errors import InputError
from vdb.names import LONGEST_ID, id_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from vdb.database import Database

_ORDER = ("concepts", "images", "captions", "pairs", "segments")
"""What is referred to comes before what refers to it, so that a killed run leaves nothing dangling."""

_CONTENT: dict[str, tuple[str, ...]] = {
    "concepts": ("name",),
    "images": ("sha256", "concept_id"),
    "captions": ("text", "concept_id"),
    "pairs": (),
    "segments": ("category", "is_thing", "height", "width", "counts"),
}
"""What may not differ between two rows of one id. Where a file lies may: it is then said to have moved."""

_REFERENCES: tuple[tuple[str, str, str], ...] = (
    ("images", "concept_id", "concepts"),
    ("captions", "concept_id", "concepts"),
    ("pairs", "image_id", "images"),
    ("pairs", "caption_id", "captions"),
    ("segments", "image_id", "images"),
)


@dataclass(slots=True)
class Added:
    """What :func:`add` did.

    Attributes
    ----------
    added, unchanged : dict of str to int
        Rows by table.
    moved : int
        Images that were there and whose file now lies elsewhere.
    """

    added: dict[str, int] = field(default_factory=dict)
    unchanged: dict[str, int] = field(default_factory=dict)
    moved: int = 0

    def __iadd__(self, other: Added) -> Added:
        for mine, theirs in ((self.added, other.added), (self.unchanged, other.unchanged)):
            for name, rows in theirs.items():
                mine[name] = mine.get(name, 0) + rows
        self.moved += other.moved
        return self


def add(db: Database, batch: Mapping[str, pl.DataFrame]) -> Added:
    """Add items to a store.

    Parameters
    ----------
    db : Database
    batch : mapping of str to DataFrame
        ``concepts``, ``images``, ``captions``, ``pairs``, ``segments``, any of them left out; the columns of
        :mod:`vdb.schema` without ``key``.

    Returns
    -------
    Added

    Raises
    ------
    InputError
        An id stands for two contents, is malformed, or refers to what is not there. Nothing was written then.
    """
    unknown = batch.keys() - set(_ORDER)
    if unknown:
        raise InputError(f"no table of items is called {', '.join(sorted(unknown))}")
    frames = {name: _keyed(name, batch[name]) for name in _ORDER if name in batch}
    frames = {name: _collapse(name, frame) for name, frame in frames.items() if len(frame)}
    for name, column, target in _REFERENCES:
        if name in frames:
            _check_references(db, frames[name], column, target, frames.get(target))
    news = {name: _against_store(db, name, frame) for name, frame in frames.items()}
    # Everything that can be refused has been by now; from here on rows are only written.
    ready = {name: [_arrow(name, part) for part in parts] for name, parts in news.items()}
    report = Added()
    for name, (new, moved) in ready.items():
        added = tables.insert(db.table(name), new) if len(new) else 0
        if added < len(new):  # another process added some of them meanwhile: the same ones?
            _against_store(db, name, frames[name])
        report.added[name] = added
        report.unchanged[name] = len(frames[name]) - added
        if len(moved):
            tables.upsert(db.table(name), moved)
            report.moved += len(moved)
    return report


def keys(columns: Iterable[str]) -> pl.Expr:
    """Build the key of each row; the vectorised twin of :func:`vdb.schema.key_of`."""
    return pl.concat_str(
        [
            pl.col(column)
            .str.replace_all("\\", "\\\\", literal=True)
            .str.replace_all("|", "\\|", literal=True)
            for column in columns
        ],
        separator="|",
    )


def _keyed(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    parts = schema.KEYED_BY[name]
    frame = _typed(name, frame)
    for column in parts:
        suspect = frame.filter(
            pl.col(column).str.len_chars().is_between(1, LONGEST_ID).not_()
            | pl.col(column).str.contains(r"[\x00-\x1f\x7f]")
        )
        for row in suspect.head(1).iter_rows(named=True):
            problem = id_problem(row[column])
            raise InputError(f"{row['source']}: {column} is {problem}")
    return frame.select(keys(parts).alias("key"), pl.all())


def _typed(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Give every column the table's type (a column of nothing but None has none) and refuse what it lacks."""
    layout = schema.TABLES[name]
    lacking = [c for c in layout.names if c != "key" and c not in frame.columns]
    if lacking:
        raise InputError(f"the {name} to add lack the column {', '.join(lacking)}")
    empty = pl.DataFrame(layout.empty_table()).drop("key")
    try:
        frame = frame.select(pl.col(name).cast(kind) for name, kind in empty.schema.items())
    except pl.exceptions.PolarsError as error:
        raise InputError(f"the {name} to add: {str(error).splitlines()[0]}") from error
    needed = [field.name for field in layout if not field.nullable and field.name != "key"]
    for row in frame.filter(pl.any_horizontal(pl.col(needed).is_null())).head(1).to_dicts():
        absent = next(column for column in needed if row[column] is None)
        raise InputError(f"{row['source']}: {absent} is missing")
    return frame


def _differs(name: str, suffix: str) -> pl.Expr:
    return pl.any_horizontal(
        pl.lit(value=False),
        *(pl.col(c).ne_missing(pl.col(f"{c}{suffix}")) for c in _CONTENT[name]),
    )


def _collapse(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the first row of each key; refuse two contents under one."""
    first = frame.unique("key", keep="first", maintain_order=True)
    if len(first) < len(frame):
        _refuse_conflict(name, frame.join(first, on="key", suffix="_there"), "")
    return first


def _against_store(
    db: Database, name: str, frame: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part the rows into new ones and known ones that moved."""
    there = db.read(name).with_columns(keys(schema.KEYED_BY[name]).alias("key"))
    known = frame.lazy().join(there, on="key", how="inner", suffix="_there").collect()
    _refuse_conflict(name, known, " in the store")
    new = frame.join(known, on="key", how="anti")
    if name != "images" or known.is_empty():
        return new, frame.clear()
    return new, known.filter(pl.col("uri") != pl.col("uri_there")).select(frame.columns)


def _refuse_conflict(name: str, joined: pl.DataFrame, place: str) -> None:
    conflict = joined.filter(_differs(name, "_there"))
    for row in conflict.head(1).iter_rows(named=True):
        columns = [c for c in _CONTENT[name] if row[c] != row[f"{c}_there"]]
        more = f" (and {len(conflict) - 1} more)" if len(conflict) > 1 else ""
        raise InputError(
            f"{row['source']}: {name.removesuffix('s')} {row['key']!r} differs in {', '.join(columns)} from the one "
            f"at {row['source_there']}{place}{more}; give one of them another id, or add the data set with --prefix"
        )


def _check_references(
    db: Database, frame: pl.DataFrame, column: str, target: str, coming: pl.DataFrame | None
) -> None:
    wanted = frame.filter(pl.col(column).is_not_null()).select(column, "source")
    [identity] = schema.KEYED_BY[target]
    if coming is not None:
        wanted = wanted.join(coming, left_on=column, right_on=identity, how="anti")
    if wanted.is_empty():
        return
    there = db.read(target).select(identity)
    dangling = wanted.lazy().join(there, left_on=column, right_on=identity, how="anti").collect()
    for row in dangling.head(1).iter_rows(named=True):
        more = f" (and {len(dangling) - 1} more)" if len(dangling) > 1 else ""
        raise InputError(
            f"{row['source']}: {column} {row[column]!r} refers to no {target.removesuffix('s')} "
            f"of the file or the store{more}"
        )


def _arrow(name: str, frame: pl.DataFrame) -> pa.Table:
    layout = schema.TABLES[name]
    rows = frame.select(layout.names).to_arrow(compat_level=pl.CompatLevel.oldest())
    return rows.cast(layout)
