"""From matched rows to the frame of a perturbation: the cell, each alteration there, groups of them, and whole maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from analyses.cell import Cell, best, choosing_half, last
from analyses.metrics.folds import check_folds
from analyses.perturbation.cell import partners, score
from analyses.perturbation.maps import MISMATCHED, delta_maps
from analyses.perturbation.rows import (
    cell_rows,
    floor_rows,
    group_rows,
    map_rows,
    tidy,
    with_layers,
)
from analyses.perturbation.variants import Rows, together
from analyses.perturbation.vectors import read
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from analyses.matching import Captions, Matched
    from analyses.metrics import ChosenMetric
    from analyses.perturbation.cell import CellScores
    from analyses.perturbation.rows import Row
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space

    Sides = tuple[Space, Space]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, fixed over alterations.

    Attributes
    ----------
    every : bool
        All variants were asked for and none by name: one that has too few rows is left out, and said.
    """

    metric: ChosenMetric
    fits: tuple[str, ...]
    maps: bool
    captions: Captions
    datasets: Sequence[str]
    folds: int
    seed: int
    device: str
    every: bool
    progress: Progress


@dataclass(frozen=True, slots=True)
class _Scored:
    """Of all rows of the originals those that the cell is scored on: not of the images that chose it."""

    cell: Cell
    base: Matched
    spent: frozenset[str]

    def of(self, rows: Matched) -> NDArray[np.bool_]:
        """Tell which rows are scored."""
        return np.array([image not in self.spent for image in rows.image_ids])

    def groups(self, rows: Matched) -> list[str]:
        """Return the groups of the scored rows."""
        return [group for group, on in zip(rows.groups, self.of(rows), strict=True) if on]

    def facts(self, rows: Matched) -> Row:
        """Count the scored rows of an alteration."""
        groups = self.groups(rows)
        left_out = len(self.groups(self.base)) - len(groups)
        return {"n": len(groups), "groups": len(set(groups)), "left_out": left_out}


def answer(
    db: Database,
    sides: Sides,
    base: Matched,
    sets: Sequence[Rows],
    named: Cell | None,
    question: Question,
) -> pl.DataFrame:
    """Compute the frame.

    Parameters
    ----------
    base : Matched
        The rows of the originals.
    sets : sequence of Rows
        The alterations, those that have the same rows together.
    named : Cell, optional
        Chosen on half of the groups without it.
    """
    count = sum(len(one.alterations) for one in sets)
    title = f"{sides[0].name} x {sides[1].name}, {count} variant{'s' if count > 1 else ''}"
    with question.progress.task(title, 2 + len(sets) * (1 + question.maps)) as task:
        where = _choose(sides, base, named, question)
        sets = _enough(sets, where, question)
        task.advance(1)
        rows: list[Row] = []
        found: list[tuple[Rows, CellScores]] = []
        for one in sets:
            found.append((one, _at_cell(sides, one, where, question)))
            facts = where.facts(one.matched)
            rows += cell_rows(found[-1][1], one.alterations, question.fits, facts)
            task.advance(1)
        rows += _groups(db, sides, found, where, question)
        rows += _controls(sides, found, where, question)
        task.advance(1)
        at = {"vision_layer": where.cell.vision, "language_layer": where.cell.language}
        rows = [{**row, **at, "scope": "cell", "cell_rule": where.cell.rule} for row in rows]
        if not any(one.matched.digest == base.digest for one in sets):
            sets = [*sets, Rows(base, (), 0)]  # the floor of the maps is that of all rows
        for one in sets if question.maps else ():
            rows += _maps(sides, one, base, question)
            task.advance(1)
    return _frame(rows, sides, question)


def _choose(sides: Sides, base: Matched, named: Cell | None, question: Question) -> _Scored:
    """Fix the cell by the originals, on groups that are then not scored."""
    if named is not None:
        return _Scored(named, base, frozenset())
    half = choosing_half(base.groups, question.seed)
    if half is None:
        return _Scored(last(sides, len(set(base.groups))), base, frozenset())
    vectors = read(sides, base, (), question.device).at(half)
    maps = question.metric.compute(
        *vectors.originals, groups=vectors.groups, folds=question.folds, seed=question.seed
    )
    rule = f"best of the originals on {len(set(vectors.groups))} other groups"
    spent = frozenset(one for one, first in zip(base.image_ids, half, strict=True) if first)
    return _Scored(Cell(*best(maps, (sides[0].name, sides[1].name)), rule), base, spent)


