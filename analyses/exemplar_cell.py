"""Which cell an exemplar curve is of: given, or chosen on groups that are then not scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.exemplars import draw
from vdb.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analyses.exemplars import Averaged, Group
    from analyses.metrics import Metric
    from vdb.space import Space

_ENOUGH_TO_CHOOSE = 100
"""Groups from which on half of them are spent on choosing the layers."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The layers that are scored, and the rule that chose them."""

    vision: int
    language: int
    rule: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, fixed over draws, k and controls."""

    metric: Metric
    averaged: Averaged
    ks: tuple[int, ...]
    draws: int
    folds: int
    seed: int
    device: str


def choose(
    sides: tuple[Space, Space],
    groups: list[Group],
    question: Question,
    vision_layer: int | str | None,
    language_layer: int | str | None,
) -> tuple[Cell, list[Group]]:
    """Fix the cell, and the groups that were not spent on choosing it.

    Raises
    ------
    NotFoundError
        There is no such layer.
    InputError
        One layer is named and the other is not, or no cell has a score to choose by.
    """
    vision, language = sides
    if vision_layer is not None and language_layer is not None:
        chosen = vision.layer_index(vision_layer), language.layer_index(language_layer)
        return Cell(*chosen, "given"), groups
    if vision_layer is not None or language_layer is not None:
        raise InputError("name both --vision-layer and --language-layer, or neither")
    apart = sorted({group.fold_group for group in groups})
    if len(apart) < _ENOUGH_TO_CHOOSE:
        last = len(vision.layers) - 1, len(language.layers) - 1
        rule = f"last layers: {len(apart)} groups are too few to choose on half of them"
        return Cell(*last, rule), groups
    generator = np.random.default_rng([question.seed, 1])
    first = set(generator.permutation(apart)[: len(apart) // 2])
    choosing = [group for group in groups if group.fold_group in first]
    scored = [group for group in groups if group.fold_group not in first]
    images, captions = draw(choosing, 1, question.averaged, generator)
    maps = question.metric.compute(
        _layers(vision, images, question.device),
        _layers(language, captions, question.device),
        groups=[group.fold_group for group in choosing],
        folds=question.folds,
        seed=question.seed,
    )
    mean = np.mean([one.scores for one in maps.values()], axis=0)
    if np.isnan(mean).all():
        raise InputError(
            f"no layers of {vision.name!r} and {language.name!r} have a score to choose by: in each pair of them one "
            "is the same for every item; name --vision-layer and --language-layer, or compare other spaces"
        )
    # A layer that is the same for every item, as a class token's embedding is, has no score.
    best = np.unravel_index(int(np.nanargmax(mean)), mean.shape)
    rule = f"best of single exemplars on {len(choosing)} other groups"
    return Cell(int(best[0]), int(best[1]), rule), scored


def _layers(space: Space, ids: NDArray[np.object_], device: str) -> list[torch.Tensor]:
    _, layers = space.matrices(ids=ids[:, 0].tolist())
    return [torch.from_numpy(layer.astype(np.float32)).to(device) for layer in layers]
