"""Commands about the store itself: ``status``, ``failures``, ``report``, ``migrate``."""

# Imports below an opened store are heavy: a mistyped place is told without them.

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import render
from cli.folding import folded
from cli.options import DEFAULT_DB, Db, Format, Output, OutputFormat
from cli.render import say
from vdb.errors import NotFoundError

if TYPE_CHECKING:
    import polars as pl


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
            if output is None:
                return
    told = _of_categories(spaces).drop("fingerprint", "modality")
    if (spaces["space"] == spaces["model"]).all():
        told = told.drop("model")
    if len(spaces) and not (spaces["inapplicable"] > 0).any():
        told = told.drop("inapplicable")
    render.frame(spaces, style, output, told)


def _of_categories(spaces: pl.DataFrame) -> pl.DataFrame:
    """Add up the rows of variants that differ in a category alone, and give lost items a word."""
    import polars as pl

    groups = folded(spaces["variant"].unique().sort())
    names = {one: group for group, members in groups.items() for one in members}
    counts = ["expected", "stored", "failed", "inapplicable", "remaining"]
    told = spaces.with_columns(
        pl.col("dataset").fill_null("(items not in the store)"),
        pl.col("variant").replace_strict(names, return_dtype=pl.String),
    )
    keys = ["dataset", "space", "variant"]
    rest = [name for name in told.columns if name not in {*keys, *counts}]
    added = told.group_by(keys, maintain_order=True).agg(
        pl.col(rest).first(), pl.col(counts).sum(), pl.len().alias("variants")
    )
    many = pl.format("{} ({} categories)", "variant", "variants")
    named = pl.when(pl.col("variants") > 1).then(many).otherwise("variant")
    return added.with_columns(variant=named).select(spaces.columns)


class Status(StrEnum):
    """What the ledger says of an item."""

    failed = "failed"
    inapplicable = "inapplicable"
    all = "all"


def failures(
    db: Db = DEFAULT_DB,
    space: Annotated[
        str | None,
        typer.Option(
            "--space", envvar="VDB_SPACE", metavar="NAME", help="Only those of this space."
        ),
    ] = None,
    status: Annotated[
        str,
        typer.Option(
            "--status",
            envvar="VDB_STATUS",
            metavar="failed|inapplicable|all",
            help="Items that failed, those that cannot have a variant, or all.",
        ),
    ] = Status.failed.value,
    style: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """List the items that failed, and why; those that cannot have a variant with --status inapplicable.

    What failed is tried again by the next `vdb ingest`; what is inapplicable has nothing that the variant alters.
    """
    import vdb

    if status not in list(Status):
        raise NotFoundError.named("status", status, list(Status))
    store = vdb.open(db)
    import polars as pl

    from vdb.schema import INAPPLICABLE

    ledger = store.failures()
    if space is not None:
        ledger = ledger.filter(pl.col("space") == store.space(space).name)
    if status == Status.failed:
        others = ledger.filter(pl.col("status") == INAPPLICABLE).select(pl.len()).collect().item()
        if others:
            say(f"{others} more cannot have a variant: `vdb failures --status inapplicable`")
    if status != Status.all:
        ledger = ledger.filter(pl.col("status") == status)
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
