"""One cell under each alteration: scores that share their resamples, so that every difference of them is paired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.controls import mismatch
from analyses.metrics.cells import score_cells
from analyses.metrics.folds import folds_of
from analyses.metrics.paired import Difference, of_resamples, paired
from analyses.metrics.statistics import bootstrap_intervals
from analyses.metrics.transfer import transfer_predictions
from analyses.perturbation.fits import TRANSFER
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from analyses.metrics import ChosenMetric, Direction
    from analyses.metrics.statistics import Interval
    from analyses.perturbation.variants import Alteration
    from analyses.perturbation.vectors import Vectors

    Scores = dict[Direction, Interval]


@dataclass(frozen=True, slots=True)
class CellScores:
    """By direction, all over the same resamples of the same groups.

    Attributes
    ----------
    original : mapping of direction to Interval
    floor : mapping of direction to Interval
        Of mismatched pairs of the same rows: what a collapse to nothing would score. Empty where rows cannot be
        mismatched.
    altered : mapping of (Alteration, fit) to mapping of direction to Interval
    """

    original: Scores
    floor: Scores
    altered: Mapping[tuple[Alteration, str], Scores]


def score(
    metric: ChosenMetric,
    vectors: Vectors,
    members: Sequence[Alteration],
    fits: Sequence[str],
    *,
    folds: int,
    seed: int,
) -> CellScores:
    """Score one cell's originals, its mismatched pairs, and each alteration by each fit.

    Parameters
    ----------
    vectors : Vectors
        Of one layer a side.
    """
    [v], [t] = vectors.originals
    again = [fit for fit in fits if fit != TRANSFER]
    conditions = [(v, t)]
    wrong = _mismatched(vectors.groups, t, seed)
    if wrong is not None:
        conditions.append((v, wrong))
    first = len(conditions)
    for one in members if again else ():
        [x], [y] = vectors.under(one)
        conditions.append((x, y))
    scored = list(
        score_cells(metric, [[one] for one in conditions], vectors.groups, folds=folds, seed=seed)
    )
    altered: dict[tuple[Alteration, str], Scores] = {}
    for fit in fits:
        found = scored[first:]
        if fit == TRANSFER:
            found = _transferred(vectors, members, folds, seed)
        altered |= {(one, fit): scores for one, scores in zip(members, found, strict=True)}
    return CellScores(scored[0], scored[1] if wrong is not None else {}, altered)


def _mismatched(groups: Sequence[str], language: Tensor, seed: int) -> Tensor | None:
    try:
        partner = mismatch(groups, seed)
    except InputError:  # one group holds more than half of the rows
        return None
    return language.index_select(0, torch.from_numpy(partner).to(language.device))


def _transferred(
    vectors: Vectors, members: Sequence[Alteration], folds: int, seed: int
) -> list[Scores]:
    """Score the originals' maps on altered rows, over the resamples that :func:`score_cells` draws too."""
    assigned = folds_of(vectors.groups, len(vectors.groups), folds, seed)
    pairs = [(x, y) for [x], [y] in (vectors.under(one) for one in members)]
    [v], [t] = vectors.originals

    def one(source: Tensor, target: Tensor, under: list[tuple[Tensor, Tensor]]) -> list[Interval]:
        turned = [x for x, _ in under if x is not source]
        own, *others = transfer_predictions(source, target, turned, assigned)
        after = iter(others)
        drawn = [[(own if x is source else next(after), y)] for x, y in under]
        return bootstrap_intervals(drawn, assigned, vectors.groups, seed=seed)

    there = one(v, t, pairs)
    back = one(t, v, [(y, x) for x, y in pairs])
    return [
        {"vision->language": a, "language->vision": b} for a, b in zip(there, back, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Retained:
    """Share of the alignment above the floor that an alteration leaves; NaN where it is not defined."""

    share: float
    low: float
    high: float


NOTHING = Retained(float("nan"), float("nan"), float("nan"))


def retained(altered: Interval, original: Interval, floor: Interval | None) -> Retained:
    """Return (altered - floor) / (original - floor) with its interval over the shared resamples.

    Not defined unless the originals lie above the floor, the whole interval of that difference: a share of nothing
    says nothing.
    """
    if floor is None:
        return NOTHING
    whole = paired(original, floor)
    if not whole.low > 0:
        return NOTHING
    shares = (altered.resamples - floor.resamples) / whole.resamples
    share = (altered.estimate - floor.estimate) / whole.estimate
    bound = of_resamples(share, shares, whole.confidence)
    return Retained(share, bound.low, bound.high)


def mean_delta(altered: Sequence[Interval], original: Interval) -> Difference:
    """Average the deltas of several alterations, resample by resample."""
    every = [paired(one, original) for one in altered]
    return of_resamples(
        float(np.mean([one.estimate for one in every])),
        np.mean([one.resamples for one in every], axis=0),
        original.confidence,
    )


def less(first: Difference, second: Difference) -> Difference:
    """Return the difference of two deltas over the same resamples."""
    return of_resamples(
        first.estimate - second.estimate, first.resamples - second.resamples, first.confidence
    )
