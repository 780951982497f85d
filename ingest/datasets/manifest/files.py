"""The columns of a table of text, read from CSV, JSON Lines or Parquet with the line of each row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from ingest.datasets.json_text import read_text
from ingest.datasets.manifest import fast
from ingest.datasets.manifest.lines import CsvLines, JsonLines
from ingest.datasets.manifest.parquet import parquet_columns, parquet_header
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_SHOWN, _LONGEST_NAME = 20, 40  # columns, and characters of each, in a message


@dataclass(frozen=True, slots=True)
class Layout:
    """What the rows of a kind of table can say.

    Attributes
    ----------
    what : str
        What the table is called in messages: "manifest".
    fields : tuple of str
        Every field there is.
    needed : tuple of (str or tuple of str)
        The fields of which a table must have one at least, or all of several; none where empty.
    ids : frozenset of str
        Fields that may be whole numbers too, which are then read as text.
    numbers : frozenset of str
        Fields that may be numbers or booleans too, which are then read as the text that JSON writes them as.
    lists : frozenset of str
        Fields that are several numbers: separated by spaces in CSV, lists elsewhere, one number alone anywhere. They
        are then read as text with spaces or JSON's brackets and commas.
    optional : frozenset of str
        Fields that an empty cell of CSV, which has no null, says nothing of.
    """

    what: str
    fields: tuple[str, ...]
    needed: tuple[str | tuple[str, ...], ...] = ()
    ids: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


MANIFEST = Layout(
    "manifest",
    (
        "image_path",
        "image_id",
        "caption",
        "caption_id",
        "concept_id",
        "variant",
        "variant_kind",
    ),
    needed=("image_path", "caption", ("image_id", "caption_id")),
    ids=frozenset({"image_id", "caption_id", "concept_id"}),
    optional=frozenset({"concept_id", "variant", "variant_kind"}),
)
"""A row is an image, a caption, both, a pair of two that stand elsewhere, or somebody's variant of one."""


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
    has_null : bool
        Whether the format tells an empty text from none; CSV does not.
    """

    frame: pl.DataFrame
    unused: list[str]
    has_null: bool


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
    lines, header, columns = reader(file, mapping, layout)
    if not len(lines):
        raise InputError(f"{file.name}: the {layout.what} has no rows")
    made = {
        field: columns.get(field, pl.repeat(None, len(lines), dtype=pl.String, eager=True))
        for field in layout.fields
    }
    source = pl.format("{}:{}", pl.lit(file.name), pl.Series(lines)).alias("source")
    chosen = {mapping.get(field, field) for field in columns}
    unused = [column for column in header if column not in chosen]
    has_null = reader not in (_read_csv, _read_tsv)
    return Rows(pl.DataFrame(made).with_columns(source), unused, has_null)


class _Read(NamedTuple):
    lines: Sequence[int] | pl.Series
    header: Sequence[str]
    columns: dict[str, pl.Series]  # by field


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
    ways = [(way,) if isinstance(way, str) else way for way in layout.needed]
    if ways and not any(chosen.keys() >= set(way) for way in ways):
        nearest = max(ways, key=lambda way: len(chosen.keys() & set(way)))  # the first of several
        hint = " ".join(f"--map {field}=COLUMN" for field in nearest if field not in chosen)
        raise InputError(
            f"{file.name}:1: no column {' and none '.join(' with '.join(way) for way in ways)}, only "
            f"{_listed(header) or 'nothing'}; say which is which: {hint}"
        )
    return chosen


def _listed(names: Sequence[str]) -> str:
    """List the names of columns, which in a file of something else may be many or endless."""
    shown = [name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..." for name in names]
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join([*shown[:_SHOWN], *more])


def _read_csv(
    file: Path, mapping: Mapping[str, str], layout: Layout, delimiter: str = ","
) -> _Read:
    text = read_text(file)
    lines: Sequence[int]
    column: Callable[[int], pl.Series]
    if quick := fast.read_csv(text, delimiter):
        header, rows = quick
        lines, column = range(2, rows.height + 2), rows.to_series
    else:
        slow = CsvLines(text, file.name, delimiter)
        header, lines, column = slow.header, slow.lines, slow.column
    chosen = _choose(file, header, mapping, layout)
    for name in chosen.values():
        if header.count(name) > 1:
            raise InputError(f"{file.name}:1: two columns are called {name!r}")
    columns = {field: column(header.index(name)) for field, name in chosen.items()}
    for field in layout.optional & columns.keys():  # CSV has no null: an empty cell says "none"
        columns[field] = columns[field].replace("", None)
    return _Read(lines, header, columns)


def _read_tsv(file: Path, mapping: Mapping[str, str], layout: Layout) -> _Read:
    return _read_csv(file, mapping, layout, "\t")


def _read_jsonl(file: Path, mapping: Mapping[str, str], layout: Layout) -> _Read:
    text = read_text(file)
    wanted = {field: mapping.get(field, field) for field in layout.fields}
    # A column that stands for a number, or for two fields, is the careful reader's.
    if len(set(wanted.values())) == len(wanted) and not layout.numbers:
        ids = {wanted[field] for field in layout.ids}
        if quick := fast.read_json_lines(text, wanted.values(), ids):
            header, rows = quick
            chosen = _choose(file, header, mapping, layout)
            columns = {field: rows[name] for field, name in chosen.items()}
            return _Read(range(1, rows.height + 1), header, columns)
    slow = JsonLines(text, file.name)
    chosen = _choose(file, slow.header, mapping, layout)
    columns = {
        field: slow.column(name, field, _also(field, layout)) for field, name in chosen.items()
    }
    return _Read(slow.lines, slow.header, columns)


def _also(field: str, layout: Layout) -> tuple[type, ...]:
    """Say what a field may be in JSON besides text."""
    if field in layout.numbers:
        return (int, float, bool)
    if field in layout.lists:
        return (int, float, list)
    return (int,) if field in layout.ids else ()


def _read_parquet(file: Path, mapping: Mapping[str, str], layout: Layout) -> _Read:
    header = parquet_header(file)
    chosen = _choose(file, header, mapping, layout)
    for name in chosen.values():
        if header.count(name) > 1:
            raise InputError(f"{file.name}: two columns are called {name!r}")
    table = parquet_columns(file, list(dict.fromkeys(chosen.values())))
    columns = {
        field: _parquet_column(file, field, table[column], layout)
        for field, column in chosen.items()
    }
    return _Read(pl.int_range(1, table.height + 1, eager=True), header, columns)


def _parquet_column(file: Path, field: str, column: pl.Series, layout: Layout) -> pl.Series:
    kind = column.dtype
    fits = kind in (pl.String, pl.Null, pl.Categorical, pl.Enum)
    fits |= kind.is_integer() and field in layout.ids | layout.numbers
    fits |= (kind.is_numeric() or kind == pl.Boolean) and field in layout.numbers
    if field in layout.lists and isinstance(kind, pl.List | pl.Array):
        return _written(column)
    fits |= kind.is_numeric() and field in layout.lists
    if not fits:
        raise InputError(f"{file.name}: column {column.name} is {kind}; {field} must be text")
    return column.cast(pl.String)


def _written(column: pl.Series) -> pl.Series:
    """Write each list as JSON does, whatever is in it."""
    values = [None if one is None else json.dumps(one, default=str) for one in column.to_list()]
    return pl.Series(column.name, values, dtype=pl.String)


_READERS: dict[str, Callable[[Path, Mapping[str, str], Layout], _Read]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}
