"""``vdb analyze retrieval``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import render
from cli.analyze import common
from cli.analyze.common import (
    LAYERS,
    MEASURED,
    CaptionsOption,
    Control,
    Device,
    Force,
    Language,
    LanguageLayer,
    Vision,
    VisionLayer,
    app,
)
from cli.options import DEFAULT_DB, Dataset, Db, Folds, Format, Output, OutputFormat, Picture, Seed
from cli.progress import progress


@app.command(
    epilog="Example: vdb analyze retrieval --vision vit-l --language minilm --captions all"
)
def retrieval(  # noqa: PLR0917 - a command's options
    vision: Vision,
    language: Language,
    captions: Annotated[
        CaptionsOption,
        typer.Option(
            "--captions",
            envvar="VDB_CAPTIONS",
            help="What stands for an image's captions: the first by id, the mean of all, or each, all of them right.",
        ),
    ] = CaptionsOption.one,
    dataset: Dataset = None,
    vision_layer: VisionLayer = None,
    language_layer: LanguageLayer = None,
    control: Control = None,
    folds: Folds = 5,
    seed: Seed = 0,
    device: Device = "cpu",
    force: Force = False,
    db: Db = DEFAULT_DB,
    style: OutputFormat = Format.table,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Search each side with the other through a fitted map: R@1, R@5, R@10 and ranks.

    The table shows the chosen cell; the other formats hold the whole maps.
    """
    common.check(style, output, picture)
    import vdb

    store = vdb.open(db)
    import polars as pl

    from analyses.retrieval import CONTROLS
    from analyses.retrieval import retrieval as analyse

    frame = analyse(
        store,
        vision,
        language,
        captions=captions.value,
        datasets=dataset or (),
        vision_layer=common.layer(vision_layer),
        language_layer=common.layer(language_layer),
        controls=common.controls(control, CONTROLS),
        folds=folds,
        seed=seed,
        device=common.device(device),
        force=force,
        command=common.command(),
        progress=progress(),
    )
    if picture is not None:
        from analyses.pictures.retrieval import retrieval_bars

        common.draw(retrieval_bars(frame), picture)
    low, high = pl.col("gallery_low"), pl.col("gallery_high")
    sizes = pl.when(low == high).then(pl.format("{}", low)).otherwise(pl.format("{}-{}", low, high))
    shown = frame.filter(pl.col("scope") == "cell").select(
        *("vision", "control", "direction", *LAYERS, "metric", "score", "low", "high", "p"),
        *("chance", sizes.alias("gallery"), "n", "captions", "folds", "seed", "cell_rule"),
    )
    render.frame(frame, style, output, shown, {*MEASURED, "metric", "chance"} - {*LAYERS})
