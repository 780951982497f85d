"""The source side of dual ridge regression, prepared once for each (source layer, fold).

With K = U diag(s) U' the centred Gram matrix of the training rows, ridge at strength alpha leaves the residuals
G Y, where G = U diag(alpha / (s + alpha)) U', and predicts held-out rows by H Y, where
H = K_test U diag(1 / (s + alpha)) U'. Neither knows the target, so one factorisation serves every
target layer. How alpha is chosen is said in :mod:`analyses.metrics.ridge.selection`.

The intercept is not penalised: the direction of ones has residual zero, whatever alpha is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Scale = Literal["zscore", "none", "each-split"]


@dataclass(frozen=True, slots=True)
class SourceFold:
    """One source layer, factorised on the training rows of one fold.

    Attributes
    ----------
    eigenvalues : (n,) float64 tensor
        Of the centred training Gram matrix; those below the numerical rank are exactly zero.
    eigenvectors : (n, n) float64 tensor
        In columns, each orthogonal to the vector of ones.
    eigenvectors_single : (n, n) float32 tensor
        The same, for the large products.
    projection : (m, n) float64 tensor
        Gram matrix of held-out against training rows, times the eigenvectors; zero in the null space.
    dropped : int
        Source units without variance in the training rows, left out.
    """

    eigenvalues: Tensor
    eigenvectors: Tensor
    eigenvectors_single: Tensor
    projection: Tensor
    dropped: int


def outer(matrix: Tensor, out: Tensor | None = None) -> Tensor:
    """Return ``matrix @ matrix.T``.

    On the CPU NumPy sees the symmetry and computes one half of it (BLAS syrk); torch computes both.
    """
    if matrix.device.type != "cpu":
        return torch.matmul(matrix, matrix.T, out=out)
    array = matrix.numpy()
    if out is None:
        return torch.from_numpy(np.matmul(array, array.T))
    np.matmul(array, array.T, out=out.numpy())
    return out


def column_norms(matrix: Tensor) -> Tensor:
    """Return the Euclidean norm of each column; torch's own is ten times slower on the CPU, along this axis."""
    if matrix.device.type != "cpu":
        return (matrix * matrix).sum(dim=0).sqrt()
    array = matrix.numpy()
    return torch.from_numpy(np.sqrt(np.einsum("ij,ij->j", array, array)))


def factorise(layer: Tensor, train: Tensor, test: Tensor, scale: Scale) -> SourceFold:
    """Prepare one source layer for one fold.

    Parameters
    ----------
    layer : (rows, width) floating tensor
    train, test : (n,), (m,) int64 tensors
        Row indices.
    scale : {"zscore", "none", "each-split"}
        ``zscore`` divides each unit by its (population) standard deviation over the training rows. Both that and
        ``none`` centre by the mean of the training rows. ``each-split`` z-scores the held-out rows by their own mean
        and standard deviation, as some published code does: held-out rows then know of each other.
    """
    return factorise_all([layer], train, test, scale)[0]


def factorise_all(
    layers: Sequence[Tensor],
    train: Tensor,
    test: Tensor,
    scale: Scale,
    *,
    batched: bool | None = None,
) -> list[SourceFold]:
    """Prepare many source layers for one fold; see :func:`factorise`.

    ``batched`` decomposes all Gram matrices in one call, by default wherever the device is not the CPU: there one
    small decomposition after another would leave the device idle.
    """
    n = len(train)
    grams = [_gram(layer, train, test, scale) for layer in layers]
    if layers[0].device.type != "cpu" if batched is None else batched:
        values, vectors = torch.linalg.eigh(torch.stack([K[:n] for K, _ in grams]))
        found = list(zip(values, vectors, strict=True))
    else:
        found = [torch.linalg.eigh(K[:n]) for K, _ in grams]
    return [
        _source_fold(s, U, K[n:], dropped)
        for (s, U), (K, dropped) in zip(found, grams, strict=True)
    ]


def _gram(layer: Tensor, train: Tensor, test: Tensor, scale: Scale) -> tuple[Tensor, int]:
    """Return the Gram matrix of all rows, training rows first, against the training rows; and the units left out."""
    n = len(train)
    rows = layer.index_select(0, torch.cat([train, test]))
    # Exact comparison: a constant unit's computed variance is rounding, not zero.
    varies = rows[:n].amax(dim=0) != rows[:n].amin(dim=0)
    dropped = int((~varies).sum())
    if dropped:
        rows = rows[:, varies]
    X = rows.to(torch.float64)
    for part in (X[:n], X[n:]) if scale == "each-split" else (X,):
        own = part[:n]
        centre = own.mean(dim=0)
        if scale == "each-split":
            # Held-out rows may be constant where training rows are not.
            centre = torch.where(own.amax(dim=0) == own.amin(dim=0), own[0], centre)
        part.sub_(centre)
        if scale != "none":
            deviation = column_norms(own) / len(own) ** 0.5
            part.mul_(torch.where(deviation > 0, 1.0 / deviation, 1.0))
    return outer(X)[:, :n], dropped


def _source_fold(s: Tensor, U: Tensor, held_out: Tensor, dropped: int) -> SourceFold:
    # K is centred, so ones lies in its null space, but eigh may return any basis of that space.
    U = U - U.mean(dim=0)
    tolerance = s[-1].clamp_min(0) * len(s) * torch.finfo(torch.float64).eps
    keep = s > tolerance
    s = torch.where(keep, s, 0.0)
    projection = torch.where(keep, held_out @ U, 0.0)
    return SourceFold(s, U, U.to(torch.float32), projection, dropped)


def operator(source: SourceFold, alpha: float) -> Tensor:
    """Return H, (m, n) float64: held-out predictions are H Y plus the mean of Y over the training rows."""
    return _shrunk(source, alpha) @ source.eigenvectors.T


def centred_operator(source: SourceFold, alpha: float) -> Tensor:
    """Return H centred over the held-out rows and scaled to a largest factor of 1, (m, n) float32.

    Its predictions have the r of H's, without the mean to subtract and without a large alpha's underflow.
    """
    weighted = _shrunk(source, alpha)
    weighted = weighted - weighted.mean(dim=0)
    largest = weighted.abs().amax()
    weighted = weighted / torch.where(largest > 0, largest, 1.0)
    return weighted.to(torch.float32) @ source.eigenvectors_single.T


def _shrunk(source: SourceFold, alpha: float) -> Tensor:
    """Return the projection times 1 / (s + alpha), zero in the null space."""
    coefficients = torch.where(source.eigenvalues > 0, 1.0 / (source.eigenvalues + alpha), 0.0)
    return source.projection * coefficients


def check_alphas(alphas: Sequence[float]) -> tuple[float, ...]:
    """Return the grid as floats.

    Raises
    ------
    InputError
        If it is empty, or holds anything but finite positive numbers.
    """
    grid = tuple(float(alpha) for alpha in alphas)
    if not grid or not all(0 < alpha < float("inf") for alpha in grid):
        raise InputError(f"alphas must be finite and above zero, not {list(grid)}")
    return grid
