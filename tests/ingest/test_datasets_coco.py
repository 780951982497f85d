"""COCO captions: what is read, and where each mistake is said to be."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.datasets import Batch, coco
from ingest.datasets.json_text import line_of_element
from vdb.errors import InputError, NotFoundError

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return {
        "info": {"images": [1, {"annotations": "]}"}]},  # must not be taken for the real ones
        "images": [
            {"id": 7, "file_name": "seven.jpg"},
            {"id": 8, "file_name": "sub/eight.jpg"},
            {"id": 9, "file_name": "nine.jpg"},
        ],
        "annotations": [
            {"id": 70, "image_id": 7, "caption": "A seven."},
            {"id": 71, "image_id": 7, "caption": "A seven."},
            {"id": 80, "image_id": 8, "caption": "An eight's <b>"},
        ],
    }


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for path in ("seven.jpg", "sub/eight.jpg", "nine.jpg"):
        (folder / path).write_bytes(path.encode())
    return folder


def read(document: Document | str | bytes, photos: Path, **options: str) -> Batch:
    file = photos.parent / "captions.json"
    if isinstance(document, dict):
        document = json.dumps(document, indent=1)
    file.write_bytes(document.encode() if isinstance(document, str) else document)
    (batch,) = coco(photos, file, **options)
    return batch


def refused(document: Document | str | bytes, photos: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(document, photos)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def line_of(document: Document, needle: str) -> int:
    """Find the line on which the object that holds ``needle`` begins, as an editor shows it."""
    lines = json.dumps(document, indent=1).split("\n")
    line = next(i for i, text in enumerate(lines) if needle in text)
    while lines[line] != "  {":
        line -= 1
    return line + 1


def test_ids_are_the_files_own(document: Document, photos: Path) -> None:
    batch = read(document, photos)
    assert batch.images["image_id"].to_list() == ["7", "8", "9"]  # 9 has no caption
    assert batch.captions["caption_id"].to_list() == ["70", "71", "80"]  # one text, two ids
    assert batch.pairs.select("image_id", "caption_id").rows() == [
        ("7", "70"),
        ("7", "71"),
        ("8", "80"),
    ]
    assert batch.captions["text"].to_list() == ["A seven.", "A seven.", "An eight's <b>"]
    assert batch.images["uri"][1] == str(photos / "sub/eight.jpg")
    assert batch.images["sha256"][1] == hashlib.sha256(b"sub/eight.jpg").hexdigest()
    assert batch.images["dataset"].unique().to_list() == ["coco"]
    assert batch.captions["source"][2] == "captions.json annotations[2]"
    assert not batch.concepts.height


def test_a_prefix_goes_before_images_and_captions(document: Document, photos: Path) -> None:
    batch = read(document, photos, prefix="val/", name="mine")
    assert batch.images["image_id"].to_list() == ["val/7", "val/8", "val/9"]
    assert batch.pairs.row(0)[:3] == ("val/7", "val/70", "mine")


def test_text_ids_are_kept(document: Document, photos: Path) -> None:
    document["images"][0]["id"] = "seven' OR 1=1 --"
    for index in (0, 1):
        document["annotations"][index]["image_id"] = "seven' OR 1=1 --"
    assert read(document, photos).images["image_id"][0] == "seven' OR 1=1 --"


@pytest.mark.parametrize("change", ["\ufeff{}", "{}\r\n"])
def test_byte_order_mark_and_crlf_do_not_matter(
    document: Document, photos: Path, change: str
) -> None:
    text = json.dumps(document, indent=1).replace("\n", "\r\n")
    assert read(change.format(text) if "{}" in change else text, photos).images.height == 3


def test_malformed_json_names_its_line(document: Document, photos: Path) -> None:
    text = json.dumps(document, indent=1)
    broken = text.replace('"image_id": 8,', '"image_id": 8')
    line = broken[: broken.index('"An eight')].count("\n") + 1
    assert refused(broken, photos).startswith(f"captions.json:{line}: malformed JSON")
    assert refused(text[: len(text) // 2], photos).startswith("captions.json:")
    assert "captions.json:1: malformed JSON" in refused("", photos)


def test_deep_nesting_and_endless_integers_are_refused(photos: Path) -> None:
    assert "cannot be data" in refused("[" * 200_000, photos)
    assert "cannot be data" in refused('{"images": ' + "9" * 10_000 + "}", photos)


def test_what_is_not_utf8_names_its_line(photos: Path) -> None:
    assert refused(b'{"images": [],\n"annotations": "caf\xe9"}', photos).startswith(
        "captions.json:2: not UTF-8"
    )


@pytest.mark.parametrize("text", ["[]", "3", '{"images": []}', '{"images": {}, "annotations": []}'])
def test_other_json_is_no_captions_file(photos: Path, text: str) -> None:
    assert "captions.json:1" in refused(text, photos)


@pytest.mark.parametrize(
    ("section", "field", "value", "complaint"),
    [
        ("annotations", "image_id", None, "is null; it must be a whole number or text"),
        ("annotations", "image_id", 8.0, "is a number with a fraction"),
        ("annotations", "image_id", True, "is a boolean"),
        ("annotations", "id", [80], "is an array"),
        ("annotations", "id", "", "an empty id"),
        ("annotations", "id", "a\0b", "control character"),
        ("annotations", "id", "x" * 513, "513 characters"),
        ("annotations", "caption", 5, "is a whole number; it must be text"),
        ("annotations", "caption", "", "the caption is empty"),
        ("annotations", "caption", " \n\u2003", "the caption is empty"),
        ("annotations", "caption", "\ud83d", "half a character"),
        ("annotations", "image_id", 99, "'99', which no entry of images has (1 annotations"),
        ("images", "id", {}, "is an object"),
        ("images", "file_name", 1, "is a whole number"),
        ("images", "file_name", "../captions.json", "lies outside"),
        ("images", "file_name", "/etc/passwd", "lies outside"),
        ("images", "file_name", "http://example.org/8.jpg", "is a URI"),
        ("images", "file_name", "e\0.jpg", "NUL"),
        ("images", "file_name", "", "names no file"),
    ],
)
def test_a_wrong_value_names_entry_field_and_line(
    document: Document, photos: Path, section: str, field: str, value: object, complaint: str
) -> None:
    index = 2 if section == "annotations" else 1
    document[section][index][field] = value
    document[section][index]["mark"] = "HERE"
    message = refused(document, photos)
    line = line_of(document, '"HERE"')
    assert message.startswith(f"captions.json:{line}: {section}[{index}].{field}")
    assert complaint in message


@pytest.mark.parametrize("field", ["id", "image_id", "caption"])
def test_a_missing_field_names_entry_and_line(document: Document, photos: Path, field: str) -> None:
    document["annotations"][1]["mark"] = "HERE"
    del document["annotations"][1][field]
    line = line_of(document, '"HERE"')
    assert f"captions.json:{line}: annotations[1].{field} is missing" in refused(document, photos)


def test_an_entry_that_is_no_object_is_named(document: Document, photos: Path) -> None:
    document["annotations"][1] = "caption"
    assert "annotations[1] is text; it must be an object" in refused(document, photos)


def test_the_same_entry_twice_is_one_item(document: Document, photos: Path) -> None:
    document["images"].append(copy.deepcopy(document["images"][0]))
    document["annotations"].append(copy.deepcopy(document["annotations"][0]))
    batch = read(document, photos)
    assert (batch.images.height, batch.captions.height, batch.pairs.height) == (3, 3, 3)


@pytest.mark.parametrize(
    ("section", "change", "places"),
    [
        ("images", {"file_name": "nine.jpg"}, ("images[0]", "images[3]", "sha256")),
        ("annotations", {"caption": "else"}, ("annotations[0]", "annotations[3]", "text")),
        ("annotations", {"image_id": 8}, ("annotations[0]", "annotations[3]", "image_id")),
        ("annotations", {"id": "70", "caption": "else"}, ("annotations[0]", "annotations[3]")),
    ],
)
def test_one_id_for_two_things_names_both_places(
    document: Document, photos: Path, section: str, change: Document, places: tuple[str, ...]
) -> None:
    document[section].append({**document[section][0], **change})
    message = refused(document, photos)
    assert all(place in message for place in places)


def test_missing_photos_are_counted_and_the_first_named(document: Document, photos: Path) -> None:
    (photos / "nine.jpg").unlink()
    (photos / "sub/eight.jpg").unlink()
    message = refused(document, photos)
    assert "images[1]" in message
    assert "(image '8')" in message
    assert "sub/eight.jpg: No such file" in message
    assert "2 of 3" in message


def test_a_link_out_of_the_folder_is_refused(document: Document, photos: Path) -> None:
    (photos.parent / "secret").write_bytes(b"secret")
    (photos / "nine.jpg").unlink()
    (photos / "nine.jpg").symlink_to(photos.parent / "secret")
    assert "link that leaves" in refused(document, photos)


def test_a_missing_file_or_folder_is_named(document: Document, photos: Path) -> None:
    with pytest.raises(NotFoundError, match=r"gone\.json: there is no such file"):
        next(coco(photos, photos / "gone.json"))
    file = photos.parent / "captions.json"
    file.write_text(json.dumps(document))
    with pytest.raises(NotFoundError, match="gone is not a folder"):
        next(coco(photos / "gone", file))


@settings(deadline=None)
@given(
    st.dictionaries(st.text(), st.recursive(st.integers() | st.text(), st.lists), max_size=4),
    st.lists(st.integers() | st.text() | st.lists(st.integers()), min_size=1, max_size=6),
    st.data(),
)
def test_the_line_of_an_element_is_where_it_begins(
    others: dict[str, Any], elements: list[Any], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(elements) - 1))
    indent = data.draw(st.sampled_from([None, 0, 2]))
    document = {**others, "wanted": [*elements[:index], "@HERE@", *elements[index:]]}
    text = json.dumps(document, indent=indent)
    line = text[: text.rindex('"@HERE@"')].count("\n") + 1
    assert line_of_element(text, "wanted", index) == line


@pytest.mark.real
def test_the_300_real_photos_and_their_1501_captions() -> None:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    folder = Path(os.environ["VDB_REAL_DATA"]) / "coco"
    (batch,) = coco(folder / "images", folder / "captions_300.json")
    assert batch.images["image_id"].n_unique() == 300
    assert batch.captions["caption_id"].n_unique() == 1501
    assert batch.pairs.height == 1501
    assert batch.pairs["image_id"].n_unique() == 300
    assert batch.images["sha256"].n_unique() == 300
