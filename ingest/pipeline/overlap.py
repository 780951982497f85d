"""Doing things at once: preparing items ahead of the model, and writing behind it."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from vdb.writer import Row, SpaceWriter, unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from vdb.space import Space

T = TypeVar("T")
R = TypeVar("R")

_WRITES_AHEAD = 4
"""Batches that may wait to be written; more would only fill memory."""


def prepared_ahead(
    function: Callable[[T], R], items: Iterable[T], *, workers: int, ahead: int
) -> Iterator[R]:
    """Map ``function`` over ``items`` in threads, at most ``ahead`` of them begun before they are asked for.

    Results come in the order of ``items``; memory is bounded by ``ahead`` whatever their number.
    """
    source = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="prepare") as pool:
        pending = deque(pool.submit(function, item) for item in islice(source, ahead))
        try:
            while pending:
                result = pending.popleft().result()
                pending.extend(pool.submit(function, item) for item in islice(source, 1))
                yield result
        finally:
            for future in pending:
                future.cancel()


class BackgroundWriter:
    """Checks and writes blocks in a thread of its own, so that the model need not wait for the disk.

    Rows that :func:`vdb.writer.unusable` refuses are handed to ``refused`` and not written. Leaving the ``with``
    statement commits what was put, also after an error: it is checked and complete, and done again otherwise.

    Parameters
    ----------
    space : Space
    wrote : callable
        Told the number of rows of each block that went in.
    refused : callable
        Told ``(row, reason)`` of each row that did not.
    """

    def __init__(
        self,
        space: Space,
        *,
        wrote: Callable[[int], None],
        refused: Callable[[Row, str], None],
    ) -> None:
        self._space = space
        self._writer = SpaceWriter(space)
        self._wrote = wrote
        self._refused = refused
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> BackgroundWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while self._pending:
                self._pending.popleft().result()
            self._writer.flush()
        finally:
            self._pool.shutdown()

    @property
    def committed(self) -> int:
        """Rows committed so far; those that another process had committed meanwhile are not counted."""
        return self._writer.committed

    @property
    def rows_a_commit(self) -> int:
        """Rows after which the space is committed at the latest."""
        return self._writer.rows_a_commit

    def commit(self) -> None:
        """Commit what was put, without waiting for it."""
        self._submit(self._writer.flush)

    def put(self, rows: Sequence[Row], block: NDArray[np.floating]) -> None:
        """Hand over a block; waits while too many are waiting, and raises what went wrong with an earlier one."""
        self._submit(partial(self._write, rows, block))

    def _submit(self, work: Callable[[], None]) -> None:
        while len(self._pending) >= _WRITES_AHEAD or (self._pending and self._pending[0].done()):
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(work))

    def _write(self, rows: Sequence[Row], block: NDArray[np.floating]) -> None:
        bad = unusable(block, self._space.layers)
        for row, reason in bad.items():
            self._refused(rows[row], reason)
        if bad:
            good = [i for i in range(len(rows)) if i not in bad]
            rows, block = [rows[i] for i in good], block[good]
        if rows:
            self._writer.write(rows, block)
            self._wrote(len(rows))
