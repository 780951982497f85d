"""Ridge predictions of items that the fit never saw, for every source layer and every target layer at once.

A source layer is factorised once, whatever it is to predict: all target layers, and all the orders in which a control
lays their rows (``stacks``). Narrow sources are factorised as they are (:class:`_Narrow`), wide ones through their Gram
matrix (:mod:`analyses.metrics.ridge.source`), whichever takes fewer operations; alpha is chosen by the exact
leave-one-out error in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from analyses.metrics.ridge.linear_predictivity import DEFAULT_ALPHAS
from analyses.metrics.ridge.selection import TargetGrams, Weighed
from analyses.metrics.ridge.source import check_alphas, column_norms, factorise, operator
from analyses.metrics.ridge.targets import prepare_target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

_SVD = 26
"""Operations of a thin singular value decomposition over rows times the square of the width (LAPACK's gesdd)."""
_EIGH = 9


@dataclass(frozen=True)  # no slots: the Gram matrices are kept once they were needed
class FitTargets:
    """Target layers over the pairs that fits are made of.

    Attributes
    ----------
    values : list of (n, width) float64 tensors
    """

    values: list[Tensor]

    @classmethod
    def of(cls, layers: Sequence[Tensor]) -> FitTargets:
        """Prepare target layers: (n, width) floating tensors."""
        return cls([layer.detach().to(torch.float64) for layer in layers])

    @cached_property
    def grams(self) -> list[Tensor]:
        """Gram matrices of the centred units, (n, n) float64, computed once for all fits: wide sources need them."""
        return [prepare_target(layer).gram for layer in self.values]


@dataclass(frozen=True, slots=True)
class Predicted:
    """One source layer's prediction of one target layer.

    Attributes
    ----------
    source, target, stack : int
        The layers, and in which order the target's rows stood.
    values : (m, width) float64 tensor
        Less the mean of the target over the pairs of the fit, which is ``centre``: (width,).
    alpha : float
        The strength that leave-one-out chose.
    """

    source: int
    target: int
    stack: int
    values: Tensor
    centre: Tensor
    alpha: float


def predict_unseen(
    sources: Sequence[Tensor],
    targets: FitTargets,
    train: Tensor,
    test: Tensor,
    *,
    stacks: Sequence[Tensor] | None = None,
    alphas: Sequence[float] = DEFAULT_ALPHAS,
) -> Iterator[Predicted]:
    """Fit each source layer to each target layer and predict rows outside of the fit.

    Parameters
    ----------
    sources : S tensors of (rows, width)
    targets : FitTargets
        Its row i belongs to row i of the sources, which may have more rows than it: those to predict.
    train, test : (n,), (m,) int64 tensors
        Rows of the sources to fit on, and to predict.
    stacks : sequence of (n,) int64 tensors, optional
        The target row of each training row, where it is not its own: controls, all of one factorisation.
    alphas : sequence of float

    Yields
    ------
    Predicted
        Source by source, of each stack by stack, of each all targets.
    """
    grid = check_alphas(alphas)
    laid = [_Stack.of(targets, rows) for rows in (stacks if stacks is not None else [train])]
    width = sum(values.shape[1] for values in targets.values) * len(laid)
    for i, layer in enumerate(sources):
        narrow = _narrow_is_cheaper(len(train), layer.shape[1], width, len(grid))
        source = (_Narrow if narrow else _Wide).of(layer.detach(), train, test, grid)
        for at, stack in enumerate(laid):
            for j, (choice, values) in enumerate(source.predict(stack)):
                yield Predicted(i, j, at, values, stack.centres[j], grid[choice])


def _narrow_is_cheaper(rows: int, width: int, target_width: int, alphas: int) -> bool:
    """Compare operations in double precision (those in single count half); a source of no fewer units is wide."""
    narrow = _SVD * rows * width**2 + 2 * alphas * rows * width * target_width
    return width < rows and narrow < (_EIGH + alphas / 2) * rows**3


@dataclass(frozen=True)
class _Stack:
    """Target layers over the training rows, in some order: less their means, (n, width) float64."""

    targets: FitTargets
    rows: Tensor
    centres: list[Tensor]
    values: list[Tensor]

    @classmethod
    def of(cls, targets: FitTargets, rows: Tensor) -> _Stack:
        fitted = [values.index_select(0, rows) for values in targets.values]
        centres = [values.mean(dim=0) for values in fitted]
        return cls(
            targets,
            rows,
            centres,
            [values.sub_(centre) for values, centre in zip(fitted, centres, strict=True)],
        )

    @cached_property
    def single(self) -> list[Tensor]:
        return [values.to(torch.float32) for values in self.values]

    @cached_property
    def grams(self) -> TargetGrams:
        return TargetGrams.of(self.targets.grams, self.rows)


@dataclass(frozen=True, slots=True)
class _Narrow:
    """A source of fewer units than training rows: X = U diag(sqrt(s)) V', one column for each unit at the most.

    With shrinkage f = s / (s + alpha) the fit is U diag(f) U'Y, row i's leverage h_i = 1 / n + sum_k f_k U_ik^2 (the
    first term is the intercept's), and its residual, had the row been left out, the residual over 1 - h_i.
    """

    left: Tensor  # (n, r)
    singular: Tensor  # (r,)
    projection: Tensor  # (m, r), held-out rows times V
    grid: Tensor  # (A,)

    @classmethod
    def of(cls, layer: Tensor, train: Tensor, test: Tensor, grid: Sequence[float]) -> _Narrow:
        rows, n = layer.index_select(0, torch.cat([train, test])), len(train)
        # Exact comparison: a constant unit's computed variance is rounding, not zero.
        varies = rows[:n].amax(dim=0) != rows[:n].amin(dim=0)
        X = rows[:, varies].to(torch.float64)
        X.sub_(X[:n].mean(dim=0))
        deviation = column_norms(X[:n]) / n**0.5
        X.mul_(torch.where(deviation > 0, 1.0 / deviation, 1.0))
        left, singular, right = torch.linalg.svd(X[:n], full_matrices=False)
        kept = singular > singular.sum() * n**0.5 * torch.finfo(torch.float64).eps
        alphas = torch.tensor(list(grid), dtype=torch.float64, device=layer.device)
        return cls(left[:, kept], singular[kept], X[n:] @ right[kept].T, alphas)

    def predict(self, stack: _Stack) -> Iterator[tuple[int, Tensor]]:
        """Choose alpha for each target, and predict it."""
        n, power = len(self.left), self.singular**2
        shrinkage = power / (power + self.grid[:, None])
        apart = 1 - 1 / n - shrinkage @ (self.left**2).T
        weights = 1 / apart.clamp_min(torch.finfo(torch.float64).eps) ** 2
        for Y in stack.values:
            inner = self.left.T @ Y
            criteria = []
            for kept, weight in zip(shrinkage, weights, strict=True):
                residual = torch.addmm(Y, self.left, kept[:, None] * inner, alpha=-1)
                criteria.append(torch.dot(weight, residual.square_().sum(dim=1)))
            told = torch.stack(criteria).tolist()
            choice = told.index(min(told))
            factors = self.singular / (power + self.grid[choice])
            yield choice, (self.projection * factors) @ inner


@dataclass(frozen=True, slots=True)
class _Wide:
    """A source by its Gram matrix: the ridge of the maps, one product for the choice of alpha for all targets."""

    weighed: Weighed
    operators: dict[int, tuple[Tensor, Tensor]]

    @classmethod
    def of(cls, layer: Tensor, train: Tensor, test: Tensor, grid: Sequence[float]) -> _Wide:
        return cls(Weighed.of(factorise(layer, train, test, "zscore"), grid), {})

    def predict(self, stack: _Stack) -> Iterator[tuple[int, Tensor]]:
        """Choose alpha for each target, and predict it."""
        for Y, choice in zip(stack.single, self.weighed.choose(stack.grams).tolist(), strict=True):
            if choice not in self.operators:
                self.operators[choice] = self._operator(choice)
            H, largest = self.operators[choice]
            yield choice, (H @ Y).to(torch.float64) * largest

    def _operator(self, choice: int) -> tuple[Tensor, Tensor]:
        """Return H in single precision and what it was divided by.

        Scaled to 1 for the product: under a large alpha its entries would leave float32's range.
        """
        H = operator(self.weighed.source, self.weighed.alphas[choice])
        largest = H.abs().amax().clamp_min(torch.finfo(torch.float64).tiny)
        return (H / largest).to(torch.float32), largest