def _enough(sets: Sequence[Rows], where: _Scored, question: Question) -> list[Rows]:
    """Leave out, or refuse, the alterations that have too few scored rows for the folds."""
    kept: list[Rows] = []
    for one in sets:
        names = ", ".join(each.name for each in one.alterations)
        try:
            groups = where.groups(one.matched)
            check_folds(groups, question.folds, question.metric.metric.rows_a_fold)
        except InputError as error:
            told = f"{names}: {error}"
            if not question.every:
                raise InputError(told) from error
            question.progress.say(f"left out, {told}")
        else:
            kept.append(one)
    if not kept:
        raise InputError(
            "every variant has too few rows for the folds: use fewer folds, or more items"
        )
    return kept


def _at_cell(sides: Sides, one: Rows, where: _Scored, question: Question) -> CellScores:
    cell = where.cell.vision, where.cell.language
    vectors = read(sides, one.matched, one.alterations, question.device, cell)
    return score(
        question.metric,
        vectors.at(where.of(one.matched)),
        one.alterations,
        question.fits,
        folds=question.folds,
        seed=question.seed,
    )


def _groups(
    db: Database,
    sides: Sides,
    found: Sequence[tuple[Rows, CellScores]],
    where: _Scored,
    question: Question,
) -> Iterator[Row]:
    """Compare the kinds of alteration of each side, on the rows that all alterations of that side have."""
    every = [one for rows, _ in found for one in rows.alterations]
    for altered in dict.fromkeys(one.altered for one in every):
        mine = tuple(one for one in every if one.altered == altered)
        scored = next(
            ((rows, scores) for rows, scores in found if set(mine) <= set(rows.alterations)), None
        )
        if scored is None:
            try:
                common = together(db, sides, mine, question.captions, question.datasets)
                check_folds(
                    where.groups(common), question.folds, question.metric.metric.rows_a_fold
                )
            except InputError as error:
                question.progress.say(
                    f"the kinds of {altered} variants are not compared: too few rows have all {len(mine)} of them "
                    f"({error})"
                )
                continue
            rows = Rows(common, mine, len(where.base) - len(common))
            scored = rows, _at_cell(sides, rows, where, question)
        yield from group_rows(scored[1], mine, question.fits, where.facts(scored[0].matched))


def _controls(
    sides: Sides,
    found: Sequence[tuple[Rows, CellScores]],
    where: _Scored,
    question: Question,
) -> Iterator[Row]:
    """Give what mismatched pairs of all scored originals lose."""
    same = (scores for rows, scores in found if rows.matched.digest == where.base.digest)
    scores = next(same, None) or _at_cell(sides, Rows(where.base, (), 0), where, question)
    if not scores.floors:
        question.progress.say("no floor: more than half of the rows share images or captions")
    yield from floor_rows(scores, question.fits, where.facts(where.base))


def _maps(sides: Sides, one: Rows, base: Matched, question: Question) -> Iterator[Row]:
    """Give the whole maps of alterations, with those of all originals that of their mismatched pairs."""
    matched, members = one.matched, one.alterations
    facts = {
        "scope": "map",
        "n": len(matched),
        "groups": len(set(matched.groups)),
        "left_out": len(base) - len(matched),
    }
    vectors = read(sides, matched, members, question.device)
    partner = partners(matched.groups, question.seed) if matched.digest == base.digest else None
    if partner is not None:
        vectors = vectors.turned(MISMATCHED.language, partner)
        members = (*members, MISMATCHED)
    pairs = delta_maps(
        question.metric,
        vectors,
        members,
        question.fits,
        folds=question.folds,
        seed=question.seed,
    )
    return map_rows(pairs, facts)


def _frame(rows: Sequence[Row], sides: Sides, question: Question) -> pl.DataFrame:
    everywhere = {
        "vision": sides[0].name,
        "language": sides[1].name,
        "metric": question.metric.name,
        "captions": question.captions,
        "folds": question.folds,
        "seed": question.seed,
        "vision_fingerprint": sides[0].recipe.fingerprint,
        "language_fingerprint": sides[1].recipe.fingerprint,
    }
    frame = tidy(rows, everywhere)
    for side, space in zip(("vision", "language"), sides, strict=True):
        names = [(i, one.name, one.depth) for i, one in enumerate(space.layers)]
        frame = with_layers(frame, pl.DataFrame(names, schema=_LAYERS, orient="row"), side)
    return frame


_LAYERS: dict[str, Any] = {"layer": pl.Int64, "name": pl.String, "depth": pl.Float64}
