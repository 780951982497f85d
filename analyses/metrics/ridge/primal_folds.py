"""The source side of primal ridge regression, factorised once for each (source layer, fold), and what it chooses.

With C = V diag(s) V' the covariance products of the training rows, ridge at strength alpha has the coefficients
V (V' X'Y) / (s + alpha). Its residual sum of squares on the rows it was fitted on, on any other rows, and its r on
those all follow from moments (:mod:`analyses.metrics.ridge.moments`), so the rows are not needed again.

Where generalised cross-validation chooses alpha, it is the smallest RSS / (n - 1 - sum s / (s + alpha))^2 (Golub, Heath
and Wahba, Technometrics 21 (1979); the 1 is the intercept's). Where inner folds do, it is the smallest squared error
over the other folds, each predicted from those that are left beside the held-out one: exact, from moments as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from analyses.metrics.ridge.moments import Layer
    from analyses.metrics.ridge.source import Scale


@dataclass(frozen=True, slots=True)
class Fitted:
    """Ridge on some folds' rows of one source, before alpha.

    Attributes
    ----------
    folds : tuple of int
        Those of the rows.
    rows : int
    units : (d,) int64 tensor
        Source units that are used.
    deviation : (d,) float64 tensor
        What each is divided by.
    eigenvalues : (d,) float64 tensor
        Those below the numerical rank are exactly zero.
    eigenvectors : (d, d) float64 tensor
        Of the scaled units, in columns; zero where the eigenvalue is.
    """

    folds: tuple[int, ...]
    rows: int
    units: Tensor
    deviation: Tensor
    eigenvalues: Tensor
    eigenvectors: Tensor

    def project(self, products: Tensor) -> Tensor:
        """Return V' of products whose rows are all units of the source: (D, T) -> (d, T)."""
        used = products.index_select(0, self.units) / self.deviation[:, None]
        return self.eigenvectors.T @ used

    def projected_gram(self, products: Tensor) -> Tensor:
        """Return V' of the source's own products on both sides: (D, D) -> (d, d)."""
        return self.project(self.project(products).T.contiguous())


@dataclass(frozen=True, slots=True)
class Pair:
    """The moments of one source and one target, and between them.

    Attributes
    ----------
    counts : (folds,) int64 tensor
    source, target : Layer
    cross : (folds, D, T) float64 tensor
    """

    counts: Tensor
    source: Layer
    target: Layer
    cross: Tensor


def total(moment: Tensor, folds: Sequence[int]) -> Tensor:
    """Add up folds. Summed, not subtracted from the whole, so that a held-out outlier costs no digits."""
    summed = moment[folds[0]].clone()
    for fold in folds[1:]:
        summed += moment[fold]
    return summed


def scatter(
    products: Tensor, left: Tensor, right: Tensor, rows: int, centre: Tensor, other: Tensor
) -> Tensor:
    """Turn products into those about ``centre`` and ``other``, given both sums; in place."""
    products.addr_(left - rows * centre, other, alpha=-1)
    return products.addr_(centre, right, alpha=-1)


def rows_in(counts: Tensor, folds: Sequence[int]) -> int:
    """Count the rows of folds."""
    return int(counts[list(folds)].sum())


def deviations(source: Layer, counts: Tensor, folds: Sequence[int], scale: Scale) -> Tensor:
    """Return what z-scoring divides each unit by: (D,), over the rows of ``folds``; 1 where a unit does not vary."""
    if scale == "none":
        return torch.ones_like(source.sums[0])
    n = rows_in(counts, folds)
    variance = total(source.squares, folds) / n - (total(source.sums, folds) / n) ** 2
    return torch.where(source.varying(folds), variance, 1.0).sqrt()


def own_scatter(
    source: Layer, counts: Tensor, folds: Sequence[int], about: Sequence[int]
) -> Tensor:
    """Return the source's products over ``folds`` about its means over ``about``: (D, D).

    Units that do not vary over either give zeros, as their exact scatter is.
    """
    if source.products is None:
        raise ValueError("the products of this side were not accumulated")
    sums, mean = total(source.sums, folds), total(source.sums, about) / rows_in(counts, about)
    products = total(source.products, folds)
    scatter(products, sums, sums, rows_in(counts, folds), mean, mean)
    varying = source.varying([*folds, *about])
    return products.mul_(varying).mul_(varying[:, None])


def cross_scatter(pair: Pair, folds: Sequence[int], about: Sequence[int]) -> Tensor:
    """Return source times target over ``folds`` about both means over ``about``: (D, T).

    Targets that do not vary over ``about`` and ``folds`` give zeros, as their exact scatter is.
    """
    n = rows_in(pair.counts, about)
    left, right = total(pair.source.sums, folds), total(pair.target.sums, folds)
    means = total(pair.source.sums, about) / n, total(pair.target.sums, about) / n
    products = scatter(total(pair.cross, folds), left, right, rows_in(pair.counts, folds), *means)
    return products.mul_(pair.target.varying([*folds, *about]))


