"""What became of each row of an ingest: counted, told as it happens, and entered in the store's ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from vdb import books
from vdb.errors import InputError
from vdb.schema import INAPPLICABLE, ORIGINAL

if TYPE_CHECKING:
    from ingest.pipeline.plan import Plan
    from vdb.database import Database
    from vdb.progress import Task
    from vdb.recipe import Modality
    from vdb.space import Space
    from vdb.writer import Row

_ENTRIES_AT_ONCE = 1_000
_REASONS_TOLD = (
    20  # of a variant: reasons are few, but nothing keeps a variant from naming the item
)


class Failure(NamedTuple):
    """A row that could not be stored."""

    item_id: str
    variant: str
    reason: str


@dataclass(slots=True)
class Ingested:
    """What an ingest did, or with a dry run would do.

    Attributes
    ----------
    space : str
    modality : {"image", "text"}
    plan : Plan
        As it was before.
    stored : int
        Rows added by this run; what another process added meanwhile is not counted.
    failed : list of Failure
    inapplicable : dict of str to Counter of str
        Variant -> reason -> number of items that cannot have it, those that the plan knew of among them.
    truncated : int
        Texts that did not fit in the model's context.
    """

    space: str
    modality: Modality
    plan: Plan
    stored: int = 0
    failed: list[Failure] = field(default_factory=list)
    inapplicable: dict[str, Counter[str]] = field(default_factory=dict)
    truncated: int = 0

    def __post_init__(self) -> None:
        known = self.plan.cannot.group_by("variant", "reason").len().sort("variant", "reason")
        for variant, reason, number in known.iter_rows():
            self.cannot(variant, reason, number)

    def cannot(self, variant: str, reason: str, number: int = 1) -> None:
        """Count items that cannot have a variant; after so many reasons the rest are counted together."""
        told = self.inapplicable.setdefault(variant, Counter())
        known = reason in told or len(told) < _REASONS_TOLD
        told[reason if known else "other reasons"] += number


class Ledger:
    """Takes down what becomes of each row; in a ``with`` statement, after which the store's ledger is up to date.

    Parameters
    ----------
    db : Database
    space : Space
    report : Ingested
        Filled in.
    task : Task
        Told each row.
    run_id : str
    max_failures : int
        Items that may fail.
    """

    def __init__(
        self,
        db: Database,
        space: Space,
        report: Ingested,
        task: Task,
        run_id: str,
        max_failures: int,
    ) -> None:
        self._db = db
        self._space = space
        self._report = report
        self._task = task
        self._run_id = run_id
        self._max_failures = max_failures
        self._items: set[str] = set()
        self._unfit: list[Failure] = []  # not entered yet
        self._counting = Lock()  # the writer's thread counts too

    def __enter__(self) -> Ledger:
        known = self._report.plan.unentered
        for some in known.iter_slices(_ENTRIES_AT_ONCE):
            self._unfit = [Failure(*row) for row in some.iter_rows()]
            self._enter_unfit()
        return self

    def __exit__(self, *_: object) -> None:
        self._enter_unfit()
        books.record_failures(self._db, self._space.name, self._report.failed, self._run_id)
        settle(self._db, self._space)

    def wrote(self, rows: int) -> None:
        """Count rows that went in."""
        with self._counting:
            self._task.advance(done=rows)

    def fail(self, row: Row, reason: str) -> None:
        """Take down a row that could not be stored."""
        with self._counting:
            self._report.failed.append(Failure(row.item_id, row.variant, reason))
            self._items.add(row.item_id)
            self._task.advance(failed=1)

    def cannot(self, row: Row, reason: str) -> None:
        """Take down that an item cannot have a variant; a few at a time go to the store, so memory stays flat."""
        with self._counting:
            self._report.cannot(row.variant, reason)
            self._task.advance(done=1)
        self._unfit.append(Failure(row.item_id, row.variant, reason))
        if len(self._unfit) >= _ENTRIES_AT_ONCE:
            self._enter_unfit()

    def refuse_too_many(self) -> None:
        """End the ingest when more items failed than may.

        Raises
        ------
        InputError
        """
        if len(self._items) <= self._max_failures:
            return
        item, variant, reason = self._report.failed[-1]
        which = "" if variant == ORIGINAL else f" ({variant})"
        raise InputError(
            f"space {self._space.name!r}: {len(self._items)} items failed, more than --max-failures "
            f"{self._max_failures}; the last was {item!r}{which}: {reason}; what was stored is kept"
        )

    def _enter_unfit(self) -> None:
        entries, self._unfit = self._unfit, []
        books.record_failures(
            self._db, self._space.name, entries, self._run_id, status=INAPPLICABLE
        )


def settle(db: Database, space: Space) -> None:
    """Strike from the ledger what the space holds after all."""
    ledger = (
        db.failures().filter(pl.col("space") == space.name).select("item_id", "variant").collect()
    )
    if ledger.is_empty():
        return
    rows = space.scan(layers=[]).select(pl.col(space.id_column).alias("item_id"), "variant")
    stored = ledger.lazy().join(rows, on=["item_id", "variant"], how="semi").collect()
    books.clear_failures(db, space.name, stored.iter_rows())
