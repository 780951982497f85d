"""How far up the right items come, in every pair of layers, fold by fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.controls import mismatches
from analyses.metrics.inference.null import group_permutations
from analyses.metrics.ranks_of import every_rank, ranks
from analyses.metrics.ridge.predictions import FitTargets, predict_unseen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

DIRECTIONS = ("vision->language", "language->vision")


@dataclass(frozen=True, slots=True)
class Items:
    """Row i pairs one item of each side.

    Attributes
    ----------
    names, contents : list of str
        Of each row the item, and what it is: items of equal content answer for each other.
    """

    names: list[str]
    contents: list[str]

    def first(self) -> list[int]:
        """Return the first row of each item: an image that stands beside five captions is one item."""
        found: dict[str, int] = {}
        for row, name in enumerate(self.names):
            found.setdefault(name, row)
        return list(found.values())


@dataclass(frozen=True, slots=True)
class Search:
    """One direction: ranks of every query in every cell, and what they are out of.

    Attributes
    ----------
    ranks : (D, V, L, q) float64 array
        D is 1, or the draws of a mismatch.
    null : (1 + K, q) float64 array or None
        Of the one cell there is: ranks of the right items themselves, then of other groups' under each permutation.
    groups, folds, right, gallery
        Of each query: its group, its fold, how many items are right, and how many there are.
    """

    ranks: NDArray[np.float64]
    null: NDArray[np.float64] | None
    groups: list[str]
    folds: NDArray[np.int64]
    right: NDArray[np.int64]
    gallery: NDArray[np.int64]


def search(
    layers: tuple[list[torch.Tensor], list[torch.Tensor]],
    items: tuple[Items, Items],
    groups: Sequence[str],
    assigned: NDArray[np.int64],
    direction: str,
    *,
    seed: int,
    draws: int = 0,
    permutations: int = 0,
    tell: Callable[[], None] = lambda: None,
) -> Search:
    """Rank the right items of every query of every fold, through maps fitted on the other folds.

    Parameters
    ----------
    layers : (vision layers, language layers)
        Over the rows.
    items : (Items, Items)
        Of vision and language.
    groups : (n,) sequence of str
    assigned : (n,) int64 array
        The fold of each row.
    direction : {"vision->language", "language->vision"}
        What predicts what: queries are of the first.
    seed : int
    draws : int
        Fit on pairs that do not belong together, so many times, all of one factorisation.
    permutations : int
        Rank the items of other groups, too; of one pair of layers.
    tell : callable
        Told after each source layer and fold.
    """
    forward = direction == "vision->language"
    sources, targets = layers if forward else layers[::-1]
    queries, found_in = items if forward else items[::-1]
    fitted = FitTargets.of(targets)
    varies = [values.amax(dim=0) != values.amin(dim=0) for values in fitted.values]
    device = sources[0].device
    shape = (draws or 1, len(layers[0]), len(layers[1]))
    parts: list[NDArray[np.float64]] = []
    nulls: list[NDArray[np.float64]] = []
    asked: list[int] = []
    counts: list[NDArray[np.int64]] = []
    sizes: list[int] = []
    for fold in np.unique(assigned):
        held = _Fold.of(queries, found_in, np.flatnonzero(assigned == fold))
        train = np.flatnonzero(assigned != fold)
        own = torch.from_numpy(train).to(device)
        stacks = None
        if draws:
            named = [groups[i] for i in train.tolist()]
            drawn = mismatches(named, draws, np.random.default_rng(seed))
            stacks = [own[torch.from_numpy(one).to(device)] for one in drawn]
        test, gallery = (torch.from_numpy(rows).to(device) for rows in (held.test, held.gallery))
        truth = torch.from_numpy(held.right).to(device)
        ranked = np.empty((*shape, len(test)))
        last = (len(stacks or [0]) - 1, len(targets) - 1)
        for one in predict_unseen(sources, fitted, own, test, stacks=stacks):
            at = (one.source, one.target) if forward else (one.target, one.source)
            values = fitted.values[one.target][gallery] - one.centre
            # A constant unit's computed mean is off by rounding: it must not become a likeness.
            values = torch.where(varies[one.target], values, 0.0)
            likeness = _unit(one.values) @ _unit(values).T
            ranked[one.stack, *at] = ranks(likeness, truth)
            if permutations:
                null = held.permuted(every_rank(likeness), groups, permutations, seed + int(fold))
                nulls.append(null)
            if (one.stack, one.target) == last:
                tell()
        parts.append(ranked)
        asked += held.test.tolist()
        counts.append(held.right.sum(axis=1))
        sizes += [len(gallery)] * len(test)
    return Search(
        np.concatenate(parts, axis=3),
        np.concatenate(nulls, axis=1) if permutations else None,
        [groups[i] for i in asked],
        assigned[asked],
        np.concatenate(counts).astype(np.int64),
        np.array(sizes, np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Fold:
    """One fold: its rows, the first row of each query and of each item of the gallery, and which are right."""

    rows: NDArray[np.int64]
    test: NDArray[np.int64]
    gallery: NDArray[np.int64]
    right: NDArray[np.bool_]
    line: NDArray[np.int64]  # what each query is, by content
    line_of_row: NDArray[np.int64]
    column_of_row: NDArray[np.int64]  # the item of each row, by its place in the gallery

    @classmethod
    def of(cls, queries: Items, items: Items, rows: NDArray[np.int64]) -> _Fold:
        held = set(rows.tolist())
        test, gallery = ([i for i in side.first() if i in held] for side in (queries, items))
        lines: dict[str, int] = {}
        columns: dict[str, int] = {}
        for i in rows.tolist():
            lines.setdefault(queries.contents[i], len(lines))
            columns.setdefault(items.contents[i], len(columns))
        belong = np.zeros((len(lines), len(columns)), bool)
        for i in rows.tolist():
            belong[lines[queries.contents[i]], columns[items.contents[i]]] = True
        line = np.array([lines[queries.contents[i]] for i in test], np.int64)
        column = [columns[items.contents[i]] for i in gallery]
        place = {items.names[i]: at for at, i in enumerate(gallery)}
        return cls(
            rows,
            np.array(test, np.int64),
            np.array(gallery, np.int64),
            belong[line][:, column],
            line,
            np.array([lines[queries.contents[i]] for i in rows.tolist()], np.int64),
            np.array([place[items.names[i]] for i in rows.tolist()], np.int64),
        )

    def permuted(
        self, every: NDArray[np.float64], groups: Sequence[str], count: int, seed: int
    ) -> NDArray[np.float64]:
        """Return the best rank of each query's right items, then of other groups' in their place: (1 + count, q)."""
        named = [groups[i] for i in self.rows.tolist()]
        shuffled = group_permutations(named, count, seed)
        query, row = np.nonzero(self.line[:, None] == self.line_of_row)
        starts = np.flatnonzero(np.diff(query, prepend=-1))
        orders = [np.arange(len(self.rows)), *shuffled]
        return np.stack(
            [
                np.minimum.reduceat(every[query, self.column_of_row[order[row]]], starts)
                for order in orders
            ]
        )


def _unit(values: torch.Tensor) -> torch.Tensor:
    length = torch.linalg.vector_norm(values, dim=1, keepdim=True)
    return torch.where(length > 0, values / torch.where(length > 0, length, 1.0), 0.0)
