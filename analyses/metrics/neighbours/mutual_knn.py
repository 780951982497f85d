"""Mutual k-nearest-neighbour alignment of every pair of layers.

From Huh, Cheung, Wang and Isola, "The Platonic Representation Hypothesis", ICML 2024, arXiv 2405.07987.

For each item, the share of its k nearest neighbours (by cosine) in one layer that are also among its k nearest in
the other; averaged over items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.metrics.inputs import check_layers
from analyses.metrics.neighbours.lists import BLOCK_BYTES, Candidates, neighbourhoods
from analyses.metrics.neighbours.tables import rows_a_block, views
from analyses.metrics.steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.neighbours.lists import Edges


@dataclass(frozen=True, slots=True)
class MutualKnn:
    """The map of V vision layers and L language layers over n items.

    Attributes
    ----------
    scores : (V, L) float64 array
        Mean overlap, in [0, 1].
    item_scores : (V, L, n) float32 array or None
        The overlap of each item, if it was asked for: the unit to resample for an interval.
    part_scores : (V, L, parts) float64 array or None
        Mean overlap of the items of each part, if parts were given.
    chance : float
        The expected score of unrelated layers: k over the number of candidate neighbours, mean over items.
    null : (K, V, L) float64 array or None
        The scores under each permutation, if any were given.
    """

    scores: NDArray[np.float64]
    item_scores: NDArray[np.float32] | None
    part_scores: NDArray[np.float64] | None
    chance: float
    null: NDArray[np.float64] | None = None


def mutual_knn(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    k: int = 10,
    groups: Sequence[object] | None = None,
    parts: NDArray[np.int64] | None = None,
    items: bool = False,
    permutations: NDArray[np.int64] | None = None,
    block_bytes: int = BLOCK_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> MutualKnn:
    """Score every vision layer against every language layer.

    A tie at the k-th place is shared out: each of the tied neighbours counts by its chance of being drawn, so that
    the overlap is its expectation over random tie-breaking, whatever the order of the rows. A layer whose vectors
    are all the same scores exactly at chance.

    Parameters
    ----------
    vision, language : sequences of (n, width) floating tensors
        Row i of every layer belongs to item i.
    k : int
        Number of neighbours.
    groups : (n,) sequence, optional
        Rows of the same group are no candidates for each other's neighbourhoods: the captions of one image, whose
        image vectors are duplicates, would otherwise be neighbours for free.
    parts : (n,) int array, optional
        The part of each row, 0, 1, ...: means are also taken within each. Neighbours come from all rows.
    items : bool
        Whether to return the overlap of each item.
    permutations : (K, n) int array, optional
        Rows of the language side; the neighbourhoods are permuted, not found again.
    block_bytes : int
        Rows are taken in blocks, so that cosines and tables need no more memory than this.
    progress : callable, optional
        Told the number of steps done, and of all: layers, then blocks of rows.

    Raises
    ------
    InputError
        If layers or groups cannot be used, or an item has no more than ``k`` candidates for neighbours.
    """
    n = check_layers(vision, language)
    candidates = Candidates.of(groups, n, k)
    candidates.check(permutations)
    V, L = len(vision), len(language)
    step = Steps(progress, V + L - (-n // rows_a_block(n, L, block_bytes)))

    def edges(layers: Sequence[Tensor]) -> list[Edges]:
        return [
            step.after(neighbourhoods(layer, k, candidates, block_bytes).edges) for layer in layers
        ]

    ours, theirs = edges(vision), edges(language)
    part = torch.zeros(n, dtype=torch.int64) if parts is None else torch.from_numpy(parts)
    part = part.to(vision[0].device)
    sizes = part.bincount()
    totals = torch.zeros((V, len(sizes), L), dtype=torch.float64, device=part.device)
    null = totals.new_zeros((0 if permutations is None else len(permutations), V, L))
    overlaps = np.zeros((V, L, n), dtype=np.float32) if items else None
    for view in views([theirs], n, permutations, block_bytes, step):
        for v, layer in enumerate(ours):
            shared = view.sums(layer.take(view.items), 0)
            if view.number:
                null[view.number - 1, v] += shared.sum(dim=0, dtype=torch.float64)
                continue
            totals[v].index_add_(0, part[view.items], shared.to(torch.float64))
            if overlaps is not None:
                overlaps[v][:, view.items.cpu().numpy()] = (shared.T / k).cpu().numpy()
    scores = (totals.sum(dim=1) / (n * k)).cpu().numpy()
    within = (totals / (sizes[:, None] * k)).permute(0, 2, 1).cpu().numpy()
    return MutualKnn(
        scores,
        overlaps,
        None if parts is None else within,
        chance=float(np.mean(k / candidates.counts)),
        null=None if permutations is None else (null / (n * k)).cpu().numpy(),
    )
