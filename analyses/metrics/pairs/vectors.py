"""Pairs of items as vectors: what two layers say of all pairs is compared in one product, under any permutation.

A layer's Gram matrix or RDM is one centred vector of length 1 over the pairs; the score of two layers is the product
of their vectors, and that of whole sides one matrix product. A permutation of the items permutes the pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from vdb.errors import InputError
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

EXCLUDE_GROUP = Parameter(
    "yes", "leave pairs within a group out: duplicates would count", choices=("yes", "no")
)

_PAIRS_A_BLOCK = 2**15
"""Pairs whose vectors are permuted and multiplied at a time on a CPU: they fit in its cache."""

_PAIRS_A_DEVICE_BLOCK = 2**23


@dataclass(frozen=True)
class Pairs:
    """The pairs (i, j), i > j, of some items, without those within a group.

    Attributes
    ----------
    items : (m,) int64 tensor
        The items among all rows.
    member : (m,) int64 tensor
        The group of each as a number.
    diagonal : bool
        Whether to take each item with itself as well.
    """

    items: Tensor
    member: Tensor
    diagonal: bool = False

    @cached_property
    def allowed(self) -> Tensor:
        """Whether two items are a pair, symmetric: (m, m) bool."""
        same = self.member[:, None] == self.member[None, :]
        return same.logical_not_().fill_diagonal_(self.diagonal)

    @cached_property
    def places(self) -> Tensor:
        """Where the pairs lie in the flat m x m matrix: (P,) int64."""
        return self.allowed.tril().reshape(-1).nonzero()[:, 0]

    @cached_property
    def rows(self) -> Tensor:
        """The larger item of each pair, of m: (P,) int64."""
        return self.places // len(self.items)

    @cached_property
    def columns(self) -> Tensor:
        """The smaller item of each pair, of m: (P,) int64."""
        return self.places % len(self.items)

    @cached_property
    def sizes(self) -> Tensor:
        """How many of the items are in the group of each: (m,) int64."""
        return self.groups.bincount()[self.groups]

    @cached_property
    def groups(self) -> Tensor:
        """The group of each item, numbered without gaps: (m,) int64."""
        there = self.member.bincount() > 0
        return (there.cumsum(0) - 1)[self.member]

    def of(self, matrix: Tensor) -> Tensor:
        """Return the values of an (m, m) matrix at the pairs: (P,)."""
        return matrix.reshape(-1).index_select(0, self.places)


def products(vision: Tensor, language: Tensor) -> Tensor:
    """Return the products of (V, P) and (L, P) float32 vectors, summed in float64 over blocks: (V, L).

    NaN where there are no pairs.
    """
    if not vision.shape[1]:
        return vision.new_full((len(vision), len(language)), torch.nan, dtype=torch.float64)
    total = torch.zeros((len(vision), len(language)), dtype=torch.float64, device=vision.device)
    for pairs in _blocks(vision):
        total += vision[:, pairs] @ language[:, pairs].T
    return total


def permuted_products(
    vision: Tensor, language: Tensor, pairs: Pairs, permutations: NDArray[np.int64]
) -> Iterator[Tensor]:
    """Yield the products under each permutation of all n items: (V, L) float64.

    Row i of vision meets row ``permutation[i]`` of language. The side with fewer layers is permuted, in the layout
    in which what all its layers say of a pair is one read.

    Raises
    ------
    InputError
        A permutation parts a group, so that a pair would meet one that was left out.
    """
    n = len(pairs.items)
    table, other = vision.T.contiguous(), language.T.contiguous()
    swap = len(language) < len(vision)
    if swap:
        table, other = other, table
    at = torch.zeros(n * n, dtype=torch.int64, device=vision.device)
    numbers = torch.arange(len(pairs.places), device=vision.device)
    at[pairs.places] = numbers
    at[pairs.columns * n + pairs.rows] = numbers
    for given in permutations:
        order = torch.from_numpy(given).to(vision.device)
        check_keeps(pairs.groups, order)
        if not swap:
            order = order.argsort()
        met = at[order[pairs.rows] * n + order[pairs.columns]]
        total = torch.zeros((table.shape[1], other.shape[1]), dtype=torch.float64, device=at.device)
        for block in _blocks(vision):
            total += table.index_select(0, met[block]).T @ other[block]
        yield total.T if swap else total


def check_keeps(groups: Tensor, order: Tensor) -> None:
    """Check that under a permutation rows of one group stay in one group, and no others join them.

    Parameters
    ----------
    groups : (n,) int64 tensor
        The group of each row, numbered without gaps.
    order : (n,) int64 tensor

    Raises
    ------
    InputError
    """
    count = int(groups.max()) + 1
    meetings = (groups * count + groups[order]).sort().values
    if int((meetings.diff() > 0).sum()) + 1 != count:
        raise InputError("a permutation parts the rows of a group: permute whole groups")


def _blocks(vectors: Tensor) -> Iterator[slice]:
    size = _PAIRS_A_BLOCK if vectors.device.type == "cpu" else _PAIRS_A_DEVICE_BLOCK
    for start in range(0, vectors.shape[1], size):
        yield slice(start, start + size)
