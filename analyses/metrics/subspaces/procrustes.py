"""Procrustes similarity, held out: how alike two layers are after the best rotation of one onto the other.

In each fold both layers are centred by their training mean and scaled to unit length, and the rotation Q that minimises
``|X Q - Y|`` is fitted to the training rows: the polar factor of ``X'Y`` (Schoenemann, Psychometrika 31, 1966). The
score is the cosine ``<X Q, Y> / (|X| |Y|)`` of the held-out rows, 1 where rotation and scale are all that differs. Its
arc cosine is the angular Procrustes distance of Williams et al., ``2 - 2 score`` the squared distance of the layers
scaled to unit length. In sample the cosine is the nuclear norm of ``X'Y`` and far above 0 for any data of high
dimension; held out it is about 0 for layers that have nothing to do with each other.

The narrower of two layers counts as padded with zeros. Directions in which the training rows say nothing are mapped to
zero, not to an arbitrary completion of Q; what held-out rows have there still counts in their length.

A pair costs a singular value decomposition of at most the training rows or the units, whichever are fewer, in every
fold: .2 s on one core for 800. ``components`` makes it as small as one likes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from analyses.metrics.metric import Metric
from analyses.metrics.subspaces.coordinates import coordinates, main_axes, split_rows, within_span
from analyses.metrics.subspaces.held_out import held_out_map
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.metric import Direction, MetricMap

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rows:
    """One layer in one fold, of unit length: (n_train, r) and (n_test, r) float64, r at most n_train."""

    train: Tensor
    test: Tensor


@dataclass(frozen=True, slots=True)
class Procrustes:
    """The method; ``components`` keeps so many main components of each layer, 0 all."""

    components: int = 0
    rows_a_fold: int = 1

    def reduce(self, layer: Tensor) -> Tensor:
        """Turn the layer into its n coordinates at most."""
        return coordinates(layer)

    def stage(self, reduced: Tensor, train: Tensor) -> Tensor:  # noqa: ARG002 - the protocol's
        """Leave the layer as it is: centring and length depend on the rows alone."""
        return reduced

    def prepare(self, staged: Tensor, train: Tensor, test: Tensor) -> Rows | None:
        """Centre by the training mean, scale to unit length."""
        split = split_rows(staged, train, test)
        if split is None:
            return None
        inner, outer = split
        if self.components:
            axes = main_axes(inner, self.components)
            inner, outer = inner @ axes, outer @ axes
        length = torch.linalg.vector_norm(outer)
        if float(length) == 0:
            return None
        inner, outer = within_span(inner, outer)
        return Rows(inner / torch.linalg.vector_norm(inner), outer / length)

    def score(self, one: Rows, others: Sequence[Rows]) -> Tensor:
        """Rotate and compare: one cross product and one singular value decomposition a pair."""
        return torch.stack([_cosine(one, other) for other in others])


def _cosine(one: Rows, other: Rows) -> Tensor:
    cross = one.train.T @ other.train
    U, values, Vh = torch.linalg.svd(cross, full_matrices=False)
    # A direction that rounding alone explains has no rotation.
    known = values > values[0] * max(cross.shape) * torch.finfo(values.dtype).eps
    cosine: Tensor = ((one.test @ U) * (other.test @ Vh.T))[:, known].sum()
    return cosine


def procrustes_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    components: int = 0,
) -> dict[str, MetricMap]:
    """Compute the map: the held-out cosine after rotation, mean over folds; see the module."""
    return held_out_map(
        Procrustes(components),
        vision,
        language,
        groups=groups,
        folds=folds,
        seed=seed,
        directions=directions,
        permutations=permutations,
        progress=progress,
    )


PROCRUSTES = Metric(
    name="procrustes",
    title="Procrustes similarity (cosine)",
    range=(-1.0, 1.0),
    invariances=("rotation", "scale of all units at once", "shift"),
    source="Williams, Kunz, Kornblith and Linderman, NeurIPS 2021, arXiv 2110.14739",
    directional=False,
    bias="About 0 on independent data: the rotation is held out (in sample .8 and more).",
    correction="none needed; a permutation null bounds the best of many cells, at the cost of a map each",
    compute=procrustes_maps,
    parameters={"components": Parameter(0, "main components kept of each layer, 0 for all", low=0)},
    permutations=0,
)
