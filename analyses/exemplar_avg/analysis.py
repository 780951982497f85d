"""Exemplar averaging: alignment of centroids of k exemplars, beside centroids of what does not belong together."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, get_args

import polars as pl

from analyses import keep
from analyses.exemplar_avg import centroids
from analyses.exemplar_avg.cell import Question, choose
from analyses.exemplar_avg.curves import CONTROLS, curves
from analyses.exemplar_avg.exemplars import Averaged, Grouping, enough, gather, usual_ks
from analyses.matching import check_choice, check_sides
from analyses.metrics import choose_metric
from analyses.metrics.folds import check_folds
from analyses.pictures import curve
from vdb.errors import InputError
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyses.exemplar_avg.exemplars import Group
    from vdb.database import Database
    from vdb.progress import Progress

__all__ = ["CONTROLS", "NAME", "exemplar_avg"]

NAME = "exemplar-avg"


def exemplar_avg(
    db: Database,
    vision: str,
    language: str,
    *,
    average: Averaged = "captions",
    group: Grouping = "image",
    k: Sequence[int] | None = None,
    draws: int = 10,
    replacement: bool = False,
    metric: str = "linear-predictivity",
    vision_layer: int | str | None = None,
    language_layer: int | str | None = None,
    datasets: Sequence[str] = (),
    controls: Sequence[str] = CONTROLS,
    folds: int = 5,
    seed: int = 0,
    device: str = "cpu",
    save: str | None = None,
    kept: bool = True,
    force: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Score centroids of k exemplars, for each k.

    Parameters
    ----------
    db : Database
    vision, language : str
        Names of spaces.
    average : {"captions", "images", "both"}
        The side whose exemplars are averaged; the other side keeps one.
    group : {"image", "caption", "concept"}
        What shares a centroid.
    k : sequence of int, optional
        Exemplars averaged; by default the powers of two up to what at least half of the groups have. Groups that
        have fewer than the largest are left out for every k, so that one curve speaks of the same groups.
    draws : int
        Draws of exemplars; a draw of k begins with its draw of fewer.
    replacement : bool
        Whether an exemplar may be drawn twice for one centroid. No group is then left out for having few, and k counts
        draws, not exemplars: ``effective_k`` says how many a centroid is worth.
    metric : str
        As :func:`analyses.metrics.choose_metric` reads it.
    vision_layer, language_layer : int or str, optional
        The cell that is scored. Without them it is the best one of single exemplars (mean over directions) on half
        of the groups, and the curve is that of the other half; with fewer than 100 groups it is the last layers.
    datasets : sequence of str
        Only items of these data sets; all by default.
    controls : sequence of {"mismatched", "diluted"}
        ``mismatched`` averages exemplars of other groups; ``diluted`` one exemplar of the group with k - 1 of others.
    save : str, optional
        Also store the centroids of all exemplars of every group, at every layer, as a space of this name: see
        :func:`analyses.exemplar_avg.centroids.plan`.
    force : bool
        Compute again what was answered before.
    folds, seed, device, kept, command, progress
        As in :func:`analyses.alignment.alignment`.

    Returns
    -------
    pl.DataFrame
        A row for each (control, direction, k): ``vision``, ``language``, ``control``, ``average``, ``group``,
        ``metric``, ``direction``, the layers' indices and names, ``cell_rule``, ``k``, ``score`` (mean over draws),
        ``low`` and ``high`` (95 % over groups), what the exemplars' own noise says of the uncontrolled curve (null for
        controls), ``n`` groups scored, ``left_out`` groups with too few exemplars, ``draws``, ``replacement``,
        ``folds``, ``seed``, both fingerprints. Of the noise: ``predicted`` by plain noise averaging from the first
        point on, ``above`` what the score is above that, ``above_low``, ``above_high`` and two-sided ``above_p``
        (paired: :func:`analyses.exemplar_avg.fit.predicted`), ``reliability`` of the averaged centroids by variance
        components and ``split_half`` as measured, ``effective_k``, and ``fit``: which of the two, ``noise averaging``
        for r, or for other metrics a saturating curve in ``predicted``, with nothing above.

    Raises
    ------
    NotFoundError
        There is no such space, layer, metric, control or data set.
    InputError
        No group has enough exemplars, or there are too few groups for the folds or the interval.
    RecipeMismatchError
        The space to save to holds something else.
    """
    progress = progress or Silent()
    chosen = choose_metric(metric)
    check_choice("side to average", average, get_args(Averaged))
    check_choice("group", group, get_args(Grouping))
    for control in controls:
        check_choice("control", control, CONTROLS)
    if draws < 1 or (k is not None and (not k or min(k) < 1)):
        raise InputError("--k wants numbers of exemplars from 1 on, and --draws at least 1")
    sides = db.space(vision), db.space(language)
    check_sides(*sides)
    every = gather(db, *sides, group, datasets)
    ks = usual_ks(every, group, average) if k is None else tuple(sorted(set(k)))
    groups = enough(every, 1 if replacement else ks[-1], group, average)
    question = Question(chosen, average, ks, draws, folds, seed, device, replacement)
    to_save = [] if save is None else centroids.plan(save, sides, every, group, average)
    centroids.check(db, to_save)
    parameters = {
        "vision": vision,
        "language": language,
        "average": average,
        "group": group,
        "k": list(ks),
        "draws": draws,
        "replacement": replacement,
        "metric": chosen.name,
        "vision_layer": vision_layer,
        "language_layer": language_layer,
        "datasets": list(datasets),
        "controls": list(controls),
        "folds": folds,
        "seed": seed,
    }
    mark = keep.question(NAME, parameters, sides, _digest(every))
    frame = None if force else keep.answered(db, NAME, mark, progress)
    if frame is not None:
        frame = _in_order(frame, controls)
    else:
        entered = {**parameters, keep.QUESTION: mark}
        with keep.run(db, NAME, command, entered, seed, kept=kept) as book:
            cell, scored = choose(sides, groups, question, vision_layer, language_layer)
            if chosen.metric.directional:  # it fits, fold by fold
                check_folds([one.fold_group for one in scored], folds, chosen.metric.rows_a_fold)
            rows = curves(sides, scored, cell, question, controls, progress)
            frame = _in_order(
                pl.DataFrame(rows, _SCORED, orient="row").with_columns(
                    vision=pl.lit(vision),
                    language=pl.lit(language),
                    average=pl.lit(average),
                    group=pl.lit(group),
                    metric=pl.lit(chosen.name),
                    vision_layer=pl.lit(cell.vision, pl.Int64),
                    language_layer=pl.lit(cell.language, pl.Int64),
                    vision_layer_name=pl.lit(sides[0].layers[cell.vision].name),
                    language_layer_name=pl.lit(sides[1].layers[cell.language].name),
                    cell_rule=pl.lit(cell.rule),
                    n=pl.lit(len(scored), pl.Int64),
                    left_out=pl.lit(len(every) - len(groups), pl.Int64),
                    draws=pl.lit(draws, pl.Int64),
                    replacement=pl.lit(replacement),
                    folds=pl.lit(folds, pl.Int64),
                    seed=pl.lit(seed, pl.Int64),
                    vision_fingerprint=pl.lit(sides[0].recipe.fingerprint),
                    language_fingerprint=pl.lit(sides[1].recipe.fingerprint),
                ),
                controls,
            )
            book.keep(frame, {"curve": curve})
    for one in to_save:
        centroids.save(db, one, progress)
    return frame


