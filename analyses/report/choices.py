"""The claim about forced choices: the map between two models chooses as people did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analyses.intervals import Estimate
from analyses.pictures.forced_choice import TRIALS
from analyses.pictures.frames import CONTROLS, DIRECTIONS, TIMES
from analyses.report.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from analyses.report.claims import Claim, Verdict

_SAME: Final = ("direction", "fit", "captions", "folds", "seed", "datasets")
MISMATCHED: Final = "mismatched"


def ask_choices(
    claim: Claim,
    frame: pl.DataFrame,
    twins: Mapping[str, Sequence[str]],
    untrained: Collection[str],
) -> Iterator[Finding]:
    """Ask it of each pair of trained spaces, kind of trial and map of forced-choice frames."""
    rows = frame.filter(
        pl.col("scope") == "cell", pl.col("level") == "trial", pl.col("gap_low").is_null()
    )
    own = rows.filter(
        pl.col("control") == "none",
        ~pl.col("vision").is_in(list(untrained)),
        ~pl.col("language").is_in(list(untrained)),
    )
    same = [name for name in _SAME if name in frame.columns]
    for row in own.iter_rows(named=True):
        beside = rows.filter([pl.col(name).eq_missing(pl.lit(row[name])) for name in same])
        yield _finding(claim, row, dict(_controls(row, beside, twins)))


def _finding(
    claim: Claim,
    row: Mapping[str, Any],
    controls: Mapping[str, Estimate],
) -> Finding:
    mine = _estimate(row)
    seen = f"{mine:.3f} of {row['n']} choices, at vision layer {row['vision_layer']} and language layer "
    seen += str(row["language_layer"])
    if row["human"] is not None:
        seen += f"; one judge agrees with the others in {row['human']:.3f}"
    lacking = _lacking(controls)
    if lacking:
        verdict: Verdict = "not testable here"
        seen, words = f"{seen}. Not testable here: {lacking}", lacking
    else:
        strongest = max(controls, key=lambda name: controls[name].high)
        above = mine.low > row["chance"] and mine.above(controls[strongest])
        verdict = "holds" if above else "does not hold"
        words = f"{mine:.3f}, the strongest control, {strongest}: {controls[strongest]:.3f}"
    return Finding(
        claim.text,
        f"{row['vision']} {TIMES} {row['language']}, {TRIALS.get(row['direction'], row['direction'])}",
        DIRECTIONS.get(row["fit"], row["fit"]),
        f"{seen}.",
        tuple(f"{name}: {other:.3f}" for name, other in controls.items()),
        verdict,
        claim.rule,
        claim.name,
        words,
    )


def _controls(
    row: Mapping[str, Any], beside: pl.DataFrame, twins: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, Estimate]]:
    for one in beside.iter_rows(named=True):
        pair = one["vision"], one["language"]
        if one["control"] != "none":
            if pair[0] == row["vision"] and pair[1] in {row["language"], one["control"]}:
                yield CONTROLS.get(one["control"], one["control"]), _estimate(one)
        elif pair[0] in twins.get(row["vision"], ()) and pair[1] == row["language"]:
            yield f"random-init vision ({pair[0]})", _estimate(one)
        elif pair[1] in twins.get(row["language"], ()) and pair[0] == row["vision"]:
            yield f"random-init language ({pair[1]})", _estimate(one)


def _lacking(controls: Mapping[str, Estimate]) -> str:
    needed = ["random-init vision", "random-init language", MISMATCHED]
    missing = [name for name in needed if not any(one.startswith(name) for one in controls)]
    return f"there is no {' and no '.join(missing)} to compare with" if missing else ""


def _estimate(row: Mapping[str, Any]) -> Estimate:
    return Estimate(row["score"], row["low"], row["high"])
