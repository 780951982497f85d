"""A space: one model under one recipe, and how its vectors are read."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from vdb import tables
from vdb.errors import InputError, NotFoundError
from vdb.nearest import nearest
from vdb.reading import read_columns, vectors
from vdb.schema import ORIGINAL, id_column, layer_column
from vdb.streaming import block_edges, find_places, rows_a_block, stream_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from vdb.recipe import Layer, Recipe


class Matrix(NamedTuple):
    """Vectors of one layer: ``values[i]`` is the (width,) vector of the item ``ids[i]``."""

    ids: list[str]
    values: NDArray[np.floating]


class Space:
    """Vectors of one model under one recipe: a row for each (item, variant), a column for each layer.

    Attributes
    ----------
    name : str
    recipe : Recipe
    """

    def __init__(self, name: str, recipe: Recipe, table: Callable[[], Any]) -> None:
        self.name = name
        self.recipe = recipe
        self._table = table

    def __repr__(self) -> str:
        return f"<space {self.name!r}: {len(self.layers)} layers of {self.recipe.model}>"

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in order of depth."""
        return self.recipe.layers

    @property
    def id_column(self) -> str:
        """``image_id`` or ``caption_id``."""
        return id_column(self.recipe.modality)

    @property
    def table(self) -> Any:  # noqa: ANN401 - lancedb is untyped
        """The Lance table, made if nothing was written yet."""
        return self._table()

    def layer_index(self, layer: int | str) -> int:
        """Return the index of a layer given by index (negative: from the last) or by name.

        Raises
        ------
        NotFoundError
        """
        count = len(self.layers)
        if not isinstance(layer, str):
            layer = index(layer)
            if -count <= layer < count:
                return layer % count
            raise NotFoundError(f"space {self.name!r} has layers 0 to {count - 1}, not {layer}")
        names = [one.name for one in self.layers]
        if layer in names:
            return names.index(layer)
        raise NotFoundError.named(f"layer in space {self.name!r}", layer, names)

    def scan(
        self, layers: Sequence[int | str] | None = None, variant: str | None = None
    ) -> pl.LazyFrame:
        """Return the rows as a LazyFrame; see :meth:`vdb.database.Database.scan`."""
        wanted = range(len(self.layers)) if layers is None else map(self.layer_index, layers)
        columns = [self.id_column, "concept_id", "variant", *map(layer_column, wanted)]
        frame = pl.scan_lance(self.table).select(columns)
        return frame if variant is None else frame.filter(pl.col("variant") == variant)

    def ids(self, variant: str = ORIGINAL) -> list[str]:
        """List the ids that have a vector in ``variant``, sorted."""
        where = pc.field("variant") == variant
        return sorted(tables.read(self.table, [self.id_column], where)[self.id_column].to_pylist())

    def stored(self) -> set[str]:
        """Return the keys (:func:`vdb.schema.key_of` of id and variant) of every row."""
        return tables.keys(self.table)

    def counts(self) -> dict[str, int]:
        """Count the rows of each variant."""
        column = tables.read(self.table, ["variant"])["variant"]
        return {pair["values"].as_py(): pair["counts"].as_py() for pair in column.value_counts()}

    def matrix(
        self,
        layer: int | str = -1,
        variant: str = ORIGINAL,
        ids: Sequence[str] | None = None,
    ) -> Matrix:
        """Read one layer.

        Parameters
        ----------
        layer : int or str
            Index (negative: from the last) or name.
        variant : str
        ids : sequence of str, optional
            The items wanted, in the order wanted; an id may stand several times. All, sorted by id, by default.

        Returns
        -------
        Matrix
            The ids and one contiguous (n, width) array in the stored precision, row for row.

        Raises
        ------
        NotFoundError
            There is no such layer, an id has no vector in that variant, or, all being asked for, the space holds
            other variants and none of this one. A space that holds nothing yet gives (0, width).
        """
        read, [values] = self.matrices([layer], variant, ids)
        return Matrix(read, values)

    def matrices(
        self,
        layers: Sequence[int | str] | None = None,
        variant: str = ORIGINAL,
        ids: Sequence[str] | None = None,
    ) -> tuple[list[str], list[NDArray[np.floating]]]:
        """Read several layers (all by default) in one pass; see :meth:`matrix`."""
        every = range(len(self.layers))
        indices = every if layers is None else [self.layer_index(layer) for layer in layers]
        asked = None if ids is None else pa.array(ids, pa.string())
        distinct = None if asked is None else asked.unique()
        read, missing, out = read_columns(
            self.table.to_lance(),  # one version, whatever is committed meanwhile
            [layer_column(i) for i in indices],
            self.id_column,
            variant,
            distinct,
        )
        self._refuse_missing(missing, variant)
        if asked is None and not len(read):
            self._refuse_unknown(variant)
        if asked is None or len(read) == len(asked):
            return read.to_pylist(), out
        repeats = pc.index_in(asked, read).to_numpy()
        return asked.to_pylist(), [values[repeats] for values in out]

    def stream(
        self,
        layers: Sequence[int | str] | None,
        ids: Sequence[str],
        variant: str = ORIGINAL,
        *,
        rows: int | None = None,
        edges: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, list[NDArray[np.floating]]]]:
        """Read several layers a block of rows at a time, in memory that does not grow with the ids.

        Parameters
        ----------
        layers : sequence of int or str, optional
            All where None.
        ids : sequence of str
            The items wanted, in the order wanted; an id may stand several times. Fastest is the order of
            :meth:`places`.
        variant : str
        rows : int, optional
            Rows of a block; what fits 64 MB by default, at most 8,192.
        edges : sequence of int, optional
            Where each block begins in ``ids``, and where the last one ends, for blocks of uneven length.

        Returns
        -------
        iterator of (int, list of (n, width) arrays)
            Where each block begins in ``ids``, and its vectors, one array a layer, in the stored precision; they may
            be read-only. All come from one version of the table, whatever is committed meanwhile.

        Raises
        ------
        NotFoundError
            At once, before anything is read: there is no such layer, or an id has no vector in that variant.
        """
        dataset, places = self._found(ids, variant)
        every = range(len(self.layers))
        indices = every if layers is None else [self.layer_index(layer) for layer in layers]
        columns = [layer_column(i) for i in indices]
        if edges is None:
            edges = block_edges(len(places), rows or rows_a_block(dataset, columns))
        return stream_blocks(dataset, columns, places, edges)

    def places(self, ids: Sequence[str], variant: str = ORIGINAL) -> NDArray[np.int64]:
        """Return where each id's row stands in the table, (n,): reading in ascending order is fastest.

        Raises
        ------
        NotFoundError
            An id has no vector in that variant.
        """
        return self._found(ids, variant)[1]

    def _found(self, ids: Sequence[str], variant: str) -> tuple[Any, NDArray[np.int64]]:
        """Find rows in the table as it is now; return that version of it too."""
        asked = pa.array(ids, pa.string())
        dataset = self.table.to_lance()
        places = find_places(dataset, self.id_column, variant, asked)
        missing = places < 0
        self._refuse_missing(asked.filter(pa.array(missing)).unique().to_pylist(), variant)
        return dataset, places

    def _refuse_missing(self, missing: list[str], variant: str) -> None:
        if missing:
            self._refuse_unknown(variant)
            raise NotFoundError(
                f"space {self.name!r} has no {variant!r} vector of {len(missing)} of the ids asked for, "
                f"{missing[0]!r} among them; `vdb ingest` stores what is missing"
            )

    def _refuse_unknown(self, variant: str) -> None:
        """Refuse a variant of which there is nothing, unless the whole space is empty."""
        variants = self.counts()
        if variants and variant not in variants:
            place = f"in space {self.name!r}"
            raise NotFoundError.named("variant", variant, variants, place=place)

    def neighbours(
        self, *, layer: int | str, of: str, k: int = 10, variant: str = ORIGINAL
    ) -> pl.DataFrame:
        """Find the nearest items; see :meth:`vdb.database.Database.neighbours`."""
        if k < 1:
            raise InputError(f"the number of neighbours must be at least 1, not {k}")
        column = layer_column(self.layer_index(layer))
        query = self.matrix(layer, variant, [of]).values[0]
        ids, similarities = nearest(query, self._batches([column], variant), k, leave_out=of)
        return pl.DataFrame({self.id_column: ids, "similarity": similarities})

    def _batches(
        self, columns: Sequence[str], variant: str
    ) -> Iterator[tuple[list[str], NDArray[np.floating]]]:
        """Stream ``(ids, vectors)`` of one layer."""
        scanner = self.table.to_lance().scanner(
            columns=[self.id_column, *columns],
            filter=pc.field("variant") == variant,
            batch_size=tables.ROWS_A_COMMIT,
        )
        for batch in scanner.to_batches():
            yield batch.column(0).to_pylist(), vectors(batch.column(1))


def now() -> datetime:
    """Return the time, in UTC, as every table stores it."""
    return datetime.now(UTC)
