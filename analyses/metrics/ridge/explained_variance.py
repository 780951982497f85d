"""Cross-validated R2 of ridge regression, variance-weighted over units, from Gram matrices alone.

The residuals of the held-out rows are E Y, with E = [-(H + 1 1' / n), I] over training and held-out rows, so their sum
of squares over rows and units is <E'E, Y Y'>: E knows the source alone, Y Y' the target alone, and no product with the
targets' values is left to do. The sum of squares that it is compared with is that of a prediction by the mean of the
training rows, H = 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.metrics.ridge.linear_predictivity import (
    LinearPredictivity,
    inner_rows,
    sources_together,
    splits_of,
)
from analyses.metrics.ridge.packed import outer_packed, pack, size
from analyses.metrics.ridge.selection import TargetGrams, Weighed
from analyses.metrics.ridge.source import check_alphas, factorise_all, operator
from analyses.metrics.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.ridge.selection import Rule
    from analyses.metrics.ridge.source import Scale
    from analyses.metrics.ridge.targets import Target


def r2_map(
    sources: Sequence[Tensor],
    targets: Sequence[Target],
    folds: NDArray[np.int64],
    *,
    alphas: Sequence[float],
    scale: Scale,
    progress: Callable[[int, int], None] | None = None,
    select: Rule = "loo",
    groups: Sequence[object] | None = None,
    permutations: NDArray[np.int64] | None = None,
) -> LinearPredictivity:
    """Score a map; parameters are those of :func:`~analyses.metrics.ridge.linear_predictivity.score_map`.

    A fold's score is 1 - (squared held-out residuals) / (squared held-out deviations from the mean of the training
    rows), each summed over rows and units; NaN where no unit deviates.
    """
    grid = check_alphas(alphas)
    splits = list(splits_of(folds, sources[0].device))
    drawn = [np.arange(len(folds)), *(() if permutations is None else permutations)]
    orders = [torch.from_numpy(np.asarray(order)).to(sources[0].device) for order in drawn]
    shape = (len(orders), len(sources), len(targets), len(splits))
    scores, chosen = np.zeros(shape), np.zeros(shape)
    dropped = np.zeros((shape[1], shape[3]), dtype=np.int64)
    steps = Steps(progress, shape[0] * shape[1] * shape[3])
    together = sources_together(len(folds), len(grid))
    grams = [target.gram for target in targets]
    for k, (train, test) in enumerate(splits):
        inner = inner_rows(groups, train, len(folds)) if select == "inner" else []
        rows = torch.cat([train, test])
        nothing = _errors(torch.zeros(len(test), len(train), dtype=torch.float64).to(train.device))
        for first in range(0, len(sources), together):
            chunk = [
                Weighed.of(source, grid, select, inner)
                for source in factorise_all(sources[first : first + together], train, test, scale)
            ]
            weights: list[dict[int, Tensor]] = [{} for _ in chunk]
            for p, order in enumerate(orders):
                paired = TargetGrams.of(grams, order[train])
                whole = torch.stack([_ordered(gram, order[rows]) for gram in grams])
                base = whole @ nothing
                for i, (weighed, known) in enumerate(zip(chunk, weights, strict=True)):
                    best = weighed.choose(paired).tolist()
                    for choice in set(best) - set(known):
                        known[choice] = _errors(operator(weighed.source, grid[choice]))
                    for choice in set(best):
                        at = [j for j, one in enumerate(best) if one == choice]
                        left = 1 - (whole[at] @ known[choice]) / base[at]
                        scores[p, first + i, at, k] = left.cpu().numpy()
                    chosen[p, first + i, :, k] = np.asarray(grid)[best]
                    steps()
            dropped[first : first + together, k] = [one.source.dropped for one in chunk]
    return LinearPredictivity(
        scores[0].mean(axis=2),
        scores[0],
        chosen[0],
        grid,
        dropped,
        np.zeros((shape[2], shape[3]), dtype=np.int64),
        None if permutations is None else scores[1:].mean(axis=3),
    )


def _ordered(gram: Tensor, rows: Tensor) -> Tensor:
    return pack(gram.index_select(0, rows).index_select(1, rows), doubled=True)


def _errors(H: Tensor) -> Tensor:
    """Return E'E, packed, of held-out predictions H Y plus the mean of the training rows."""
    held, n = H.shape
    E = torch.cat([-(H + 1.0 / n), torch.eye(held, dtype=H.dtype, device=H.device)], dim=1)
    out = torch.empty(size(n + held), dtype=H.dtype, device=H.device)
    return outer_packed(E.T.contiguous(), out)
