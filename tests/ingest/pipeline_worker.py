"""An ingest in a process of its own, to be killed: says each step on stdout and waits for a line before the next.

Its encoder blends every item with all of its batch, so that a batch made otherwise than before shows in the vectors.
"""

from __future__ import annotations

import sys
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

import vdb
from ingest.encoders.base import Prepared
from ingest.pipeline.extract import ingest
from ingest.variants import Inapplicable, Variant, all_variants
from vdb import tables
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.variants.base import ImageItem, TextItem
    from vdb.recipe import Modality

ROWS_A_COMMIT = 25
BATCH = 6  # of which four make a commit


class Blend:
    """Vectors of an item's own numbers plus the mean over its batch."""

    def __init__(self, modality: Modality) -> None:
        self.recipe = Recipe(
            model="blend",
            library="test",
            source="test/blend",
            revision="1",
            weights="pretrained",
            modality=modality,
            pooling="mean",
            dtype="float32",
            stored_dtype="float32",
            layers=(Layer("a", 3, 0.0), Layer("b", 3, 1.0)),
        )

    def prepare(self, item: Any) -> Prepared:
        if self.recipe.modality == "image":
            return Prepared(np.asarray(item, np.float32).mean((0, 1)))
        counts = [len(item), item.count("a") + 1, item.count(" ") + 1]
        return Prepared(np.array(counts, np.float32), length=len(item.split()))

    def encode(self, batch: Sequence[Prepared]) -> np.ndarray:
        rows = np.stack([one.data for one in batch])
        blended = rows + rows.mean(0)
        return np.concatenate([blended, np.sqrt(blended)], axis=1)


def darker(item: ImageItem, _: np.random.Generator) -> Any:
    if item.item_id.endswith("5"):
        raise Inapplicable("a name that ends in 5")
    return item.image.point(lambda value: value // 2)


def noisy(item: ImageItem, rng: np.random.Generator) -> Any:
    offset = int(rng.integers(1, 50))
    return item.image.point(lambda value: min(255, value + offset))


def reverse(item: TextItem, _: np.random.Generator) -> str:
    words = item.text.split()
    if len(words) < 3:
        raise Inapplicable("fewer than three words")
    return " ".join(words[::-1])


def half(item: TextItem, rng: np.random.Generator) -> str:
    words = item.text.split()
    return " ".join(rng.choice(words, max(1, len(words) // 2)))


def register() -> None:
    for apply, modality in (
        (darker, "image"),
        (noisy, "image"),
        (reverse, "text"),
        (half, "text"),
    ):
        name = apply.__name__
        all_variants()[name] = Variant(name, modality, "semantic", "For a test.", apply)  # type: ignore[arg-type]


one_at_a_time = Lock()  # two threads that read one pipe may each wait for the other's line


def step(*words: object) -> None:
    with one_at_a_time:
        print(*words, flush=True)  # noqa: T201 - the other end of the pipe
        sys.stdin.readline()


class Steps:
    """Progress that stops at every block."""

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def task(self, title: str, total: int | None, done: int = 0) -> Steps:
        step(title, total, done)
        return self

    def advance(self, done: int = 0, failed: int = 0) -> None:
        step("advance", done, failed)

    def say(self, message: str) -> None:
        step(message)


def stop_at_commits() -> None:
    insert = tables.insert

    def stopping(table: Any, rows: Any) -> int:
        if not table.name.startswith("space."):
            return insert(table, rows)
        step("commit", len(rows))
        inserted = insert(table, rows)
        step("committed", inserted)
        return inserted

    tables.insert = stopping


if __name__ == "__main__":
    tables.ROWS_A_COMMIT = ROWS_A_COMMIT
    stop_at_commits()
    register()
    ingest(
        vdb.open(sys.argv[1]),
        Blend(sys.argv[2]),  # type: ignore[arg-type]
        space="blend",
        variants=sys.argv[3:] or ["original"],
        batch_size=BATCH,
        workers=2,
        progress=Steps(),
    )
    print("finished", flush=True)  # noqa: T201
