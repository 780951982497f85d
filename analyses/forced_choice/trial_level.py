"""Trial by trial: how often the nearer candidate is the one that people preferred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analyses.cell import Cell, choosing_half, given, last
from analyses.controls import BAG_OF_WORDS, MISMATCHED
from analyses.forced_choice.maps import (
    DRAWS,
    FITS,
    Side,
    beside,
    fits_of,
    one_layer,
    read_sides,
    right_choices,
)
from analyses.forced_choice.people import People
from analyses.forced_choice.rows import layers
from analyses.metrics.choosing import CHANCE, accuracies, strengths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from analyses.forced_choice.maps import Asked
    from analyses.forced_choice.trials import Trials
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
    asked: Asked,
    question: Question,
    progress: Progress,
) -> dict[str, list[Row]]:
    """Score every pair of layers on the trials of each direction, then the chosen cell by strength of preference."""
    read = read_sides(db, spaces, asked, question.controls, question.device)
    named = given(spaces, question.vision_layer, question.language_layer)
    held = {direction: _Held(trials, question.seed) for direction, (trials, _) in asked.items()}
    language = beside(read.language, read.bag)
    own = len(read.language.layers)
    fits = len(fits_of(asked))
    steps = fits * (len(read.vision.layers) + len(language.layers))
    if MISMATCHED in question.controls:
        steps += len(FITS) * sum(len(plan.fits) for _, plan in asked.values())
    rows: dict[str, list[Row]] = {direction: [] for direction in asked}
    with progress.task(f"{read.vision.name} x {read.language.name}", steps) as task:

        def ask(
            vision: Side, language: Side, some: Asked, fit: str, draws: int = 0
        ) -> dict[str, NDArray[np.float32]]:
            return right_choices(
                vision,
                language,
                some,
                fit=fit,
                kind=question.similarity,
                draws=draws,
                seed=question.seed,
                tell=lambda: task.advance(1),
            )

        for fit in FITS:
            every = ask(read.vision, language, asked, fit)
            for direction, (right,) in every.items():
                of = held[direction]
                half = None if named else of.half
                scored = _Scored(right[:, :own], of)
                cell = _cell(spaces, scored, half, named, bag=False)
                found = [("none", scored, read.language, cell)]
                if read.bag is not None:
                    words = _Scored(right[:, own:], of)
                    bagged = _cell(spaces, words, half, named, bag=True)
                    found.append((BAG_OF_WORDS, words, read.bag, bagged))
                if MISMATCHED in question.controls:
                    alone = (
                        one_layer(read.vision, cell.vision),
                        one_layer(read.language, cell.language),
                    )
                    wrong = ask(*alone, {direction: asked[direction]}, fit, DRAWS)[direction]
                    lone = _Scored(wrong.mean(axis=0), of, told_apart=False)
                    found.append((MISMATCHED, lone, read.language, cell))
                for control, one, said, at in found:
                    about = {
                        "control": control,
                        "fit": fit,
                        "language": said.name,
                        "language_fingerprint": said.fingerprint,
                    }
                    mapped = [] if control == MISMATCHED else _map_rows(one, read.vision, said)
                    cells = _cell_rows(one, read.vision, said, at, half, question.edges)
                    rows[direction] += [{**row, **about} for row in (*mapped, *cells)]
    for direction, (trials, plan) in asked.items():
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
        rows[direction] = [{**row, **shared} for row in rows[direction]]
    return rows


class _Held:
    """What choices of one direction are held against: people, and the clusters of its trials."""

    def __init__(self, trials: Trials, seed: int) -> None:
        self.seed, self.clusters = seed, trials.clusters
        self.people = People(trials.frame)
        self.half = choosing_half(trials.clusters, seed)
        self.weights = trials.frame["weight"].to_numpy()
        self.gaps = trials.frame["gap"].cast(float).fill_null(float("nan")).to_numpy()


class _Scored:
    """Choices of a whole map, and what they are held against."""

    def __init__(self, right: NDArray[np.float32], held: _Held, *, told_apart: bool = True) -> None:
        """Take (V, L, n) choices; those that are means over draws (not ``told_apart``) have no ties of their own."""
        self.right, self._held, self._told_apart = right, held, told_apart
        self.weights, self.gaps = held.weights, held.gaps
        self._clusters, self._seed = held.clusters, held.seed

    def rows(self, cells: Sequence[tuple[int, int]], chosen: NDArray[np.bool_]) -> list[Row]:
        """Score cells on some of the trials, together: the best of them is told from luck."""
        clusters = [self._clusters[i] for i in np.flatnonzero(chosen)]
        right = np.stack([self.right[cell][chosen] for cell in cells])
        found = accuracies(right, self.weights[chosen], clusters, seed=self._seed)
        names = ["score", "low", "high", "p", "p_max", *(["ties"] if self._told_apart else [])]
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
        return self._held.people.ceiling(chosen, self.weights, self._clusters, self._seed)

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


def _map_rows(scored: _Scored, vision: Side, language: Side) -> list[Row]:
    """Return the map over all trials."""
    cells = scored.cells
    return [
        {**row, **layers(vision.layers, language.layers, at), "scope": "map"}
        for row, at in zip(scored.rows(cells, scored.every), cells, strict=True)
    ]


def _cell_rows(
    scored: _Scored,
    vision: Side,
    language: Side,
    cell: Cell,
    half: NDArray[np.bool_] | None,
    edges: Sequence[float] | None,
) -> list[Row]:
    """Return the cell over the trials not spent on choosing it, whole and by strength of preference."""
    at = cell.vision, cell.language
    about = {
        **layers(vision.layers, language.layers, at),
        "scope": "cell",
        "cell_rule": cell.rule,
    }
    left = scored.every if half is None else ~half
    here = at if len(scored.cells) > 1 else (0, 0)  # a cell that was asked alone
    rows = [{**row, **scored.ceiling(left), **about} for row in scored.rows([here], left)]
    for low, high, within in strengths(scored.gaps, edges):
        chosen = within & left
        if chosen.any():
            bounds = {"gap_low": low, "gap_high": high}
            rows += [
                {**row, **scored.ceiling(chosen), **about, **bounds}
                for row in scored.rows([here], chosen)
            ]
    return rows
