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
    """List the catalogue: name, modality, layers, widths, size, pooling, licence and repository."""
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
            "widths": [", ".join(map(str, card.widths)) for card in cards],
            "parameters (M)": [f"{card.parameters:g}" for card in cards],
            "pooling": [card.pooling for card in cards],
            "licence": [card.licence for card in cards],
            "repository": [card.repository for card in cards],
        }
    )
    if family is not None and not cards:
        families = {card.family for card in catalogue().values()}
        raise NotFoundError.named("family", family, families, "`vdb models` lists them all")
    render.frame(table, style, output)


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
