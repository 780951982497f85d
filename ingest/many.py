"""Several models, one after the other: a model that fails does not lose the rest."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ingest.encoders import load_encoder
from ingest.extract import MAX_FAILURES, Ingested, default_space, ingest
from vdb import books
from vdb.errors import VdbError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.encoders import EncoderOptions
    from vdb.database import Database
    from vdb.progress import Progress


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the ingest of one model ended: with a report, or with an error."""

    model: str
    report: Ingested | None = None
    error: VdbError | None = None


def ingest_models(
    db: Database,
    models: Sequence[str],
    options: EncoderOptions,
    *,
    space: str | None = None,
    datasets: Sequence[str] = (),
    limit: int | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    max_failures: int = MAX_FAILURES,
    dry_run: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> list[Outcome]:
    """Ingest each model in turn; see :func:`ingest.extract.ingest` for what the parameters mean.

    Parameters
    ----------
    db : Database
    models : sequence of str
        Catalogue names, library ids or directories.
    options : EncoderOptions
    space : str, optional
        The space's name, for one model.
    command : str
        Kept with the run: what does it again.

    Returns
    -------
    list of Outcome
        One a model, in their order.
    """
    outcomes = []
    for model in models:
        parameters = {"model": model, "datasets": list(datasets), "limit": limit, **asdict(options)}
        record = (
            nullcontext("") if dry_run else books.run(db, command, parameters, options.random_init)
        )
        try:
            with record as run_id:
                encoder = load_encoder(model, options)
                report = ingest(
                    db,
                    encoder,
                    space=space or default_space(encoder.recipe.model, options),
                    datasets=datasets,
                    limit=limit,
                    batch_size=batch_size,
                    workers=workers,
                    max_failures=max_failures,
                    dry_run=dry_run,
                    run_id=run_id,
                    progress=progress,
                )
            outcomes.append(Outcome(model, report=report))
        except VdbError as error:
            outcomes.append(Outcome(model, error=error))
    return outcomes
