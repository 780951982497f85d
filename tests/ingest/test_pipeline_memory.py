"""However many items there are, only a few are in memory at once."""

from __future__ import annotations

import subprocess
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ingest.encoders import Prepared
from ingest.pipeline.extract import ingest
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vdb.database import Database

BATCH = 4
WORKER = Path(__file__).with_name("pipeline_memory_worker.py")


class Item(np.ndarray[Any, Any]):
    """An array that can be watched."""


class Watching:
    """Counts how many prepared items and how many blocks of vectors are alive at each forward pass."""

    def __init__(self) -> None:
        self.recipe = Recipe(
            model="watching",
            library="test",
            source="test/watching",
            revision="1",
            weights="pretrained",
            modality="image",
            pooling="mean",
            dtype="float32",
            stored_dtype="float32",
            layers=(Layer("a", 3, 0.0),),
        )
        self._items: list[weakref.ref[Item]] = []
        self._blocks: list[weakref.ref[Item]] = []
        self.most_items = self.most_blocks = 0

    def prepare(self, item: Any) -> Prepared:
        values = (1 + np.asarray(item, np.float32).mean((0, 1))).view(Item)
        self._items.append(weakref.ref(values))
        return Prepared(values)

    def encode(self, batch: Sequence[Prepared]) -> np.ndarray:
        self.most_items = max(self.most_items, alive(self._items))
        self.most_blocks = max(self.most_blocks, alive(self._blocks))
        block = np.stack([np.asarray(one.data) for one in batch]).view(Item)
        self._blocks.append(weakref.ref(block))
        return block


def alive(references: list[weakref.ref[Item]]) -> int:
    return sum(one() is not None for one in list(references))


def test_only_a_few_batches_are_in_memory(
    make_study: Callable[..., Database], tmp_path: Path
) -> None:
    encoder = Watching()
    db = make_study(tmp_path / "study", 300, side=8)
    assert ingest(db, encoder, space="s", batch_size=BATCH, workers=4).stored == 300
    # Ahead of the model two batches; its own; the one before it, which the loop still names.
    assert encoder.most_items <= 5 * BATCH
    # Waiting to be written four; being written one; the last one.
    assert encoder.most_blocks <= 7


def test_so_are_of_several_variants(make_study: Callable[..., Database], tmp_path: Path) -> None:
    """Prepared rows are counted, not images: of four variants each, as many images fewer are ahead."""
    encoder = Watching()
    db = make_study(tmp_path / "study", 100, side=8)
    variants = ["original", "grayscale", "upside-down", "horizontal-flip"]
    report = ingest(db, encoder, space="s", variants=variants, batch_size=2 * BATCH, workers=2)
    assert report.stored == 400
    # Two batches ahead, and what is left of the one image whose rows are being taken; the rest as above.
    assert encoder.most_items <= 5 * 2 * BATCH + len(variants)
    assert encoder.most_blocks <= 7


@pytest.mark.slow
def test_peak_memory_does_not_grow_with_the_items(
    make_study: Callable[..., Database], tmp_path: Path
) -> None:
    few, many = 3000, 12_000  # both several commits
    db = make_study(tmp_path / "study", many, side=8)
    peaks = []
    for n in (few, many):
        command = [sys.executable, "-W", "ignore", WORKER, db.uri, str(n)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        stored, peak = map(int, done.stdout.split())
        assert stored == n
        peaks.append(peak)
    # The vectors of 9,000 more items are 110 MB, the prepared items as much again; what a commit takes for a moment
    # varies by some 30 MB from run to run.
    assert peaks[1] - peaks[0] < 60e6, peaks
