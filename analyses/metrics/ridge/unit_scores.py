"""Held-out r of one factorised source for prepared targets, alpha shared by a target's units or chosen for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.metrics.ridge.selection import Rule, TargetGrams, Weighed, residual_maker
from analyses.metrics.ridge.source import SourceFold, centred_operator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    Scores = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One fold of one target: training values, and held-out values centred with norm 1, or 0 without variance."""

    train: Tensor
    test: Tensor
    varying: int


@dataclass(frozen=True, slots=True)
class Shared:
    """One alpha for all units of a target: an operator an alpha, prepared when it is first chosen."""

    weighed: Weighed
    operators: dict[int, Tensor] = field(default_factory=dict)

    def score(self, targets: list[HeldOut], grams: TargetGrams | None) -> Scores:
        """Return the mean r, and the alpha, of each target."""
        if grams is None:
            raise ValueError("a shared alpha is chosen by the targets' Gram matrices")
        best = self.weighed.choose(grams).tolist()
        grid = self.weighed.alphas
        scores = np.empty(len(targets))
        for j, (choice, target) in enumerate(zip(best, targets, strict=True)):
            if choice not in self.operators:
                self.operators[choice] = centred_operator(self.weighed.source, grid[choice])
            scores[j] = _mean_r(self.operators[choice] @ target.train, target)
        return scores, np.asarray(grid)[best]


@dataclass(frozen=True, slots=True)
class PerUnit:
    """An alpha for each target unit, by the same criterion; in double precision, several times the work."""

    source: SourceFold
    alphas: tuple[float, ...]
    rule: Rule
    inner: Sequence[Tensor]

    def score(self, targets: list[HeldOut], grams: TargetGrams | None) -> Scores:  # noqa: ARG002 - as Shared
        """Return the mean r, and the median alpha, of each target."""
        grid = torch.tensor(self.alphas, dtype=torch.float64, device=self.source.eigenvalues.device)
        shift = self.source.projection - self.source.projection.mean(dim=0)
        scores, medians = np.empty(len(targets)), np.empty(len(targets))
        makers = self._makers(grid)
        for j, target in enumerate(targets):
            Y = target.train.to(torch.float64)
            criterion = torch.stack([((maker @ Y) ** 2).sum(dim=0) for maker in makers])
            alpha = grid[criterion.argmin(dim=0)]
            s = self.source.eigenvalues[:, None]
            # Multiplied by alpha + 1, which r does not see, so that a large alpha does not underflow.
            factor = torch.where(s > 0, (1.0 + alpha) / (s + alpha), 0.0)
            scores[j] = _mean_r(shift @ (factor * (self.source.eigenvectors.T @ Y)), target)
            medians[j] = float(alpha.quantile(0.5, interpolation="lower"))
        return scores, medians

    def _makers(self, grid: Tensor) -> list[Tensor]:
        """Return for each alpha the matrix that turns targets into the residuals that the rule sums the squares of."""
        found = []
        for alpha in grid:
            kept = alpha / (self.source.eigenvalues + alpha)
            G = residual_maker(self.source, kept / kept.amax(), torch.float64)
            if self.rule == "loo":
                found.append(G / G.diagonal()[:, None].clamp_min(torch.finfo(G.dtype).tiny))
            elif self.rule == "gcv":
                found.append(G / G.diagonal().sum())
            else:
                for rows in self.inner:
                    block = G[rows]
                    G[rows] = torch.linalg.solve(block[:, rows], block)
                found.append(G)
        return found


def _mean_r(predicted: Tensor, target: HeldOut) -> float:
    """Return the mean r of (m, units) predictions, centred over the rows, which are overwritten."""
    if predicted.device.type == "cpu":
        # One pass, without a copy: beside the product this is all memory traffic.
        array = predicted.numpy()
        square = torch.from_numpy(np.einsum("ij,ij->j", array, array))
        agreement = torch.from_numpy(np.einsum("ij,ij->j", array, target.test.numpy()))
    else:
        square = (predicted * predicted).sum(dim=0)
        agreement = predicted.mul_(target.test).sum(dim=0)
    # A prediction without variance says nothing about its unit: r is taken as 0. So are units that do not vary, whose
    # held-out values are zero; the mean is over those that do.
    length = square.sqrt()
    r = agreement / length.clamp_min(torch.finfo(length.dtype).tiny)
    return float(r.sum(dtype=torch.float64)) / target.varying if target.varying else float("nan")
