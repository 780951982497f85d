"""The ingest of one model: items -> encoder -> space, resumable, with a ledger of what failed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from ingest.batches import Failed, HalvingEncoder, Ready, by_length, in_batches, preparer
from ingest.images import DECODING
from ingest.overlap import BackgroundWriter, prepared_ahead
from ingest.plan import Plan, make_plan
from vdb import books
from vdb.errors import InputError
from vdb.names import space_name_for
from vdb.progress import Silent
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.encoders.base import Encoder, EncoderOptions
    from vdb.database import Database
    from vdb.progress import Progress, Task
    from vdb.recipe import Recipe
    from vdb.space import Space
    from vdb.writer import Row

MAX_FAILURES = 100
"""Failures after which an ingest stops, unless told otherwise: something is wrong with more than an item."""

_BATCH_SIZE = 32
_AHEAD = 4  # batches prepared before the model asks for them


@dataclass(slots=True)
class Ingested:
    """What an ingest did, or with a dry run would do.

    Attributes
    ----------
    space : str
    plan : Plan
        As it was before.
    stored : int
        Rows added.
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
    """
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
    def fail(row: Row, reason: str) -> None:
        report.failed.append((row.item_id, reason))
        task.advance(failed=1)

    def wrote(rows: int) -> None:
        report.stored += rows
        task.advance(done=rows)

    halving = HalvingEncoder(encoder, batch_size, progress.say)
    group = by_length if encoder.recipe.modality == "text" else in_batches
    with BackgroundWriter(space, wrote=wrote, refused=fail) as writer:
        for batch in group(_ready(encoder, report, batch_size, workers, fail), batch_size):
            for part, block in halving.encode(batch):
                if block is None:
                    fail(part[0].row, "out of memory with this item alone in a batch")
                else:
                    writer.put([one.row for one in part], block)
            _refuse_too_many(report, max_failures)
    _refuse_too_many(report, max_failures)


def _ready(
    encoder: Encoder,
    report: Ingested,
    batch_size: int,
    workers: int | None,
    fail: Any,  # noqa: ANN401
) -> Iterator[Ready]:
    results = prepared_ahead(
        preparer(encoder),
        report.plan.todo.iter_rows(named=True),
        workers=workers or min(16, os.cpu_count() or 1),
        ahead=batch_size * _AHEAD,
    )
    for result in results:
        if isinstance(result, Failed):
            fail(result.row, result.reason)
        else:
            report.truncated += result.prepared.truncated
            yield result


def _refuse_too_many(report: Ingested, max_failures: int) -> None:
    if len(report.failed) > max_failures:
        item, reason = report.failed[-1]
        raise InputError(
            f"space {report.space!r}: {len(report.failed)} items failed, more than --max-failures {max_failures}; "
            f"the last was {item!r}: {reason}"
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
