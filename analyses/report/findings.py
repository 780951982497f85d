"""From the frames of the analyses to findings: each claim, asked of each pair and direction, beside its controls."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import polars as pl

from analyses.pictures.frames import CONTROLS, DIRECTIONS, TIMES, in_order
from analyses.report.claims import CLAIMS, Claim, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_UNASKED: Final = "not yet asked of this store"
_SAID: Final = {
    "holds": ("holds", "hold"),
    "does not hold": ("does not hold", "do not hold"),
    "not testable here": ("cannot be tested here", "cannot be tested here"),
}
_METRICS: Final = {"linear-predictivity": "linear predictivity", "mutual-knn": "mutual k-NN"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim put to the store.

    Attributes
    ----------
    claim : str
        What the study found.
    pair : str
        The spaces and the metric that it is asked of; empty where it is not asked.
    direction : str
        From which to which.
    seen : str
        What came out, with its interval.
    controls : tuple of str
        What came out of each control.
    verdict : {"holds", "does not hold", "not testable here", "not yet asked of this store"}
    rule : str
        What decides the verdict.
    """

    claim: str
    pair: str
    direction: str
    seen: str
    controls: tuple[str, ...]
    verdict: Verdict
    rule: str


def findings(
    alignment: Sequence[pl.DataFrame],
    exemplars: Sequence[pl.DataFrame],
    twins: Mapping[str, str],
) -> list[Finding]:
    """Put the study's five claims to the frames of one store.

    Parameters
    ----------
    alignment : sequence of pl.DataFrame
        Frames of alignment analyses, controls among them.
    exemplars : sequence of pl.DataFrame
        Frames of exemplar-avg analyses.
    twins : mapping of str to str
        The random-init twin of a space.

    Returns
    -------
    list of Finding
        One for each claim, pair of trained spaces, metric and direction, in the order of the claims.
    """
    frames = {"map": _together(alignment), "curve": _together(exemplars)}
    found: list[Finding] = []
    for claim in CLAIMS:
        frame = frames.get(claim.asks or "")
        asked = [] if frame is None else list(_ask(claim, frame, twins))
        found += asked or [Finding(claim.text, "", "", "", (), _UNASKED, claim.rule)]
    return found


def summary(found: Sequence[Finding]) -> list[str]:
    """Tell the findings in words: the count of verdicts first, then each claim that was asked of a pair."""
    asked = [finding for finding in found if finding.verdict != _UNASKED]
    if not asked:
        return ["Nothing has been asked of this store yet."]
    counts = {verdict: sum(f.verdict == verdict for f in asked) for verdict in _SAID}
    told = ", ".join(
        f"{count} {_SAID[verdict][count != 1]}" for verdict, count in counts.items() if count
    )
    questions = "question was" if len(asked) == 1 else "questions were"
    sentences = [f"{len(asked)} {questions} put to the store: {told}."]
    for claim, pair in dict.fromkeys((f.claim, f.pair) for f in asked):
        mine = [f for f in asked if (f.claim, f.pair) == (claim, pair)]
        parts = [f"{f.direction} {_SAID[f.verdict][0]}: {f.seen}" for f in mine]
        sentences.append(f"{claim}. {pair}, {' '.join(parts)}")
    return sentences


def _ask(claim: Claim, frame: pl.DataFrame, twins: Mapping[str, str]) -> Iterator[Finding]:
    """Ask a claim of each pair of trained spaces, metric, kind of average and direction."""
    if claim.test is None:
        return
    alike = [
        "metric",
        *(name for name in ("average", "group") if name in frame.columns),
        "direction",
    ]
    untrained = list(twins.values())
    trained = frame.filter(
        pl.col("control") == "none",
        ~pl.col("vision").is_in(untrained),
        ~pl.col("language").is_in(untrained),
    )
    heads = trained.select("vision", "language", *alike).unique(maintain_order=True)
    for head in heads.iter_rows(named=True):
        rows = frame.filter(pl.all_horizontal(pl.col(name) == head[name] for name in alike))
        vision, language = head["vision"], head["language"]
        controls = _controls(rows, vision, language, twins)
        answer = claim.test(_of(rows, vision, language, "none"), controls)
        kind = f", {head['average']} averaged within {head['group']}" if "group" in head else ""
        pair = f"{vision} {TIMES} {language} ({_METRICS.get(head['metric'], head['metric'])}{kind})"
        direction = DIRECTIONS.get(head["direction"], head["direction"])
        yield Finding(claim.text, pair, direction, *answer, claim.rule)


def _controls(
    frame: pl.DataFrame, vision: str, language: str, twins: Mapping[str, str]
) -> dict[str, pl.DataFrame]:
    """Find the controls of a pair, named as people call them; those without rows are left out."""
    which = {(False, True): "vision", (True, False): "language", (False, False): "both"}
    there: dict[str, pl.DataFrame] = {}
    for v, w in product((vision, twins.get(vision)), (language, twins.get(language))):
        if v is not None and w is not None and (v, w) != (vision, language):
            there[f"random-init {which[v == vision, w == language]}"] = _of(frame, v, w, "none")
    there["bag of words"] = frame.filter(
        pl.col("vision") == vision, pl.col("control") == "bag-of-words"
    )
    own = frame.filter(pl.col("vision") == vision, pl.col("language") == language)
    for control in in_order(own["control"].to_list(), CONTROLS):
        if control != "none":
            there[CONTROLS.get(control, control)] = _of(frame, vision, language, control)
    return {name: rows for name, rows in there.items() if not rows.is_empty()}


def _of(frame: pl.DataFrame, vision: str, language: str, control: str) -> pl.DataFrame:
    return frame.filter(
        pl.col("vision") == vision, pl.col("language") == language, pl.col("control") == control
    )


def _together(frames: Sequence[pl.DataFrame]) -> pl.DataFrame | None:
    some = [frame for frame in frames if not frame.is_empty()]
    return pl.concat(some, how="vertical_relaxed") if some else None
