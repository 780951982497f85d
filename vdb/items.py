"""Adding items: every row is checked against the others and against the store before any is written.

An id stands for one content. The same id with the same content changes nothing; with another content it is an error
that names both places. The same text under two ids is two captions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from vdb import blobs, schema, tables
from vdb.blobs import EMBEDDED
from vdb.conflicts import FILLED, refuse_conflict
from vdb.errors import InputError
from vdb.judgements import check_trials
from vdb.keys import keys
from vdb.names import LONGEST_ID, id_problem
from vdb.references import REFERENCES, check_reference, looked_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from vdb.database import Database

_ORDER = (
    "concepts",
    "images",
    "captions",
    "pairs",
    "segments",
    "trials",
    "variants",
    "image_variants",
    "caption_variants",
)
"""What is referred to comes before what refers to it, so that a killed run leaves nothing dangling."""

_MOVABLE = ("images", "image_variants")


@dataclass(slots=True)
class Added:
    """What :func:`add` did.

    Attributes
    ----------
    added, unchanged : dict of str to int
        Rows by table.
    moved : int
        Images that were there and whose file now lies elsewhere.
    embedded : int
        Images whose bytes the store took in.
    shared : dict of str to dict of str to int
        Of the unchanged rows, by table, those that another data set had added: how many, by its name. They stay its
        own.
    """

    added: dict[str, int] = field(default_factory=dict)
    unchanged: dict[str, int] = field(default_factory=dict)
    moved: int = 0
    embedded: int = 0
    shared: dict[str, dict[str, int]] = field(default_factory=dict)

    def __iadd__(self, other: Added) -> Added:
        for mine, theirs in ((self.added, other.added), (self.unchanged, other.unchanged)):
            for name, rows in theirs.items():
                mine[name] = mine.get(name, 0) + rows
        for name, owners in other.shared.items():
            mine = self.shared.setdefault(name, {})
            for owner, rows in owners.items():
                mine[owner] = mine.get(owner, 0) + rows
        self.moved += other.moved
        self.embedded += other.embedded
        return self


def add(
    db: Database,
    batch: Mapping[str, pl.DataFrame],
    contents: Iterable[tuple[str, bytes]] = (),
) -> Added:
    """Add items to a store.

    Parameters
    ----------
    db : Database
    batch : mapping of str to DataFrame
        ``concepts``, ``images``, ``captions``, ``pairs``, ``segments``, ``trials``, ``variants``, ``image_variants``,
        ``caption_variants``, any of them left out; the columns of :mod:`vdb.schema` without ``key``.
    contents : iterable of (str, bytes)
        SHA-256 and bytes of the images that the store is to hold itself; read only once the rows are known to be good.

    Returns
    -------
    Added

    Raises
    ------
    InputError
        An id stands for two contents, is malformed, or refers to what is not there. Nothing was written then.
    """
    return write(db, check(db, batch), contents)


def check(db: Database, batch: Mapping[str, pl.DataFrame]) -> Checked:
    """Raise what :func:`add` would of these rows, or return them as :func:`write` takes them; nothing is written."""
    return Checked(_checked(db, batch))


def write(db: Database, checked: Checked, contents: Iterable[tuple[str, bytes]] = ()) -> Added:
    """Write what was checked against this store; or against an empty one, where this one was made since.

    Whatever others add between the check and the write, a key is inserted once, and rows whose keys were found taken
    are compared again.
    """
    # Everything that can be refused has been by now; from here on rows are only written.
    news = checked.tables
    ready = {name: (_arrow(name, one.new), _arrow(name, one.changed)) for name, one in news.items()}
    report = Added(embedded=blobs.keep(db, contents))  # before the rows that need them
    report.shared = {name: one.shared for name, one in news.items() if one.shared}
    for name, (new, changed) in ready.items():
        added = tables.insert(db.table(name), new) if len(new) else 0
        if added < len(new):  # another process added some of them meanwhile: the same ones?
            _against_store(db, name, news[name].all)
        report.added[name] = added
        report.unchanged[name] = len(news[name].all) - added
        if len(changed):
            tables.upsert(db.table(name), changed)
            report.moved += len(changed) if name in _MOVABLE else 0
    return report


def _checked(db: Database, batch: Mapping[str, pl.DataFrame]) -> dict[str, _Compared]:
    unknown = batch.keys() - set(_ORDER)
    if unknown:
        raise InputError(f"no table of items is called {', '.join(sorted(unknown))}")
    frames = {name: _keyed(name, batch[name]) for name in _ORDER if name in batch}
    frames = {name: _collapse(name, frame) for name, frame in frames.items() if len(frame)}
    if "trials" in frames:
        check_trials(frames["trials"])
    for reference in REFERENCES:
        if reference.table in frames:
            check_reference(db, frames[reference.table], reference, frames.get(reference.target))
    return {name: _against_store(db, name, frame) for name, frame in frames.items()}


def _keyed(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    parts = schema.KEYED_BY[name]
    frame = _typed(name, frame)
    if "dataset" in frame.columns:
        for dataset in frame["dataset"].unique(maintain_order=True):
            if problem := id_problem(dataset):
                raise InputError(f"{dataset!r} cannot name a data set: {problem}; choose another")
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


def _collapse(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the first row of each key; refuse two contents under one."""
    if frame["key"].n_unique() == len(frame):  # as mostly: a tenth of what keeping the first costs
        return frame
    if filled := FILLED.get(name):
        said = pl.col(filled).drop_nulls().first().over("key")
        frame = frame.with_columns(pl.coalesce(filled, said))
    first = frame.unique("key", keep="first", maintain_order=True)
    refuse_conflict(name, frame.join(first, on="key", suffix="_there"), "")
    return first


