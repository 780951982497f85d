"""The neighbourhoods of a layer as lists of edges: found once, and compared under any permutation of the items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.metrics.inputs import check_groups
from analyses.metrics.pairs.gram import gram, unit
from analyses.metrics.pairs.vectors import check_keeps
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

TIE_TOLERANCE = 1e-12
"""Cosines closer than this are a tie; the rounding of a float64 product is two to three digits below it."""

BLOCK_BYTES = 256 * 2**20
"""Memory for the cosines, or the membership tables, of one block of items."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Weighted edges from m items, in the order of the items: those of item i are ``starts[i]:starts[i + 1]``.

    Attributes
    ----------
    starts : (m + 1,) int64 tensor
    ends : (E,) int64 tensor
        The item an edge goes to.
    weights : (E,) float32 tensor
    """

    starts: Tensor
    ends: Tensor
    weights: Tensor

    @property
    def origins(self) -> Tensor:
        """The item each edge comes from: (E,) int64."""
        items = torch.arange(len(self.starts) - 1, device=self.ends.device)
        return items.repeat_interleave(self.starts.diff(), output_size=len(self.ends))

    def take(self, items: Tensor) -> Edges:
        """Return the edges from these items, in this order."""
        counts = self.starts.diff()[items]
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        shift = (self.starts[items] - starts[:-1]).repeat_interleave(counts)
        chosen = shift + torch.arange(len(shift), device=shift.device)
        return Edges(starts, self.ends[chosen], self.weights[chosen])

    def with_weights(self, weights: Tensor) -> Edges:
        """Return the same edges with other weights."""
        return Edges(self.starts, self.ends, weights.to(torch.float32))

    def reverse(self) -> Edges:
        """Return every edge the other way round."""
        return from_list(self.ends, self.origins, self.weights, len(self.starts) - 1)


def from_list(origins: Tensor, ends: Tensor, weights: Tensor, n: int) -> Edges:
    """Put edges, given in any order, in the order of the n items they come from."""
    order = origins.argsort(stable=True)
    starts = torch.zeros(n + 1, dtype=torch.int64, device=origins.device)
    starts[1:] = origins.bincount(minlength=n).cumsum(0)
    return Edges(starts, ends[order], weights[order].to(torch.float32))


@dataclass(frozen=True, slots=True)
class Neighbourhoods:
    """The k nearest neighbours of every item in one layer.

    Attributes
    ----------
    edges : Edges
        From an item to each of its neighbours; the weight is 1, or less where neighbours tie at the k-th place: the
        chance of being drawn. The weights of one item sum to k.
    cosines : (E,) float64 tensor
        Of the two ends of each edge.
    """

    edges: Edges
    cosines: Tensor


@dataclass(frozen=True, slots=True)
class Candidates:
    """Which items may be neighbours of which: those of another group.

    Attributes
    ----------
    member : (n,) int64 array
        Each item's group as a number.
    counts : (n,) int64 array
        How many candidates each item has.
    """

    member: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, groups: Sequence[object] | None, n: int, k: int) -> Candidates:
        """Find the candidates of n items, and check that each item has more than k."""
        names = np.asarray(check_groups(groups, n), dtype=object)
        _, member, sizes = np.unique(names, return_inverse=True, return_counts=True)
        member = member.reshape(-1).astype(np.int64)
        counts = n - sizes[member]
        if k < 1 or int(counts.min()) <= k:
            raise InputError(
                f"k = {k} neighbours of {n} items: k must be at least 1 and less than the "
                f"{int(counts.min())} candidates that every item has outside its own group"
            )
        return cls(member, counts)

    def check(self, permutations: NDArray[np.int64] | None) -> None:
        """Check that no permutation parts a group, whose rows would then be each other's candidates."""
        member = torch.from_numpy(self.member)
        for order in [] if permutations is None else torch.from_numpy(permutations):
            check_keeps(member, order)


def neighbourhoods(
    layer: Tensor, k: int, candidates: Candidates, block_bytes: int = BLOCK_BYTES
) -> Neighbourhoods:
    """Find the k nearest neighbours of every item by cosine.

    A tie at the k-th place is shared out: each of the tied neighbours counts by its chance of being drawn, so that
    what is linear in the weights is an expectation over random tie-breaking, whatever the order of the rows.

    Parameters
    ----------
    layer : (n, width) floating tensor
    k : int
    candidates : Candidates
    block_bytes : int
        Cosines are taken in blocks of rows, so that one block needs no more memory than this.
    """
    X = unit(layer)
    n = len(X)
    own = torch.from_numpy(candidates.member).to(X.device)
    rows = max(1, min(n, block_bytes // (8 * n)))
    found = []
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        cosine = gram(X) if rows == n else X[start:stop] @ X.T
        cosine.masked_fill_(own[start:stop, None] == own[None, :], -torch.inf)
        found.append(_nearest(cosine, start, k))
    origins, ends, weights, cosines = (torch.cat(part) for part in zip(*found, strict=True))
    edges = from_list(origins, ends, weights, n)
    return Neighbourhoods(edges, cosines[origins.argsort(stable=True)])


def _nearest(cosine: Tensor, first: int, k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return origins, ends, weights and cosines of the edges from the items ``first`` and on."""
    # One more than k: where it is no tie with the k-th, no other candidate is.
    values, ids = cosine.topk(k + 1, dim=1)
    kth = values[:, k - 1]
    loose = values[:, k] >= kth - TIE_TOLERANCE
    clear = (~loose).nonzero()[:, 0]
    origins = clear.repeat_interleave(k)
    ends, cosines = ids[clear, :k].reshape(-1), values[clear, :k].reshape(-1)
    weights = torch.ones(len(ends), dtype=torch.float64, device=ends.device)
    if len(clear) < len(cosine):
        tied = loose.nonzero()[:, 0]
        rest, kth = cosine[tied], kth[tied, None]
        nearer = rest > kth + TIE_TOLERANCE
        at_kth = (rest >= kth - TIE_TOLERANCE) & ~nearer
        share = (k - nearer.sum(dim=1)) / at_kth.sum(dim=1, dtype=torch.float64)
        row, end = (nearer | at_kth).nonzero(as_tuple=True)
        weight = torch.where(nearer[row, end], 1.0, share[row])
        origins, ends = torch.cat([origins, tied[row]]), torch.cat([ends, end])
        weights, cosines = torch.cat([weights, weight]), torch.cat([cosines, rest[row, end]])
    return origins + first, ends, weights, cosines
