"""From a file to the store: adding again changes nothing, and a mistake adds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vdb
from cli.add import app
from ingest.datasets import ADAPTERS, manifest
from vdb import items
from vdb.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from vdb.database import Database
    from vdb.items import Added


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return vdb.open(tmp_path / "study", create=True)


def add(db: Database, file: Path, prefix: str = "") -> Added:
    total = items.Added()
    for batch in manifest(file, prefix=prefix):
        total += items.add(db, batch.tables())
    return total


def write(folder: Path, name: str, text: str) -> Path:
    for image in ("a.jpg", "b.jpg"):
        (folder / image).write_bytes(image.encode())
    (folder / name).write_text(text)
    return folder / name


def test_the_adapters_are_called_as_the_command_line_calls_them() -> None:
    commands = {
        one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands
    }
    assert set(ADAPTERS) == commands


def test_adding_again_changes_nothing(db: Database, tmp_path: Path) -> None:
    header = "image_path,caption,concept_id"
    lines = ["a.jpg,It's <b>,cup", "a.jpg,Two.,cup", "b.jpg,Two.,dog"]
    file = write(tmp_path, "m.csv", "\n".join([header, *lines]))
    first = add(db, file)
    assert first.added == {"concepts": 2, "images": 2, "captions": 3, "pairs": 3}
    file.write_text("\n".join([header, *reversed(lines)]))
    again = add(db, file)
    assert set(again.added.values()) == {0}
    assert again.unchanged == first.added
    assert db.captions().collect().height == 3
    assert add(db, file, prefix="p/").added == {
        "images": 2,
        "captions": 3,
        "pairs": 3,
        "concepts": 0,
    }


def test_an_id_for_another_thing_names_both_files_and_lines(db: Database, tmp_path: Path) -> None:
    add(db, write(tmp_path, "one.csv", "caption_id,caption\nx,One.\ny,Two.\n"))
    other = write(tmp_path, "other.csv", "caption_id,caption\nz,New.\ny,Else.\n")
    with pytest.raises(InputError, match=r"other\.csv:3.*one\.csv:3"):
        add(db, other)
    assert db.captions().collect()["caption_id"].sort().to_list() == ["x", "y"]


def test_captions_can_come_after_their_images(db: Database, tmp_path: Path) -> None:
    later = write(tmp_path, "later.csv", "image_id,caption\na.jpg,Of a.\n")
    with pytest.raises(InputError, match=r"later\.csv:2.*'a\.jpg'"):
        add(db, later)
    assert not db.captions().collect().height
    add(db, write(tmp_path, "images.csv", "image_path\na.jpg\n"))
    assert add(db, later).added == {"captions": 1, "pairs": 1}


def test_a_mistake_on_the_last_line_adds_nothing(db: Database, tmp_path: Path) -> None:
    file = write(tmp_path, "m.csv", "image_path,caption\na.jpg,One.\nb.jpg,\n")
    with pytest.raises(InputError, match=r"m\.csv:3"):
        add(db, file)
    assert not db.images().collect().height
