"""Manifests: each mistake is refused with the file and the line it is on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from ingest.datasets import Batch, manifest
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]


def write(folder: Path, rows: list[Row]) -> Path:
    file = folder / "items.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return file


def read(file: Path) -> Batch:
    (batch,) = manifest(file)
    return batch


def refused(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of two images."""
    place = tmp_path / "data"
    (place / "img").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        (place / "img" / name).write_bytes(name.encode())
    return place


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("caption,n\nOne.,1\nTwo.,2,3\n", 3, "3 fields where the header has 2"),
        ("caption,n\nOne.,1\nTwo.\n", 3, "1 fields where the header has 2"),
        ('caption,n\n"One\nand",1\n\nTwo.\n', 5, "1 fields"),
        ('caption,n\nOne.,1\n"Two.,2\nThree.,3\n', 3, "malformed CSV"),
        ('caption,n\n"One" more,1\n', 2, "malformed CSV"),
        ("caption,n\nOne.,1\n,2\n", 3, "the caption is empty"),
        ('caption,n\n"a\nb",1\n" \t",2\n', 4, "the caption is empty"),
        ("caption,caption\nOne.,1\n", 1, "two columns are called 'caption'"),
        ("", 1, "no header"),
        ("n,m\n1,2\n", 1, "no column image_path"),
        ("caption,caption_id\nOne.,\n", 2, "an empty id"),
        ("caption,caption_id\nOne.,a\x07b\n", 2, "control character"),
        (f"caption,caption_id\nOne.,{'x' * 513}\n", 2, "513 characters"),
        ("caption,image_id\nOne.,a\x00\n", 2, "control character"),
        ("image_path\nimg/a.jpg\nimg/gone.jpg\n", 3, "No such file"),
        ("image_path,n\nimg/a.jpg,1\n,2\n", 3, "the image_path is empty"),
        ("image_path\n../items.csv\n", 2, "outside"),
        ("image_path\nimg/../../items.csv\n", 2, "outside"),
        ("image_path\n/etc/passwd\n", 2, "outside"),
        ("image_path\nhttps://example.org/a.jpg\n", 2, "is a URI"),
        ("image_path\nfile:///etc/passwd\n", 2, "is a URI"),
        ("image_path\nimg/a\x00.jpg\n", 2, "control character"),
        ("image_path\nimg\n", 2, "not a regular file"),
    ],
)
def test_a_mistake_in_csv_names_its_line(
    folder: Path, text: str, line: int, complaint: str
) -> None:
    file = folder / "items.csv"
    file.write_bytes(text.encode())
    message = refused(file)
    assert message.startswith(f"items.csv:{line}: ")
    assert complaint in message


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ('{"caption": "x"', "malformed JSON"),
        ("{'caption': 'x'}", "malformed JSON"),
        ('{"caption": "x"} {"caption": "y"}', "malformed JSON"),
        ("[1, 2]", "an array; each line must be a JSON object"),
        ('"x"', "text; each line must be a JSON object"),
        ('{"caption": 3}', "caption is a whole number; caption must be text"),
        ('{"caption": ["x"]}', "caption is an array"),
        ('{"caption": ""}', "the caption is empty"),
        ('{"caption": "\\ud83d"}', "half a character"),
        ('{"caption": "x", "caption_id": 1.5}', "caption_id is a number with a fraction"),
        ('{"caption": "x", "caption_id": true}', "caption_id is a boolean"),
        ('{"caption": "x", "caption_id": ""}', "an empty id"),
        ('{"caption": "x", "concept_id": ""}', "an empty id"),
        ('{"caption": "x", "caption_id": "a\\u0000"}', "control character"),
        ('{"caption_id": "7"}', "neither an image_path nor a caption"),
        ('{"image_path": "img/a.jpg", "caption_id": "7"}', "a caption_id but no caption"),
        ("{}", "neither"),
    ],
)
def test_a_mistake_in_json_lines_names_its_line(folder: Path, bad: str, complaint: str) -> None:
    file = folder / "items.jsonl"
    file.write_text(f'{{"caption": "fine"}}\n\n{bad}\n{{"caption": "fine again"}}\n')
    message = refused(file)
    assert message.startswith("items.jsonl:3: ")
    assert complaint in message