_SCORED = {
    "control": pl.String,
    "direction": pl.String,
    "k": pl.Int64,
    **dict.fromkeys(("score", "low", "high", "predicted"), pl.Float64),
    **dict.fromkeys(("above", "above_low", "above_high", "above_p"), pl.Float64),
    **dict.fromkeys(("reliability", "split_half", "effective_k"), pl.Float64),
    "fit": pl.String,
}
"""What :func:`analyses.exemplar_avg.curves.curves` tells."""

_COLUMNS = [
    *("vision", "language", "control", "average", "group", "metric", "direction"),
    *("vision_layer", "language_layer", "vision_layer_name", "language_layer_name", "cell_rule"),
    *list(_SCORED)[2:],
    *("n", "left_out", "draws", "replacement", "folds", "seed"),
    *("vision_fingerprint", "language_fingerprint"),
]


def _in_order(frame: pl.DataFrame, controls: Sequence[str]) -> pl.DataFrame:
    """Return the columns and rows in one order, whatever the store gave: the finding first, then its controls."""
    ranks = {control: i for i, control in enumerate(("none", *controls))}
    rank = pl.col("control").replace_strict(ranks, return_dtype=pl.Int64)
    # "vision->language" before "language->vision"
    return frame.select(_COLUMNS).sort(
        rank, pl.col("direction"), pl.col("k"), descending=[False, True, False]
    )


def _digest(groups: Sequence[Group]) -> str:
    """Return sixteen hexadecimal digits that change with any exemplar."""
    return hashlib.sha256(json.dumps([asdict(one) for one in groups]).encode()).hexdigest()[:16]