class _Compared(NamedTuple):
    """Rows beside the store's: all, those it lacks, those of which it is told more, and whose the ones are it has.

    It is told where a file has moved to, or what was left unsaid.
    """

    all: pl.DataFrame
    new: pl.DataFrame
    changed: pl.DataFrame
    shared: dict[str, int]


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows that may be written: by table, beside what the store had of them."""

    tables: Mapping[str, _Compared]


def _against_store(db: Database, name: str, frame: pl.DataFrame) -> _Compared:
    parts = schema.KEYED_BY[name]
    there = looked_up(db, name, parts[0], frame[parts[0]])
    there = there.with_columns(keys(parts).alias("key"))
    known = frame.lazy().join(there, on="key", how="inner", suffix="_there").collect()
    refuse_conflict(name, known, " in the store")
    new = frame.join(known, on="key", how="anti")
    shared: dict[str, int] = {}
    if "dataset" in frame.columns:
        others = known.filter(pl.col("dataset") != pl.col("dataset_there"))
        shared = dict(others.group_by("dataset_there").len().sort("dataset_there").rows())
    if filled := FILLED.get(name):
        unsaid = known.filter(pl.col(f"{filled}_there").is_null() & pl.col(filled).is_not_null())
        rest = [pl.col(f"{c}_there").alias(c) for c in frame.columns if c not in ("key", filled)]
        told = unsaid.select("key", filled, *rest).select(frame.columns)
        return _Compared(frame, new, told, shared)
    if name not in _MOVABLE:
        return _Compared(frame, new, frame.clear(), shared)
    elsewhere = pl.col("uri") != pl.col("uri_there")
    outside = ~pl.col("uri_there").str.starts_with(EMBEDDED)  # what the store holds stays there
    moved = known.filter(elsewhere & outside)
    # Whosever it was, it stays its own.
    moved = moved.with_columns(dataset="dataset_there").select(frame.columns)
    return _Compared(frame, new, moved, shared)


def _arrow(name: str, frame: pl.DataFrame) -> pa.Table:
    layout = schema.TABLES[name]
    rows = frame.select(layout.names).to_arrow(compat_level=pl.CompatLevel.oldest())
    return rows.cast(layout)
