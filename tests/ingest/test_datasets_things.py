"""THINGS in both of its layouts, of drawn photos: ids, words, what is not there, and every mistake."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

import vdb
from ingest.add import add_dataset
from ingest.datasets import Batch, things
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

CONCEPTS = {"aardvark": "aardvark", "bat1": "bat", "bat2": "bat", "ice_cream": "ice cream"}
PHOTOS = [
    "aardvark/aardvark_01b.jpg",
    "aardvark/aardvark_02s.jpg",
    "bat1/bat1_01b.jpg",
    "bat2/bat2_01b.jpg",
    "ice_cream/ice_cream_01b.jpg",
]
INDEX = [1, 1, 2, 3, 4]


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())


def lists(concepts: Path, images: Path, ending: str, folder: str) -> None:
    for file, rows in (
        (concepts / "unique_id.csv", list(CONCEPTS)),
        (concepts / "wordnet_id.csv", [f"{one}.n.01" for one in CONCEPTS]),
        (concepts / "image_concept_index.csv", [str(i) for i in INDEX]),
        (images / "image_paths.csv", [folder + path for path in PHOTOS]),
    ):
        put(file, "".join(row + ending for row in rows))


def main_layout(home: Path) -> Path:
    lists(home / "Variables", home / "Variables", "\n", "images/")
    rows = [f'{word}\t{one}\tThe "best {word}' for one, word in reversed(CONCEPTS.items())]
    put(home / "Main/things_concepts.tsv", "\n".join(["Word\tuniqueID\tDefinition", *rows]))
    for path in PHOTOS:
        put(home / "Main/images" / path, path)
    return home


def metadata_layout(home: Path) -> Path:
    metadata = home / "THINGS/Metadata"
    lists(metadata / "Concept-specific", metadata / "Image-specific", "\r\n", "./images/")
    for path in PHOTOS:
        put(home / "THINGS/Images" / path, path)
    return home


LAYOUTS = {"main": main_layout, "metadata": metadata_layout}


@pytest.fixture(params=sorted(LAYOUTS))
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return LAYOUTS[request.param](tmp_path / "osf")


def read(directory: Path, **options: Any) -> Batch:
    (batch,) = things(directory, **options)
    return batch


def refused(directory: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def list_of(home: Path, name: str) -> Path:
    [file] = home.rglob(name)
    return file


def test_both_layouts_come_to_the_same_items(home: Path) -> None:
    batch = read(home)
    assert dict(batch.concepts.select("concept_id", "name").rows()) == CONCEPTS
    names = list(CONCEPTS)
    assert batch.images.select("image_id", "concept_id", "sha256").rows() == [
        (path, names[i - 1], hashlib.sha256(path.encode()).hexdigest())
        for path, i in zip(PHOTOS, INDEX, strict=True)
    ]
    assert batch.images["source"][3] == "image_paths.csv:4"
    assert batch.concepts["source"][1] == "unique_id.csv:2"
    assert set(batch.images["dataset"]) == {"things"}
    assert batch.notices == ()
    for uri, path in batch.images.select("uri", "image_id").rows():
        assert uri.endswith(f"mages/{path}")


def test_it_goes_into_a_store(home: Path, tmp_path: Path) -> None:
    db, added = add_dataset(str(tmp_path / "study"), things(home, prefix="t/"), lambda _: None)
    assert added.added["images"] == 5
    assert db.images().collect()["image_id"].sort().to_list() == sorted(f"t/{p}" for p in PHOTOS)
    assert set(db.read("concepts").collect()["concept_id"]) == set(CONCEPTS)
    assert vdb.open(tmp_path / "study").images().collect().height == 5


def test_photos_elsewhere_under_another_name(home: Path, tmp_path: Path) -> None:
    [photos] = [p for p in home.rglob("*") if p.is_dir() and p.name.lower() == "images"]
    photos.rename(tmp_path / "object_images")
    with pytest.raises(NotFoundError, match="has no folder of photos"):
        read(home)
    assert read(home, images=tmp_path / "object_images").images.height == 5
    parent = list_of(home, "unique_id.csv").parents[
        2 if "Metadata" in str(list_of(home, "unique_id.csv")) else 1
    ]
    (tmp_path / "object_images").rename(parent / "object_images")
    assert read(home).images.height == 5


@pytest.mark.parametrize("name", ["unique_id.csv", "image_concept_index.csv", "image_paths.csv"])
def test_a_list_may_lie_in_either_folder_of_the_metadata(name: str, tmp_path: Path) -> None:
    home = metadata_layout(tmp_path / "osf")
    expected = read(home)
    file = list_of(home, name)
    folders = {"Concept-specific", "Image-specific"}
    [other] = folders - {file.parent.name}
    file.rename(file.parent.parent / other / name)
    batch = read(home)
    assert batch.images.equals(expected.images)
    assert batch.concepts.equals(expected.concepts)


def test_a_part_of_the_photos_is_taken_and_the_rest_is_told(home: Path) -> None:
    for name in ("aardvark_02s.jpg", "bat1_01b.jpg"):
        list_of(home, name).unlink()
    batch = read(home)
    assert batch.images["image_id"].to_list() == [PHOTOS[0], PHOTOS[3], PHOTOS[4]]
    assert batch.images["concept_id"].to_list() == ["aardvark", "bat2", "ice_cream"]
    assert batch.concepts["concept_id"].to_list() == ["aardvark", "bat2", "ice_cream"]
    [told] = batch.notices
    assert told == (
        "left out 2 of the 5 photos, aardvark/aardvark_02s.jpg first: they are not there; "
        "of 1 concepts there is none, bat1 first"
    )
    for photo in home.rglob("*.jpg"):
        photo.unlink()
    assert "none of the 5 photos" in refused(home)


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("image_concept_index.csv", "1\n1\n2\n3\n", "has 4 rows and image_paths.csv 5"),
        ("image_concept_index.csv", "1\n1\n2\n3\n5\n", "csv:5: '5' is not the number of a concept"),
        ("image_concept_index.csv", "0\n1\n2\n3\n4\n", "csv:1: '0' is not the number of a concept"),
        ("image_concept_index.csv", "1\n1.0\n2\n3\n4\n", "csv:2: '1.0' is not the number"),
        ("image_concept_index.csv", "1\n1\n\n2\n3\n4\n", "csv:3: 0 cells"),
        ("unique_id.csv", "aardvark\nbat1\nbat1\nice_cream\n", "'bat1' stands on lines 2 and 3"),
        ("unique_id.csv", "", "unique_id.csv: no rows"),
        ("unique_id.csv", "a,b\n", "unique_id.csv:1: 2 cells"),
        ("unique_id.csv", "caf\xe9\n", "unique_id.csv:1: not UTF-8"),
        ("image_paths.csv", "a\nb\nc\n../../../x.jpg\nd\n", "image_paths.csv:4: "),
        ("image_paths.csv", "a\nb\nc\n/etc/passwd\nd\n", "outside"),
        ("image_paths.csv", "a\nb\na\nd\ne\n", "'a' stands on lines 1 and 3"),
    ],
)
def test_a_mistake_names_its_file_and_line(
    home: Path, file: str, text: str, complaint: str
) -> None:
    list_of(home, file).write_bytes(text.encode("latin-1"))
    assert complaint in refused(home)


def test_a_concept_without_a_word_is_named(tmp_path: Path) -> None:
    home = main_layout(tmp_path)
    table = home / "Main/things_concepts.tsv"
    table.write_text("Word\tuniqueID\naardvark\taardvark\n")
    assert "unique_id.csv:2: things_concepts.tsv has no word for 'bat1'" in refused(home)
    table.write_text("")
    with pytest.raises(NotFoundError, match="no column 'word'"):
        read(home)
    table.write_text("Term\tuniqueID\naardvark\taardvark\n")
    with pytest.raises(NotFoundError, match=r"no column 'word' in things_concepts\.tsv"):
        read(home)


def test_what_is_not_things_is_said_not_to_be(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="holds neither Variables nor Metadata"):
        read(tmp_path)
    with pytest.raises(NotFoundError, match="is not a folder"):
        read(tmp_path / "gone")
    (tmp_path / "Variables").mkdir()
    (tmp_path / "images").mkdir()
    with pytest.raises(NotFoundError, match=r"unique_id\.csv: there is no such file"):
        read(tmp_path)
