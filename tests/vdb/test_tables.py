from __future__ import annotations

import json
from typing import TYPE_CHECKING

import lance
import pyarrow as pa
import pytest
from lancedb.expr import col

from vdb import schema, tables
from vdb.errors import StoreError
from vdb.layouts import META

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database
    from vdb.recipe import Recipe


@pytest.fixture
def table(tmp_path: Path) -> object:
    return tables.ensure(tables.connect(str(tmp_path), None), "t", META)


def rows(*pairs: tuple[str, str]) -> pa.Table:
    return pa.Table.from_pylist([{"key": k, "value": v} for k, v in pairs], META)


def held(table: object) -> dict[str, str]:
    return {r["key"]: r["value"] for r in tables.read(table, ["key", "value"]).to_pylist()}


@pytest.mark.parametrize("name", schema.TABLES)
def test_every_table_says_which_column_is_its_primary_key(db: Database, name: str) -> None:
    stored = lance.dataset(str(db.table(name).to_lance().uri)).schema
    assert stored.names == schema.TABLES[name].names
    keys = [f for f in stored if (f.metadata or {}).get(b"lance-schema:unenforced-primary-key")]
    assert [f.name for f in keys] == ["key"]
    assert not keys[0].nullable
    assert stored.field("key").type == pa.string()


def test_a_space_says_so_too_and_lays_its_layers_side_by_side(
    db: Database, recipe: Callable[..., Recipe]
) -> None:
    stored = db.create_space("s", recipe(4, 6, modality="text")).table.to_lance().schema
    assert stored.field("key").metadata == {b"lance-schema:unenforced-primary-key": b"true"}
    assert stored.names == ["key", "caption_id", "concept_id", "variant", "layer_00", "layer_01"]
    assert stored.field("layer_01").type == pa.list_(pa.float16(), 6)
    nullable = [f.name for f in stored if f.nullable]
    assert nullable == ["concept_id"]


def test_the_file_format_is_pinned(table: object) -> None:
    tables.insert(table, rows(("a", "1")))
    dataset = table.to_lance()  # type: ignore[attr-defined]
    assert dataset.data_storage_version == "2.2"
    [fragment] = dataset.get_fragments()
    [file] = json.loads(json.dumps(fragment.metadata.to_json()))["files"]
    assert (file["file_major_version"], file["file_minor_version"]) == (2, 2)


def test_insert_adds_only_what_is_not_there(table: object) -> None:
    assert tables.insert(table, rows(("a", "1"), ("b", "2"))) == 2
    assert tables.insert(table, rows(("b", "other"), ("c", "3"))) == 1
    assert held(table) == {"a": "1", "b": "2", "c": "3"}


def test_insert_in_several_merges(table: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_ROWS_A_MERGE", 2)
    assert tables.insert(table, rows(*((str(i), "x") for i in range(5)))) == 5
    assert tables.insert(table, rows(*((str(i), "y") for i in range(7)))) == 2
    assert len(held(table)) == 7


@pytest.mark.parametrize("write", [tables.insert, tables.upsert])
def test_a_key_twice_is_refused(table: object, write: Callable[..., object]) -> None:
    with pytest.raises(StoreError, match='hold a key twice: "it\'s"'):
        write(table, rows(("a", "1"), ("it's", "2"), ("it's", "2")))
    assert held(table) == {}


@pytest.mark.parametrize("write", [tables.insert, tables.upsert])
def test_a_column_that_is_missing_is_refused(table: object, write: Callable[..., object]) -> None:
    with pytest.raises(StoreError, match="rows for 't' lack value"):
        write(table, pa.table({"key": ["a"]}))
    assert held(table) == {}


def test_upsert_replaces_and_adds(table: object) -> None:
    tables.insert(table, rows(("a", "1"), ("b", "2")))
    tables.upsert(table, rows(("b", "new"), ("c", "3")))
    assert held(table) == {"a": "1", "b": "new", "c": "3"}


def test_hostile_keys_are_deleted_one_by_one(table: object, hostile_ids: list[str]) -> None:
    tables.insert(table, rows(*((key, "x") for key in hostile_ids)))
    for i, key in enumerate(hostile_ids):
        tables.delete_keys(table, [key])
        assert held(table).keys() == set(hostile_ids[i + 1 :])


def test_hostile_values_are_deleted_by_value(table: object, hostile_ids: list[str]) -> None:
    tables.insert(table, rows(*((str(i), text) for i, text in enumerate(hostile_ids))))
    for i, text in enumerate(hostile_ids):
        tables.delete(table, col("value") == text)
        assert held(table).keys() == {str(j) for j in range(i + 1, len(hostile_ids))}


def test_every_table_is_listed_over_all_pages(tmp_path: Path) -> None:
    connection = tables.connect(str(tmp_path), None)
    made = {f"t{i:02d}" for i in range(15)}  # lancedb's own default stops at ten
    for name in made:
        tables.ensure(connection, name, META)
    assert set(tables.names(connection)) == made


def test_a_table_of_other_columns_is_not_written_to(tmp_path: Path) -> None:
    connection = tables.connect(str(tmp_path), None)
    tables.ensure(connection, "t", META)
    other = pa.schema(
        [META.field("key"), pa.field("value", pa.int64()), pa.field("z", pa.string())]
    )
    with pytest.raises(StoreError, match="value is string, not int64, z is missing, not string"):
        tables.ensure(connection, "t", other)
