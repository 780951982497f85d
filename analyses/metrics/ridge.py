"""The source side of dual ridge regression, prepared once for each (source layer, fold).

With K = U diag(s) U' the centred Gram matrix of the training rows, ridge at strength alpha leaves the residuals
G Y, where G = U diag(alpha / (s + alpha)) U', and predicts held-out rows by H Y, where
H = K_test U diag(1 / (s + alpha)) U'. Neither knows the target, so one factorisation serves every target layer.

The leave-one-out residual of row i is (G Y)_i / G_ii (e.g. Hastie, Tibshirani and Friedman, "The Elements of
Statistical Learning", eq. 5.26). Its sum of squares over rows and all target units is <W, Y Y'>, with
W = G D G and D = diag(G_ii ** -2): choosing alpha for every target layer is one matrix product.

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

Scale = Literal["zscore", "none"]

SCREEN_TOLERANCE = 2e-6
"""What a criterion is known to in single precision, relative to |W| |YY'|; closer calls are made in double.

The largest error measured was 1.4e-6, over full-rank, low-rank, heavy-tailed and badly scaled sources with 800
training rows and alphas from 1e-8 to 1e8. A larger value only costs time.
"""


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


def factorise(layer: Tensor, train: Tensor, test: Tensor, scale: Scale) -> SourceFold:
    """Prepare one source layer for one fold.

    Parameters
    ----------
    layer : (rows, width) floating tensor
    train, test : (n,), (m,) int64 tensors
        Row indices.
    scale : {"zscore", "none"}
        ``zscore`` divides each unit by its (population) standard deviation over the training rows. Both centre by
        the mean of the training rows.
    """
    n = len(train)
    X = layer.index_select(0, torch.cat([train, test])).to(torch.float64)
    # Exact comparison: a constant unit's computed variance is rounding, not zero.
    varies = X[:n].amax(dim=0) != X[:n].amin(dim=0)
    dropped = int((~varies).sum())
    if dropped:
        X = X[:, varies]
    X -= X[:n].mean(dim=0)
    if scale == "zscore":
        X /= torch.linalg.vector_norm(X[:n], dim=0) / n**0.5
    K = outer(X)
    s, U = torch.linalg.eigh(K[:n, :n])
    # K is centred, so ones lies in its null space, but eigh may return any basis of that space.
    U = U - U.mean(dim=0)
    tolerance = s[-1].clamp_min(0) * n * torch.finfo(torch.float64).eps
    keep = s > tolerance
    s = torch.where(keep, s, 0.0)
    projection = torch.where(keep, K[n:, :n] @ U, 0.0)
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


def residual_weights(source: SourceFold, alphas: Sequence[float], dtype: torch.dtype) -> Tensor:
    """Return W for each alpha, flattened: (len(alphas), n * n) in ``dtype``.

    ``<W, Y Y'>`` is the exact leave-one-out sum of squared residuals of targets Y, summed over units. W annihilates
    the vector of ones, so Y need not be centred.
    """
    U = source.eigenvectors if dtype == torch.float64 else source.eigenvectors_single
    n = U.shape[0]
    grid = torch.as_tensor(list(alphas), dtype=torch.float64, device=U.device)[:, None]
    shrinkage = grid / (source.eigenvalues + grid)
    # The ratio (G Y)_i / G_ii does not see a common factor; without it a tiny alpha would underflow.
    shrinkage = shrinkage / shrinkage.amax(dim=1, keepdim=True)
    leverage = shrinkage @ (source.eigenvectors**2).T
    inverse = (1.0 / leverage.clamp_min(torch.finfo(torch.float64).tiny)).to(dtype)
    weights = torch.empty((len(alphas), n, n), dtype=dtype, device=U.device)
    for i, kept in enumerate(shrinkage):
        if float(kept.mean()) < 0.5:  # noqa: PLR2004 - half
            residual = outer(U * kept.sqrt().to(dtype))
        else:
            # Nearly the identity less the mean: exact is better than summed from n rounded columns.
            residual = outer(U * (1.0 - kept).sqrt().to(dtype)).add_(1.0 / n).neg_()
            residual.diagonal().add_(1.0)
        outer(residual.mul_(inverse[i]), out=weights[i])
    return weights.reshape(len(alphas), n * n)


@dataclass(frozen=True, slots=True)
class TargetGrams:
    """Gram matrices of the target layers over the training rows of one fold.

    Attributes
    ----------
    single : (T, n * n) float32 tensor
        Centred over the training rows, scaled to norm 1.
    full : sequence of T (rows, rows) float64 tensors
        Over all rows.
    train : (n,) int64 tensor
        The training rows.
    """

    single: Tensor
    full: Sequence[Tensor]
    train: Tensor

    @classmethod
    def of(cls, full: Sequence[Tensor], train: Tensor) -> TargetGrams:
        """Cut the training rows out of the Gram matrices over all rows."""
        n = len(train)
        single = torch.empty((len(full), n * n), dtype=torch.float32, device=train.device)
        for i, gram in enumerate(full):
            # Scaled before the cast: squares of loud units' products leave float32's range.
            largest = gram.diagonal().amax()
            block = _block((gram / torch.where(largest > 0, largest, 1.0)).to(torch.float32), train)
            # W annihilates constants but for rounding, which would add up over a mean left in.
            mean = block.mean(dim=0)
            block = block.sub_(mean).sub_(mean[:, None]).add_(mean.mean()).reshape(-1)
            norm = torch.dot(block, block).sqrt()
            single[i] = block / torch.where(norm > 0, norm, 1.0)
        return cls(single, full, train)

    def of_targets(self, chosen: Sequence[int]) -> TargetGrams:
        """Return those of some targets."""
        if list(chosen) == list(range(len(self.full))):
            return self
        return TargetGrams(self.single[list(chosen)], [self.full[i] for i in chosen], self.train)


def select(source: SourceFold, alphas: Sequence[float], targets: TargetGrams) -> Tensor:
    """Choose each target's alpha by exact leave-one-out: screened in single, decided in double precision.

    Returns
    -------
    (T,) int64 tensor on the CPU
        Indices into ``alphas``; the first one of equals.
    """
    weights = residual_weights(source, alphas, torch.float32)
    # This order of the product keeps the long reduction contiguous on both sides.
    criterion = (targets.single @ weights.T).to(torch.float64)
    best = criterion.argmin(dim=1)
    norms = torch.stack([torch.dot(row, row) for row in weights]).sqrt()
    noise = SCREEN_TOLERANCE * norms.to(torch.float64)
    near = criterion - noise <= (criterion + noise).gather(1, best[:, None])
    close = near.sum(dim=1) > 1
    if bool(close.any()):
        _decide(source, alphas, targets, near, close, best)
    return best.cpu()


def _decide(
    source: SourceFold,
    alphas: Sequence[float],
    targets: TargetGrams,
    near: Tensor,
    close: Tensor,
    best: Tensor,
) -> None:
    """Settle the close calls of :func:`select` in place, with the contending alphas alone."""
    contenders = near[close].any(dim=0).nonzero().reshape(-1)
    weights = residual_weights(source, [alphas[int(i)] for i in contenders], torch.float64)
    for target in close.nonzero().reshape(-1).tolist():
        exact = weights @ _block(targets.full[target], targets.train).reshape(-1)
        best[target] = contenders[exact.argmin()]


def _block(gram: Tensor, rows: Tensor) -> Tensor:
    return gram.index_select(0, rows).index_select(1, rows)


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
