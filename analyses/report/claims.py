"""The study's claims, and the rule by which each of them holds or does not.

Every verdict follows from a rule that is written out on the page; none is fitted to a store. The rule of claim 1 was
made a paired one after its figures on the demo were known, for the reason that docs/design/statistics.md gives. The
rule of claim 4 asked less than its text said; its bound of 0.9 was set before the share of a group was ever computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import polars as pl

from analyses.intervals import Estimate, chosen_on_others, difference, of_folds
from analyses.pictures.frames import CONTROLS, TIMES, peak
from analyses.report.altered import COLLAPSE, NEARLY_ALL
from analyses.report.settings import Compared

Verdict = Literal["holds", "does not hold", "not testable here", "not yet asked of this store"]

LATE: Final = 0.5
"""Relative depth from which a layer belongs to the second half of its model."""

BAG: Final = CONTROLS["bag-of-words"]
MISMATCHED: Final = CONTROLS["mismatched"]
_TWINS: Final = ("random-init vision", "random-init language")


class Answer(NamedTuple):
    """What a claim's test says of one pair and direction: what was seen, of each control too, the verdict, and why."""

    seen: str
    controls: tuple[str, ...]
    verdict: Verdict
    words: str


Test = Callable[[pl.DataFrame, Compared], Answer]
"""From the rows of a pair and its controls to an answer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something the study found.

    Attributes
    ----------
    text : str
    name : str
        The claim in three or four words.
    rule : str
        When it holds, in words; for a claim without a test, what would be needed.
    asks : {"map", "curve", "deltas", "choices"}
        The frame it is asked of: an alignment map, an exemplar curve, what alterations cost, or forced choices.
    test : callable, optional
        The rule as code; those of alterations and of choices stand in analyses.report.altered and choices.
    """

    text: str
    name: str
    rule: str
    asks: Literal["map", "curve", "deltas", "choices"] | None = None
    test: Test | None = None


def aligned(main: pl.DataFrame, controls: Compared) -> Answer:
    """Compare a map's best cell with that of each control's map, fold by fold, each chosen on the other folds."""
    scores = _best(main)
    others = {name: _best(rows) for name, rows in controls.there.items()}
    gaps = {name: difference(scores, other) for name, other in others.items()}
    told = tuple(
        f"{name}: {_estimate(rows, others[name])}; difference {_or_unknown(gaps[name])}"
        for name, rows in controls.there.items()
    )
    seen = f"{_estimate(main, scores)}, on the whole best at {_where(peak(main))}"
    lacking = _lacking(controls, (*_TWINS, BAG))
    if lacking:
        return Answer(f"{seen}. Not testable here: {lacking}.", told, "not testable here", lacking)
    if not all(gap.bounded for gap in gaps.values()):
        why = "the scores come without fold intervals"
        return Answer(f"{seen}. Not testable here: {why}.", told, "not testable here", why)
    strongest = min(gaps, key=lambda name: gaps[name].low)
    words = f"{gaps[strongest]:+.3f} over the strongest control, {strongest}"
    verdict: Verdict = "holds" if gaps[strongest].low > 0 else "does not hold"
    degrees = len(scores or ()) - 1
    return Answer(f"{seen}; {words} (paired by fold, df = {degrees}).", told, verdict, words)


def late(main: pl.DataFrame, controls: Compared) -> Answer:
    """Compare the best cell of both second halves with the best of the other cells, fold by fold."""
    told = tuple(f"{name}: {_where(peak(rows))}" for name, rows in controls.there.items())
    best = peak(main)
    shape = _shape(main, best)
    seen = f"Best cell at {_where(best)}: {shape}."
    both = (pl.col("vision_depth") >= LATE) & (pl.col("language_depth") >= LATE)
    inside, outside = main.filter(both), main.filter(~both)
    if inside.is_empty() or outside.is_empty():
        why = f"no layers on both sides of depth {LATE}"
        return Answer(f"{seen} Not testable here: {why}.", told, "not testable here", why)
    gap = difference(_best(inside), _best(outside))
    if not gap.bounded:
        why = "the scores come without fold intervals"
        return Answer(f"{seen} Not testable here: {why}.", told, "not testable here", why)
    words = f"{gap:+.3f} over the best cell elsewhere"
    seen += f" Best cell of both second halves: {words}."
    verdict: Verdict = "holds" if gap.low > 0 else "does not hold"
    return Answer(seen, told, verdict, f"{words}; {shape}")


def averaged(main: pl.DataFrame, controls: Compared) -> Answer:
    """Compare the ends of a curve with each other and with its controls at the same numbers averaged."""
    ks = main["k"].sort().to_list()
    least, most = ks[0], ks[-1]
    curve = _Curve.of(main, least, most)
    others = {name: _Curve.of(rows, least, most) for name, rows in controls.there.items()}
    told = tuple(f"{name}: {other}" for name, other in others.items())
    lacking = _lacking(controls, (*_TWINS, MISMATCHED))
    if least == most:
        lacking = "one number of exemplars makes no curve"
    if lacking:
        return Answer(f"{curve}. Not testable here: {lacking}.", told, "not testable here", lacking)
    strongest = max(others, key=lambda name: others[name].end.high)
    rising = [name for name, other in others.items() if name.startswith(MISMATCHED) and other.rises]
    rise = f"{curve.start} with {least} to {curve.end} with {most}"
    verdict: Verdict = "does not hold"
    if not curve.rises:
        words = f"no clear rise, {rise}"
    elif not curve.end.above(others[strongest].end):
        words = f"{rise}, not clear of {strongest}: {others[strongest].end}"
    elif rising:
        words = f"{rise}, but the {rising[0]} average rises too: {others[rising[0]]}"
    else:
        verdict = "holds"
        words = f"{rise}, above the strongest control, {strongest}: {others[strongest].end}"
    return Answer(f"{words[0].upper()}{words[1:]}.", told, verdict, words)


