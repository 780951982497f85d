"""Pick-a-Pic: each row of a file becomes a trial of a caption and two images, in a real store."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from ingest.add import add_dataset
from ingest.datasets import pickapic, streams
from ingest.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Choice = Callable[..., dict[str, Any]]
    Write = Callable[..., Path]
    Everything = Callable[[Database], dict[str, Any]]

ROWS = 9


def told(file: Path, store: Path, **options: Any) -> tuple[Database, list[str]]:
    """Add a file to a store; return it and what was said."""
    said: list[str] = []
    db, _ = add_dataset(str(store), pickapic(file, **options), said.append)
    return db, said


def added(file: Path, store: Path, **options: Any) -> Database:
    db, said = told(file, store, **options)
    assert said == []
    return db


def test_a_row_is_a_trial_of_its_caption_and_images(
    choice: Choice, write_choices: Write, tmp_path: Path
) -> None:
    rows = [choice(i) for i in range(ROWS)]
    db = added(write_choices(tmp_path / "test.parquet", rows), tmp_path / "study")
    texts = dict(db.captions().select("caption_id", "text").collect().iter_rows())
    images = db.images().collect()
    uris = dict(images.select("image_id", "uri").iter_rows())
    sources = Sources(db)
    trials = {row["trial_id"].split("-")[0]: row for row in db.trials().collect().to_dicts()}
    assert len(trials) == ROWS
    for number, row in enumerate(rows, 1):
        trial = trials[str(row["ranking_id"])]
        assert trial["direction"] == "text-to-image"
        assert texts[trial["query_id"]] == row["caption"]
        assert sources.read(uris[trial["candidate_0"]]) == row["jpg_0"]
        assert sources.read(uris[trial["candidate_1"]]) == row["jpg_1"]
        assert (trial["label"], trial["weight"]) == (row["label_0"], 1 / 2)
        assert (trial["judge"], trial["gap"]) == (str(row["user_id"]), None)
        assert (trial["dataset"], trial["source"]) == ("pickapic", f"test.parquet:{number}")
    assert images.height == 2 * ROWS
    assert len(texts) == (ROWS + 1) // 2
    assert set(images["source"]) == {
        f"test.parquet:{i + 1} uid uid-{2 * i + side}" for i in range(ROWS) for side in (0, 1)
    }
    digests = {hashlib.sha256(row[side]).hexdigest() for row in rows for side in ("jpg_0", "jpg_1")}
    assert set(images["sha256"]) == digests
    assert db.pairs().collect().is_empty()


def test_a_picture_is_one_image_under_any_uid_and_a_text_one_caption(
    choice: Choice,
    write_choices: Write,
    jpeg: Callable[[int], bytes],
    everything: Everything,
    tmp_path: Path,
) -> None:
    rows = [
        choice(0, jpg_0=jpeg(0), jpg_1=jpeg(1), image_0_uid="one"),
        choice(1, jpg_0=jpeg(2), jpg_1=jpeg(0), image_1_uid="another"),
        choice(2, caption="a small dog number 0 ", jpg_0=jpeg(1), jpg_1=jpeg(2)),
    ]
    db = added(write_choices(tmp_path / "a.parquet", rows), tmp_path / "study")
    assert db.images().collect().height == 3
    assert len(everything(db)["blobs"]) == 3
    trials = db.trials().collect().sort("trial_id")
    assert trials["candidate_0"][0] == trials["candidate_1"][1]
    assert db.captions().collect()["text"].sort().to_list() == [  # a space more is another text
        "a small dog number 0",
        "a small dog number 0 ",
    ]


def test_one_text_of_two_prompts_is_two_captions(
    choice: Choice, write_choices: Write, tmp_path: Path
) -> None:
    rows = [{**choice(i, caption="the same"), "prompt_id": f"prompt-{i // 2}"} for i in range(4)]
    file = write_choices(tmp_path / "a.parquet", rows, {"prompt_id": pa.string()})
    db = added(file, tmp_path / "study")
    assert db.captions().collect()["text"].to_list() == ["the same"] * 2
    queries = db.trials().collect().sort("trial_id")["query_id"].to_list()
    assert queries[0] == queries[1] != queries[2] == queries[3]


def test_columns_that_only_some_editions_have_may_lack(
    choice: Choice, write_choices: Write, tmp_path: Path
) -> None:
    optional = [
        *("are_different", "has_label", "num_example_per_prompt", "ranking_id", "user_id"),
        *("image_0_uid", "image_1_uid"),
    ]
    rows = [choice(i) for i in range(3)]
    file = write_choices(tmp_path / "a.parquet", rows, dict.fromkeys(optional))
    trials = added(file, tmp_path / "study").trials().collect()
    assert trials["trial_id"].n_unique() == 3
    assert trials["weight"].to_list() == [1.0] * 3
    assert trials["judge"].to_list() == [None] * 3
    assert sorted(trials["label"]) == [0.0, 0.5, 1.0]


def test_a_ranking_of_several_rows_is_several_trials_and_a_row_again_is_one(
    choice: Choice, write_choices: Write, tmp_path: Path
) -> None:
    rows = [choice(i, ranking_id=7) for i in (0, 1, 2, 0)]
    trials = added(write_choices(tmp_path / "a.parquet", rows), tmp_path / "study").trials()
    ids = trials.collect()["trial_id"]
    assert ids.len() == ids.n_unique() == 3
    assert all(one.startswith("7-") for one in ids)


def test_what_is_no_trial_is_counted(
    choice: Choice, write_choices: Write, jpeg: Callable[[int], bytes], tmp_path: Path
) -> None:
    rows = [
        choice(0),
        choice(1, has_label=False, label_0=None, label_1=None),
        choice(2, has_label=False),
        choice(3, jpg_1=None),
        choice(4, jpg_0=b""),
        choice(5, caption=None),
        choice(6, caption=" \n"),
        choice(7, jpg_0=jpeg(99), jpg_1=jpeg(99)),
    ]
    db, said = told(write_choices(tmp_path / "a.parquet", rows), tmp_path / "study")
    assert sorted(said) == [
        "1 rows compare an image with itself: it is added, and the caption, but no trial (first: a.parquet:8)",
        "2 rows have no label: their images and caption are added, but no trial (first: a.parquet:2)",
        "left out 2 rows of which an image is missing (first: a.parquet:4)",
        "left out 2 rows without a caption (first: a.parquet:6)",
    ]
    assert db.trials().collect()["source"].to_list() == ["a.parquet:1"]
    assert db.images().collect().height == 2 * 3 + 1
    assert db.captions().collect()["source"].sort().to_list() == [
        f"a.parquet:{i}" for i in (1, 3, 8)
    ]


def test_images_too_alike_are_left_out_when_asked(
    choice: Choice, write_choices: Write, tmp_path: Path
) -> None:
    rows = [choice(i, are_different=i % 3 != 0) for i in range(ROWS)]
    file = write_choices(tmp_path / "a.parquet", rows)
    assert added(file, tmp_path / "all").trials().collect().height == ROWS
    db, said = told(file, tmp_path / "different", min_different=1)
    assert db.trials().collect().height == 6
    assert db.images().collect().height == 12
    assert said == [
        "left out 3 rows whose are_different is below what was asked for (first: a.parquet:1)"
    ]
    scored = [choice(i, are_different=i / 10) for i in range(ROWS)]
    file = write_choices(tmp_path / "b.parquet", scored, {"are_different": pa.float64()})
    db, _ = told(file, tmp_path / "scored", min_different=0.5)
    assert db.trials().collect().height == 4


def test_a_limit_is_of_rows(
    choice: Choice, write_choices: Write, everything: Everything, tmp_path: Path
) -> None:
    file = write_choices(tmp_path / "a.parquet", [choice(i) for i in range(ROWS)])
    db = added(file, tmp_path / "study", limit=4)
    assert sorted(db.trials().collect()["source"]) == [f"a.parquet:{i}" for i in (1, 2, 3, 4)]
    again = added(file, tmp_path / "study", limit=ROWS)  # more of it later, over what is there
    assert everything(again) == everything(added(file, tmp_path / "whole"))


@pytest.mark.parametrize("rows_a_batch", [1, 5, 17])
def test_the_store_is_the_same_however_the_stream_is_cut(
    rows_a_batch: int,
    choice: Choice,
    write_choices: Write,
    everything: Everything,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = write_choices(tmp_path / "a.parquet", [choice(i) for i in range(ROWS)])
    whole = everything(added(file, tmp_path / "whole"))
    monkeypatch.setattr(streams, "ROWS_A_BATCH", rows_a_batch)
    assert sum(1 for _ in pickapic(file)) > 2
    assert everything(added(file, tmp_path / "cut")) == whole


def test_bytes_end_a_batch_too(
    choice: Choice, write_choices: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [choice(i) for i in range(ROWS)]
    file = write_choices(tmp_path / "a.parquet", rows)
    most = 3 * len(rows[0]["jpg_0"])
    monkeypatch.setattr(streams, "BYTES_A_BATCH", most)
    sizes = [sum(map(len, batch.contents.values())) for batch in pickapic(file)]
    largest = max(len(row["jpg_0"]) + len(row["jpg_1"]) for row in rows)
    assert len(sizes) > 3
    assert max(sizes) < most + largest


def test_ids_do_not_depend_on_the_order_of_the_rows(
    choice: Choice, write_choices: Write, tmp_path: Path
) -> None:
    rows = [choice(i) for i in range(ROWS)]
    one = added(write_choices(tmp_path / "a.parquet", rows), tmp_path / "one")
    random.Random(3).shuffle(rows)  # noqa: S311 - an order
    two = added(write_choices(tmp_path / "b.parquet", rows), tmp_path / "two")
    for name in ("images", "captions", "trials"):
        held = [db.read(name).drop("source").collect() for db in (one, two)]
        identity = held[0].columns[0]
        assert held[0].sort(identity).equals(held[1].sort(identity))
