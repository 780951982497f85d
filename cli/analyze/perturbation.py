"""``vdb analyze perturbation`` and ``vdb analyze self-alignment``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli import render
from cli.analyze import common
from cli.analyze.common import (
    LINEAR,
    CaptionsChoice,
    CaptionsOption,
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


class AlteredOption(StrEnum):
    """The side that is altered."""

    images = "images"
    captions = "captions"
    both = "both"


class FitOption(StrEnum):
    """How a map meets what is altered."""

    both = "both"
    transfer = "transfer"
    refit = "refit"


Variants = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="NAME",
        envvar="VDB_VARIANT",
        help="With commas between, or repeated; all that are stored by default.",
    ),
]

DELTA = (
    *("level", "variant", "altered", "kind", "fit", "direction", "target", "score_original"),
    *("score_altered", "delta", "low", "high", "p", "q", "floor", "retained", "n", "left_out"),
)
WHERE = ("vision", "language", "metric", "vision_layer", "language_layer", "cell_rule", "seed")
SELF = ("variant", "metric", "control", "direction", "layer", "score", "low", "high", "n")


@app.command(
    epilog="Example: vdb analyze perturbation --vision vit-l --language minilm --variant grayscale,patch-shuffle"
)
def perturbation(  # noqa: PLR0917 - a command's options
    vision: Vision,
    language: Language,
    variant: Variants = None,
    altered: Annotated[
        AlteredOption | None,
        typer.Option(
            "--altered",
            envvar="VDB_ALTERED",
            help="The side; by default that which holds the variant. IMAGE+CAPTION alters both.",
        ),
    ] = None,
    fit: Annotated[
        FitOption,
        typer.Option(
            "--fit",
            envvar="VDB_FIT",
            help="transfer: fitted on originals, scored on altered items; refit: fitted on altered ones.",
        ),
    ] = FitOption.both,
    metric: Metric = LINEAR,
    vision_layer: VisionLayer = None,
    language_layer: LanguageLayer = None,
    maps: Annotated[
        bool,
        typer.Option(
            "--maps/--no-maps",
            envvar="VDB_MAPS",
            help="Whole maps too, which take most of the time; without them one cell alone.",
        ),
    ] = True,
    captions: CaptionsChoice = CaptionsOption.one,
    dataset: Dataset = None,
    folds: Folds = 5,
    seed: Seed = 0,
    device: Device = "cpu",
    force: Force = False,
    db: Db = DEFAULT_DB,
    style: OutputFormat = Format.table,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Compare alignment under each alteration with that of the originals.

    The table shows one cell; the other formats hold the whole maps too (column scope). target: what is predicted,
    original or altered vectors. floor: mismatched pairs of the same altered rows by the same fit. retained: what is
    left above it, of what the originals have above theirs; of an altered target that is fitted again it speaks of
    another task.
    """
    common.check(style, output, picture)
    import vdb

    store = vdb.open(db)
    from analyses.perturbation import perturbation as analyse

    frame = analyse(
        store,
        vision,
        language,
        variants=names(variant),
        altered=None if altered is None else altered.value,
        fit=fit.value,
        metric=metric,
        vision_layer=common.layer(vision_layer),
        language_layer=common.layer(language_layer),
        maps=maps,
        captions=captions.value,
        datasets=dataset or (),
        folds=folds,
        seed=seed,
        device=common.device(device),
        force=force,
        command=common.command(),
        progress=progress(),
    )
    if picture is not None:
        from analyses.pictures.perturbation import delta_bars

        common.draw(delta_bars(frame), picture)
    shown = frame.filter(scope="cell").select(*WHERE, *DELTA)
    render.frame(frame, style, output, shown, DELTA)


@app.command(
    "self-alignment",
    epilog="Example: vdb analyze self-alignment --space vit-l --variant grayscale,patch-shuffle",
)
def self_alignment(
    space: Annotated[
        str,
        typer.Option("--space", metavar="SPACE", envvar="VDB_SPACE", help="A space with variants."),
    ],
    variant: Variants = None,
    metric: Metric = "mutual-knn",
    dataset: Dataset = None,
    folds: Folds = 5,
    seed: Seed = 0,
    device: Device = "cpu",
    force: Force = False,
    db: Db = DEFAULT_DB,
    style: OutputFormat = Format.table,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Compare a space's vectors of altered items with those of the originals, at each layer."""
    common.check(style, output, picture)
    import vdb

    store = vdb.open(db)
    from analyses.self_alignment import self_alignment as analyse

    frame = analyse(
        store,
        space,
        variants=names(variant),
        metric=metric,
        datasets=dataset or (),
        folds=folds,
        seed=seed,
        device=common.device(device),
        force=force,
        command=common.command(),
        progress=progress(),
    )
    if picture is not None:
        from analyses.pictures.self_alignment import self_profile

        common.draw(self_profile(frame), picture)
    render.frame(frame, style, output, frame.select("space", *SELF, "folds", "seed"), SELF)


def names(given: list[str] | None) -> list[str] | None:
    """Read variants: repeated, or with commas between, which no name holds."""
    if given is None:
        return None
    found = [part for one in given for part in one.split(",")]
    if not all(found):
        raise typer.BadParameter(
            f"{','.join(given)!r} is not names with commas between", param_hint="--variant"
        )
    return found