def target_squares(pair: Pair, folds: Sequence[int], about: Sequence[int]) -> Tensor:
    """Return each target unit's sum of squares over ``folds`` about its mean over ``about``: (T,)."""
    n, target = rows_in(pair.counts, folds), pair.target
    mean = total(target.sums, about) / rows_in(pair.counts, about)
    squares = total(target.squares, folds) - mean * (2 * total(target.sums, folds) - n * mean)
    return squares.clamp_min(0.0).mul_(target.varying([*folds, *about]))


def factorise(
    source: Layer, counts: Tensor, folds: Sequence[int], units: Tensor, deviation: Tensor
) -> Fitted:
    """Factorise a source over the rows of ``folds``.

    Parameters
    ----------
    source : Layer
    counts : (folds,) int64 tensor
    folds : sequence of int
    units : (d,) int64 tensor
        Those to use; the others are left out.
    deviation : (D,) float64 tensor
    """
    rows = rows_in(counts, folds)
    scaled = own_scatter(source, counts, folds, folds).div_(deviation).div_(deviation[:, None])
    s, V = torch.linalg.eigh(scaled.index_select(0, units).index_select(1, units))
    kept = s > s.amax().clamp_min(0) * max(rows, len(s)) * torch.finfo(torch.float64).eps
    return Fitted(
        tuple(folds),
        rows,
        units,
        deviation.index_select(0, units),
        torch.where(kept, s, 0.0),
        torch.where(kept, V, 0.0),
    )


def shrinkage(fitted: Fitted, alphas: Tensor) -> Tensor:
    """Return 1 / (s + alpha), zero in the null space: (alphas, d)."""
    s = fitted.eigenvalues
    return torch.where(s > 0, 1.0 / (s + alphas[:, None]), 0.0)


def gcv(fitted: Fitted, pair: Pair, projected: Tensor, alphas: Tensor) -> Tensor:
    """Return generalised cross-validation's criterion, summed over the target's units.

    Parameters
    ----------
    fitted : Fitted
    pair : Pair
    projected : (d, T) float64 tensor
        V' X'Y.
    alphas : (alphas,) float64 tensor

    Returns
    -------
    (alphas,) float64 tensor
    """
    s, shrunk = fitted.eigenvalues, shrinkage(fitted, alphas)
    energy = projected.square().sum(dim=1)
    explained = (shrunk**2 * (s + 2 * alphas[:, None])) @ energy
    whole = target_squares(pair, fitted.folds, fitted.folds).sum()
    left = fitted.rows - 1 - shrunk @ s
    # Where nothing is left to choose by, alpha interpolates: never the best.
    return torch.where(left > 0, (whole - explained).clamp_min(0.0) / left**2, torch.inf)


def squared_error(fitted: Fitted, inner: Tensor, pair: Pair, fold: int, alphas: Tensor) -> Tensor:
    """Return the squared error on the rows of ``fold``, summed over rows and units, for each alpha.

    Parameters
    ----------
    fitted : Fitted
        On other rows.
    inner : (d, d) float64 tensor
        The source's projected products over ``fold`` about its means over the rows of ``fitted``.
    pair : Pair
    fold : int
    alphas : (alphas,) float64 tensor

    Returns
    -------
    (alphas,) float64 tensor
    """
    projected = fitted.project(cross_scatter(pair, fitted.folds, fitted.folds))
    agreement = (projected * fitted.project(cross_scatter(pair, [fold], fitted.folds))).sum(dim=1)
    spread = inner * (projected @ projected.T)
    shrunk = shrinkage(fitted, alphas)
    error = target_squares(pair, [fold], fitted.folds).sum() - 2 * (shrunk @ agreement)
    return error + torch.einsum("ap,pq,aq->a", shrunk, spread, shrunk)


def held_out_r(
    fitted: Fitted, own: Tensor, pair: Pair, fold: int, projected: Tensor, alpha: Tensor
) -> Tensor:
    """Return the mean of Pearson's r over the target units that vary in the rows of ``fold``; NaN where none does.

    Parameters
    ----------
    fitted : Fitted
        On other rows.
    own : (D, D) float64 tensor
        The source's products over ``fold`` about its means there, zero for units that do not vary there.
    pair : Pair
    fold : int
    projected : (d, T) float64 tensor
        V' X'Y.
    alpha : 0-d float64 tensor
    """
    held = [fold]
    # Scaled to a largest factor of 1: r does not see a common one, and a large alpha would underflow.
    shrunk = shrinkage(fitted, alpha[None])[0]
    shrunk = shrunk / shrunk.amax().clamp_min(torch.finfo(torch.float64).tiny)
    weights = torch.zeros_like(pair.cross[0])
    weights[fitted.units] = (fitted.eigenvectors @ (projected * shrunk[:, None])).div_(
        fitted.deviation[:, None]
    )
    predicted = (weights * (own @ weights)).sum(dim=0)
    weights *= pair.source.varying(held)[:, None]
    agreement = (weights * cross_scatter(pair, held, held)).sum(dim=0)
    truth = target_squares(pair, held, held)
    # A prediction without variance says nothing about its unit: r is taken as 0.
    told = (predicted > 0) & (truth > 0)
    lengths = torch.where(told, predicted, 1.0).sqrt() * torch.where(told, truth, 1.0).sqrt()
    r = torch.where(told, agreement / lengths, 0.0)
    return r.clamp(-1.0, 1.0).sum() / pair.target.varying(held).sum()
