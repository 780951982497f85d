"""The rows of Pick-a-Pic's Parquet files, read a few at a time and checked one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.datasets.pickapic.files import ParquetPlace

_BYTES_A_READ = 16 << 20
_ROWS_A_READ = 2048


class Row(NamedTuple):
    """A forced choice as its file has it; the fields are the file's columns, None where it lacks one.

    ``where`` is the file and the row in it, counted from 1: ``test-00000-of-00001.parquet:17``.
    ``stored`` says that the row was passed over as the store has it: its images were not read.
    """

    where: str
    caption: str | None
    jpg_0: bytes | None
    jpg_1: bytes | None
    label_0: float | None
    label_1: float | None
    has_label: bool | None
    are_different: float | None
    num_example_per_prompt: int | None
    ranking_id: int | str | None
    user_id: int | str | None
    image_0_uid: str | None
    image_1_uid: str | None
    prompt_id: int | str | None
    stored: bool = False


_IMAGES = ("jpg_0", "jpg_1")
_REQUIRED = ("caption", *_IMAGES, "label_0", "label_1")


def _text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _bytes(kind: pa.DataType) -> bool:
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _number(kind: pa.DataType) -> bool:
    return bool(types.is_floating(kind) or types.is_integer(kind))


def _degree(kind: pa.DataType) -> bool:
    return bool(types.is_boolean(kind)) or _number(kind)


def _name(kind: pa.DataType) -> bool:
    return _text(kind) or bool(types.is_integer(kind))


_KINDS: dict[str, tuple[Callable[[pa.DataType], bool], str]] = {
    "caption": (_text, "text"),
    "jpg_0": (_bytes, "binary"),
    "jpg_1": (_bytes, "binary"),
    "label_0": (_number, "a number"),
    "label_1": (_number, "a number"),
    "has_label": (types.is_boolean, "a boolean"),
    "are_different": (_degree, "a boolean or a number"),
    "num_example_per_prompt": (types.is_integer, "a whole number"),
    "ranking_id": (_name, "a whole number or text"),
    "user_id": (_name, "a whole number or text"),
    "image_0_uid": (_text, "text"),
    "image_1_uid": (_text, "text"),
    "prompt_id": (_name, "a whole number or text"),
}


def read_rows(
    place: ParquetPlace,
    needed: tuple[str, ...] = (),
    is_stored: Callable[[list[Row]], bool] | None = None,
) -> Iterator[Row]:
    """Read a file's rows in order, some 16 MB of them in memory at a time whatever the size of its row groups.

    Below that, what is read is a page of each column, which cannot be had in part: pyarrow writes up to 1,024 rows in
    one, so a file of 300 kB images takes some hundred MB more than one of small ones.

    Parameters
    ----------
    place : ParquetPlace
    needed : tuple of str
        Columns that must be there besides caption, images and labels.
    is_stored : callable, optional
        Asked of the rows of each row group, without their images, whether the store has them all: these are then not
        read.

    Raises
    ------
    NotFoundError
        The file is gone.
    InputError
        It is no Parquet file or is damaged, a column is missing or is not of its type; before the first row where
        that can be known then.
    """
    read = 0
    try:
        # Without a buffer size pyarrow would hold whole column chunks: all images of a row group.
        with pq.ParquetFile(place.open(), buffer_size=1 << 20, pre_buffer=False) as file:
            present = _check_columns(place.name, file.schema_arrow, needed)
            for group in range(file.num_row_groups):
                if is_stored is not None:
                    rows = _without_images(file, group, present, place.name, read + 1)
                    if is_stored(rows):
                        yield from (row._replace(stored=True) for row in rows)
                        read += len(rows)
                        continue
                size = _rows_a_read(file.metadata.row_group(group))
                for part in file.iter_batches(size, [group], present, use_threads=False):
                    yield from _rows_of(part, place.name, read + 1)
                    read += len(part)
    except FileNotFoundError:
        raise NotFoundError(f"{place.path}: there is no such file") from None
    except (
        OSError,
        ValueError,
        pa.ArrowException,
    ) as error:  # ValueError: names that are not UTF-8
        after = f" after row {read:,}" if read else ""
        reason = " ".join(str(error).split())
        raise InputError(
            f"{place.name}: not readable as Parquet{after}: {reason}; is the download whole?"
        ) from error


def _without_images(
    file: pq.ParquetFile, group: int, present: list[str], name: str, first: int
) -> list[Row]:
    small = [column for column in present if column not in _IMAGES]
    rows: list[Row] = []
    for part in file.read_row_group(group, small, use_threads=False).to_batches():
        rows += _rows_of(part, name, first + len(rows))
    return rows


def _check_columns(name: str, schema: pa.Schema, needed: tuple[str, ...]) -> list[str]:
    lacking = [column for column in (*_REQUIRED, *needed) if column not in schema.names]
    if lacking:
        hint = (
            "; this looks like the edition without images"
            if lacking == ["jpg_0", "jpg_1"]
            else "; is this a file of Pick-a-Pic?"
        )
        raise InputError(f"{name}: no column {', '.join(lacking)}{hint}")
    present = [column for column in _KINDS if column in schema.names]
    for column in present:
        fits, wanted = _KINDS[column]
        kind = schema.field(column).type
        if not fits(kind):
            raise InputError(f"{name}: column {column} is {kind}; it must be {wanted}")
    return present


def _rows_a_read(group: Any) -> int:  # noqa: ANN401 - pyarrow is untyped
    each = group.total_byte_size / max(group.num_rows, 1)
    return max(1, min(_ROWS_A_READ, int(_BYTES_A_READ / max(each, 1))))


def _rows_of(part: pa.RecordBatch, name: str, first: int) -> Iterator[Row]:
    places = [f"{name}:{first + i}" for i in range(len(part))]
    columns = [
        _cells(part.column(column), column, places)
        if column in part.schema.names
        else [None] * len(part)
        for column in Row._fields[1:-1]
    ]
    for values in zip(places, *columns, strict=True):
        yield Row(*values)


def _cells(column: pa.Array, name: str, places: list[str]) -> list[Any]:
    try:
        cells: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        raise InputError(f"{places[_first_garbled(column)]}: {name} is not UTF-8") from None
    return cells


def _first_garbled(column: pa.Array) -> int:
    for index, cell in enumerate(column):
        try:
            cell.as_py()
        except UnicodeDecodeError:
            return index
    return 0
