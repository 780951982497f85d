"""The study's claims, and the rule by which each of them holds or does not.

Every verdict follows from a rule that is written out on the page. The rules are fixed here, before any number is known;
nothing in them is fitted to a store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import polars as pl

from analyses.intervals import Estimate, chosen_on_others, difference, of_folds
from analyses.pictures.frames import TIMES, peak

Verdict = Literal["holds", "does not hold", "not testable here", "not yet asked of this store"]

LATE: Final = 0.5
"""Relative depth from which a layer counts as mid-to-late: the second half of the model."""


class Answer(NamedTuple):
    """What a claim's test says of one pair and direction: what was seen, of each control too, and the verdict."""

    seen: str
    controls: tuple[str, ...]
    verdict: Verdict


Test = Callable[[pl.DataFrame, Mapping[str, pl.DataFrame]], Answer]
"""From the rows of a pair and those of each of its controls, by name, to an answer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something the study found.

    Attributes
    ----------
    text : str
    rule : str
        When it holds, in words; for a claim without a test, what would be needed.
    asks : {"map", "curve", None}
        The frame it is asked of: an alignment map, an exemplar curve, or none that this release computes.
    test : callable, optional
        The rule as code.
    """

    text: str
    rule: str
    asks: Literal["map", "curve"] | None = None
    test: Test | None = None


def aligned(main: pl.DataFrame, controls: Mapping[str, pl.DataFrame]) -> Answer:
    """Compare a map's best cell with the best cell of each control's map, each chosen on other folds."""
    estimate = _estimate(main)
    others = {name: _estimate(rows) for name, rows in controls.items()}
    told = tuple(f"{name}: {other}" for name, other in others.items())
    seen = f"{estimate}, on the whole best at {_where(peak(main))}"
    if others:
        strongest = max(others, key=lambda name: others[name].score)
        seen += f", against {others[strongest]} for the strongest control, {strongest}"
    untrained = any(name.startswith("random-init") for name in controls)
    lacking = [] if untrained else ["random-init twin"]
    lacking += [] if "bag of words" in controls else ["bag of words"]
    if lacking:
        missing = f"{seen}. There is no {' and no '.join(lacking)} to compare with."
        return Answer(missing, told, "not testable here")
    if not all(one.bounded for one in (estimate, *others.values())):
        return Answer(f"{seen}. The scores come without intervals.", told, "not testable here")
    above = all(estimate.above(other) for other in others.values())
    return Answer(f"{seen}.", told, "holds" if above else "does not hold")


def late(main: pl.DataFrame, controls: Mapping[str, pl.DataFrame]) -> Answer:
    """Compare the best mid-to-late cell with the best of the other cells, fold by fold."""
    told = tuple(f"{name}: {_where(peak(rows))}" for name, rows in controls.items())
    seen = f"Best cell at {_where(peak(main))}."
    both = (pl.col("vision_depth") >= LATE) & (pl.col("language_depth") >= LATE)
    inside, outside = main.filter(both), main.filter(~both)
    if inside.is_empty() or outside.is_empty():
        return Answer(f"{seen} No layers on both sides of depth {LATE}.", told, "not testable here")
    deep, other = (chosen_on_others(rows["fold_scores"].to_list()) for rows in (inside, outside))
    gap = difference(deep, other)
    if not gap.bounded:
        return Answer(f"{seen} The scores come without intervals.", told, "not testable here")
    seen += f" Best mid-to-late cell less best of the others: {gap:+.3f}."
    return Answer(seen, told, "holds" if gap.low > 0 else "does not hold")


def averaged(main: pl.DataFrame, controls: Mapping[str, pl.DataFrame]) -> Answer:
    """Compare the ends of a curve with each other and with its controls' ends."""
    curve = _Curve.of(main)
    others = {name: _Curve.of(rows) for name, rows in controls.items()}
    told = tuple(f"{name}: {other}" for name, other in others.items())
    if curve.least == curve.most:
        return Answer(
            f"{curve}. One number of exemplars makes no curve.", told, "not testable here"
        )
    mismatched = others.get("mismatched")
    if mismatched is None:
        return Answer(f"{curve}. No mismatched average to compare with.", told, "not testable here")
    above = all(curve.end.above(other.end) for other in others.values())
    holds = curve.rises and above and not mismatched.rises
    return Answer(f"{curve}.", told, "holds" if holds else "does not hold")


CLAIMS: Final = (
    Claim(
        "1. Trained models align, above random-init twins and a bag of words",
        "Holds when the 95 % interval of the best cell lies wholly above the interval of the best cell of every "
        "control. The best cell of each map, the controls' too, is chosen on all folds but one and scored on that "
        "one, in turn; the intervals are Student's, over the folds.",
        "map",
        aligned,
    ),
    Claim(
        "2. Alignment peaks in the mid-to-late layers of both models",
        f"Holds when the best cell among those at relative depth {LATE} or more in both models scores above the best "
        "of all other cells, both chosen on all folds but one and scored on that one: the 95 % interval of the "
        "difference, fold by fold, lies wholly above zero.",
        "map",
        late,
    ),
    Claim(
        "3. Averaging exemplars raises alignment; averaging mismatched ones does not",
        "Holds when the 95 % interval at the largest number averaged lies wholly above the one at the smallest and "
        "above that of every control at the largest, and the mismatched average does not rise in the same sense.",
        "curve",
        averaged,
    ),
    Claim(
        "4. What is seen matters, its looks do not: grayscale changes alignment hardly at all, removing the objects "
        "or scrambling the words makes it collapse",
        "Needs altered images and captions, which this release does not make.",
    ),
    Claim(
        "5. The models choose as people do: of two images for a caption, and of two captions for an image, the one "
        "that people prefer aligns better",
        "Needs forced choices, which this release does not ask.",
    ),
)
"""The findings of "Seeing Through Words, Speaking Through Pixels" (He, Trott and Khosla, EMNLP 2025)."""


@dataclass(frozen=True, slots=True)
class _Curve:
    """The two ends of an exemplar curve."""

    least: int
    start: Estimate
    most: int
    end: Estimate

    @classmethod
    def of(cls, rows: pl.DataFrame) -> _Curve:
        first, last = rows.sort("k").row(0, named=True), rows.sort("k").row(-1, named=True)
        start, end = (Estimate(row["score"], row["low"], row["high"]) for row in (first, last))
        return cls(first["k"], start, last["k"], end)

    @property
    def rises(self) -> bool:
        return self.end.above(self.start)

    def __str__(self) -> str:
        return f"{self.start} with {self.least}, {self.end} with {self.most}"


def _estimate(cells: pl.DataFrame) -> Estimate:
    """Score a map's best cell; where there are no folds to choose it on, it keeps the luck of the choice."""
    scores = chosen_on_others(cells["fold_scores"].to_list())
    if scores is None:
        return of_folds(None, peak(cells)["score"])
    return of_folds(scores, sum(scores) / len(scores))


def _where(row: Mapping[str, Any]) -> str:
    if row["control"] == "bag-of-words":
        return f"vision layer {row['vision_layer']} (depth {row['vision_depth']:.2f})"
    return (
        f"layers {row['vision_layer']} {TIMES} {row['language_layer']} "
        f"(depths {row['vision_depth']:.2f} and {row['language_depth']:.2f})"
    )
