"""The columns of a table of text, read from CSV, JSON Lines or Parquet with the line of each row."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import polars as pl

from ingest.datasets.base import text_column
from ingest.datasets.json_text import KINDS, parse_json, read_text
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

FIELDS = ("image_path", "image_id", "caption", "caption_id", "concept_id")
"""What a row of a manifest can say."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the rows of a kind of table can say.

    Attributes
    ----------
    what : str
        What the table is called in messages: "manifest".
    fields : tuple of str
        Every field there is.
    needed : tuple of str
        The fields of which a table must have one at least; none where empty.
    ids : frozenset of str
        Fields that may be whole numbers too, which are then read as text.
    numbers : frozenset of str
        Fields that may be numbers or booleans too, which are then read as the text that JSON writes them as.
    optional : frozenset of str
        Fields that an empty cell of CSV, which has no null, says nothing of.
    """

    what: str
    fields: tuple[str, ...]
    needed: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


MANIFEST = Layout(
    "manifest",
    FIELDS,
    needed=("image_path", "caption"),
    ids=frozenset({"image_id", "caption_id", "concept_id"}),
    optional=frozenset({"concept_id"}),
)
"""A row is an image, a caption or both."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A table as it was read.

    Attributes
    ----------
    frame : pl.DataFrame
        A string column for each field of the layout, null where the table says nothing, and
        ``source``: ``items.csv:12``.
    unused : list of str
        Columns of the file that stand for no field.
    """

    frame: pl.DataFrame
    unused: list[str]


def read_rows(file: Path, mapping: Mapping[str, str], layout: Layout = MANIFEST) -> Rows:
    """Read a manifest or another table of text, its format told by its suffix.

    Parameters
    ----------
    file : Path
    mapping : mapping of field to column
        A field that is not in it is read from the column of its own name, if there is one.
    layout : Layout
        The fields that are looked for; a manifest's unless given.

    Raises
    ------
    NotFoundError
        There is no such file, field or column.
    InputError
        The file is malformed: its name and line are in the message.
    """
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        known = ", ".join(sorted(_READERS))
        hint = "; for COCO captions: vdb add coco" if file.suffix == ".json" else ""
        raise InputError(f"{file.name}: the name of a {layout.what} ends in one of {known}{hint}")
    columns, lines, unused = reader(file, mapping, layout)
    if not len(lines):
        raise InputError(f"{file.name}: the {layout.what} has no rows")
    made = {
        field: columns.get(field, pl.repeat(None, len(lines), dtype=pl.String, eager=True))
        for field in layout.fields
    }
    source = pl.format("{}:{}", pl.lit(file.name), pl.Series(lines)).alias("source")
    return Rows(pl.DataFrame(made).with_columns(source), unused)


_Read = tuple[dict[str, pl.Series], "Sequence[int] | pl.Series", list[str]]


def _choose(
    file: Path, header: Sequence[str], mapping: Mapping[str, str], layout: Layout
) -> dict[str, str]:
    """Say which column each field is read from."""
    for field, column in mapping.items():
        if field not in layout.fields:
            raise NotFoundError.named("field", field, layout.fields)
        if column not in header:
            raise NotFoundError.named("column", column, header, place=f"in {file.name}")
    chosen = {
        field: mapping.get(field, field)
        for field in layout.fields
        if field in mapping or field in header
    }
    if layout.needed and not chosen.keys() & set(layout.needed):
        raise InputError(
            f"{file.name}:1: no column {' and none '.join(layout.needed)}, only "
            f"{', '.join(header) or 'nothing'}; say which is which: --map {layout.needed[0]}=COLUMN"
        )
    return chosen


def _unused(header: Sequence[str], chosen: Mapping[str, str]) -> list[str]:
    return [column for column in header if column not in chosen.values()]


def _read_csv(
    file: Path, mapping: Mapping[str, str], layout: Layout, delimiter: str = ","
) -> _Read:
    rows, lines = _csv_rows(file, delimiter)
    if not rows:
        raise InputError(f"{file.name}:1: no header; its first line must name the columns")
    header, rows, lines = rows[0], rows[1:], lines[1:]
    chosen = _choose(file, header, mapping, layout)
    for column in chosen.values():
        if header.count(column) > 1:
            raise InputError(f"{file.name}:1: two columns are called {column!r}")
    if {len(row) for row in rows} - {len(header)}:
        at = next(i for i, row in enumerate(rows) if len(row) != len(header))
        raise InputError(
            f"{file.name}:{lines[at]}: {len(rows[at])} fields where the header has {len(header)}; "
            "a comma or a line break within a field must stand in quotes"
        )
    columns = {}
    for field, column in chosen.items():
        index = header.index(column)
        columns[field] = pl.Series([row[index] for row in rows], dtype=pl.String)
    for field in layout.optional & columns.keys():  # CSV has no null: an empty cell says "none"
        columns[field] = columns[field].replace("", None)
    return columns, lines, _unused(header, chosen)


def _csv_rows(file: Path, delimiter: str) -> tuple[list[list[str]], list[int]]:
    reader = csv.reader(io.StringIO(read_text(file), newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 1
    try:
        for row in reader:
            if row:  # else a blank line
                rows.append(row)
                lines.append(line)
            line = reader.line_num + 1  # a quoted field may span several lines
    except csv.Error as error:
        raise InputError(f"{file.name}:{line}: malformed CSV: {error}") from None
    return rows, lines


def _read_tsv(file: Path, mapping: Mapping[str, str], layout: Layout) -> _Read:
    return _read_csv(file, mapping, layout, "\t")


def _read_jsonl(file: Path, mapping: Mapping[str, str], layout: Layout) -> _Read:
    objects: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(read_text(file).split("\n"), 1):
        if not line or line.isspace():
            continue
        value = parse_json(line, file.name, number)
        if not isinstance(value, dict):
            found = KINDS[type(value)]
            raise InputError(f"{file.name}:{number}: {found}; each line must be a JSON object")
        objects.append(value)
        lines.append(number)
    header = list(dict.fromkeys(chain.from_iterable(objects)))
    chosen = _choose(file, header, mapping, layout)
    columns = {
        field: _json_column(file, field, column, [o.get(column) for o in objects], lines, layout)
        for field, column in chosen.items()
    }
    return columns, lines, _unused(header, chosen)


def _json_column(
    file: Path, field: str, column: str, values: list[Any], lines: list[int], layout: Layout
) -> pl.Series:
    kinds: set[type] = {str, type(None)}
    if field in layout.ids:
        kinds |= {int}
    if field in layout.numbers:
        kinds |= {int, float, bool}
    found = set(map(type, values))
    if found - kinds:
        at = next(i for i, value in enumerate(values) if type(value) not in kinds)
        raise InputError(
            f"{file.name}:{lines[at]}: {column} is {KINDS[type(values[at])]}; {field} must be text"
        )
    if found & {int, float, bool}:
        values = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
    return text_column(values, lambda i: f"{file.name}:{lines[i]}: {column}")


def _read_parquet(file: Path, mapping: Mapping[str, str], layout: Layout) -> _Read:
    if not file.is_file():
        raise NotFoundError(f"{file}: there is no such file")
    try:
        header = list(pl.read_parquet_schema(file))
        chosen = _choose(file, header, mapping, layout)
        table = pl.read_parquet(file, columns=list(set(chosen.values())), glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{file.name}: not readable as Parquet: {reason}") from error
    columns = {
        field: _parquet_column(file, field, table[column], layout)
        for field, column in chosen.items()
    }
    lines = pl.int_range(1, table.height + 1, eager=True)
    return columns, lines, _unused(header, chosen)


def _parquet_column(file: Path, field: str, column: pl.Series, layout: Layout) -> pl.Series:
    kind = column.dtype
    fits = kind in (pl.String, pl.Null, pl.Categorical, pl.Enum)
    fits |= kind.is_integer() and field in layout.ids | layout.numbers
    fits |= (kind.is_numeric() or kind == pl.Boolean) and field in layout.numbers
    if not fits:
        raise InputError(f"{file.name}: column {column.name} is {kind}; {field} must be text")
    return column.cast(pl.String)


_READERS: dict[str, Callable[[Path, Mapping[str, str], Layout], _Read]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}
