"""``vdb models``: the catalogue."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import render
from cli.options import Format, Output, OutputFormat
from vdb.errors import NotFoundError

app = typer.Typer(
    help="List the models that have a short name, or show one.",
    epilog="Example: vdb models --family dinov2 --format csv",
)


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    family: Annotated[
        str | None,
        typer.Option(
            "--family",
            envvar="VDB_FAMILY",
            metavar="TEXT",
            help="Only families whose name holds this.",
        ),
    ] = None,
    style: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """List the catalogue: name, modality, layers, widths, parameters in millions, pooling and repository.

    The other formats, and `vdb models show NAME`, have family and licence too.
    """
    if context.invoked_subcommand is not None:
        return
    import polars as pl

    from ingest.catalogue import catalogue

    cards = [
        card
        for card in catalogue().values()
        if family is None or family.lower() in card.family.lower()
    ]
    table = pl.DataFrame(
        {
            "name": [card.name for card in cards],
            "modality": [card.modality for card in cards],
            "family": [card.family for card in cards],
            "layers": [card.layers for card in cards],
            "widths": [list(card.widths) for card in cards],
            "parameters_millions": [card.parameters for card in cards],
            "pooling": [card.pooling for card in cards],
            "licence": [card.licence for card in cards],
            "repository": [card.repository for card in cards],
        },
        schema_overrides={"widths": pl.List(pl.Int64), "parameters_millions": pl.Float64},
    )
    if family is not None and not cards:
        families = {card.family for card in catalogue().values()}
        raise NotFoundError.named("family", family, families, "`vdb models` lists them all")
    short = table.select(
        "name",
        "modality",
        "layers",
        pl.Series("widths", [_range(card.widths) for card in cards], pl.String),
        pl.Series("millions", [f"{card.parameters:g}" for card in cards], pl.String),
        "pooling",
        "repository",
    )
    render.frame(table, style, output, short)


def _range(widths: tuple[int, ...]) -> str:
    low, high = min(widths), max(widths)
    return str(low) if low == high else f"{low}-{high}"


@app.command(epilog="Example: vdb models show vit-l")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name of the catalogue.")],
) -> None:
    """Show what the catalogue says of one model."""
    from dataclasses import asdict

    from ingest.catalogue import find

    for field, value in asdict(find(name)).items():
        text = ", ".join(map(str, value)) if isinstance(value, tuple) else value
        if text not in (None, ""):
            typer.echo(f"{field:<11} {text}")
