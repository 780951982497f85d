"""Taking data sets or a variant out of a store.

What refers to a row goes before the row, and the rows that tell whether something is left to remove go last: a removal
that was killed leaves nothing that refers to what is gone, and the same command finishes it. Only contents and
definitions go just before the rows that name them, as nothing would tell afterwards whose they
were. Nobody may add to the store meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
from lancedb.expr import col

from vdb import schema, tables
from vdb.blobs import EMBEDDED
from vdb.errors import InputError, NotFoundError
from vdb.keys import keys
from vdb.overview import datasets
from vdb.references import check_unreferred, give_away_concepts, used_concepts
from vdb.schema import ITEMS, ORIGINAL, READY_MADE, id_column
from vdb.variants import vocabulary_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdb.database import Database
    from vdb.space import Space

_A_DELETE = 20_000  # keys a commit


class Step(NamedTuple):
    """Rows that go: ``rows`` of them, those of ``table`` that meet one of ``filters``."""

    label: str
    rows: int
    table: str | Space
    filters: Sequence[Any]


def remove_datasets(db: Database, names: Sequence[str], *, dry_run: bool = False) -> dict[str, int]:
    """Remove data sets: their items and all that was made of them; the results of analyses stay.

    Definitions of variants of which nothing is left then go too, so that they may be defined anew.

    Parameters
    ----------
    db : Database
    names : sequence of str
    dry_run : bool
        Count only.

    Returns
    -------
    dict of str to int
        Rows by what they are: ``vectors in NAME`` for each space, then names of tables; zeros left out. A concept that
        items of other data sets are exemplars of stays, as one of theirs, and is not counted.

    Raises
    ------
    NotFoundError
        There is no such data set; near misses are suggested.
    InputError
        Rows of another data set refer to items of these. Nothing was removed then.
    """
    known = datasets(db)["dataset"].to_list()
    for name in names:
        if name not in known:
            raise NotFoundError.named("data set", name, known, "`vdb status` lists them")
    check_unreferred(db, names)
    steps = list(_dataset_steps(db, list(dict.fromkeys(names))))
    if not dry_run:
        give_away_concepts(db, names)
    return _done(db, steps, dry_run=dry_run)


def remove_variant(db: Database, name: str, *, dry_run: bool = False) -> dict[str, int]:
    """Remove a variant of images, captions or both: its vectors, its definition, and what somebody made ready of it.

    Parameters
    ----------
    db : Database
    name : str
        As the column ``variant`` of a space has it: ``patch-shuffle:grid=14``.
    dry_run : bool
        Count only.

    Returns
    -------
    dict of str to int
        As :func:`remove_datasets` returns.

    Raises
    ------
    NotFoundError
        There is no such variant; near misses are suggested.
    InputError
        It is ``original``.
    """
    if name == ORIGINAL:
        raise InputError(
            f"{ORIGINAL} is the items themselves; `vdb remove dataset NAME` removes items"
        )
    steps = list(_variant_steps(db, name))
    if not steps:
        raise NotFoundError.named("variant", name, _variants(db), "`vdb status` shows them")
    return _done(db, steps, dry_run=dry_run)


def _done(db: Database, steps: Sequence[Step], *, dry_run: bool) -> dict[str, int]:
    for step in [] if dry_run else steps:
        table = db.table(step.table) if isinstance(step.table, str) else step.table.table
        for where in step.filters:
            tables.delete(table, where)
    counts: dict[str, int] = {}
    for step in steps:
        counts[step.label] = counts.get(step.label, 0) + step.rows
    return counts


def _dataset_steps(db: Database, names: list[str]) -> Iterator[Step]:
    mine = pl.col("dataset").is_in(names)
    left: set[tuple[str, str]] = set()  # variants, by modality, of which something stays
    for space in _spaces(db):
        modality = space.recipe.modality
        items = db.read(ITEMS[modality]).filter(mine)
        ids = items.select(item_id=id_column(modality)).collect()
        ready = db.read(READY_MADE[modality]).filter(mine)
        made = ready.select("variant", item_id=id_column(modality)).collect()
        for label, held, table, key in _holdings(db, space):
            gone = _of_items(held, ids, made)
            named = gone.with_columns(space=pl.lit(space.name)).select(keys(key))
            yield from _of_keys(label, table, named.to_series().to_list())
            staying = held.join(gone, on=["item_id", "variant"], how="anti")
            left.update((modality, variant) for variant in staying["variant"].unique())
    disused = _unused(db, mine, left)
    words = vocabulary_keys(db, datasets=names, definitions=disused)
    yield from _of_keys("vocabularies", "meta", words)
    yield from _of_keys("blobs", "blobs", _needless(db, mine, mine))
    yield from _of_keys("variants", "variants", [schema.key_of(*one) for one in disused])
    whole = [col("dataset").isin(names)]
    for table in ("trials", "pairs", "segments", *READY_MADE.values(), *ITEMS.values()):
        yield from _where(db, table, mine, whole)
    unused = db.concepts().filter(mine).join(used_concepts(db, names), on="concept_id", how="anti")
    concepts = unused.select(keys(("concept_id",))).collect().to_series()
    yield from _of_keys("concepts", "concepts", concepts.to_list())


_Holding = tuple[str, pl.DataFrame, "str | Space", tuple[str, ...]]


def _holdings(db: Database, space: Space) -> tuple[_Holding, _Holding]:
    """Return each ``item_id`` and ``variant`` of a space and of its ledger, with the table and what its keys are of."""
    rows = tables.read(space.table, [space.id_column, "variant"])
    stored = pl.DataFrame(rows).rename({space.id_column: "item_id"})
    entries = db.failures().filter(pl.col("space") == space.name)
    failed = entries.select("item_id", "variant").collect()
    return (
        (f"vectors in {space.name}", stored, space, ("item_id", "variant")),
        ("failures", failed, "failures", ("space", "item_id", "variant")),
    )


def _of_items(held: pl.DataFrame, ids: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of items, and of single variants of other items."""
    elsewhere = made.join(ids, on="item_id", how="anti")
    return pl.concat(
        [
            held.join(ids, on="item_id", how="semi"),
            held.join(elsewhere, on=["item_id", "variant"], how="semi"),
        ]
    )


