"""Tables of trials: what a row becomes, in every format, form and direction."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vdb
from ingest.datasets import Batch, manifest, trials
from vdb import items
from vdb.errors import InputError

Row = dict[str, Any]

CHOICE: Row = {
    "query_text": "A dog.",
    "candidate_0_path": "a.jpg",
    "candidate_1_path": "sub/b.jpg",
    "label": 1,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("a.jpg", "sub/b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def read(folder: Path, *rows: Row, **options: Any) -> Batch:
    file = folder / "t.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (batch,) = trials(file, **options)
    return batch


def test_a_text_and_two_images(folder: Path) -> None:
    batch = read(folder, CHOICE, name="mine")
    (row,) = batch.trials.to_dicts()
    assert row["direction"] == "text-to-image"
    assert (row["candidate_0"], row["candidate_1"]) == ("a.jpg", "sub/b.jpg")
    assert batch.captions.select("caption_id", "text").row(0) == (row["query_id"], "A dog.")
    assert batch.images["uri"].to_list() == [str(folder / "a.jpg"), str(folder / "sub/b.jpg")]
    assert (row["label"], row["weight"], row["gap"], row["judge"]) == (1.0, 1.0, None, None)
    assert (row["dataset"], row["source"]) == ("mine", "t.jsonl:1")
    assert not batch.pairs.height


def test_an_image_and_two_texts(folder: Path) -> None:
    choice = {
        "query_path": "a.jpg",
        "candidate_0_text": "A dog.",
        "candidate_1_text": "A cat.",
        "preferred": "tie",
        "weight": 2.5,
        "gap": 0,
        "judge": 7,
        "trial_id": "it's <b>",
    }
    batch = read(folder, choice, prefix="p/")
    (row,) = batch.trials.to_dicts()
    texts = dict(batch.captions.select("caption_id", "text").iter_rows())
    assert row["direction"] == "image-to-text"
    assert row["query_id"] == "p/a.jpg"
    assert [texts[row[f"candidate_{at}"]] for at in (0, 1)] == ["A dog.", "A cat."]
    assert (row["label"], row["weight"], row["gap"], row["judge"]) == (0.5, 2.5, 0.0, "7")
    assert row["trial_id"] == "p/it's <b>"
    assert all(caption.startswith("p/caption-") for caption in texts)


@pytest.mark.parametrize(
    ("said", "label"),
    [
        *[({"label": value}, 1.0) for value in (1, 1.0, "1", "1.0", True)],
        *[({"label": value}, 0.0) for value in (0, 0.0, "0", False)],
        *[({"label": value}, 0.5) for value in (0.5, "0.5")],
        *[({"preferred": value}, 1.0) for value in (0, "0", 0.0)],
        *[({"preferred": value}, 0.0) for value in (1, "1", "1.0")],
        ({"preferred": "tie"}, 0.5),
    ],
)
def test_label_and_preferred_say_the_same_in_opposite_numbers(
    folder: Path, said: Row, label: float
) -> None:
    choice = {key: value for key, value in CHOICE.items() if key != "label"}
    assert read(folder, choice | said).trials["label"].to_list() == [label]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "ndjson", "parquet"])
def test_every_format_reads_alike(folder: Path, suffix: str) -> None:
    rows = [CHOICE | {"weight": 0.25}, CHOICE | {"label": 0, "judge": "anna"}]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    file = folder / f"t.{suffix}"
    if suffix == "parquet":
        frame.write_parquet(file)
    elif suffix in {"csv", "tsv"}:
        frame.write_csv(file, separator="," if suffix == "csv" else "\t")
    else:
        frame.write_ndjson(file)
    (batch,) = trials(file)
    expected = read(folder, *rows).trials.drop("source", "dataset")
    assert batch.trials.drop("source", "dataset").equals(expected)
    first = 2 if suffix in {"csv", "tsv"} else 1
    assert batch.trials["source"].to_list() == [f"t.{suffix}:{first + at}" for at in (0, 1)]


def test_columns_can_be_called_otherwise(folder: Path) -> None:
    (folder / "t.csv").write_text("prompt,one,two,winner,site\nA dog.,a.jpg,sub/b.jpg,1,x\n")
    names = {
        "query_text": "prompt",
        "candidate_0_path": "one",
        "candidate_1_path": "two",
        "preferred": "winner",
    }
    (batch,) = trials(folder / "t.csv", mapping=names)
    assert batch.trials["label"].to_list() == [0.0]
    assert batch.notices == ("columns that were not used: site",)


def test_an_item_may_be_told_once_and_named_after(folder: Path) -> None:
    told = CHOICE | {"query_id": "q", "candidate_0_id": "x", "candidate_1_id": "y"}
    named = {"query_id": "q", "candidate_0_id": "y", "candidate_1_id": "x", "label": 0}
    for rows in ([told, named], [named, told]):  # ids alone: the other row tells what they are
        batch = read(folder, *rows)
        assert batch.trials["direction"].unique().to_list() == ["text-to-image"]
        assert batch.images["image_id"].sort().to_list() == ["x", "y"]
        assert batch.captions.select("caption_id", "text").rows() == [("q", "A dog.")]


@pytest.mark.parametrize("where", ["column", "option", "candidate"])
def test_stored_items_are_named_by_id(folder: Path, where: str) -> None:
    db = vdb.open(folder / "study", create=True)
    (folder / "m.csv").write_text("caption_id,caption\nyes,A dog.\nno,A cat.\n")
    (folder / "n.csv").write_text("image_path\na.jpg\n")
    for name in ("m.csv", "n.csv"):
        items.add(db, next(manifest(folder / name)).tables())
    row = {"query_id": "a.jpg", "candidate_0_id": "yes", "candidate_1_id": "no", "label": 1}
    options = {}
    if where == "column":
        row["direction"] = "image-to-text"
    elif where == "option":
        options["direction"] = "image-to-text"
    else:
        del row["candidate_1_id"]
        row["candidate_1_text"] = "A cup."
    added = items.add(db, read(folder, row, **options).tables()).added
    assert added["trials"] == 1
    assert added.get("captions", 0) == (where == "candidate")
    row["candidate_0_id"] = "gone"
    with pytest.raises(InputError, match=r"t\.jsonl:1: candidate_0 'gone' refers to no caption"):
        items.add(db, read(folder, row, **options).tables())
    assert db.read("trials").collect().height == 1


def test_the_same_judgement_again_is_another_trial(folder: Path) -> None:
    rows = [CHOICE, CHOICE | {"label": 0}, CHOICE, CHOICE | {"judge": "anna"}]
    ids = read(folder, *rows).trials["trial_id"]
    assert ids.n_unique() == 4
    assert set(read(folder, *rows[::-1]).trials["trial_id"]) == set(ids)


def test_the_same_judgement_in_another_data_set_is_another_trial(folder: Path) -> None:
    one, other = (read(folder, CHOICE, name=name) for name in ("a", "b"))
    assert one.trials["trial_id"][0] != other.trials["trial_id"][0]
    db = vdb.open(folder / "study", create=True)
    for batch in (one, other, one):
        items.add(db, batch.tables())
    assert db.trials().collect()["dataset"].sort().to_list() == ["a", "b"]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_scores_tell_what_was_preferred_and_by_how_much(folder: Path, suffix: str) -> None:
    members = {name: CHOICE[name] for name in CHOICE if name != "label"}
    scores: list[tuple[list[float], list[float]]] = [
        ([4, 4, 3], [1, 2]),
        ([1.5], [2, 2, 2]),
        ([2, 4], [3]),
    ]
    rows = [members | {"scores_0": a, "scores_1": b} for a, b in scores]
    said = [members | {"scores_0": [1.0], "scores_1": [3.0], "label": 1, "gap": 7}]
    if suffix == ".jsonl":
        batch = read(folder, *rows, *said)
    else:
        frame = pl.DataFrame(rows + said, schema_overrides={"scores_0": pl.List(pl.Float64)})
        if suffix == ".csv":
            frame = frame.with_columns(
                pl.col("scores_0", "scores_1").cast(pl.List(pl.String)).list.join(" ")
            )
        getattr(frame, f"write_{suffix[1:]}")(folder / f"t{suffix}")
        (batch,) = trials(folder / f"t{suffix}")
    assert batch.trials["scores_0"].to_list() == [[4, 4, 3], [1.5], [2, 4], [1]]
    assert batch.trials["label"].to_list() == [1.0, 0.0, 0.5, 1.0]
    assert batch.trials["gap"].to_list() == pytest.approx([11 / 3 - 1.5, 0.5, 0.0, 7.0])


def test_a_true_and_a_false_caption(folder: Path) -> None:
    rows = [
        {"image_path": "a.jpg", "caption": f"True {i}.", "false_caption": f"False {i % 5}."}
        for i in range(200)
    ]
    batch = read(folder, *rows)
    texts = dict(batch.captions.select("caption_id", "text").iter_rows())
    assert len(texts) == 205
    for row, trial in zip(rows, batch.trials.to_dicts(), strict=True):
        true, false = ("candidate_0", "candidate_1")[:: 1 if trial["label"] else -1]
        assert texts[trial[true]] == row["caption"]
        assert texts[trial[false]] == row["false_caption"]
        assert (trial["direction"], trial["query_id"]) == ("image-to-text", "a.jpg")
    assert abs(batch.trials["label"].sum() - 100) < 4 * 200**0.5 / 2  # four standard deviations
    assert batch.trials.equals(read(folder, *rows).trials)
    paired = [texts[caption] for caption in batch.pairs["caption_id"]]
    assert paired == [row["caption"] for row in rows]
    assert batch.pairs["image_id"].unique().to_list() == ["a.jpg"]


def test_a_true_caption_is_the_one_that_a_manifest_has_added(folder: Path) -> None:
    (folder / "m.csv").write_text("image_path,caption\na.jpg,A dog.\n")
    (listed,) = manifest(folder / "m.csv", prefix="p/")
    row = {"image_id": "a.jpg", "caption": "A dog.", "false_caption": "A cat."}
    batch = read(folder, row, prefix="p/")
    assert listed.captions["caption_id"][0] in batch.captions["caption_id"]
    assert batch.pairs.select("image_id", "caption_id").equals(
        listed.pairs.select("image_id", "caption_id")
    )
    given = row | {"caption_id": "t", "false_caption_id": "f"}
    assert set(read(folder, given).captions["caption_id"]) == {"t", "f"}


texts = st.text(min_size=1, max_size=8).filter(lambda text: text.strip())
ids = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(ids, texts, texts, texts, ids), min_size=1, max_size=5))
def test_hostile_texts_and_ids_are_read_as_they_are(
    rows: list[tuple[str, str, str, str, str]],
) -> None:
    with TemporaryDirectory() as place:
        folder = Path(place)
        choices = [
            {
                "trial_id": f"{at}{identity}",
                "query_path": "a.jpg",
                "query_id": "img",
                "candidate_0_text": one,
                "candidate_1_text": other + "~" if one == other else other,
                "label": at % 2,
                "judge": judge,
            }
            for at, (identity, one, other, _, judge) in enumerate(rows)
        ]
        (folder / "a.jpg").write_bytes(b"a")
        batch = read(folder, *choices)
        texts = dict(batch.captions.select("caption_id", "text").iter_rows())
        for choice, trial in zip(choices, batch.trials.to_dicts(), strict=True):
            assert trial["trial_id"] == choice["trial_id"]
            assert trial["judge"] == choice["judge"]
            assert texts[trial["candidate_0"]] == choice["candidate_0_text"]
            assert texts[trial["candidate_1"]] == choice["candidate_1_text"]


def test_hostile_texts_and_ids_are_stored_as_they_are(folder: Path) -> None:
    db = vdb.open(folder / "study", create=True)
    hostile = "'; DROP TABLE trials; -- \" | \\ <script> \N{PILE OF POO} \u202e"
    row = CHOICE | {"query_text": hostile, "trial_id": hostile, "judge": hostile}
    items.add(db, read(folder, row).tables())
    again = items.add(db, read(folder, row).tables())
    assert set(again.added.values()) == {0}
    (stored,) = db.read("trials").collect().to_dicts()
    assert (stored["trial_id"], stored["judge"]) == (hostile, hostile)
    assert db.captions().collect()["text"].to_list() == [hostile]
