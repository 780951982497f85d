"""Gram matrices in float64, by half: what lies above the diagonal is copied from below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = 256

_SMALL = 1e-6

_NO_LENGTH = 1e-12
"""Of a vector whose largest value is 1 or, unscaled, above ``_SMALL``: shorter is only the zero vector."""


def gram(X: Tensor) -> Tensor:
    """Return ``X X'`` of an (n, width) matrix, computing a little more than half of it: (n, n)."""
    n = len(X)
    if X.device.type != "cpu" or n <= _BLOCK:  # one product keeps an accelerator busier
        return X @ X.T
    G = torch.empty((n, n), dtype=X.dtype)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        torch.mm(X[start:stop], X[:stop].T, out=G[start:stop, :stop])
        G[:start, start:stop] = G[start:stop, :start].T
    return G


def unit(X: Tensor) -> Tensor:
    """Return the rows in float64 with length 1; a zero vector stays zero, as near to all as to none."""
    low, high = X.detach().aminmax(dim=1, keepdim=True)
    size = torch.maximum(high.abs(), low.abs()).to(torch.float64)
    rows = X.detach().to(torch.float64, copy=True)
    if not _safe(size):
        rows /= size.clamp_min(torch.finfo(torch.float64).tiny)
    return rows.div_(torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_min_(_NO_LENGTH))


def centred(X: Tensor) -> Tensor:
    """Return X in float64 with each unit's mean taken off; a unit that does not vary is exactly zero.

    If values are so small or large that squares would leave the range of float64, all are over the largest.
    """
    low, high = X.detach().aminmax(dim=0)
    rows = X.detach().to(torch.float64, copy=True)
    size = torch.maximum(high.abs(), low.abs()).to(torch.float64).amax()
    if not _safe(size):
        rows /= size.clamp_min(torch.finfo(torch.float64).tiny)
    rows -= rows.mean(dim=0)
    varies = high != low
    return rows if bool(varies.all()) else rows.mul_(varies)


def _safe(size: Tensor) -> bool:
    """Whether squares of values of these sizes stay well within the range of float64."""
    return bool(((size > _SMALL) & (size < 1 / _SMALL)).all())
