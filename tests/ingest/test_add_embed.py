"""``vdb add --embed``: a store that holds its images itself."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

import vdb
from ingest import add as adding
from ingest.add import add_dataset
from ingest.datasets import coco, concepts, manifest
from ingest.datasets.base import Batch, image_frame
from ingest.encoders import Prepared
from ingest.pipeline.extract import ingest
from ingest.sources import Sources
from vdb import blobs
from vdb.blobs import EMBEDDED
from vdb.errors import InputError
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vdb.database import Database

NAMES = ("1.png", "2.png", "3.png")


class Mean:
    """The mean colour of an image."""

    recipe = Recipe(
        model="mean",
        library="test",
        source="test/mean",
        revision="1",
        weights="pretrained",
        modality="image",
        pooling="mean",
        dtype="float32",
        stored_dtype="float32",
        layers=(Layer("mean", 3, 0.0),),
    )

    def prepare(self, item: Any) -> Prepared:
        return Prepared(np.asarray(item, np.float32))

    def encode(self, batch: Sequence[Prepared]) -> np.ndarray:
        return np.stack([1 + one.data.mean((0, 1)) for one in batch]).astype(np.float32)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photos, the last one the same as the second."""
    folder = tmp_path / "photos" / "dog"
    folder.mkdir(parents=True)
    for name, value in zip(NAMES, (10, 20, 20), strict=True):
        Image.new("RGB", (8, 8), (value, 0, 0)).save(folder / name)
    return folder


def of_coco(photos: Path) -> Iterator[Batch]:
    content = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(NAMES)],
        "annotations": [{"id": i, "image_id": i, "caption": f"photo {i}"} for i in range(3)],
    }
    file = photos.parents[1] / "captions.json"
    file.write_text(json.dumps(content))
    return coco(photos, file)


def of_manifest(photos: Path) -> Iterator[Batch]:
    file = photos / "items.csv"
    file.write_text("\n".join(["image_path,caption", *(f"{name},a dog" for name in NAMES)]))
    return manifest(file)


def of_concepts(photos: Path) -> Iterator[Batch]:
    return concepts(photos.parent)


ADAPTERS = [of_coco, of_manifest, of_concepts]


def added(place: Path, batches: Iterator[Batch], *, embed: bool = True) -> Database:
    db, _ = add_dataset(str(place), batches, notice=lambda _: None, embed=embed)
    return db


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_embedded_store_needs_no_photo_and_no_place(
    adapter: Callable[[Path], Iterator[Batch]], photos: Path, tmp_path: Path
) -> None:
    contents = {hashlib.sha256((photos / name).read_bytes()).hexdigest() for name in NAMES}
    by_path = added(tmp_path / "by-path", adapter(photos), embed=False)
    ingest(by_path, Mean(), space="mean")
    ids, expected = by_path.space("mean").matrix()
    added(tmp_path / "study", adapter(photos))
    shutil.copytree(tmp_path / "study", tmp_path / "elsewhere" / "copy")
    shutil.rmtree(tmp_path / "study")
    shutil.rmtree(photos)
    db = vdb.open(tmp_path / "elsewhere" / "copy")
    images = db.images().collect()
    assert images.height == 3
    assert db.table("blobs").count_rows() == 2
    sources = Sources(db)
    for uri, sha256 in images.select("uri", "sha256").iter_rows():
        assert uri == EMBEDDED + sha256
        assert hashlib.sha256(sources.read(uri)).hexdigest() == sha256
    assert set(images["sha256"]) == contents
    assert str(tmp_path / "photos") not in str(images["uri"].to_list())
    ingest(db, Mean(), space="mean")
    assert db.failures().collect().is_empty()
    assert db.space("mean").matrix(ids=ids).values.tolist() == expected.tolist()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_embedding_again_changes_nothing_and_what_was_added_by_path_moves_in(
    adapter: Callable[[Path], Iterator[Batch]], photos: Path, tmp_path: Path
) -> None:
    place = tmp_path / "study"
    added(place, adapter(photos), embed=False)
    _, first = add_dataset(str(place), adapter(photos), notice=lambda _: None, embed=True)
    assert (first.embedded, first.moved, first.added["images"]) == (2, 3, 0)
    _, again = add_dataset(str(place), adapter(photos), notice=lambda _: None, embed=True)
    assert (again.embedded, again.moved, again.unchanged["images"]) == (0, 0, 3)
    _, by_path = add_dataset(str(place), adapter(photos), notice=lambda _: None)
    assert (by_path.embedded, by_path.moved) == (0, 0)
    assert vdb.open(place).images().collect()["uri"].str.starts_with(EMBEDDED).all()


def test_what_the_store_holds_is_not_read_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def reading(uri: str) -> bytes:
        read.append(Path(uri).name)
        return Path(uri).read_bytes()

    monkeypatch.setattr(adding, "read_bytes", reading)
    place = tmp_path / "study"
    added(place, of_manifest(photos))
    assert len(read) == 2  # of three images two are one content
    added(place, of_manifest(photos))
    added(place, of_coco(photos))
    assert len(read) == 2


def test_a_file_that_changes_between_hashing_and_embedding_adds_nothing(
    photos: Path, tmp_path: Path
) -> None:
    def changing() -> Iterator[Batch]:
        for batch in of_manifest(photos):
            (photos / "2.png").write_bytes(b"otherwise")
            yield batch

    with pytest.raises(InputError, match="changed while it was added"):
        added(tmp_path / "study", changing())
    db = vdb.open(tmp_path / "study", create=True)
    for table in ("images", "captions", "pairs", "blobs"):
        assert db.table(table).count_rows() == 0


def test_a_stream_embeds_in_pieces(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most one image is read ahead of the commits, whatever the number of images."""
    monkeypatch.setattr(blobs, "BYTES_A_COMMIT", 1)
    uncommitted: list[int] = []
    read = 0

    def stream() -> Iterator[Batch]:
        for i in range(4):
            file = photos / f"s{i}.bin"
            file.write_bytes(bytes([i]) * 10)
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            yield Batch(
                images=image_frame(
                    [f"s{i}"], uri=[str(file)], sha256=[digest], dataset="s", source="s"
                )
            )

    def reading(uri: str) -> bytes:
        nonlocal read
        uncommitted.append(read - vdb.open(tmp_path / "study").table("blobs").count_rows())
        read += 1
        return (photos / uri).read_bytes()

    monkeypatch.setattr(adding, "read_bytes", reading)
    db = added(tmp_path / "study", stream())
    assert uncommitted == [0, 0, 0, 0]
    assert db.images().collect().height == db.table("blobs").count_rows() == 4


def test_items_of_another_data_set_are_told_and_stay_its_own(photos: Path, tmp_path: Path) -> None:
    place = tmp_path / "study"
    db = added(place, of_coco(photos))
    own = db.images().collect()
    other = own.with_columns(dataset=pl.lit("other"), uri=pl.lit("/elsewhere"))
    more = Batch(
        images=other.select(image_frame([], uri=[], sha256=[], dataset="", source="").columns)
    )
    _, report = add_dataset(str(place), iter([more]), notice=lambda _: None)
    assert report.shared == {"images": {own["dataset"][0]: 3}}
    assert db.images().collect().sort("image_id").equals(own.sort("image_id"))
