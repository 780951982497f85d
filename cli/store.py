"""Commands about the store itself: ``status``, ``failures``, ``report``, ``migrate``."""

# Imports below an opened store are heavy: a mistyped place is told without them.

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli import render
from cli.options import DEFAULT_DB, Db, Format, Output, OutputFormat
from cli.render import say


def status(db: Db = DEFAULT_DB, style: OutputFormat = Format.table, output: Output = None) -> None:
    """Show each data set, and how many of its items each space holds under each variant.

    Of the items expected, those stored, failed, inapplicable (they cannot have that variant) and remaining are counted.
    Every format but the table gives these counts alone.
    """
    import vdb

    render.check(style, output)
    store = vdb.open(db)
    from vdb.overview import overview

    spaces = overview(store)
    if style is Format.table:
        datasets = store.datasets()
        if output is None and len(datasets):
            held = [name for name in datasets.columns[1:] if datasets[name].sum()]
            typer.echo(render.as_table(datasets.select("dataset", *held)) + "\n")
        if spaces.is_empty():
            say("no space yet; `vdb ingest --model NAME` makes one")
    told = spaces.drop("fingerprint", "modality")
    if (spaces["space"] == spaces["model"]).all():
        told = told.drop("model")
    if len(spaces) and not (spaces["inapplicable"] > 0).any():
        told = told.drop("inapplicable")
    render.frame(spaces, style, output, told)


class Status(StrEnum):
    """What the ledger says of an item."""

    failed = "failed"
    inapplicable = "inapplicable"


def failures(
    db: Db = DEFAULT_DB,
    space: Annotated[
        str | None,
        typer.Option(
            "--space", envvar="VDB_SPACE", metavar="NAME", help="Only those of this space."
        ),
    ] = None,
    status: Annotated[
        Status | None,
        typer.Option(
            "--status",
            envvar="VDB_STATUS",
            help="Only items that failed, or only those that cannot have a variant.",
        ),
    ] = None,
    style: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """List the items that could not be ingested, and why.

    What failed is tried again by the next `vdb ingest`; what is inapplicable has nothing that the variant alters.
    """
    import vdb

    store = vdb.open(db)
    import polars as pl

    ledger = store.failures()
    if space is not None:
        ledger = ledger.filter(pl.col("space") == store.space(space).name)
    if status is not None:
        ledger = ledger.filter(pl.col("status") == status.value)
    rows = ledger.sort("space", "item_id", "variant").collect()
    told = rows.select("space", "item_id", "variant", "status", "reason")
    render.frame(rows, style, output, told)


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
    from vdb.migrations import CHANGES
    from vdb.opening import migrate_database

    passed = migrate_database(db)
    for version in passed:
        say(f"schema version {version - 1} -> {version}: {CHANGES[version]}")
    if not passed:
        say("nothing to migrate")
