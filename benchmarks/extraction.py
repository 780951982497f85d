"""What it costs to keep every layer: encoding with all layers of a ViT-S against its bare forward pass."""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import timm
import torch
from PIL import Image

from ingest.encoders import EncoderOptions, load_encoder

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "vit_small_patch16_224"
GOAL = 1.10
BATCH = 8


def main(quick: bool = False) -> None:
    """Print the ratio of CPU times, for class token and mean over patches.

    The two are run in turns (A B A B ...) in one process on one thread, so that what else the machine does falls on
    both; each turn gives one ratio, and the median is printed with its quartiles. Weights are random: they do not
    change the time.

    Parameters
    ----------
    quick : bool
        A few turns instead of many.
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    photos = [
        Image.fromarray(rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)) for _ in range(BATCH)
    ]
    bare = timm.create_model(MODEL, pretrained=False).eval()
    print(
        f"extraction of all 12 layers of {MODEL}, batch {BATCH}, CPU time against forward_features alone"
    )
    for pooling in ("cls", "mean"):
        encoder = load_encoder(
            f"timm:{MODEL}", EncoderOptions(device="cpu", random_init=0, pooling=pooling)
        )
        batch = [encoder.prepare(photo) for photo in photos]
        pixels = torch.stack([item.data for item in batch])

        def forward(pixels: torch.Tensor = pixels) -> None:
            with torch.inference_mode():
                bare.forward_features(pixels)

        ratios = interleaved(
            lambda encoder=encoder, batch=batch: encoder.encode(batch),  # type: ignore[misc]
            forward,
            turns=5 if quick else 25,
        )
        low, high = np.quantile(ratios, [0.25, 0.75])
        print(
            f"  {pooling:<5} {median(ratios):.3f}  (quartiles {low:.3f} to {high:.3f}; goal {GOAL:.2f})"
        )


def interleaved(a: Callable[[], object], b: Callable[[], object], turns: int) -> list[float]:
    """Return a's CPU time as a ratio of b's, once a turn, after one turn to warm up."""
    ratios = []
    for turn in range(turns + 1):
        # Whichever goes second finds warmer caches: they swap places.
        first, second = (a, b) if turn % 2 else (b, a)
        times = cpu_time(first), cpu_time(second)
        taken_a, taken_b = times if turn % 2 else times[::-1]
        if turn:
            ratios.append(taken_a / taken_b)
    return ratios


def cpu_time(function: Callable[[], object]) -> float:
    """Seconds of this process's CPU time that one call takes."""
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few turns instead of many")
    main(quick=parser.parse_args().quick)
