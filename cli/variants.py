"""``vdb variants``: the ways to alter an item, and what one makes of an item."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import render
from cli.options import DEFAULT_DB, Db, Format, Output, OutputFormat
from cli.render import say
from vdb.errors import InputError, NoStoreError
from vdb.visible import visible

if TYPE_CHECKING:
    import polars as pl

    from ingest.showing import Shown

app = typer.Typer(
    help="List the variants that items can be altered to, or show one.",
    epilog="Example: vdb variants --format json",
)


@app.callback(invoke_without_command=True)
def variants(
    context: typer.Context,
    db: Db = DEFAULT_DB,
    style: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """List the variants: name, modality, kind (appearance or semantic), what each needs, settings with their defaults.

    Those that lie ready in the store come last; without a store there are none.
    """
    if context.invoked_subcommand is not None:
        return
    import polars as pl

    table = pl.concat([_computed(), _ready_made(db)])
    short = table.select(
        "name",
        "modality",
        "kind",
        pl.col("needs").list.join(", "),
        pl.col("parameters").list.join(":"),
        "summary",
    )
    render.frame(table, style, output, short)


def _computed() -> pl.DataFrame:
    import polars as pl

    from ingest.variants import all_variants

    known = list(all_variants().values())
    return pl.DataFrame(
        {
            "name": [one.name for one in known],
            "modality": [one.modality for one in known],
            "kind": [one.kind for one in known],
            "needs": [sorted(one.needs) for one in known],
            "parameters": [
                [f"{name}={parameter.default}" for name, parameter in one.parameters.items()]
                for one in known
            ],
            "ready_made": [False] * len(known),
            "summary": [one.summary for one in known],
        },
        schema=_schema(),
    )


def _ready_made(db: str) -> pl.DataFrame:
    import polars as pl

    import vdb

    try:
        store = vdb.open(db)
    except NoStoreError:
        return pl.DataFrame(schema=_schema())
    from ingest.pipeline.wanted import ready_made

    rows = pl.DataFrame(
        [
            {"name": name, "modality": modality}
            for modality, names in ready_made(store).items()
            for name in names
        ],
        schema={"name": pl.String, "modality": pl.String},
    )
    kinds = store.variants().select(pl.col("variant").alias("name"), "modality", "kind")
    told = rows.lazy().join(kinds, on=["name", "modality"], how="left", maintain_order="left")
    return told.select(
        "name",
        "modality",
        "kind",
        needs=pl.lit([], pl.List(pl.String)),
        parameters=pl.lit([], pl.List(pl.String)),
        ready_made=pl.lit(value=True),
        summary=pl.lit("made by somebody else; its files or texts are in the store"),
    ).collect()


def _schema() -> dict[str, pl.DataType]:
    import polars as pl

    return {
        "name": pl.String(),
        "modality": pl.String(),
        "kind": pl.String(),
        "needs": pl.List(pl.String),
        "parameters": pl.List(pl.String),
        "ready_made": pl.Boolean(),
        "summary": pl.String(),
    }


@app.command(epilog="Example: vdb variants show patch-shuffle:grid=14 --id img-1 --output p.png")
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A variant, with settings if you like: scrambled:seed=3."
        ),
    ],
    item: Annotated[
        str,
        typer.Option("--id", envvar="VDB_ID", metavar="ID", help="Of an image or a caption."),
    ],
    db: Db = DEFAULT_DB,
    output: Output = None,
) -> None:
    """Show one item before and after a variant: an image as a PNG, NAME-ID.png by default, a caption as two lines."""
    import vdb

    render.check(Format.table, output)
    store = vdb.open(db)
    from ingest import showing

    shown = showing.show(store, name, item)
    if shown.modality == "image":
        place = output or Path(_file_name(f"{shown.name}-{item}"))
        _picture(shown, f"{shown.name} of {item}", place)
        say(f"wrote {place}")
        return
    text = f"original  {visible(shown.original)}\naltered   {visible(shown.altered)}"
    if output is None:
        typer.echo(text)
    else:
        _write(output, f"{text}\n".encode())
        say(f"wrote {output}")


def _picture(shown: Shown, title: str, place: Path) -> None:
    from io import BytesIO

    from ingest.variants.sheet import before_after

    buffer = BytesIO()
    before_after(shown.original, shown.altered, title).save(buffer, "PNG")
    _write(place, buffer.getvalue())


def _write(place: Path, content: bytes) -> None:
    try:
        place.write_bytes(content)
    except OSError as error:
        raise InputError(f"cannot write {place}: {error.strerror or error}") from error


def _file_name(text: str) -> str:
    """Make a file's name out of a variant and an id, which may hold anything."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", text)[:120].strip("-.") + ".png"
