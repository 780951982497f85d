"""Long adds are told: rows as batches of a stream are stored, files as they are hashed, images as they are embedded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ingest.add import add_dataset
from ingest.datasets import (
    coco,
    concepts,
    flickr8k,
    manifest,
    streams,
    things,
    trials,
    webdataset,
)
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Listener(Silent):
    """Keeps how far each task came."""

    def __init__(self) -> None:
        self.totals: dict[str, int | None] = {}
        self.steps: dict[str, list[int]] = {}

    def task(self, title: str, total: int | None, done: int = 0) -> Any:
        self.totals[title] = total
        steps = self.steps[title] = [done]

        class Task(Silent):
            def advance(self, done: int = 0, failed: int = 0) -> None:
                assert not failed
                steps.append(steps[-1] + done)

        return Task()


@pytest.fixture
def shard(small: Any, tmp_path: Path) -> Path:
    members = [
        one
        for i in range(10)
        for one in ((f"{i}.png", small.photo(i)), (f"{i}.txt", b"text %d" % i))
    ]
    packed: Path = small.pack(tmp_path / "0.tar", members)
    return packed


@pytest.mark.parametrize("embed", [False, True])
def test_rows_are_told_as_they_are_stored(
    shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, embed: bool
) -> None:
    monkeypatch.setattr(streams, "ROWS_A_BATCH", 6)  # two samples of an image, a caption, a pair
    listener = Listener()
    _, report = add_dataset(
        str(tmp_path / "study"), webdataset(shard), lambda _: None, embed=embed, progress=listener
    )
    if embed:
        assert listener.steps == {"images embedded": list(range(11))}
    else:
        assert listener.steps == {"rows stored": [0, 6, 12, 18, 24, 30]}
    assert set(listener.totals.values()) == {None}
    assert sum(report.added.values()) == 30


def _coco(home: Path, listener: Listener) -> Any:
    return coco(home / "photos", home / "captions.json", progress=listener)


def _flickr8k(home: Path, listener: Listener) -> Any:
    return flickr8k(home / "photos", home / "tokens.txt", progress=listener)


def _things(home: Path, listener: Listener) -> Any:
    return things(home, progress=listener)


def _concepts(home: Path, listener: Listener) -> Any:
    return concepts(home / "all", progress=listener)


def _manifest(home: Path, listener: Listener) -> Any:
    return manifest(home / "items.csv", progress=listener)


def _trials(home: Path, listener: Listener) -> Any:
    return trials(home / "choices.csv", progress=listener)


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("coco", _coco),
        ("flickr8k", _flickr8k),
        ("things-main", _things),
        ("concepts", _concepts),
        ("manifest-csv", _manifest),
        ("trials-csv", _trials),
    ],
)
def test_photos_are_told_as_they_are_hashed(
    kind: str, read: Callable[[Path, Listener], Any], small: Any, tmp_path: Path
) -> None:
    small.SMALL[kind](tmp_path)
    listener = Listener()
    (batch,) = read(tmp_path, listener)
    files = batch.images.height + batch.image_variants.height
    assert listener.totals == {"files hashed": files}
    assert listener.steps["files hashed"][-1] == files
