"""The target side of dual ridge regression: prepared once for all folds and sources, and cut into folds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from analyses.metrics.ridge.source import column_norms, outer
from analyses.metrics.ridge.unit_scores import HeldOut


@dataclass(frozen=True, slots=True)
class Target:
    """One target layer, prepared once for all folds and sources.

    ``values`` are (n, T) float32, each unit centred and scaled over all rows (r does not see either);
    ``gram`` is (n, n) float64, of the centred, unscaled units, for the choice of alpha.
    """

    values: Tensor
    gram: Tensor


def prepare_target(layer: Tensor) -> Target:
    """Prepare a target layer: an (n, T) floating tensor."""
    Y = layer.detach().to(torch.float64)
    varies = Y.amax(dim=0) != Y.amin(dim=0)
    # A constant unit's computed mean is off by rounding: it must not become a unit of noise.
    Y = (Y - Y.mean(dim=0)).mul_(varies)
    norms = column_norms(Y)
    values = (Y * (len(Y) ** 0.5 / torch.where(varies, norms, 1.0))).to(torch.float32)
    return Target(values, outer(Y))


def hold_out(values: Tensor, train: Tensor, test: Tensor) -> HeldOut:
    """Cut one fold out of a prepared target's ``values``."""
    held = values.index_select(0, test)
    varies = held.amax(dim=0) != held.amin(dim=0)
    held = held - held.mean(dim=0)
    length = column_norms(held)
    held = torch.where(varies, held / torch.where(varies, length, 1.0), 0.0)
    return HeldOut(training_values(values, train), held, int(varies.sum()))


def training_values(values: Tensor, train: Tensor) -> Tensor:
    """Return the training rows of a prepared target's ``values``; 0 in units that are constant there.

    Operators take constants to zero but for rounding, and r would be that of the rounding.
    """
    rows = values.index_select(0, train)
    constant = rows.amax(dim=0) == rows.amin(dim=0)
    if bool(constant.any()):
        rows[:, constant] = 0.0
    return rows
