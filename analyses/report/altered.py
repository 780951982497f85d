"""The claim about alterations: those of looks leave nearly all of an alignment, those of what is there cost more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from analyses.intervals import Estimate
from analyses.pictures.frames import DIRECTIONS, TIMES
from analyses.report.finding import Finding
from analyses.report.settings import lacking, with_cell_kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from analyses.report.claims import Claim, Verdict

NEARLY_ALL: Final = 0.9
"""Share of the alignment above mismatched pairs that alterations of looks are to leave."""

COLLAPSE: Final = 0.5
"""Share below which what is left is called a collapse; it decides nothing."""

_SIDES: Final = ("images", "captions")
_KINDS: Final = ("appearance", "semantic")
_QUESTION: Final = ("metric", "captions", "folds", "seed", "datasets")
_FITS: Final = {
    "transfer": "map of the originals",
    "refit": "fitted again",
    "recomputed": "computed again",
}


class _Beside(NamedTuple):
    """What the same alterations cost the pairs of one untrained twin: several where it was asked more than once."""

    name: str
    costs: list[Estimate]
    elsewhere: bool


def ask_deltas(
    claim: Claim,
    frame: pl.DataFrame,
    twins: Mapping[str, Sequence[str]],
    untrained: Collection[str],
) -> Iterator[Finding]:
    """Ask it of each pair of trained spaces, metric, side, fit and direction of perturbation frames.

    A side that lacks alterations of one of the kinds gives one finding that says so. A map that was fitted again to
    altered targets is another task, and not asked about.
    """
    rows = frame.filter(pl.col("scope") == "cell").pipe(with_cell_kind)
    trained = rows.filter(
        ~pl.col("vision").is_in(list(untrained)), ~pl.col("language").is_in(list(untrained))
    )
    settings = [name for name in (*_QUESTION, "cell_kind") if name in rows.columns]
    runs = [name for name in ("run_id",) if name in rows.columns]
    for _, pair in trained.group_by("vision", "language", *settings, *runs, maintain_order=True):
        for side in dict.fromkeys((*_SIDES, *pair["altered"].drop_nulls())):
            mine = pair.filter(pl.col("altered") == side)
            gaps = mine.filter(pl.col("level") == "difference")
            asked = [row for row in gaps.iter_rows(named=True) if not _another_task(row)]
            if not asked:
                yield _untestable(claim, pair, side, mine)
            for row in asked:
                same = _like(rows, row, ("altered", "fit", "direction", *settings))
                own = _like(mine, row, ("fit", "direction"))
                yield _finding(claim, row, own, same, twins)


def _another_task(row: Mapping[str, Any]) -> bool:
    return row["fit"] != "transfer" and row.get("target") == "altered"


def _finding(
    claim: Claim,
    row: Mapping[str, Any],
    own: pl.DataFrame,
    same: pl.DataFrame,
    twins: Mapping[str, Sequence[str]],
) -> Finding:
    kinds = {one["variant"]: one for one in own.filter(level="group").iter_rows(named=True)}
    told = [
        f"{kind} {_cost(kinds[kind]):+.3f}, retained {_left(kinds[kind]):.2f} ({_members(own, kind)})"
        for kind in _KINDS
    ]
    gap, looks, meaning = _cost(row), _left(kinds["appearance"]), _left(kinds["semantic"])
    seen = f"Of {row['score_original']:.3f}: {'; '.join(told)}; semantic less appearance {gap:+.3f}"
    if looks.bounded:
        collapse = "a collapse" if meaning.high < COLLAPSE else "no collapse"
        seen += f". {collapse.capitalize()}: semantic ones leave {meaning:.2f}"
    beside = list(_twins(row, own, same, twins))
    verdict, words = _judge(gap, looks, beside, len(own.filter(level="difference")))
    if verdict == "not testable here":
        seen += f". Not testable here: {words}"
    return Finding(
        claim.text,
        f"{_pair(row)}, {row['altered']} altered, {_FITS.get(row['fit'], row['fit'])}",
        DIRECTIONS.get(row["direction"], row["direction"]),
        f"{seen}.",
        (*_floor(kinds), *(_say(one, cost) for one in beside for cost in one.costs)),
        verdict,
        claim.rule,
        claim.name,
        words,
    )


def _judge(
    gap: Estimate, looks: Estimate, beside: Sequence[_Beside], answers: int
) -> tuple[Verdict, str]:
    why = lacking(
        {one.name: len(one.costs) for one in beside},
        [one.name for one in beside if one.elsewhere],
        ("random-init vision", "random-init language"),
    )
    if answers > 1:
        why = f"the pair itself was asked {answers} times alike"
    if not looks.bounded:
        why = "what is retained is not known: the originals are not above mismatched pairs"
    if why:
        return "not testable here", why
    closest = min(beside, key=lambda one: one.costs[0].low)
    words = (
        f"appearance-only alterations retain {looks:.2f}; semantic less appearance {gap:+.3f}, "
        f"with {closest.name} {closest.costs[0]:+.3f}"
    )
    holds = looks.low >= NEARLY_ALL and gap.high < 0 and closest.costs[0].above(gap)
    return ("holds" if holds else "does not hold"), words


def _twins(
    row: Mapping[str, Any],
    own: pl.DataFrame,
    same: pl.DataFrame,
    twins: Mapping[str, Sequence[str]],
) -> Iterator[_Beside]:
    """Find what the very same alterations of as many rows cost each twin, a side at a time."""
    mine = {kind: _members(own, kind) for kind in _KINDS}
    for side, other in (("vision", "language"), ("language", "vision")):
        for twin in twins.get(row[side], ()):
            rows = same.filter(pl.col(side) == twin, pl.col(other) == row[other])
            found = rows.filter(pl.col("level") == "difference")
            alike = found.filter(n=row["n"])
            if any(_members(rows, kind) != names for kind, names in mine.items()):
                alike = alike.clear()
            costs = [_cost(one) for one in alike.iter_rows(named=True)]
            elsewhere = alike.is_empty() and not found.is_empty()
            yield _Beside(f"random-init {side} ({twin})", costs, elsewhere)


def _say(one: _Beside, cost: Estimate) -> str:
    return f"{one.name}: semantic less appearance {cost:+.3f}"


def _floor(kinds: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Tell what there is to lose."""
    floor = kinds["appearance"].get("floor_original")
    if floor is not None:
        yield f"mismatched pairs: {floor:.3f}"


