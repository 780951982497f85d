"""Single cells of a map under many conditions, each over several draws of the items, with intervals.

What a metric is made of decides its interval. Held-out predictions can be drawn again as they are: a cluster bootstrap.
Anything else, a score of neighbours, of Gram matrices or of distances, is scored anew on halves of the groups: a
jackknife. (The overlaps of mutual k-NN look like a mean over items, but all items share one graph of neighbours: drawn
again as if they were independent, intervals called 95 % hold the truth in four of five worlds of 100 items.) Either way
all conditions share their resamples, so that any two may be compared by
:func:`analyses.metrics.inference.paired.paired`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.metrics.folds import assign_folds
from analyses.metrics.inference.bootstrap import (
    Interval,
    bootstrap_intervals,
    resample_weights,
)
from analyses.metrics.inference.jackknife import draw_halves, jackknife_interval
from analyses.metrics.ridge.linear_predictivity import predict_held_out
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.metric import ChosenMetric, Direction

    Draw = tuple[Tensor, Tensor]
    _Scorer = Callable[
        [ChosenMetric, Sequence[Sequence[Draw]], Sequence[str], int, int],
        list[dict[Direction, Interval]],
    ]

_RESAMPLES = 1000
"""Of the bootstrap."""

_CHUNK_BYTES = 2**30
"""Memory for the Gram matrices and predictions of the conditions that are scored together."""


def score_cells(
    metric: ChosenMetric,
    conditions: Iterable[Sequence[Draw]],
    groups: Sequence[str],
    *,
    folds: int,
    seed: int,
) -> Iterator[dict[Direction, Interval]]:
    """Score one vision layer against one language layer, under one condition after another.

    What two conditions share is computed once where they hold the very same tensor: a source's factorisation, a
    target's Gram matrix, a whole draw.

    Parameters
    ----------
    metric : ChosenMetric
        Any. Linear predictivity with its settings as they are by default is drawn again from its held-out
        predictions; all others are scored on halves.
    conditions : iterable of sequences of ((n, V) tensor, (n, L) tensor)
        The two layers over the same n items, in each draw; the score is the mean over draws. Taken as memory allows.
    groups : (n,) sequence of str
        Never parted by folds; whole ones are drawn.
    folds, seed : int
        The same groups, folds and seed give the same resamples.

    Yields
    ------
    dict of direction to Interval
        Of each condition in turn: 95 %, over groups.
    """
    scored = _scorer(metric)
    for chunk in _chunks(conditions):
        yield from scored(metric, chunk, groups, folds, seed)


def bootstrap_weights(
    metric: ChosenMetric, groups: Sequence[str], folds: int, seed: int
) -> NDArray[np.float32] | None:
    """Return how often each row is drawn in each resample of linear predictivity by :func:`score_cells`: (B, n).

    For what is to be paired with its intervals. None for a metric whose resamples are others.
    """
    if _scorer(metric) is not _linear_predictivity:
        return None
    return resample_weights(groups, _RESAMPLES, seed, assign_folds(groups, folds, seed))


def _chunks(conditions: Iterable[Sequence[Draw]]) -> Iterator[list[Sequence[Draw]]]:
    """Gather conditions as long as what is made of them fits."""
    chunk: list[Sequence[Draw]] = []
    size = 0
    for draws in conditions:
        chunk.append(draws)
        for v, t in draws:
            size += len(v) * (12 * len(v) + 24 * (v.shape[1] + t.shape[1]))
        if size > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _linear_predictivity(
    metric: ChosenMetric,  # noqa: ARG001 - with its settings as they are by default
    conditions: Sequence[Sequence[Draw]],
    groups: Sequence[str],
    folds: int,
    seed: int,
) -> list[dict[Direction, Interval]]:
    assigned = assign_folds(groups, folds, seed)
    distinct = {(id(v), id(t)): (v, t) for draws in conditions for v, t in draws}

    def one(sources: list[Tensor], targets: list[Tensor]) -> list[Interval]:
        predictions = predict_held_out(sources, targets, assigned)
        cells = {
            key: (cell.predicted, target)
            for key, cell, target in zip(distinct, predictions, targets, strict=True)
        }
        drawn = [[cells[id(v), id(t)] for v, t in draws] for draws in conditions]
        return bootstrap_intervals(drawn, assigned, groups, resamples=_RESAMPLES, seed=seed)

    vision, language = [v for v, _ in distinct.values()], [t for _, t in distinct.values()]
    there, back = one(vision, language), one(language, vision)
    return [
        {"vision->language": a, "language->vision": b} for a, b in zip(there, back, strict=True)
    ]


def _jackknife(
    metric: ChosenMetric,
    conditions: Sequence[Sequence[Draw]],
    groups: Sequence[str],
    folds: int,
    seed: int,
) -> list[dict[Direction, Interval]]:
    blocks = _blocks(conditions)
    every = np.arange(len(groups))
    scores = _scores_on(every, metric, blocks, groups, folds, seed)
    names = len(set(groups))
    try:
        on_halves = [
            _scores_on(rows, metric, blocks, groups, folds, seed)
            for rows in draw_halves(groups, seed=seed)
        ]
    except InputError as error:
        raise InputError(
            f"the interval of {metric.name} scores halves of the {names} groups, and one cannot be scored: {error}"
        ) from error
    intervals: list[dict[Direction, Interval]] = []
    for draws in conditions:
        found: dict[Direction, Interval] = {}
        for direction in metric.metric.directions:
            cells = [(id(v), id(t), direction) for v, t in draws]
            estimate = float(np.mean([scores[cell] for cell in cells]))
            halves = np.array([np.mean([half[cell] for cell in cells]) for half in on_halves])
            found[direction] = jackknife_interval(estimate, halves, names)
        intervals.append(found)
    return intervals


def _blocks(conditions: Sequence[Sequence[Draw]]) -> list[tuple[list[Tensor], list[Tensor]]]:
    """Gather the distinct cells into maps of one layer against many, of whichever side has fewer layers."""
    cells = {(id(v), id(t)): (v, t) for draws in conditions for v, t in draws}.values()
    by_vision = len({id(v) for v, _ in cells}) <= len({id(t) for _, t in cells})
    partners: dict[int, list[Draw]] = {}
    for v, t in cells:
        partners.setdefault(id(v if by_vision else t), []).append((v, t))
    if by_vision:
        return [([draws[0][0]], [t for _, t in draws]) for draws in partners.values()]
    return [([v for v, _ in draws], [draws[0][1]]) for draws in partners.values()]


def _scores_on(
    rows: NDArray[np.int64],
    metric: ChosenMetric,
    blocks: Sequence[tuple[list[Tensor], list[Tensor]]],
    groups: Sequence[str],
    folds: int,
    seed: int,
) -> dict[tuple[int, int, Direction], float]:
    """Score every cell on some of the rows."""
    own = [groups[i] for i in rows]
    found: dict[tuple[int, int, Direction], float] = {}
    for vision, language in blocks:
        maps = metric.compute(
            [_rows(layer, rows) for layer in vision],
            [_rows(layer, rows) for layer in language],
            groups=own,
            folds=folds,
            seed=seed,
        )
        for direction in metric.metric.directions:
            scores = maps[direction].scores
            for i, v in enumerate(vision):
                for j, t in enumerate(language):
                    found[id(v), id(t), direction] = float(scores[i, j])
    return found


def _rows(layer: Tensor, rows: NDArray[np.int64]) -> Tensor:
    return layer if len(rows) == len(layer) else layer[torch.from_numpy(rows).to(layer.device)]


def _scorer(metric: ChosenMetric) -> _Scorer:
    """Choose the bootstrap for linear predictivity as it is by default, which its shortcut alone knows."""
    defaults = {name: one.default for name, one in metric.metric.parameters.items()}
    plain = metric.metric.name == "linear-predictivity" and all(
        value == defaults[name] for name, value in metric.settings.items()
    )
    return _linear_predictivity if plain else _jackknife
