"""How the ingest of a model is told: what there was, what was stored, what failed, what cannot be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cli import render
from cli.folding import folded
from cli.render import say

if TYPE_CHECKING:
    from collections import Counter

    from ingest.pipeline.ledger import Ingested
    from ingest.pipeline.many import Outcome
    from ingest.pipeline.plan import Plan, Rows

_SHOWN = 5
_VARIANTS = 20  # which=each may be a hundred


def tell(outcome: Outcome, *, dry_run: bool) -> None:
    """Tell how the ingest of one model ended, or what it would do."""
    if outcome.skipped:
        say(f"{outcome.model}: skipped: {outcome.skipped}")
    elif outcome.report is None:
        _tell_error(outcome)
    elif dry_run:
        _tell_plan(outcome.report)
    else:
        _tell_report(outcome.report)


def _tell_error(outcome: Outcome) -> None:
    if os.environ.get("VDB_DEBUG"):
        say(outcome.traceback.rstrip())
    message = str(outcome.error)
    message = message.removeprefix(
        f"{Path(outcome.model).name}: "
    )  # the directory's, named whole below
    say(f"error: {message if outcome.model in message else f'{outcome.model}: {message}'}")


def _tell_plan(report: Ingested) -> None:
    from ingest.pipeline.plan import Rows
    from vdb.schema import ORIGINAL

    plan = report.plan
    say(f"{report.space}: {_counts(plan)}, {render.size(plan.bytes_to_write)} to write")
    if len(plan.rows) > 1 or ORIGINAL not in plan.rows:
        for told, variants in folded(plan.rows).items():
            several = f"{len(variants)} variants, " if len(variants) > 1 else ""
            rows = Rows(*map(sum, zip(*(plan.rows[one][:] for one in variants), strict=True)))
            say(f"  {told}: {several}{_counts(rows)}")
    _tell_cannot(report)


def _counts(rows: Plan | Rows) -> str:
    cannot = f"{rows.inapplicable} cannot be, " if rows.inapplicable else ""
    return f"{rows.wanted} rows, {rows.stored} there already, {cannot}{rows.remaining} to do"


def _tell_report(report: Ingested) -> None:
    from vdb.schema import ORIGINAL

    truncated = f", {report.truncated} texts truncated" if report.truncated else ""
    say(
        f"{report.space}: {report.plan.stored} there before, {report.stored} stored, {len(report.failed)} failed"
        f"{truncated}"
    )
    _tell_cannot(report)
    for item, variant, reason in report.failed[:_SHOWN]:
        say(f"  {item}{'' if variant == ORIGINAL else f' ({variant})'}: {reason}")
    if len(report.failed) > _SHOWN:
        say(f"  ... `vdb failures --space {report.space}` lists them all")


def _tell_cannot(report: Ingested) -> None:
    items = "captions" if report.modality == "text" else "images"
    cannot = [variant for variant in report.plan.rows if variant in report.inapplicable]
    for variant in cannot[:_VARIANTS]:
        reasons = report.inapplicable[variant]
        say(f"  {variant}: {reasons.total()} {items} cannot have it: {_in_words(reasons)}")
    if len(cannot) > _VARIANTS:
        say(f"  ... {len(cannot) - _VARIANTS} variants more; `vdb status` has the counts of all")


def _in_words(reasons: Counter[str]) -> str:
    """Say why, the most frequent reason first; how often, where there are several."""
    if len(reasons) == 1:
        return next(iter(reasons))
    told = [f"{reason} ({count})" for reason, count in reasons.most_common(_SHOWN)]
    return "; ".join([*told, *["..."] * (len(reasons) > _SHOWN)])
