from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
from lancedb.expr import col

from vdb import layouts, lookup, schema, tables
from vdb.lookup import Lookup

if TYPE_CHECKING:
    import numpy as np
    import pytest

    from vdb.database import Database


def put(db: Database, *rows: tuple[str, str]) -> object:
    """Store masks of ``(image_id, segment_id)``, a commit each call; return the table."""
    table = db.table("segments")
    filled = {
        "segmentation": "panoptic",
        "category": "dog",
        "is_thing": True,
        "is_crowd": False,
        "height": 1,
        "width": 1,
        "counts": "1",
        "dataset": "toy",
        "source": "x",
    }
    made = [
        {"key": schema.key_of(image, segment), "image_id": image, "segment_id": segment, **filled}
        for image, segment in rows
    ]
    tables.insert(table, pa.Table.from_pylist(made, layouts.SEGMENTS))
    return table


def found(there: Lookup, image: str) -> list[str]:
    return there.rows(image, ["segment_id"])["segment_id"].to_pylist()


def test_all_rows_of_a_value_are_found_across_commits_and_no_others(
    db: Database, hostile_ids: list[str]
) -> None:
    put(db, *((image, "1") for image in hostile_ids))
    table = put(db, *((image, str(i)) for image in hostile_ids[:5] for i in (2, 3)))
    there = Lookup(table, "image_id")
    for i, image in enumerate(hostile_ids):
        assert found(there, image) == (["1", "2", "3"] if i < 5 else ["1"])
    for absent in ("", "plai", "plain ", "x' OR 1=1"):
        assert found(there, absent) == []
    rows = there.rows("plain", ["image_id", "counts", "image_id"])
    assert rows.column_names == ["image_id", "counts", "image_id"]


def test_values_that_share_a_hash_are_told_apart(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_length(values: pl.Series) -> np.ndarray:
        return values.str.len_chars().cast(pl.UInt64).to_numpy()

    monkeypatch.setattr(lookup, "hashed", by_length)
    there = Lookup(put(db, ("aa", "1"), ("b", "2"), ("bb", "3"), ("aa", "4")), "image_id")
    assert found(there, "aa") == ["1", "4"]
    assert found(there, "bb") == ["3"]
    assert found(there, "cc") == []


def test_an_empty_table_has_no_rows(db: Database) -> None:
    there = Lookup(db.table("segments"), "image_id")
    assert there.rows("a", ["counts"]).num_rows == 0


def test_rows_deleted_before_and_after_are_handled(db: Database) -> None:
    table = put(db, *((f"img-{i}", "1") for i in range(10)))
    tables.delete_keys(table, [schema.key_of(f"img-{i}", "1") for i in (0, 3, 4, 9)])
    put(db, ("img-3", "2"))
    there = Lookup(table, "image_id")
    tables.delete(table, col("image_id") == "img-5")  # this one reads the version it was made of
    held = {f"img-{i}": found(there, f"img-{i}") for i in range(10)}
    gone = {"img-0": [], "img-4": [], "img-9": [], "img-3": ["2"]}
    assert held == {f"img-{i}": ["1"] for i in range(10)} | gone


def test_threads_may_ask_at_once(db: Database) -> None:
    names = [f"img-{i}" for i in range(60)]
    there = Lookup(put(db, *((name, f"of {name}") for name in names)), "image_id")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda name: found(there, name), names * 3))
    assert answers == [[f"of {name}"] for name in names] * 3
