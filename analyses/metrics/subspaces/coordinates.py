"""Rows in other coordinates: fewer numbers a row, the same distances; or its main components alone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_NO_VARIANCE = 1e-12
"""Length of centred rows, beside that of the rows, which rounding of their mean explains."""


def coordinates(layer: Tensor) -> Tensor:
    """Return rows whose inner products are those of the centred layer.

    Parameters
    ----------
    layer : (n, width) floating tensor

    Returns
    -------
    (n, min(n, width)) float64 tensor
        The centred layer itself, or, where it is wider than it is long, the R' of the QR decomposition X' = Q R: an
        exact change of axes, without the squares that a Gram matrix would take.
    """
    X = centred_units(layer)
    if X.shape[1] <= X.shape[0]:
        return X
    rows: Tensor = torch.linalg.qr(X.T, mode="r").R.T
    return rows.contiguous()


def centred_units(layer: Tensor) -> Tensor:
    """Return the layer in float64, each unit centred; one that never varies is exactly zero."""
    X = layer.detach().to(torch.float64)
    varies = X.amax(dim=0) != X.amin(dim=0)
    return (X - X.mean(dim=0)) * varies


def same_rows(layer: Tensor) -> NDArray[np.int64]:
    """Return a number for each row, the same where two are one and the same vector: (n,).

    Of the layer as it is given: in other coordinates rounding tells equal rows apart.
    """
    rows = layer.detach().cpu().to(torch.float64).numpy() + 0.0  # -0 is 0
    seen: dict[bytes, int] = {}
    numbers = [seen.setdefault(hashlib.blake2b(row.tobytes()).digest(), len(seen)) for row in rows]
    return np.array(numbers, dtype=np.int64)


def split_rows(rows: Tensor, train: Tensor, test: Tensor) -> tuple[Tensor, Tensor] | None:
    """Centre training and held-out rows by the mean of the training rows; None where the training rows do not vary."""
    inner, outer = rows[train], rows[test]
    mean = inner.mean(dim=0)
    limit = _NO_VARIANCE * torch.linalg.vector_norm(inner)
    inner = inner - mean
    if float(torch.linalg.vector_norm(inner)) <= float(limit):
        return None
    return inner, outer - mean


def within_span(inner: Tensor, outer: Tensor) -> tuple[Tensor, Tensor]:
    """Express rows in as many axes as there are training rows, if there are more: exact for the training rows.

    What held-out rows have outside the span of the training rows is left out: no fit can say anything of it.
    """
    if inner.shape[1] <= inner.shape[0]:
        return inner, outer
    axes, R = torch.linalg.qr(inner.T)
    return R.T, outer @ axes


def main_axes(inner: Tensor, most: int, variance: float = 0.0) -> Tensor:
    """Return the directions of most variance of centred rows.

    Parameters
    ----------
    inner : (n, r) float64 tensor
    most : int
        At most so many; fewer where the rows span fewer.
    variance : float
        Stop where this share of the variance is reached; 0 for never.

    Returns
    -------
    (r, components) float64 tensor
        Orthonormal columns, of most variance first.
    """
    wide = inner.shape[1] > inner.shape[0]
    values, vectors = torch.linalg.eigh(inner @ inner.T if wide else inner.T @ inner)
    values, vectors = values.flip(0), vectors.flip(1)
    rank = spanned(values)
    count = min(most, rank)
    if variance > 0:
        share = values[:rank].cumsum(0) / values[:rank].sum()
        # The last share is 1 but for rounding, which must not ask for one component more than there are.
        count = min(count, int((share < variance - 1e-12).sum()) + 1)
    axes: Tensor = vectors[:, :count]
    return inner.T @ (axes / values[:count].sqrt()) if wide else axes


def spanned(values: Tensor) -> int:
    """Count the eigenvalues, largest first, that rounding does not explain."""
    tolerance = torch.finfo(values.dtype).eps * len(values)
    return int((values > values[0] * tolerance).sum())
