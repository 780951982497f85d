"""Single cells of a map under many conditions, each over several draws of the items, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyses.metrics.folds import assign_folds
from analyses.metrics.linear_predictivity import predict_held_out
from analyses.metrics.mutual_knn import mutual_knn
from analyses.metrics.statistics import Interval, bootstrap_intervals, bootstrap_items

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.metric import ChosenMetric, Direction

    Draw = tuple[Tensor, Tensor]

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
    conditions : iterable of sequences of ((n, V) tensor, (n, L) tensor)
        The two layers over the same n items, in each draw; the score is the mean over draws. Taken as memory allows.
    groups : (n,) sequence of str
        Never parted by folds; the bootstrap draws whole ones.
    folds, seed : int

    Yields
    ------
    dict of direction to Interval
        Of each condition in turn: 95 % cluster bootstrap.
    """
    for chunk in _chunks(conditions):
        yield from _SCORED[metric.metric.name](chunk, groups, folds, seed)


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
    conditions: Sequence[Sequence[Draw]], groups: Sequence[str], folds: int, seed: int
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
        return bootstrap_intervals(drawn, assigned, groups, seed=seed)

    vision, language = [v for v, _ in distinct.values()], [t for _, t in distinct.values()]
    there, back = one(vision, language), one(language, vision)
    return [
        {"vision->language": a, "language->vision": b} for a, b in zip(there, back, strict=True)
    ]


def _mutual_knn(
    conditions: Sequence[Sequence[Draw]],
    groups: Sequence[str],
    folds: int,  # noqa: ARG001 - nothing is fitted
    seed: int,
) -> list[dict[Direction, Interval]]:
    partners: dict[int, dict[int, Draw]] = {}
    for draws in conditions:
        for v, t in draws:
            partners.setdefault(id(v), {})[id(t)] = v, t
    overlaps: dict[tuple[int, int], NDArray[np.float32]] = {}
    for vision, cells in partners.items():
        [v, *_], texts = zip(*cells.values(), strict=True)
        found = mutual_knn([v], list(texts), groups=groups, items=True).item_scores
        assert found is not None  # noqa: S101 - asked for, one line above
        overlaps |= {(vision, text): found[0, j] for j, text in enumerate(cells)}
    return [
        {
            "symmetric": bootstrap_items(
                np.stack([overlaps[id(v), id(t)] for v, t in draws]), groups, seed=seed
            )
        }
        for draws in conditions
    ]


_SCORED = {"linear-predictivity": _linear_predictivity, "mutual-knn": _mutual_knn}
