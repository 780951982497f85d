"""Every kind of data set with its files spoiled: one line that names the file, and a store that is as it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vdb

if TYPE_CHECKING:
    from collections.abc import Callable

    Spoil = Callable[[bytes], bytes]

KINDS = (
    "coco",
    "flickr8k",
    "manifest-csv",
    "manifest-tsv",
    "manifest-jsonl",
    "manifest-parquet",
    "trials-csv",
    "trials-jsonl",
    "trials-parquet",
    "things-main",
    "things-metadata",
    "concepts",
    "webdataset",
    "webdataset-gz",
    "hf",
    "pickapic",
)
TEXT = (".json", ".jsonl", ".csv", ".tsv", ".txt")

SPOILS: dict[str, Spoil] = {
    "empty": lambda _: b"",
    "a web page": lambda _: b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n",
    "zeros": lambda data: bytes(len(data)),
    "UTF-16": lambda data: data.decode("latin-1").encode("utf-16"),
    "cut short": lambda data: data[: len(data) * 2 // 3 + 1],
    "a byte of no character": lambda data: data[:-20] + b"\xff" + data[-20:],
}
"""What becomes of files on their way. A list that was cut at the end of a line cannot be told from a whole one."""


def test_these_are_all_kinds(small: Any) -> None:
    assert tuple(small.SMALL) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_unspoiled_it_goes_in_and_again_changes_nothing(
    kind: str, small: Any, adding: Any, tmp_path: Path
) -> None:
    made = small.SMALL[kind](tmp_path)
    adding.add(tmp_path / "store", made.arguments)
    first = adding.held(tmp_path / "store")
    assert len(first["images"]) >= 3
    adding.add(tmp_path / "store", made.arguments)
    assert adding.held(tmp_path / "store") == first


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_spoiled_file_is_named_and_nothing_is_added(
    kind: str, spoil: str, small: Any, adding: Any, tmp_path: Path
) -> None:
    made = small.SMALL[kind](tmp_path / "data")
    # One picture of masks stands for all.
    for file in [one for one in made.spoilable if one.suffix != ".png" or one.stem == "1"]:
        if spoil == "a byte of no character" and file.suffix not in TEXT:
            continue
        if spoil == "UTF-16" and file.suffix not in TEXT:
            continue
        whole = file.read_bytes()
        file.write_bytes(SPOILS[spoil](whole))
        message = adding.refused(tmp_path / file.name, made.arguments)
        # Of two lists that do not fit each other either may be named; `datasets` says the directory.
        named = (file.name, "split.txt", "concept_index.csv", "set: `datasets` cannot read it")
        assert any(name in message for name in named), (file, message)
        file.write_bytes(whole)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "webdataset"])
def test_byte_order_marks_and_windows_line_ends_make_no_difference(
    kind: str, small: Any, adding: Any, tmp_path: Path
) -> None:
    made = small.SMALL[kind](tmp_path / "data")
    adding.add(tmp_path / "plain", made.arguments)
    text = [file for file in made.spoilable if file.suffix in TEXT]
    for file in text:
        plain = file.read_bytes().replace(b"\r\n", b"\n")
        file.write_bytes(b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n"))
    adding.add(tmp_path / "windows", made.arguments)
    assert adding.held(tmp_path / "windows") == adding.held(tmp_path / "plain")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_or_folder_that_is_gone_is_named(
    kind: str, small: Any, adding: Any, tmp_path: Path
) -> None:
    made = small.SMALL[kind](tmp_path / "data")
    for at, one in enumerate(made.arguments):
        if not one.startswith(str(tmp_path)):
            continue
        gone = [*made.arguments]
        gone[at] = f"{one}-gone"
        assert f"{Path(one).name}-gone" in adding.refused(tmp_path / f"stores-{at}", gone)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a\nb", "\x1b[31mred", "x" * 600, "half a \udcff character"])
def test_a_data_set_cannot_be_called_what_no_id_can(
    kind: str, name: str, small: Any, adding: Any, tmp_path: Path
) -> None:
    made = small.SMALL[kind](tmp_path / "data")
    message = adding.refused(tmp_path / "stores", [*made.arguments, "--name", name])
    assert "cannot name a data set" in message or "not UTF-8" in message


@pytest.mark.parametrize(
    "name", ["../../x", "a|b", "<script>alert(1)</script>", "'; --", "\\", "😀"]
)
def test_a_data_set_may_be_called_anything_else(
    name: str, small: Any, adding: Any, tmp_path: Path
) -> None:
    made = small.SMALL["manifest-csv"](tmp_path / "data")
    before = adding.footprint(tmp_path)
    adding.add(tmp_path / "store", [*made.arguments, "--name", name])
    assert vdb.open(tmp_path / "store").datasets()["dataset"].to_list() == [name]
    assert {
        k: v for k, v in adding.footprint(tmp_path).items() if not k.startswith("store/")
    } == before