CLAIMS: Final = (
    Claim(
        "1. Trained models align, above random-init twins and a bag of words",
        "Alignment above its controls",
        "Holds when the best cell scores above the best cell of every control, those of a random-init twin of each "
        "side and of a bag of words among them: the 95 % interval of the difference lies wholly above zero. The best "
        "cell of each map, the controls' too, is chosen on all folds but one and scored on that one, in turn; the "
        "differences are paired by fold, on the same items and folds, and the intervals are Student's, with one degree "
        "of freedom less than there are folds. Folds share their training items, so these intervals are rough.",
        "map",
        aligned,
    ),
    Claim(
        "2. Alignment is higher in the second half of both models than elsewhere; that it peaks there, before the last "
        "layer, is not tested",
        "Higher in both second halves",
        f"Holds when the best cell among those at relative depth {LATE} or more in both models scores above the best "
        "of all other cells, both chosen on all folds but one and scored on that one: the 95 % interval of the "
        "difference, fold by fold, lies wholly above zero. A rise up to the last layers holds as a peak before them "
        "does; which of them it is stands beside it. Fold intervals are rough.",
        "map",
        late,
    ),
    Claim(
        "3. Averaging exemplars raises alignment; averaging mismatched ones does not",
        "Averaging raises alignment",
        "Holds when the 95 % interval at the largest number averaged lies wholly above the one at the smallest and "
        "above that of every control at the largest, a random-init twin of each side and a mismatched average among "
        "them, and the mismatched average does not rise in the same sense. Controls are read at the same numbers, on "
        "as many groups, draws and folds.",
        "curve",
        averaged,
    ),
    Claim(
        "4. What is seen matters, its looks hardly do: alterations of looks alone leave nearly all of the alignment, "
        "and removing objects or scrambling words costs more",
        "Meaning, not looks",
        f"Holds when alterations of looks alone retain at least {NEARLY_ALL} of what lies above mismatched pairs (the "
        "95 % interval of their mean lies wholly there); when those that change what is there cost more (the interval "
        "of the mean delta of the semantic ones less that of the appearance-only ones, paired over the same rows, "
        "lies wholly below zero); and when it lies wholly below that of each random-init twin, of either side, under "
        "the same alterations of as many rows. It is asked of each side that has alterations of both kinds; not of a "
        "map that was fitted again to altered targets, which is another task. Whether the semantic ones leave less "
        f"than {COLLAPSE}, a collapse, is said beside it and decides nothing.",
        "deltas",
    ),
    Claim(
        "5. The models choose as people do: of two images for a caption, and of two captions for an image, the one "
        "that people prefer aligns better",
        "Choosing as people do",
        "Holds when the share of choices that agree with the trials' labels, at a cell chosen on other trials, is "
        "above chance and above every control, a random-init twin of each side and mismatched pairs among them: "
        "its 95 % interval lies wholly above one half and above theirs.",
        "choices",
    ),
)
"""The findings of "Seeing Through Words, Speaking Through Pixels" (He, Trott and Khosla, EMNLP 2025)."""


@dataclass(frozen=True, slots=True)
class _Curve:
    """The two ends of an exemplar curve."""

    start: Estimate
    end: Estimate

    @classmethod
    def of(cls, rows: pl.DataFrame, least: int, most: int) -> _Curve:
        ends = (rows.row(by_predicate=pl.col("k") == k, named=True) for k in (least, most))
        return cls(*(Estimate(end["score"], end["low"], end["high"]) for end in ends))

    @property
    def rises(self) -> bool:
        return self.end.above(self.start)

    def __str__(self) -> str:
        return f"{self.start} to {self.end}"


def _lacking(controls: Compared, needed: Sequence[str]) -> str:
    """Say which controls there are none of, or only under other settings; empty where there is nothing to say."""
    said = [f"{name} was run on other items or settings" for name in controls.elsewhere]
    known = (*controls.there, *controls.elsewhere)
    missing = [name for name in needed if not any(one.startswith(name) for one in known)]
    if missing:
        said.append(f"there is no {' and no '.join(missing)} to compare with")
    return "; ".join(said)


def _best(cells: pl.DataFrame) -> list[float] | None:
    return chosen_on_others(cells["fold_scores"].to_list())


def _estimate(cells: pl.DataFrame, scores: list[float] | None) -> Estimate:
    """Score a map's best cell; where there are no folds to choose it on, it keeps the luck of the choice."""
    if scores is None:
        return of_folds(None, peak(cells)["score"])
    return of_folds(scores, sum(scores) / len(scores))


def _or_unknown(gap: Estimate) -> str:
    return f"{gap:+.3f}" if gap.bounded else "unknown"


def _shape(cells: pl.DataFrame, best: Mapping[str, Any]) -> str:
    """Tell a rise to the last layer from a peak before it."""
    last = [
        side
        for side in ("vision", "language")
        if best[f"{side}_layer"] == cells[f"{side}_layer"].max()
    ]
    if not last:
        return "before the last layer of both"
    where = "both models" if len(last) == 2 else f"the {last[0]} model"  # noqa: PLR2004 - both sides
    return f"a rise to the last layer of {where}, not a peak before it"


def _where(row: Mapping[str, Any]) -> str:
    if row["control"] == "bag-of-words":
        named = f" of {row['language_layer_name']}" if row.get("language_layer_name") else ""
        return f"vision layer {row['vision_layer']} (depth {row['vision_depth']:.2f}){named}"
    return (
        f"layers {row['vision_layer']} {TIMES} {row['language_layer']} "
        f"(depths {row['vision_depth']:.2f} and {row['language_depth']:.2f})"
    )
