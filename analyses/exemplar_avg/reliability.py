"""How much of a centroid is signal: variance components of exemplars, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TWO = 2
"""Exemplars that a group needs to say anything of the noise, and groups to say anything of the signal."""


@dataclass(frozen=True, slots=True)
class Exemplars:
    """The exemplars of G groups at one layer, as far as their variances need them.

    Attributes
    ----------
    means : (G, width) float64 array
    within : (G, width) float64 array
        Sum of squares of a group's exemplars about their mean.
    counts : (G,) int64 array
        Exemplars of each group.
    """

    means: NDArray[np.float64]
    within: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, groups: Sequence[NDArray[np.floating]]) -> Exemplars:
        """Gather (m, width) arrays, one a group."""
        means = np.stack([one.mean(axis=0, dtype=np.float64) for one in groups])
        pairs = zip(groups, means, strict=True)
        within = np.stack([((one - mean) ** 2).sum(axis=0) for one, mean in pairs])
        return cls(means, within, np.array([len(one) for one in groups]))

    @property
    def known(self) -> bool:
        """Whether there are groups enough, and any with two exemplars."""
        return len(self.counts) >= TWO and bool((self.counts >= TWO).any())

    def variances(
        self, weights: NDArray[np.floating] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Estimate the variance of the signal and of the noise of each unit.

        One-way random effects by the method of moments, each group's mean counting once: noise is the mean square
        within groups; signal is the variance of the means less the noise that they still carry (Searle, Casella and
        McCulloch, "Variance Components", 1992, chapter 3). Both are unbiased; the signal may come out below 0.

        Parameters
        ----------
        weights : (B, G) array, optional
            How often each group is drawn in each of B resamples; by default once.

        Returns
        -------
        signal, noise : (B, width) float64 arrays
            NaN where it takes more groups or exemplars.
        """
        w = np.ones((1, len(self.counts))) if weights is None else weights.astype(np.float64)
        total = w.sum(axis=1, keepdims=True)
        freedom = (w @ (self.counts - 1.0))[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = (w @ self.within) / freedom
            # Centred first: the difference of two large moments would lose the digits that matter.
            centred = self.means - self.means.mean(axis=0)
            spread = (w @ centred**2) / total - ((w @ centred) / total) ** 2
            carried = noise * ((w @ (1.0 / self.counts)) / total[:, 0])[:, None]
            signal = spread * total / (total - 1) - carried
        return signal, noise


def effective(k: int, counts: NDArray[np.int64], *, replacement: bool) -> float:
    """Return how many exemplars' worth of averaging a centroid of k is.

    Drawn without replacement that is k. Drawn with replacement from m exemplars, the mean of k has the noise of all m
    and, on top, 1 / k of the spread about their mean: 1 / m + (1 - 1 / m) / k of one exemplar's noise. Over groups of
    several m the noises are averaged.
    """
    if not replacement:
        return float(k)
    m = counts.astype(np.float64)
    return float(1 / (1 / m + (1 - 1 / m) / k).mean())


def reliability(
    signal: NDArray[np.float64], noise: NDArray[np.float64], k: float
) -> NDArray[np.float64]:
    """Return the share of a centroid's variance that is signal, ``k s2 / (k s2 + n2)``; a signal below 0 is none.

    Spearman (1910) and Brown (1910) in variances; 0 for a unit that does not vary at all.
    """
    share = np.clip(signal, 0, None)
    whole = share + noise / k
    found: NDArray[np.float64] = np.where(whole == 0, 0.0, share / np.where(whole == 0, 1.0, whole))
    return found
