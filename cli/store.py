"""Commands about the store itself: ``status``, ``failures``, ``report``, ``migrate``."""

# Imports below an opened store are heavy: a mistyped place is told without them.

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import render
from cli.options import DEFAULT_DB, Db, Format, Output, OutputFormat
from cli.render import say


def status(db: Db = DEFAULT_DB, style: OutputFormat = Format.table, output: Output = None) -> None:
    """Show each space: its model, layers, and how many of the store's items it holds, failed or lacks."""
    import vdb

    store = vdb.open(db)
    from vdb.overview import overview

    spaces = overview(store)
    if spaces.is_empty() and style is Format.table:
        say("no space yet; `vdb ingest --model NAME` makes one")
    render.frame(spaces, style, output)


def failures(
    db: Db = DEFAULT_DB,
    space: Annotated[
        str | None,
        typer.Option(
            "--space", envvar="VDB_SPACE", metavar="NAME", help="Only those of this space."
        ),
    ] = None,
    style: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """List the items that could not be ingested, and why; the next `vdb ingest` tries them again."""
    import vdb

    store = vdb.open(db)
    import polars as pl

    ledger = store.failures()
    if space is not None:
        ledger = ledger.filter(pl.col("space") == store.space(space).name)
    rows = ledger.sort("space", "item_id", "variant").collect()
    render.frame(rows, style, output, rows.select("space", "item_id", "variant", "reason"))


def report(
    db: Db = DEFAULT_DB,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            envvar="VDB_REPORT_OUTPUT",
            metavar="FILE",
            help="Where the page is written.",
        ),
    ] = Path("report.html"),
) -> None:
    """Write one self-contained page of what the analyses found.

    Example: vdb report --output report.html
    """
    import vdb

    render.check(Format.table, output)
    store = vdb.open(db)
    from analyses.report import report_of

    report_of(store, output)
    say(f"wrote {output}")


def migrate(db: Db = DEFAULT_DB) -> None:
    """Bring a store that an older vdb wrote to this one's schema; copy it first if you want to keep it."""
    from vdb.place import check_place

    check_place(db, create=False)
    from vdb.database import migrate_database

    passed = migrate_database(db)
    say(f"schema version {passed[-1]}" if passed else "nothing to migrate")
