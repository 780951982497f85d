"""How layers are read from a Lance table into numpy arrays: one version, two passes, one copy of each vector.

The first pass reads the ids and gives every stored row its place in the answer; the second streams the layers and puts
each vector where it belongs. Memory is the answer's and a few batches'.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vdb.tables import ROWS_A_COMMIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_LOOK_UP_AT_MOST = 2000
"""Ids up to which Lance is asked for these rows alone; above, scanning the layer is as fast."""

_FRAGMENTS_AHEAD = 2


def read_columns(
    dataset: Any,  # noqa: ANN401 - a lance dataset
    columns: Sequence[str],
    id_column: str,
    variant: str,
    asked: pa.StringArray | None,
) -> tuple[pa.StringArray, list[str], list[NDArray[np.floating]]]:
    """Read vector columns of one version of a space.

    Parameters
    ----------
    dataset : lance.LanceDataset
    columns : sequence of str
    id_column : str
    variant : str
    asked : pa.StringArray, optional
        Distinct ids, in the order wanted; every id of the variant, sorted, by default.

    Returns
    -------
    ids : (n,) pa.StringArray
    missing : list of str
        Which of ``asked`` have no row; where there are any, no vector is read.
    values : list of (n, width) arrays
    """
    few = asked is not None and len(asked) <= _LOOK_UP_AT_MOST
    stored, kept, batches = _passes(dataset, columns, id_column, variant, asked if few else None)
    if asked is None:
        ids, places = _sorted(stored)
    else:
        ids, places = asked, pc.index_in(stored, asked).fill_null(-1).to_numpy()
        missing = np.ones(len(asked), bool)
        missing[places[places >= 0]] = False
        if missing.any():
            return asked, asked.filter(pa.array(missing)).to_pylist(), []
    if kept is not None:  # the batches hold rows of other variants too
        everywhere = np.full(len(kept), -1)
        everywhere[kept] = places
        places = everywhere
    types = [dataset.schema.field(column).type for column in columns]
    out = [np.empty((len(ids), t.list_size), t.value_type.to_pandas_dtype()) for t in types]
    start = 0
    for batch in batches:
        where = places[start : start + len(batch)]
        start += len(batch)
        for values, column in zip(out, batch.columns, strict=True):
            _put(values, where, vectors(column))
    return ids, [], out


def _passes(
    dataset: Any,  # noqa: ANN401 - untyped
    columns: Sequence[str],
    id_column: str,
    variant: str,
    only: pa.StringArray | None,
) -> tuple[pa.StringArray, NDArray[np.bool_] | None, Iterator[Any]]:
    """Begin both passes; return the wanted rows' ids, which rows of the batches they are (None: all), the batches."""
    here = pc.field("variant") == variant
    if only is not None:
        here &= pc.field(id_column).isin(only)
        batches = _started(dataset, columns, here)
        ids = dataset.to_table(columns=[id_column], filter=here)[id_column]
        return ids.combine_chunks(), None, batches
    batches = _started(
        dataset, columns, None
    )  # a filter would make Lance copy its batches together
    rows = dataset.to_table(columns=[id_column, "variant"])
    ids, kept = rows[id_column].combine_chunks(), pc.equal(rows["variant"], variant).to_numpy()
    if kept.all():
        return ids, None, batches
    ids = ids.filter(pa.array(kept))
    if 2 * len(ids) < len(kept):  # most rows would be read in vain
        return ids, None, _started(dataset, columns, here)
    return ids, kept, batches


def vectors(column: Any) -> NDArray[np.floating]:  # noqa: ANN401 - a pyarrow array
    """View a fixed-size-list array as an (n, width) numpy array, without a copy."""
    flat: NDArray[np.floating] = column.flatten().to_numpy(zero_copy_only=True)
    return flat.reshape(len(column), column.type.list_size)


def _started(dataset: Any, columns: Sequence[str], where: pc.Expression | None) -> Iterator[Any]:  # noqa: ANN401 - untyped
    """Stream columns; Lance begins to read now, while the places are worked out."""
    batches = dataset.scanner(
        columns=list(columns),
        filter=where,
        batch_size=ROWS_A_COMMIT,  # a batch is then a fragment as it was committed: nothing to copy together
        # Further ahead, Lance only touches more memory; an object store needs the requests in flight.
        fragment_readahead=None if "://" in dataset.uri else _FRAGMENTS_AHEAD,
    ).to_batches()
    background = ThreadPoolExecutor(1)
    first = background.submit(lambda: list(islice(batches, 1)))
    background.shutdown(wait=False)

    def every() -> Iterator[Any]:
        yield from first.result()
        yield from batches

    return every()


def _sorted(stored: pa.StringArray) -> tuple[pa.StringArray, NDArray[np.int64]]:
    """Sort ids; return them and the place of each stored row among them."""
    if pc.all(pc.less(stored[:-1], stored[1:])).as_py():  # a hundred times less work than sorting
        return stored, np.arange(len(stored))
    order = pc.sort_indices(stored)
    places = np.empty(len(order), np.int64)
    places[order.to_numpy()] = np.arange(len(order))
    return stored.take(order), places


def _put(out: NDArray[np.floating], where: NDArray[np.int64], rows: NDArray[np.floating]) -> None:
    """Set ``out[where] = rows``, passing over the rows whose place is -1."""
    if (where < 0).any():
        wanted = where >= 0
        where, rows = where[wanted], rows[wanted]
    if not len(where):
        return
    if where[-1] - where[0] == len(where) - 1 and (np.diff(where) == 1).all():
        out[where[0] : where[-1] + 1] = rows
    else:  # a row as one opaque value: numpy then copies it whole, not number by number
        whole = np.dtype((np.void, rows.itemsize * rows.shape[1]))
        out.view(whole)[:, 0][where] = rows.view(whole)[:, 0]
