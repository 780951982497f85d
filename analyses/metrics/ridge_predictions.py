"""Ridge predictions of items that the fit never saw, for every source layer and every target layer at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from analyses.metrics.linear_predictivity import DEFAULT_ALPHAS
from analyses.metrics.ridge import check_alphas, factorise, operator
from analyses.metrics.selection import TargetGrams, select
from analyses.metrics.targets import prepare_target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class FitTargets:
    """Target layers over the pairs that fits are made of, their Gram matrices computed once for all fits.

    Attributes
    ----------
    values : list of (n, width) float64 tensors
    grams : list of (n, n) float64 tensors
        Of the centred units.
    """

    values: list[Tensor]
    grams: list[Tensor]

    @classmethod
    def of(cls, layers: Sequence[Tensor]) -> FitTargets:
        """Prepare target layers: (n, width) floating tensors."""
        return cls(
            [layer.detach().to(torch.float64) for layer in layers],
            [prepare_target(layer).gram for layer in layers],
        )


@dataclass(frozen=True, slots=True)
class Predicted:
    """One source layer's prediction of one target layer.

    Attributes
    ----------
    source, target : int
        The layers.
    values : (m, width) float64 tensor
        Less the mean of the target over the pairs of the fit, which is ``centre``: (width,).
    alpha : float
        The strength that leave-one-out chose.
    """

    source: int
    target: int
    values: Tensor
    centre: Tensor
    alpha: float


def predict_unseen(
    sources: Sequence[Tensor],
    targets: FitTargets,
    train: Tensor,
    test: Tensor,
    *,
    partners: Tensor | None = None,
    alphas: Sequence[float] = DEFAULT_ALPHAS,
) -> Iterator[Predicted]:
    """Fit each source layer to each target layer and predict rows outside of the fit.

    The ridge of :mod:`analyses.metrics.ridge`: one factorisation for a source layer, one product for the choice of
    alpha for all targets, one product for a pair of layers (float32, as the large products of the maps are).

    Parameters
    ----------
    sources : S tensors of (rows, width)
    targets : FitTargets
        Its row i belongs to row i of the sources, which may have more rows than it: those to predict.
    train, test : (n,), (m,) int64 tensors
        Rows of the sources to fit on, and to predict.
    partners : (n,) int64 tensor, optional
        The target row of each training row, where it is not its own: a control.

    Yields
    ------
    Predicted
        All targets of a source, source by source.
    """
    grid = check_alphas(alphas)
    fitted = train if partners is None else partners
    grams = TargetGrams.of(targets.grams, fitted)
    centres = [values[fitted].mean(dim=0) for values in targets.values]
    training = [
        (values[fitted] - centre).to(torch.float32)
        for values, centre in zip(targets.values, centres, strict=True)
    ]
    for i, layer in enumerate(sources):
        source = factorise(layer.detach(), train, test, "zscore")
        best = select(source, grid, grams).tolist()
        operators = {choice: operator(source, grid[choice]) for choice in set(best)}
        for j, choice in enumerate(best):
            H = operators[choice]
            # Scaled to 1 for the product: under a large alpha its entries would leave float32's range.
            largest = H.abs().amax().clamp_min(torch.finfo(torch.float64).tiny)
            product = (H / largest).to(torch.float32) @ training[j]
            yield Predicted(i, j, product.to(torch.float64) * largest, centres[j], grid[choice])
