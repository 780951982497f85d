"""Whole layer x layer maps of the originals and under each alteration, on the same rows and folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from analyses.metrics.folds import folds_of
from analyses.metrics.ridge.transfer import Altered, transfer_maps
from analyses.perturbation.fits import TRANSFER
from analyses.perturbation.variants import Alteration
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics import ChosenMetric
    from analyses.perturbation.vectors import Vectors

    Map = NDArray[np.float64]

MISMATCHED: Final = Alteration("mismatched", "captions", ORIGINAL, "mismatched", None)
"""The originals, each image with the caption of another group: what a map would be where nothing is left."""

_TOGETHER_BYTES = 2**31
"""Memory for the Gram matrices of the layers that one pass holds."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The (V, L) maps of one alteration, fit and direction; NaN where a cell has no score."""

    alteration: Alteration
    fit: str
    direction: str
    original: Map
    altered: Map


def delta_maps(
    metric: ChosenMetric,
    vectors: Vectors,
    members: Sequence[Alteration],
    fits: Sequence[str],
    *,
    folds: int,
    seed: int,
) -> Iterator[Pair]:
    """Compute the map of the originals once, and one for each alteration and fit.

    Yields
    ------
    Pair
        By fit in the order of ``fits``, then by alteration, then by direction.
    """
    original = {
        direction: one.scores
        for direction, one in metric.compute(
            *vectors.originals, groups=vectors.groups, folds=folds, seed=seed
        ).items()
    }
    for fit in fits:
        if fit == TRANSFER:
            found = _transferred(vectors, members, folds, seed)
        else:
            found = _again(metric, vectors, members, folds, seed)
        for one in members:
            for direction, scores in found[one].items():
                yield Pair(one, fit, direction, original[direction], scores)


def _transferred(
    vectors: Vectors, members: Sequence[Alteration], folds: int, seed: int
) -> dict[Alteration, dict[str, Map]]:
    vision, language = vectors.originals
    assigned = folds_of(vectors.groups, len(vectors.groups), folds, seed)

    def changed(one: Alteration) -> tuple[list[Tensor] | None, list[Tensor] | None]:
        images, captions = vectors.under(one)
        return (
            None if one.vision == ORIGINAL else images,
            None if one.language == ORIGINAL else captions,
        )

    there = [Altered(*changed(one)) for one in members]
    back = [Altered(*reversed(changed(one))) for one in members]
    forward = transfer_maps(vision, language, there, assigned).mean(axis=3)
    backward = transfer_maps(language, vision, back, assigned).mean(axis=3)
    return {
        one: {"vision->language": forward[i], "language->vision": backward[i].T}
        for i, one in enumerate(members, start=1)
    }


def _again(
    metric: ChosenMetric, vectors: Vectors, members: Sequence[Alteration], folds: int, seed: int
) -> dict[Alteration, dict[str, Map]]:
    """Compute the metric on altered layers; those opposite the same originals go in one pass, prepared once."""
    found: dict[Alteration, dict[str, Map]] = {}
    for part in _passes(vectors, members):
        first = part[0]
        if first.altered == "images":
            stack = [x for one in part for x in vectors.vision[one.vision]], vectors.originals[1]
        elif first.altered == "captions":
            stack = (
                vectors.originals[0],
                [x for one in part for x in vectors.language[one.language]],
            )
        else:
            stack = vectors.under(first)
        maps = metric.compute(*stack, groups=vectors.groups, folds=folds, seed=seed)
        for i, one in enumerate(part):
            found[one] = {name: _cut(whole.scores, vectors, one, i) for name, whole in maps.items()}
    return found


def _cut(scores: Map, vectors: Vectors, one: Alteration, at: int) -> Map:
    rows, columns = (len(layers) for layers in vectors.originals)
    if one.altered == "captions":
        return scores[:, at * columns : (at + 1) * columns]
    return scores[at * rows : (at + 1) * rows]


def _passes(vectors: Vectors, members: Sequence[Alteration]) -> Iterator[list[Alteration]]:
    """Put alterations of one side together, as many as memory allows; those of both sides stand alone."""
    n = len(vectors.groups)
    layers = _layers_of(vectors)
    for altered in ("images", "captions"):
        mine = [one for one in members if one.altered == altered]
        room = max(1, _TOGETHER_BYTES // (8 * n * n * layers[altered]))
        for start in range(0, len(mine), room):
            yield mine[start : start + room]
    for one in members:
        if one.altered == "both":
            yield [one]


def _layers_of(vectors: Vectors) -> Mapping[str, int]:
    vision, language = vectors.originals
    return {"images": len(vision), "captions": len(language)}
