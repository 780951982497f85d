"""Cycle k-nearest-neighbour alignment of every pair of layers.

From Huh, Cheung, Wang and Isola, "The Platonic Representation Hypothesis", ICML 2024, arXiv 2405.07987.

An item comes back if it is among the k nearest neighbours, in the second layer, of one of its k nearest neighbours
in the first; the score is the share of items that do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from analyses.metrics.inputs import check_layers
from analyses.metrics.neighbours.lists import BLOCK_BYTES, Candidates, neighbourhoods
from analyses.metrics.neighbours.tables import rows_a_block, views
from analyses.metrics.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.neighbours.lists import Edges
    from analyses.metrics.neighbours.tables import View

_NEVER = -100.0
"""Logarithm of the chance of staying away where it is none: exp of it is nothing even in float64 sums."""


def cycle_knn_ways(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    ways: Sequence[str] = ("vision", "language"),
    k: int = 10,
    groups: Sequence[object] | None = None,
    parts: NDArray[np.int64],
    permutations: NDArray[np.int64] | None = None,
    block_bytes: int = BLOCK_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]]:
    """Score as :func:`cycle_knn` does, one way ``out`` after another; neighbours are found once."""
    n = check_layers(vision, language)
    candidates = Candidates.of(groups, n, k)
    candidates.check(permutations)
    V, L = len(vision), len(language)
    step = Steps(progress, V + L - len(ways) * (-n // rows_a_block(n, L, block_bytes)))

    def edges(layers: Sequence[Tensor]) -> list[Edges]:
        return [
            step.after(neighbourhoods(layer, k, candidates, block_bytes).edges) for layer in layers
        ]

    ours, theirs = edges(vision), edges(language)
    part = torch.from_numpy(parts).to(vision[0].device)
    return [
        _there_and_back(ours, theirs, out, part, permutations, block_bytes, step) for out in ways
    ]


def cycle_knn(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    out: str = "vision",
    k: int = 10,
    groups: Sequence[object] | None = None,
    parts: NDArray[np.int64],
    permutations: NDArray[np.int64] | None = None,
    block_bytes: int = BLOCK_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    """Score the way out through one side and back through the other, for every pair of layers.

    A tie at the k-th place gives every tied neighbour its chance of being drawn, and an item comes back with
    probability ``1 - prod(1 - p q)`` over the ways there are, p and q the chances of the step out and of the step
    back. That is the expectation over random tie-breaking where ties are on the way back; ties on the way out are
    taken as drawn independently of each other.

    Parameters
    ----------
    vision, language : sequences of (n, width) floating tensors
    out : {"vision", "language"}
        The side whose neighbours are taken first.
    k, groups, permutations, block_bytes, progress
        As :func:`~analyses.metrics.neighbours.mutual_knn.mutual_knn` has them.
    parts : (n,) int array
        The part of each row, 0, 1, ...: means are also taken within each.

    Returns
    -------
    scores : (V, L) array
    part_scores : (V, L, parts) array
    null : (K, V, L) array or None
    """
    [found] = cycle_knn_ways(
        vision,
        language,
        ways=[out],
        k=k,
        groups=groups,
        parts=parts,
        permutations=permutations,
        block_bytes=block_bytes,
        progress=progress,
    )
    return found


def _there_and_back(
    ours: Sequence[Edges],
    theirs: Sequence[Edges],
    out: str,
    part: Tensor,
    permutations: NDArray[np.int64] | None,
    block_bytes: int,
    step: Steps,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    n, sizes = len(part), part.bincount()
    # The step back is looked up at the item that it must lead to, so that a block holds all ways of its items.
    if out == "vision":
        theirs = [layer.reverse() for layer in theirs]
    else:
        ours = [layer.reverse() for layer in ours]
    V, L = len(ours), len(theirs)
    totals = torch.zeros((V, len(sizes), L), dtype=torch.float64, device=part.device)
    null = totals.new_zeros((0 if permutations is None else len(permutations), V, L))
    for view in views([theirs], n, permutations, block_bytes, step, _log_away):
        for v, layer in enumerate(ours):
            back = _come_back(view, layer.take(view.items))
            if view.number:
                null[view.number - 1, v] += back.sum(dim=0)
            else:
                totals[v].index_add_(0, part[view.items], back)
    scores = (totals.sum(dim=1) / n).cpu().numpy()
    within = (totals / sizes[:, None]).permute(0, 2, 1).cpu().numpy()
    return scores, within, None if permutations is None else (null / n).cpu().numpy()


def _log_away(table: Tensor) -> Tensor:
    return table.neg_().log1p_().clamp_min_(_NEVER)


def _come_back(view: View, edges: Edges) -> Tensor:
    """Return the probability that each item of the block comes back: (m, L) float64."""
    drawn = edges.weights < 1
    away = view.sums(edges.with_weights(~drawn), 0).to(torch.float64)
    if bool(drawn.any()):
        back = -torch.expm1(view.tables[0][view.place(edges)[drawn]].to(torch.float64))
        ways = (-edges.weights[drawn, None] * back).log1p()
        away.index_add_(0, edges.origins[drawn], ways)
    return -torch.expm1(away)
