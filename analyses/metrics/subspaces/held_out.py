"""Maps whose scores are held out: something is fitted to the training rows of a fold, and scored on the others.

What can be done once is done once: reducing a layer serves all folds, staging it all permutations, preparing it all
layers of the other side. What is left of a pair is what the method's ``score`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import torch

from analyses.metrics.folds import MIN_FOLDS, check_folds, folds_of
from analyses.metrics.inputs import check_groups, check_layers
from analyses.metrics.metric import SYMMETRIC, Direction, MetricMap, asked
from analyses.metrics.subspaces.coordinates import same_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    Progress = Callable[[int, int], None]

Reduced = TypeVar("Reduced")
Staged = TypeVar("Staged")
Prepared = TypeVar("Prepared")


class Method(Protocol[Reduced, Staged, Prepared]):
    """A symmetric metric that is fitted: the score from left to right is the score from right to left."""

    @property
    def rows_a_fold(self) -> int:
        """Rows that a held-out score needs."""
        ...

    def reduce(self, layer: Tensor) -> Reduced:
        """Do what concerns all rows, once a layer."""
        ...

    def stage(self, reduced: Reduced, train: Tensor) -> Staged:
        """Do what concerns the fold and serves every permutation of its rows, once a layer and fold."""
        ...

    def prepare(self, staged: Staged, train: Tensor, test: Tensor) -> Prepared | None:
        """Fit to the rows ``train`` what needs no other layer; None where that cannot be, or ``test`` be scored.

        Several rows that are all one vector, in ``train`` or ``test``, do not come here.
        """
        ...

    def score(self, one: Prepared, others: Sequence[Prepared]) -> Tensor:
        """Score one layer of the left with each of the right: (L,) float64."""
        ...


def held_out_map(
    method: Method[Reduced, Staged, Prepared],
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None,
    folds: int,
    seed: int,
    directions: Sequence[Direction] | None,
    permutations: NDArray[np.int64] | None,
    progress: Progress | None,
    facts: Mapping[str, int | str] | None = None,
) -> dict[str, MetricMap]:
    """Score every vision layer with every language layer, fold by fold, and under each permutation.

    Parameters are those of :class:`~analyses.metrics.metric.Compute`. A permuted language side keeps what was reduced
    and staged; row ``permutations[k, i]`` takes the place of row i in training and held-out rows alike.

    Returns
    -------
    dict
        ``symmetric``: scores are means over folds, NaN where a layer has no variance in some fold.

    Raises
    ------
    InputError
        If layers, groups, folds or directions cannot be used.
    """
    asked(directions, SYMMETRIC)
    rows = check_layers(vision, language)
    if folds >= MIN_FOLDS:
        check_folds(check_groups(groups, rows), folds, method.rows_a_fold)
    assigned = folds_of(groups, rows, folds, seed)
    device = vision[0].device
    orders = [np.arange(rows), *(() if permutations is None else permutations)]
    left = [(method.reduce(layer), same_rows(layer)) for layer in vision]
    right = [(method.reduce(layer), same_rows(layer)) for layer in language]
    scores = np.full((len(orders), len(left), len(right), folds), np.nan)
    steps, done = folds * len(orders) * len(left), 0
    for fold in range(folds):
        held = assigned == fold
        split = np.flatnonzero(~held), np.flatnonzero(held)
        train, test = (torch.from_numpy(part).to(device) for part in split)
        ones = [
            method.prepare(method.stage(one, train), train, test) if _vary(same, split) else None
            for one, same in left
        ]
        staged = [(method.stage(other, train), same) for other, same in right]
        for k, order in enumerate(orders):
            parts = [order[part] for part in split]
            moved = [torch.from_numpy(part).to(device) for part in parts]
            others = [
                method.prepare(other, moved[0], moved[1]) if _vary(same, parts) else None
                for other, same in staged
            ]
            usable = [other for other in others if other is not None]
            at = [j for j, other in enumerate(others) if other is not None]
            for i, one in enumerate(ones):
                if one is not None and usable:
                    scores[k, i, at, fold] = method.score(one, usable).cpu().numpy()
                done += 1
                if progress is not None:
                    progress(done, steps)
    means = scores.mean(axis=3)
    null = None if permutations is None else means[1:]
    return {"symmetric": MetricMap(means[0], scores[0], null=null, facts=facts or {})}


def _vary(same: NDArray[np.int64], parts: Sequence[NDArray[np.int64]]) -> bool:
    """Whether the rows of each part are several vectors; of a single row nothing can be told."""
    return all(len(rows) < 2 or (same[rows] != same[rows[0]]).any() for rows in parts)  # noqa: PLR2004
