"""Perturbation: what altering images, captions or both costs an alignment, layer by layer and at one cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from analyses import keep
from analyses.cell import given
from analyses.matching import Captions, check_choice, check_sides
from analyses.metrics import choose_metric
from analyses.metrics.folds import check_folds
from analyses.perturbation.answer import Question, answer
from analyses.perturbation.fits import Fit, fits
from analyses.perturbation.variants import Side, alterations, definitions, row_sets
from analyses.pictures.perturbation import delta_bars, delta_heatmaps
from vdb.errors import InputError
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from vdb.database import Database
    from vdb.progress import Progress, Task

__all__ = ["NAME", "perturbation"]

NAME = "perturbation"

VERSION = 2
"""Raised whenever the same vectors would give other rows: what was kept before is no answer then."""


def perturbation(
    db: Database,
    vision: str,
    language: str,
    *,
    variants: Sequence[str] | None = None,
    altered: Side | None = None,
    fit: Fit = "both",
    metric: str = "linear-predictivity",
    vision_layer: int | str | None = None,
    language_layer: int | str | None = None,
    maps: bool = True,
    captions: Captions = "one",
    datasets: Sequence[str] = (),
    folds: int = 5,
    seed: int = 0,
    device: str = "cpu",
    kept: bool = True,
    force: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Compare alignment under each alteration with that of the originals, on the same rows and folds.

    Parameters
    ----------
    db : Database
    vision, language : str
        Names of spaces.
    variants : sequence of str, optional
        All that the spaces hold by default. ``IMAGE+CAPTION`` alters both sides.
    altered : {"images", "captions", "both"}, optional
        Told by the space that holds the variant; both, where both hold a variant that is named.
    fit : {"both", "transfer", "refit"}
        ``transfer`` fits the map on the originals' training rows and meets altered rows only when held out: altered
        sources are what it predicts from, altered targets what its predictions are compared with. ``refit`` fits
        and scores on altered rows. Both are of linear predictivity; any other metric is ``recomputed``.
    metric : str
        As :func:`analyses.metrics.choose_metric` reads it.
    vision_layer, language_layer : int or str, optional
        The cell. Without them the best one of the originals (mean over directions) on half of the groups, and its
        rows are those of the other half; with fewer than 100 groups the last layers.
    maps : bool
        Whole maps too, which take most of the time; without them the cell alone.
    captions : {"one", "mean", "all"}
        As in :func:`analyses.alignment.alignment`.
    datasets : sequence of str
        Only pairs of these data sets; all by default.
    folds, seed, device, kept, command, progress
        As in :func:`analyses.alignment.alignment`.
    force : bool
        Compute again what was kept.

    Returns
    -------
    pl.DataFrame
        With ``scope`` "cell" the rows of one cell, by ``level``: "variant", each alteration; "group", the mean of those
        of one ``kind`` (``variant`` is then "appearance", "semantic" or "unsaid") on the rows that all alterations of
        that side have; "difference", the second of these less the first; "control", mismatched pairs of the originals,
        by each fit. ``score_original`` and ``score_altered``, ``delta`` (their difference) with its paired 95 % cluster
        bootstrap ``low``, ``high`` and ``p``, ``q`` (Benjamini and Hochberg over the alterations of one fit, direction
        and target), ``floor`` (mismatched pairs of the same altered rows by the same fit: under refit fitted on them,
        under transfer put through the map of the originals), ``floor_original`` (those of the originals by that fit),
        ``retained`` ((altered - floor) / (original - floor_original), null where the originals are not above their
        floor) with ``retained_low`` and ``retained_high``, ``variants`` averaged, ``n`` rows, ``groups`` of them,
        ``left_out`` rows of the originals that lack the alteration, ``cell_rule``. With ``scope`` "map" a row for each
        alteration, fit, direction and pair of layers, on all rows that have the alteration, and as a control for
        mismatched pairs of all originals, without intervals.

        ``target`` says what is predicted, "original" or "altered" vectors; null of a metric that predicts nothing. An
        altered target that a map is fitted to again is another task, easier or harder, and what it "retains" is not
        what an altered source does: with the objects gone, what is left may be the easier to predict. A group or a
        family of q never mixes the two.

    Raises
    ------
    NotFoundError
        There is no such space, variant, layer, metric, fit, choice of captions or data set.
    InputError
        No row has a variant that was named, or there are too few for the folds.
    """
    progress = progress or Silent()
    chosen = choose_metric(metric)
    check_choice("choice of captions", captions, get_args(Captions))
    asked = fits(chosen, fit)
    sides = db.space(vision), db.space(language)
    check_sides(*sides)
    named = given(sides, vision_layer, language_layer)
    wanted = alterations(db, sides, variants, altered)
    skipped = progress.say if variants is None else None
    base, sets = row_sets(db, sides, wanted, captions, datasets, skipped)
    if not sets:
        raise InputError(f"no row has any of the variants {', '.join(one.name for one in wanted)}")
    wanted = [one for rows in sets for one in rows.alterations]
    check_folds(base.groups, folds, chosen.metric.rows_a_fold)
    parameters = {
        "vision": vision,
        "language": language,
        "variants": None if variants is None else list(variants),
        "altered": altered,
        "fit": fit,
        "metric": chosen.name,
        "vision_layer": vision_layer,
        "language_layer": language_layer,
        "maps": maps,
        "captions": captions,
        "datasets": list(datasets),
        "folds": folds,
        "seed": seed,
    }
    digests = "-".join([base.digest, *(rows.matched.digest for rows in sets)])
    told = {**parameters, "definitions": definitions(db, wanted), "version": VERSION}
    mark = keep.question(NAME, told, sides, digests)
    if not force:
        before = keep.answered(db, NAME, mark, progress)
        if before is not None:
            return before
    heard = _Heard(progress)
    entered = {**parameters, keep.QUESTION: mark, keep.NOTICES: heard.told}
    with keep.run(db, NAME, command, entered, seed, kept=kept) as book:
        question = Question(
            chosen, asked, maps, captions, datasets, folds, seed, device, variants is None, heard
        )
        frame = answer(db, sides, base, sets, named, question)
        pictures = {"deltas": delta_bars} | ({"maps": delta_heatmaps} if maps else {})
        book.keep(frame, pictures)
    return frame


class _Heard:
    """A progress that remembers what was said."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.told: list[str] = []

    def say(self, message: str) -> None:
        self.told.append(message)
        self._progress.say(message)

    def task(self, title: str, total: int | None, done: int = 0) -> Task:
        return self._progress.task(title, total, done)
