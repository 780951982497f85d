"""Centred kernel alignment, debiased and biased.

From Kornblith, Norouzi, Lee and Hinton, "Similarity of Neural Network Representations Revisited", ICML 2019. The
debiased estimator has the unbiased HSIC_1 of Song, Smola, Gretton, Bedo and Borgwardt (JMLR 13, 2012) in place of the
plain one; it is the product of U-centred Gram matrices (Szekely and Rizzo, Ann. Stat. 42, 2014).

U-centring takes off a Gram matrix, its diagonal left out, whatever is a sum of one number for each row and one for each
column: it is a projection. Here pairs of items within a group are left out as the diagonal is, and the projection is
that of the pairs which stay. So long as groups are drawn alike and layers are independent, the mean of one layer's Gram
matrix given the other is constant over those pairs, which the projection removes: the numerator is unbiased whatever
items of one group share. Without groups it is HSIC_1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from analyses.metrics.pairs.gram import centred, gram

if TYPE_CHECKING:
    from torch import Tensor

    from analyses.metrics.pairs.vectors import Pairs

_ROUNDING = 1e-10
"""A centred kernel this much smaller than the kernel is rounding."""


def inner_products(layer: Tensor) -> Tensor:
    """Return the Gram matrix of the centred layer, up to a factor: (n, n) float64."""
    return gram(centred(layer))


def rbf(products: Tensor, pairs: Pairs, bandwidth: float) -> Tensor:
    """Return the kernel ``exp(-d^2 / (2 s^2))``, s being ``bandwidth`` times the median distance of the pairs.

    Parameters
    ----------
    products : (m, m) float64 tensor
        Of the vectors.
    pairs : Pairs
        Of the m items.
    bandwidth : float

    Returns
    -------
    (m, m) float64 tensor
        NaN if the median distance is 0.
    """
    squares = products.diagonal()
    distance = (squares[:, None] + squares - 2 * products).clamp_min_(0)
    median = pairs.of(distance).median()
    # Of distances that are rounding alone there is no scale.
    if float(median) <= _ROUNDING**2 * float(squares.max()) or not float(median):
        return torch.full_like(products, torch.nan)
    return distance.div_(-2 * bandwidth**2 * median).exp_()


def debiased_vector(kernel: Tensor, pairs: Pairs) -> Tensor:
    """Return the U-centred kernel over pairs, of length 1; the product of two is debiased CKA.

    Parameters
    ----------
    kernel : (m, m) float64 tensor
    pairs : Pairs
        Of the m items, no group holding half of them or more.

    Returns
    -------
    (P,) float64 tensor
        NaN where nothing is left after centring.
    """
    before = torch.linalg.vector_norm(pairs.of(kernel))
    effects = _row_effects(kernel.where(pairs.allowed, 0).sum(dim=1), pairs)
    # Off the whole matrix, in order: twice the subtractions, and none of them looked up pair by pair.
    return _normalised(pairs.of((kernel - effects[:, None]).sub_(effects)), before)


def biased_vector(kernel: Tensor, pairs: Pairs) -> Tensor:
    """Return the doubly centred kernel over pairs and items, of length 1; the product of two is biased CKA."""
    means = kernel.mean(dim=1)
    values = pairs.of(kernel - means[:, None] - means + means.mean())
    # What is off the diagonal stands twice in the matrix.
    values = torch.where(pairs.rows == pairs.columns, values, 2**0.5 * values)
    return _normalised(values, torch.linalg.vector_norm(kernel))


def _row_effects(sums: Tensor, pairs: Pairs) -> Tensor:
    """Return a with ``sums[i] = c_i a_i + sum of a_j``, over the c_i items j that i is paired with: (m,).

    By groups, of sizes g: from ``(m - g) a_i + S - S_g = sums[i]``, S being the sum of a and S_g that within the
    group of i, summed over the group and then over groups. With g = 1 it is U-centring.
    """
    m = len(sums)
    group, size = pairs.groups, pairs.sizes.to(sums.dtype)
    of_group = sums.new_zeros(int(group.max()) + 1)
    own = of_group.index_add(0, group, sums)[group]
    spread = m - 2 * size
    total = (sums / spread).sum() / (1 + (1 / spread).sum())
    return (sums - total + (own - size * total) / spread) / (m - size)


def _normalised(values: Tensor, before: Tensor) -> Tensor:
    norm = torch.linalg.vector_norm(values)
    if not float(norm) > _ROUNDING * float(before):
        return torch.full_like(values, torch.nan)
    return values.div_(norm)
