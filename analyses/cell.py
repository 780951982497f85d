"""The cell that an analysis speaks of: given, or the best one on a half of the groups that is then not scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from analyses.metrics import MetricMap
    from vdb.space import Space

ENOUGH_TO_CHOOSE = 100
"""Groups from which on half of them are spent on choosing the layers."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The layers that are scored, and the rule that chose them."""

    vision: int
    language: int
    rule: str


def given(
    sides: tuple[Space, Space], vision_layer: int | str | None, language_layer: int | str | None
) -> Cell | None:
    """Return the cell that was named, if one was.

    Raises
    ------
    NotFoundError
        There is no such layer.
    InputError
        One layer is named and the other is not.
    """
    if vision_layer is None and language_layer is None:
        return None
    if vision_layer is None or language_layer is None:
        raise InputError("name both --vision-layer and --language-layer, or neither")
    vision, language = sides
    return Cell(vision.layer_index(vision_layer), language.layer_index(language_layer), "given")


def last(sides: tuple[Space, Space], groups: int) -> Cell:
    """Return the last layers, for want of groups to choose on."""
    rule = f"last layers: {groups} groups are too few to choose on half of them"
    return Cell(len(sides[0].layers) - 1, len(sides[1].layers) - 1, rule)


def choosing_half(groups: Sequence[str], seed: int) -> NDArray[np.bool_] | None:
    """Draw the half of the groups that is spent on choosing; None where there are too few.

    Returns
    -------
    (n,) bool array or None
        True for the rows to choose on; the others are to be scored.
    """
    apart = sorted(set(groups))
    if len(apart) < ENOUGH_TO_CHOOSE:
        return None
    generator = np.random.default_rng([seed, 1])
    first = set(generator.permutation(apart)[: len(apart) // 2].tolist())
    return np.array([group in first for group in groups])


def best(maps: Mapping[str, MetricMap], names: tuple[str, str]) -> tuple[int, int]:
    """Return the cell of the highest score, mean over directions.

    Raises
    ------
    InputError
        No cell has a score.
    """
    mean = np.mean([one.scores for one in maps.values()], axis=0)
    if np.isnan(mean).all():
        raise InputError(
            f"no layers of {names[0]!r} and {names[1]!r} have a score to choose by: in each pair of them one "
            "is the same for every item; name --vision-layer and --language-layer, or compare other spaces"
        )
    # A layer that is the same for every item, as a class token's embedding is, has no score.
    vision, language = np.unravel_index(int(np.nanargmax(mean)), mean.shape)
    return int(vision), int(language)
