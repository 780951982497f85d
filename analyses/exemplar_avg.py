"""Exemplar averaging: alignment of centroids of k exemplars, beside centroids of what does not belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import polars as pl

from analyses import keep
from analyses.exemplar_cell import Question, choose
from analyses.exemplar_curves import CONTROLS, curves
from analyses.exemplars import Averaged, Grouping, enough, gather, usual_ks
from analyses.matching import check_choice, check_sides
from analyses.metrics import choose_metric
from analyses.metrics.folds import check_folds
from analyses.pictures import curve
from vdb.errors import InputError
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    metric: str = "linear-predictivity",
    vision_layer: int | str | None = None,
    language_layer: int | str | None = None,
    datasets: Sequence[str] = (),
    controls: Sequence[str] = CONTROLS,
    folds: int = 5,
    seed: int = 0,
    device: str = "cpu",
    kept: bool = True,
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
        Draws of exemplars without replacement; a draw of k begins with its draw of fewer.
    metric : str
        As :func:`analyses.metrics.choose_metric` reads it.
    vision_layer, language_layer : int or str, optional
        The cell that is scored. Without them it is the best one of single exemplars (mean over directions) on half
        of the groups, and the curve is that of the other half; with fewer than 100 groups it is the last layers.
    datasets : sequence of str
        Only items of these data sets; all by default.
    controls : sequence of {"mismatched", "diluted"}
        ``mismatched`` averages exemplars of other groups; ``diluted`` one exemplar of the group with k - 1 of others.
    folds, seed, device, kept, command, progress
        As in :func:`analyses.alignment.alignment`.

    Returns
    -------
    pl.DataFrame
        A row for each (control, direction, k): ``vision``, ``language``, ``control``, ``average``, ``group``,
        ``metric``, ``direction``, the layers' indices and names, ``cell_rule``, ``k``, ``score`` (mean over draws),
        ``low`` and ``high`` (95 % cluster bootstrap over groups), ``n`` groups scored, ``left_out`` groups with too
        few exemplars, ``draws``, ``folds``, ``seed``, both fingerprints.

    Raises
    ------
    NotFoundError
        There is no such space, layer, metric, control or data set.
    InputError
        No group has enough exemplars, or there are too few groups for the folds.
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
    question = Question(chosen, average, ks, draws, folds, seed, device)
    parameters = {
        "vision": vision,
        "language": language,
        "average": average,
        "group": group,
        "k": list(ks),
        "draws": draws,
        "metric": chosen.name,
        "vision_layer": vision_layer,
        "language_layer": language_layer,
        "datasets": list(datasets),
        "controls": list(controls),
        "folds": folds,
        "seed": seed,
    }
    with keep.run(db, NAME, command, parameters, seed, kept=kept) as book:
        groups = enough(every, ks[-1], group, average)
        cell, scored = choose(sides, groups, question, vision_layer, language_layer)
        if chosen.metric.directional:  # it fits, fold by fold
            check_folds([one.fold_group for one in scored], folds, chosen.metric.rows_a_fold)
        rows = curves(sides, scored, cell, question, controls, progress)
        frame = pl.DataFrame(rows).select(
            pl.lit(vision).alias("vision"),
            pl.lit(language).alias("language"),
            "control",
            pl.lit(average).alias("average"),
            pl.lit(group).alias("group"),
            pl.lit(chosen.name).alias("metric"),
            "direction",
            pl.lit(cell.vision).alias("vision_layer"),
            pl.lit(cell.language).alias("language_layer"),
            pl.lit(sides[0].layers[cell.vision].name).alias("vision_layer_name"),
            pl.lit(sides[1].layers[cell.language].name).alias("language_layer_name"),
            pl.lit(cell.rule).alias("cell_rule"),
            "k",
            "score",
            "low",
            "high",
            pl.lit(len(scored)).alias("n"),
            pl.lit(len(every) - len(groups)).alias("left_out"),
            pl.lit(draws).alias("draws"),
            pl.lit(folds).alias("folds"),
            pl.lit(seed).alias("seed"),
            pl.lit(sides[0].recipe.fingerprint).alias("vision_fingerprint"),
            pl.lit(sides[1].recipe.fingerprint).alias("language_fingerprint"),
        )
        book.keep(frame, {"curve": curve})
    return frame
