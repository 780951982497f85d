"""A real ViT on real photos: the weights are read as they were trained."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from ingest.encoders import Encoder, EncoderOptions, load_encoder

pytestmark = pytest.mark.real

NAME = "vit_tiny_patch16_224.augreg"
WIDTH = 192


@pytest.fixture(scope="module")
def data() -> Path:
    place = os.environ.get("VDB_REAL_DATA")
    if not place:
        pytest.skip("VDB_REAL_DATA is not set")
    return Path(place)


@pytest.fixture(scope="module")
def photos(data: Path) -> list[Image.Image]:
    torch.set_num_threads(1)
    paths = sorted((data / "coco").rglob("*.jpg"))[:8]
    return [Image.open(path).convert("RGB") for path in paths]


@pytest.fixture(scope="module")
def encoder(data: Path) -> Encoder:
    return load_encoder(str(data / NAME), EncoderOptions(device="cpu", stored_dtype="float32"))


def test_the_class_tokens_are_timms_own_intermediates(
    data: Path, photos: list[Image.Image], encoder: Encoder
) -> None:
    model = timm.create_model(f"local-dir:{data / NAME}", pretrained=True).eval()
    config = timm.data.resolve_data_config({}, model=model)
    transform = timm.data.create_transform(**config, is_training=False)
    with torch.no_grad():
        states = model.forward_intermediates(
            torch.stack([transform(photo) for photo in photos]),
            output_fmt="NLC",
            return_prefix_tokens=True,
            intermediates_only=True,
        )
    vectors = encoder.encode([encoder.prepare(photo) for photo in photos])
    layers = np.split(vectors, 12, axis=1)
    for index, (actual, (patches, prefix)) in enumerate(zip(layers, states, strict=True)):
        expected = prefix[:, 0].numpy()
        atol = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=atol, err_msg=f"block {index}")
        assert patches.shape[1:] == (196, WIDTH)


def test_trained_vectors_differ_from_the_untrained_twins(
    data: Path, photos: list[Image.Image], encoder: Encoder
) -> None:
    """A drawn network tells photos apart far less than a trained one: its class tokens are nearly parallel."""
    twin = load_encoder(
        str(data / NAME), EncoderOptions(device="cpu", stored_dtype="float32", random_init=0)
    )
    trained, drawn = (
        cosine(e.encode([e.prepare(photo) for photo in photos])[:, -WIDTH:])
        for e in (encoder, twin)
    )
    assert trained < drawn


def cosine(x: np.ndarray) -> float:
    """Mean cosine of all pairs."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    return float((unit @ unit.T)[np.triu_indices(len(x), 1)].mean())
