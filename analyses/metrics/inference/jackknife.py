"""Intervals of any score, by the delete-half jackknife over groups.

A bootstrap draws items twice, and an item that stands twice is its own nearest neighbour, has a distance of zero to
itself and weighs four times in a Gram matrix: k-NN, RSA and CKA of such a draw are not what they are of as many new
items. So half of the groups are drawn WITHOUT replacement, scored as a data set of their own, and the spread of those
scores stands for that of the whole: for a mean, the variance of delete-d jackknife scores, times kept over deleted, is
exactly the variance of the mean (Shao and Wu, "A General Theory for Jackknife Variance Estimation", Ann. Stat. 17,
1989; Politis and Romano, Ann. Stat. 22, 1994).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyses.metrics.inference.bootstrap import Interval
from analyses.metrics.inputs import check_groups
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HALVES = 100
"""Halves drawn: the standard deviation of as many is known to about 7 %, and no p falls below 2 / 101."""


def draw_halves(
    groups: Sequence[object], count: int = HALVES, seed: int = 0
) -> list[NDArray[np.int64]]:
    """Draw half of the groups without replacement, ``count`` times.

    Parameters
    ----------
    groups : (n,) sequence
        Rows of one group are drawn together. Of an odd number of groups the smaller half is kept.
    count : int
    seed : int
        The same groups and seed give the same halves, whatever is scored on them: scores are then paired.

    Returns
    -------
    list of int64 arrays
        The rows of each half, in order.

    Raises
    ------
    InputError
        There are fewer than two groups, or no halves asked for.
    """
    if count < 1:
        raise InputError(f"{count} halves asked for: a jackknife needs at least 1")
    names = np.asarray(check_groups(groups, len(groups)), dtype=object)
    values, member = np.unique(names, return_inverse=True)
    if len(values) < 2:  # noqa: PLR2004 - half of one is none
        raise InputError("an interval needs at least two groups of items that share nothing")
    rng = np.random.default_rng([seed, 5])
    kept = len(values) // 2
    halves = []
    for _ in range(count):
        drawn = np.zeros(len(values), dtype=bool)
        drawn[rng.permutation(len(values))[:kept]] = True
        halves.append(np.flatnonzero(drawn[member.reshape(-1)]))
    return halves


def jackknife_interval(
    estimate: float, scores: NDArray[np.float64], groups: int, confidence: float = 0.95
) -> Interval:
    """Bound a score by its scores on halves.

    Parameters
    ----------
    estimate : float
        On all items.
    scores : (B,) array
        On each half; NaN where it has none.
    groups : int
        Of which half, rounded down, were kept.
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval
        ``resamples`` are ``estimate + sqrt(kept / deleted) (score - mean of scores)``: centred, so that what a score
        owes to the number of items does not enter, and paired with any other of the same halves.
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie between 0 and 1, not {confidence}")
    known = scores[np.isfinite(scores)]
    if not len(known) or not np.isfinite(estimate):
        return Interval(estimate, np.nan, np.nan, confidence, np.full(len(scores), np.nan))
    kept = groups // 2
    resamples = estimate + (kept / (groups - kept)) ** 0.5 * (scores - known.mean())
    tail = (1 - confidence) / 2
    low, high = np.quantile(resamples[np.isfinite(resamples)], [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), confidence, resamples)
