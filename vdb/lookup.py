"""Finding the few rows of one id in a large table, again and again, without an index on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


class Lookup:
    """The rows of one version of a table by the value of a column; safe in threads.

    A scan of the column for each question would cost more than the rows that answer it, so it is read once: 16 bytes
    a row stay in memory. The rows themselves are read when they are asked for.

    Parameters
    ----------
    table : lancedb table
    column : str
        A string column; several rows may share a value.
    """

    def __init__(self, table: Any, column: str) -> None:  # noqa: ANN401 - lancedb is untyped
        self._dataset = table.to_lance()  # pinned: offsets are of this version
        self._column = column
        scanner = self._dataset.scanner(columns=[column], scan_in_order=True)
        # Hashes, as they sort and compare faster than text; two values may share one, so rows are checked again.
        hashes = hashed(pl.Series(scanner.to_table().column(column), dtype=pl.String))
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    def rows(self, value: str, columns: Sequence[str]) -> pa.Table:
        """Return the rows whose column is ``value``, in the table's order; an empty table where there is none."""
        [wanted] = hashed(pl.Series([value], dtype=pl.String))
        low, high = (int(np.searchsorted(self._hashes, wanted, side=s)) for s in ("left", "right"))
        read = list(dict.fromkeys([self._column, *columns]))
        found = self._dataset.take(self._order[low:high].tolist(), columns=read)
        return found.filter(pc.field(self._column) == value).select(list(columns))


def hashed(values: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return a hash of each text; two texts may share one."""
    return values.hash().to_numpy()
