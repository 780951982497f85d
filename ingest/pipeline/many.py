"""Several models, one after the other: a model that fails does not lose the rest."""

from __future__ import annotations

import gc
import sys
import traceback
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ingest.encoders import load_encoder
from ingest.encoders.load import resolve
from ingest.pipeline.extract import MAX_FAILURES, default_space, ingest
from ingest.pipeline.wanted import wanted_variants
from ingest.telling import telling_name
from ingest.variants.naming import split_names
from vdb import books
from vdb.errors import InputError, ModelError, VdbError
from vdb.names import check_space_name
from vdb.progress import Silent
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ingest.encoders import EncoderOptions
    from ingest.pipeline.ledger import Ingested
    from ingest.pipeline.wanted import Wanted
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.recipe import Modality

_MODALITIES: dict[str, Modality] = {
    "timm": "image",
    "pixels": "image",
    "hf": "text",
    "st": "text",
}
"""What the models of vdb's own libraries encode; of another's it is known once a model is loaded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the ingest of one model ended: with a report, with an error, or with the reason why it was left out.

    Attributes
    ----------
    model : str
        As it was asked for.
    report : Ingested, optional
    error : VdbError, optional
        Without its traceback, which would keep the model in memory.
    traceback : str
        The error's, as text.
    skipped : str
        Why the model has nothing to do with what was asked for.
    """

    model: str
    report: Ingested | None = None
    error: VdbError | None = None
    traceback: str = ""
    skipped: str = ""


def ingest_models(
    db: Database,
    models: Sequence[str],
    options: EncoderOptions,
    *,
    space: str | None = None,
    variants: Sequence[str] = (ORIGINAL,),
    datasets: Sequence[str] = (),
    limit: int | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    max_failures: int = MAX_FAILURES,
    dry_run: bool = False,
    command: str = "",
    progress: Progress | None = None,
    told: Callable[[Outcome], None] = lambda outcome: None,  # noqa: ARG005 - nobody listens
) -> list[Outcome]:
    """Ingest each model in turn; see :func:`ingest.pipeline.extract.ingest` for what the parameters mean.

    Parameters
    ----------
    db : Database
    models : sequence of str
        Catalogue names, library ids or directories. A name that means nothing is told before the first model runs.
    options : EncoderOptions
    space : str, optional
        The space's name, for one model.
    variants : sequence of str
        Each model takes those of its modality; one for which none is left is skipped.
    command : str
        Kept with the run: what does it again.
    told : callable
        Told each outcome when it is known.

    Returns
    -------
    list of Outcome
        One a model, in their order.

    Raises
    ------
    InputError
        ``space`` cannot name a space, or was given with several models; a variant's setting is wrong.
    NotFoundError
        A variant is neither in the registry nor ready-made in the store.
    """
    if space is not None:
        check_space_name(space)
        if len(models) > 1:
            raise InputError("--space names one space: give one --model with it")
    wanted = wanted_variants(db, variants, datasets)  # before any model is loaded
    outcomes: dict[int, Outcome] = {}
    for place, model in enumerate(models):
        outcome = _at_once(model, wanted, space)
        if outcome is not None:
            outcomes[place] = outcome
            told(outcome)
    for place, model in enumerate(models):
        if place in outcomes:
            continue
        parameters = {
            "model": model,
            "space": space,
            "variants": split_names(variants),
            "datasets": list(datasets),
            "limit": limit,
            **asdict(options),
        }
        outcomes[place] = _one(
            db,
            model,
            options,
            nullcontext("") if dry_run else books.run(db, command, parameters, options.random_init),
            wanted,
            space=space,
            variants=variants,
            datasets=datasets,
            limit=limit,
            batch_size=batch_size,
            workers=workers,
            max_failures=max_failures,
            dry_run=dry_run,
            progress=progress,
        )
        _release_memory()  # before the next model takes it
        told(outcomes[place])
    return [outcomes[place] for place in range(len(models))]


def _one(
    db: Database,
    model: str,
    options: EncoderOptions,
    record: Any,  # noqa: ANN401 - a context manager that gives the run's id
    wanted: Mapping[Modality, Sequence[Wanted]],
    *,
    space: str | None,
    **settings: Any,  # noqa: ANN401 - ingest's
) -> Outcome:
    try:
        with record as run_id:
            (settings["progress"] or Silent()).say(f"loading {model} ...")
            encoder = load_encoder(model, options)
            if not wanted[
                encoder.recipe.modality
            ]:  # only now known of an encoder that is not vdb's
                return _skipped(model, encoder.recipe.modality)
            name = space or default_space(
                telling_name(model, resolve(model)[1].directory, encoder.recipe.model), options
            )
            return Outcome(model, report=ingest(db, encoder, space=name, run_id=run_id, **settings))
    except VdbError as error:
        return _failed(model, error)
    except Exception as error:  # noqa: BLE001 - a library's error in one model must not lose the others
        message = " ".join(str(error).split())
        named = ModelError(
            f"{model}: {type(error).__name__}: {message}; `vdb --debug ingest` shows where"
        )
        return _failed(model, named.with_traceback(error.__traceback__))


def _at_once(
    model: str, wanted: Mapping[Modality, Sequence[Wanted]], space: str | None
) -> Outcome | None:
    """Tell of a model that means nothing, or has nothing to do, without loading it."""
    try:
        library, target = resolve(model)
        if space is None:
            telling_name(model, target.directory)
    except VdbError as error:
        return _failed(model, error)
    modality = _MODALITIES.get(library)
    return None if modality is None or wanted[modality] else _skipped(model, modality)


def _skipped(model: str, modality: Modality) -> Outcome:
    return Outcome(model, skipped=f"none of the variants asked for is of {modality}s")


def _failed(model: str, error: VdbError) -> Outcome:
    told = "".join(traceback.format_exception(error))
    error.__cause__ = error.__context__ = None
    return Outcome(model, error=error.with_traceback(None), traceback=told)


def _release_memory() -> None:
    """Free the model that was: its hooks and its encoder refer to each other, which only the collector ends."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
