"""What an ingest adds to its model: decode, forward, check and write against decode and bare forward alone."""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import timm
import torch
from PIL import Image

import vdb
from benchmarks.ratio import Ratio, interleaved
from ingest.encoders import EncoderOptions, load_encoder
from ingest.pipeline.extract import ingest
from vdb import items

if TYPE_CHECKING:
    from vdb.database import Database

MODEL = "vit_small_patch16_224"
GOAL = 1.15
SIZE = (500, 375)
BATCH = 32


def main(quick: bool = False) -> list[Ratio]:
    """Print the ratio of CPU times; every layer is stored, one thread computes, one prepares.

    The photos are noise at several scales, which JPEG compresses about as well as photographs. The two are run in
    turns in one process; the time is that of all its threads, so nothing hides behind another core.

    Parameters
    ----------
    quick : bool
        Fewer photos and turns.
    """
    torch.set_num_threads(1)
    photos, turns = (64, 3) if quick else (200, 4)
    encoder = load_encoder(f"timm:{MODEL}", EncoderOptions(device="cpu", random_init=0))
    model = timm.create_model(MODEL, pretrained=False).eval()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = make_photos(root, photos)
        db = make_store(root / "study", files)
        names = (f"turn-{turn}" for turn in count())

        def whole() -> None:
            report = ingest(db, encoder, space=next(names), batch_size=BATCH, workers=1)
            assert report.stored == photos, report.failed  # noqa: S101 - a benchmark of failures would mislead

        def alone() -> None:
            for start in range(0, photos, BATCH):
                batch = [
                    encoder.prepare(Image.open(file).convert("RGB")).data
                    for file in files[start : start + BATCH]
                ]
                with torch.inference_mode():
                    model.forward_features(torch.stack(batch))

        value, low, high = interleaved(whole, alone, turns, time.process_time)
    ratio = Ratio(
        f"ingest of {photos} photos, all layers of {MODEL}, / decode + forward",
        value,
        low,
        high,
        GOAL,
    )
    print(ratio)
    return [ratio]


def make_photos(root: Path, n: int) -> list[Path]:
    """Write n JPEGs of noise at several scales."""
    files = []
    for i in range(n):
        rng = np.random.default_rng(i)
        pixels = np.zeros((SIZE[1], SIZE[0], 3))
        for scale in (4, 16, 64):
            noise = rng.integers(
                0, 256, (SIZE[1] // scale + 1, SIZE[0] // scale + 1, 3), dtype=np.uint8
            )
            pixels += np.asarray(Image.fromarray(noise).resize(SIZE, Image.Resampling.BICUBIC)) / 3
        files.append(root / f"{i:05d}.jpg")
        Image.fromarray(pixels.astype(np.uint8)).save(files[-1], quality=90)
    return files


def make_store(uri: Path, files: list[Path]) -> Database:
    """Add the files to a new store."""
    db = vdb.open(uri, create=True)
    rows = pl.DataFrame(
        {
            "image_id": [file.stem for file in files],
            "concept_id": pl.Series([None] * len(files), dtype=pl.String),
            "uri": [str(file) for file in files],
            "sha256": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
        }
    )
    items.add(db, {"images": rows.with_columns(dataset=pl.lit("noise"), source=pl.lit("made"))})
    return db


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer photos and turns")
    main(quick=parser.parse_args().quick)
