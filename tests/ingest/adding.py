"""``vdb add`` as it is typed, and what is owed of it when it refuses."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
import typer

import vdb
from cli.add import app
from vdb import items
from vdb.errors import VdbError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.datasets import Batch
    from vdb.database import Database

add_command = typer.main.get_command(app)

ITEMS = (
    "concepts",
    "images",
    "captions",
    "pairs",
    "segments",
    "trials",
    "variants",
    "image_variants",
    "caption_variants",
)


def add(store: Path, arguments: Sequence[object]) -> list[str]:
    """Run ``vdb add`` on a store and return what it told; an error of vdb's own is raised."""
    told: list[str] = []
    with patch("cli.render.typer.echo", lambda message, **_: told.append(message)):
        add_command.main([*map(str, arguments), "--db", str(store)], standalone_mode=False)
    return told


def check(arguments: Sequence[object]) -> None:
    """Read a data set as ``vdb add`` would, and check its rows as an empty store would, without writing any."""
    places = ("photos", "manifest", "trials", "folders", "streams")
    with ExitStack() as stack:
        for place in places:
            stack.enter_context(patch(f"cli.add.{place}.add_batches", _check_batches))
        add_command.main([*map(str, arguments)], standalone_mode=False)


def _check_batches(_: str, batches: Iterator[Batch], *, embed: bool = False) -> None:
    assert not embed
    for batch in batches:
        items.check(_nothing(), batch.tables())


@cache
def _nothing() -> Database:
    return vdb.open(mkdtemp(), create=True)


def held(store: Path) -> dict[str, list[str]]:
    """Return every row of every table of items, in an order of their own, and what the store holds of images."""
    db = vdb.open(store)
    rows = {name: sorted(map(repr, db.read(name).collect().to_dicts())) for name in ITEMS}
    return {**rows, "blobs": sorted(db.read("blobs").collect()["sha256"])}


def footprint(store: Path) -> dict[str, str]:
    """Hash every file of a store; nothing where there is none."""
    return {
        str(file.relative_to(store)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(store.rglob("*"))
        if file.is_file()
    }


@cache
def _something() -> Path:
    """Make a store that holds something."""
    home = Path(mkdtemp())
    (home / "other.jsonl").write_text('{"caption": "Before."}')
    add(home / "some", ["manifest", home / "other.jsonl"])
    return home / "some"


def refused(stores: Path, arguments: Sequence[object]) -> str:
    """Add to no store, and to one that holds something; hold the error to what is owed of every one, and return it."""
    with pytest.raises(VdbError) as caught:
        add(stores / "none", arguments)
    assert not (stores / "none").exists()
    shutil.copytree(_something(), stores / "some")
    before = footprint(stores / "some")
    with pytest.raises(VdbError) as again:
        add(stores / "some", arguments)
    assert footprint(stores / "some") == before
    assert str(again.value) == str(caught.value)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 1000
    return message
