"""What plain noise averaging predicts of an exemplar curve, and what of the curve is above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from analyses.exemplar_avg.reliability import Exemplars, effective, reliability
from analyses.metrics.inference.paired import Difference, of_resamples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from analyses.metrics.inference.bootstrap import Interval

Role = Literal["source", "target"]

NOISE_AVERAGING = "noise averaging"
SATURATION = "a + b k / (k + c)"

ENOUGH_TO_FIT = 4
"""Numbers of exemplars from which on three parameters are fitted: with fewer they would pass through every point."""


@dataclass(frozen=True, slots=True)
class Gains:
    """Of one averaged side, for each k, the attenuation of r by noise, in the data and in each resample.

    Attributes
    ----------
    reliability : (K,) float64 array
        Of the centroids of each k: mean over units.
    factor : (K,) float64 array
        What r is multiplied by, of what it would be without noise.
    resampled : (K, B) or (K, 1) float64 array
    """

    reliability: NDArray[np.float64]
    factor: NDArray[np.float64]
    resampled: NDArray[np.float64]


def gains(
    exemplars: Exemplars,
    ks: tuple[int, ...],
    role: Role,
    weights: NDArray[np.floating] | None,
    *,
    replacement: bool,
) -> Gains:
    """Derive the attenuation of r from the exemplars' own variances.

    As a **target**, unit u of a centroid of k has the reliability rel_u(k), and the r of any prediction made without
    its noise is sqrt(rel_u(k)) of what it is for the signal alone. The score is a mean over units, and every unit's
    signal is taken to be as predictable as another's: the factor is the mean over units of sqrt(rel_u(k)).

    As a **source**, a linear readout of signal plus noise is lowered by sqrt(rel(k)), exactly so where the noise has
    the covariance of the signal up to a factor, since the best weights then do not change with k. One reliability is
    taken for the layer, the sum of its units' signal over the sum of their signal and noise. Where readouts find
    dimensions with less noise than that, the source's gain is smaller than predicted.

    Neither counts what a fit gains by cleaner training rows. It is part of what is above.

    Parameters
    ----------
    exemplars : Exemplars
        All exemplars of the averaged side, of the groups that are scored.
    ks : K numbers of exemplars
    role : {"source", "target"}
    weights : (B, G) array, optional
        The groups of each resample; without it the factors are the same in every one.
    replacement : bool
        Whether exemplars were drawn with replacement: see :func:`analyses.exemplar_avg.reliability.effective`.
    """
    signal, noise = exemplars.variances()
    if weights is not None:
        drawn = exemplars.variances(weights)
        signal, noise = np.concatenate([signal, drawn[0]]), np.concatenate([noise, drawn[1]])
    shares, factors = [], []
    for k in ks:
        size = effective(k, exemplars.counts, replacement=replacement)
        shares.append(float(reliability(signal[0], noise[0], size).mean()))
        if role == "target":
            factors.append(np.sqrt(reliability(signal, noise, size)).mean(axis=1))
        else:
            layer = reliability(signal.sum(axis=1), noise.sum(axis=1), size)
            factors.append(np.sqrt(layer))
    found = np.stack(factors)
    return Gains(np.array(shares), found[:, 0], found[:, :1] if weights is None else found[:, 1:])


def together(sides: list[Gains]) -> Gains:
    """Multiply the attenuations of two averaged sides, whose noises are taken to be independent."""
    first, *others = sides
    for other in others:
        first = Gains(
            first.reliability * other.reliability,
            first.factor * other.factor,
            first.resampled * other.resampled,
        )
    return first


def predicted(intervals: list[Interval], gain: Gains) -> list[tuple[float, Difference]]:
    """Predict each point from the first, and bound what is above.

    Parameters
    ----------
    intervals : K intervals
        The curve, by k.
    gain : Gains
        Resampled as the intervals are.

    Returns
    -------
    list of (float, Difference)
        The prediction, and the score less it: paired, each resample having a prediction of its own. NaN where the
        exemplars show no signal.
    """
    out = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, interval in enumerate(intervals):
            expected = intervals[0].estimate * (gain.factor[i] / gain.factor[0])
            resampled = intervals[0].resamples * (gain.resampled[i] / gain.resampled[0])
            gap = of_resamples(
                interval.estimate - expected, interval.resamples - resampled, interval.confidence
            )
            out.append((float(expected), gap))
    return out


def saturation(scores: Mapping[int, float]) -> dict[int, float] | None:
    """Fit ``a + b k / (k + c)`` to a curve, by least squares.

    For scores whose attenuation by noise has no closed form: it smooths and tells a limit, a + b, and predicts
    nothing, so nothing can be above it.

    Returns
    -------
    dict of k to float, optional
        The fitted curve; None for fewer than four k, a score that is not finite, or no convergence.
    """
    ks, values = np.array(list(scores), dtype=np.float64), np.array(list(scores.values()))
    if len(ks) < ENOUGH_TO_FIT or not np.isfinite(values).all():
        return None

    def curve(k: NDArray[np.float64], a: float, b: float, c: float) -> NDArray[np.float64]:
        return a + b * k / (k + c)

    start = (2 * values[0] - values[-1], 2 * (values[-1] - values[0]), 1.0)
    bounds = ([-np.inf, -np.inf, 1e-6], [np.inf, np.inf, 1e6])
    try:
        best, _ = curve_fit(curve, ks, values, p0=start, bounds=bounds)
    except (RuntimeError, OptimizeWarning):
        return None
    return dict(zip(scores, curve(ks, *best).tolist(), strict=True))
