from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vdb import blobs, removal
from vdb.errors import StoreError
from vdb.purging import purge

if TYPE_CHECKING:
    from vdb.database import Database


def on_disk(db: Database, *wanted: bytes) -> list[bytes]:
    """Return which of some bytes stand anywhere in the store's directory, in a file or in a file's name."""
    files = [path for path in Path(db.uri).rglob("*") if path.is_file()]
    everything = b"\0".join(str(path).encode() + b"\0" + path.read_bytes() for path in files)
    return [one for one in wanted if one in everything]


def traces(removing: Any, name: str) -> list[bytes]:
    """What a data set leaves: its name in ids, sources, texts, reasons and words, and its photos."""
    photos = [removing.photo(f"{name}-img-{i}")[:64] for i in range(1, removing.N)]
    inpainted = removing.photo(f"{name} inpainted")[:64]
    words = [
        "-img-0",
        "-cap-0",
        " said of ",
        "-items.csv",
        " reason",
        " no mask",
        " word",
        "-style",
    ]
    return [*photos, inpainted, *(f"{name}{word}".encode() for word in words)]


def test_nothing_of_a_purged_data_set_is_left_on_disk(
    removing: Any, two: Database, only_red: dict[str, Any]
) -> None:
    blue = traces(removing, "blue")
    assert on_disk(two, *blue) == blue  # so that looking for them means something
    removal.remove_datasets(two, ["blue"])
    assert on_disk(two, *blue) == blue  # a delete alone leaves every byte
    size = sum(path.stat().st_size for path in Path(two.uri).rglob("*") if path.is_file())
    given_back = purge(two)
    left = sum(path.stat().st_size for path in Path(two.uri).rglob("*") if path.is_file())
    assert on_disk(two, *blue, b"blue") == []
    assert on_disk(two, *traces(removing, "red")) == traces(removing, "red")
    assert removing.holding(two) == only_red
    assert given_back > 0
    assert left < size


def test_a_purged_store_is_read_and_written_as_before(removing: Any, two: Database) -> None:
    before = removing.holding(two)
    purge(two)
    purge(two)
    assert removing.holding(two) == before
    removal.remove_datasets(two, ["blue"])
    purge(two)
    removing.ingest(two, "red")  # vectors of items, under keys that stand already
    removing.add(two, "blue", "red-cat")
    assert removing.holding(two) == before


def test_a_tagged_version_would_keep_what_was_removed(removing: Any, two: Database) -> None:
    dataset = two.table("captions").to_lance()
    dataset.tags.create("paper-v1", dataset.version)
    removal.remove_datasets(two, ["blue"])
    versions = {table.name: table.version for table in two.tables()}
    with pytest.raises(StoreError, match="'captions' has a version tagged 'paper-v1'"):
        purge(two)
    assert {table.name: table.version for table in two.tables()} == versions
    two.table("captions").to_lance().tags.delete("paper-v1")
    purge(two)
    assert on_disk(two, *traces(removing, "blue")) == []


def test_contents_that_no_image_names_go_too(removing: Any, two: Database) -> None:
    before = removing.holding(two)
    stray = b"left by an addition that was refused"
    blobs.keep(two, [(hashlib.sha256(stray).hexdigest(), stray)])
    purge(two)
    assert removing.holding(two) == before
    assert on_disk(two, stray) == []
