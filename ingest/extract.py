"""The ingest of one model: items -> encoder -> space, resumable, with a ledger of what failed."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING

import polars as pl

from ingest.batches import Failed, HalvingEncoder, Ready, by_length, in_batches, preparer
from ingest.images import DECODING
from ingest.overlap import BackgroundWriter, prepared_ahead
from ingest.plan import Plan, make_plan
from vdb import books
from vdb.errors import InputError
from vdb.names import check_space_name, space_name_for
from vdb.progress import Silent
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from ingest.encoders.base import Encoder, EncoderOptions
    from vdb.database import Database
    from vdb.progress import Progress, Task
    from vdb.recipe import Recipe
    from vdb.space import Space
    from vdb.writer import Row

MAX_FAILURES = 100
"""Failures after which an ingest stops, unless told otherwise: something is wrong with more than an item."""

_BATCH_SIZE = 32
_AHEAD = 2  # batches prepared before the model asks for them


@dataclass(slots=True)
class Ingested:
    """What an ingest did, or with a dry run would do.

    Attributes
    ----------
    space : str
    plan : Plan
        As it was before.
    stored : int
        Rows added by this run; what another process added meanwhile is not counted.
    failed : list of (str, str)
        Item ids and reasons.
    truncated : int
        Texts that did not fit in the model's context.
    """

    space: str
    plan: Plan
    stored: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    truncated: int = 0


def ingest(
    db: Database,
    encoder: Encoder,
    *,
    space: str,
    datasets: Sequence[str] = (),
    limit: int | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    max_failures: int = MAX_FAILURES,
    dry_run: bool = False,
    run_id: str = "",
    progress: Progress | None = None,
) -> Ingested:
    """Run one model over every item that its space does not hold yet.

    Parameters
    ----------
    db : Database
    encoder : Encoder
    space : str
        Made if it is not there.
    datasets : sequence of str
        Only items of these.
    limit : int, optional
        Only the first so many items, by id.
    batch_size : int, optional
        Items a forward pass; 32 by default. Halved by itself when memory runs out.
    workers : int, optional
        Threads that read and prepare items; by default one a core, 16 at most.
    max_failures : int
        Failures after which the ingest stops.
    dry_run : bool
        Only plan: nothing is written, no model is run.
    run_id : str
        Of the run that this is a part of.
    progress : Progress, optional

    Returns
    -------
    Ingested

    Raises
    ------
    RecipeMismatchError
        The space holds another recipe; the fields that differ are named.
    InputError
        There is nothing to encode, or more items failed than ``max_failures``. What was done is kept.
    ModelError
        The encoder does not behave as its recipe says.

    Notes
    -----
    A vector depends, in its last bits, on the batch it was computed in. Commits therefore end where batches (of texts:
    sorted windows of batches) end, so that a run that is killed and done again makes the same batches as one that was
    not, unless memory ran out or the model itself failed on items before.
    """
    check_space_name(space)
    progress = progress or Silent()
    recipe = complete_recipe(encoder.recipe)
    db.check_recipe(space, recipe)
    plan = make_plan(db, recipe, space, datasets=datasets, limit=limit)
    report = Ingested(space, plan)
    if dry_run:
        return report
    target = db.create_space(space, recipe)
    _settle_ledger(db, target)
    if len(plan.todo):
        with progress.task(space, plan.wanted, plan.stored) as task:
            try:
                _extract(
                    encoder,
                    target,
                    report,
                    batch_size or _BATCH_SIZE,
                    workers,
                    max_failures,
                    task,
                    progress,
                )
            finally:
                failures = [(item, ORIGINAL, reason) for item, reason in report.failed]
                books.record_failures(db, space, failures, run_id)
                _settle_ledger(db, target)
    return report


def complete_recipe(recipe: Recipe) -> Recipe:
    """Add to an encoder's recipe what is done to an item before the encoder sees it."""
    if recipe.modality == "text":
        return recipe
    return replace(recipe, preprocessing={**recipe.preprocessing, "decoding": DECODING})


def default_space(model: str, options: EncoderOptions) -> str:
    """Name the space of a model: its own name, with ``-random`` for an untrained twin."""
    suffix = "" if options.random_init is None else "-random"
    if options.random_init:
        suffix += f"-{options.random_init}"
    return space_name_for(model) + suffix


def _extract(
    encoder: Encoder,
    space: Space,
    report: Ingested,
    batch_size: int,
    workers: int | None,
    max_failures: int,
    task: Task,
    progress: Progress,
) -> None:
    counting = Lock()  # the writer's thread counts too

    def fail(row: Row, reason: str) -> None:
        with counting:
            report.failed.append((row.item_id, reason))
            task.advance(failed=1)

    def wrote(rows: int) -> None:
        with counting:
            task.advance(done=rows)

    def prepared() -> Generator[Ready]:
        for result in _prepared(encoder, report.plan, batch_size, workers):
            if isinstance(result, Failed):
                fail(result.row, result.reason)
                _refuse_too_many(report, max_failures)
            else:
                report.truncated += result.prepared.truncated
                yield result

    halving = HalvingEncoder(encoder, batch_size, progress.say)
    writer = BackgroundWriter(space, wrote=wrote, refused=fail)
    window = max(1, writer.rows_a_commit // batch_size) * batch_size
    try:
        with closing(prepared()) as ready, writer:
            text = encoder.recipe.modality == "text"
            batches = (
                by_length(ready, batch_size, window) if text else in_batches(ready, batch_size)
            )
            since_commit = 0
            for batch in batches:
                for part, result in halving.encode(batch):
                    if isinstance(result, str):
                        fail(part[0].row, result)
                    else:
                        writer.put([one.row for one in part], result)
                _refuse_too_many(report, max_failures)
                since_commit += len(batch)
                if since_commit >= window:
                    writer.commit()
                    since_commit = 0
        _refuse_too_many(report, max_failures)
    finally:
        report.stored = writer.committed


def _prepared(
    encoder: Encoder, plan: Plan, batch_size: int, workers: int | None
) -> Iterator[Ready | Failed]:
    return prepared_ahead(
        preparer(encoder),
        plan.todo.iter_rows(named=True),
        workers=workers or min(16, _cores()),
        ahead=batch_size * _AHEAD,
    )


def _cores() -> int:
    """Count the cores that this process may use: on a cluster fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _refuse_too_many(report: Ingested, max_failures: int) -> None:
    if len(report.failed) > max_failures:
        item, reason = report.failed[-1]
        raise InputError(
            f"space {report.space!r}: {len(report.failed)} items failed, more than --max-failures {max_failures}; "
            f"the last was {item!r}: {reason}; what was stored is kept"
        )


def _settle_ledger(db: Database, space: Space) -> None:
    """Strike from the ledger what the space holds after all."""
    ledger = (
        db.failures().filter(pl.col("space") == space.name).select("item_id", "variant").collect()
    )
    if ledger.is_empty():
        return
    rows = space.scan(layers=[]).select(pl.col(space.id_column).alias("item_id"), "variant")
    stored = ledger.lazy().join(rows, on=["item_id", "variant"], how="semi").collect()
    books.clear_failures(db, space.name, stored.iter_rows())
