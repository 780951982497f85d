"""One cell of a map, over several draws of its items, with an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyses.metrics.folds import assign_folds
from analyses.metrics.linear_predictivity import predict_held_out
from analyses.metrics.mutual_knn import mutual_knn
from analyses.metrics.statistics import Interval, bootstrap_interval, bootstrap_items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.metric import Direction


def score_cell(
    metric: str,
    draws: Sequence[tuple[Tensor, Tensor]],
    groups: Sequence[str],
    *,
    folds: int,
    seed: int,
) -> dict[Direction, Interval]:
    """Score one vision layer against one language layer.

    Parameters
    ----------
    metric : str
        A key of :data:`analyses.metrics.METRICS`.
    draws : sequence of ((n, V) tensor, (n, L) tensor)
        The two layers over the same n items, in each draw; the score is the mean over draws.
    groups : (n,) sequence of str
        Never parted by folds; the bootstrap draws whole ones.
    folds, seed : int

    Returns
    -------
    dict of direction to Interval
        95 % cluster bootstrap.
    """
    return _CELLS[metric](draws, groups, folds, seed)


def _linear_predictivity(
    draws: Sequence[tuple[Tensor, Tensor]], groups: Sequence[str], folds: int, seed: int
) -> dict[Direction, Interval]:
    assigned = assign_folds(groups, folds, seed)

    def one(sources: list[Tensor], targets: list[Tensor]) -> Interval:
        predicted = [cell.predicted for cell in predict_held_out(sources, targets, assigned)]
        return bootstrap_interval(predicted, targets, assigned, groups, seed=seed)

    vision, language = [v for v, _ in draws], [t for _, t in draws]
    return {"vision->language": one(vision, language), "language->vision": one(language, vision)}


def _mutual_knn(
    draws: Sequence[tuple[Tensor, Tensor]],
    groups: Sequence[str],
    folds: int,  # noqa: ARG001 - nothing is fitted
    seed: int,
) -> dict[Direction, Interval]:
    overlaps = [_overlaps(v, t, groups) for v, t in draws]
    return {"symmetric": bootstrap_items(np.stack(overlaps), groups, seed=seed)}


def _overlaps(v: Tensor, t: Tensor, groups: Sequence[str]) -> NDArray[np.float32]:
    found = mutual_knn([v], [t], groups=groups, items=True).item_scores
    assert found is not None  # noqa: S101 - asked for, one line above
    overlaps: NDArray[np.float32] = found[0, 0]
    return overlaps


_CELLS = {"linear-predictivity": _linear_predictivity, "mutual-knn": _mutual_knn}
