"""Hugging Face data sets: directories of every kind that the library opens, by columns."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from ingest.add import add_dataset
from ingest.datasets import hf, streams
from ingest.datasets.hf import load
from ingest.sources import Sources
from vdb.blobs import EMBEDDED
from vdb.errors import InputError, NotFoundError

datasets = pytest.importorskip("datasets")

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Jpeg = Callable[[int], bytes]


@pytest.fixture(autouse=True)
def _away_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()


@pytest.fixture
def rows(jpeg: Jpeg) -> Any:
    """Three rows of an image in bytes, a list of captions and a class."""
    features = datasets.Features(
        {
            "picture": datasets.Image(),
            "texts": datasets.List(datasets.Value("string")),
            "label": datasets.ClassLabel(names=["cat", "dog's <b>"]),
            "number": datasets.Value("int64"),
            "untouched": datasets.Value("float32"),
        }
    )
    return datasets.Dataset.from_dict(
        {
            "picture": [{"bytes": jpeg(i), "path": None} for i in range(3)],
            "texts": [["one", "two"], [], ["three"]],
            "label": [0, 1, 0],
            "number": [7, 8, 9],
            "untouched": [0.5, 0.5, 0.5],
        },
        features=features,
    )


MAP = {"image": "picture", "caption": "texts", "concept_id": "label", "image_id": "number"}


def told(
    source: object, store: Path, *, embed: bool = False, **options: Any
) -> tuple[Database, list[str]]:
    said: list[str] = []
    db, _ = add_dataset(str(store), hf(str(source), **options), said.append, embed=embed)
    return db, said


def images(db: Database) -> dict[str, bytes]:
    sources = Sources(db)
    held = db.images().select("image_id", "uri").collect()
    return {one: sources.read(uri) for one, uri in held.iter_rows()}


def refused(source: object, **options: Any) -> str:
    with pytest.raises((InputError, NotFoundError)) as caught:
        list(hf(str(source), **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def save(rows: Any, place: Path, kind: str) -> Path:
    if kind == "disk":
        rows.save_to_disk(place)
    elif kind == "disk of splits":
        datasets.DatasetDict({"train": rows}).save_to_disk(place)
    else:
        place.mkdir(parents=True)
        rows.to_parquet(place / "train.parquet")
    return place


@pytest.mark.parametrize("kind", ["disk", "disk of splits", "parquet"])
def test_columns_become_items(kind: str, rows: Any, jpeg: Jpeg, tmp_path: Path) -> None:
    place = save(rows, tmp_path / "pets", kind)
    db, said = told(place, tmp_path / "study", mapping=MAP)
    assert said == ["columns that were not used: untouched"]
    assert images(db) == {str(7 + i): jpeg(i) for i in range(3)}
    held = db.images().collect().sort("image_id")
    assert held["concept_id"].to_list() == ["cat", "dog's <b>", "cat"]
    assert held["source"].to_list() == [f"pets train[{i}]" for i in range(3)]
    assert all(uri.startswith(EMBEDDED) for uri in held["uri"])
    assert sorted(db.concepts().collect()["name"]) == ["cat", "dog's <b>"]
    joined = db.pairs().join(db.captions(), on="caption_id").collect()
    assert sorted(joined.select("image_id", "text", "concept_id").rows()) == [
        ("7", "one", "cat"),
        ("7", "two", "cat"),
        ("9", "three", "cat"),
    ]


def test_ids_are_made_of_content(rows: Any, jpeg: Jpeg, tmp_path: Path) -> None:
    place = save(datasets.concatenate_datasets([rows, rows]), tmp_path / "pets", "disk")
    db, _ = told(
        place, tmp_path / "study", mapping={"image": "picture", "caption": "texts"}, prefix="p/"
    )
    digests = [hashlib.sha256(jpeg(i)).hexdigest() for i in range(3)]
    assert set(images(db)) == {f"p/image-{one[:32]}" for one in digests}
    assert db.captions().collect().height == 3
    assert all(one.startswith("p/caption-") for one in db.captions().collect()["caption_id"])


def test_one_picture_of_two_classes_is_an_exemplar_of_each(jpeg: Jpeg, tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict({"image": [jpeg(0)] * 3, "concept_id": ["cat", "dog", "cat"]})
    db, _ = told(save(rows, tmp_path / "pets", "parquet"), tmp_path / "study")
    assert sorted(db.images().collect()["concept_id"]) == ["cat", "dog"]
    assert db.table("blobs").count_rows() == 1


def test_a_folder_of_images_stays_where_it_is(jpeg: Jpeg, tmp_path: Path) -> None:
    place = tmp_path / "folder"
    for i, name in enumerate(["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"]):
        (place / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "train" / name).write_bytes(jpeg(i))
    db, said = told(place, tmp_path / "study", mapping={"concept_id": "label"})
    assert said == []
    uris = db.images().collect().sort("uri")
    assert uris["uri"].to_list() == [
        str(place / "train" / n) for n in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg")
    ]
    assert uris["concept_id"].to_list() == ["cat", "cat", "dog"]
    embedded, _ = told(place, tmp_path / "embedded", embed=True)
    assert sorted(images(embedded).values()) == sorted(jpeg(i) for i in range(3))
    assert all(uri.startswith(EMBEDDED) for uri in embedded.images().collect()["uri"])


def test_a_folder_of_images_with_captions(jpeg: Jpeg, tmp_path: Path) -> None:
    place = tmp_path / "folder"
    place.mkdir()
    for i in range(2):
        (place / f"{i}.jpg").write_bytes(jpeg(i))
    lines = [{"file_name": f"{i}.jpg", "caption": f"text {i}"} for i in range(2)]
    (place / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    db, _ = told(place, tmp_path / "study")
    pairs = db.pairs().select("image_id", "caption_id")
    joined = pairs.join(db.images(), on="image_id").join(db.captions(), on="caption_id")
    assert sorted(joined.select("uri", "text").collect().rows()) == [
        (str(place / f"{i}.jpg"), f"text {i}") for i in range(2)
    ]


def test_text_alone_and_ids_of_captions(tmp_path: Path) -> None:
    place = tmp_path / "text"
    place.mkdir()
    (place / "train.jsonl").write_text(
        '{"caption": "one", "caption_id": "a"}\n{"caption": " ", "caption_id": "b"}\n'
        '{"caption": "one", "caption_id": "c"}\n'
    )
    db, said = told(place, tmp_path / "study")
    assert sorted(db.captions().select("caption_id", "text").collect().rows()) == [
        ("a", "one"),
        ("c", "one"),
    ]
    assert said == ["left out 1 captions that are blank (first: text train[1])"]


def test_a_row_without_an_image_keeps_its_captions(jpeg: Jpeg, tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict({"image": [jpeg(0), None], "caption": ["one", "two"]})
    db, said = told(save(rows, tmp_path / "x", "parquet"), tmp_path / "study")
    assert said == ["1 rows have no image; what captions they have are added (first: x train[1])"]
    assert sorted(db.captions().collect()["text"]) == ["one", "two"]
    assert db.pairs().collect().height == 1


def test_splits_and_limits(rows: Any, tmp_path: Path) -> None:
    place = tmp_path / "two"
    datasets.DatasetDict({"train": rows, "test": rows.select([1])}).save_to_disk(place)
    assert "several splits: train, test; choose one with --split" in refused(place, mapping=MAP)
    assert "no split 'tset'" in refused(place, mapping=MAP, split="tset")
    db, _ = told(place, tmp_path / "test", mapping=MAP, split="test")
    assert list(images(db)) == ["8"]
    db, _ = told(place, tmp_path / "study", mapping=MAP, split="train", limit=2)
    assert sorted(images(db)) == ["7", "8"]
    one = save(rows, tmp_path / "one", "disk")
    assert "no split 'test'" in refused(one, mapping=MAP, split="test")


def test_images_are_not_decoded(jpeg: Jpeg, tmp_path: Path) -> None:
    """What begins as an image does is stored byte for byte; whether it can be decoded is for ingest to find."""
    cut = jpeg(0)[:200]
    with pytest.raises(OSError, match="Truncated"):
        Image.open(io.BytesIO(cut)).load()
    rows = datasets.Dataset.from_dict(
        {"image": [{"bytes": cut, "path": None}]},
        features=datasets.Features({"image": datasets.Image()}),
    )
    db, _ = told(save(rows, tmp_path / "x", "parquet"), tmp_path / "study")
    assert list(images(db).values()) == [cut]


def test_the_store_is_the_same_however_the_stream_is_cut(
    rows: Any,
    everything: Callable[[Database], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = save(rows, tmp_path / "pets", "parquet")
    whole, _ = told(place, tmp_path / "whole", mapping=MAP)
    monkeypatch.setattr(streams, "ROWS_A_BATCH", 1)
    assert sum(1 for _ in hf(place, mapping=MAP)) == 4
    cut, _ = told(place, tmp_path / "cut", mapping=MAP)
    assert everything(cut) == everything(whole)


def test_without_the_extra_one_line_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(load, "import_module", lacking)
    assert refused(tmp_path) == (
        "reading Hugging Face data sets needs the package 'datasets': pip install 'vdb[hf]'"
    )
