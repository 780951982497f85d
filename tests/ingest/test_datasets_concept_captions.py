"""Captions for folders of concepts: of images, of concepts, and of what is not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.add import add_dataset
from ingest.datasets import Batch, concepts
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]
COLUMNS = ("image_path", "concept_id", "caption", "caption_id")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "things"
    for path in ("cup/a.jpg", "cup/b.jpg", "dog/a.jpg"):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(path.encode())
    return place


def write(folder: Path, suffix: str, rows: list[Row]) -> Path:
    file = folder / f"captions.{suffix}"
    full = pl.DataFrame(
        [{c: row.get(c) for c in COLUMNS} for row in rows], schema=dict.fromkeys(COLUMNS, pl.String)
    )
    if suffix == "csv":
        full.write_csv(file)
    elif suffix == "parquet":
        full.write_parquet(file)
    else:
        full.write_ndjson(file)
    return file


def read(directory: Path, captions: Path, **options: Any) -> Batch:
    (batch,) = concepts(directory, captions=captions, **options)
    return batch


ROWS = [
    {"image_path": "cup/a.jpg", "caption": "A cup."},
    {"image_path": "./cup//b.jpg", "concept_id": "cup", "caption": "A cup."},
    {"image_path": "dog\\a.jpg", "caption": "A dog.", "caption_id": "d"},
    {"concept_id": "cup", "caption": "A thing to drink from."},
    {"concept_id": "dog", "caption": "A cup."},
    {"concept_id": "cup", "caption": "A cup."},
]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_captions_of_images_are_paired_and_those_of_concepts_are_not(
    directory: Path, tmp_path: Path, suffix: str
) -> None:
    batch = read(directory, write(tmp_path, suffix, ROWS))
    assert batch.captions.select("text", "concept_id").rows() == [
        ("A cup.", "cup"),
        ("A cup.", "cup"),
        ("A dog.", "dog"),
        ("A thing to drink from.", "cup"),
        ("A cup.", "dog"),
        ("A cup.", "cup"),
    ]
    assert batch.captions["caption_id"].n_unique() == 6
    assert batch.captions["caption_id"][2] == "d"
    assert batch.pairs["image_id"].to_list() == ["cup/a.jpg", "cup/b.jpg", "dog/a.jpg"]
    assert batch.pairs["caption_id"].to_list() == batch.captions["caption_id"][:3].to_list()
    assert set(batch.captions["dataset"]) == {"things"}
    db, _ = add_dataset(str(tmp_path / "study"), iter([batch]), lambda _: None)
    assert db.captions().collect().height == 6


def test_mapped_columns_and_the_prefix(directory: Path, tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text("file,text,n,more\ndog/a.jpg,A dog.,7,x\n")
    mapping = {"image_path": "file", "caption": "text", "caption_id": "n"}
    batch = read(directory, file, mapping=mapping, prefix="t/")
    assert batch.pairs.select("image_id", "caption_id").rows() == [("t/dog/a.jpg", "t/7")]
    assert batch.notices == ("columns of c.csv that were not used: more",)
    with pytest.raises(NotFoundError, match="did you mean text"):
        read(directory, file, mapping={"caption": "txt"})


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"image_path": "cup/gone.jpg", "caption": "x"}, "'cup/gone.jpg' is no image of the data"),
        ({"image_path": "../x.jpg", "caption": "x"}, "outside"),
        ({"image_path": "cup/a.jpg", "concept_id": "dog", "caption": "x"}, "is of 'cup', not of"),
        ({"concept_id": "cat", "caption": "x"}, "there is no folder of images 'cat'"),
        ({"caption": "x"}, "neither an image_path nor a concept_id"),
        ({"concept_id": "cup"}, "no caption"),
        ({"concept_id": "cup", "caption": " "}, "the caption is empty"),
        ({"concept_id": "cup", "caption": "x", "caption_id": "\x07"}, "control character"),
        ({"concept_id": "cup", "caption": "other", "caption_id": "k"}, "differ in caption"),
    ],
)
def test_a_mistake_names_its_line(
    directory: Path, tmp_path: Path, row: Row, complaint: str
) -> None:
    rows = [{"concept_id": "cup", "caption": "x", "caption_id": "k"}, row]
    with pytest.raises(InputError) as caught:
        read(directory, write(tmp_path, "jsonl", rows))
    assert "captions.jsonl:2" in str(caught.value)
    assert complaint in str(caught.value)


def test_captions_of_nothing_are_refused(directory: Path, tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text(json.dumps({"caption": "x"}))
    with pytest.raises(InputError, match="no column image_path with caption and none concept_id"):
        read(directory, file)


@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
        min_size=1,
        max_size=4,
        unique=True,
    ),
    suffix=st.sampled_from(["csv", "jsonl", "parquet"]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_caption_comes_through_untouched(
    directory: Path, tmp_path: Path, texts: list[str], suffix: str
) -> None:
    rows = [{"image_path": "cup/a.jpg", "caption": text} for text in texts]
    batch = read(directory, write(tmp_path, suffix, rows))
    assert batch.captions["text"].to_list() == texts
    assert batch.pairs.height == len(texts)
