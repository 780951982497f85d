"""Eight kinds of ground, each a bank of textures that scenes cut their background from."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ingest.demo.dice import Dice

    Field = NDArray[np.float64]

SIDE: Final = 80
"""Side of a texture in pixels: larger than the canvas, so that each can be cut in many places."""

BANK_SIZE: Final = 24

_STARLESS: Final = 0.985  # share of the night sky

_Y, _X = np.mgrid[:SIDE, :SIDE].astype(float)


def _rgb(red: float, green: float, blue: float) -> Field:
    return np.array([red, green, blue], dtype=float)


def _clouds(rng: np.random.Generator, grain: int) -> Field:
    """Return smooth noise of unit variance whose blobs are about ``grain`` pixels wide."""
    coarse = rng.standard_normal((max(2, SIDE // grain),) * 2).astype(np.float32)
    smooth: Field = np.array(
        Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC), float
    )
    smooth /= smooth.std() + 1e-6
    return smooth


def _shaded(colour: Field, shade: Field) -> Field:
    return colour + shade[..., None]


def _grass(rng: np.random.Generator) -> Field:
    blades = _clouds(rng, 2) * 18 + rng.standard_normal((SIDE, SIDE)) * 10
    return _rgb(95, 140, 75) + blades[..., None] * _rgb(0.6, 1.0, 0.5)


def _sand(rng: np.random.Generator) -> Field:
    ripples = np.sin((_Y + 4 * np.sin(_X / 9)) / 2.5) * 8
    return _shaded(_rgb(205, 185, 140), _clouds(rng, 8) * 8 + ripples)


def _brick(rng: np.random.Generator) -> Field:
    course = _Y // 8
    joint = (_Y % 8 < 1) | ((_X + course % 2 * 8) % 16 < 1)
    bricks = _shaded(_rgb(150, 85, 70), _clouds(rng, 4) * 6)
    return np.where(joint[..., None], _rgb(190, 185, 180), bricks)


def _wood(rng: np.random.Generator) -> Field:
    grain = np.sin((_X + 2 * _clouds(rng, 16)) / 1.6) * 9
    return _shaded(_rgb(160, 115, 75), grain - 25 * (_Y % 20 < 1))


def _snow(rng: np.random.Generator) -> Field:
    return _shaded(_rgb(222, 228, 236), _clouds(rng, 16) * 7)


def _water(rng: np.random.Generator) -> Field:
    waves = np.sin(_Y / 2.2 + 2 * np.sin(_X / 7 + _clouds(rng, 16)))
    return _shaded(_rgb(90, 135, 170), waves * 16)


def _night(rng: np.random.Generator) -> Field:
    sky = _shaded(_rgb(28, 28, 48), _clouds(rng, 16) * 4)
    stars = rng.random((SIDE, SIDE, 1)) > _STARLESS
    return np.where(stars, _rgb(230, 230, 210), sky)


def _road(rng: np.random.Generator) -> Field:
    asphalt = _shaded(_rgb(105, 105, 108), rng.standard_normal((SIDE, SIDE)) * 9)
    dashes = ((_Y - SIDE // 2) // 3 == 0) & (_X % 16 < 9)  # noqa: PLR2004 - 9 pixels of 16
    return np.where(dashes[..., None], _rgb(225, 220, 150), asphalt)


_KINDS: Final[dict[str, Callable[[np.random.Generator], Field]]] = {
    "grass": _grass,
    "sand": _sand,
    "brick": _brick,
    "wood": _wood,
    "snow": _snow,
    "water": _water,
    "night": _night,
    "road": _road,
}


@cache
def _bank(kind: str) -> NDArray[np.float32]:
    rng = np.random.Generator(np.random.PCG64(list(_KINDS).index(kind)))
    return np.stack([_KINDS[kind](rng).clip(0, 255) for _ in range(BANK_SIZE)]).astype(np.float32)


def cut(kind: str, side: int, dice: Dice) -> NDArray[np.float32]:
    """Cut a piece out of one of the textures of a kind.

    Returns
    -------
    (side, side, 3) array
        RGB in [0, 255]; a view of the bank, not to be written to.
    """
    texture = _bank(kind)[dice.below(BANK_SIZE)]
    top, left = dice.below(SIDE - side + 1), dice.below(SIDE - side + 1)
    piece: NDArray[np.float32] = texture[top : top + side, left : left + side]
    return piece
