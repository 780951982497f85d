"""CKNNA: centred kernel alignment over mutual nearest neighbours, of every pair of layers.

From Huh, Cheung, Wang and Isola, "The Platonic Representation Hypothesis", ICML 2024, arXiv 2405.07987, as their
published code has it: the cosines of both layers are kept where j is among the k nearest neighbours of i in both,
and the unbiased HSIC of what is kept (Song, Smola, Gretton, Bedo and Borgwardt, JMLR 13, 2012, eq. 5) is divided by
the root of that of each layer with itself.

That quotient is 1 for a layer with itself, but no correlation: the unbiased HSIC is no inner product of what is kept
(with few items and neighbours it may be negative of a layer with itself, and above the root of the two in between), so
that scores a little beyond 1 come about where items are few, such as within a fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from analyses.metrics.inputs import check_layers
from analyses.metrics.neighbours.lists import (
    BLOCK_BYTES,
    Candidates,
    Edges,
    from_list,
    neighbourhoods,
)
from analyses.metrics.neighbours.tables import rows_a_block, views
from analyses.metrics.steps import Steps
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.neighbours.tables import View

FEWEST = 4
"""Items that the unbiased HSIC needs."""

_NONE = 1e-6
"""A layer's HSIC with itself below this share of its first term is the rounding of float32 weights."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """Edges to neighbours and from them, plain and weighted by the cosine, and those that go both ways."""

    to: Edges
    to_cosine: Edges
    by: Edges
    by_cosine: Edges
    both_cosine: Edges

    @property
    def tables(self) -> tuple[Edges, ...]:
        return self.to, self.to_cosine, self.by, self.by_cosine, self.both_cosine


def cknna(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    k: int = 10,
    groups: Sequence[object] | None = None,
    permutations: NDArray[np.int64] | None = None,
    block_bytes: int = BLOCK_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Score every vision layer against every language layer.

    Being a neighbour is not mutual, so that the published score of (A, B) differs a little from that of (B, A): this
    is the mean of the two. A tie at the k-th place counts by its chance of being drawn. A layer whose HSIC with
    itself is not positive, such as one whose vectors are all the same, has no score (NaN).

    Parameters
    ----------
    vision, language, k, groups, permutations, block_bytes, progress
        As :func:`~analyses.metrics.neighbours.mutual_knn.mutual_knn` has them.

    Returns
    -------
    scores : (V, L) array
    null : (K, V, L) array or None
    """
    n = check_layers(vision, language)
    if n < FEWEST:
        raise InputError(f"{n} items: CKNNA needs at least {FEWEST}")
    candidates = Candidates.of(groups, n, k)
    candidates.check(permutations)
    V, L = len(vision), len(language)
    step = Steps(progress, V + L - (-n // rows_a_block(n, 5 * L, block_bytes)))

    def prepare(layers: Sequence[Tensor]) -> list[_Layer]:
        return [step.after(_prepare(layer, k, candidates, block_bytes)) for layer in layers]

    ours, theirs = prepare(vision), prepare(language)
    count = 1 if permutations is None else 1 + len(permutations)
    parts = torch.zeros((4, count, V, L), dtype=torch.float64, device=vision[0].device)
    tables = list(zip(*(layer.tables for layer in theirs), strict=True))
    for view in views(tables, n, permutations, block_bytes, step):
        for v, layer in enumerate(ours):
            parts[:, view.number, v] += _parts(view, layer)
    both, left, right, paths = parts
    hsic = _unbiased(both, left, right, paths, n)
    # A layer with itself; where that is not positive the layer has no score.
    norms = [torch.tensor([_self_hsic(x, n) for x in side]) for side in (ours, theirs)]
    own = (norms[0][:, None] * norms[1]).sqrt().to(hsic.device)
    scores = (hsic / own).cpu().numpy()
    return scores[0], None if permutations is None else scores[1:]


def _prepare(layer: Tensor, k: int, candidates: Candidates, block_bytes: int) -> _Layer:
    found = neighbourhoods(layer, k, candidates, block_bytes)
    to, n = found.edges, len(layer)
    to_cosine = to.with_weights(to.weights * found.cosines)
    # An edge is found again the other way round by its place in the n x n matrix, which ascends in i n + j.
    there, back = to.origins * n + to.ends, to.ends * n + to.origins
    places, order = there.sort()
    at = torch.searchsorted(places, back).clamp_max_(len(places) - 1)
    mutual = places[at] == back
    weights = to_cosine.weights * to.weights[order[at]]
    both = from_list(to.origins[mutual], to.ends[mutual], weights[mutual], n)
    return _Layer(to, to_cosine, to.reverse(), to_cosine.reverse(), both)


def _parts(view: View, layer: _Layer) -> Tensor:
    """Return the sums that HSIC is made of, over a block's items: (4, L) float64.

    With M the mutual neighbours: tr(K L) over M and M', sums of K and of L over M, and the paths 1' K L 1, the mean
    over both orders of K and L.
    """
    to, to_cosine, by, by_cosine, both = (edges.take(view.items) for edges in layer.tables)
    mutual = view.sums(both, 4).sum(dim=0, dtype=torch.float64)
    k_out, l_out = view.sums(to_cosine, 0).double(), view.sums(to, 1).double()
    k_in, l_in = view.sums(by_cosine, 2).double(), view.sums(by, 3).double()
    paths = (k_in * l_out + l_in * k_out).sum(dim=0) / 2
    return torch.stack([mutual, k_out.sum(dim=0), l_out.sum(dim=0), paths])


def _unbiased(both: Tensor, left: Tensor, right: Tensor, paths: Tensor, n: int) -> Tensor:
    return (both + left * right / ((n - 1) * (n - 2)) - 2 * paths / (n - 2)) / (n * (n - 3))


def _self_hsic(layer: _Layer, n: int) -> float:
    """Return the HSIC of a layer with itself, NaN where it is not positive."""
    cosines = layer.to_cosine.weights.double()
    total = cosines.sum()
    there, back = (
        torch.zeros(n, dtype=torch.float64, device=cosines.device).index_add_(
            0, edges.origins, edges.weights.double()
        )
        for edges in (layer.to_cosine, layer.by_cosine)
    )
    weight = layer.both_cosine.weights.double()
    place = layer.both_cosine.origins * n + layer.both_cosine.ends
    places, order = (layer.to.origins * n + layer.to.ends).sort()
    own = layer.to_cosine.weights.double() / layer.to.weights.double()
    both = (weight * own[order[torch.searchsorted(places, place)]]).sum()
    hsic = float(_unbiased(both, total, total, (there * back).sum(), n))
    return hsic if hsic > _NONE * float(both) / (n * (n - 3)) else float("nan")
