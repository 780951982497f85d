"""How vectors get into a space: checked before they are committed, about 1,024 rows or 128 MB at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from vdb import tables
from vdb.errors import StoreError
from vdb.schema import key_of, layer_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vdb.recipe import Layer
    from vdb.space import Space


class Row(NamedTuple):
    """What a row of a space is of."""

    item_id: str
    concept_id: str | None
    variant: str

    @property
    def key(self) -> str:
        """The row's primary key."""
        return key_of(self.item_id, self.variant)


BYTES_A_COMMIT = 128 << 20
"""Bytes a commit: a row of a 7B model is 262 kB, so rows alone would not bound the memory."""


def unusable(block: NDArray[np.floating], layers: Sequence[Layer]) -> dict[int, str]:
    """Find the rows that must not be stored, and say why.

    Parameters
    ----------
    block : (n, sum of widths) array of float16 or float32
        As :meth:`ingest.encoders.base.Encoder.encode` returns it, after the cast to the stored precision.
    layers : sequence of Layer

    Returns
    -------
    dict
        Row -> reason, naming the layer: not finite, or all zero (which no layer gives; it stands for a lost vector).
    """
    # On the bits: numpy computes with float16 many times slower than with integers.
    bits = np.uint16 if block.dtype == np.float16 else np.uint32
    magnitude = np.bitwise_and(block.view(bits), np.iinfo(bits).max >> 1)
    infinity = np.array(np.inf, block.dtype).view(bits)
    starts = np.cumsum([0, *(layer.width for layer in layers[:-1])])
    largest = np.maximum.reduceat(magnitude, starts, axis=1)
    reasons: dict[int, str] = {}
    for row, layer in np.argwhere((largest >= infinity) | (largest == 0)):
        if int(row) not in reasons:
            reasons[int(row)] = _reason(layers[layer], block.dtype, zero=largest[row, layer] == 0)
    return reasons


def _reason(layer: Layer, dtype: np.dtype[np.floating], *, zero: bool) -> str:
    if zero:
        return f"layer {layer.name!r} gave a vector of zeros"
    hint = "; store float32 (--store-dtype float32)" if dtype == np.float16 else ""
    return f"layer {layer.name!r} gave a value that is not finite in {dtype}{hint}"


class SpaceWriter:
    """Gathers vectors and commits them to a space; what is committed is never lost.

    Use it in a ``with`` statement: leaving without an error commits what is gathered.

    Parameters
    ----------
    space : Space

    Attributes
    ----------
    rows_a_commit : int
        Rows after which it commits.
    committed : int
        Rows that this writer added so far.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._table = space.table
        self._splits = np.cumsum([layer.width for layer in space.layers])
        self._dtype = np.dtype(space.recipe.stored_dtype)
        width = int(self._splits[-1]) * self._dtype.itemsize
        self.rows_a_commit = max(1, min(tables.ROWS_A_COMMIT, BYTES_A_COMMIT // width))
        self._rows: list[Row] = []
        self._keys: set[str] = set()
        self._gathered: list[NDArray[np.floating]] = []
        self.committed = 0

    def __enter__(self) -> SpaceWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.flush()

    def write(self, rows: Sequence[Row], block: NDArray[np.floating]) -> None:
        """Gather rows; commit when there are enough.

        Parameters
        ----------
        rows : sequence of Row
            The n items, in the order of ``block``.
        block : (n, sum of widths) array
            In the space's stored precision.

        Raises
        ------
        StoreError
            The shape or precision is not the space's, an item stands twice, or a vector is :func:`unusable`. Nothing
            of the block is stored then.
        """
        self._check(rows, block)
        start = 0
        while start < len(rows):
            stop = start + self.rows_a_commit - len(self._rows)
            self._gather(rows[start:stop], block[start:stop])
            if len(self._rows) == self.rows_a_commit:
                self.flush()
            start = stop

    def _gather(self, rows: Sequence[Row], block: NDArray[np.floating]) -> None:
        """Copy rows into the layers' buffers: the block is its owner's again, to fill anew."""
        if (
            not self._rows
        ):  # memory that is not touched costs nothing, so a short last commit is cheap
            self._gathered = [
                np.empty((self.rows_a_commit, layer.width), self._dtype)
                for layer in self._space.layers
            ]
        begin, end = len(self._rows), len(self._rows) + len(rows)
        for values, part in zip(
            self._gathered, np.split(block, self._splits[:-1], axis=1), strict=True
        ):
            values[begin:end] = part
        self._rows += rows
        self._keys.update(row.key for row in rows)

    def _check(self, rows: Sequence[Row], block: NDArray[np.floating]) -> None:
        name, expected = self._space.name, (len(rows), int(self._splits[-1]))
        if block.shape != expected:
            raise StoreError(f"space {name!r} takes a block of shape {expected}, not {block.shape}")
        if block.dtype != self._dtype:
            raise StoreError(f"space {name!r} stores {self._dtype}, not {block.dtype}")
        if len(self._keys.union(row.key for row in rows)) < len(self._keys) + len(rows):
            raise StoreError(f"an item stands twice in what is written to space {name!r}")
        for row, reason in unusable(block, self._space.layers).items():
            raise StoreError(f"{rows[row].item_id!r} in space {name!r}: {reason}")

    def flush(self) -> None:
        """Commit what is gathered."""
        if not self._rows:
            return
        schema = self._table.schema
        columns: list[pa.Array] = [
            pa.array([row.key for row in self._rows]),
            pa.array([row.item_id for row in self._rows]),
            pa.array([row.concept_id for row in self._rows], pa.string()),
            pa.array([row.variant for row in self._rows]),
        ]
        for i, gathered in enumerate(self._gathered):
            values = pa.array(gathered[: len(self._rows)].ravel())
            kind = schema.field(layer_column(i)).type
            columns.append(pa.FixedSizeListArray.from_arrays(values, type=kind))
        self.committed += tables.insert(self._table, pa.table(columns, schema=schema))
        self._rows, self._keys, self._gathered = [], set(), []
