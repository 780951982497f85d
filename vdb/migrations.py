"""The way from each version of the schema to the next.

A store records its schema version in ``meta``. Opening an older store says to run ``vdb migrate``, opening a newer one
says to upgrade vdb; neither touches it. A change of :data:`vdb.schema.SCHEMA_VERSION` comes with one function here and
with a store of the old version under ``tests/fixtures/stores``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from vdb import layouts, schema, tables
from vdb.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _to_2(connection: Any) -> None:  # noqa: ANN401 - lancedb is untyped
    """Say of each segment who drew it and whether it is a crowd, and of each entry of the ledger what it means.

    Only the demo world, which covers each pixel once and draws no crowds, wrote segments under version 1.
    """
    _fill(connection, "segments", {"segmentation": "panoptic", "is_crowd": False})
    _fill(connection, "failures", {"status": schema.FAILED})


def _fill(connection: Any, name: str, values: dict[str, Any]) -> None:  # noqa: ANN401 - untyped
    """Rewrite a table with new columns, the same value in each row; one commit, and none where it was done."""
    table = tables.open_if_there(connection, name)
    layout = schema.TABLES[name]
    if table is None or table.schema.equals(layout):
        return

    def filled() -> Iterator[pa.RecordBatch]:
        for batch in table.to_lance().to_batches():
            columns = [
                pa.repeat(pa.scalar(values[field.name], field.type), len(batch))
                if field.name in values
                else batch.column(field.name)
                for field in layout
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=layout)

    rows = pa.RecordBatchReader.from_batches(layout, filled())
    connection.create_table(name, rows, schema=layout, mode="overwrite")


CHANGES: dict[int, str] = {
    2: "segments say who drew them and whether they are a crowd, the ledger what its entries mean; "
    "there may be trials, variants and images' contents",
}
"""What a version of the schema has that the one before it had not."""

MIGRATIONS: dict[int, Callable[[Any], None]] = {1: _to_2}
"""Version n -> a function of the connection that makes a store of version n one of version n + 1.

Each must be safe to run again after it was killed half-way: the version is raised only after it returns.
"""

_VERSION = "schema_version"


def recorded_version(connection: Any) -> int | None:  # noqa: ANN401 - lancedb is untyped
    """Read the schema version of a store; None where there is no store."""
    table = tables.open_if_there(connection, "meta")
    if table is None:
        return None
    meta = tables.read(table, ["value"], pc.field("key") == _VERSION)["value"].to_pylist()
    if not meta and tables.names(connection) == ["meta"]:
        return None  # killed, or another process is, between making its first table and writing into it
    version = meta[0] if meta else "none"
    if not version.isdecimal():
        raise StoreError(f"the store's table `meta` has {version!r} for a schema version: damaged")
    return int(version)


def record_version(connection: Any, version: int) -> None:  # noqa: ANN401 - untyped
    """Write the schema version of a store."""
    meta = tables.ensure(connection, "meta", layouts.META)
    tables.upsert(meta, pa.table({"key": [_VERSION], "value": [str(version)]}, layouts.META))


def migrate(connection: Any) -> list[int]:  # noqa: ANN401 - untyped
    """Bring a store to the schema of this vdb, a version at a time.

    Returns
    -------
    list of int
        The versions it went through, the last one included; empty where there was nothing to do.

    Raises
    ------
    StoreError
        There is no store, it is newer than this vdb, or no way leads on from its version.
    """
    version = recorded_version(connection)
    if version is None:
        raise StoreError("there is no store to migrate")
    if version > schema.SCHEMA_VERSION:
        raise StoreError(_newer(version))
    passed = []
    while version < schema.SCHEMA_VERSION:
        if version not in MIGRATIONS:
            raise StoreError(f"no migration leads on from schema version {version}")
        MIGRATIONS[version](connection)
        version += 1
        record_version(connection, version)
        passed.append(version)
    return passed


def check_version(version: int) -> None:
    """Raise StoreError unless this vdb reads and writes stores of ``version``."""
    if version > schema.SCHEMA_VERSION:
        raise StoreError(_newer(version))
    if version < schema.SCHEMA_VERSION:
        raise StoreError(
            f"the store has schema version {version} and this vdb writes {schema.SCHEMA_VERSION}: "
            "copy it if you want to keep the old one, then run `vdb migrate`"
        )


def _newer(version: int) -> str:
    return (
        f"the store has schema version {version}, newer than this vdb's {schema.SCHEMA_VERSION}: "
        "upgrade vdb"
    )
