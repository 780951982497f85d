"""What the two models learn from: texts without images, images without texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ingest.demo.dice import Dice
from ingest.demo.language import document
from ingest.demo.render import render
from ingest.demo.scenes import BACKGROUNDS, CANVAS, CATEGORIES, SIZES, TEXTURES, sample_scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ingest.demo.scenes import Scene, Thing

PATCH: Final = 8
"""Side of a vision model's patch in pixels."""

UNLABELLED: Final = -1
"""Label of a patch that things cover less than a quarter of."""

_DOCUMENTS: Final = 101  # a stream of its own beside those of the scenes
_COVERED: Final = PATCH * PATCH // 4


def documents(seed: int, start: int, stop: int) -> list[str]:
    """Write documents ``start`` to ``stop - 1``, each about a scene that nobody sees."""
    return [
        document(sample_scene(seed, index), Dice(seed, _DOCUMENTS, index))
        for index in range(start, stop)
    ]


class LabelledImages(NamedTuple):
    """Images and what the vision model is asked about them.

    Attributes
    ----------
    images : (n, 64, 64, 3) uint8 array
    background : (n,) int64 array
        Index into ``BACKGROUNDS``.
    patches : (n, 64, 3) int64 array
        Category, size and texture of what covers each patch, or ``UNLABELLED``.
    present : (n, categories) float32 array
        1 where the category is in the scene.
    attributes : (n, categories, 4) float32 array
        Of a category that is present: large (0, 1), texture (index), y and x in [-0.5, 0.5]; 0 elsewhere.
    """

    images: NDArray[np.uint8]
    background: NDArray[np.int64]
    patches: NDArray[np.int64]
    present: NDArray[np.float32]
    attributes: NDArray[np.float32]


def labelled_images(seed: int, start: int, stop: int) -> LabelledImages:
    """Render scenes ``start`` to ``stop - 1`` with labels from the scenes themselves, never from a word."""
    n, grid = stop - start, CANVAS // PATCH
    data = LabelledImages(
        images=np.empty((n, CANVAS, CANVAS, 3), np.uint8),
        background=np.empty(n, np.int64),
        patches=np.empty((n, grid * grid, 3), np.int64),
        present=np.zeros((n, len(CATEGORIES)), np.float32),
        attributes=np.zeros((n, len(CATEGORIES), 4), np.float32),
    )
    for i in range(n):
        scene = sample_scene(seed, start + i)
        data.images[i], labels = render(scene)
        data.background[i] = BACKGROUNDS.index(scene.background)
        data.patches[i] = _patch_labels(scene, labels)
        for thing in scene.things:
            category, size, texture = _codes(thing)
            y, x = (centre / CANVAS - 0.5 for centre in thing.centre)
            data.present[i, category] = 1
            data.attributes[i, category] = size, texture, y, x
    return data


def _codes(thing: Thing) -> tuple[int, int, int]:
    """Return the indices of a thing's category, size and texture."""
    return (
        CATEGORIES.index(thing.category),
        tuple(SIZES).index(thing.size),
        TEXTURES.index(thing.texture),
    )


def _patch_labels(scene: Scene, labels: NDArray[np.int8]) -> NDArray[np.int64]:
    """Label each patch by the thing that covers most of it, if any covers a quarter."""
    grid = CANVAS // PATCH
    patches = (
        labels.reshape(grid, PATCH, grid, PATCH).transpose(0, 2, 1, 3).reshape(grid * grid, -1)
    )
    cover = np.stack([(patches == index).sum(1) for index in range(len(scene.things))], axis=1)
    codes = np.array([_codes(thing) for thing in scene.things], np.int64)
    return np.where(cover.max(1)[:, None] >= _COVERED, codes[cover.argmax(1)], UNLABELLED)
