from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import vdb
from vdb import layouts, migrations, schema, tables
from vdb.errors import NotFoundError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from vdb.database import Database

NOW = schema.SCHEMA_VERSION


def test_no_store_is_said_and_none_is_made(tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(NotFoundError, match=r"no store at .*create=True"):
            vdb.open(place)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_store(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    for create in (False, True):
        with pytest.raises(StoreError, match="is a file"):
            vdb.open(file, create=create)
    assert file.read_text() == "mine"


@pytest.mark.parametrize("create", [False, True])
def test_an_address_that_leads_nowhere_is_one_line(create: bool) -> None:
    with pytest.raises(StoreError, match=r"cannot reach the store at foo://study: .*'foo'.*check"):
        vdb.open("foo://study", create=create)


RUST = (
    "lance error: LanceError(IO): Generic S3 error: Failed to resolve region for bucket 'b', "
    "/root/.cargo/registry/src/lance-io-13.0.0/src/object_store/aws.rs:319:13"
)
"""What LanceDB says of a bucket that is not there, as a RuntimeError."""


class Unreachable:
    """A connection to a store that cannot be reached."""

    uri = "s3://b/study"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def fail(self, *_: object, **__: object) -> None:
        raise self.error

    open_table = list_tables = create_table = fail


@pytest.mark.parametrize("kind", [RuntimeError, OSError, ValueError])
def test_a_store_that_cannot_be_reached_is_one_line(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    there = Unreachable(kind(RUST))
    monkeypatch.setattr("lancedb.connect", lambda *_, **__: there)
    for ask in (lambda: vdb.open("s3://b/study"), lambda: tables.names(there)):
        with pytest.raises(StoreError) as caught:
            ask()
        assert str(caught.value) == (
            "cannot reach the store at s3://b/study: Generic S3 error: Failed to resolve region "
            "for bucket 'b'; check the address, the network, and that this account may read and write there"
        )


def test_a_table_that_cannot_be_made_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Unreachable(PermissionError("denied\nat lance.rs:1"))
    monkeypatch.setattr(there, "open_table", Unreachable(ValueError("was not found")).fail)
    with pytest.raises(StoreError, match=r"cannot reach .*: denied; check"):
        tables.ensure(there, "meta", layouts.META)


def test_a_new_store_is_empty_and_opens_again(tmp_path: Path) -> None:
    vdb.open(tmp_path / "s", create=True)
    db = vdb.open(tmp_path / "s", create=True)
    for name in schema.TABLES:
        if name != "meta":
            assert db.read(name).collect().is_empty()
    assert db.results() == []
    assert repr(db) == f"vdb.open({str(tmp_path / 's')!r})"


def test_importing_vdb_loads_nothing_heavy() -> None:
    heavy = {"lance", "lancedb", "polars", "pyarrow", "torch", "numpy"}
    code = f"import sys, vdb; print(sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Versions -------------------------------------------------------------------------------------------------------------


def test_a_store_records_its_version(db: Database) -> None:
    assert migrations.recorded_version(tables.connect(db.uri, None)) == schema.SCHEMA_VERSION


def test_a_newer_store_is_left_alone(db: Database) -> None:
    connection = tables.connect(db.uri, None)
    migrations.record_version(connection, NOW + 1)
    with pytest.raises(StoreError, match=f"newer than this vdb's {NOW}: upgrade vdb"):
        vdb.open(db.uri)
    with pytest.raises(StoreError, match="newer"):
        migrations.migrate(connection)


def test_an_older_store_asks_for_migration(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "SCHEMA_VERSION", NOW + 2)
    with pytest.raises(StoreError, match="run `vdb migrate`"):
        vdb.open(db.uri)
    with pytest.raises(StoreError, match=f"no migration leads on from schema version {NOW}"):
        migrations.migrate(tables.connect(db.uri, None))


def test_migrations_lead_on_and_may_be_killed(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = tables.connect(db.uri, None)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", NOW + 2)
    passed: list[str] = []

    def first(_: object) -> None:
        passed.append("first")

    def second(_: object) -> None:
        passed.append("second")
        if passed.count("second") == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(migrations, "MIGRATIONS", {NOW: first, NOW + 1: second})
    with pytest.raises(KeyboardInterrupt):
        migrations.migrate(connection)
    assert migrations.recorded_version(connection) == NOW + 1
    with pytest.raises(StoreError, match=f"schema version {NOW + 1}"):
        vdb.open(db.uri)
    assert migrations.migrate(connection) == [NOW + 2]
    assert passed == ["first", "second", "second"]
    assert vdb.open(db.uri).spaces().collect().is_empty()
    assert migrations.migrate(connection) == []


def test_there_is_nothing_to_migrate(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store to migrate"):
        migrations.migrate(tables.connect(str(tmp_path), None))


def test_a_store_killed_at_birth_is_born_again(tmp_path: Path) -> None:
    tables.ensure(tables.connect(str(tmp_path), None), "meta", layouts.META)
    with pytest.raises(NotFoundError):
        vdb.open(tmp_path)
    assert vdb.open(tmp_path, create=True).images().collect().is_empty()
    vdb.open(tmp_path)


@pytest.mark.parametrize("version", ["", "soon", "1.5", "-1"])
def test_a_version_that_is_none_is_damage(db: Database, version: str) -> None:
    meta = tables.connect(db.uri, None).open_table("meta")
    meta.update(values={"value": version})
    with pytest.raises(StoreError, match="damaged"):
        vdb.open(db.uri)
