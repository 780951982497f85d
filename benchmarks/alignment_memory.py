"""Peak memory and time of a whole map streamed from a store of 200,000 items: under 4 GB, however many there are."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

import vdb
from benchmarks.ingest_memory import peak_bytes
from benchmarks.ratio import Ratio
from vdb import items
from vdb.recipe import Layer, Recipe
from vdb.writer import Row, SpaceWriter

FEW, MANY = 20_000, 200_000
LAYERS = {"image": (512, 512, 512), "text": (384, 384, 384)}
SHARED = 32
GOAL = 4.0


def main(quick: bool = False) -> list[Ratio]:
    """Print time and peak at two numbers of items, and the peak of the larger in GB.

    Each map is a process of its own, which matches the pairs and streams both sides. The vectors of 200,000 items
    take 1.1 GB as stored and 2.2 GB in single precision; what may grow is their ids.

    Parameters
    ----------
    quick : bool
        10,000 and 40,000 items.
    """
    few, many = (10_000, 40_000) if quick else (FEW, MANY)
    with tempfile.TemporaryDirectory() as folder:
        small, large = (measure(Path(folder) / str(n), n) for n in (few, many))
    value = large / 2**30
    grown = (large - small) / 2**20
    print(
        f"  {many - few} items more take {grown:.0f} MB more: {1e6 * grown / (many - few):.0f} B each"
    )
    name = f"peak memory in GB of the map of {many} items, 3 x 512 by 3 x 384, streamed"
    ratio = Ratio(name, value, goal=GOAL, bound="ids, moments and three blocks of rows")
    print(ratio)
    return [ratio]


def measure(folder: Path, n: int) -> int:
    """Write a store of n pairs, and stream its map in a new process; return the peak in bytes."""
    write(folder, n)
    command = [sys.executable, "-m", "benchmarks.alignment_memory", "--child", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    matching, streaming, cpu, score, peak = map(float, done.stdout.split())
    print(
        f"  {n:>6} items: matched in {matching:.1f} s, streamed in {streaming:.1f} s ({cpu:.1f} CPU s, one thread), "
        f"peak {peak / 2**30:.2f} GB; score of the last layers {score:.4f}"
    )
    return int(peak)


def write(folder: Path, n: int) -> None:
    """Write images and captions whose vectors share a latent, in float16."""
    db = vdb.open(folder, create=True)
    ids = {"image": [f"img-{i:07d}" for i in range(n)], "text": [f"cap-{i:07d}" for i in range(n)]}
    about = {"dataset": pl.lit("noise"), "source": pl.lit("made")}
    images = pl.DataFrame({"image_id": ids["image"]}).with_columns(
        concept_id=pl.lit(None, pl.String),
        uri=pl.col("image_id"),
        sha256=pl.col("image_id"),
        **about,
    )
    captions = pl.DataFrame({"caption_id": ids["text"]}).with_columns(
        concept_id=pl.lit(None, pl.String),
        text=pl.col("caption_id"),
        gloss=pl.lit(None, pl.String),
        **about,
    )
    pairs = pl.DataFrame({"image_id": ids["image"], "caption_id": ids["text"]})
    items.add(db, {"images": images, "captions": captions, "pairs": pairs.with_columns(**about)})
    for modality, widths in LAYERS.items():
        space = db.create_space(modality, _recipe(modality, widths))
        _fill(space, ids[modality], sum(widths))


def _recipe(modality: str, widths: tuple[int, ...]) -> Recipe:
    return Recipe(
        model=modality,
        library="timm" if modality == "image" else "transformers",
        source=f"made/{modality}",
        revision="1",
        weights="pretrained",
        modality=modality,  # type: ignore[arg-type]
        pooling="mean",
        dtype="float32",
        stored_dtype="float16",
        layers=tuple(
            Layer(f"blocks.{i}", width, i / (len(widths) - 1)) for i, width in enumerate(widths)
        ),
    )


def _fill(space: vdb.Space, ids: list[str], width: int) -> None:
    latent, own = np.random.default_rng(0), np.random.default_rng(width)
    mixing = own.standard_normal((SHARED, width), dtype=np.float32)
    with SpaceWriter(space) as writer:
        for start in range(0, len(ids), 1024):
            part = ids[start : start + 1024]
            shared = latent.standard_normal((len(part), SHARED), dtype=np.float32)
            noise = own.standard_normal((len(part), width), dtype=np.float32)
            values = (shared @ mixing + 4 * noise).astype(np.float16)
            writer.write([Row(one, None, "original") for one in part], values)


def child(folder: Path) -> None:
    """Match and stream; print the seconds of both, CPU seconds, a score and the peak."""
    import torch  # noqa: PLC0415 - only the child needs it
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    from analyses.matching import match  # noqa: PLC0415
    from analyses.metrics import choose_metric  # noqa: PLC0415
    from analyses.streamed import streamed_maps  # noqa: PLC0415

    torch.set_num_threads(1)
    db = vdb.open(folder)
    sides = db.space("image"), db.space("text")
    begun = time.perf_counter()
    rows = match(db, *sides)
    matched = time.perf_counter()
    cpu = time.process_time()
    with threadpool_limits(1):
        maps = streamed_maps(*sides, rows, choose_metric("linear-predictivity"))
    ended = time.perf_counter()
    score = maps["vision->language"].scores[-1, -1]
    print(matched - begun, ended - matched, time.process_time() - cpu, score, peak_bytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 and 40,000 items")
    parser.add_argument("--child", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
    else:
        main(quick=options.quick)
