"""Linear predictivity: how well ridge regression from one layer predicts the units of another, held out.

The score of a cell is Pearson's r between prediction and truth over the held-out rows, averaged over target units
and then over folds. The whole layer x layer map shares one factorisation for each (source layer, fold): see
:mod:`analyses.metrics.ridge.source`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.metrics.folds import MIN_FOLDS, assign_folds
from analyses.metrics.inputs import check_groups, check_layers
from analyses.metrics.ridge.selection import Rule, TargetGrams, Weighed, select
from analyses.metrics.ridge.source import (
    Scale,
    check_alphas,
    factorise,
    factorise_all,
    operator,
)
from analyses.metrics.ridge.targets import hold_out, prepare_target
from analyses.metrics.ridge.unit_scores import PerUnit, Shared
from analyses.metrics.steps import Steps
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.ridge.targets import Target

    Progress = Callable[[int, int], None]
    Chooser = Shared | PerUnit

DEFAULT_ALPHAS: tuple[float, ...] = tuple(float(a) for a in np.logspace(-1, 8, 10))
"""Ridge strengths, a decade apart, for a z-scored source.

The eigenvalues of a z-scored Gram matrix of n rows and D units sum to n D, so none passes n D, about 1e7 for the
largest layers in use, and their mean is D, a few hundred to thousands. At 1e8 every direction is shrunk alike, which
r does not see; below 0.1 hardly any direction is shrunk, and a smaller alpha changes nothing. A decade is fine
enough: the leave-one-out error is flat around its minimum.
"""

ROWS_A_FOLD = 2
"""Pearson's r over the held-out rows is not defined for fewer."""

INNER_FOLDS = 5
"""Of the training rows, where alpha is chosen by inner folds; fewer where there are fewer groups."""

MEMORY = 2**29
"""Bytes of factorised and weighed sources that are kept at a time: what is prepared of a target serves all of them."""


@dataclass(frozen=True, slots=True)
class LinearPredictivity:
    """The map of one direction: S source layers, T target layers, k folds.

    Attributes
    ----------
    scores : (S, T) float64 array
        Mean over folds.
    fold_scores : (S, T, k) float64 array
        Mean of Pearson's r over the target units that vary in the held-out rows; NaN where none does.
    alphas : (S, T, k) float64 array
        The strength that leave-one-out chose on the training rows, one for all units of a target.
    grid : tuple of float
        The strengths it chose from.
    dropped_source : (S, k) int64 array
        Source units without variance in the training rows, left out of the regression.
    dropped_target : (T, k) int64 array
        Target units without variance in the held-out rows, for which r is not defined.
    null : (K, S, T) float64 array or None
        The scores under each permutation that was asked for.
    """

    scores: NDArray[np.float64]
    fold_scores: NDArray[np.float64]
    alphas: NDArray[np.float64]
    grid: tuple[float, ...]
    dropped_source: NDArray[np.int64]
    dropped_target: NDArray[np.int64]
    null: NDArray[np.float64] | None = None

    @property
    def on_edge(self) -> NDArray[np.bool_]:
        """Where alpha is the smallest or the largest of the grid, so that a wider grid might choose another."""
        return np.isin(self.alphas, [min(self.grid), max(self.grid)])


@dataclass(frozen=True, slots=True)
class Predictions:
    """Held-out predictions of one cell.

    Attributes
    ----------
    predicted : (n, T) float64 tensor
        Each row predicted by the fold that did not see it.
    folds : (n,) int64 array
        The fold that held each row out.
    alphas : (k,) float64 array
    """

    predicted: Tensor
    folds: NDArray[np.int64]
    alphas: NDArray[np.float64]


def linear_predictivity(
    sources: Sequence[Tensor],
    targets: Sequence[Tensor],
    folds: NDArray[np.int64],
    *,
    alphas: Sequence[float] = DEFAULT_ALPHAS,
    scale: Scale = "zscore",
    progress: Progress | None = None,
) -> LinearPredictivity:
    """Score every source layer against every target layer.

    Parameters
    ----------
    sources : S tensors of (n, width)
        Predict from these.
    targets : T tensors of (n, width)
        Predict these. Widths may differ from layer to layer.
    folds : (n,) int array
        The fold of each row, as :func:`~analyses.metrics.folds.assign_folds` gives it.
    alphas : sequence of float
        Ridge strengths to choose from.
    scale : {"zscore", "none"}
        What each source unit is divided by: its standard deviation over the training rows, or nothing.
    progress : callable, optional
        Told the number of (fold, source layer) steps done, and of all.

    Raises
    ------
    InputError
        If layers, folds or alphas cannot be used.
    """
    check_layers(sources, targets)
    prepared = [prepare_target(target) for target in targets]
    return score_map(
        sources, prepared, folds, alphas=alphas, scale=scale, progress=progress or _silent
    )


