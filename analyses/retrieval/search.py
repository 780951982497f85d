"""How far up the right items come, in every pair of layers, fold by fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.controls import mismatch
from analyses.metrics.ranks_of import ranks
from analyses.metrics.ridge_predictions import FitTargets, predict_unseen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from analyses.matching import Matched

DIRECTIONS = ("vision->language", "language->vision")


@dataclass(frozen=True, slots=True)
class Search:
    """One direction of one control: ranks of every query in every cell, (V, L, q), and what they are out of."""

    ranks: NDArray[np.float64]
    groups: list[str]
    folds: NDArray[np.int64]
    right: NDArray[np.int64]
    gallery: NDArray[np.int64]


def search(
    layers: tuple[list[torch.Tensor], list[torch.Tensor]],
    rows: Matched,
    assigned: NDArray[np.int64],
    direction: str,
    *,
    seed: int | None,
    tell: Callable[[], None],
) -> Search:
    """Rank the right items of every query of every fold, through maps fitted on the other folds.

    Parameters
    ----------
    layers : (vision layers, language layers)
        Over the rows.
    rows : Matched
    assigned : (n,) int64 array
        The fold of each row.
    direction : {"vision->language", "language->vision"}
        What predicts what: queries are of the first.
    seed : int, optional
        Of the mismatch, where the map is to be fitted on pairs that do not belong together.
    tell : callable
        Told after each source layer and fold.
    """
    forward = direction == "vision->language"
    sources, targets = layers if forward else layers[::-1]
    captions = ["\n".join(ids) for ids in rows.caption_ids]
    queries, items = (rows.image_ids, captions) if forward else (captions, rows.image_ids)
    first, gallery_of = _first(queries), _first(items)
    fitted = FitTargets.of(targets)
    device = sources[0].device
    shape = (len(layers[0]), len(layers[1]))
    parts: list[NDArray[np.float64]] = []
    asked: list[int] = []
    right_counts: list[int] = []
    sizes: list[int] = []
    for fold in np.unique(assigned):
        held = assigned == fold
        test = np.array([i for i in first if held[i]], np.int64)
        gallery = np.array([i for i in gallery_of if held[i]], np.int64)
        right = _right(queries, items, np.flatnonzero(held), test, gallery)
        train = np.flatnonzero(~held)
        partners = None
        if seed is not None:
            partners = train[mismatch([rows.groups[i] for i in train.tolist()], seed)]
        found = np.empty((*shape, len(test)))
        predictions = predict_unseen(
            sources,
            fitted,
            torch.from_numpy(train).to(device),
            torch.from_numpy(test).to(device),
            stacks=None if partners is None else [torch.from_numpy(partners).to(device)],
        )
        truth = torch.from_numpy(right).to(device)
        for told, one in enumerate(predictions, 1):
            at = (one.source, one.target) if forward else (one.target, one.source)
            values = fitted.values[one.target][torch.from_numpy(gallery).to(device)]
            varies = fitted.values[one.target].amax(dim=0) != fitted.values[one.target].amin(dim=0)
            likeness = _unit(one.values) @ _unit(torch.where(varies, values - one.centre, 0.0)).T
            found[at] = ranks(likeness, truth)
            if told % len(targets) == 0:
                tell()
        parts.append(found)
        asked += test.tolist()
        right_counts += right.sum(axis=1).tolist()
        sizes += [len(gallery)] * len(test)
    return Search(
        np.concatenate(parts, axis=2),
        [rows.groups[i] for i in asked],
        assigned[asked],
        np.array(right_counts, np.int64),
        np.array(sizes, np.int64),
    )


def _first(names: Sequence[str]) -> list[int]:
    """Return the first row of each name: an image that stands beside five captions is one item."""
    found: dict[str, int] = {}
    for row, name in enumerate(names):
        found.setdefault(name, row)
    return list(found.values())


def _right(
    queries: Sequence[str],
    items: Sequence[str],
    held: NDArray[np.int64],
    test: NDArray[np.int64],
    gallery: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Mark what belongs together: (queries, gallery)."""
    line = {queries[i]: at for at, i in enumerate(test.tolist())}
    column = {items[i]: at for at, i in enumerate(gallery.tolist())}
    right = np.zeros((len(test), len(gallery)), bool)
    for i in held.tolist():
        right[line[queries[i]], column[items[i]]] = True
    return right


def _unit(values: torch.Tensor) -> torch.Tensor:
    length = torch.linalg.vector_norm(values, dim=1, keepdim=True)
    return torch.where(length > 0, values / torch.where(length > 0, length, 1.0), 0.0)
