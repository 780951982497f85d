"""``vdb analyze``: questions asked of the store."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import render
from cli.options import DEFAULT_DB, Dataset, Db, Folds, Format, Output, OutputFormat, Picture, Seed
from cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(no_args_is_help=True, help="Ask the store; no model is run.")

Vision = Annotated[
    str,
    typer.Option("--vision", "-v", metavar="SPACE", envvar="VDB_VISION", help="A space of images."),
]
Language = Annotated[
    str,
    typer.Option(
        "--language", "-l", metavar="SPACE", envvar="VDB_LANGUAGE", help="A space of texts."
    ),
]
Control = Annotated[
    list[str] | None,
    typer.Option(
        "--control",
        metavar="NAME",
        envvar="VDB_CONTROL",
        help="Only this control (or none); may be repeated. All by default.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="DEVICE", envvar="VDB_DEVICE", help="Torch device of the computation."
    ),
]
Metric = Annotated[
    str,
    typer.Option(
        "--metric", metavar="NAME", envvar="VDB_METRIC", help="linear-predictivity or mutual-knn."
    ),
]
_LINEAR = "linear-predictivity"
_ASKED = ("control", "direction", "k", "score", "low", "high")
_LAYERS = ("vision_layer", "language_layer")
_MEASURED = {"control", "direction", *_LAYERS, "k", "score", "held_out", "low", "high"}
"""Columns that the table has even where they are the same in every row."""


class DirectionOption(StrEnum):
    """What predicts what."""

    both = "both"
    vision_to_language = "vision-to-language"
    language_to_vision = "language-to-vision"


_DIRECTIONS: dict[DirectionOption, Literal["both", "vision->language", "language->vision"]] = {
    DirectionOption.both: "both",
    DirectionOption.vision_to_language: "vision->language",
    DirectionOption.language_to_vision: "language->vision",
}


class CaptionsOption(StrEnum):
    """What stands for an image's captions."""

    one = "one"
    mean = "mean"
    all = "all"


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


@app.command(epilog="Example: vdb analyze alignment --vision vit-l --language pythia-410m")
def alignment(  # noqa: PLR0917 - a command's options
    vision: Vision,
    language: Language,
    metric: Metric = _LINEAR,
    direction: Annotated[
        DirectionOption,
        typer.Option("--direction", envvar="VDB_DIRECTION", help="What predicts what."),
    ] = DirectionOption.both,
    captions: Annotated[
        CaptionsOption,
        typer.Option(
            "--captions",
            envvar="VDB_CAPTIONS",
            help="What stands for an image's captions: the first by id, the mean of all, or a row each.",
        ),
    ] = CaptionsOption.one,
    dataset: Dataset = None,
    control: Control = None,
    folds: Folds = 5,
    seed: Seed = 0,
    device: Device = "cpu",
    db: Db = DEFAULT_DB,
    style: OutputFormat = Format.table,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Score every vision layer against every language layer, beside the controls.

    The table shows the best cell of each map; the other formats hold the whole maps.
    """
    _check(style, output, picture)
    import vdb

    store = vdb.open(db)  # a mistyped place is told before what is heavy is imported
    import polars as pl

    from analyses.alignment import alignment as analyse
    from analyses.controls import CONTROLS
    from analyses.peaks import peaks, with_score

    frame = analyse(
        store,
        vision,
        language,
        metric=metric,
        direction=_DIRECTIONS[direction],
        captions=captions.value,
        datasets=dataset or (),
        controls=_controls(control, CONTROLS),
        folds=folds,
        seed=seed,
        device=_device(device),
        command=_command(),
        progress=progress(),
    )
    if picture is not None:
        from analyses.pictures import heatmap

        _draw(heatmap(with_score(frame)), picture)
    best = peaks(frame).select(
        pl.lit(vision).alias("vision"),
        pl.lit(language).alias("language"),
        pl.lit(metric).alias("metric"),
        *("control", "direction", *_LAYERS),
        *("score", "held_out", "low", "high", "n"),
        pl.lit(folds).alias("folds"),
        pl.lit(seed).alias("seed"),
    )
    render.frame(frame, style, output, best, _MEASURED)


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
        GroupOption, typer.Option("--group", envvar="VDB_GROUP", help="What shares a centroid.")
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
        typer.Option("--draws", metavar="N", envvar="VDB_DRAWS", min=1, help="Draws of exemplars."),
    ] = 10,
    metric: Metric = _LINEAR,
    vision_layer: Annotated[
        str | None,
        typer.Option(
            "--vision-layer",
            metavar="LAYER",
            envvar="VDB_VISION_LAYER",
            help="Index or name; by default chosen on half of the groups, scored on the other.",
        ),
    ] = None,
    language_layer: Annotated[
        str | None,
        typer.Option(
            "--language-layer", metavar="LAYER", envvar="VDB_LANGUAGE_LAYER", help="Index or name."
        ),
    ] = None,
    dataset: Dataset = None,
    control: Control = None,
    folds: Folds = 5,
    seed: Seed = 0,
    device: Device = "cpu",
    db: Db = DEFAULT_DB,
    style: OutputFormat = Format.table,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Score centroids of k exemplars, beside centroids of what does not belong together."""
    _check(style, output, picture)
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
        k=None if k is None else _numbers(k),
        draws=draws,
        metric=metric,
        vision_layer=_layer(vision_layer),
        language_layer=_layer(language_layer),
        datasets=dataset or (),
        controls=_controls(control, CONTROLS),
        folds=folds,
        seed=seed,
        device=_device(device),
        command=_command(),
        progress=progress(),
    )
    if picture is not None:
        from analyses.pictures import curve

        _draw(curve(frame), picture)
    columns = (
        "vision",
        "language",
        "metric",
        "average",
        "group",
        *_ASKED,
        "n",
        "draws",
        "seed",
        "cell_rule",
    )
    render.frame(frame, style, output, frame.select(columns), _MEASURED)


def _controls(given: list[str] | None, known: Sequence[str]) -> Sequence[str]:
    if given is None:
        return known
    return () if given == ["none"] else given


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not numbers with commas between", param_hint="--k"
        ) from None


def _layer(text: str | None) -> int | str | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return text


def _device(name: str) -> str:
    from ingest.encoders.device import resolve_device

    return str(resolve_device(name))


def _command() -> str:
    return shlex.join(["vdb", *sys.argv[1:]])


def _check(style: Format, output: Path | None, picture: Path | None) -> None:
    """Refuse what could not be written before anything is computed or kept."""
    render.check(style, output)
    if picture is not None:
        from analyses.pictures import check_path

        check_path(picture)


def _draw(chart: object, path: Path) -> None:
    from analyses.pictures import write

    write(chart, path)
