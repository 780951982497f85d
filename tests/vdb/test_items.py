from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

import vdb
from vdb import items as item_tables
from vdb import tables
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Batch = dict[str, pl.DataFrame]
    MakeItems = Callable[..., Batch]
    Contents = Callable[[Database], dict[str, list[tuple[object, ...]]]]

EVERY = {"concepts": 2, "images": 4, "captions": 4, "pairs": 4, "segments": 4}


def changed(batch: Batch, name: str, /, **columns: object) -> Batch:
    return {**batch, name: batch[name].with_columns(**{c: pl.lit(v) for c, v in columns.items()})}


def refused(db: Database, batch: Batch, contents: Contents, *told: str) -> None:
    """Adding is an error of one line that tells so much, and every table stays as it was."""
    before = contents(db)
    with pytest.raises(InputError) as caught:
        item_tables.add(db, batch)
    message = str(caught.value)
    assert "\n" not in message
    for part in told:
        assert part in message
    assert contents(db) == before


def test_what_is_added_is_there(db: Database, items: MakeItems) -> None:
    batch = items()
    report = item_tables.add(db, batch)
    assert report.added == EVERY
    assert report.unchanged == dict.fromkeys(EVERY, 0)
    for name, frame in batch.items():
        held = db.read(name).collect().sort(pl.all().fill_null(""))
        assert held.rows() == frame.select(held.columns).sort(pl.all().fill_null("")).rows()


def test_the_same_again_changes_nothing(db: Database, items: MakeItems, contents: Contents) -> None:
    item_tables.add(db, items())
    before = contents(db)
    versions = {name: db.table(name).version for name in EVERY}
    report = item_tables.add(db, items(source="another name of the same.csv"))
    assert report.added == dict.fromkeys(EVERY, 0)
    assert report.unchanged == EVERY
    assert contents(db) == before
    assert {name: db.table(name).version for name in EVERY} == versions


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("concepts", "name", "hound"),
        ("images", "sha256", "other bytes"),
        ("images", "concept_id", None),
        ("captions", "text", "something else"),
        ("segments", "counts", "1h1"),
        ("segments", "is_thing", False),
    ],
)
def test_other_content_under_an_id_names_both_places(
    db: Database, items: MakeItems, contents: Contents, name: str, column: str, value: object
) -> None:
    item_tables.add(db, items(source="first.csv:7"))
    batch = changed(items(source="second.csv:9"), name, **{column: value})
    refused(db, batch, contents, "second.csv:9", "first.csv:7", column, "in the store")


def test_two_contents_within_a_batch_name_both_places(
    db: Database, items: MakeItems, contents: Contents
) -> None:
    batch = items(source="a.csv:2")
    again = changed(items(source="a.csv:3"), "captions", text="otherwise")["captions"]
    batch["captions"] = pl.concat([batch["captions"], again])
    refused(db, batch, contents, "a.csv:2", "a.csv:3", "(and 3 more)", "--prefix")


def test_the_same_row_twice_within_a_batch_is_one(db: Database, items: MakeItems) -> None:
    batch = {name: pl.concat([frame, frame]) for name, frame in items().items()}
    assert item_tables.add(db, batch).added == EVERY


def test_the_same_text_under_two_ids_is_two_captions(db: Database, items: MakeItems) -> None:
    batch = changed(items(), "captions", text="the same words")
    item_tables.add(db, batch)
    assert db.captions().filter(pl.col("text") == "the same words").collect().height == 4


def test_a_file_that_moved_is_followed(db: Database, items: MakeItems) -> None:
    item_tables.add(db, items())
    report = item_tables.add(db, changed(items(), "images", uri="/elsewhere.jpg"))
    assert report.moved == 4
    assert report.added["images"] == 0
    assert set(db.images().collect()["uri"]) == {"/elsewhere.jpg"}
    assert db.images().collect().height == 4


@pytest.mark.parametrize(
    ("name", "column", "kind"),
    [
        ("images", "concept_id", "concept"),
        ("captions", "concept_id", "concept"),
        ("pairs", "image_id", "image"),
        ("pairs", "caption_id", "caption"),
        ("segments", "image_id", "image"),
    ],
)
def test_what_refers_to_nothing_is_refused(
    db: Database, items: MakeItems, contents: Contents, name: str, column: str, kind: str
) -> None:
    item_tables.add(db, items())
    batch = items(1, prefix="new-", source="new.csv:4")
    batch = changed(batch, name, **{column: "it's nowhere"})
    refused(db, batch, contents, "new.csv:4", column, '"it\'s nowhere"', f"no {kind} ")


