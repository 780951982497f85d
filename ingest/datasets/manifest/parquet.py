"""Columns of a Parquet file, read by Arrow: of a damaged one Polars' reader may end the process rather than say so."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def parquet_header(file: Path) -> list[str]:
    """Return the names of the columns, as often as they stand there.

    Raises
    ------
    NotFoundError, InputError
        There is no such file, or it is no Parquet file.
    """
    with _readable(file):
        return list(pq.read_schema(file).names)


def parquet_columns(file: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Read some columns, and check every value: lengths that leave the file, text that is not UTF-8.

    Raises
    ------
    NotFoundError, InputError
        There is no such file, or it is damaged.
    """
    with _readable(file):
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            table = opened.read(list(columns))
        table = table.select(list(columns))
        for name, column in zip(table.column_names, table.columns, strict=True):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid as error:
                raise InputError(
                    f"{file.name}: column {name} is damaged: {_one_line(error)}; write or fetch the file again"
                ) from error
        return pl.DataFrame(table)


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    if not file.is_file():
        raise NotFoundError(f"{file}: there is no such file")
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{file.name}: not readable as Parquet: {_one_line(error)}; write or fetch it again"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
