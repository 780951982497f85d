"""One cell under each alteration: scores that share their resamples, so that every difference of them is paired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.controls import mismatch
from analyses.metrics.cells import score_cells
from analyses.metrics.folds import folds_of
from analyses.metrics.inference.bootstrap import bootstrap_intervals
from analyses.metrics.inference.paired import Difference, of_resamples, paired
from analyses.metrics.ridge.transfer import transfer_predictions
from analyses.perturbation.fits import TRANSFER
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics import ChosenMetric, Direction
    from analyses.metrics.inference.bootstrap import Interval
    from analyses.perturbation.variants import Alteration
    from analyses.perturbation.vectors import Vectors

    Scores = dict[Direction, Interval]


@dataclass(frozen=True, slots=True)
class CellScores:
    """By direction, all over the same resamples of the same groups.

    Attributes
    ----------
    original : mapping of direction to Interval
    altered : mapping of (Alteration, fit) to mapping of direction to Interval
    floors : mapping of (Alteration or None, fit) to mapping of direction to Interval
        Of mismatched pairs of the same rows under the same alteration (None: of the originals) and fit: what a collapse
        to nothing would score there. Empty where rows cannot be mismatched.
    """

    original: Scores
    altered: Mapping[tuple[Alteration, str], Scores]
    floors: Mapping[tuple[Alteration | None, str], Scores]

    def floor(self, one: Alteration | None, fit: str, direction: Direction) -> Interval | None:
        """Return the floor of an alteration, or of the originals; None where there is none."""
        return self.floors.get((one, fit), {}).get(direction)


def score(
    metric: ChosenMetric,
    vectors: Vectors,
    members: Sequence[Alteration],
    fits: Sequence[str],
    *,
    folds: int,
    seed: int,
) -> CellScores:
    """Score one cell's originals, each alteration by each fit, and mismatched pairs of all of them.

    Parameters
    ----------
    vectors : Vectors
        Of one layer a side.
    """
    originals = _layer(vectors.originals)
    pairs = [originals, *(_layer(vectors.under(one)) for one in members)]
    partner = partners(vectors.groups, seed)
    wrong = [] if partner is None else _mismatched(pairs, partner)
    asked = [*pairs[1:], *wrong]
    again = any(fit != TRANSFER for fit in fits)
    conditions = [[one] for one in (originals, *(asked if again else ()))]
    first, *refitted = score_cells(metric, conditions, vectors.groups, folds=folds, seed=seed)
    altered: dict[tuple[Alteration, str], Scores] = {}
    floors: dict[tuple[Alteration | None, str], Scores] = {}
    for fit in fits:
        found = refitted
        if fit == TRANSFER:
            found = _transferred(originals, asked, vectors.groups, folds, seed)
        altered |= {(one, fit): scores for one, scores in zip(members, found, strict=False)}
        if wrong:
            below = zip((None, *members), found[len(members) :], strict=True)
            floors |= {(one, fit): scores for one, scores in below}
    return CellScores(first, altered, floors)


def partners(groups: Sequence[str], seed: int) -> NDArray[np.int64] | None:
    """Draw a row of another group for each; None where one group holds more than half of the rows."""
    try:
        return mismatch(groups, seed)
    except InputError:
        return None


def _layer(sides: tuple[list[Tensor], list[Tensor]]) -> tuple[Tensor, Tensor]:
    [x], [y] = sides
    return x, y


def _mismatched(
    pairs: Sequence[tuple[Tensor, Tensor]], partner: NDArray[np.int64]
) -> list[tuple[Tensor, Tensor]]:
    """Turn the language side of each pair; what was one tensor stays one, and is worked through once."""
    rows = torch.from_numpy(partner)
    turned = {id(y): y.index_select(0, rows.to(y.device)) for _, y in pairs}
    return [(x, turned[id(y)]) for x, y in pairs]


def _transferred(
    originals: tuple[Tensor, Tensor],
    pairs: Sequence[tuple[Tensor, Tensor]],
    groups: Sequence[str],
    folds: int,
    seed: int,
) -> list[Scores]:
    """Score the originals' maps on other rows, over the resamples that :func:`score_cells` draws too."""
    assigned = folds_of(groups, len(groups), folds, seed)

    def one(source: Tensor, target: Tensor, under: list[tuple[Tensor, Tensor]]) -> list[Interval]:
        turned = {id(x): x for x, _ in under if x is not source}
        own, *others = transfer_predictions(source, target, list(turned.values()), assigned)
        predicted = dict(zip(turned, others, strict=True)) | {id(source): own}
        drawn = [[(predicted[id(x)], y)] for x, y in under]
        return bootstrap_intervals(drawn, assigned, groups, seed=seed)

    v, t = originals
    there = one(v, t, list(pairs))
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


def retained(
    altered: Sequence[Interval],
    floors: Sequence[Interval | None],
    original: Interval,
    floor: Interval | None,
) -> Retained:
    """Return what is left above the floor, of one alteration or of several on average, over the shared resamples.

    (altered - its floor) / (original - its floor). Not defined unless the originals lie above the floor, the whole
    interval of that difference: a share of nothing says nothing.
    """
    below = [one for one in floors if one is not None]
    if floor is None or len(below) < len(altered):
        return NOTHING
    whole = paired(original, floor)
    if not whole.low > 0:
        return NOTHING
    left = _mean([paired(one, under) for one, under in zip(altered, below, strict=True)])
    share = left.estimate / whole.estimate
    bound = of_resamples(share, left.resamples / whole.resamples, whole.confidence)
    return Retained(share, bound.low, bound.high)


def mean_delta(altered: Sequence[Interval], original: Interval) -> Difference:
    """Average the deltas of several alterations, resample by resample."""
    return _mean([paired(one, original) for one in altered])


def _mean(every: Sequence[Difference]) -> Difference:
    return of_resamples(
        float(np.mean([one.estimate for one in every])),
        np.mean([one.resamples for one in every], axis=0),
        every[0].confidence,
    )


def less(first: Difference, second: Difference) -> Difference:
    """Return the difference of two deltas over the same resamples."""
    return of_resamples(
        first.estimate - second.estimate, first.resamples - second.resamples, first.confidence
    )
