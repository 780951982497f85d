"""Paired differences: two conditions whose intervals were drawn from the same resamples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vdb.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analyses.metrics.inference.bootstrap import Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """One condition less another, over the resamples that both share.

    Attributes
    ----------
    estimate : float
        The first score less the second.
    low, high : float
        Percentile bounds; NaN if no resample has both scores.
    p : float
        Two-sided, never 0; NaN if no resample has both scores.
    confidence : float
        Nominal coverage of the bounds.
    resamples : (B,) float64 array
        The difference in each resample.
    """

    estimate: float
    low: float
    high: float
    p: float
    confidence: float
    resamples: NDArray[np.float64]


def paired(a: Interval, b: Interval) -> Difference:
    """Estimate ``a - b`` where resample i of both is the same draw of groups.

    What moves both scores alike, such as which groups were drawn, cancels: the interval is as wide as what the two do
    not share, and not as wide as both.

    Parameters
    ----------
    a, b : Interval
        From one call of :func:`~analyses.metrics.cells.score_cells` or
        :func:`~analyses.metrics.inference.bootstrap.bootstrap_intervals`, or of two with the same groups, folds and
        seed.

    Returns
    -------
    Difference
        p is twice the share of resampled differences on the other side of zero, counted with one more on both sides of
        the fraction, at most 1: the inversion of a percentile interval (Efron and Tibshirani, "An Introduction to the
        Bootstrap", 1993, sections 13.3 and 15.4), with the add-one of Davison and Hinkley ("Bootstrap Methods and
        their Application", 1997, eq. 4.11). A difference of exactly 0 counts on both sides. It is as rough as the
        interval: no permutation stands behind it.

    Raises
    ------
    InputError
        The two have another number of resamples or another confidence, so that they cannot share them.
    """
    if a.resamples.shape != b.resamples.shape or a.confidence != b.confidence:
        raise InputError(
            f"{len(a.resamples)} resamples at {a.confidence:g} and {len(b.resamples)} at {b.confidence:g} are not "
            "paired: score both conditions with the same groups, folds and seed"
        )
    return of_resamples(a.estimate - b.estimate, a.resamples - b.resamples, a.confidence)


def of_resamples(
    estimate: float, resamples: NDArray[np.float64], confidence: float = 0.95
) -> Difference:
    """Bound a difference whose resamples are at hand, such as a difference of differences.

    Parameters
    ----------
    estimate : float
    resamples : (B,) array
        Those that are not finite are left out of the bounds and of p.
    confidence : float
        In (0, 1).
    """
    known = resamples[np.isfinite(resamples)]
    if not len(known) or not np.isfinite(estimate):
        return Difference(estimate, np.nan, np.nan, np.nan, confidence, resamples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    other_side = min(int((known <= 0).sum()), int((known >= 0).sum()))
    p = min(1.0, 2 * (1 + other_side) / (1 + len(known)))
    return Difference(estimate, float(low), float(high), p, confidence, resamples)
