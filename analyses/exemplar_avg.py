"""Exemplar averaging: alignment of centroids of k exemplars, beside centroids of what does not belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch

from analyses import keep
from analyses.exemplars import Averaged, Group, Grouping, draw, enough, from_other_groups, gather
from analyses.matching import check_sides
from analyses.metrics import METRICS
from analyses.metrics.cells import score_cell
from analyses.pictures import curve
from vdb.errors import InputError, NotFoundError
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from analyses.metrics import Metric
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space

NAME = "exemplar-avg"

MISMATCHED = "mismatched"
DILUTED = "diluted"
CONTROLS = (MISMATCHED, DILUTED)

_ENOUGH_TO_CHOOSE = 100
"""Groups from which on half of them are spent on choosing the layers."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The layers that are scored, and the rule that chose them."""

    vision: int
    language: int
    rule: str


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked, fixed over draws, k and controls."""

    metric: Metric
    averaged: Averaged
    ks: tuple[int, ...]
    draws: int
    folds: int
    seed: int
    device: str


def exemplar_avg(
    db: Database,
    vision: str,
    language: str,
    *,
    average: Averaged = "captions",
    group: Grouping = "image",
    k: Sequence[int] = (1, 2, 4, 8),
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
    k : sequence of int
        Exemplars averaged. Groups that have fewer than the largest are left out for every k, so that one curve
        speaks of the same groups.
    draws : int
        Draws of exemplars without replacement; a draw of k begins with its draw of fewer.
    metric : str
        A key of :data:`analyses.metrics.METRICS`.
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
        There is no such space, layer, metric or control.
    InputError
        No group has enough exemplars, or there are too few groups for the folds.
    """
    progress = progress or Silent()
    if metric not in METRICS:
        raise NotFoundError.named("metric", metric, METRICS)
    for control in controls:
        if control not in CONTROLS:
            raise NotFoundError.named("control", control, CONTROLS)
    ks = tuple(sorted(set(k)))
    if not ks or ks[0] < 1 or draws < 1:
        raise InputError("--k wants numbers of exemplars from 1 on, and --draws at least 1")
    sides = db.space(vision), db.space(language)
    check_sides(*sides)
    question = _Question(METRICS[metric], average, ks, draws, folds, seed, device)
    parameters = {
        "vision": vision,
        "language": language,
        "average": average,
        "group": group,
        "k": list(ks),
        "draws": draws,
        "metric": metric,
        "vision_layer": vision_layer,
        "language_layer": language_layer,
        "datasets": list(datasets),
        "controls": list(controls),
        "folds": folds,
        "seed": seed,
    }
    with keep.run(db, NAME, command, parameters, seed, kept=kept) as book:
        every = gather(db, *sides, group, datasets)
        groups = enough(every, ks[-1], group, average)
        cell, scored = _choose(sides, groups, question, vision_layer, language_layer)
        rows = _curves(sides, scored, cell, question, controls, progress)
        frame = pl.DataFrame(rows).select(
            pl.lit(vision).alias("vision"),
            pl.lit(language).alias("language"),
            "control",
            pl.lit(average).alias("average"),
            pl.lit(group).alias("group"),
            pl.lit(metric).alias("metric"),
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


def _choose(
    sides: tuple[Space, Space],
    groups: list[Group],
    question: _Question,
    vision_layer: int | str | None,
    language_layer: int | str | None,
) -> tuple[Cell, list[Group]]:
    """Fix the cell, and the groups that were not spent on choosing it."""
    vision, language = sides
    if vision_layer is not None and language_layer is not None:
        chosen = vision.layer_index(vision_layer), language.layer_index(language_layer)
        return Cell(*chosen, "given"), groups
    if vision_layer is not None or language_layer is not None:
        raise InputError("name both --vision-layer and --language-layer, or neither")
    last = len(vision.layers) - 1, len(language.layers) - 1
    if len(groups) < _ENOUGH_TO_CHOOSE:
        return Cell(
            *last, f"last layers: {len(groups)} groups are too few to choose on half of them"
        ), groups
    generator = np.random.default_rng([question.seed, 1])
    halves = {group.fold_group for group in groups}
    first = set(generator.permutation(sorted(halves))[: len(halves) // 2])
    choosing = [group for group in groups if group.fold_group in first]
    scored = [group for group in groups if group.fold_group not in first]
    images, captions = draw(choosing, 1, question.averaged, generator)
    maps = question.metric.compute(
        _layers(vision, images, question.device),
        _layers(language, captions, question.device),
        groups=[group.fold_group for group in choosing],
        folds=question.folds,
        seed=question.seed,
    )
    mean = np.mean([one.scores for one in maps.values()], axis=0)
    best = np.unravel_index(int(mean.argmax()), mean.shape)
    rule = f"best of single exemplars on {len(choosing)} other groups"
    return Cell(int(best[0]), int(best[1]), rule), scored


def _layers(space: Space, ids: NDArray[np.object_], device: str) -> list[torch.Tensor]:
    _, layers = space.matrices(ids=ids[:, 0].tolist())
    return [torch.from_numpy(layer.astype(np.float32)).to(device) for layer in layers]


class _Vectors:
    """The vectors of one layer of every exemplar, read once, averaged by id."""

    def __init__(self, space: Space, layer: int, ids: set[str], device: str) -> None:
        known, values = space.matrix(layer, ids=sorted(ids))
        self._row = {one: i for i, one in enumerate(known)}
        self._values = torch.from_numpy(values.astype(np.float32)).to(device)

    def mean(self, ids: NDArray[np.object_]) -> torch.Tensor:
        """Average each row's ids: (G, k) -> (G, width)."""
        rows = [[self._row[one] for one in row] for row in ids]
        return self._values[torch.tensor(rows)].mean(dim=1)


def _curves(
    sides: tuple[Space, Space],
    groups: list[Group],
    cell: Cell,
    question: _Question,
    controls: Sequence[str],
    progress: Progress,
) -> Iterator[dict[str, object]]:
    image_ids = {one for group in groups for one in group.images}
    caption_ids = {one for group in groups for many in group.captions for one in many}
    vision = _Vectors(sides[0], cell.vision, image_ids, question.device)
    language = _Vectors(sides[1], cell.language, caption_ids, question.device)
    fold_groups = [group.fold_group for group in groups]
    drawn = {control: list(_draws(groups, question, control)) for control in ("none", *controls)}
    title = f"{sides[0].name} x {sides[1].name}, {NAME}"
    rows = []
    with progress.task(title, len(drawn) * len(question.ks)) as task:
        for control, draws in drawn.items():
            for k in question.ks:
                pairs = [
                    (vision.mean(images[:, :k]), language.mean(captions[:, :k]))
                    for images, captions in draws
                ]
                cells = score_cell(
                    question.metric.name,
                    pairs,
                    fold_groups,
                    folds=question.folds,
                    seed=question.seed,
                )
                for direction, interval in cells.items():
                    rows.append(
                        {
                            "control": control,
                            "direction": direction,
                            "k": k,
                            "score": interval.estimate,
                            "low": interval.low,
                            "high": interval.high,
                        }
                    )
                task.advance(done=1)
    return iter(rows)


def _draws(
    groups: list[Group], question: _Question, control: str
) -> Iterator[tuple[NDArray[np.object_], NDArray[np.object_]]]:
    """Draw exemplars; the same ones for every control, before it puts others in their place."""
    first = {MISMATCHED: 0, DILUTED: 1}.get(control)
    for number in range(question.draws):
        generator = np.random.default_rng([question.seed, 2, number])
        images, captions = draw(groups, question.ks[-1], question.averaged, generator)
        if first is not None and question.averaged != "captions":
            images = from_other_groups(images, generator, first)
        if first is not None and question.averaged != "images":
            captions = from_other_groups(captions, generator, first)
        yield images, captions