def score_map(
    sources: Sequence[Tensor],
    targets: Sequence[Target],
    folds: NDArray[np.int64],
    *,
    alphas: Sequence[float],
    scale: Scale,
    progress: Progress,
    select: Rule = "loo",
    per_unit: bool = False,
    groups: Sequence[object] | None = None,
    permutations: NDArray[np.int64] | None = None,
    batched: bool | None = None,
) -> LinearPredictivity:
    """Score a map whose targets are prepared and whose layers are checked.

    Parameters
    ----------
    select : {"loo", "gcv", "inner"}
        What chooses alpha; see :mod:`analyses.metrics.ridge.selection`. ``inner`` keeps rows of one of the ``groups``
        together.
    per_unit : bool
        Choose an alpha for each target unit; ``alphas`` of the result are then medians over units.
    permutations : (K, n) int array, optional
        Target rows: source row i against target row ``permutations[k, i]``. Folds stay with the source's rows, so
        that each source is factorised and weighed once for all of them.
    batched : bool, optional
        See :func:`~analyses.metrics.ridge.source.factorise_all`.
    """
    grid = check_alphas(alphas)
    splits = list(splits_of(folds, sources[0].device))
    drawn = [np.arange(len(folds)), *(() if permutations is None else permutations)]
    orders = [torch.from_numpy(np.asarray(order)).to(sources[0].device) for order in drawn]
    shape = (len(orders), len(sources), len(targets), len(splits))
    scores, chosen = np.zeros(shape), np.zeros(shape)
    dropped_source = np.zeros((shape[1], shape[3]), dtype=np.int64)
    dropped_target = np.zeros((shape[2], shape[3]), dtype=np.int64)
    steps = Steps(progress, shape[0] * shape[1] * shape[3])
    grams = [target.gram for target in targets]
    size = sources_together(len(folds), len(grid))
    for k, (train, test) in enumerate(splits):
        inner = inner_rows(groups, train, len(folds)) if select == "inner" else []
        for first in range(0, len(sources), size):
            layers = [layer.detach() for layer in sources[first : first + size]]
            fitted = factorise_all(layers, train, test, scale, batched=batched)
            choosers: list[Chooser] = [
                PerUnit(source, grid, select, inner)
                if per_unit
                else Shared(Weighed.of(source, grid, select, inner))
                for source in fitted
            ]
            for p, order in enumerate(orders):
                rows, out = order[train], order[test]
                paired = None if per_unit else TargetGrams.of(grams, rows)
                held_out = [hold_out(target.values, rows, out) for target in targets]
                if not p:
                    dropped_target[:, k] = [held.test.shape[1] - held.varying for held in held_out]
                for i, chooser in enumerate(choosers, start=first):
                    scores[p, i, :, k], chosen[p, i, :, k] = chooser.score(held_out, paired)
                    steps()
            dropped_source[first : first + size, k] = [source.dropped for source in fitted]
    return LinearPredictivity(
        scores[0].mean(axis=2),
        scores[0],
        chosen[0],
        grid,
        dropped_source,
        dropped_target,
        None if permutations is None else scores[1:].mean(axis=3),
    )


def inner_rows(groups: Sequence[object] | None, train: Tensor, rows: int) -> list[Tensor]:
    """Deal whole groups of training rows to inner folds: positions in ``train`` of each."""
    names = check_groups(groups, rows)
    ours = [names[i] for i in train.tolist()]
    assigned = assign_folds(ours, min(INNER_FOLDS, len(set(ours))), seed=0)
    return [
        torch.from_numpy(np.flatnonzero(assigned == fold)).to(train.device)
        for fold in np.unique(assigned)
    ]


def sources_together(rows: int, alphas: int) -> int:
    """Return how many sources are kept factorised and weighed at a time."""
    return max(1, MEMORY // (rows * rows * (12 + 3 * alphas)))


def predict_held_out(
    sources: Sequence[Tensor],
    targets: Sequence[Tensor],
    folds: NDArray[np.int64],
    *,
    alphas: Sequence[float] = DEFAULT_ALPHAS,
    scale: Scale = "zscore",
) -> list[Predictions]:
    """Return the held-out predictions of single cells, or of draws of one, in the targets' own units.

    Source i predicts target i; what is the same object in several places is prepared once. All else is as in
    :func:`linear_predictivity`.
    """
    check_layers(sources, targets)
    if len(sources) != len(targets):
        raise InputError(f"{len(sources)} sources given for {len(targets)} targets: each needs one")
    grid = check_alphas(alphas)
    cells: dict[int, list[int]] = {}
    for i, source in enumerate(sources):
        cells.setdefault(id(source), []).append(i)
    distinct = {id(target): target for target in targets}
    place = {name: at for at, name in enumerate(distinct)}
    at = [place[id(target)] for target in targets]
    values = [target.detach().to(torch.float64) for target in distinct.values()]
    grams = [prepare_target(target).gram for target in values]
    predicted = [torch.empty_like(values[i]) for i in at]
    chosen: list[list[float]] = [[] for _ in targets]
    for train, test in splits_of(folds, sources[0].device):
        every = TargetGrams.of(grams, train)
        centres = [Y[train].mean(dim=0) for Y in values]
        training = [Y[train] - centre for Y, centre in zip(values, centres, strict=True)]
        for members in cells.values():
            fitted = factorise(sources[members[0]].detach(), train, test, scale)
            best = select(fitted, grid, every.of_targets([at[i] for i in members])).tolist()
            operators = {choice: operator(fitted, grid[choice]) for choice in set(best)}
            for i, choice in zip(members, best, strict=True):
                predicted[i][test] = operators[choice] @ training[at[i]] + centres[at[i]]
                chosen[i].append(grid[choice])
    assigned = np.asarray(folds, dtype=np.int64)
    return [Predictions(P, assigned, np.asarray(c)) for P, c in zip(predicted, chosen, strict=True)]


def splits_of(folds: NDArray[np.int64], device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield training and held-out row indices, fold by fold."""
    assigned = np.asarray(folds)
    names, sizes = np.unique(assigned, return_counts=True)
    if len(names) < MIN_FOLDS or int(sizes.min()) < ROWS_A_FOLD:
        raise InputError(
            f"{len(names)} folds of {len(assigned)} items, the smallest of {min(sizes, default=0)}: linear "
            "predictivity needs at least two folds of at least two rows each; use fewer folds or more items"
        )
    for name in names:
        held = assigned == name
        yield (
            torch.from_numpy(np.flatnonzero(~held)).to(device),
            torch.from_numpy(np.flatnonzero(held)).to(device),
        )


def _silent(done: int, total: int) -> None:
    """Report to nobody."""
