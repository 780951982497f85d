"""The ingest of one model: items -> encoder -> space, resumable, with a ledger of what failed."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from ingest.images import DECODING
from ingest.pipeline.altering import altering
from ingest.pipeline.batches import Failed, HalvingEncoder, Ready, by_length, in_batches, preparer
from ingest.pipeline.defining import define, vocabularies
from ingest.pipeline.ledger import Ingested, Ledger, settle
from ingest.pipeline.overlap import BackgroundWriter, prepared_ahead
from ingest.pipeline.plan import make_plan
from ingest.pipeline.wanted import wanted_variants
from vdb.errors import InputError
from vdb.names import check_space_name, space_name_for
from vdb.progress import Silent
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from ingest.encoders.base import Encoder, EncoderOptions
    from ingest.pipeline.altering import Alter
    from ingest.pipeline.plan import Plan
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.recipe import Recipe
    from vdb.space import Space

MAX_FAILURES = 100
"""Items after whose failure an ingest stops, unless told otherwise: something is wrong with more than an item."""

_BATCH_SIZE = 32
_AHEAD = 2  # batches prepared before the model asks for them


def ingest(
    db: Database,
    encoder: Encoder,
    *,
    space: str,
    variants: Sequence[str] = (ORIGINAL,),
    datasets: Sequence[str] = (),
    limit: int | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    max_failures: int = MAX_FAILURES,
    dry_run: bool = False,
    run_id: str = "",
    progress: Progress | None = None,
) -> Ingested:
    """Run one model over every variant of every item that its space does not hold yet.

    Parameters
    ----------
    db : Database
    encoder : Encoder
    space : str
        Made if it is not there.
    variants : sequence of str
        Of the encoder's modality or of both: ``original``, names with settings (``scrambled:seed=3``), ready-made ones.
    datasets : sequence of str
        Only items of these.
    limit : int, optional
        Only the first so many items, by id as text, that can have one of the variants as far as the store tells.
    batch_size : int, optional
        Rows a forward pass; 32 by default. Halved by itself when memory runs out.
    workers : int, optional
        Threads that read and prepare items; by default one a core, 16 at most.
    max_failures : int
        Items that may fail, in one variant or several, before the ingest stops. One that cannot have a variant is no
        failure.
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
        The space holds another recipe, or the store another definition of a variant; what differs is named.
    NotFoundError
        There is no such variant or data set.
    InputError
        There is nothing to encode, no variant of the encoder's modality, or more items failed than ``max_failures``.
        What was done is kept.
    ModelError
        The encoder does not behave as its recipe says.

    Notes
    -----
    A vector depends, in its last bits, on the batch it was computed in. Commits therefore end where batches (of texts:
    sorted windows of batches) end, so that a run that is killed and done again makes the same batches as one that was
    not, unless memory ran out or the model itself failed on items before. The rows of a batch come in the order of the
    plan, item by item and for each its variants: an image is decoded and a caption tagged once for all of them, and
    the run that goes on may find an item with some of them stored.
    """
    check_space_name(space)
    recipe = complete_recipe(encoder.recipe)
    db.check_recipe(space, recipe)
    wanted = wanted_variants(db, variants, datasets)[recipe.modality]
    if not wanted:
        raise InputError(f"{recipe.model}: none of the variants asked for is of {recipe.modality}s")
    plan = make_plan(db, recipe, space, variants=wanted, datasets=datasets, limit=limit)
    report = Ingested(space, recipe.modality, plan)
    define(db, wanted, dry_run=dry_run)
    if dry_run:
        return report
    target = db.create_space(space, recipe)
    settle(db, target)
    if len(plan.todo) or len(plan.unentered):
        sets = plan.todo["dataset"].unique().sort().to_list() if recipe.modality == "text" else []
        alter = altering(db, wanted, vocabularies(db, wanted, sets))
        with (
            (progress or Silent()).task(
                space, plan.wanted, plan.stored + plan.inapplicable
            ) as task,
            Ledger(db, target, report, task, run_id, max_failures) as ledger,
        ):
            size = batch_size or _BATCH_SIZE
            halving = HalvingEncoder(encoder, size, (progress or Silent()).say)
            ahead = _ahead(encoder, alter, plan, size, workers)
            _extract(halving, ahead, target, report, ledger)
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
    halving: HalvingEncoder,
    ahead: Iterator[Ready | Failed],
    space: Space,
    report: Ingested,
    ledger: Ledger,
) -> None:
    batch_size = halving.batch_size
    writer = BackgroundWriter(space, wrote=ledger.wrote, refused=ledger.fail)
    window = max(1, writer.rows_a_commit // batch_size) * batch_size
    text = space.recipe.modality == "text"
    try:
        with closing(_ready(ahead, report, ledger)) as ready, writer:
            batches = (
                by_length(ready, batch_size, window) if text else in_batches(ready, batch_size)
            )
            since_commit = 0
            for batch in batches:
                for part, result in halving.encode(batch):
                    if isinstance(result, str):
                        ledger.fail(part[0].row, result)
                    else:
                        writer.put([one.row for one in part], result)
                ledger.refuse_too_many()
                since_commit += len(batch)
                if since_commit >= window:
                    writer.commit()
                    since_commit = 0
        ledger.refuse_too_many()
    finally:
        report.stored = writer.committed


def _ready(results: Iterator[Ready | Failed], report: Ingested, ledger: Ledger) -> Generator[Ready]:
    """Pass on what can go into a batch; take down what cannot."""
    for result in results:
        if isinstance(result, Ready):
            report.truncated += result.prepared.truncated
            yield result
        elif result.inapplicable:
            ledger.cannot(result.row, result.reason)
        else:
            ledger.fail(result.row, result.reason)
            ledger.refuse_too_many()


def _ahead(
    encoder: Encoder, alter: Alter, plan: Plan, batch_size: int, workers: int | None
) -> Iterator[Ready | Failed]:
    workers = workers or min(16, _cores())
    of_items = prepared_ahead(
        preparer(encoder, alter),
        plan.todo.iter_rows(named=True),
        workers=workers,
        ahead=max(workers, batch_size * _AHEAD // len(plan.rows)),  # rows are what takes memory
    )
    return chain.from_iterable(of_items)


def _cores() -> int:
    """Count the cores that this process may use: on a cluster fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
