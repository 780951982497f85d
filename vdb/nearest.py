"""Exact nearest neighbours over a stream of vectors: memory stays flat whatever the number of items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def nearest(
    query: NDArray[np.floating],
    batches: Iterable[tuple[list[str], NDArray[np.floating]]],
    k: int,
    *,
    leave_out: str | None = None,
) -> tuple[list[str], list[float]]:
    """Find the ``k`` vectors of greatest cosine similarity to ``query``.

    Parameters
    ----------
    query : (width,) array
    batches : iterable of (ids, (n, width) array)
    k : int
    leave_out : str, optional
        An id that is passed over: the query's own.

    Returns
    -------
    ids, similarities
        The nearest first; of equal ones the lower id first.
    """
    direction = query.astype(np.float32)
    direction /= np.linalg.norm(direction)
    best: list[tuple[float, str]] = []
    for ids, stored in batches:
        values = stored.astype(np.float32)
        similarity = values @ direction / np.linalg.norm(values, axis=1)
        if len(ids) > k:  # one more than k, for the item left out, and all that tie with the last
            last = np.partition(similarity, -(k + 1))[-(k + 1)]
            top = np.flatnonzero(similarity >= last)
        else:
            top = np.arange(len(ids))
        best += [(-float(similarity[i]), ids[i]) for i in top if ids[i] != leave_out]
        best = sorted(best)[:k]
    return [item for _, item in best], [-minus for minus, _ in best]