def test_what_is_not_utf8_names_its_line(folder: Path) -> None:
    for name in ("items.csv", "items.jsonl"):
        (folder / name).write_bytes(b'caption,n\n"a caf\xe9",1\n')
        assert refused(folder / name).startswith(f"{name}:2: not UTF-8")


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        ({"caption": [1.5]}, "column caption is Float64; caption must be text"),
        ({"caption": [b"x"]}, "column caption is Binary"),
        ({"caption": [["x"]]}, "column caption is List"),
        ({"caption": ["x"], "caption_id": [0.5]}, "column caption_id is Float64"),
    ],
)
def test_wrong_types_in_parquet_name_the_column(
    folder: Path, column: dict[str, list[Any]], complaint: str
) -> None:
    pl.DataFrame(column).write_parquet(folder / "items.parquet")
    message = refused(folder / "items.parquet")
    assert message.startswith("items.parquet: ")
    assert complaint in message


def test_empty_parquet_captions_name_their_row(folder: Path) -> None:
    pl.DataFrame({"caption": ["x", " "]}).write_parquet(folder / "items.parquet")
    assert refused(folder / "items.parquet").startswith("items.parquet:2: the caption is empty")


def test_what_is_no_manifest_is_said_to_be_none(folder: Path) -> None:
    (folder / "items.parquet").write_bytes(b"PAR1 but not really")
    assert "not readable as Parquet" in refused(folder / "items.parquet")
    (folder / "items.xlsx").write_bytes(b"")
    assert ".csv, .jsonl" in refused(folder / "items.xlsx")
    for suffix in ("csv", "jsonl", "parquet"):
        with pytest.raises(NotFoundError, match="there is no such file"):
            read(folder / f"gone.{suffix}")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_a_manifest_without_rows_is_refused(folder: Path, suffix: str) -> None:
    file = folder / f"items.{suffix}"
    if suffix == "parquet":
        pl.DataFrame(schema={"caption": pl.String}).write_parquet(file)
    else:
        file.write_text("caption\n" if suffix in {"csv", "tsv"} else "\n")
    assert refused(file).startswith(file.name)


@pytest.mark.parametrize(
    ("second", "differ"),
    [
        ({"image_path": "img/b.jpg", "image_id": "A"}, "sha256"),
        ({"image_path": "img/a.jpg", "image_id": "A", "concept_id": "dog"}, "concept_id"),
        ({"caption": "Other.", "caption_id": "C"}, "caption"),
        ({"caption": "One.", "caption_id": "C", "concept_id": "dog"}, "concept_id"),
    ],
)
def test_one_id_for_two_things_names_both_lines(folder: Path, second: Row, differ: str) -> None:
    first = {
        "image_path": "img/a.jpg",
        "image_id": "A",
        "caption": "One.",
        "caption_id": "C",
        "concept_id": "cup",
    }
    between = {"caption": "Between."}
    message = refused(write(folder, [first, between, second]))
    assert "items.jsonl:1 and items.jsonl:3" in message
    assert f"differ in {differ};" in message


def test_missing_images_are_counted(folder: Path) -> None:
    rows = [{"image_path": f"img/{n}.jpg"} for n in ("a", "no", "b", "nope")]
    assert "img/no.jpg: No such file or directory (2 of 4" in refused(write(folder, rows))


def test_links_may_not_leave_the_folder(folder: Path) -> None:
    (folder.parent / "out").mkdir()
    (folder.parent / "out" / "x.jpg").write_bytes(b"x")
    (folder / "img" / "link.jpg").symlink_to(folder.parent / "out" / "x.jpg")
    (folder / "linked").symlink_to(folder.parent / "out")
    (folder / "img" / "inner.jpg").symlink_to(folder / "img" / "a.jpg")
    for path in ("img/link.jpg", "linked/x.jpg"):
        message = refused(write(folder, [{"image_path": path}]))
        assert message.startswith("items.jsonl:1: ")
        assert "link that leaves" in message
    assert read(write(folder, [{"image_path": "img/inner.jpg"}])).images.height == 1
