"""The curves of one cell: centroids of k exemplars, drawn many times, matched and not, and what noise predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import numpy as np
import torch

from analyses.exemplar_avg.exemplars import draw, exemplars_of, from_other_groups
from analyses.exemplar_avg.fit import (
    NOISE_AVERAGING,
    SATURATION,
    Gains,
    gains,
    predicted,
    saturation,
    together,
)
from analyses.exemplar_avg.reliability import Exemplars, effective
from analyses.metrics.cells import bootstrap_weights, score_cells
from analyses.metrics.inference.ceiling import Ceiling, split_half

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from analyses.cell import Cell
    from analyses.exemplar_avg.cell import Question
    from analyses.exemplar_avg.exemplars import Group, Side
    from analyses.metrics.inference.bootstrap import Interval
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

    def rows(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of ids: (m, width)."""
        at = torch.tensor([self._row[one] for one in ids])
        values: NDArray[np.float32] = self._values[at].cpu().numpy()
        return values

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
        ``control``, ``direction``, ``k``, ``score`` (mean over draws), ``low``, ``high``, and of the uncontrolled
        curve ``predicted``, ``above``, ``above_low``, ``above_high``, ``above_p``, ``reliability``, ``split_half``,
        ``effective_k`` and ``fit``.
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
    scored: dict[tuple[str, str], dict[int, Interval]] = {}
    with progress.task(f"{sides[0].name} x {sides[1].name}, exemplars", len(asked)) as task:
        for (control, k), found in zip(asked, intervals, strict=True):
            for direction, interval in found.items():
                scored.setdefault((control, direction), {})[k] = interval
            task.advance(done=1)
    noise = _Noise({"images": vision, "captions": language}, groups, question)
    return [
        {
            "control": control,
            "direction": direction,
            "k": k,
            "score": interval.estimate,
            "low": interval.low,
            "high": interval.high,
            **told,
        }
        for (control, direction), curve in scored.items()
        for (k, interval), told in zip(
            curve.items(),
            noise.columns(direction, curve) if control == "none" else [{}] * len(curve),
            strict=True,
        )
    ]


class _Noise:
    """What the exemplars' own variances say of the uncontrolled curves."""

    def __init__(
        self, layers: dict[Side, Centroids], groups: list[Group], question: Question
    ) -> None:
        self._question = question
        averaged = question.averaged
        sides: tuple[Side, ...] = ("images", "captions") if averaged == "both" else (averaged,)
        ids = {side: [exemplars_of(one, averaged, side) for one in groups] for side in sides}
        self._sides = {
            side: Exemplars.of([layers[side].rows(own) for own in ids[side]]) for side in sides
        }
        self._values = {
            side: layers[side].rows([one for own in ids[side] for one in own]) for side in sides
        }
        self._known = all(one.known for one in self._sides.values())
        folds = [group.fold_group for group in groups]
        self._weights = (
            bootstrap_weights(question.metric, folds, question.folds, question.seed)
            if self._known
            else None
        )

    def columns(self, direction: str, curve: dict[int, Interval]) -> list[dict[str, object]]:
        """Return the columns of each k of a curve."""
        rows: list[dict[str, object]] = [
            {"effective_k": self._effective(k), "split_half": self._split_half(k)} for k in curve
        ]
        gain = self._gains(direction) if self._known else None
        for i, row in enumerate(rows):
            row["reliability"] = None if gain is None else _finite(float(gain.reliability[i]))
        if self._question.metric.metric.name == "linear-predictivity":
            points = [] if gain is None else predicted(list(curve.values()), gain)
            for row, (expected, gap) in zip(rows, points, strict=False):
                row |= {
                    "fit": NOISE_AVERAGING,
                    "predicted": _finite(expected),
                    "above": _finite(gap.estimate),
                    "above_low": _finite(gap.low),
                    "above_high": _finite(gap.high),
                    "above_p": _finite(gap.p),
                }
            return rows
        fitted = saturation({k: interval.estimate for k, interval in curve.items()})
        for row, k in zip(rows, curve, strict=True):
            if fitted is not None:
                row |= {"fit": SATURATION, "predicted": fitted[k]}
        return rows

    def _gains(self, direction: str) -> Gains:
        source = "captions" if direction.startswith("language") else "images"
        q = self._question
        return together(
            [
                gains(
                    exemplars,
                    q.ks,
                    "source" if side == source else "target",
                    self._weights,
                    replacement=q.replacement,
                )
                for side, exemplars in self._sides.items()
            ]
        )

    def _effective(self, k: int) -> float:
        return min(
            effective(k, exemplars.counts, replacement=self._question.replacement)
            for exemplars in self._sides.values()
        )

    def _split_half(self, k: int) -> float | None:
        """Measure the reliability of centroids of k, of both sides together where both are averaged.

        What is below 0 by chance is none in a product, which two of them would make positive.
        """
        found: list[Ceiling] = []
        for side, exemplars in self._sides.items():
            items = np.repeat(np.arange(len(exemplars.counts)), exemplars.counts).tolist()
            size = effective(k, exemplars.counts, replacement=self._question.replacement)
            found.append(split_half(self._values[side], items, k=size, seed=self._question.seed))
        measured = np.array([one.reliability for one in found])
        return _finite(float(measured[0] if len(found) == 1 else measured.clip(min=0).prod()))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _draws(groups: list[Group], question: Question, control: str) -> list[tuple[Ids, Ids]]:
    """Draw exemplars; the same ones for every control, before it puts others in their place."""
    first, fold_groups = _FIRST_TO_GO.get(control), [group.fold_group for group in groups]
    drawn = []
    for number in range(question.draws):
        generator = np.random.default_rng([question.seed, 2, number])
        images, captions = draw(
            groups,
            question.ks[-1],
            question.averaged,
            generator,
            replacement=question.replacement,
        )
        if first is not None and question.averaged != "captions":
            images = from_other_groups(images, fold_groups, generator, first)
        if first is not None and question.averaged != "images":
            captions = from_other_groups(captions, fold_groups, generator, first)
        drawn.append((images, captions))
    return drawn
