"""How the ingest of a model is told: what there was, what was stored, what failed, what cannot be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cli import render
from cli.render import say

if TYPE_CHECKING:
    from ingest.ledger import Ingested
    from ingest.many import Outcome

_SHOWN = 5


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
    from vdb.schema import ORIGINAL

    plan = report.plan
    say(
        f"{report.space}: {plan.wanted} rows, {plan.stored} there already, {plan.remaining} to do, "
        f"{render.size(plan.bytes_to_write)} to write"
    )
    if len(plan.rows) > 1 or ORIGINAL not in plan.rows:
        for variant, (wanted, stored) in plan.rows.items():
            say(f"  {variant}: {wanted} rows, {stored} there already, {wanted - stored} to do")


def _tell_report(report: Ingested) -> None:
    from vdb.schema import ORIGINAL

    items = "captions" if report.modality == "text" else "images"
    truncated = f", {report.truncated} texts truncated" if report.truncated else ""
    say(
        f"{report.space}: {report.plan.stored} there before, {report.stored} stored, {len(report.failed)} failed"
        f"{truncated}"
    )
    for variant, reasons in report.inapplicable.items():
        for reason, count in reasons.most_common(_SHOWN):
            say(f"  {variant}: {count} {items} cannot have it: {reason}")
    for item, variant, reason in report.failed[:_SHOWN]:
        say(f"  {item}{'' if variant == ORIGINAL else f' ({variant})'}: {reason}")
    if len(report.failed) > _SHOWN:
        say(f"  ... `vdb failures --space {report.space}` lists them all")
