"""Grouped k-fold assignment: rows of one group never straddle folds."""

from __future__ import annotations

import hashlib
import heapq
from typing import TYPE_CHECKING

import numpy as np

from analyses.metrics.inputs import check_groups
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MIN_FOLDS = 2


def check_folds(groups: Sequence[object], k: int, rows: int) -> None:
    """Check, before any work, that ``k`` folds can hold at least ``rows`` rows each.

    Parameters
    ----------
    groups : (n,) sequence
        The group of each row; compared as text.
    k : int
        Number of folds.
    rows : int
        Rows that each fold needs.

    Raises
    ------
    InputError
        :func:`assign_folds` would leave fewer in some fold; the message says how many folds there can be.
    """
    sizes = np.unique([str(group) for group in groups], return_counts=True)[1]
    if k <= len(groups) // rows and _fewest_rows(sizes, k) >= rows:
        return
    fewer = range(min(k - 1, len(groups) // rows), MIN_FOLDS - 1, -1)
    most = next((folds for folds in fewer if _fewest_rows(sizes, folds) >= rows), 0)
    parted = f" in {len(sizes)} groups, which folds never part" if len(sizes) < len(groups) else ""
    wants = "a row" if rows == 1 else f"{rows} rows"
    advice = f"use at most {most}" if most >= MIN_FOLDS else "give more items"
    raise InputError(
        f"{k} folds of {len(groups)} items{parted}: each fold needs at least {wants}; {advice}"
    )


def _fewest_rows(sizes: NDArray[np.int64], k: int) -> int:
    """Return the rows of the smallest fold that :func:`assign_folds` makes, which the seed does not change."""
    loads = [0] * k
    for size in sorted(sizes.tolist(), reverse=True):
        heapq.heapreplace(loads, loads[0] + size)
    return loads[0]


def assign_folds(
    groups: Sequence[str] | NDArray[np.generic], k: int, seed: int
) -> NDArray[np.int64]:
    """Assign each row to one of ``k`` folds, whole groups at a time.

    Groups are dealt out largest first, each to the fold with the fewest rows so far; groups of one size come in the
    order of a keyed hash of their value. So the fold of a row depends on its group's value, the other groups and the
    seed, and never on the order of the rows.

    Parameters
    ----------
    groups : (n,) sequence of str or array
        The group of each row; compared as text.
    k : int
        Number of folds, at least 2.
    seed : int
        Another seed deals the groups out differently.

    Returns
    -------
    (n,) int64 array
        Folds 0 ... k - 1, none of them empty.

    Raises
    ------
    InputError
        If ``k`` is below 2, or there are fewer groups than folds.

    Notes
    -----
    Giving the longest job to the least loaded machine: R. L. Graham, "Bounds on multiprocessing timing anomalies",
    SIAM J. Appl. Math. 17 (1969).
    """
    if k < MIN_FOLDS:
        raise InputError(f"{k} folds asked for: cross-validation needs at least {MIN_FOLDS}")
    values = np.asarray([str(group) for group in groups], dtype=object)
    names, member, sizes = np.unique(values, return_inverse=True, return_counts=True)
    if len(names) < k:
        raise InputError(
            f"{len(names)} groups cannot fill {k} folds (a group never straddles folds): "
            f"use at most {len(names)} folds, or give more groups"
        )
    order = sorted(range(len(names)), key=lambda i: (-int(sizes[i]), _draw(seed, str(names[i]))))
    loads = [(0, fold) for fold in range(k)]
    fold_of_group = np.empty(len(names), dtype=np.int64)
    for index in order:
        rows, fold = heapq.heappop(loads)
        fold_of_group[index] = fold
        heapq.heappush(loads, (rows + int(sizes[index]), fold))
    return fold_of_group[member.reshape(-1)]


def folds_of(
    groups: Sequence[object] | None, rows: int, folds: int, seed: int
) -> NDArray[np.int64]:
    """Check the groups of ``rows`` rows and assign them to folds."""
    return assign_folds(check_groups(groups, rows), folds, seed)


def _draw(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}\x00{name}".encode(), digest_size=16).digest()
