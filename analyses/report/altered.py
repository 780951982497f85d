"""The claim about alterations: those that change what is there cost more than those that change its looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analyses.intervals import Estimate
from analyses.pictures.frames import DIRECTIONS, TIMES
from analyses.report.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from analyses.report.claims import Claim, Verdict

_ONE: Final = ("vision", "language", "metric", "altered", "fit", "direction")
_SAME: Final = ("captions", "folds", "seed", "datasets")
_FITS: Final = {
    "transfer": "map of the originals",
    "refit": "fitted again",
    "recomputed": "computed again",
}


def ask_deltas(
    claim: Claim,
    frame: pl.DataFrame,
    twins: Mapping[str, Sequence[str]],
    untrained: Collection[str],
) -> Iterator[Finding]:
    """Ask it of each pair of trained spaces, metric, side, fit and direction of perturbation frames.

    Where no side has alterations of both kinds, each pair gives one finding that says so.
    """
    rows = frame.filter(pl.col("scope") == "cell")
    trained = rows.filter(
        ~pl.col("vision").is_in(list(untrained)), ~pl.col("language").is_in(list(untrained))
    )
    settings = [name for name in _SAME if name in frame.columns]
    for _, pair in trained.group_by("vision", "language", "metric", maintain_order=True):
        both = pair.filter(pl.col("level") == "difference")
        if both.is_empty():
            yield _untestable(claim, pair)
        for row in both.iter_rows(named=True):
            same = _like(rows, row, ("metric", "altered", "fit", "direction", *settings))
            yield _finding(claim, row, same, twins)


def _finding(
    claim: Claim, row: Mapping[str, Any], same: pl.DataFrame, twins: Mapping[str, Sequence[str]]
) -> Finding:
    own = _like(same, row, ("vision", "language"))
    kinds = {one["variant"]: one for one in own.filter(level="group").iter_rows(named=True)}
    told = [
        f"{kind} {_estimate(kinds[kind]):+.3f} ({_members(own, kind)})"
        for kind in ("appearance", "semantic")
    ]
    gap, semantic = _estimate(row), _estimate(kinds["semantic"])
    seen = f"of {row['score_original']:.3f}: {'; '.join(told)}; semantic less appearance {gap:+.3f}"
    verdict: Verdict = "holds" if gap.high < 0 and semantic.high < 0 else "does not hold"
    words = f"delta of semantic less appearance-only alterations {gap:+.3f}"
    return Finding(
        claim.text,
        f"{_pair(row)}, {row['altered']} altered, {_FITS.get(row['fit'], row['fit'])}",
        DIRECTIONS.get(row["direction"], row["direction"]),
        f"{seen[0].upper()}{seen[1:]}.",
        tuple(_controls(row, same, twins)),
        verdict,
        claim.rule,
        claim.name,
        words,
    )


def _controls(
    row: Mapping[str, Any], same: pl.DataFrame, twins: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Tell what there is to lose, and what the same alterations cost untrained models."""
    if row["floor"] is not None:
        yield f"mismatched pairs: {row['floor']:.3f}"
    for side, other in (("vision", "language"), ("language", "vision")):
        for twin in twins.get(row[side], ()):
            found = same.filter(
                pl.col("level") == "difference",
                pl.col(side) == twin,
                pl.col(other) == row[other],
            )
            for one in found.iter_rows(named=True):
                yield f"random-init {side} ({twin}): semantic less appearance {_estimate(one):+.3f}"


def _members(rows: pl.DataFrame, kind: str) -> str:
    names = rows.filter(level="variant", kind=kind)["variant"].unique().sort().to_list()
    return ", ".join(names)


def _untestable(claim: Claim, pair: pl.DataFrame) -> Finding:
    head = pair.row(0, named=True)
    kinds = pair.filter(pl.col("level") == "group")["variant"].unique().sort().to_list()
    why = f"no side has both appearance-only and semantic alterations, only {', '.join(kinds)}"
    return Finding(
        claim.text,
        _pair(head),
        "",
        f"Not testable here: {why}.",
        (),
        "not testable here",
        claim.rule,
        claim.name,
        why,
    )


def _pair(row: Mapping[str, Any]) -> str:
    return f"{row['vision']} {TIMES} {row['language']} ({row['metric']})"


def _estimate(row: Mapping[str, Any]) -> Estimate:
    return Estimate(row["delta"], row["low"], row["high"])


def _like(rows: pl.DataFrame, row: Mapping[str, Any], columns: Sequence[str]) -> pl.DataFrame:
    return rows.filter([pl.col(name).eq_missing(pl.lit(row[name])) for name in columns])
