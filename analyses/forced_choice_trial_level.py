"""Trial by trial: how often the nearer candidate is the one that people preferred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analyses.cell import Cell, choosing_half, given, last
from analyses.controls import BAG_OF_WORDS, MISMATCHED
from analyses.forced_choice_maps import FITS, Side, read_sides, right_choices, steps
from analyses.forced_choice_people import People
from analyses.forced_choice_rows import layers
from analyses.metrics.choosing import CHANCE, accuracies, strengths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from analyses.forced_choice_fits import Plan
    from analyses.forced_choice_trials import Trials
    from analyses.metrics.choosing import Similarity
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space

    Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, fixed over directions."""

    similarity: Similarity
    controls: Sequence[str]
    edges: Sequence[float] | None
    vision_layer: int | str | None
    language_layer: int | str | None
    seed: int
    device: str


def trial_level(
    db: Database,
    spaces: tuple[Space, Space],
    direction: str,
    trials: Trials,
    plan: Plan,
    question: Question,
    progress: Progress,
) -> list[Row]:
    """Score every pair of layers on the trials of one direction, then the chosen cell by strength of preference."""
    read = read_sides(db, spaces, plan, trials, direction, question.controls, question.device)
    people = People(trials.frame)
    named = given(spaces, question.vision_layer, question.language_layer)
    rows: list[Row] = []
    title = f"{direction}: {read.vision.name} x {read.language.name}"
    with progress.task(title, steps(read, plan, question.controls)) as task:
        for fit in FITS:
            own: Cell | None = None
            for control, language in _conditions(read.language, read.bag, question.controls):
                right = right_choices(
                    read.vision,
                    language,
                    plan,
                    trials,
                    direction=direction,
                    fit=fit,
                    kind=question.similarity,
                    mismatched=control == MISMATCHED,
                    seed=question.seed,
                    tell=lambda: task.advance(1),
                )
                scored = _Scored(right, trials, people, question.seed)
                half = None if named else choosing_half(trials.clusters, question.seed)
                if control == MISMATCHED and own is not None:
                    cell = own
                else:
                    cell = _cell(spaces, scored, half, named, bag=control == BAG_OF_WORDS)
                if control == "none":
                    own = cell
                about = {
                    "control": control,
                    "fit": fit,
                    "language": language.name,
                    "language_fingerprint": language.fingerprint,
                }
                rows += [
                    {**row, **about}
                    for row in _rows(scored, read.vision, language, cell, half, question.edges)
                ]
    shared = {
        "vision": read.vision.name,
        "vision_fingerprint": read.vision.fingerprint,
        "level": "trial",
        "direction": direction,
        "metric": f"forced-choice:similarity={question.similarity}",
        "chance": CHANCE,
        "cluster_rule": trials.cluster_rule,
        "human_ties": trials.human_ties,
        "left_out": trials.left_out,
        "fitted_on": plan.fewest,
        "fit_rule": plan.rule,
    }
    return [{**row, **shared} for row in rows]


def _conditions(
    language: Side, bag: Side | None, controls: Sequence[str]
) -> Iterator[tuple[str, Side]]:
    yield "none", language
    if bag is not None:
        yield BAG_OF_WORDS, bag
    if MISMATCHED in controls:
        yield MISMATCHED, language


class _Scored:
    """Choices of a whole map, and what they are held against."""

    def __init__(
        self, right: NDArray[np.float32], trials: Trials, people: People, seed: int
    ) -> None:
        self.right, self.people, self._seed = right, people, seed
        self._clusters = trials.clusters
        self.weights = trials.frame["weight"].to_numpy()
        self.gaps = trials.frame["gap"].cast(float).fill_null(float("nan")).to_numpy()

    def rows(self, cells: Sequence[tuple[int, int]], chosen: NDArray[np.bool_]) -> list[Row]:
        """Score cells on some of the trials, together: the best of them is told from luck."""
        clusters = [self._clusters[i] for i in np.flatnonzero(chosen)]
        right = np.stack([self.right[cell][chosen] for cell in cells])
        found = accuracies(right, self.weights[chosen], clusters, seed=self._seed)
        names = ("score", "low", "high", "p", "p_max", "ties")
        about = {"n": int(chosen.sum()), "clusters": len(set(clusters))}
        return [
            {**about, **{name: getattr(found, name)[i].item() for name in names}}
            for i in range(len(cells))
        ]

    def best(self, chosen: NDArray[np.bool_]) -> tuple[int, int]:
        """Return the cell that is right most often on some of the trials; of equals the first."""
        score = self.right[:, :, chosen].astype(np.float64) @ self.weights[chosen]
        i, j = np.unravel_index(int(score.argmax()), score.shape)
        return int(i), int(j)

    def ceiling(self, chosen: NDArray[np.bool_]) -> Row:
        return self.people.ceiling(chosen, self.weights, self._clusters, self._seed)

    @property
    def cells(self) -> list[tuple[int, int]]:
        return list(np.ndindex(*self.right.shape[:2]))

    @property
    def every(self) -> NDArray[np.bool_]:
        return np.ones(self.right.shape[2], bool)

    def count(self, chosen: NDArray[np.bool_]) -> int:
        return len({self._clusters[i] for i in np.flatnonzero(chosen)})


def _cell(
    spaces: tuple[Space, Space],
    scored: _Scored,
    half: NDArray[np.bool_] | None,
    named: Cell | None,
    *,
    bag: bool,
) -> Cell:
    """Fix the cell: named, best on the other half, or the last one; a bag of words has layers of its own."""
    if half is not None:
        rule = f"best on the {int(half.sum())} trials of {scored.count(half)} other clusters"
        return Cell(*scored.best(half), rule)
    cell = named or last(spaces, scored.count(scored.every))
    return Cell(cell.vision, scored.right.shape[1] - 1, cell.rule) if bag else cell


def _rows(
    scored: _Scored,
    vision: Side,
    language: Side,
    cell: Cell,
    half: NDArray[np.bool_] | None,
    edges: Sequence[float] | None,
) -> list[Row]:
    """Return the map over all trials; then the cell over those not spent on choosing it, whole and by strength."""
    cells = scored.cells
    every = [
        {**row, **layers(vision.layers, language.layers, at), "scope": "map"}
        for row, at in zip(scored.rows(cells, scored.every), cells, strict=True)
    ]
    at = cell.vision, cell.language
    left = scored.every if half is None else ~half
    about = {
        **layers(vision.layers, language.layers, at),
        "scope": "cell",
        "cell_rule": cell.rule,
    }
    every += [{**row, **scored.ceiling(left), **about} for row in scored.rows([at], left)]
    for low, high, within in strengths(scored.gaps, edges):
        chosen = within & left
        if chosen.any():
            bounds = {"gap_low": low, "gap_high": high}
            every += [
                {**row, **scored.ceiling(chosen), **about, **bounds}
                for row in scored.rows([at], chosen)
            ]
    return every
