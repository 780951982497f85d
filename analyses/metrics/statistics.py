"""Confidence intervals by a cluster bootstrap: whole groups are drawn, never single rows of one.

Nothing is fitted again: what is resampled are the held-out rows, so the interval speaks of the items that were
scored, given the models that were fitted. Groups are drawn within each fold, because the score is a mean over folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.metrics.inputs import check_groups
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

_BLOCK = 250


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval.

    Attributes
    ----------
    estimate : float
        The score of the data as they are.
    low, high : float
        Its bounds; NaN if no resample has a score.
    confidence : float
        Their nominal coverage.
    resamples : (B,) float64 array
        The score of each resample.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    resamples: NDArray[np.float64]


def resample_weights(
    groups: Sequence[object], resamples: int, seed: int, folds: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Draw groups with replacement, within each fold, and count how often each row is drawn.

    Parameters
    ----------
    groups : (n,) sequence
        Rows of one group are drawn together.
    resamples : int
        B, at least 1.
    seed : int
    folds : (n,) int array, optional
        Without it, all groups are drawn from one pool.

    Returns
    -------
    (B, n) float32 array
    """
    if resamples < 1:
        raise InputError(f"{resamples} resamples asked for: a bootstrap needs at least 1")
    names = np.asarray(check_groups(groups, len(groups)), dtype=object)
    assigned = np.zeros(len(names), dtype=np.int64) if folds is None else np.asarray(folds)
    weights = np.empty((resamples, len(names)), dtype=np.float32)
    rng = np.random.default_rng(seed)
    for fold in np.unique(assigned):
        rows = np.flatnonzero(assigned == fold)
        values, member = np.unique(names[rows], return_inverse=True)
        counts = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), resamples)
        weights[:, rows] = counts[:, member.reshape(-1)]
    return weights


def bootstrap_interval(
    predicted: Sequence[Tensor],
    truth: Sequence[Tensor],
    folds: NDArray[np.int64],
    groups: Sequence[object],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Bound linear predictivity at one cell, or the mean over several draws of one.

    Parameters
    ----------
    predicted, truth : sequences of (n, T) floating tensors
        Held-out predictions and what they predict, one pair for each draw. All draws share the resamples, and the
        interval is that of their mean.
    folds : (n,) int array
        The fold that held each row out; r is computed within each, as the score is.
    groups : (n,) sequence
        Rows of one group are drawn together.
    resamples : int
    confidence : float
        In (0, 1).
    seed : int

    Raises
    ------
    InputError
        If the draws do not match, or ``confidence`` is out of range.
    """
    if not predicted or len(predicted) != len(truth):
        raise InputError(f"{len(predicted)} predictions given for {len(truth)} truths")
    for index, (left, right) in enumerate(zip(predicted, truth, strict=True)):
        if left.shape != right.shape or len(left) != len(folds):
            raise InputError(
                f"draw {index}: predictions {tuple(left.shape)} and truth {tuple(right.shape)} "
                f"must have the same shape, and {len(folds)} rows"
            )
    if len(groups) != len(folds):
        raise InputError(f"{len(groups)} groups given for {len(folds)} rows")
    drawn = resample_weights(groups, resamples, seed, folds)
    # The first row is the data as they are, so that estimate and resamples are one computation.
    weights = torch.from_numpy(np.concatenate([np.ones_like(drawn[:1]), drawn]))
    scores = np.zeros(len(weights))
    for left, right in zip(predicted, truth, strict=True):
        scores += _fold_means(left, right, np.asarray(folds), weights)
    scores /= len(predicted)
    return _percentile(float(scores[0]), scores[1:], confidence)


def bootstrap_items(
    item_scores: NDArray[np.floating],
    groups: Sequence[object],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Bound a mean of item scores, such as the overlaps of mutual k-NN.

    Parameters
    ----------
    item_scores : (n,) or (draws, n) array
        Several draws share the resamples, and the interval is that of their mean.
    groups : (n,) sequence
        Rows of one group are drawn together.
    """
    values = np.atleast_2d(np.asarray(item_scores, dtype=np.float64)).mean(axis=0)
    if len(groups) != len(values):
        raise InputError(f"{len(groups)} groups given for {len(values)} item scores")
    weights = resample_weights(groups, resamples, seed).astype(np.float64)
    scores = weights @ values / weights.sum(axis=1)
    return _percentile(float(values.mean()), scores, confidence)


def _fold_means(
    predicted: Tensor, truth: Tensor, folds: NDArray[np.int64], weights: Tensor
) -> NDArray[np.float64]:
    """Return the score under each row of weights: mean over folds of the mean over units of weighted r."""
    device = predicted.device
    means = []
    for fold in np.unique(folds):
        rows = torch.from_numpy(np.flatnonzero(folds == fold))
        left = _standardise(predicted[rows.to(device)])
        right = _standardise(truth[rows.to(device)])
        drawn = weights[:, rows].to(device)
        blocks = [_weighted_r(left, right, block) for block in torch.split(drawn, _BLOCK)]
        means.append(torch.cat(blocks).cpu().numpy())
    return np.asarray(np.mean(means, axis=0), dtype=np.float64)


def _standardise(values: Tensor) -> Tensor:
    """Centre and scale each unit, in float64 and then kept in float32; units without variance become zero."""
    values = values.to(torch.float64)
    varies = values.amax(dim=0) != values.amin(dim=0)
    values = torch.where(varies, values - values.mean(dim=0), 0.0)
    norms = torch.linalg.vector_norm(values, dim=0) / len(values) ** 0.5
    return (values / torch.where(norms > 0, norms, 1.0)).to(torch.float32)


def _weighted_r(left: Tensor, right: Tensor, weights: Tensor) -> Tensor:
    """Return the mean over units of Pearson's r under each row of weights, (b,) float64, by moments.

    Units whose truth does not vary in a resample have no r there and are left out of its mean; predictions that do
    not vary have an r of 0.
    """
    total = weights.sum(dim=1, keepdim=True)

    def mean(values: Tensor) -> Tensor:
        return (weights @ values) / total

    x, y = mean(left), mean(right)
    covariance = mean(left * right) - x * y
    x2, y2 = mean(left * left), mean(right * right)
    # Moments of standardised values carry rounding of about 1e-6: below it a variance is none.
    x_varies, y_varies = (x2 - x * x) > 1e-6 * x2, (y2 - y * y) > 1e-6 * y2
    spread = ((x2 - x * x) * (y2 - y * y)).clamp_min(0).sqrt()
    r = torch.where(x_varies & y_varies, covariance / torch.where(spread > 0, spread, 1.0), 0.0)
    return r.sum(dim=1, dtype=torch.float64) / y_varies.sum(dim=1)


def _percentile(estimate: float, scores: NDArray[np.float64], confidence: float) -> Interval:
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie between 0 and 1, not {confidence}")
    known = scores[np.isfinite(scores)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail]) if len(known) else (np.nan, np.nan)
    return Interval(estimate, float(low), float(high), confidence, scores)
