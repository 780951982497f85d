"""How layers are read a block of rows at a time, in an order asked for, in memory that does not grow with the rows.

One pass over the ids gives every one asked for its place in the table; then each block's places are read, the next
block while this one is worked on. Where a block's places lie close together, as they do when ids are asked for in the
order in which they were stored, they are scanned in one go: looking rows up one by one costs some ten times as much.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vdb.reading import vectors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_SPAN = 2
"""A block is scanned where its places span at most so many times its rows; else they are looked up one by one."""

_BLOCK_BYTES = 64 << 20
_BLOCK_ROWS = 8192


def rows_a_block(dataset: Any, columns: Sequence[str]) -> int:  # noqa: ANN401 - a lance dataset
    """Choose a number of rows whose vectors take 64 MB, at most 8,192."""
    types = [dataset.schema.field(column).type for column in columns]
    width = sum(int(t.list_size * t.value_type.bit_width) // 8 for t in types)
    return max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // max(1, width)))


def find_places(
    dataset: Any,  # noqa: ANN401 - a lance dataset
    id_column: str,
    variant: str,
    asked: pa.StringArray,
) -> NDArray[np.int64]:
    """Find where rows stand in one version of a space.

    Parameters
    ----------
    dataset : lance.LanceDataset
    id_column : str
    variant : str
    asked : (n,) pa.StringArray
        Ids, in any order, any of them several times.

    Returns
    -------
    (n,) int64 array
        The place of each among the table's rows; -1 where there is none.
    """
    rows = dataset.to_table(columns=[id_column, "variant"])
    here = np.flatnonzero(pc.equal(rows["variant"], variant).to_numpy())
    stored = rows[id_column].combine_chunks()
    if len(here) < len(stored):
        stored = stored.take(pa.array(here))
    if len(asked) == len(stored) and asked.equals(stored):
        return here.astype(np.int64)
    found = pc.index_in(asked, stored).fill_null(-1).to_numpy().astype(np.int64)
    return np.where(found < 0, -1, here[found]) if len(here) else found


def block_edges(n: int, rows: int) -> list[int]:
    """Cut n rows into blocks of ``rows``: where each begins, and where the last one ends.

    >>> block_edges(5, 2), block_edges(4, 2), block_edges(0, 2)
    ([0, 2, 4, 5], [0, 2, 4], [0])
    """
    return [*range(0, n, rows), n]


def stream_blocks(
    dataset: Any,  # noqa: ANN401 - a lance dataset
    columns: Sequence[str],
    places: NDArray[np.int64],
    edges: Sequence[int],
) -> Iterator[tuple[int, list[NDArray[np.floating]]]]:
    """Read vector columns block by block, each while the one before it is worked on.

    Parameters
    ----------
    dataset : lance.LanceDataset
    columns : sequence of str
    places : (n,) int64 array
    edges : (blocks + 1,) sequence of int
        Where each block begins in ``places``, and where the last one ends; no block is empty.

    Yields
    ------
    start : int
        Where the block's first row stands in ``places``.
    values : list of (rows, width) arrays
        One a column, in the stored precision.
    """
    ahead = ThreadPoolExecutor(1)

    def read(block: int) -> Any:  # noqa: ANN401 - a future
        rows = places[edges[block] : edges[block + 1]]
        return ahead.submit(_block, dataset, columns, rows)

    try:
        blocks = range(len(edges) - 1)
        coming = [read(block) for block in blocks[:1]]
        for block in blocks:
            values = coming.pop().result()
            if block != blocks[-1]:
                coming.append(read(block + 1))
            yield edges[block], values
            del values  # the block after next is not to find this one still here
    finally:
        ahead.shutdown(wait=True, cancel_futures=True)


def _block(
    dataset: Any,  # noqa: ANN401 - untyped
    columns: Sequence[str],
    places: NDArray[np.int64],
) -> list[NDArray[np.floating]]:
    first, last = int(places.min()), int(places.max())
    span = last - first + 1
    if span > _SPAN * len(places):
        # In order, so that neighbours are read together; an id asked for twice is read once.
        distinct, order = np.unique(places, return_inverse=True)
        table = dataset.take(distinct, columns=list(columns))
    else:
        order = places - first
        scanner = dataset.scanner(columns=list(columns), offset=first, limit=span, batch_size=span)
        table = scanner.to_table()
    return [_rows(table[column], order) for column in columns]


def _rows(column: pa.ChunkedArray, order: NDArray[np.int64]) -> NDArray[np.floating]:
    """Copy rows of a column in an order."""
    chunks = [vectors(chunk) for chunk in column.chunks]
    stored = np.concatenate(chunks) if len(chunks) > 1 else chunks[0]
    if len(order) == len(stored) and (order == np.arange(len(order))).all():
        return stored
    # A row as one opaque value: numpy then copies it whole, not number by number.
    whole = np.dtype((np.void, stored.itemsize * stored.shape[1]))
    return stored.view(whole)[:, 0][order].view(stored.dtype).reshape(len(order), stored.shape[1])
