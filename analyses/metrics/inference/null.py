"""The permutation null: what a map scores when rows that belong together no longer do.

One permutation of the items serves every pair of layers, so that the largest score of a permuted map is a draw of what
the best cell of that many comes to by luck (the max-statistic: Westfall and Young, "Resampling-Based Multiple Testing",
1993; Nichols and Holmes, Hum. Brain Mapp. 15, 2002).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import false_discovery_control

from analyses.metrics.inputs import check_groups
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TAIL = 0.05
"""Of the null, above :attr:`Calibration.high`."""

MOST_IMMOVABLE = 0.5
"""Share of the rows that no permutation may move: with more, a null is mostly the score itself."""

_ROUNDING = 1e-6
"""Of a score of 1: what another order of float32 sums makes of the very same score."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map beside its null; NaN where a cell has no score.

    Attributes
    ----------
    mean, high : (V, L) float64 array
        Mean and 95 % quantile of each cell's null.
    calibrated : (V, L) float64 array
        ``(score - mean) / (highest - mean)``: 0 where the null is on average, 1 for the highest score there can be, as
        chance-adjusted indices have it (Hubert and Arabie, J. Classif. 2, 1985). NaN where the null is itself as high
        as can be.
    p : (V, L) float64 array
        One-sided, of each cell alone: (1 + permutations that score as high) / (1 + K), which is never zero (Phipson
        and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010).
    p_max : (V, L) float64 array
        The same against the largest score of each permuted map: corrected for having looked at every cell.
    q : (V, L) float64 array
        ``p`` by Benjamini and Hochberg (J. R. Stat. Soc. B 57, 1995) over the map: the false discovery rate of the
        cells that are at least as good.
    permutations : int
        K.
    """

    mean: NDArray[np.float64]
    high: NDArray[np.float64]
    calibrated: NDArray[np.float64]
    p: NDArray[np.float64]
    p_max: NDArray[np.float64]
    q: NDArray[np.float64]
    permutations: int


def group_permutations(groups: Sequence[object], count: int, seed: int) -> NDArray[np.int64]:
    """Draw permutations of rows that exchange whole groups of one size.

    Rows keep their order within their group, so that what is alike within a group stays together (whole-block
    exchange: Winkler et al., NeuroImage 123, 2015). A group whose size no other has stays in its place: how many rows
    that concerns is what :func:`immovable` tells.

    Parameters
    ----------
    groups : (n,) sequence
    count : int
        K, at least 1.
    seed : int

    Returns
    -------
    (K, n) int64 array

    Raises
    ------
    InputError
        More than half of the rows are in groups whose size no other has, so that they could not be exchanged.
    """
    if count < 1:
        raise InputError(f"{count} permutations asked for: a null needs at least 1")
    names = np.asarray(check_groups(groups, len(groups)), dtype=object)
    _, member, sizes = np.unique(names, return_inverse=True, return_counts=True)
    order = np.argsort(member.reshape(-1), kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    fixed = immovable(groups)
    if fixed > MOST_IMMOVABLE * len(names):
        raise InputError(
            f"{fixed} of {len(names)} rows are in groups of a size that no other group has: whole groups of one size "
            "are exchanged, so these rows would stay, and so would most of the score; ask for no null "
            "(--permutations 0), or give groups of equal sizes"
        )
    # Of each size the rows of its groups, a group a line.
    blocks = [
        order[starts[sizes == size][:, None] + np.arange(size)]
        for size in np.unique(sizes)
        if (sizes == size).sum() > 1
    ]
    rng = np.random.default_rng(seed)
    drawn = np.tile(np.arange(len(names)), (count, 1))
    for permutation in drawn:
        for block in blocks:
            permutation[block] = block[rng.permutation(len(block))]
    return drawn


def immovable(groups: Sequence[object]) -> int:
    """Count the rows in groups whose size no other group has: :func:`group_permutations` leaves them in place.

    What they contribute to a score is in its null as well, which is then too high: p is conservative.
    """
    names = np.asarray(check_groups(groups, len(groups)), dtype=object)
    sizes, alike = np.unique(np.unique(names, return_counts=True)[1], return_counts=True)
    return int(sizes[alike == 1].sum())


def calibrate(
    scores: NDArray[np.float64], null: NDArray[np.float64], highest: float
) -> Calibration:
    """Set a map beside its null.

    Parameters
    ----------
    scores : (V, L) array
        NaN where a cell has no score.
    null : (K, V, L) array
        A score that is NaN is taken to be as high as any: p counts it against the cell, mean and quantile leave it out.
    highest : float
        The largest score the metric can give.

    Returns
    -------
    Calibration

    Notes
    -----
    A null score within rounding of the score is as high: the map and its null are summed in different orders, so that
    the same score does not come out the same to the last digit.
    """
    known = np.isfinite(scores)
    flat, drawn = scores[known], null[:, known]
    count = len(null)
    finite = np.isfinite(drawn)
    # A cell whose null has no score at all has neither mean nor quantile, and p is 1.
    kept = np.where(finite, drawn, np.nan)[:, finite.any(axis=0)]
    mean, high = np.full((2, flat.size), np.nan)
    mean[finite.any(axis=0)] = np.nanmean(kept, axis=0)
    high[finite.any(axis=0)] = np.nanquantile(kept, 1 - TAIL, axis=0)
    against = np.where(finite, drawn, np.inf)
    level = flat - _ROUNDING * np.maximum(1, np.abs(flat))
    p = (1 + (against >= level).sum(axis=0)) / (count + 1)
    # A draw without a score in one cell says nothing of the best of the others: it counts there, by p, and only there.
    best = np.where(finite, drawn, -np.inf).max(axis=1, initial=-np.inf)
    p_max = (1 + ((best[:, None] >= level) | (against >= level)).sum(axis=0)) / (count + 1)

    def whole(values: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.full(scores.shape, np.nan)
        out[known] = values
        return out

    return Calibration(
        whole(mean),
        whole(high),
        whole((flat - mean) / np.where(mean < highest, highest - mean, np.nan)),
        whole(p),
        whole(p_max),
        whole(false_discovery_control(p) if p.size else p),
        count,
    )
