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

from analyses.metrics.inputs import check_groups, check_layers
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

TIE_TOLERANCE = 1e-12
"""Cosines closer than this are a tie; the rounding of a float64 product is two to three digits below it."""

BLOCK_BYTES = 256 * 2**20
"""Memory for the neighbourhoods of one block of rows, all layers together."""


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
    """

    scores: NDArray[np.float64]
    item_scores: NDArray[np.float32] | None
    part_scores: NDArray[np.float64] | None
    chance: float


def mutual_knn(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    k: int = 10,
    groups: Sequence[object] | None = None,
    parts: NDArray[np.int64] | None = None,
    items: bool = False,
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
    block_bytes : int
        Rows are taken in blocks, so that the neighbourhoods of all layers need no more memory than this.
    progress : callable, optional
        Told the number of rows done, and of all.

    Raises
    ------
    InputError
        If layers or groups cannot be used, or an item has no more than ``k`` candidates for neighbours.
    """
    n = check_layers(vision, language)
    names = check_groups(groups, n)
    device = vision[0].device
    member, candidates = _candidates(names, k)
    own = torch.from_numpy(member).to(device)
    layers = [*(_unit(layer) for layer in vision), *(_unit(layer) for layer in language)]
    V, L = len(vision), len(language)
    rows = max(1, min(n, block_bytes // (4 * n * len(layers))))
    part = torch.zeros(n, dtype=torch.int64) if parts is None else torch.from_numpy(parts)
    sizes = part.bincount()
    totals = torch.zeros((len(sizes), V, L), dtype=torch.float64, device=device)
    overlaps = np.zeros((V, L, n), dtype=np.float32) if items else None
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        excluded = own[start:stop, None] == own[None, :]
        near = torch.stack([_neighbourhoods(layer, start, stop, excluded, k) for layer in layers])
        for index in sorted(set(part[start:stop].tolist())):
            chosen = (part[start:stop] == index).nonzero()[:, 0].to(device)
            own_rows = near if len(chosen) == stop - start else near[:, chosen]
            product = own_rows[:V].reshape(V, -1) @ own_rows[V:].reshape(L, -1).T
            totals[index] += product.to(torch.float64)
        if overlaps is not None:
            shared = torch.einsum("vij,lij->vli", near[:V], near[V:])
            overlaps[:, :, start:stop] = (shared / k).cpu().numpy()
        if progress is not None:
            progress(stop, n)
    scores = (totals.sum(dim=0) / (n * k)).cpu().numpy()
    within = (totals.cpu() / (sizes[:, None, None] * k)).permute(1, 2, 0).numpy()
    chance = float(np.mean(k / candidates))
    return MutualKnn(scores, overlaps, None if parts is None else within, chance)


def _candidates(names: list[str], k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each row's group as a number, and how many rows are candidates for its neighbourhood."""
    _, member, sizes = np.unique(
        np.asarray(names, dtype=object), return_inverse=True, return_counts=True
    )
    candidates = len(names) - sizes[member]
    if k < 1 or int(candidates.min()) <= k:
        raise InputError(
            f"k = {k} neighbours of {len(names)} items: k must be at least 1 and less than the "
            f"{int(candidates.min())} candidates that every item has outside its own group"
        )
    return member.astype(np.int64), candidates


def _unit(layer: Tensor) -> Tensor:
    """Return the rows in float64 with length 1; a zero vector stays zero, as near to all as to none."""
    X = layer.detach().to(torch.float64)
    # Divide by the largest value first: squares of very large or small ones would leave float64's range.
    X = X / X.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    return torch.nn.functional.normalize(X, dim=1)


def _neighbourhoods(X: Tensor, start: int, stop: int, excluded: Tensor, k: int) -> Tensor:
    """Return the membership of each row of X in the neighbourhood of rows start ... stop: (stop - start, n) float32.

    1 for a neighbour, 0 for none, a fraction for a tie at the k-th place; each row sums to k.
    """
    cosine = (X[start:stop] @ X.T).masked_fill_(excluded, -torch.inf)
    kth = cosine.topk(k, dim=1).values[:, -1:]
    nearer = cosine > kth + TIE_TOLERANCE
    tied = (cosine >= kth - TIE_TOLERANCE) & ~nearer
    share = (k - nearer.sum(dim=1)) / tied.sum(dim=1)
    return torch.where(tied, share[:, None].to(torch.float32), nearer.to(torch.float32))
