"""Reading one layer out of a space against ``np.load`` of the same array, and committing against ``np.save``.

60,000 x 1,024 float16 in a space of four layers, written in the space's ordinary commits. Both read from the page
cache. The rows are committed in random order, as bucketed texts are, and in the order of their ids, as images may be:
the array that comes back is sorted by id either way. CPU time is that of all threads.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import vdb
from benchmarks.ratio import Ratio, interleaved
from vdb.recipe import Layer, Recipe
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vdb.space import Space

WIDTH, LAYERS, BATCH = 1024, 4, 64
GOAL = 2.5
LAYER = 1


def main(quick: bool = False) -> list[Ratio]:
    """Print the ratios and return them.

    Parameters
    ----------
    quick : bool
        6,000 rows instead of 60,000, and fewer turns.
    """
    rows, repeats = (6_000, 5) if quick else (60_000, 15)
    drawn = np.random.default_rng(0).standard_normal((1024, LAYERS * WIDTH)).astype(np.float16)
    place = Path(tempfile.mkdtemp(prefix="vdb-bench-"))
    found: list[Ratio] = []
    try:
        saved = [_save(place / f"{i}.npy", rows, drawn) for i in range(3)]
        for order in ("random", "sorted"):
            ids = [f"img-{i:06d}" for i in range(rows)]
            if order == "random":
                ids = [ids[i] for i in np.random.default_rng(1).permutation(rows)]
            space, committing = _written(place / order, ids, drawn)
            if order == "random":
                against = [committing / saving for saving in sorted(saved)]
                found.append(
                    Ratio(
                        f"commit {rows} x {LAYERS * WIDTH} / np.save, CPU",
                        against[1],
                        *(against[2], against[0]),
                        bound="the keyed merge, which joins on the keys that are there",
                    )
                )
            found += _reading(space, place / "layer.npy", order, repeats)
    finally:
        shutil.rmtree(place)
    for ratio in found:
        print(ratio)
    return found


def _written(place: Path, ids: Sequence[str], drawn: NDArray[np.float16]) -> tuple[Space, float]:
    """Write a space in batches as an encoder gives them; return it and the CPU seconds."""
    layers = tuple(Layer(f"blocks.{i}", WIDTH, i / (LAYERS - 1)) for i in range(LAYERS))
    recipe = Recipe(
        "bench", "none", "none", "none", "none", "image", "cls", "float32", "float16", layers
    )
    space = vdb.open(place, create=True).create_space("bench", recipe)
    start = time.process_time()
    with SpaceWriter(space) as writer:
        for at in range(0, len(ids), BATCH):
            batch = [Row(item, None, "original") for item in ids[at : at + BATCH]]
            offset = at % len(drawn)
            writer.write(batch, drawn[offset : offset + len(batch)])
    return space, time.process_time() - start


def _save(path: Path, rows: int, drawn: NDArray[np.float16]) -> float:
    values = np.resize(drawn, (rows, drawn.shape[1]))  # CPU time: the disk's share comes and goes
    start = time.process_time()
    np.save(path, values)
    return time.process_time() - start


def _reading(space: Space, path: Path, order: str, repeats: int) -> list[Ratio]:
    ids, values = space.matrix(LAYER)
    np.save(path, values)
    rows = len(ids)
    del ids, values

    def ours() -> object:
        return space.matrix(LAYER)

    def theirs() -> object:
        return np.load(path)

    bound = (
        "three copies of each vector (page cache, Lance's buffers, the array) against np.load's one"
    )
    return [
        Ratio(
            f"read {rows} x {WIDTH}, {order} commits / np.load, {what}",
            *interleaved(ours, theirs, repeats, clock),
            goal=GOAL if what == "elapsed" else None,
            bound=bound,
        )
        for what, clock in (("elapsed", time.perf_counter), ("CPU", time.process_time))
    ]


if __name__ == "__main__":
    main()
