"""``vdb analyze exemplar-avg``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli import render
from cli.analyze import common
from cli.analyze.common import (
    ASKED,
    LINEAR,
    MEASURED,
    Control,
    Device,
    Force,
    Language,
    LanguageLayer,
    Metric,
    Vision,
    VisionLayer,
    app,
)
from cli.options import DEFAULT_DB, Dataset, Db, Folds, Format, Output, OutputFormat, Picture, Seed
from cli.progress import progress


class AverageOption(StrEnum):
    """The side whose exemplars are averaged."""

    captions = "captions"
    images = "images"
    both = "both"


class GroupOption(StrEnum):
    """What shares a centroid."""

    image = "image"
    caption = "caption"
    concept = "concept"


@app.command(
    "exemplar-avg",
    epilog="Example: vdb analyze exemplar-avg --vision vit-l --language minilm --average captions --group image",
)
def exemplar_avg(  # noqa: PLR0917 - a command's options
    vision: Vision,
    language: Language,
    average: Annotated[
        AverageOption,
        typer.Option("--average", envvar="VDB_AVERAGE", help="The side that is averaged."),
    ] = AverageOption.captions,
    group: Annotated[
        GroupOption,
        typer.Option(
            "--group", envvar="VDB_GROUP", help="What the averaged exemplars have in common."
        ),
    ] = GroupOption.image,
    k: Annotated[
        str | None,
        typer.Option(
            "--k",
            metavar="K,K",
            envvar="VDB_K",
            help="Numbers of exemplars, with commas between; by default 1,2,4 ... up to what half of the groups have.",
        ),
    ] = None,
    draws: Annotated[
        int,
        typer.Option(
            "--draws",
            metavar="N",
            envvar="VDB_DRAWS",
            min=1,
            help="How often exemplars are drawn anew; scores are means over the draws.",
        ),
    ] = 10,
    replacement: Annotated[
        bool,
        typer.Option(
            "--replacement/--no-replacement",
            envvar="VDB_REPLACEMENT",
            help="Whether one exemplar may be drawn twice for a centroid.",
        ),
    ] = False,
    metric: Metric = LINEAR,
    vision_layer: VisionLayer = None,
    language_layer: LanguageLayer = None,
    dataset: Dataset = None,
    control: Control = None,
    folds: Folds = 5,
    seed: Seed = 0,
    device: Device = "cpu",
    save: Annotated[
        str | None,
        typer.Option(
            "--save",
            metavar="SPACE",
            envvar="VDB_SAVE",
            help="Also store the centroids of all exemplars of each group as a space of this name.",
        ),
    ] = None,
    force: Force = False,
    db: Db = DEFAULT_DB,
    style: OutputFormat = Format.table,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Score centroids of k exemplars, beside centroids of what does not belong together."""
    common.check(style, output, picture)
    import vdb

    store = vdb.open(db)
    from analyses.exemplar_avg import CONTROLS
    from analyses.exemplar_avg import exemplar_avg as analyse

    frame = analyse(
        store,
        vision,
        language,
        average=average.value,
        group=group.value,
        k=None if k is None else common.numbers(k),
        draws=draws,
        replacement=replacement,
        metric=metric,
        vision_layer=common.layer(vision_layer),
        language_layer=common.layer(language_layer),
        datasets=dataset or (),
        controls=common.controls(control, CONTROLS),
        folds=folds,
        seed=seed,
        device=common.device(device),
        save=save,
        force=force,
        command=common.command(),
        progress=progress(),
    )
    if picture is not None:
        from analyses.pictures import curve

        common.draw(curve(frame), picture)
    columns = (
        "vision",
        "language",
        "metric",
        "average",
        "group",
        *ASKED,
        *("predicted", "above", "above_low", "above_high"),
        "n",
        "draws",
        "seed",
        "cell_rule",
    )
    render.frame(frame, style, output, frame.select(columns), MEASURED)
