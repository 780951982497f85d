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


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map beside its null; NaN where a cell has no score.

    Attributes
    ----------
    mean, high : (V, L) float64 array
        Mean and 95 % quantile of each cell's null.
    calibrated : (V, L) float64 array
        ``(score - mean) / (highest - mean)``: 0 where the null is on average, 1 for the highest score there can be, as
        chance-adjusted indices have it (Hubert and Arabie, J. Classif. 2, 1985).
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
    exchange: Winkler et al., NeuroImage 123, 2015). A group whose size no other has stays in its place.

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
        No two groups are of one size, so that nothing can be exchanged.
    """
    if count < 1:
        raise InputError(f"{count} permutations asked for: a null needs at least 1")
    names = np.asarray(check_groups(groups, len(groups)), dtype=object)
    _, member, sizes = np.unique(names, return_inverse=True, return_counts=True)
    order = np.argsort(member.reshape(-1), kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    # Of each size the rows of its groups, a group a line.
    blocks = [
        order[starts[sizes == size][:, None] + np.arange(size)]
        for size in np.unique(sizes)
        if (sizes == size).sum() > 1
    ]
    if not blocks:
        raise InputError(
            f"{len(sizes)} groups of {len(names)} rows, no two of one size: there is nothing to permute; "
            "ask for no null (--permutations 0)"
        )
    rng = np.random.default_rng(seed)
    drawn = np.tile(np.arange(len(names)), (count, 1))
    for permutation in drawn:
        for block in blocks:
            permutation[block] = block[rng.permutation(len(block))]
    return drawn


def calibrate(
    scores: NDArray[np.float64], null: NDArray[np.float64], highest: float
) -> Calibration:
    """Set a map beside its null.

    Parameters
    ----------
    scores : (V, L) array
        NaN where a cell has no score.
    null : (K, V, L) array
    highest : float
        The largest score the metric can give.

    Returns
    -------
    Calibration
    """
    known = np.isfinite(scores)
    flat, drawn = scores[known], null[:, known]
    count = len(null)
    mean = drawn.mean(axis=0)
    best = drawn.max(axis=1, initial=-np.inf)
    p = (1 + (drawn >= flat).sum(axis=0)) / (count + 1)
    p_max = (1 + (best[:, None] >= flat).sum(axis=0)) / (count + 1)

    def whole(values: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.full(scores.shape, np.nan)
        out[known] = values
        return out

    return Calibration(
        whole(mean),
        whole(np.quantile(drawn, 1 - TAIL, axis=0)),
        whole((flat - mean) / (highest - mean)),
        whole(p),
        whole(p_max),
        whole(false_discovery_control(p) if p.size else p),
        count,
    )
