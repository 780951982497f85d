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
    from collections.abc import Iterator, Sequence

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
    if len(predicted) != len(truth):
        raise InputError(f"{len(predicted)} predictions given for {len(truth)} truths")
    [interval] = bootstrap_intervals(
        [list(zip(predicted, truth, strict=True))],
        folds,
        groups,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )
    return interval


def bootstrap_intervals(
    conditions: Sequence[Sequence[tuple[Tensor, Tensor]]],
    folds: NDArray[np.int64],
    groups: Sequence[object],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Interval]:
    """Bound linear predictivity under several conditions, as :func:`bootstrap_interval` does each.

    Parameters
    ----------
    conditions : sequence of sequences of ((n, T) tensor, (n, T) tensor)
        Of each condition the draws: held-out predictions and what they predict. A tensor that stands in several
        places is worked through once.
    folds, groups, resamples, confidence, seed
        As in :func:`bootstrap_interval`; all conditions share the resamples.
    """
    _check_draws(conditions, groups, len(folds))
    drawn = resample_weights(groups, resamples, seed, folds)
    # The first row is the data as they are, so that estimate and resamples are one computation.
    weights = torch.from_numpy(np.concatenate([np.ones_like(drawn[:1]), drawn]))
    cells = {(id(left), id(right)): (left, right) for draws in conditions for left, right in draws}
    found = _fold_means(list(cells.values()), np.asarray(folds), weights)
    scores = dict(zip(cells, found, strict=True))
    intervals = []
    for draws in conditions:
        mean = np.mean([scores[id(left), id(right)] for left, right in draws], axis=0)
        intervals.append(_percentile(float(mean[0]), mean[1:], confidence))
    return intervals


def _check_draws(
    conditions: Sequence[Sequence[tuple[Tensor, Tensor]]], groups: Sequence[object], rows: int
) -> None:
    for draws in conditions:
        if not draws:
            raise InputError("0 predictions given: a score needs at least one draw")
        for index, (left, right) in enumerate(draws):
            if left.shape != right.shape or len(left) != rows:
                raise InputError(
                    f"draw {index}: predictions {tuple(left.shape)} and truth {tuple(right.shape)} "
                    f"must have the same shape, and {rows} rows"
                )
    if len(groups) != rows:
        raise InputError(f"{len(groups)} groups given for {rows} rows")


def bootstrap_items(
    item_scores: NDArray[np.floating],
    groups: Sequence[object],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Bound a mean of item scores that say nothing of each other, such as cosines of items before and after.

    Overlaps of neighbours do: all items share one graph of neighbours, and this would be too narrow for their mean.

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
    cells: Sequence[tuple[Tensor, Tensor]], folds: NDArray[np.int64], weights: Tensor
) -> NDArray[np.float64]:
    """Return each cell's score under each row of weights: mean over folds of the mean over units of weighted r."""
    sharing: dict[int, list[int]] = {}
    for i, (_, truth) in enumerate(cells):
        sharing.setdefault(id(truth), []).append(i)
    names = np.unique(folds)
    total = np.zeros((len(cells), len(weights)))
    for fold in names:
        held = torch.from_numpy(np.flatnonzero(folds == fold))
        rows = held.to(cells[0][0].device)
        drawn = weights[:, held].to(rows.device)
        drawn /= drawn.sum(dim=1, keepdim=True)
        for members in sharing.values():
            right = _standardise(cells[members[0]][1][rows])
            lefts = [_standardise(cells[i][0][rows]) for i in members]
            start = 0
            for block in torch.split(drawn, _BLOCK):
                stop = start + len(block)
                for i, r in zip(members, _weighted_r(lefts, right, block), strict=True):
                    total[i, start:stop] += r.cpu().numpy()
                start = stop
    return total / len(names)


def _standardise(values: Tensor) -> Tensor:
    """Centre and scale each unit, in float64 and then kept in float32; units without variance become zero."""
    values = values.to(torch.float64)
    varies = values.amax(dim=0) != values.amin(dim=0)
    values = torch.where(varies, values - values.mean(dim=0), 0.0)
    norms = torch.linalg.vector_norm(values, dim=0) / len(values) ** 0.5
    return (values / torch.where(norms > 0, norms, 1.0)).to(torch.float32)


def _weighted_r(lefts: Sequence[Tensor], right: Tensor, weights: Tensor) -> Iterator[Tensor]:
    """Yield for each of ``lefts`` the mean over units of Pearson's r under each row of weights: (b,) float64.

    By moments; each row of weights sums to 1. Units whose truth does not vary in a resample have no r there and are
    left out of its mean; predictions that do not vary have an r of 0.
    """
    y, y_spread = _moments(right, weights)
    varying = (y_spread > 0).sum(dim=1)
    for left in lefts:
        x, x_spread = _moments(left, weights)
        covariance = (weights @ (left * right)).addcmul_(x, y, value=-1)
        spread = x_spread.mul_(y_spread)
        # Where either has none, spread is zero: r is taken as 0.
        r = covariance.div_(spread).masked_fill_(spread == 0, 0.0)
        yield r.sum(dim=1, dtype=torch.float64) / varying


def _moments(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of each unit under each row of weights."""
    mean, square = weights @ values, weights @ (values * values)
    variance = torch.addcmul(square, mean, mean, value=-1)
    # Moments of standardised values carry rounding of about 1e-6: below it a variance is none.
    return mean, variance.masked_fill_(variance <= square.mul_(1e-6), 0.0).sqrt_()


def _percentile(estimate: float, scores: NDArray[np.float64], confidence: float) -> Interval:
    if not 0 < confidence < 1:
        raise InputError(f"confidence must lie between 0 and 1, not {confidence}")
    known = scores[np.isfinite(scores)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail]) if len(known) else (np.nan, np.nan)
    return Interval(estimate, float(low), float(high), confidence, scores)
