"""Alignment: the whole layer x layer map of a metric between a vision and a language space, beside its controls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, get_args

import polars as pl
import torch

from analyses import keep
from analyses.controls import CONTROLS
from analyses.matching import Captions, Matched, check_choice, match, mean_rows
from analyses.metrics import choose_metric
from analyses.metrics.folds import check_folds
from analyses.metrics.null import calibrate, group_permutations
from analyses.opposites import Opposite, opposite
from analyses.peaks import peaks, with_score
from analyses.pictures import heatmap, profile
from vdb.errors import InputError
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from analyses.metrics import ChosenMetric, MetricMap
    from analyses.metrics import Direction as MapDirection
    from analyses.metrics.null import Calibration
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.recipe import Layer
    from vdb.space import Space

__all__ = ["NAME", "alignment", "peaks"]

NAME = "alignment"
Direction = Literal["both", "vision->language", "language->vision"]

_TOGETHER_BYTES = 2**31
"""Memory for the Gram matrices of all language layers and their controls at once."""


def alignment(
    db: Database,
    vision: str | Sequence[str],
    language: str | Sequence[str],
    *,
    metric: str = "linear-predictivity",
    direction: Direction = "both",
    captions: Captions = "one",
    datasets: Sequence[str] = (),
    controls: Sequence[str] = CONTROLS,
    folds: int = 5,
    seed: int = 0,
    device: str = "cpu",
    permutations: int | None = None,
    kept: bool = True,
    force: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Score every vision layer against every language layer over the store's pairs.

    Parameters
    ----------
    db : Database
    vision, language : str or sequence of str
        Names of spaces; with several, every vision space is compared with every language space over the pairs that
        all of them have vectors of.
    metric : str
        As :func:`analyses.metrics.choose_metric` reads it.
    direction : {"both", "vision->language", "language->vision"}
        What predicts what, for a metric that has directions.
    captions : {"one", "mean", "all"}
        What stands for an image's captions: the first by id, the mean of their vectors, or a row for each (folds
        never part the captions of an image).
    datasets : sequence of str
        Only pairs of these data sets; all by default.
    controls : sequence of {"bag-of-words", "mismatched"}
        ``bag-of-words`` puts the captions' words in the place of the language space, as counts (language layer 0) and
        as the main components of their tf-idf (layer 1), and its best cell is chosen of both; ``mismatched`` gives
        every image another image's captions.
    folds : int
        Of the cross-validation.
    seed : int
        Of the folds and the mismatch.
    device : str
        Torch device of the computation.
    permutations : int, optional
        Of the null of each map; by default as many as the metric says, 0 for none.
    kept : bool
        Whether the rows, the run and the pictures are kept in the store: a run for each pair of spaces. What is
        not kept is not looked up either.
    force : bool
        Compute again what was answered before.
    command : str
        Kept with the run: what does it again.
    progress : Progress, optional

    Returns
    -------
    pl.DataFrame
        A row for each (control, direction, vision layer, language layer): ``vision``, ``language``, ``control``,
        ``metric``, ``direction``, the layers' indices, names and relative depths, ``score`` (null where a target is
        the same for every item, as a class token's embedding is, so that r is not defined), ``fold_scores``,
        ``alphas``, ``on_edge`` (share of the folds whose alpha is an end of its grid), ``chance`` (the score of
        unrelated layers, where it is known), the null's ``null_mean``, ``null_high`` (its 95 % quantile),
        ``calibrated``, ``p``, ``p_max`` (corrected for all cells of the map), ``q`` (false discovery rate over the map)
        and ``permutations``, null without a null (:class:`analyses.metrics.null.Calibration`), ``n``,
        ``groups``, ``unmatched``, ``captions``, ``folds``, ``seed``,
        both fingerprints.

    Raises
    ------
    NotFoundError
        There is no such space, metric, direction, choice of captions, control or data set.
    InputError
        No pair has a vector in both spaces, or there are too few for the folds.
    """
    chosen = choose_metric(metric)
    check_choice("direction", direction, get_args(Direction))
    check_choice("choice of captions", captions, get_args(Captions))
    for control in controls:
        check_choice("control", control, CONTROLS)
    if direction != "both" and not chosen.metric.directional:
        raise InputError(f"{metric} has no direction: leave --direction out")
    visions, languages = _spaces(db, vision), _spaces(db, language)
    watch = progress or Silent()
    rows = match(db, visions, languages, captions, datasets)
    check_folds(rows.groups, folds, chosen.metric.rows_a_fold)
    directions = None if direction == "both" else (direction,)
    drawn = chosen.metric.permutations if permutations is None else permutations
    asked = _Question(chosen, directions, controls, folds, seed, device, watch, drawn)
    fixed = {
        "metric": chosen.name,
        "direction": direction,
        "captions": captions,
        "datasets": list(datasets),
        "controls": list(controls),
        "folds": folds,
        "seed": seed,
        "permutations": drawn,
    }
    frames = []
    for sides in product(visions, languages):
        parameters = {"vision": sides[0].name, "language": sides[1].name, **fixed}
        mark = keep.question(NAME, parameters, sides, rows.digest)
        found = keep.answered(db, NAME, mark, watch) if kept and not force else None
        if found is not None:
            frames.append(_as_computed(found))
            continue
        told = {**parameters, keep.QUESTION: mark}
        with keep.run(db, NAME, command, told, seed, kept=kept) as book:
            frame = _maps(db, sides, rows, asked).with_columns(captions=pl.lit(captions))
            book.keep(frame, {"map": heatmap, "profile": profile}, drawn=with_score(frame))
        frames.append(frame)
    return pl.concat(frames)


