"""The curves of one cell: centroids of k exemplars, drawn many times, matched and not."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import numpy as np
import torch

from analyses.exemplars import draw, from_other_groups
from analyses.metrics.cells import score_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from analyses.cell import Cell
    from analyses.exemplar_cell import Question
    from analyses.exemplars import Group
    from vdb.progress import Progress
    from vdb.space import Space

    Ids = NDArray[np.object_]

MISMATCHED = "mismatched"
DILUTED = "diluted"
CONTROLS = (MISMATCHED, DILUTED)

_FIRST_TO_GO = {MISMATCHED: 0, DILUTED: 1}
"""The first of a group's exemplars that a control takes from other groups."""


class Centroids:
    """The vectors of one layer of every exemplar, read once, averaged by id.

    Centroids of the same ids are the same tensor, as long as somebody holds it: what is made of it is made once.
    """

    def __init__(self, space: Space, layer: int, ids: set[str], device: str) -> None:
        known, values = space.matrix(layer, ids=sorted(ids))
        self._row = {one: i for i, one in enumerate(known)}
        self._values = torch.from_numpy(values.astype(np.float32)).to(device)
        self._made: WeakValueDictionary[bytes, torch.Tensor] = WeakValueDictionary()

    def of(self, ids: Ids) -> torch.Tensor:
        """Average each row's ids: (G, k) -> (G, width)."""
        rows = np.array([[self._row[one] for one in row] for row in ids])
        rows.sort(axis=1)
        key = rows.tobytes()
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._values[torch.from_numpy(rows)].mean(dim=1)
        return made


def curves(
    sides: tuple[Space, Space],
    groups: list[Group],
    cell: Cell,
    question: Question,
    controls: Sequence[str],
    progress: Progress,
) -> list[dict[str, object]]:
    """Score the cell for each control (and none), k and direction.

    Returns
    -------
    list of dict
        ``control``, ``direction``, ``k``, ``score`` (mean over draws), ``low``, ``high``.
    """
    image_ids = {one for group in groups for one in group.images}
    caption_ids = {one for group in groups for many in group.captions for one in many}
    vision = Centroids(sides[0], cell.vision, image_ids, question.device)
    language = Centroids(sides[1], cell.language, caption_ids, question.device)
    fold_groups = [group.fold_group for group in groups]
    drawn = {control: _draws(groups, question, control) for control in ("none", *controls)}
    asked = [(control, k) for control in drawn for k in question.ks]
    conditions = (
        [(vision.of(images[:, :k]), language.of(texts[:, :k])) for images, texts in drawn[control]]
        for control, k in asked
    )
    intervals = score_cells(
        question.metric,
        conditions,
        fold_groups,
        folds=question.folds,
        seed=question.seed,
    )
    rows: list[dict[str, object]] = []
    with progress.task(f"{sides[0].name} x {sides[1].name}, exemplars", len(asked)) as task:
        for (control, k), found in zip(asked, intervals, strict=True):
            rows += [
                {
                    "control": control,
                    "direction": direction,
                    "k": k,
                    "score": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                }
                for direction, interval in found.items()
            ]
            task.advance(done=1)
    return rows


def _draws(groups: list[Group], question: Question, control: str) -> list[tuple[Ids, Ids]]:
    """Draw exemplars; the same ones for every control, before it puts others in their place."""
    first, fold_groups = _FIRST_TO_GO.get(control), [group.fold_group for group in groups]
    drawn = []
    for number in range(question.draws):
        generator = np.random.default_rng([question.seed, 2, number])
        images, captions = draw(groups, question.ks[-1], question.averaged, generator)
        if first is not None and question.averaged != "captions":
            images = from_other_groups(images, fold_groups, generator, first)
        if first is not None and question.averaged != "images":
            captions = from_other_groups(captions, fold_groups, generator, first)
        drawn.append((images, captions))
    return drawn