def test_what_refers_to_the_store_is_fine(db: Database, items: MakeItems) -> None:
    item_tables.add(db, {name: items()[name] for name in ("concepts", "images")})
    rest = {name: items()[name] for name in ("captions", "pairs", "segments")}
    assert item_tables.add(db, rest).added == {"captions": 4, "pairs": 4, "segments": 4}


def test_items_of_no_concept(db: Database, items: MakeItems) -> None:
    batch = items()
    del batch["concepts"]
    for name in ("images", "captions"):  # a column of nothing but None has no type of its own
        batch[name] = batch[name].with_columns(concept_id=pl.lit(None))
    item_tables.add(db, batch)
    assert item_tables.add(db, batch).unchanged["images"] == 4
    assert db.images().collect()["concept_id"].null_count() == 4


@pytest.mark.parametrize("bad", ["", "a\nb", "tab\t", "x" * 513, None])
def test_an_id_that_is_none_is_refused(
    db: Database, items: MakeItems, contents: Contents, bad: str | None
) -> None:
    batch = changed(items(1, source="s.csv:2"), "images", image_id=bad)
    refused(db, batch, contents, "s.csv:2", "image_id")


@pytest.mark.parametrize(
    ("name", "column"), [("captions", "text"), ("images", "uri"), ("segments", "height")]
)
def test_a_value_that_is_missing_is_refused_before_anything_is_written(
    db: Database, items: MakeItems, contents: Contents, name: str, column: str
) -> None:
    batch = changed(items(source="s.csv:2"), name, **{column: None})
    refused(db, batch, contents, "s.csv:2", f"{column} is missing")


def test_a_column_that_is_missing_or_of_another_type_is_refused(
    db: Database, items: MakeItems, contents: Contents
) -> None:
    batch = items()
    refused(db, {**batch, "captions": batch["captions"].drop("text")}, contents, "captions", "text")
    refused(db, changed(batch, "segments", height="tall"), contents, "segments")


def test_a_table_that_is_none_is_refused(
    db: Database, items: MakeItems, contents: Contents
) -> None:
    batch = items()
    refused(db, {**batch, "captoins": batch["captions"]}, contents, "captoins")


def test_hostile_ids_and_texts_come_back(
    db: Database, items: MakeItems, hostile_ids: list[str]
) -> None:
    n = len(hostile_ids)
    batch = items(n)
    ids = pl.Series(hostile_ids)
    batch["images"] = batch["images"].with_columns(image_id=ids)
    batch["captions"] = batch["captions"].with_columns(caption_id=ids, text=ids)
    batch["pairs"] = batch["pairs"].with_columns(image_id=ids, caption_id=ids.reverse())
    batch["segments"] = batch["segments"].with_columns(image_id=ids)
    item_tables.add(db, batch)
    assert item_tables.add(db, batch).unchanged["pairs"] == n
    for one in hostile_ids:
        assert db.captions().filter(pl.col("text") == one).collect()["caption_id"].to_list() == [
            one
        ]
        assert db.images().filter(pl.col("image_id").is_in([one])).collect().height == 1


def test_what_another_process_added_meanwhile_is_looked_at_again(
    db: Database, items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, theirs = tables.insert, changed(items(source="theirs.csv"), "captions", text="theirs")

    def late(table: object, rows: object) -> int:
        monkeypatch.setattr(tables, "insert", insert)
        item_tables.add(db, theirs)
        return insert(table, rows)

    monkeypatch.setattr(tables, "insert", late)
    with pytest.raises(InputError, match=r"differs in text from the one at theirs\.csv"):
        item_tables.add(db, items(source="mine.csv"))


def test_what_was_checked_before_the_store_was_made_is_compared_with_what_others_put_there(
    db: Database, items: MakeItems, contents: Contents, tmp_path: Path
) -> None:
    empty = vdb.open(tmp_path / "empty", create=True)
    checked = item_tables.check(empty, items())
    report = item_tables.write(db, checked)
    assert (report.added, report.unchanged) == (EVERY, dict.fromkeys(EVERY, 0))
    before = contents(db)
    again = item_tables.write(db, checked)
    assert (again.added, again.unchanged) == (dict.fromkeys(EVERY, 0), EVERY)
    other = item_tables.check(empty, changed(items(), "images", sha256="other"))
    with pytest.raises(InputError, match="differs in sha256"):
        item_tables.write(db, other)
    assert contents(db) == before
    assert not any(contents(empty).values())


def test_reports_add_up() -> None:
    one = item_tables.Added({"images": 1}, {"images": 2}, moved=1)
    one += item_tables.Added({"images": 4, "pairs": 1}, {}, moved=2)
    assert one == item_tables.Added({"images": 5, "pairs": 1}, {"images": 2}, moved=3)
