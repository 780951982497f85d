"""Pixel statistics: closed forms of images whose statistics are known, and the encoder's habits."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ingest.encoders import EncoderOptions, load_encoder
from ingest.encoders.pixel_statistics import statistics
from vdb.errors import InputError, ModelError, NotFoundError

MOMENTS, HISTOGRAM, THUMBNAIL, EDGES = (
    slice(0, 12),
    slice(12, 76),
    slice(76, 268),
    slice(268, 396),
)


def _flat(*colour: float) -> np.ndarray:
    return np.broadcast_to(np.array(colour), (64, 64, 3)).copy()


def test_one_colour_has_a_mean_a_bin_and_no_edge() -> None:
    found = statistics(_flat(0.2, 0.6, 1.0))
    assert found[MOMENTS] == pytest.approx([0.2, 0.6, 1.0] + [0] * 9)
    bins = found[HISTOGRAM].reshape(4, 4, 4)
    assert bins[0, 2, 3] == 1.0
    assert bins.sum() == 1.0
    assert found[THUMBNAIL].reshape(8, 8, 3) == pytest.approx(_flat(0.2, 0.6, 1.0)[:8, :8])
    assert not found[EDGES].any()


def test_moments_are_those_of_the_pixels() -> None:
    pixels = np.random.default_rng(0).random((64, 64, 3)) ** 2
    flat = pixels.reshape(-1, 3)
    found = statistics(pixels)
    assert found[:3] == pytest.approx(flat.mean(axis=0))
    assert found[3:6] == pytest.approx(flat.std(axis=0))
    third = ((flat - flat.mean(axis=0)) ** 3).mean(axis=0)
    assert found[6:9] == pytest.approx(third / flat.std(axis=0) ** 3)
    correlation = np.corrcoef(flat.T)
    assert found[9:12] == pytest.approx(correlation[[0, 0, 1], [1, 2, 2]])
    assert (found[HISTOGRAM] ** 2).sum() == pytest.approx(1.0)


def test_an_edge_lies_in_its_field_and_orientation() -> None:
    pixels = _flat(0.0, 0.0, 0.0)
    pixels[:, 24:] = 1.0  # upright: the gradient points across, orientation 0
    edges = statistics(pixels)[EDGES].reshape(4, 4, 8)
    assert edges[:, 1, 0] == pytest.approx(np.full(4, 2 * 16 * 0.5 / 256))  # two columns of .5
    edges[:, 1, 0] = 0
    assert not edges.any()
    lying = statistics(np.transpose(pixels, (1, 0, 2)))[EDGES].reshape(4, 4, 8)
    assert lying[1, :, 4] == pytest.approx(np.full(4, 0.0625))


def test_the_encoder_is_loaded_by_its_name_and_stores_what_is_computed() -> None:
    encoder = load_encoder("pixel-statistics", EncoderOptions(stored_dtype="float32"))
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (80, 50, 3), np.uint8))
    small = np.asarray(image.resize((64, 64), Image.Resampling.BOX)) / 255
    [row] = encoder.encode([encoder.prepare(image)])
    assert row == pytest.approx(statistics(small), abs=1e-6)
    assert sum(layer.width for layer in encoder.recipe.layers) == len(row)
    assert encoder.encode([]).shape == (0, len(row))
    with pytest.raises(InputError, match="takes an RGB image, not mode L"):
        encoder.prepare(image.convert("L"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (EncoderOptions(random_init=0), "no weights to draw"),
        (EncoderOptions(pooling="cls"), "no tokens to pool"),
    ],
)
def test_what_only_a_model_has_is_refused(options: EncoderOptions, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_encoder("pixel-statistics", options)


def test_its_prefix_knows_nothing_else() -> None:
    with pytest.raises(NotFoundError, match="did you mean pixel-statistics"):
        load_encoder("pixels:pixel-statistic", EncoderOptions())
