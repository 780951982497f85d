"""A score and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score with its 95 % interval; the bounds are NaN where no interval is known.

    >>> print(Estimate(0.5, 0.47, 0.53))
    0.50 [0.47, 0.53]
    >>> f"{Estimate(0.5, 0.47, 0.53):+.3f}"
    '+0.500 [+0.470, +0.530]'
    >>> print(Estimate(-0.001, -0.004, 0.002))
    0.00 [0.00, 0.00]
    """

    score: float
    low: float
    high: float

    @property
    def bounded(self) -> bool:
        """Whether the interval is known."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def above(self, other: Estimate) -> bool:
        """Whether the whole interval lies above the other's; False where either is unknown."""
        return self.low > other.high

    def __str__(self) -> str:
        return format(self, "")

    def __format__(self, spec: str) -> str:
        sign = "+" if spec.startswith("+") else ""
        number = f"{sign}z{spec.removeprefix('+') or '.2f'}"  # z: no minus before a rounded zero
        if not self.bounded:
            return f"{self.score:{number}}"
        return f"{self.score:{number}} [{self.low:{number}}, {self.high:{number}}]"


def of_folds(scores: Sequence[float] | None, score: float) -> Estimate:
    """Put Student's 95 % interval over the folds around a score.

    The training sets of the folds overlap, so this interval is approximate and somewhat narrow (Bengio and
    Grandvalet, 2004: no unbiased estimator of the variance of k-fold cross-validation exists).

    Parameters
    ----------
    scores : sequence of float, optional
        One score a fold; None or fewer than two give no interval.
    score : float
        The score of all folds together.
    """
    if scores is None or len(scores) < 2:  # noqa: PLR2004 - one fold has no spread
        return Estimate(score, math.nan, math.nan)
    folds = np.asarray(scores, dtype=np.float64)
    half = float(student.ppf(0.975, len(folds) - 1) * folds.std(ddof=1) / math.sqrt(len(folds)))
    return Estimate(score, score - half, score + half)


def difference(first: Sequence[float] | None, second: Sequence[float] | None) -> Estimate:
    """Estimate ``first - second`` from the same folds, paired; unknown where the folds do not match."""
    if first is None or second is None or len(first) != len(second):
        return Estimate(math.nan, math.nan, math.nan)
    gaps = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    return of_folds(gaps.tolist(), float(gaps.mean()))


def chosen_on_others(cells: Sequence[Sequence[float] | None]) -> list[float] | None:
    """Score the best of many cells without the luck of the choice.

    For each fold the best cell is chosen on all other folds and scored on this one. A cell whose score is not finite
    on one of the others cannot be chosen there.

    Parameters
    ----------
    cells : sequence of sequences of float
        The fold scores of each cell.

    Returns
    -------
    list of float, optional
        One score a fold, NaN where no cell could be chosen; None where a cell has no folds, or fewer than two.
    """
    known = [folds for folds in cells if folds is not None]
    if not known or len(known) < len(cells) or len(known[0]) < 2:  # noqa: PLR2004 - there are no other folds
        return None
    scores = np.asarray(known, dtype=np.float64)
    return [_best_elsewhere(scores, fold) for fold in range(scores.shape[1])]


def _best_elsewhere(scores: NDArray[np.float64], fold: int) -> float:
    others = np.delete(scores, fold, axis=1)
    choosable = np.flatnonzero(
        np.isfinite(others).all(axis=1)
    )  # argmax takes a NaN for the largest
    if not len(choosable):
        return math.nan
    return float(scores[choosable[others[choosable].sum(axis=1).argmax()], fold])
