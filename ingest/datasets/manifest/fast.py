"""Large tables of text in a moment: Arrow's readers, wherever they read what the careful ones would.

The careful readers (:mod:`ingest.datasets.manifest.lines`) know the line of every row, and so of every mistake, at the
price of a Python object a cell. Where a file has exactly one row a line, a row's line needs no keeping. What is read
here is checked beforehand to mean the same to both; anything else, a mistake above all, is left to the careful ones.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Places = NDArray[np.intp]

_BREAK, _QUOTE = ord("\n"), ord('"')
_LARGEST = 1 << 30  # bytes; Arrow counts the bytes of a block in 31 bits
_LONGEST_JSON = 8_000  # bytes a line, so brackets within brackets too: Arrow's stack bears 10,000


def read_csv(text: str, delimiter: str) -> tuple[list[str], pl.DataFrame] | None:
    """Read CSV that has one row a line and quotes around whole fields.

    Parameters
    ----------
    text : str
    delimiter : str
        One ASCII character.

    Returns
    -------
    header, pl.DataFrame
        The names of the columns, and the rows below them as texts in columns ``0``, ``1``, ...; row i stands on line
        i + 2. None where the careful reader is to look.
    """
    raw = _plain_lines(text)
    if raw is None or not _regular(np.frombuffer(raw, np.uint8), ord(delimiter)):
        return None
    first = raw.index(b"\n") + 1
    header = next(csv.reader([raw[: first - 1].decode()], delimiter=delimiter, strict=True))
    names = [str(index) for index in range(len(header))]
    if first == len(raw):
        return header, pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(
                raw
            ),  # whole: of what begins with a byte-order mark Arrow takes it away
            pa_csv.ReadOptions(column_names=names, skip_rows=1),
            pa_csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    rows = pl.DataFrame(table)
    return (header, rows) if rows.height == raw.count(b"\n") - 1 else None


def read_json_lines(
    text: str, wanted: Collection[str], ids: Collection[str]
) -> tuple[list[str], pl.DataFrame] | None:
    """Read JSON Lines that have an object on every line, and texts in the columns that are ``wanted``.

    Parameters
    ----------
    text : str
    wanted : collection of str
        Columns that are looked for.
    ids : collection of str
        Those of them that may hold whole numbers.

    Returns
    -------
    header, pl.DataFrame
        The names of all columns, and the wanted ones as texts; row i stands on line i + 1. None where the careful
        reader is to look.
    """
    raw = _plain_lines(text)
    if raw is None or not _object_a_line(np.frombuffer(raw, np.uint8)):
        return None
    kinds = _kinds(raw[: raw.index(b"\n")], wanted, ids)
    if kinds is None:
        return None
    try:
        table = pa_json.read_json(
            pa.BufferReader(raw),
            pa_json.ReadOptions(block_size=len(raw) + 1),
            pa_json.ParseOptions(explicit_schema=pa.schema(kinds.items())),
        )
    except pa.ArrowInvalid:
        return None
    header = table.column_names
    late = set(header) & set(wanted) - kinds.keys()  # not on the first line: a guess of Arrow's
    if late or table.num_rows != raw.count(b"\n"):
        return None
    return header, pl.DataFrame(table.select(list(kinds))).cast(pl.String)


def _plain_lines(text: str) -> bytes | None:
    """Return the bytes with every line ended by one character; None where that may not be the rows' end."""
    raw = text.encode()
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n")
    if not raw or b"\r" in raw or len(raw) > _LARGEST:
        return None
    return raw if raw.endswith(b"\n") else raw + b"\n"


def _regular(data: Bytes, delimiter: int) -> bool:
    """Tell whether each line is a row of as many fields, with quotes around whole fields or none."""
    breaks, quotes, delimiters = (
        np.flatnonzero(data == byte) for byte in (_BREAK, _QUOTE, delimiter)
    )
    lengths = np.diff(breaks, prepend=-1)
    if len(quotes) % 2 or lengths.max() > csv.field_size_limit():
        return False
    # From here on a quote that opens has an even index and one that closes an odd one; a doubled one does both.
    edge = np.array([_BREAK, _QUOTE, delimiter])
    opened = np.isin(
        data[quotes[::2] - 1], edge
    )  # before the first byte: the last, which is a break
    closed = np.isin(data[quotes[1::2] + 1], edge)
    if not (opened.all() and closed.all() and not _quoted(breaks, quotes).any()):
        return False
    outside = delimiters[~_quoted(delimiters, quotes)] if len(quotes) else delimiters
    lines, width = len(breaks), len(outside) // len(breaks)
    if len(outside) != lines * width or lengths.min() < 2:  # noqa: PLR2004 - a blank line is no row
        return False
    # As many in all as every line should have: then each line has its own, or some line has another's.
    rows = outside.reshape(lines, width)
    return not width or bool((rows[1:, 0] > breaks[:-1]).all() and (rows[:, -1] < breaks).all())


def _quoted(places: Places, quotes: Places) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.searchsorted(quotes, places) % 2 == 1
    return inside


def _object_a_line(data: Bytes) -> bool:
    """Tell whether an object begins and one ends on each line: no line break lies within any then.

    Between ``}`` and ``{`` JSON has a comma, except where one document ends and the next begins.
    """
    breaks = np.flatnonzero(data == _BREAK)
    starts = np.concatenate([[0], breaks[:-1] + 1])
    short = np.diff(breaks, prepend=-1).max() <= _LONGEST_JSON
    return bool(short and (data[starts] == ord("{")).all() and (data[breaks - 1] == ord("}")).all())


def _kinds(line: bytes, wanted: Collection[str], ids: Collection[str]) -> dict[str, Any] | None:
    """Say from the first object what each wanted column holds: Arrow refuses rows that differ."""
    try:
        first = json.loads(line)
    except ValueError:
        return None
    kinds: dict[str, Any] = {}
    for name in wanted:
        if name in first:
            number = type(first[name]) is int and name in ids
            kinds[name] = pa.int64() if number else pa.string()
    return kinds
