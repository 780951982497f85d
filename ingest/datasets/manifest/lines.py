"""Tables of text read with care: the line of each row is known, and of each mistake."""

from __future__ import annotations

import csv
import io
import json
from itertools import chain
from typing import TYPE_CHECKING, Any

import polars as pl

from ingest.datasets.base import text_column
from ingest.datasets.json_text import KINDS, parse_json
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

_LONGEST_FIELD = 1 << 30  # characters: a caption may be as long in CSV as elsewhere


class CsvLines:
    """CSV of any shape, quotes and line breaks in fields included.

    Parameters
    ----------
    text : str
    name : str
        Of the file, for messages.
    delimiter : str

    Attributes
    ----------
    header : list of str
    lines : list of int
        Where each row begins.

    Raises
    ------
    InputError
        It is malformed, has no header, or a row has more or fewer fields than the header.
    """

    def __init__(self, text: str, name: str, delimiter: str) -> None:
        rows, lines = _csv_rows(text, name, delimiter)
        if not rows:
            raise InputError(f"{name}:1: no header; its first line must name the columns")
        self.header, self._rows, self.lines = rows[0], rows[1:], lines[1:]
        if {len(row) for row in self._rows} - {len(self.header)}:
            at = next(i for i, row in enumerate(self._rows) if len(row) != len(self.header))
            raise InputError(
                f"{name}:{self.lines[at]}: {len(self._rows[at])} fields where the header has {len(self.header)}; "
                "a comma or a line break within a field must stand in quotes"
            )

    def column(self, index: int) -> pl.Series:
        """Return the texts of a column."""
        return pl.Series([row[index] for row in self._rows], dtype=pl.String)


def _csv_rows(text: str, name: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 1
    usual = csv.field_size_limit(_LONGEST_FIELD)
    try:
        for row in reader:
            if row:  # else a blank line
                rows.append(row)
                lines.append(line)
            line = reader.line_num + 1  # a quoted field may span several lines
    except csv.Error as error:
        raise InputError(f"{name}:{line}: malformed CSV: {error}") from None
    finally:
        csv.field_size_limit(usual)
    return rows, lines


class JsonLines:
    """JSON Lines: an object a line, blank lines passed over.

    Parameters
    ----------
    text : str
    name : str
        Of the file, for messages.

    Attributes
    ----------
    header : list of str
        Every name that stands in some object.
    lines : list of int

    Raises
    ------
    InputError
        A line is malformed, or is no object.
    """

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._objects: list[dict[str, Any]] = []
        self.lines: list[int] = []
        for number, line in enumerate(text.split("\n"), 1):
            if not line or line.isspace():
                continue
            value = parse_json(line, name, number)
            if not isinstance(value, dict):
                found = KINDS[type(value)]
                raise InputError(f"{name}:{number}: {found}; each line must be a JSON object")
            self._objects.append(value)
            self.lines.append(number)
        self.header = list(dict.fromkeys(chain.from_iterable(self._objects)))

    def column(self, column: str, field: str, also: Collection[type]) -> pl.Series:
        """Return a column as texts.

        Parameters
        ----------
        column, field : str
            Its name, and what it stands for.
        also : collection of type
            What its values may be besides text and null, then read as the text that JSON writes them as.

        Raises
        ------
        InputError
            A value is something else.
        """
        values = [one.get(column) for one in self._objects]
        kinds = {str, type(None), *also}
        found = set(map(type, values))
        if found - kinds:
            at = next(i for i, value in enumerate(values) if type(value) not in kinds)
            raise InputError(
                f"{self._name}:{self.lines[at]}: {column} is {KINDS[type(values[at])]}; {field} must be text"
            )
        if found & set(also):
            values = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
        return text_column(values, lambda i: f"{self._name}:{self.lines[i]}: {column}")
