"""``vdb analyze forced-choice``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli import render
from cli.analyze import common
from cli.analyze.common import (
    LAYERS,
    LINEAR,
    MEASURED,
    CaptionsOption,
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


class TrialsOption(StrEnum):
    """Which trials are asked."""

    both = "both"
    text_to_image = "text-to-image"
    image_to_text = "image-to-text"


class LevelOption(StrEnum):
    """Trial by trial, or as sets."""

    both = "both"
    trial = "trial"
    set = "set"


class SimilarityOption(StrEnum):
    """How a prediction is compared."""

    cosine = "cosine"
    correlation = "correlation"
    distance = "distance"


@app.command(
    "forced-choice",
    epilog="Example: vdb analyze forced-choice --vision vit-l --language minilm --direction text-to-image",
)
def forced_choice(  # noqa: PLR0917 - a command's options
    vision: Vision,
    language: Language,
    direction: Annotated[
        TrialsOption,
        typer.Option(
            "--direction",
            envvar="VDB_TRIALS",
            help="Which trials are asked. (VDB_DIRECTION is what predicts what in other questions.)",
        ),
    ] = TrialsOption.both,
    level: Annotated[
        LevelOption,
        typer.Option(
            "--level",
            envvar="VDB_LEVEL",
            help="Each trial by a fitted map, or the preferred against the rejected as sets.",
        ),
    ] = LevelOption.both,
    dataset: Dataset = None,
    fit_dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--fit-dataset",
            metavar="NAME",
            envvar="VDB_FIT_DATASET",
            help="Fit the map on pairs of this data set; may be repeated. All pairs, by folds, by default.",
        ),
    ] = None,
    captions: Annotated[
        CaptionsOption,
        typer.Option(
            "--captions",
            envvar="VDB_CAPTIONS",
            help="What stands for an image's captions in the fit: the first by id, the mean of all, or a row each.",
        ),
    ] = CaptionsOption.one,
    similarity: Annotated[
        SimilarityOption,
        typer.Option(
            "--similarity",
            envvar="VDB_SIMILARITY",
            help="How near a candidate is to what the map predicts.",
        ),
    ] = SimilarityOption.cosine,
    metric: Metric = LINEAR,
    vision_layer: VisionLayer = None,
    language_layer: LanguageLayer = None,
    strengths: Annotated[
        str | None,
        typer.Option(
            "--strengths",
            metavar="GAP,GAP",
            envvar="VDB_STRENGTHS",
            help="Where bins of the strength of preference are parted; quartiles by default.",
        ),
    ] = None,
    control: Control = None,
    most: Annotated[
        int,
        typer.Option(
            "--most",
            metavar="N",
            envvar="VDB_MOST",
            min=10,
            help="The most pairs that the map is fitted on; of more, as many are drawn.",
        ),
    ] = 4000,
    folds: Folds = 5,
    seed: Seed = 0,
    device: Device = "cpu",
    force: Force = False,
    db: Db = DEFAULT_DB,
    style: OutputFormat = Format.table,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Ask the store's trials: whether the nearer candidate is the one that people preferred.

    The table shows the chosen cell; the other formats hold the whole maps.
    """
    common.check(style, output, picture)
    import vdb

    store = vdb.open(db)
    import polars as pl

    from analyses.forced_choice import CONTROLS
    from analyses.forced_choice import forced_choice as analyse

    frame = analyse(
        store,
        vision,
        language,
        direction=direction.value,
        level=level.value,
        datasets=dataset or (),
        fit_datasets=fit_dataset or (),
        captions=captions.value,
        similarity=similarity.value,
        metric=metric,
        vision_layer=common.layer(vision_layer),
        language_layer=common.layer(language_layer),
        strengths=None if strengths is None else _gaps(strengths),
        controls=common.controls(control, CONTROLS),
        most=most,
        folds=folds,
        seed=seed,
        device=common.device(device),
        force=force,
        command=common.command(),
        progress=progress(),
    )
    if picture is not None:
        from analyses.pictures.forced_choice import forced_choice_bars

        common.draw(forced_choice_bars(frame), picture)
    shown = frame.filter(pl.col("scope") == "cell")
    columns = [
        *("level", "control", "direction", "fit", "pairs", *LAYERS, "gap_low", "gap_high"),
        *("score", "low", "high", "p", "human", "n", "seed", "cell_rule", "fit_rule"),
    ]
    asked = [name for name in columns if shown[name].null_count() < len(shown)]
    render.frame(frame, style, output, shown.select(asked), {*MEASURED, "fit", "p"})


def _gaps(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not numbers with commas between", param_hint="--strengths"
        ) from None