def _spaces(db: Database, names: str | Sequence[str]) -> list[Space]:
    """Find spaces by name, each once."""
    return [db.space(name) for name in dict.fromkeys([names] if isinstance(names, str) else names)]


def _as_computed(found: pl.DataFrame) -> pl.DataFrame:
    """Give what was kept the columns and the order of what is computed: a table knows no order."""
    controls = {name: i for i, name in enumerate(("none", *CONTROLS))}
    return (
        found.select(*_COLUMNS, "captions")
        .with_columns(
            place=pl.col("control").replace_strict(controls, return_dtype=pl.Int64),
            turn=pl.col("direction").replace_strict(
                {"vision->language": 0, "language->vision": 1, "symmetric": 0},
                return_dtype=pl.Int64,
            ),
        )
        .sort("place", "turn", "vision_layer", "language_layer")
        .drop("place", "turn")
    )


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked, fixed over controls."""

    metric: ChosenMetric
    directions: Sequence[MapDirection] | None
    controls: Sequence[str]
    folds: int
    seed: int
    device: str
    progress: Progress
    permutations: int


def _maps(
    db: Database, sides: tuple[Space, Space], rows: Matched, question: _Question
) -> pl.DataFrame:
    vision, language = sides
    opposites = opposite(db, language, rows, question.controls, question.seed, question.device)
    read = mean_rows(vision, [[one] for one in rows.image_ids])
    images = [torch.from_numpy(x).to(question.device) for x in read]
    frames = []
    for together in _passes(opposites, len(rows)):
        every = [layer for one in together for layer in one.values]
        maps = _compute(f"{vision.name} x {language.name}", images, every, rows.groups, question)
        first = 0
        for one in together:
            frames += [
                _tidy(
                    vision.layers,
                    one.layers,
                    direction,
                    cells,
                    first,
                    question.metric.metric.range[1],
                ).with_columns(
                    language=pl.lit(one.name),
                    control=pl.lit(one.control),
                    language_fingerprint=pl.lit(one.fingerprint),
                )
                for direction, cells in maps.items()
            ]
            first += len(one.layers)
    return (
        pl.concat(frames)
        .with_columns(
            vision=pl.lit(vision.name),
            metric=pl.lit(question.metric.name),
            n=pl.lit(len(rows)),
            groups=pl.lit(len(set(rows.groups))),
            unmatched=pl.lit(rows.unmatched),
            folds=pl.lit(question.folds),
            seed=pl.lit(question.seed),
            vision_fingerprint=pl.lit(vision.recipe.fingerprint),
        )
        .select(_COLUMNS)
    )


def _passes(opposites: list[Opposite], n: int) -> list[list[Opposite]]:
    """Take all in one pass, which factorises the vision layers once; one by one where memory would not hold that."""
    layers = sum(len(one.layers) for one in opposites)
    if 8 * n * n * layers <= _TOGETHER_BYTES:
        return [opposites]
    return [[one] for one in opposites]


def _compute(
    title: str,
    images: list[torch.Tensor],
    texts: list[torch.Tensor],
    groups: list[str],
    question: _Question,
) -> dict[str, MetricMap]:
    told = 0
    with question.progress.task(title, 100) as task:

        def report(done: int, total: int) -> None:
            nonlocal told
            now = 100 * done // total
            task.advance(now - told)
            told = now

        maps = question.metric.compute(
            images,
            texts,
            groups=groups,
            folds=question.folds,
            seed=question.seed,
            directions=question.directions,
            permutations=_permutations(groups, question),
            progress=report,
        )
        report(1, 1)
    for direction, cells in maps.items():
        for fact, count in cells.facts.items():
            if fact.startswith("dropped") and count:
                question.progress.say(f"{direction}: {count} {fact}")
    return maps


def _permutations(groups: list[str], question: _Question) -> NDArray[np.int64] | None:
    if not question.permutations:
        return None
    return group_permutations(groups, question.permutations, question.seed)


_COLUMNS = [
    *("vision", "language", "control", "metric", "direction"),
    *("vision_layer", "language_layer", "vision_layer_name", "language_layer_name"),
    *("vision_depth", "language_depth", "score", "fold_scores", "alphas", "on_edge", "chance"),
    *("null_mean", "null_high", "calibrated", "p", "p_max", "q", "permutations"),
    *("n", "groups", "unmatched", "folds", "seed", "vision_fingerprint", "language_fingerprint"),
]


def _tidy(
    vision: Sequence[Layer],
    language: Sequence[Layer],
    direction: str,
    cells: MetricMap,
    first: int,
    highest: float,
) -> pl.DataFrame:
    """Lay a map out as a row a cell: the columns of its language layers, from ``first`` on."""
    rows = []
    own = slice(first, first + len(language))
    # The largest score of a permuted map is taken over this map alone, not over those computed beside it.
    null = (
        None
        if cells.null is None
        else calibrate(cells.scores[:, own], cells.null[:, :, own], highest)
    )
    for i, a in enumerate(vision):
        for j, b in enumerate(language):
            at = i, first + j
            folds = None if cells.fold_scores is None else cells.fold_scores[at].tolist()
            alphas = None if cells.alphas is None else cells.alphas[at].tolist()
            score: float | None = float(cells.scores[at])
            if math.isnan(cells.scores[at]):
                score, folds = None, None
            edge = None if cells.on_edge is None else float(cells.on_edge[at].mean())
            where = direction, i, j, a.name, b.name, a.depth, b.depth
            rows.append((*where, score, folds, alphas, edge, cells.chance, *_beside(null, i, j)))
    return pl.DataFrame(rows, schema=_CELL, orient="row")


def _beside(null: Calibration | None, i: int, j: int) -> tuple[float | int | None, ...]:
    """Take what the null says of one cell; nothing where the cell has no score."""
    if null is None:
        return (None,) * 7
    six = (null.mean, null.high, null.calibrated, null.p, null.p_max, null.q)
    told = [float(one[i, j]) for one in six]
    return (*(None if math.isnan(one) else one for one in told), null.permutations)


_CELL: dict[str, Any] = {
    "direction": pl.String,
    "vision_layer": pl.Int64,
    "language_layer": pl.Int64,
    "vision_layer_name": pl.String,
    "language_layer_name": pl.String,
    "vision_depth": pl.Float64,
    "language_depth": pl.Float64,
    "score": pl.Float64,
    "fold_scores": pl.List(pl.Float64),
    "alphas": pl.List(pl.Float64),
    "on_edge": pl.Float64,
    "chance": pl.Float64,
    **dict.fromkeys(("null_mean", "null_high", "calibrated", "p", "p_max", "q"), pl.Float64),
    "permutations": pl.Int64,
}
