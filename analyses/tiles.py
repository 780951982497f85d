"""How a map of many layers is cut into tiles whose moments fit in memory, and rows into blocks that do."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOMENTS = 0.75
"""Share of the memory for a tile's moments and what scoring them takes; the rest is for blocks of rows."""

_MOST_ROWS, _FEWEST_ROWS = 8192, 64


@dataclass(frozen=True, slots=True)
class Tile:
    """Layers whose pairs are done in one pass.

    Attributes
    ----------
    vision, language : tuple of int
    width : int
        Of all of them together.
    """

    vision: tuple[int, ...]
    language: tuple[int, ...]
    width: int


def tiles(vision: Sequence[int], language: Sequence[int], folds: int, memory: int) -> list[Tile]:
    """Cut a map into tiles, with as little as possible done twice.

    A layer's own moments are taken anew in each tile that has it, so tiles are chosen as large as memory allows, and
    so long or so wide that those of the wider layers are taken least often.

    Parameters
    ----------
    vision, language : sequence of int
        Widths of the layers.
    folds : int
    memory : int
        Bytes for moments and blocks of rows together.

    Raises
    ------
    InputError
        The moments of two layers alone take more.
    """
    best: tuple[float, list[Tile]] | None = None
    for high, wide in product(range(1, len(vision) + 1), range(1, len(language) + 1)):
        rows, columns = _chunks(len(vision), high), _chunks(len(language), wide)
        cut = [
            Tile(v, w, sum(vision[i] for i in v) + sum(language[j] for j in w))
            for v in rows
            for w in columns
        ]
        if max(tile_bytes(one, vision, language, folds) for one in cut) > _MOMENTS * memory:
            continue
        again = len(columns) * _squares(vision) + len(rows) * _squares(language)
        if best is None or again < best[0]:
            best = again, cut
    if best is None:
        widest = Tile((0,), (0,), max(vision) + max(language))
        need = tile_bytes(widest, [max(vision)], [max(language)], folds) / _MOMENTS
        raise InputError(
            f"the moments of two layers of {max(vision)} and {max(language)} units in {folds} folds take "
            f"{need / 2**30:.2f} GB, and {memory / 2**30:.2f} GB were allowed: use fewer folds, or allow more"
        )
    return best[1]


def tile_bytes(tile: Tile, vision: Sequence[int], language: Sequence[int], folds: int) -> int:
    """Count the bytes of a tile's moments, and of what scoring one pair of its layers takes at most."""
    left, right = [vision[i] for i in tile.vision], [language[j] for j in tile.language]
    moments = folds * (sum(left) * sum(right) + _squares(left) + _squares(right))
    return 8 * (moments + 10 * max(*left, *right) ** 2)


def block_rows(width: int, captions: float, memory: int) -> int:
    """Choose how many rows are read at a time.

    Parameters
    ----------
    width : int
        Of all layers read.
    captions : float
        Vectors that are averaged to a row.
    memory : int
        Bytes for moments and blocks of rows together.
    """
    # In double precision once; as read, of the block that is worked on, the next one, and what was scanned for it.
    a_row = width * (8 + 16 * captions)
    return int(max(_FEWEST_ROWS, min(_MOST_ROWS, (1 - _MOMENTS) * memory / a_row)))


def _chunks(count: int, size: int) -> list[tuple[int, ...]]:
    return [tuple(range(at, min(at + size, count))) for at in range(0, count, size)]


def _squares(widths: Sequence[int]) -> int:
    return sum(width * width for width in widths)
