"""Which cell an exemplar curve is of: given, or chosen on groups that are then not scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.cell import Cell, best, choosing_half, given, last
from analyses.exemplar_avg.exemplars import draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analyses.exemplar_avg.exemplars import Averaged, Group
    from analyses.metrics import ChosenMetric
    from vdb.space import Space


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, fixed over draws, k and controls."""

    metric: ChosenMetric
    averaged: Averaged
    ks: tuple[int, ...]
    draws: int
    folds: int
    seed: int
    device: str
    replacement: bool = False


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
    named = given(sides, vision_layer, language_layer)
    if named is not None:
        return named, groups
    half = choosing_half([group.fold_group for group in groups], question.seed)
    if half is None:
        return last(sides, len({group.fold_group for group in groups})), groups
    choosing = [group for group, first in zip(groups, half, strict=True) if first]
    scored = [group for group, first in zip(groups, half, strict=True) if not first]
    images, captions = draw(
        choosing, 1, question.averaged, np.random.default_rng([question.seed, 3])
    )
    maps = question.metric.compute(
        _layers(vision, images, question.device),
        _layers(language, captions, question.device),
        groups=[group.fold_group for group in choosing],
        folds=question.folds,
        seed=question.seed,
    )
    rule = f"best of single exemplars on {len(choosing)} other groups"
    return Cell(*best(maps, (vision.name, language.name)), rule), scored


def _layers(space: Space, ids: NDArray[np.object_], device: str) -> list[torch.Tensor]:
    _, layers = space.matrices(ids=ids[:, 0].tolist())
    return [torch.from_numpy(layer.astype(np.float32)).to(device) for layer in layers]
