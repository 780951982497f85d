"""Pick-a-Pic again: what the store has is not read again, and what comes of it is the same as if it were."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.add import add_dataset
from ingest.datasets import pickapic
from ingest.datasets.pickapic.stored import stored_choices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Choice = Callable[..., dict[str, Any]]
    Write = Callable[..., Path]
    Everything = Callable[[Database], dict[str, Any]]

ROWS = 12  # in row groups of 3


@pytest.fixture
def groups_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The row groups whose images are read."""
    read: list[int] = []
    real = pq.ParquetFile.iter_batches

    def counting(file: Any, size: int, groups: list[int], columns: list[str], **more: Any) -> Any:
        assert {"jpg_0", "jpg_1"} <= set(columns)
        read.extend(groups)
        return real(file, size, groups, columns, **more)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counting)
    return read


@pytest.fixture
def rows(choice: Choice) -> list[dict[str, Any]]:
    """Rows of every sort that is passed over: labelled, without a label, without a caption, too alike."""
    special: dict[int, dict[str, Any]] = {
        1: {"has_label": False},
        4: {"caption": None},
        5: {"user_id": None, "num_example_per_prompt": None},
        7: {"are_different": False},
    }
    return [choice(i, **special.get(i, {})) for i in range(ROWS)]


def add(file: Path, store: Path, **options: Any) -> tuple[Database, list[str]]:
    """Add a file as the command does."""
    said: list[str] = []
    known = stored_choices(str(store), options.get("name", "pickapic"))
    db, _ = add_dataset(str(store), pickapic(file, stored=known, **options), said.append)
    return db, said


@pytest.mark.parametrize("options", [{}, {"min_different": 1}, {"prefix": "p/", "name": "other"}])
def test_nothing_is_read_again(
    options: dict[str, Any],
    rows: list[dict[str, Any]],
    write_choices: Write,
    everything: Everything,
    groups_read: list[int],
    tmp_path: Path,
) -> None:
    file = write_choices(tmp_path / "a.parquet", rows)
    db, first = add(file, tmp_path / "study", **options)
    before = everything(db)
    assert groups_read == [0, 1, 2, 3]
    db, again = add(file, tmp_path / "study", **options)
    assert groups_read == [0, 1, 2, 3]
    assert everything(db) == before
    passed = ROWS - 1 - bool(options.get("min_different"))  # all but those that are left out
    [told] = set(again) - set(first)
    assert told == f"passed over {passed} rows that the store has already (first: a.parquet:1)"
    assert set(first) <= set(again)  # what was left out is told as before


@pytest.mark.parametrize("stopped", [1, 3, 5, 9, 11])
def test_what_was_stopped_goes_on_to_the_same_store(
    stopped: int,
    rows: list[dict[str, Any]],
    write_choices: Write,
    everything: Everything,
    groups_read: list[int],
    tmp_path: Path,
) -> None:
    file = write_choices(tmp_path / "a.parquet", rows)
    add_dataset(str(tmp_path / "study"), pickapic(file, limit=stopped), lambda _: None)
    groups_read.clear()
    db, _ = add(file, tmp_path / "study")
    assert groups_read == [group for group in range(4) if 3 * group + 3 > stopped]
    clean, _ = add_dataset(str(tmp_path / "clean"), pickapic(file), lambda _: None)
    assert everything(db) == everything(clean)


@pytest.mark.parametrize(
    ("row", "other"),
    [
        (3, {"label_0": 0.5, "label_1": 0.5}),
        (3, {"caption": "something else"}),
        (3, {"user_id": 99}),
        (3, {"ranking_id": 77}),
        (3, {"has_label": False, "image_0_uid": "new"}),
        (1, {"has_label": True}),
        (1, {"image_1_uid": "new"}),
        (1, {"caption": "something else"}),
        (1, {"image_0_uid": None}),
        (4, {"caption": "there is one now"}),
    ],
)
def test_a_row_group_with_another_row_in_it_is_read(
    row: int,
    other: dict[str, Any],
    rows: list[dict[str, Any]],
    write_choices: Write,
    everything: Everything,
    groups_read: list[int],
    tmp_path: Path,
) -> None:
    file = write_choices(tmp_path / "a.parquet", rows)
    for store in ("study", "whole"):
        add(file, tmp_path / store)
    rows[row] |= other
    write_choices(file, rows)
    groups_read.clear()
    db, _ = add(file, tmp_path / "study")
    assert groups_read == [row // 3]
    whole, _ = add_dataset(str(tmp_path / "whole"), pickapic(file), lambda _: None)
    assert everything(db) == everything(whole)


def test_another_name_another_file_and_no_ranking_are_read(
    rows: list[dict[str, Any]], write_choices: Write, groups_read: list[int], tmp_path: Path
) -> None:
    file = write_choices(tmp_path / "a.parquet", rows)
    add(file, tmp_path / "study")
    twin = write_choices(tmp_path / "b.parquet", rows)
    for again, options in ((file, {"name": "other"}), (twin, {})):
        groups_read.clear()
        add(again, tmp_path / "study", **options)
        assert groups_read == [0, 1, 2, 3]
    types: dict[str, pa.DataType | None] = {"ranking_id": None}
    bare = write_choices(tmp_path / "c.parquet", rows, types)
    for _ in range(2):
        groups_read.clear()
        add(bare, tmp_path / "bare")
        assert groups_read == [0, 1, 2, 3]


def test_a_limit_counts_what_is_passed_over(
    rows: list[dict[str, Any]], write_choices: Write, groups_read: list[int], tmp_path: Path
) -> None:
    file = write_choices(tmp_path / "a.parquet", rows)
    add(file, tmp_path / "study", limit=6)
    groups_read.clear()
    db, _ = add(file, tmp_path / "study", limit=7)
    assert groups_read == [2]
    assert db.trials().collect().height == 5  # of rows 1, 3, 4, 6, 7
    assert list(islice(pickapic(file, stored=stored_choices(str(tmp_path / "none"), "x")), 1))
