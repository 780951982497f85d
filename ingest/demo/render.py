"""From a scene to its pixels and its masks, which are exact: no edge is blended."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ingest.demo.backgrounds import cut
from ingest.demo.dice import Dice
from ingest.demo.scenes import CANVAS, CATEGORY_TABLE, SIZES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from ingest.demo.scenes import Scene, Thing

BACKGROUND: Final = -1
"""The label of every pixel that no thing covers."""

_RGB: Final = {
    "red": (205, 40, 40),
    "green": (40, 160, 60),
    "blue": (45, 80, 210),
    "yellow": (235, 205, 50),
    "purple": (140, 60, 180),
    "orange": (240, 135, 35),
    "pink": (245, 145, 185),
    "white": (240, 240, 240),
}
_TINT, _TONE, _NOISE = (
    6.0,
    10.0,
    3.0,
)  # spread of the ground's tint, a thing's tone, each pixel; in 255ths
_EDGE: Final = 0.4  # brightness of a thing's outline
_OVERSAMPLING: Final = 8
_PAINT, _GRAIN = range(2)  # independent streams of one look


class Rendered(NamedTuple):
    """An image and what each pixel belongs to.

    Attributes
    ----------
    image : (CANVAS, CANVAS, 3) uint8 array
    labels : (CANVAS, CANVAS) int8 array
        Index into ``scene.things``, or ``BACKGROUND``.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.int8]


def render(scene: Scene, without: Collection[int] = ()) -> Rendered:
    """Draw a scene.

    Parameters
    ----------
    scene : Scene
    without : collection of int
        Things to leave out, by index. Nothing else changes: every pixel outside their masks stays the same.
    """
    dice = Dice(_PAINT, scene.look)
    tint = np.array([_bell(dice) * _TINT for _ in range(3)], np.float32)
    canvas = cut(scene.background, CANVAS, dice) * (0.85 + 0.3 * dice.uniform()) + tint
    labels = np.full((CANVAS, CANVAS), BACKGROUND, np.int8)
    for index, thing in enumerate(scene.things):
        tone = np.array([_bell(dice) * _TONE for _ in range(3)], np.float32)
        colour = (np.array(_RGB[thing.colour], np.float32) + tone) * (0.9 + 0.2 * dice.uniform())
        if index not in without:
            _paint(canvas, labels, thing, colour, index)
    canvas += _noise(scene.look)
    return Rendered(canvas.clip(0, 255).astype(np.uint8), labels)


def contact_sheet(images: Sequence[NDArray[np.uint8]], columns: int, gap: int = 2) -> Image.Image:
    """Lay images out in rows, on white."""
    rows = -(-len(images) // columns)
    step = CANVAS + gap
    sheet = Image.new("RGB", (columns * step - gap, rows * step - gap), "white")
    for i, image in enumerate(images):
        sheet.paste(Image.fromarray(image), (i % columns * step, i // columns * step))
    return sheet


def _paint(
    canvas: NDArray[np.float32],
    labels: NDArray[np.int8],
    thing: Thing,
    colour: NDArray[np.float32],
    index: int,
) -> None:
    square = (
        slice(thing.top, thing.top + thing.pixels),
        slice(thing.left, thing.left + thing.pixels),
    )
    shape, shade = _sprite(thing.category, thing.size, thing.texture)
    canvas[square][shape] = shade[shape][:, None] * colour
    labels[square][shape] = index


@cache
def _sprite(
    category: str, size: str, texture: str
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return which pixels a thing covers, and how bright each is."""
    side = SIZES[size]
    shape = _silhouette(category, side)
    y, x = np.mgrid[:side, :side]
    shade = np.ones((side, side), np.float32)
    if texture == "striped":
        shade[(x + y) // 3 % 2 == 1] = 0.5
    elif texture == "dotted":
        shade[(x % 5 < 2) & (y % 5 < 2)] = 0.3  # noqa: PLR2004 - dots of 2 pixels, 5 apart
    padded = np.pad(shape, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    shade[shape & ~inner] *= _EDGE
    return shape, shade


def _silhouette(category: str, side: int) -> NDArray[np.bool_]:
    large = side * _OVERSAMPLING
    image = Image.new("L", (large, large), 0)
    draw = ImageDraw.Draw(image)
    for stroke in CATEGORY_TABLE[category]["strokes"]:
        ink = 0 if stroke.get("cut") else 255
        kind, numbers = next((k, v) for k, v in stroke.items() if k != "cut")
        points = [number * large for number in numbers]
        if kind == "dome":
            draw.pieslice(points, 180, 360, fill=ink)
        else:
            {"ellipse": draw.ellipse, "rectangle": draw.rectangle, "polygon": draw.polygon}[kind](
                points, fill=ink
            )
    small = image.resize((side, side), Image.Resampling.BOX)
    return np.asarray(small) > 127  # noqa: PLR2004 - more than half covered


def _bell(dice: Dice) -> float:
    """Draw from a bell curve of mean 0 and variance 1: the sum of twelve uniform draws, less six."""
    return sum(dice.uniform() for _ in range(12)) - 6


def _noise(look: int) -> NDArray[np.float32]:
    rng = np.random.Generator(np.random.PCG64((_GRAIN, look)))
    return rng.standard_normal((CANVAS, CANVAS, 3), dtype=np.float32) * _NOISE
