"""Symmetric matrices as the lower triangle of their blocks: half of the storage, and half of every product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

BLOCKS = 8
"""A row of blocks is one product: more blocks save a little more of the upper half, in products that are slower."""


def size(n: int) -> int:
    """Return the number of entries that a packed (n, n) matrix has."""
    return sum((stop - start) * stop for start, stop in _spans(n))


def pack(matrix: Tensor, *, doubled: bool = False) -> Tensor:
    """Return the rows of lower blocks of an (n, n) matrix, one after the other.

    ``doubled`` counts what lies left of a diagonal block twice, so that the product of a packed and a doubled packed
    matrix is the inner product of the whole ones.
    """
    rows = []
    for start, stop in _spans(len(matrix)):
        row = matrix[start:stop, :stop].clone(memory_format=torch.contiguous_format)
        if doubled:
            row[:, :start] *= 2
        rows.append(row.reshape(-1))
    return torch.cat(rows)


def outer_packed(matrix: Tensor, out: Tensor) -> Tensor:
    """Write the packed ``matrix @ matrix.T`` to ``out``, (size(n),)."""
    at = 0
    for start, stop in _spans(len(matrix)):
        count = (stop - start) * stop
        block = out[at : at + count].view(stop - start, stop)
        torch.matmul(matrix[start:stop], matrix[:stop].T, out=block)
        at += count
    return out


def _spans(n: int) -> Iterator[tuple[int, int]]:
    step = -(-n // BLOCKS)
    for start in range(0, n, step):
        yield start, min(start + step, n)
