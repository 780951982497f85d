"""Spaces that findings are held against: random-init twins of models, and pixel statistics of images.

Both are spaces like any other, over the items that the space they stand beside was made of.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl

from ingest.encoders import EncoderOptions
from ingest.encoders.load import PIXEL_STATISTICS, resolve
from ingest.pipeline.extract import default_space
from ingest.pipeline.many import ingest_models
from ingest.telling import telling_name
from vdb.errors import InputError, VdbError
from vdb.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space

_TRAINED = "pretrained"


def ensure_twins(
    db: Database,
    spaces: Sequence[str],
    *,
    seed: int = 0,
    device: str = "auto",
    command: str = "",
    progress: Progress | None = None,
) -> dict[str, str]:
    """Ingest a random-init twin of each space over the same items; what is stored is not run again.

    How a space was made is read off the runs of the store: the model, its options, the data sets. A twin has the
    same architecture, pooling and preprocessing, and weights drawn from ``seed``. Of variants it holds the originals.

    Parameters
    ----------
    db : Database
    spaces : sequence of str
        Of trained models; one whose weights are not is passed over.
    seed : int
    device : str
        ``auto`` or a torch device.
    command : str
        Kept with the runs.
    progress : Progress, optional

    Returns
    -------
    dict of str to str
        Each trained space's twin, named ``SPACE-random`` (``SPACE-random-1`` for seed 1) unless there was one.

    Raises
    ------
    NotFoundError
        There is no such space.
    InputError
        No run tells how a space was made, or its model is not there any more.
    """
    twins = {}
    for name in dict.fromkeys(spaces):
        space = db.space(name)
        if space.recipe.weights != _TRAINED:
            continue
        twin = _twin_there(db, space, seed) or _suffixed(name, seed)
        for how in _ways(db, space):
            options = _options(how, seed, device)
            _ingest(db, space, how, options, twin, command=command, progress=progress)
        twins[name] = twin
    return twins


def ensure_pixel_statistics(
    db: Database,
    *,
    datasets: Sequence[str] = (),
    command: str = "",
    progress: Progress | None = None,
) -> str:
    """Store the pixel statistics of every image of the store, or of some data sets; return the space's name.

    Raises
    ------
    VdbError
        What an ingest raises.
    """
    [outcome] = ingest_models(
        db,
        [PIXEL_STATISTICS],
        EncoderOptions(device="cpu"),
        space=PIXEL_STATISTICS,
        datasets=datasets,
        command=command,
        progress=progress,
    )
    if outcome.error is not None:
        raise outcome.error
    return PIXEL_STATISTICS


def _twin_there(db: Database, space: Space, seed: int) -> str | None:
    """Find a twin by its recipe, whatever it is called."""
    wanted = f"random-init:seed={seed}"
    rows = db.spaces().select("space", "recipe").sort("space").collect().iter_rows()
    for name, text in rows:
        recipe = Recipe.from_json(text)
        if recipe.weights == wanted and recipe.architecture == space.recipe.architecture:
            return str(name)
    return None


def _suffixed(space: str, seed: int) -> str:
    return f"{space}-random" + (f"-{seed}" if seed else "")


def _ways(db: Database, space: Space) -> list[dict[str, Any]]:
    """Return the parameters of the runs that filled a space, each data set and limit once.

    Raises
    ------
    InputError
        There is no such run.
    """
    runs = db.runs().filter(pl.col("outcome") == "finished").sort("started_at")
    ways: dict[str, dict[str, Any]] = {}
    for command, text in runs.select("command", "parameters").collect().iter_rows():
        how = json.loads(text)
        if "space" not in how:  # a run of an older vdb: its command says it
            how["space"] = _named_in(command)
        if _fills(how, space.name):
            ways[json.dumps([how.get("datasets"), how.get("limit")])] = how
    if not ways:
        raise InputError(
            f"no run of this store tells how the space {space.name!r} was made; make its twin by "
            f"`vdb ingest --model MODEL --random-init 0 --space {space.name}-random`"
        )
    return list(ways.values())


def _named_in(command: str) -> str | None:
    """Return what stands after ``--space``, if anything does."""
    words = shlex.split(command)
    for word, following in pairwise([*words, ""]):
        if word == "--space":
            return following
        if word.startswith("--space="):
            return word.removeprefix("--space=")
    return None


def _fills(how: Mapping[str, Any], space: str) -> bool:
    if "model" not in how or "random_init" not in how or how["random_init"] is not None:
        return False
    if how.get("space") is not None:
        return bool(how["space"] == space)
    try:
        target = resolve(how["model"])[1]
        called = telling_name(how["model"], target.directory, target.model)
        return default_space(called, EncoderOptions()) == space
    except VdbError:
        return False  # a model that is gone did not fill a space that can be twinned


def _options(how: Mapping[str, Any], seed: int, device: str) -> EncoderOptions:
    known = {field.name for field in fields(EncoderOptions)}
    given = {name: value for name, value in how.items() if name in known}
    return EncoderOptions(**{**given, "random_init": seed, "device": device})


def _ingest(
    db: Database,
    space: Space,
    how: Mapping[str, Any],
    options: EncoderOptions,
    twin: str,
    **settings: Any,  # noqa: ANN401 - ingest_models'
) -> None:
    [outcome] = ingest_models(
        db,
        [how["model"]],
        options,
        space=twin,
        datasets=how.get("datasets") or (),
        limit=how.get("limit"),
        **settings,
    )
    if outcome.error is not None:
        raise InputError(f"the twin of {space.name!r}: {outcome.error}") from outcome.error
    if db.space(twin).recipe.architecture != space.recipe.architecture:
        raise InputError(
            f"{twin!r} is no twin of {space.name!r}: the model that {how['model']!r} names has changed since; make one "
            f"by `vdb ingest --model MODEL --random-init {options.random_init} --space NAME`"
        )
