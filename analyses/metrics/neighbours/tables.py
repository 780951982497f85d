"""The edges of vision layers looked up in tables of the edges of all language layers, under any permutation.

A table has a row for each ordered pair of items and a column for each language layer, so that one look-up answers
for all of them: a permutation of the items moves the place that is looked up, and nothing else. Tables are made for
a block of items at a time, which bounds their memory whatever n is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.neighbours.lists import Edges


@dataclass(frozen=True, slots=True)
class View:
    """What one permutation shows of one block.

    Attributes
    ----------
    number : int
        0 for the items as they are, k + 1 for permutation k.
    items : (m,) int64 tensor
        The vision items that meet the language items of the block, in the order of these.
    order : (n,) int64 tensor
        The language item that each vision item meets.
    tables : sequence of (m * n, L) float32 tensors
    """

    number: int
    items: Tensor
    order: Tensor
    tables: Sequence[Tensor]

    def place(self, edges: Edges) -> Tensor:
        """Return the row of the tables for each edge of the block's items: (E,) int64."""
        return edges.origins * len(self.order) + self.order[edges.ends]

    def sums(self, edges: Edges, table: int) -> Tensor:
        """Return for each item the weighted sum over its edges of what the table holds: (m, L) float32.

        ``edges`` are those of the block's items, as ``take(view.items)`` gives them.
        """
        return torch.nn.functional.embedding_bag(
            self.place(edges),
            self.tables[table],
            edges.starts[:-1],
            mode="sum",
            per_sample_weights=edges.weights,
        )


def views(
    tables: Sequence[Sequence[Edges]],
    n: int,
    permutations: NDArray[np.int64] | None,
    block_bytes: int,
    step: Callable[[], None],
    change: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[View]:
    """Go through blocks of language items and, for each, through the items as they are and all permutations.

    Parameters
    ----------
    tables : sequence of sequences of Edges
        Of each table the edges of every language layer; what is no edge is 0.
    n : int
        Number of items.
    permutations : (K, n) int array or None
        Row i of vision meets row ``permutations[k, i]`` of language.
    block_bytes : int
        Bounds the tables of one block.
    step : callable
        Called after each block.
    change : callable, optional
        Applied to each table.
    """
    device = tables[0][0].ends.device
    orders = [torch.arange(n, device=device)]
    orders += [] if permutations is None else list(torch.from_numpy(permutations).to(device))
    rows = rows_a_block(n, sum(len(layers) for layers in tables), block_bytes)
    for start in range(0, n, rows):
        block = torch.arange(start, min(start + rows, n), device=device)
        filled = [_table(layers, block, n) for layers in tables]
        if change is not None:
            filled = [change(table) for table in filled]
        for number, order in enumerate(orders):
            items = torch.empty_like(order)
            items[order] = orders[0]
            yield View(number, items[block], order, filled)
        step()


def rows_a_block(n: int, columns: int, block_bytes: int) -> int:
    """Return how many items' tables fit."""
    return max(1, min(n, block_bytes // (4 * n * columns)))


def _table(layers: Sequence[Edges], block: Tensor, n: int) -> Tensor:
    table = torch.zeros((len(block) * n, len(layers)), device=block.device)
    for column, layer in enumerate(layers):
        edges = layer.take(block)
        table[edges.origins * n + edges.ends, column] = edges.weights
    return table
