"""What it costs to keep every layer: encoding with all layers of a ViT-S against its bare forward pass."""

from __future__ import annotations

import time

import numpy as np
import timm
import torch
from PIL import Image

from benchmarks.ratio import Ratio, interleaved
from ingest.encoders import EncoderOptions, load_encoder

MODEL = "vit_small_patch16_224"
GOAL = 1.10
BATCH = 8


def main(quick: bool = False) -> list[Ratio]:
    """Measure the ratio of CPU times, for class token and mean over patches, on one thread.

    Weights are random: they do not change the time.

    Parameters
    ----------
    quick : bool
        A few turns instead of many.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_ratio(pooling, turns=5 if quick else 25) for pooling in ("cls", "mean")]
    finally:
        torch.set_num_threads(threads)


def _ratio(pooling: str, turns: int) -> Ratio:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)
    options = EncoderOptions(device="cpu", random_init=0, pooling=pooling)
    encoder = load_encoder(f"timm:{MODEL}", options)
    batch = [encoder.prepare(Image.fromarray(photo)) for photo in pixels]
    stacked = torch.stack([item.data for item in batch])
    bare = timm.create_model(MODEL, pretrained=False).eval()

    def forward() -> None:
        with torch.inference_mode():
            bare.forward_features(stacked)

    name = f"all 12 layers of {MODEL}, {pooling}, against its bare forward (CPU)"
    found = interleaved(lambda: encoder.encode(batch), forward, turns, time.process_time)
    ratio = Ratio(name, *found, goal=GOAL, bound="pooling each block's tokens")
    print(ratio)
    return ratio


if __name__ == "__main__":
    main()
