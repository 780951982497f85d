"""Forced choice: whether the map between two spaces prefers the candidates that people preferred."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from analyses import keep
from analyses.cell import given
from analyses.controls import CONTROLS
from analyses.forced_choice.fits import plan
from analyses.forced_choice.rows import tidy
from analyses.forced_choice.set_level import set_level
from analyses.forced_choice.trial_level import Question, trial_level
from analyses.forced_choice.trials import read_trials, stored_trials
from analyses.matching import Captions, check_choice, check_sides
from analyses.metrics import choose_metric
from analyses.metrics.choosing import Similarity
from analyses.pictures.forced_choice import pictures_of
from vdb.errors import InputError
from vdb.progress import Silent
from vdb.schema import IMAGE_TO_TEXT, TEXT_TO_IMAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from analyses.forced_choice.trials import Trials
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space

__all__ = ["CONTROLS", "NAME", "Level", "TrialDirection", "forced_choice"]

NAME = "forced-choice"
TrialDirection = Literal["both", "text-to-image", "image-to-text"]
Level = Literal["both", "trial", "set"]


def forced_choice(
    db: Database,
    vision: str,
    language: str,
    *,
    direction: TrialDirection = "both",
    level: Level = "both",
    datasets: Sequence[str] = (),
    fit_datasets: Sequence[str] = (),
    captions: Captions = "one",
    similarity: Similarity = "cosine",
    metric: str = "linear-predictivity",
    vision_layer: int | str | None = None,
    language_layer: int | str | None = None,
    strengths: Sequence[float] | None = None,
    controls: Sequence[str] = CONTROLS,
    most: int = 4000,
    folds: int = 5,
    seed: int = 0,
    device: str = "cpu",
    kept: bool = True,
    force: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Ask the store's trials of every pair of layers.

    At trial level a ridge map is fitted on pairs that share no image, caption or concept with the trial, by id or by
    content, however indirectly (:func:`analyses.forced_choice.fits.plan`), and the candidate of the larger similarity
    is taken. There are two maps to ask, and rows for each (column ``fit``). The one whose source is the query's
    modality predicts the query in the candidates' space and compares it with both: the usual reading
    (``language->vision`` for a text-to-image trial). The other predicts both candidates in the query's space.

    At set level the metric is computed over (query, preferred) and over (query, rejected), rows and folds the same,
    of trials no two of which share an item.

    Parameters
    ----------
    db : Database
    vision, language : str
        Names of spaces.
    direction : {"both", "text-to-image", "image-to-text"}
        Which trials; ``both`` takes those there are.
    level : {"both", "trial", "set"}
        ``both`` leaves the set level out, and says so, where too few trials share no item.
    datasets : sequence of str
        Only trials of these data sets; all by default.
    fit_datasets : sequence of str
        Fit on pairs of these data sets, in one fit. By default on all of the store's, by folds.
    captions : {"one", "mean", "all"}
        What stands for an image's captions in the fit, as in :func:`analyses.alignment.alignment`.
    similarity : {"cosine", "correlation", "distance"}
        Of the prediction and what it is compared with, both less the mean of the target over the fit's pairs.
    metric : str
        Of the set level, as :func:`analyses.metrics.choose_metric` reads it.
    vision_layer, language_layer : int or str, optional
        The cell that is looked at closely. Without them it is the best one on half of the clusters of trials, and
        what is said of it is of the other half; with fewer than 100 clusters it is the last layers.
    strengths : sequence of float, optional
        Where bins of the strength of preference (a trial's ``gap``) are parted; quartiles by default.
    controls : sequence of {"bag-of-words", "mismatched"}
        Of the trial level. ``mismatched`` is the cell alone, fitted on pairs that do not belong together and
        averaged over ten such fits (the choices of one lean to one side together); ``bag-of-words`` puts word
        counts in the place of the language space.
    most : int
        Pairs to fit on at the most; of more, whole groups are drawn.
    folds, seed, device, kept, command, progress
        As in :func:`analyses.alignment.alignment`.
    force : bool
        Compute again what was answered before.

    Returns
    -------
    pl.DataFrame
        ``level`` trial: ``scope`` map has a row for each (control, direction, fit, vision layer, language layer) over
        all trials; ``scope`` cell the chosen cell's, over trials not spent on choosing it: all of them, then a row
        for each bin of strength (``gap_low``, ``gap_high``). ``score`` is the weighted share of trials answered as by
        people, ``ties`` of them counting half; ``low`` and ``high`` a 95 % cluster bootstrap; ``p`` against chance,
        ``p_max`` corrected for all cells of the map; ``human`` how often one judge agrees with the others, where
        there are several (a bin of strength is told by all ratings, the judge's own too); ``attainable`` the most
        that any one answer to each choice could score. People's own ties (``human_ties``) are not scored.

        ``level`` set: ``pairs`` preferred, rejected and their difference; at the cell with a paired interval and a
        two-sided p of the difference.

    Raises
    ------
    NotFoundError
        There is no such space, layer, metric, control or data set.
    InputError
        There are no trials to ask, or too few pairs to fit on.
    """
    progress = progress or Silent()
    chosen = choose_metric(metric)
    check_choice("direction", direction, get_args(TrialDirection))
    check_choice("level", level, get_args(Level))
    check_choice("similarity", similarity, get_args(Similarity))
    check_choice("choice of captions", captions, get_args(Captions))
    for control in controls:
        check_choice("control", control, CONTROLS)
    sides = db.space(vision), db.space(language)
    check_sides(*sides)
    given(sides, vision_layer, language_layer)
    asked = _trials(db, sides, direction, datasets)
    planned = {
        name: plan(
            db,
            sides,
            trials,
            captions=captions,
            fit_datasets=fit_datasets,
            folds=folds,
            most=most,
            seed=seed,
        )
        for name, trials in asked.items()
        if level != "set"
    }
    parameters = {
        "vision": vision,
        "language": language,
        "direction": direction,
        "level": level,
        "datasets": list(datasets),
        "fit_datasets": list(fit_datasets),
        "captions": captions,
        "similarity": similarity,
        "metric": chosen.name,
        "vision_layer": vision_layer,
        "language_layer": language_layer,
        "strengths": None if strengths is None else list(strengths),
        "controls": list(controls),
        "most": most,
        "folds": folds,
        "seed": seed,
    }
    digests = [one.digest for one in asked.values()] + [one.digest for one in planned.values()]
    mark = keep.question(NAME, parameters, sides, " ".join(digests))
    if not force and (known := keep.answered(db, NAME, mark, progress)) is not None:
        return known
    question = Question(similarity, controls, strengths, vision_layer, language_layer, seed, device)
    with keep.run(db, NAME, command, {**parameters, keep.QUESTION: mark}, seed, kept=kept) as book:
        rows = []
        found = {}
        if planned:
            both = {name: (trials, planned[name]) for name, trials in asked.items()}
            found = trial_level(db, sides, both, question, progress)
        for name, trials in asked.items():
            rows += found.get(name, [])
            if level != "trial":
                try:
                    rows += set_level(
                        sides,
                        name,
                        trials,
                        chosen,
                        vision_layer=vision_layer,
                        language_layer=language_layer,
                        folds=folds,
                        seed=seed,
                        device=device,
                        progress=progress,
                    )
                except InputError as error:
                    if level == "set":
                        raise
                    book.say(f"{name}: no set level: {error}", progress)
        shared = {"captions": captions, "folds": folds, "seed": seed}
        frame = tidy([{**row, **shared} for row in rows])
        book.keep(frame, pictures_of(frame))
    return frame


def _trials(
    db: Database, sides: tuple[Space, Space], direction: str, datasets: Sequence[str]
) -> dict[str, Trials]:
    """Read the trials of the directions asked for."""
    stored_trials(db, datasets)
    wanted = (TEXT_TO_IMAGE, IMAGE_TO_TEXT) if direction == "both" else (direction,)
    found = {name: read_trials(db, *sides, name, datasets) for name in wanted}
    asked = {name: trials for name, trials in found.items() if trials is not None}
    if not asked:
        raise InputError(f"the store has trials, and none is {direction}: leave --direction out")
    return asked
