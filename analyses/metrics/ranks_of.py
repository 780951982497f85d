"""Retrieval as numbers: the rank of what is right among what could be, and what is made of ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.metrics.inference.bootstrap import resample_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

CUTS = (1, 5, 10)
"""k of R@k."""
MEASURES = (*(f"R@{k}" for k in CUTS), "median rank", "mean reciprocal rank")


def ranks(similarities: Tensor, right: Tensor) -> NDArray[np.float64]:
    """Rank the best right item of each query, 1 the first.

    Parameters
    ----------
    similarities : (q, g) floating tensor
        Of each query and each item of the gallery; larger is more alike.
    right : (q, g) bool tensor
        Which items are right for which query; one at least.

    Returns
    -------
    (q,) float64 array
        One more than the number of wrong items that are more alike than the best right one, plus half of the wrong
        ones that are just as alike: the mean rank over all orders of equals. Several right items do not push each
        other down.
    """
    best = similarities.masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)
    above = ((similarities > best) & ~right).sum(dim=1)
    level = ((similarities == best) & ~right).sum(dim=1)
    found: NDArray[np.float64] = (1 + above + level / 2).to(torch.float64).cpu().numpy()
    return found


def every_rank(similarities: Tensor) -> NDArray[np.float64]:
    """Rank every item for every query: (q, g), 1 the first, equals at the mean of their ranks."""
    count = similarities.shape[1]
    ordered = similarities.sort(dim=1).values
    below = torch.searchsorted(ordered, similarities.contiguous())
    upto = torch.searchsorted(ordered, similarities.contiguous(), right=True)
    found: NDArray[np.float64] = (count - (below + upto - 1) / 2).to(torch.float64).cpu().numpy()
    return found


def measures(
    found: NDArray[np.float64], weights: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Return R@1, R@5, R@10, the median rank and the mean reciprocal rank: (5,) or, of B weights, (B, 5).

    Parameters
    ----------
    found : (q,) array of ranks
    weights : (B, q) array, optional
        How often each query counts.
    """
    alone = weights is None
    counted = np.ones((1, len(found))) if weights is None else np.asarray(weights, np.float64)
    total = counted.sum(axis=1, keepdims=True)
    each = np.stack([*(found <= k for k in CUTS), 1 / found], axis=1).astype(np.float64)
    means = counted @ each / total
    median = _medians(found, counted)
    out = np.concatenate([means[:, : len(CUTS)], median[:, None], means[:, len(CUTS) :]], axis=1)
    return out[0] if alone else out


def _medians(found: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each row's weighted ranks: between two middle ones, their mean."""
    order = np.argsort(found, kind="stable")
    ordered, running = found[order], np.cumsum(weights[:, order], axis=1)
    middle = running[:, -1:] / 2
    below = np.minimum((running < middle).sum(axis=1), len(found) - 1)
    above = np.minimum((running <= middle).sum(axis=1), len(found) - 1)
    medians: NDArray[np.float64] = (ordered[below] + ordered[above]) / 2
    return medians


def interval(
    found: NDArray[np.float64],
    groups: Sequence[str],
    folds: NDArray[np.int64],
    seed: int,
    resamples: int = 1000,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bound :func:`measures` by a 95 % cluster bootstrap: whole groups are drawn, within each fold.

    Parameters
    ----------
    found : (q,) or (D, q) array of ranks
        Of several draws, their mean is bounded: all share the resamples.

    Returns
    -------
    (5,) array, (5,) array
        Low and high.
    """
    weights = resample_weights(groups, resamples, seed, folds)
    drawn = np.mean([measures(one, weights) for one in np.atleast_2d(found)], axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return low, high


def above_chance(null: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the one-sided p of each of :func:`measures`: (1 + permutations that are as good) / (1 + K).

    Parameters
    ----------
    null : (1 + K, q) array of ranks
        What was found, then what was found under each permutation.

    Returns
    -------
    (5,) float64 array
    """
    of = np.stack([measures(one) for one in null])
    of[:, len(CUTS)] *= -1  # a median rank is better the smaller it is
    reached: NDArray[np.float64] = (of >= of[0] - 1e-12).mean(axis=0)
    return reached


def chance(right: Sequence[int], gallery: Sequence[int]) -> NDArray[np.float64]:
    """Return what :func:`measures` would be of galleries in random order, mean over queries.

    With r right of g, the first k hold none of them with probability C(g - r, k) / C(g, k); with one right,
    R@k is k / g. The median rank is that of the mixture of all queries, the mean reciprocal rank its expectation.

    Parameters
    ----------
    right, gallery : one a query
        How many items are right, and how many there are.

    Returns
    -------
    (5,) float64 array
    """
    pairs, counts = np.unique(np.stack([right, gallery], axis=1), axis=0, return_counts=True)
    share = counts / counts.sum()
    largest = int(np.max(gallery))
    # Ranks as `ranks` has them: wrong items above, plus 1. P(rank > k) for r right of g.
    beyond = np.zeros(largest + 1)
    for (r, g), part in zip(pairs.tolist(), share.tolist(), strict=True):
        beyond += part * _beyond(r, g, largest)
    of_rank = -np.diff(beyond)  # P(rank = 1), P(rank = 2), ...
    place = np.arange(1, largest + 1)
    cuts = [1 - beyond[min(k, largest)] for k in CUTS]
    below, above = np.searchsorted(np.cumsum(of_rank), [0.5 - 1e-12, 0.5 + 1e-12])
    median = (place[below] + place[above]) / 2  # as of an even number of queries
    return np.array([*cuts, median, float((of_rank / place).sum())])


def _beyond(r: int, g: int, largest: int) -> NDArray[np.float64]:
    """Return P(rank > k) for k = 0 ... largest, r right of g in random order: the first k are all wrong."""
    out = np.zeros(largest + 1)
    out[0] = 1.0
    for k in range(1, largest + 1):
        out[k] = out[k - 1] * max(g - r - k + 1, 0) / max(g - k + 1, 1)
    return out
