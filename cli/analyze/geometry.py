"""``vdb analyze geometry``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli import render
from cli.analyze import common
from cli.analyze.common import Device, Force, app
from cli.options import DEFAULT_DB, Dataset, Db, Format, Output, OutputFormat, Picture, Seed
from cli.progress import progress

if TYPE_CHECKING:
    import polars as pl

_SHOWN = {
    "two-nn": "two_nn",
    "mle": "mle",
    "effective-rank": "erank",
    "participation-ratio": "pr",
    "anisotropy": "anisotropy",
    "hubness": "hubness",
    "anti-hubs": "anti_hubs",
    "loud-units": "loud",
}
"""The measures that the table has room for, and their headings."""


@app.command(epilog="Example: vdb analyze geometry --space vit-l,minilm")
def geometry(  # noqa: PLR0917 - a command's options
    space: Annotated[
        str,
        typer.Option(
            "--space",
            "-s",
            metavar="SPACE,SPACE",
            envvar="VDB_SPACE",
            help="Spaces of images or texts, with commas between.",
        ),
    ],
    layers: Annotated[
        str | None,
        typer.Option(
            "--layers",
            metavar="LAYER,LAYER",
            envvar="VDB_LAYERS",
            help="Indices or names, with commas between; all by default.",
        ),
    ] = None,
    variant: Annotated[
        str,
        typer.Option(
            "--variant",
            metavar="NAME",
            envvar="VDB_VARIANT",
            help="The items altered so, e.g. grayscale.",
        ),
    ] = "original",
    dataset: Dataset = None,
    k: Annotated[
        int,
        typer.Option(
            "--k",
            metavar="N",
            min=2,
            envvar="VDB_NEIGHBOURS",
            help="Neighbours, for the dimension by maximum likelihood and hubness; fewer than there are items. "
            "(VDB_K is exemplar-avg's --k.)",
        ),
    ] = 10,
    sample: Annotated[
        int,
        typer.Option(
            "--sample",
            metavar="N",
            min=3,
            envvar="VDB_SAMPLE",
            help="The most items whose neighbours are looked for; of more, as many are drawn.",
        ),
    ] = 5000,
    seed: Seed = 0,
    force: Force = False,
    device: Device = "cpu",
    db: Db = DEFAULT_DB,
    style: OutputFormat = Format.table,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Measure each layer by itself: intrinsic dimension, effective rank, anisotropy, hubness, loud units.

    The other formats hold the lengths of the vectors, intervals, counts and duplicates too.
    """
    common.check(style, output, picture)
    import vdb

    store = vdb.open(db)
    from analyses.geometry import geometry as analyse

    frame = analyse(
        store,
        _names(space, "--space"),
        layers=None if layers is None else [_layer(one) for one in _names(layers, "--layers")],
        variant=variant,
        datasets=dataset or (),
        k=k,
        sample=sample,
        seed=seed,
        device=common.device(device),
        force=force,
        command=common.command(),
        progress=progress(),
    )
    if picture is not None:
        from analyses.pictures.geometry import panels

        common.draw(panels(frame), picture)
    table = _table(frame)
    render.frame(frame, style, output, table, {"space", "layer", "depth", *_SHOWN.values()})


def _names(text: str, option: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise typer.BadParameter(f"{text!r} names nothing", param_hint=option)
    return names


def _layer(text: str) -> int | str:
    read = common.layer(text)
    return text if read is None else read


def _table(frame: pl.DataFrame) -> pl.DataFrame:
    """Lay out a row a layer, a column a measure."""
    import polars as pl

    facts = ("variant", "items", "k", "seed")
    wide = frame.filter(pl.col("measure").is_in(list(_SHOWN))).pivot(
        "measure", index=["space", *facts, "layer", "depth"], values="value", maintain_order=True
    )
    measured = wide.rename(_SHOWN)
    return measured.select("space", *facts, "layer", "depth", *_SHOWN.values())
