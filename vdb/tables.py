"""The few things vdb does to Lance tables, each in the one way that was measured to be safe.

Keyed inserts go through ``merge_insert`` on the primary key, so that two processes which insert the same key leave one
row. Filters are built from expressions, never from strings.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import lancedb
import pyarrow as pa
import pyarrow.compute as pc
from lancedb.expr import col

from vdb.errors import StoreError
from vdb.schema import DATA_STORAGE_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROWS_A_COMMIT = 1024
"""Rows a commit of a space. Fewer cost manifests, more cost work when a run is killed."""

_ROWS_A_MERGE = 131_072  # item tables: short rows, so larger commits; memory of a merge stays small


def connect(uri: str, storage_options: dict[str, str] | None) -> Any:  # noqa: ANN401 - lancedb is untyped
    """Connect so that every read sees what other processes have committed.

    Raises
    ------
    StoreError
        No store can be at ``uri``.
    """
    options = {**(storage_options or {}), "new_table_data_storage_version": DATA_STORAGE_VERSION}
    with _reached(uri):
        return lancedb.connect(uri, read_consistency_interval=timedelta(0), storage_options=options)


@contextmanager
def _reached(uri: str) -> Iterator[None]:
    """Turn what LanceDB raises when it cannot reach a store into one line."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(
            f"cannot reach the store at {uri}: {_in_one_line(error)}; check the address, the network, and that "
            "this account may read and write there"
        ) from error


def _in_one_line(error: Exception) -> str:
    """Return what LanceDB says, without its kind of error and without the line of Rust that raised it."""
    said = re.sub(r",? *(?:at )?\S+\.rs:\d+(?::\d+)?", "", " ".join(str(error).split()))
    return re.sub(r"^lance error: (?:LanceError\(\w+\): )?", "", said).strip() or repr(error)


def names(connection: Any) -> list[str]:  # noqa: ANN401 - untyped
    """List every table, over all pages."""
    found: list[str] = []
    token: str | None = None
    while True:
        with _reached(connection.uri):
            page = connection.list_tables(page_token=token, limit=1000)
        found += page.tables
        token = page.page_token
        if not token:
            return found


def open_if_there(connection: Any, name: str) -> Any:  # noqa: ANN401 - untyped
    """Open the table ``name``; None where there is none.

    Asking for its name first would not do: a table that another process is making is listed before it can be opened.
    """
    with _reached(connection.uri):
        try:
            return connection.open_table(name)
        except ValueError as error:
            if "was not found" in str(error):
                return None
            raise


def ensure(connection: Any, name: str, schema: pa.Schema) -> Any:  # noqa: ANN401 - untyped
    """Open the table ``name``, made with ``schema`` if it is not there.

    Raises
    ------
    StoreError
        The table is there with other columns, or the store cannot be reached.
    """
    table = open_if_there(connection, name)
    if table is None:  # exist_ok: another process may make it at this moment
        with _reached(connection.uri):
            table = connection.create_table(name, schema=schema, exist_ok=True)
    if not table.schema.equals(schema):
        raise StoreError(
            f"table {name!r} has other columns than this version of vdb writes: "
            f"{_schema_difference(table.schema, schema)}"
        )
    return table


def ensure_wide(connection: Any, name: str, schema: pa.Schema) -> Any:  # noqa: ANN401 - untyped
    """Open the table ``name``, made if it is not there; columns of ``schema`` that it lacks are added, empty.

    Raises
    ------
    StoreError
        A column is there with another type, or the store cannot be reached.
    """
    table = open_if_there(connection, name)
    if table is None:
        return ensure(connection, name, schema)
    there = table.schema
    new = [field.with_nullable(True) for field in schema if field.name not in there.names]
    if new:
        table.add_columns(pa.schema(new))
        there = table.schema
    same = pa.schema([there.field(field.name) for field in schema])
    types = {field.name: field.type for field in schema}
    if any(field.type != types[field.name] for field in same):
        raise StoreError(
            f"table {name!r} has other columns than this version of vdb writes: "
            f"{_schema_difference(same, schema)}"
        )
    return table


def _schema_difference(there: pa.Schema, wanted: pa.Schema) -> str:
    a, b = ({f.name: str(f.type) for f in s} for s in (there, wanted))
    return ", ".join(
        f"{name} is {a.get(name, 'missing')}, not {b.get(name, 'there')}"
        for name in [*a, *(b.keys() - a.keys())]
        if a.get(name) != b.get(name)
    )


def insert(table: Any, rows: pa.Table) -> int:  # noqa: ANN401 - untyped
    """Insert the rows whose key is not there yet; return how many were.

    Raises
    ------
    StoreError
        A key stands twice in ``rows`` (Lance would store both), or a column is missing (Lance would store nulls).
    """
    rows = _checked(table, rows)
    inserted = 0
    for start in range(0, len(rows), _ROWS_A_MERGE):
        part = rows.slice(start, _ROWS_A_MERGE)
        result = table.merge_insert("key").when_not_matched_insert_all().execute(part)
        inserted += result.num_inserted_rows
    return inserted


def upsert(table: Any, rows: pa.Table) -> None:  # noqa: ANN401 - untyped
    """Insert rows, or put them in the place of those with the same key; checked as :func:`insert` checks."""
    rows = _checked(table, rows)
    if len(rows):
        merge = table.merge_insert("key").when_matched_update_all()
        merge.when_not_matched_insert_all().execute(rows)


def _checked(table: Any, rows: pa.Table) -> pa.Table:  # noqa: ANN401 - untyped
    schema = table.schema
    missing = [name for name in schema.names if name not in rows.column_names]
    if missing:
        raise StoreError(f"rows for {table.name!r} lack {', '.join(missing)}")
    rows = rows.select(schema.names).cast(schema)
    keys = rows.column("key")
    if pc.count_distinct(keys).as_py() != len(keys):
        raise StoreError(f"rows for {table.name!r} hold a key twice: {_first_repeated(keys)!r}")
    return rows


def delete_keys(table: Any, keys: Sequence[str]) -> None:  # noqa: ANN401 - untyped
    """Delete the rows with these keys."""
    for start in range(0, len(keys), ROWS_A_COMMIT):
        delete(table, col("key").isin(list(keys[start : start + ROWS_A_COMMIT])))


def delete(table: Any, where: Any) -> None:  # noqa: ANN401 - untyped, and an expression of lancedb.expr
    """Delete the rows that meet ``where``; one commit."""
    table.delete(where)


def read(
    table: Any,  # noqa: ANN401 - untyped
    columns: Sequence[str],
    where: pc.Expression | None = None,
) -> pa.Table:
    """Read some columns of the rows that meet ``where``."""
    return table.to_lance().to_table(columns=list(columns), filter=where)


def keys(table: Any, where: pc.Expression | None = None) -> set[str]:  # noqa: ANN401 - untyped
    """Read the keys of the rows that meet ``where``."""
    return set(read(table, ["key"], where).column("key").to_pylist())


def _first_repeated(keys: Iterable[pa.StringScalar]) -> str:
    seen: set[str] = set()
    for key in keys:
        text = key.as_py()
        if text in seen:
            return str(text)
        seen.add(text)
    return ""
