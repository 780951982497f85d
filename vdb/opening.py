"""Opening a store, making one, and bringing an older one up to date."""

from __future__ import annotations

from vdb import migrations, schema, tables
from vdb.database import Database
from vdb.errors import NoStoreError
from vdb.place import check_place


def open_database(
    uri: str, *, create: bool = False, storage_options: dict[str, str] | None = None
) -> Database:
    """Open or make a store; see :func:`vdb.open`."""
    check_place(uri, create=create)
    connection = tables.connect(uri, storage_options)
    version = migrations.recorded_version(connection)
    if version is None:
        if not create:
            raise NoStoreError(uri)
        migrations.record_version(connection, schema.SCHEMA_VERSION)
    else:
        migrations.check_version(version)
    return Database(uri, connection)


def migrate_database(uri: str, storage_options: dict[str, str] | None = None) -> list[int]:
    """Bring the store at ``uri`` to this vdb's schema; see :func:`vdb.migrations.migrate`."""
    check_place(uri, create=False)  # connecting would make the directory
    connection = tables.connect(uri, storage_options)
    if migrations.recorded_version(connection) is None:
        raise NoStoreError(uri)
    return migrations.migrate(connection)
