"""Which alphas cannot be a target's best, by what is known of others: from the source's spectrum, whatever the target.

A criterion is c(a) = sum_i d_i(a) |(G(a) Y)_i|^2, with the weight d_i of each row's residual (1 / G_ii^2 for
leave-one-out). Between an alpha a and another, b, two things hold for every centred Y. With r_j the ratio of the
factors that G(a) and G(b) put on eigenvector j, and m the least of d_i(a) / d_i(b):

- c(a) >= min d(a) |G(a) Y|^2 >= min d(a) min r^2 |G(b) Y|^2 >= (min d(a) / max d(b)) min r^2 c(b).
- G(a) = G(b) (q + E) with q the middle of the r_j and |E| <= e q, so by the triangle inequality
  c(a) >= m q^2 (1 - e sqrt(max d(b) / min d(b)))^2 c(b), where that is not below zero.

The first is close to 1 where a and b are both large, the second where both are small against the spectrum: the two ends
of a grid, which differ little among themselves, are ruled out by one of each.
"""

from __future__ import annotations

import torch
from torch import Tensor

_ABSENT = 1e-24
"""Squared norm of an eigenvector that was the vector of ones, and is zero but for rounding."""

_SLACK = 1e-6
"""Taken from a bound, for the rounding of its own computation."""

LEFT_END, RIGHT_END = 0.3, 0.97
"""An end of the grid is begun at the alpha that is known to bound all beyond it by this: a matter of cost alone."""


def bounds(shrinkage: Tensor, weights: Tensor, eigenvectors: Tensor) -> Tensor:
    """Return B with c(a) >= B[a, b] c(b) for every target.

    Parameters
    ----------
    shrinkage : (A, n) float64 tensor
        The factors of G, alpha after alpha.
    weights : (A, n) float64 tensor
        d, for each row.
    eigenvectors : (n, n) float64 tensor

    Returns
    -------
    (A, A) float64 tensor
    """
    present = (eigenvectors * eigenvectors).sum(dim=0) > _ABSENT
    factors = shrinkage[:, present]
    if not factors.shape[1]:
        return torch.zeros(len(shrinkage), len(shrinkage)).to(weights)
    ratio = factors[:, None] / factors[None]
    low, high = ratio.amin(dim=2), ratio.amax(dim=2)
    least, most = weights.amin(dim=1), weights.amax(dim=1)
    spread = least[:, None] / most[None] * low**2
    middle, error = (low + high) / 2, (high - low) / (high + low)
    near = (1 - error * (most / least).sqrt()[None]).clamp_min(0)
    close = (weights[:, None] / weights[None]).amin(dim=2) * middle**2 * near**2
    found = torch.maximum(spread, close) * (1 - _SLACK)
    # An underflow or overflow bounds nothing.
    return torch.where(found.isfinite(), found, 0.0)


def first_to_weigh(bound: Tensor, order: list[int]) -> list[int]:
    """Return the alphas to begin with: those between the ends; ``order`` has them from small to large."""
    left = right = None
    for at in range(len(order)):
        here = order[at]
        if left is None or at > left:
            beyond = bound[order[:at], here]
            if bool((beyond >= LEFT_END).all()):
                left = at
        after = bound[order[at + 1 :], here]
        if right is None and bool((after >= RIGHT_END).all()):
            right = at
    left, right = left or 0, len(order) - 1 if right is None else right
    return sorted(order[min(left, right) : right + 1])


def contenders(bound: Tensor, known: list[int], low: Tensor, high: Tensor) -> list[int]:
    """Return the alphas not yet known that may be some target's best.

    Parameters
    ----------
    bound : (A, A) tensor
        As :func:`bounds` gives it.
    known : list of int
    low, high : (T, len(known)) tensors
        What each target's criterion at the known alphas is at least, and at most.
    """
    rest = [a for a in range(len(bound)) if a not in set(known)]
    if not rest:
        return []
    least = (bound[rest][:, known][None] * low.clamp_min(0)[:, None]).amax(dim=2)
    may = (least <= high.amin(dim=1, keepdim=True)).any(dim=0)
    return [a for a, one in zip(rest, may.tolist(), strict=True) if one]