def _members(rows: pl.DataFrame, kind: str) -> str:
    names = rows.filter(level="variant", kind=kind)["variant"].unique().sort().to_list()
    return ", ".join(names)


def _untestable(claim: Claim, pair: pl.DataFrame, side: str, mine: pl.DataFrame) -> Finding:
    there = set(mine.filter(pl.col("level") == "variant")["kind"].drop_nulls())
    missing = [kind for kind in _KINDS if kind not in there]
    why = f"no {' and no '.join(missing)} alteration of {side} was asked about"
    if not missing:
        why = f"too few rows have all alterations of {side}"
        if not mine.filter(pl.col("level") == "difference").is_empty():
            why = f"{side} were altered only where they are what a map is fitted to again"
    return Finding(
        claim.text,
        f"{_pair(pair.row(0, named=True))}, {side} altered",
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


def _cost(row: Mapping[str, Any]) -> Estimate:
    return Estimate(row["delta"], row["low"], row["high"])


def _left(row: Mapping[str, Any]) -> Estimate:
    names = ("retained", "retained_low", "retained_high")
    share, low, high = (float("nan") if row[name] is None else row[name] for name in names)
    return Estimate(share, low, high)


def _like(rows: pl.DataFrame, row: Mapping[str, Any], columns: Sequence[str]) -> pl.DataFrame:
    return rows.filter([pl.col(name).eq_missing(pl.lit(row[name])) for name in columns])
