"""``vdb analyze alignment``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli import render
from cli.analyze import common
from cli.analyze.common import (
    DIRECTIONS,
    LAYERS,
    LINEAR,
    MEASURED,
    CaptionsChoice,
    CaptionsOption,
    Device,
    DirectionOption,
    Force,
    Languages,
    Metric,
    Permutations,
    PictureOf,
    PictureOption,
    Visions,
    app,
)
from cli.options import DEFAULT_DB, Dataset, Db, Folds, Format, Output, OutputFormat, Picture, Seed
from cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from vdb.database import Database


@app.command(epilog="Example: vdb analyze alignment --vision vit-l --language pythia-410m")
def alignment(  # noqa: PLR0917 - a command's options
    vision: Visions,
    language: Languages,
    metric: Metric = LINEAR,
    direction: Annotated[
        DirectionOption,
        typer.Option("--direction", envvar="VDB_DIRECTION", help="What predicts what."),
    ] = DirectionOption.both,
    captions: CaptionsChoice = CaptionsOption.one,
    dataset: Dataset = None,
    control: Annotated[
        list[str] | None,
        typer.Option(
            "--control",
            metavar="NAME",
            envvar="VDB_CONTROL",
            help="bag-of-words and mismatched (both by default), random-init and pixel-statistics (spaces, made where "
            "they are missing), or none; may be repeated.",
        ),
    ] = None,
    folds: Folds = 5,
    seed: Seed = 0,
    permutations: Permutations = None,
    force: Force = False,
    device: Device = "cpu",
    db: Db = DEFAULT_DB,
    style: OutputFormat = Format.table,
    output: Output = None,
    picture: Picture = None,
    picture_of: PictureOf = PictureOption.map,
) -> None:
    """Score every vision layer against every language layer, beside the controls.

    The table shows the best cell of each map; the other formats hold the whole maps.
    """
    common.check(style, output, picture)
    visions, languages = common.names(vision, "--vision"), common.names(language, "--language")
    import vdb

    store = vdb.open(db)  # a mistyped place is told before what is heavy is imported
    import polars as pl

    from analyses.alignment import alignment as analyse
    from analyses.controls import CONTROLS
    from analyses.peaks import peaks, with_score

    asked = common.controls(control, CONTROLS) if control else None
    _make(store, asked or (), [*visions, *languages], dataset or (), device)
    frame = analyse(
        store,
        visions,
        languages,
        metric=metric,
        direction=DIRECTIONS[direction],
        captions=captions.value,
        datasets=dataset or (),
        controls=asked,
        folds=folds,
        seed=seed,
        permutations=permutations,
        force=force,
        device=common.device(device),
        command=common.command(),
        progress=progress(),
    )
    if picture is not None:
        common.draw(_chart(store, with_score(frame), picture_of), picture)
    single = len(visions) == len(languages) == 1 and not {*(control or ())} - {*CONTROLS, "none"}
    sides = [pl.lit(visions[0]).alias("vision"), pl.lit(languages[0]).alias("language")]
    best = peaks(frame).select(
        *(sides if single else ["vision", "language"]),
        pl.lit(frame["metric"][0]).alias("metric"),
        *("control", "direction", *LAYERS),
        *([] if single else ["vision_depth", "language_depth"]),
        *("score", "held_out", "low", "high", "calibrated", "p_max", "n"),
        pl.lit(folds).alias("folds"),
        pl.lit(seed).alias("seed"),
        pl.lit(frame["permutations"].max() or 0).alias("permutations"),
        pl.lit(frame["unmatched"][0]).alias("unmatched"),
    )
    if not frame["permutations"].max():
        best = best.drop("calibrated", "p_max")
    render.frame(frame, style, output, best, MEASURED)


def _chart(store: Database, frame: pl.DataFrame, what: PictureOption) -> object:
    """Draw what was asked for of a frame with scores."""
    if what is PictureOption.map:
        from analyses.pictures import heatmap

        return heatmap(frame)
    if what is PictureOption.size:
        from analyses.pictures.size import size
        from analyses.sizes import by_size

        rows = by_size(store, frame)
        uncounted = rows["uncounted"].explode().drop_nulls().unique().sort().to_list()
        if uncounted:
            render.say(f"not drawn, for nobody counted their weights: {', '.join(uncounted)}")
        return size(rows)
    from analyses.twins import untrained_spaces

    untrained = untrained_spaces(store)
    if what is PictureOption.profile:
        from analyses.pictures import profile

        return profile(frame, untrained=untrained)
    from analyses.peaks import peaks
    from analyses.pictures.peaks import depth_square

    return depth_square(peaks(frame), frame["metric"][0], untrained=untrained)


def _make(
    db: Database,
    controls: Sequence[str],
    spaces: Sequence[str],
    datasets: Sequence[str],
    device: str,
) -> None:
    """Ingest the spaces that controls need; what is stored is not run again."""
    from analyses.twins import PIXEL_STATISTICS, RANDOM_INIT

    if RANDOM_INIT in controls:
        from ingest.controls import ensure_twins

        ensure_twins(db, spaces, device=device, command=common.command(), progress=progress())
    if PIXEL_STATISTICS in controls:
        from ingest.controls import ensure_pixel_statistics

        ensure_pixel_statistics(
            db, datasets=datasets, command=common.command(), progress=progress()
        )
