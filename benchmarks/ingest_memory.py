"""Peak memory of an ingest of 2,000 and of 20,000 images: it must not grow with their number."""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

import vdb
from benchmarks.ratio import Ratio
from vdb import items

FEW, MANY = 2_000, 20_000
FILES = 50
MODEL = {
    "architecture": "vit_tiny_patch16_224",
    "model_args": {"embed_dim": 192, "depth": 4, "num_heads": 3, "patch_size": 16, "img_size": 64},
    "pretrained_cfg": {"input_size": [3, 64, 64], "crop_pct": 1.0},
}
GOAL = 1.05


def main(quick: bool = False) -> list[Ratio]:
    """Print both peaks, and their ratio.

    A prepared image takes 49 kB here and its vectors 3 kB: kept by mistake, those of the 18,000 images more would show
    as 900 MB and 55 MB. What does grow is the plan, the ids, places and digests of what remains: its size is printed.
    Each ingest is a process of its own. The images are many ids of a few files: each is read and decoded anew.

    Parameters
    ----------
    quick : bool
        1,500 and 6,000 images.
    """
    few, many = (1_500, 6_000) if quick else (FEW, MANY)
    with tempfile.TemporaryDirectory() as folder:
        small, large = (measure(Path(folder), n) for n in (few, many))
    for n, (peak, plan) in ((few, small), (many, large)):
        print(
            f"  {n:>6} images: peak {peak / 2**20:.1f} MB, of which the plan is {plan / 2**20:.1f} MB"
        )
    value = large[0] / small[0]
    ratio = Ratio(
        f"peak memory of an ingest of {many} images / of {few}", value, value, value, GOAL
    )
    print(ratio)
    return [ratio]


def measure(root: Path, n: int) -> tuple[int, int]:
    """Ingest n images in a new process; return the bytes of its peak and of its plan."""
    folder = root / str(n)
    folder.mkdir()
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text(json.dumps(MODEL))
    files = []
    for i in range(FILES):
        pixels = np.random.default_rng(i).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        files.append(folder / f"{i}.png")
        Image.fromarray(pixels).save(files[-1], compress_level=1)
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    rows = pl.DataFrame(
        {
            "image_id": [f"img-{i:06d}" for i in range(n)],
            "concept_id": pl.Series([None] * n, dtype=pl.String),
            "uri": [str(files[i % FILES]) for i in range(n)],
            "sha256": [digests[i % FILES] for i in range(n)],
        }
    ).with_columns(dataset=pl.lit("noise"), source=pl.lit("made"))
    items.add(vdb.open(folder / "study", create=True), {"images": rows})
    done = subprocess.run(
        [sys.executable, __file__, "--child", folder], capture_output=True, text=True, check=True
    )
    peak, plan, stored = map(int, done.stdout.split())
    if stored != n:
        raise RuntimeError(f"{stored} of {n} images were stored")
    return peak, plan


def child(folder: Path) -> None:
    """Ingest what the store in ``folder`` holds; print peak, plan and rows."""
    import torch  # noqa: PLC0415 - only the child needs it

    from ingest.encoders import EncoderOptions, load_encoder  # noqa: PLC0415
    from ingest.pipeline.extract import ingest  # noqa: PLC0415

    torch.set_num_threads(1)
    options = EncoderOptions(device="cpu", stored_dtype="float32", random_init=0)
    encoder = load_encoder(f"timm:{folder / 'model'}", options)
    report = ingest(vdb.open(folder / "study"), encoder, space="s", workers=2)
    print(peak_bytes(), report.plan.todo.estimated_size(), report.stored)


def peak_bytes() -> int:
    """Return this process's largest resident size; Linux's ``ru_maxrss`` alone would be at least the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,500 and 6,000 images")
    parser.add_argument("--child", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
    else:
        main(quick=options.quick)