def _variant_steps(db: Database, name: str) -> Iterator[Step]:
    mine, whole = pl.col("variant") == name, [col("variant") == name]
    for space in _spaces(db):
        rows = space.counts().get(name, 0)
        if rows:
            yield Step(f"vectors in {space.name}", rows, space, whole)
    yield from _where(db, "failures", mine, whole)
    yield from _of_keys("vocabularies", "meta", vocabulary_keys(db, variant=name))
    yield from _of_keys("blobs", "blobs", _needless(db, pl.lit(value=False), mine))
    for table in (*READY_MADE.values(), "variants"):
        yield from _where(db, table, mine, whole)


def _where(db: Database, table: str, mine: pl.Expr, filters: Sequence[Any]) -> Iterator[Step]:
    rows = db.read(table).filter(mine).select(pl.len()).collect().item()
    if rows:
        yield Step(table, rows, table, filters)


def _of_keys(label: str, table: str | Space, gone: list[str]) -> Iterator[Step]:
    parts = [gone[start : start + _A_DELETE] for start in range(0, len(gone), _A_DELETE)]
    if gone:
        yield Step(label, len(gone), table, [col("key").isin(part) for part in parts])


def _needless(db: Database, images: pl.Expr, made: pl.Expr) -> list[str]:
    """Return the contents that only those images and ready-made ones need."""
    rows = [
        db.read(table).select(gone.alias("gone"), "uri")
        for table, gone in (("images", images), ("image_variants", made))
    ]
    held = pl.concat(rows).filter(pl.col("uri").str.starts_with(EMBEDDED))
    needless = held.group_by(sha256=pl.col("uri").str.strip_prefix(EMBEDDED)).agg(
        pl.col("gone").all()
    )
    there = db.read("blobs").select("sha256")
    return needless.filter("gone").join(there, on="sha256").collect()["sha256"].to_list()


def _unused(db: Database, mine: pl.Expr, left: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return modality and name of the definitions that only those rows, or nothing at all, is left of.

    A definition that nobody uses would keep a newer version of its variant out for ever. An ingest that has defined a
    variant and written nothing yet would lose it: nobody may add to the store meanwhile.
    """
    used = set(left)
    for modality, table in READY_MADE.items():
        others = db.read(table).filter(~mine).select("variant").unique().collect()
        used.update((modality, variant) for variant in others["variant"])
    return sorted(set(db.variants().select("modality", "variant").collect().iter_rows()) - used)


def _spaces(db: Database) -> list[Space]:
    return [db.space(name) for name in db.spaces().collect()["space"].sort()]


def _variants(db: Database) -> set[str]:
    known = {name for space in _spaces(db) for name in space.counts()} - {ORIGINAL}
    for table in ("variants", "failures", *READY_MADE.values()):
        known.update(db.read(table).select("variant").unique().collect()["variant"])
    return known - {ORIGINAL}
