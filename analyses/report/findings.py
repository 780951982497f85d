"""From the frames of the analyses to findings: each claim, asked of each pair and direction, beside its controls."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import polars as pl

from analyses.pictures.frames import CONTROLS, DIRECTIONS, TIMES, in_order, score_title
from analyses.report.altered import ask_deltas
from analyses.report.choices import ask_choices
from analyses.report.claims import BAG, CLAIMS, Claim
from analyses.report.finding import Finding
from analyses.report.settings import Compared, alike, settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_UNASKED: Final = "not yet asked of this store"
_SAID: Final = {
    "holds": ("holds", "hold"),
    "does not hold": ("does not hold", "do not hold"),
    "not testable here": ("cannot be tested here", "cannot be tested here"),
}

_ASKING: Final = {"deltas": ask_deltas, "choices": ask_choices}
"""How a claim is put to a frame that is neither a map nor a curve."""


def findings(
    alignment: Sequence[pl.DataFrame],
    exemplars: Sequence[pl.DataFrame],
    twins: Mapping[str, Sequence[str]],
    untrained: Collection[str] = (),
    perturbation: Sequence[pl.DataFrame] = (),
    forced_choice: Sequence[pl.DataFrame] = (),
) -> list[Finding]:
    """Put the study's five claims to the frames of one store.

    Parameters
    ----------
    alignment : sequence of pl.DataFrame
        Frames of alignment analyses, controls among them.
    exemplars : sequence of pl.DataFrame
        Frames of exemplar-avg analyses.
    twins : mapping of str to sequence of str
        The random-init twins of a space.
    untrained : collection of str
        Further spaces that were never trained, no trained space's twins: no claim is asked of them.
    perturbation, forced_choice : sequences of pl.DataFrame
        Frames of these analyses.

    Returns
    -------
    list of Finding
        One for each claim, pair of trained spaces, metric and direction, in the order of the claims.
    """
    frames = {
        "map": _together(alignment),
        "curve": _together(exemplars),
        "deltas": _together(perturbation),
        "choices": _together(forced_choice),
    }
    never = {*untrained, *(twin for several in twins.values() for twin in several)}
    found: list[Finding] = []
    for claim in CLAIMS:
        frame = frames.get(claim.asks or "")
        ask = _ASKING.get(claim.asks or "", _ask)
        asked = [] if frame is None else list(ask(claim, frame, twins, never))
        found += asked or [Finding(claim.text, "", "", "", (), _UNASKED, claim.rule, claim.name)]
    return found


def summary(found: Sequence[Finding]) -> str:
    """Count the verdicts, in a sentence."""
    asked = [finding for finding in found if finding.verdict != _UNASKED]
    if not asked:
        return "Nothing has been asked of this store yet."
    counts = {verdict: sum(f.verdict == verdict for f in asked) for verdict in _SAID}
    told = ", ".join(
        f"{count} {_SAID[verdict][count != 1]}" for verdict, count in counts.items() if count
    )
    questions = "question was" if len(asked) == 1 else "questions were"
    return f"{len(asked)} {questions} put to the store: {told}."


def _ask(
    claim: Claim,
    frame: pl.DataFrame,
    twins: Mapping[str, Sequence[str]],
    untrained: Collection[str],
) -> Iterator[Finding]:
    """Ask a claim of each pair of trained spaces, metric, kind of average, direction and settings."""
    if claim.test is None:
        return
    kinds = [
        "metric",
        *(name for name in ("average", "group") if name in frame.columns),
        "direction",
    ]
    trained = frame.filter(
        pl.col("control") == "none",
        ~pl.col("vision").is_in(list(untrained)),
        ~pl.col("language").is_in(list(untrained)),
    )
    own = [*settings(frame), *(["ks"] if "ks" in frame.columns else [])]
    for _, main in trained.group_by("vision", "language", *kinds, *own, maintain_order=True):
        head = main.row(0, named=True)
        rows = frame.filter(pl.all_horizontal(pl.col(name) == head[name] for name in kinds))
        controls = _controls(rows, main, twins)
        answer = claim.test(main, controls)
        kind = f", {head['average']} averaged within {head['group']}" if "group" in head else ""
        kind += _settings_told(trained, head, own)
        pair = f"{head['vision']} {TIMES} {head['language']}, {score_title(head['metric'])}{kind}"
        direction = DIRECTIONS.get(head["direction"], head["direction"])
        yield Finding(
            claim.text,
            pair,
            direction,
            answer.seen,
            answer.controls,
            answer.verdict,
            claim.rule,
            claim.name,
            answer.words,
        )


def _settings_told(trained: pl.DataFrame, head: Mapping[str, object], own: Sequence[str]) -> str:
    """Name the settings in which several answers to one question differ."""
    same = trained.filter(
        [pl.col(name) == head[name] for name in ("vision", "language", "metric", "direction")]
    )
    return "".join(f", {name} {head[name]}" for name in own if same[name].n_unique() > 1)


def _controls(
    frame: pl.DataFrame, main: pl.DataFrame, twins: Mapping[str, Sequence[str]]
) -> Compared:
    """Find the controls of a pair, named as people call them, and part them by whether they can be compared."""
    vision, language = main.select("vision", "language").row(0)
    every: dict[str, pl.DataFrame] = {}
    for v, w in product((vision, *twins.get(vision, ())), (language, *twins.get(language, ()))):
        name = _twin_name(main, (v, w), twins)
        if name:
            every[name] = _of(frame, v, w, "none")
    every[BAG] = frame.filter(pl.col("vision") == vision, pl.col("control") == "bag-of-words")
    mine = frame.filter(pl.col("vision") == vision, pl.col("language") == language)
    for control in in_order(mine["control"].to_list(), CONTROLS):
        if control != "none":
            every[CONTROLS.get(control, control)] = _of(frame, vision, language, control)
    there = {name: rows for name, rows in every.items() if not rows.is_empty()}
    fit = {name: alike(main, rows) for name, rows in there.items()}
    return Compared(
        {name: rows for name, rows in fit.items() if not rows.is_empty()},
        tuple(name for name, rows in fit.items() if rows.is_empty()),
    )


def _twin_name(
    main: pl.DataFrame, pair: tuple[str, str], twins: Mapping[str, Sequence[str]]
) -> str:
    """Call a pair by the side that is untrained in it, and by the twins' names where a space has several."""
    own = main.select("vision", "language").row(0)
    other = [twin != space for twin, space in zip(pair, own, strict=True)]
    if not any(other):
        return ""
    side = "both" if all(other) else ("vision", "language")[other.index(True)]
    several = [
        twin
        for twin, space in zip(pair, own, strict=True)
        if twin != space and len(twins[space]) > 1
    ]
    return f"random-init {side}" + (f" ({', '.join(several)})" if several else "")


def _of(frame: pl.DataFrame, vision: str, language: str, control: str) -> pl.DataFrame:
    return frame.filter(
        pl.col("vision") == vision, pl.col("language") == language, pl.col("control") == control
    )


def _together(frames: Sequence[pl.DataFrame]) -> pl.DataFrame | None:
    """Put frames together, without the cells that have no score, or no delta."""
    scored = [
        frame.drop_nulls("score" if "score" in frame.columns else "delta") for frame in frames
    ]
    some = [frame for frame in scored if not frame.is_empty()]
    return pl.concat(some, how="vertical_relaxed") if some else None
