"""Gram matrices in float64, by half: what lies above the diagonal is copied from below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = 256


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


def scaled(X: Tensor, *, rows: bool) -> Tensor:
    """Return X in float64 over its largest absolute value, that of each row or of all: squares stay in range."""
    X = X.detach().to(torch.float64)
    size = X.abs().amax(dim=1, keepdim=True) if rows else X.abs().amax()
    return X / size.clamp_min(torch.finfo(torch.float64).tiny)


def unit(X: Tensor) -> Tensor:
    """Return the rows in float64 with length 1; a zero vector stays zero, as near to all as to none."""
    return torch.nn.functional.normalize(scaled(X, rows=True), dim=1)


def centred(X: Tensor) -> Tensor:
    """Return X scaled, in float64, with each unit's mean taken off; a unit that does not vary is exactly zero."""
    X = scaled(X, rows=False)
    return torch.where(X.amax(dim=0) != X.amin(dim=0), X - X.mean(dim=0), 0.0)
