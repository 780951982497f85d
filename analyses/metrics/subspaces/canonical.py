"""Canonical correlations, held out: directions of two layers that go together, found on some rows, scored on others.

Both layers are whitened on the training rows, ``W = V / sqrt(lambda)`` of the covariance; the singular vectors of the
whitened cross product are the canonical directions (Bjoerck and Golub, Math. Comput. 27, 1973), and the correlations of
the variates are taken over the held-out rows, with their sign. In sample they are .3 to .4 on data that have nothing to
do with each other; held out they are about 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from analyses.metrics.subspaces.coordinates import (
    centred_units,
    coordinates,
    main_axes,
    spanned,
    split_rows,
    within_span,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Layer:
    """Rows in some coordinates, (n, r) float64, and the centred units, (n, width), where weights ask for them."""

    rows: Tensor
    units: Tensor | None


@dataclass(frozen=True, slots=True)
class Whitened:
    """One layer in one fold: (n_train, c) and (n_test, c), and the units' products with the first, (c, width)."""

    train: Tensor
    test: Tensor
    loadings: Tensor | None


@dataclass(frozen=True, slots=True)
class Canonical:
    """The method.

    Attributes
    ----------
    leading : int
        Canonical correlations that are averaged, the strongest of the training rows; 0 for all.
    components : int
        Main components of the training rows that a layer is reduced to first; 0 for all.
    variance : float
        Instead, as many as have this share of the variance; 0 for never.
    shrinkage : float
        Of the covariance, towards that of equal variance in all directions that the training rows span.
    weighted : bool
        Weight each correlation by how much of the units its variate accounts for.
    """

    leading: int = 0
    components: int = 0
    variance: float = 0.0
    shrinkage: float = 0.0
    weighted: bool = False
    rows_a_fold: int = 2

    def reduce(self, layer: Tensor) -> Layer:
        """Turn the layer into its n coordinates at most."""
        return Layer(coordinates(layer), centred_units(layer) if self.weighted else None)

    def stage(self, reduced: Layer, train: Tensor) -> Layer:
        """Find the main components of the training rows.

        There are at most half as many as training rows less one: two layers with more between them than there are rows
        have canonical correlations of 1 whatever the data.
        """
        if not (self.components or self.variance):
            return reduced
        split = split_rows(reduced.rows, train, train)
        if split is None:
            return reduced
        most = max(1, (len(train) - 1) // 2)
        asked = most if self.variance else min(self.components, most)
        return Layer(reduced.rows @ main_axes(split[0], asked, self.variance), reduced.units)

    def prepare(self, staged: Layer, train: Tensor, test: Tensor) -> Whitened | None:
        """Whiten on the training rows."""
        split = split_rows(staged.rows, train, test)
        if split is None:
            return None
        inner, outer = within_span(*split)
        values, vectors = torch.linalg.eigh(inner.T @ inner)
        rank = spanned(values.flip(0))
        values, vectors = values[-rank:], vectors[:, -rank:]
        shrunk = (1 - self.shrinkage) * values + self.shrinkage * values.mean()
        whitening = vectors / shrunk.sqrt()
        inner, outer = inner @ whitening, outer @ whitening
        if staged.units is None:
            return Whitened(inner, outer, None)
        # The variates are centred: the mean of the units does not matter to the product.
        return Whitened(inner, outer, inner.T @ staged.units[train])

    def score(self, one: Whitened, others: Sequence[Whitened]) -> Tensor:
        """Score one layer with others: those of one shape in one batch of singular value decompositions."""
        scores = torch.empty(len(others), dtype=torch.float64, device=one.train.device)
        shapes: dict[int, list[int]] = {}
        for j, other in enumerate(others):
            shapes.setdefault(other.train.shape[1], []).append(j)
        for members in shapes.values():
            scores[members] = self._alike(one, [others[j] for j in members])
        return scores

    def _alike(self, one: Whitened, others: Sequence[Whitened]) -> Tensor:
        """Score one layer with others that have equally many components."""
        cross = one.train.T @ torch.stack([other.train for other in others])
        U, _, Vh = torch.linalg.svd(cross, full_matrices=False)
        kept = min(self.leading or cross.shape[1], *cross.shape[1:])
        left, right = U[:, :, :kept], Vh[:, :kept].mT
        r = _correlations(one.test @ left, torch.stack([other.test for other in others]) @ right)
        if one.loadings is None:
            return r.mean(dim=1)
        shares = [_share(left, one.loadings)]
        # Layers of one number of components can still differ in width.
        theirs = [
            _share(axes[None], other.loadings)[0]
            for axes, other in zip(right, others, strict=True)
            if other.loadings is not None
        ]
        shares.append(torch.stack(theirs))
        return (torch.stack(shares).mean(dim=0) * r).sum(dim=1)


def _correlations(left: Tensor, right: Tensor) -> Tensor:
    """Correlate columns: (L, n, k) and (L, n, k) give (L, k); 0 where one does not vary."""
    left, right = (side - side.mean(dim=1, keepdim=True) for side in (left, right))
    lengths = torch.linalg.vector_norm(left, dim=1) * torch.linalg.vector_norm(right, dim=1)
    tiny = torch.finfo(lengths.dtype).tiny
    r: Tensor = (left * right).sum(dim=1) / lengths.clamp_min(tiny)
    return r.clamp(-1, 1)


def _share(axes: Tensor, loadings: Tensor) -> Tensor:
    """Sum the variates' absolute products with the units, (L, c, k) and (c, width), to shares of 1: (L, k)."""
    products: Tensor = (axes.mT @ loadings).abs().sum(dim=2)
    return products / products.sum(dim=1, keepdim=True)
