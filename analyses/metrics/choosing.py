"""Forced choices as numbers: which candidate a prediction is nearer to, how often people agree, and how sure that is.

A choice is 1 where candidate 0 is taken, 0 where candidate 1 is, and 0.5 where they cannot be told apart: guessing
would be right half of the time, and scores as much without the luck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from analyses.metrics.inference.bootstrap import resample_weights
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

Similarity = Literal["cosine", "correlation", "distance"]

CHANCE = 0.5
TIE = 1e-6
"""Relative to the larger of 1 and the similarities: predictions are products in single precision, and closer calls are
theirs, not the model's."""

_ENOUGH_JUDGES = 2


@dataclass(frozen=True, slots=True)
class Accuracies:
    """How often choices are those of people, for many predictors of the same trials.

    Attributes
    ----------
    score, low, high : (cells,) float64 array
        Weighted share of agreement, and its 95 % cluster bootstrap interval.
    p : (cells,) float64 array
        One-sided, against chance: labels of whole clusters flipped at random; (1 + flips as good) / (1 + flips).
    p_max : (cells,) float64 array
        The same against the best cell of each flip: corrected for having looked at all of them.
    ties : (cells,) int64 array
        Trials whose candidates the predictor cannot tell apart; each counts half.
    """

    score: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p: NDArray[np.float64]
    p_max: NDArray[np.float64]
    ties: NDArray[np.int64]


def similarity(predicted: Tensor, truth: Tensor, kind: Similarity) -> Tensor:
    """Compare rows with rows.

    Parameters
    ----------
    predicted, truth : (n, width) float64 tensors
        Both less the mean of the target over the pairs of the fit.
    kind : {"cosine", "correlation", "distance"}
        ``correlation`` is Pearson's over units, ``distance`` the Euclidean one with its sign turned, so that larger
        is always more alike.

    Returns
    -------
    (n,) float64 tensor
        0 where a row has no direction.
    """
    if kind == "distance":
        apart: Tensor = torch.linalg.vector_norm(predicted - truth, dim=1)
        return -apart
    if kind == "correlation":
        predicted = predicted - predicted.mean(dim=1, keepdim=True)
        truth = truth - truth.mean(dim=1, keepdim=True)
    # Each scaled by its own length first: the product of two small lengths would leave even float64's range.
    likeness: Tensor = (_unit(predicted) * _unit(truth)).sum(dim=1)
    return likeness


