"""Printing: tables for people, JSON, CSV and Parquet for pipes, messages to standard error."""

from __future__ import annotations

import errno
import os
import sys
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING

import typer

from cli.options import Format
from vdb.errors import InputError
from vdb.visible import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import polars as pl


_WIDTH = 100


def say(message: str) -> None:
    """Write a message for the person, so that standard output stays a pipe's."""
    typer.echo(visible(message, lines=True), err=True)


def check(style: Format, output: Path | None) -> None:
    """Raise InputError where a result could not be written; ask before it is worked for."""
    if output is None:
        if style is Format.parquet and sys.stdout.isatty():
            raise InputError("Parquet is binary: name a file with --output, or pipe it on")
    elif output.is_dir():
        raise InputError(f"cannot write {output}: {os.strerror(errno.EISDIR)}")
    elif not output.parent.is_dir():
        raise InputError(f"cannot write {output}: the directory {output.parent} is not there")


def frame(
    data: pl.DataFrame,
    style: Format,
    output: Path | None,
    table: pl.DataFrame | None = None,
    columns: Collection[str] | None = None,
) -> None:
    """Print a result.

    Parameters
    ----------
    data : DataFrame
        All of it, for machines.
    style : Format
    output : Path, optional
        A file instead of standard output.
    table : DataFrame, optional
        What of it a person reads first; ``data`` by default.
    columns : collection of str, optional
        The table's columns that stay columns; another that is the same in every row is said once, above it.
    """
    check(style, output)
    if style is Format.table:
        shown = data if table is None else table
        text(as_table(shown) if columns is None else with_facts(shown, columns), output)
        return
    content = _encode(data, style)
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    _write(content, output)


def text(said: str, output: Path | None) -> None:
    """Print what a person reads, or write it to ``output``."""
    if output is None:
        typer.echo(said)
    else:
        _write(said.encode() + b"\n", output)


def _write(content: bytes, output: Path) -> None:
    try:
        output.write_bytes(content)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror or error}") from error


def _encode(data: pl.DataFrame, style: Format) -> bytes:
    import polars as pl

    buffer = BytesIO()
    if style is Format.json:
        return data.write_json().encode() + b"\n"
    if style is Format.csv:
        lists = [name for name, kind in data.schema.items() if isinstance(kind, pl.List)]
        flat = data.with_columns(pl.col(lists).cast(pl.List(pl.String)).list.join(" "))
        flat.write_csv(buffer)
    else:
        data.write_parquet(buffer)
    return buffer.getvalue()


def with_facts(data: pl.DataFrame, columns: Collection[str]) -> str:
    """Lay a frame out with what is the same in every row said once above it, but for ``columns``."""
    same = [name for name in data.columns if name not in columns and data[name].n_unique() == 1]
    facts = [f"{name.replace('_', ' ')} {_cell(data[name][0])}" for name in same]
    said = "\n".join(wrap(", ".join(facts), _WIDTH))
    table = as_table(data.drop(same))
    return f"{said}\n\n{table}" if facts else table


def as_table(data: pl.DataFrame) -> str:
    """Lay a frame out in columns, numbers to the right, nothing cut off."""
    header = data.columns
    numeric = [kind.is_numeric() for kind in data.dtypes]
    rows = [[_cell(value) for value in row] for row in data.iter_rows()]
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(_line(line, widths, numeric) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    ]
    return "  ".join(padded).rstrip()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return visible(" ".join(str(value).split()))


def size(count: float) -> str:
    """Say a number of bytes.

    >>> size(1536)
    '1.5 kB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1024:  # noqa: PLR2004
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"
