"""Ranks of many values, ties averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor


def average_ranks(values: Tensor, tolerance: float = 0.0) -> Tensor:
    """Rank values from 1; tied ones get the mean of their ranks.

    Parameters
    ----------
    values : (P,) float64 tensor
    tolerance : float
        Values that follow each other closer than this, in order, are tied.

    Returns
    -------
    (P,) float64 tensor
    """
    order = _argsort(values)
    ordered = values[order]
    ranks = torch.empty_like(ordered)
    place = torch.arange(1, len(values) + 1, dtype=values.dtype, device=values.device)
    new = ordered.diff() > tolerance
    if not bool(new.all()):
        group = torch.nn.functional.pad(new, (1, 0)).cumsum(0)
        counts = group.bincount()
        last = counts.cumsum(0)
        place = (last - (counts - 1) / 2).to(values.dtype)[group]
    ranks[order] = place
    return ranks


def _argsort(values: Tensor) -> Tensor:
    if (
        values.device.type == "cpu"
    ):  # several times the speed of torch there, which sorts one value at a time
        return torch.from_numpy(np.argsort(values.numpy()))
    return values.argsort()