def _unit(rows: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return torch.where(length > 0, rows / torch.where(length > 0, length, 1.0), 0.0)


def choose(first: Tensor, second: Tensor) -> NDArray[np.float32]:
    """Choose the candidate of the larger similarity: 1 for the first, 0 for the second, 0.5 for a tie."""
    scale = torch.maximum(first.abs(), second.abs()).clamp_min(1.0)
    ahead = first - second
    tie = ahead.abs() <= TIE * scale
    chosen: NDArray[np.float32] = (
        torch.where(tie, CHANCE, (ahead > 0).double()).float().cpu().numpy()
    )
    return chosen


def agreement(choices: NDArray[np.floating], labels: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return how right each choice is: 1, 0, or 0.5 where the predictor has no preference.

    Parameters
    ----------
    choices : (..., n) array
    labels : (n,) array of 1 and 0
        Of people; their ties are left out before.
    """
    right: NDArray[np.float32] = np.where(labels == 1, choices, 1 - choices).astype(np.float32)
    return right


def accuracies(
    right: NDArray[np.floating],
    weights: NDArray[np.floating],
    clusters: Sequence[str],
    *,
    seed: int,
    resamples: int = 1000,
    flips: int = 1000,
) -> Accuracies:
    """Score predictors of the same trials, and say how sure that is.

    Parameters
    ----------
    right : (cells, n) array
        From :func:`agreement`.
    weights : (n,) array
        How much each trial counts.
    clusters : (n,) sequence of str
        Trials of one cluster are drawn together, and flipped together. All cells share resamples and flips.
    seed, resamples, flips : int

    Raises
    ------
    InputError
        There is no trial.
    """
    if not len(weights):
        raise InputError("no trial to score: people had no preference in any of them")
    values, given = np.asarray(right, np.float64), np.asarray(weights, np.float64)
    score = values @ given / given.sum()
    drawn = resample_weights(clusters, resamples, seed).astype(np.float64) * given
    again = drawn @ values.T / drawn.sum(axis=1, keepdims=True)
    low, high = np.quantile(again, [0.025, 0.975], axis=0)
    null = _flipped(values, given, clusters, flips, seed)
    # The sums of a flip that changes nothing are added up in another order.
    reached = null >= score - 1e-12
    best = null.max(axis=1) if null.size else np.zeros(flips)
    return Accuracies(
        score,
        low,
        high,
        (1 + reached.sum(axis=0)) / (1 + flips),
        (1 + (best[:, None] >= score - 1e-12).sum(axis=0)) / (1 + flips),
        (values == CHANCE).sum(axis=1),
    )


def _flipped(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    clusters: Sequence[str],
    flips: int,
    seed: int,
) -> NDArray[np.float64]:
    """Score every cell under labels of whole clusters turned round at random: (flips, cells)."""
    names, member = np.unique(np.asarray(clusters, object), return_inverse=True)
    above = np.zeros((len(names), len(values)))
    np.add.at(above, member.reshape(-1), (weights * (values - CHANCE)).T)
    signs = np.random.default_rng([seed, 5]).choice([-1.0, 1.0], (flips, len(names)))
    flipped: NDArray[np.float64] = CHANCE + signs @ above / weights.sum()
    return flipped


def person(differences: Sequence[float]) -> float:
    """Return how often one judge agrees with the others: the human ceiling of one trial.

    Each judge's preference is held against the mean of the other judges; a judge without one counts half, and where
    the others have none there is nothing to agree with.

    Parameters
    ----------
    differences : one a judge
        How much higher the judge rated candidate 0.

    Returns
    -------
    float
        Mean over judges; NaN with fewer than two, or where no judge's others prefer anything.

    Examples
    --------
    >>> person([2.0, 1.0, 1.0]), person([1.0, 1.0, -1.0])
    (1.0, 0.0)
    """
    given = np.asarray(differences, np.float64)
    if len(given) < _ENOUGH_JUDGES:
        return float("nan")
    others = np.sign(np.round(given.sum() - given, 9))
    own = np.sign(given)
    told = others != 0
    return float((CHANCE + own[told] * others[told] / 2).mean()) if told.any() else float("nan")


def attainable(
    choices: Sequence[object], labels: NDArray[np.floating], weights: NDArray[np.floating]
) -> float:
    """Return the most that any rule can score that gives one answer to one choice.

    Below 1 where people were asked the same several times and did not agree: the best rule takes the majority.

    Parameters
    ----------
    choices : (n,) sequence
        What is asked; labels are of one order of the candidates.
    labels : (n,) array of 1 and 0
    weights : (n,) array
    """
    _, member = np.unique(np.asarray([str(one) for one in choices], object), return_inverse=True)
    ones = np.bincount(member.reshape(-1), weights=weights * labels)
    total = np.bincount(member.reshape(-1), weights=weights)
    return float(np.maximum(ones, total - ones).sum() / total.sum())


def strengths(
    gaps: NDArray[np.floating], edges: Sequence[float] | None = None
) -> list[tuple[float, float, NDArray[np.bool_]]]:
    """Part trials by how strong people's preference is.

    Parameters
    ----------
    gaps : (n,) array
        NaN where it is not known.
    edges : sequence of float, optional
        Where a bin ends and the next begins; the quartiles of the gaps by default. A gap on an edge is in the upper
        bin.

    Returns
    -------
    list of (low, high, (n,) bool array)
        Smallest and largest gap of each bin that holds any, from weak to strong.
    """
    known = np.isfinite(gaps)
    if not known.any():
        return []
    if edges is None:
        edges = np.quantile(gaps[known], [0.25, 0.5, 0.75]).tolist()
    inner = np.unique(np.asarray(edges, np.float64) - 1e-9)
    place = np.where(known, np.digitize(gaps, inner), -1)
    return [
        (float(gaps[place == one].min()), float(gaps[place == one].max()), place == one)
        for one in range(len(inner) + 1)
        if (place == one).any()
    ]
