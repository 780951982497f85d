"""What data sets too large for memory share: a basket of rows that is emptied before it grows, ids made of content.

A stream yields many batches, each whole by itself: no batch refers to a row that comes after it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from ingest.datasets.base import Batch, columns_of
from ingest.datasets.image_formats import image_problem
from vdb.blobs import embedded_uri
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

ROWS_A_BATCH = 16_384
"""Rows of all tables together after which a basket is full: a commit costs the same for ten rows and for thousands."""

BYTES_A_BATCH = 64 << 20
"""Bytes of images after which a basket is full."""

MAX_BROKEN = 100
"""How many images may be none before it is an error, unless told otherwise."""

_DIGITS = 32  # 128 bits: no two of 10^9 contents share them by chance


def image_id_of(sha256: str, prefix: str = "") -> str:
    """Make an image's id of its content, so that one picture under two names is one image.

    >>> image_id_of("0123456789abcdef" * 4)
    'image-0123456789abcdef0123456789abcdef'
    """
    return f"{prefix}image-{sha256[:_DIGITS]}"


def caption_id_of(*parts: str | None, prefix: str = "") -> str:
    """Make a caption's id of its text and of what else tells it from an equal one; no two lists of parts share it.

    >>> caption_id_of("a", "bc") == caption_id_of("ab", "c")
    False
    """
    return f"{prefix}caption-{digest(*parts)}"


def digest(*parts: str | None) -> str:
    """Hash a list of texts, each kept apart from the next."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_DIGITS]


@dataclass(slots=True)
class Basket:
    """Rows gathered one by one until they are a batch.

    Parameters
    ----------
    dataset : str
        The name of the data set, in every row.
    """

    dataset: str
    _rows: dict[str, dict[Any, dict[str, Any]]] = field(default_factory=dict)
    _contents: dict[str, bytes] = field(default_factory=dict)
    _weight: int = 0

    def put(self, table: str, source: str, **columns: Any) -> None:  # noqa: ANN401 - cells of any type
        """Take a row in; the same again, from wherever it comes, is taken once."""
        self._rows.setdefault(table, {}).setdefault(
            tuple(columns.values()), {**columns, "dataset": self.dataset, "source": source}
        )

    def put_content(self, data: bytes, sha256: str, source: str, **columns: Any) -> None:  # noqa: ANN401 - as above
        """Take in an image that has no file of its own."""
        if sha256 not in self._contents:
            self._contents[sha256] = data
            self._weight += len(data)
        self.put("images", source, **columns, uri=embedded_uri(sha256), sha256=sha256)

    @property
    def full(self) -> bool:
        """Whether it is time to empty the basket."""
        rows = sum(map(len, self._rows.values()))
        return rows >= ROWS_A_BATCH or self._weight >= BYTES_A_BATCH

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return not any(self._rows.values())

    def emptied(self) -> Batch:
        """Return what was gathered, and begin anew."""
        frames = {
            table: pl.DataFrame(list(rows.values()), schema=columns_of(table))
            for table, rows in self._rows.items()
        }
        batch = Batch(**frames, contents=self._contents)  # type: ignore[arg-type] # the tables' names
        self._rows, self._contents, self._weight = {}, {}, 0
        return batch


@dataclass(slots=True)
class Tally:
    """What is told of a whole stream at its end: how many rows something was true of, and the first of them.

    Parameters
    ----------
    max_broken : int
        How many images may be none.
    """

    max_broken: int = MAX_BROKEN
    _broken: int = 0
    _counts: Counter[str] = field(default_factory=Counter)
    _first: dict[str, str] = field(default_factory=dict)

    def count(self, sentence: str, where: str) -> None:
        """Note that ``sentence``, which says ``{}`` for the number, is true of one more place."""
        self._counts[sentence] += 1
        self._first.setdefault(sentence, where)

    def image_is_broken(self, sentence: str, data: bytes, where: str) -> bool:
        """Tell whether bytes begin as no image does, and count them under ``sentence`` then, once a row.

        Raises
        ------
        InputError
            There are more of these than ``max_broken``.
        """
        problem = image_problem(data)
        if not problem:
            return False
        self._broken += 1
        if self._broken > self.max_broken:
            before = f", after {self.max_broken:,} more" if self.max_broken else ""
            raise InputError(
                f"{where} {problem}{before}; --max-broken N passes over as many as N of these"
            )
        self.count(sentence, f"{where} {problem}")
        return True

    def last(self, more: Iterable[str] = ()) -> Batch:
        """Return the batch that ends a stream: no rows, but what is to be told of it all."""
        told = (
            f"{sentence.format(f'{count:,}')} (first: {self._first[sentence]})"
            for sentence, count in self._counts.items()
        )
        return Batch(notices=(*told, *more))
