"""The claim about forced choices: the map between two models chooses as people did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analyses.intervals import Estimate
from analyses.pictures.forced_choice import TRIALS
from analyses.pictures.frames import CONTROLS, DIRECTIONS, TIMES
from analyses.report.finding import Finding
from analyses.report.settings import lacking, with_cell_kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from analyses.report.claims import Claim, Verdict

    Beside = Mapping[str, Sequence[Estimate]]

_SAME: Final = (
    *("direction", "fit", "metric", "pairs", "n", "left_out", "fitted_on", "fit_rule"),
    *("captions", "folds", "seed", "datasets", "cell_kind"),
)
"""What a control has in common with the row it stands beside."""

_QUESTION: Final = ("direction", "fit")
"""What it has in common if it was run at all."""

MISMATCHED: Final = "mismatched"


def ask_choices(
    claim: Claim,
    frame: pl.DataFrame,
    twins: Mapping[str, Sequence[str]],
    untrained: Collection[str],
) -> Iterator[Finding]:
    """Ask it of each pair of trained spaces, kind of trial and map of forced-choice frames."""
    whole = pl.col("level").eq("trial") & pl.col("gap_low").is_null()
    rows = frame.filter(pl.col("scope") == "cell", whole).pipe(with_cell_kind)
    own = rows.filter(
        pl.col("control") == "none",
        ~pl.col("vision").is_in(list(untrained)),
        ~pl.col("language").is_in(list(untrained)),
    )
    for row in own.iter_rows(named=True):
        alike = _controls(row, _like(rows, row, _SAME), twins)
        known = _controls(row, _like(rows, row, _QUESTION), twins)
        yield _finding(claim, row, alike, [name for name in known if name not in alike])


def _finding(
    claim: Claim, row: Mapping[str, Any], controls: Beside, elsewhere: Sequence[str]
) -> Finding:
    mine = _estimate(row)
    seen = f"{mine:.3f} of {row['n']} choices, at vision layer {row['vision_layer']} and language layer "
    seen += str(row["language_layer"])
    if row["human"] is not None:
        seen += f"; one judge agrees with the others in {row['human']:.3f}"
    why = lacking(
        {name: len(found) for name, found in controls.items()},
        elsewhere,
        ("random-init vision", "random-init language", MISMATCHED),
    )
    if why:
        verdict: Verdict = "not testable here"
        seen, words = f"{seen}. Not testable here: {why}", why
    else:
        strongest = max(controls, key=lambda name: controls[name][0].high)
        above = mine.low > row["chance"] and mine.above(controls[strongest][0])
        verdict = "holds" if above else "does not hold"
        words = f"{mine:.3f}, the strongest control, {strongest}: {controls[strongest][0]:.3f}"
    return Finding(
        claim.text,
        f"{row['vision']} {TIMES} {row['language']}, {TRIALS.get(row['direction'], row['direction'])}",
        DIRECTIONS.get(row["fit"], row["fit"]),
        f"{seen}.",
        tuple(f"{name}: {one:.3f}" for name, found in controls.items() for one in found),
        verdict,
        claim.rule,
        claim.name,
        words,
    )


def _controls(
    row: Mapping[str, Any], beside: pl.DataFrame, twins: Mapping[str, Sequence[str]]
) -> dict[str, list[Estimate]]:
    """Name the controls of a row, with all that came out of each."""
    found: dict[str, list[Estimate]] = {}
    for one in beside.iter_rows(named=True):
        name = _named(row, one, twins)
        if name:
            found.setdefault(name, []).append(_estimate(one))
    return found


def _named(
    row: Mapping[str, Any], one: Mapping[str, Any], twins: Mapping[str, Sequence[str]]
) -> str:
    vision, language, control = one["vision"], one["language"], one["control"]
    if control != "none":
        mine = vision == row["vision"] and language in {row["language"], control}
        return CONTROLS.get(control, control) if mine else ""
    if vision in twins.get(row["vision"], ()) and language == row["language"]:
        return f"random-init vision ({vision})"
    if language in twins.get(row["language"], ()) and vision == row["vision"]:
        return f"random-init language ({language})"
    return ""


def _like(rows: pl.DataFrame, row: Mapping[str, Any], columns: Sequence[str]) -> pl.DataFrame:
    known = [name for name in columns if name in rows.columns]
    return rows.filter([pl.col(name).eq_missing(pl.lit(row[name])) for name in known])


def _estimate(row: Mapping[str, Any]) -> Estimate:
    return Estimate(row["score"], row["low"], row["high"])
