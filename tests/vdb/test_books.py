from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

import vdb
from vdb import books
from vdb.errors import InputError, NotFoundError, StoreError, VdbError

if TYPE_CHECKING:
    from vdb.database import Database

# Runs -----------------------------------------------------------------------------------------------------------------


def only_run(db: Database) -> dict[str, object]:
    [run] = db.runs().collect().to_dicts()
    return run


def test_a_run_is_recorded_with_what_decides_it(db: Database) -> None:
    with books.run(db, "vdb analyze it's", {"k": [1, 2], "model": "猫"}, seed=7) as run_id:
        assert db.runs().collect().is_empty()
    run = only_run(db)
    assert run["run_id"] == run_id
    assert run["command"] == "vdb analyze it's"
    assert json.loads(str(run["parameters"])) == {"k": [1, 2], "model": "猫"}
    assert json.loads(str(run["versions"]))["vdb"] == vdb.__version__
    assert (run["seed"], run["outcome"]) == (7, "finished")
    assert float(str(run["seconds"])) >= 0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InputError("the file is bad"), "failed: the file is bad"),
        (ZeroDivisionError("by zero"), "failed: ZeroDivisionError: by zero"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_a_run_is_recorded_however_it_ends(
    db: Database, error: BaseException, outcome: str
) -> None:
    with pytest.raises(type(error)), books.run(db, "c", {}):
        raise error
    assert only_run(db)["outcome"] == outcome


def test_every_run_is_another(db: Database) -> None:
    for _ in range(3):
        with books.run(db, "c", {}):
            pass
    assert db.runs().collect()["run_id"].n_unique() == 3


# Failures -------------------------------------------------------------------------------------------------------------


def ledger(db: Database) -> set[tuple[object, ...]]:
    columns = ["space", "item_id", "variant", "reason", "run_id"]
    return set(db.failures().select(columns).collect().iter_rows())


def test_a_later_failure_takes_the_place_of_the_earlier(db: Database) -> None:
    books.record_failures(
        db, "s", [("a", "original", "cut short"), ("b", "original", "empty")], "1"
    )
    books.record_failures(db, "s", [("a", "original", "a bomb"), ("a", "grayscale", "grey")], "2")
    assert ledger(db) == {
        ("s", "a", "original", "a bomb", "2"),
        ("s", "a", "grayscale", "grey", "2"),
        ("s", "b", "original", "empty", "1"),
    }


def test_the_last_failure_of_an_item_within_a_call_counts(db: Database) -> None:
    books.record_failures(db, "s", [("a", "original", "first"), ("a", "original", "last")], "1")
    assert ledger(db) == {("s", "a", "original", "last", "1")}


def test_what_is_cleared_is_gone_and_nothing_else(db: Database, hostile_ids: list[str]) -> None:
    for space in ("s", "it's|other"):
        books.record_failures(db, space, [(i, "original", "why") for i in hostile_ids], "1")
    for i, one in enumerate(hostile_ids):
        books.clear_failures(db, "it's|other", [(one, "original"), (one, "grayscale")])
        left = {entry[1] for entry in ledger(db) if entry[0] == "it's|other"}
        assert left == set(hostile_ids[i + 1 :])
    assert {entry[1] for entry in ledger(db)} == set(hostile_ids)


def test_no_failures_are_no_commit(db: Database) -> None:
    books.record_failures(db, "s", [], "1")
    books.clear_failures(db, "s", [])
    assert ledger(db) == set()


def test_a_picture_is_kept_and_drawn_again(db: Database) -> None:
    books.keep_picture(db, "1", "map", "A <map>", "{}", b"<svg/>", b"\x89PNG\x00")
    books.keep_picture(db, "1", "map", "It's a map", "{}", b"<svg>2</svg>", b"\x89PNG\x00\xff")
    [picture] = db.pictures().collect().to_dicts()
    assert picture["title"] == "It's a map"
    assert (picture["svg"], picture["png"]) == (b"<svg>2</svg>", b"\x89PNG\x00\xff")


# Results --------------------------------------------------------------------------------------------------------------


def result(n: int = 2) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "vision": ["vit's", "猫"][:n],
            "layer": [1, 2][:n],
            "score": [0.5, None][:n],
            "folds": [[0.1, 0.2], []][:n],
            "names": [["a", "it's"], [None]][:n],
            "nested": [[["a"], ["b", "c"]], [[]]][:n],
            "interval": [{"low": 0.1, "label": "95%"}, {"low": None, "label": None}][:n],
            "picture": [b"\x00\xff", b""][:n],
            "significant": [True, False][:n],
        },
        schema_overrides={"layer": pl.Int32, "nested": pl.List(pl.List(pl.String))},
    )


def test_a_result_comes_back_as_it_was(db: Database) -> None:
    db.keep_result("alignment", result(), "run|1")
    held = db.result("alignment").collect()
    assert held["run_id"].to_list() == ["run|1"] * 2
    assert held.drop("run_id").equals(result())
    assert held.drop("run_id").schema == result().schema


def test_the_results_of_another_run_are_added(db: Database) -> None:
    db.keep_result("alignment", result(), "run1")
    db.keep_result("alignment", result(1), "run2")
    runs = db.result("alignment").group_by("run_id").len().collect().rows()
    assert sorted(runs) == [("run1", 2), ("run2", 1)]
    assert db.results() == ["alignment"]


def test_a_result_of_other_columns_is_refused(db: Database) -> None:
    db.keep_result("alignment", pl.DataFrame({"score": [0.5]}), "run1")
    with pytest.raises(
        StoreError, match=r"'result.alignment'.*score is double, not string"
    ) as caught:
        db.keep_result("alignment", pl.DataFrame({"score": ["high"]}), "run2")
    assert "\n" not in str(caught.value)


def test_a_result_that_is_not_there(db: Database) -> None:
    db.keep_result("alignment", result(), "run1")
    with pytest.raises(NotFoundError, match="did you mean alignment"):
        db.result("alinment")
    assert issubclass(NotFoundError, VdbError)
