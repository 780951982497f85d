"""What the questions share: their options, and how what was typed is read."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import render
from cli.options import Format

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
Visions = Annotated[
    str,
    typer.Option(
        "--vision",
        "-v",
        metavar="SPACE,SPACE",
        envvar="VDB_VISION",
        help="A space of images, or several with commas between: each is paired with each of the texts'.",
    ),
]
Languages = Annotated[
    str,
    typer.Option(
        "--language",
        "-l",
        metavar="SPACE,SPACE",
        envvar="VDB_LANGUAGE",
        help="A space of texts, or several with commas between.",
    ),
]
Control = Annotated[
    list[str] | None,
    typer.Option(
        "--control",
        metavar="NAME",
        envvar="VDB_CONTROL",
        help="Only this control, as the table names it, or none at all (none); may be repeated. By default all.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        envvar="VDB_DEVICE",
        help="Where to compute: auto, cpu, cuda, cuda:1 or mps.",
    ),
]
Metric = Annotated[
    str,
    typer.Option(
        "--metric",
        metavar="NAME[:SETTING=VALUE]",
        envvar="VDB_METRIC",
        help="A metric, with settings if you like: linear-predictivity, mutual-knn:k=5, cka, rsa:distance=cosine; "
        "`vdb analyze metrics` lists them.",
    ),
]
VisionLayer = Annotated[
    str | None,
    typer.Option(
        "--vision-layer",
        metavar="LAYER",
        envvar="VDB_VISION_LAYER",
        help="The vision layer, by index or name. By default both layers are chosen on half of the groups and scored "
        "on the other.",
    ),
]
LanguageLayer = Annotated[
    str | None,
    typer.Option(
        "--language-layer",
        metavar="LAYER",
        envvar="VDB_LANGUAGE_LAYER",
        help="The language layer, by index or name.",
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", envvar="VDB_FORCE", help="Compute again what was answered before."),
]
Permutations = Annotated[
    int | None,
    typer.Option(
        "--permutations",
        metavar="N",
        min=0,
        envvar="VDB_PERMUTATIONS",
        help="Shuffled pairings that chance is told from; by default 200, and 0 for a metric where one costs as much "
        "as the map itself.",
    ),
]
LINEAR = "linear-predictivity"
ASKED = ("control", "direction", "k", "score", "low", "high")
LAYERS = ("vision_layer", "language_layer")
MEASURED = {"control", "direction", *LAYERS, "k", "score", "held_out", "low", "high"}
"""Columns that the table has even where they are the same in every row."""


class DirectionOption(StrEnum):
    """What predicts what."""

    both = "both"
    vision_to_language = "vision-to-language"
    language_to_vision = "language-to-vision"


DIRECTIONS: dict[DirectionOption, Literal["both", "vision->language", "language->vision"]] = {
    DirectionOption.both: "both",
    DirectionOption.vision_to_language: "vision->language",
    DirectionOption.language_to_vision: "language->vision",
}


class CaptionsOption(StrEnum):
    """What stands for an image's captions."""

    one = "one"
    mean = "mean"
    all = "all"


CaptionsChoice = Annotated[
    CaptionsOption,
    typer.Option(
        "--captions",
        envvar="VDB_CAPTIONS",
        help="What stands for an image's captions: the first by id, the mean of all, or a row each.",
    ),
]


class PictureOption(StrEnum):
    """What a picture of an alignment shows."""

    map = "map"
    profile = "profile"
    peaks = "peaks"
    size = "size"


PictureOf = Annotated[
    PictureOption,
    typer.Option(
        "--picture-of",
        envvar="VDB_PICTURE_OF",
        help="What --picture shows: the maps, the scores over depth, where the best cells lie, or the best cells "
        "against the models' sizes.",
    ),
]


def controls(given: list[str] | None, known: Sequence[str]) -> Sequence[str]:
    """Return the controls to run: all that are known, none, or those given."""
    if given is None:
        return known
    return () if given == ["none"] else given


def numbers(text: str) -> list[int]:
    """Read numbers with commas between."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not numbers with commas between", param_hint="--k"
        ) from None


def names(text: str, option: str) -> list[str]:
    """Read names with commas between, each once."""
    found = list(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(found):
        raise typer.BadParameter(f"{text!r} has a comma without a name", param_hint=option)
    return found


def layer(text: str | None) -> int | str | None:
    """Read a layer: an index, or a name."""
    try:
        return None if text is None else int(text)
    except ValueError:
        return text


def device(name: str) -> str:
    """Resolve the name of a torch device."""
    from ingest.encoders.device import resolve_device

    return str(resolve_device(name))


def command() -> str:
    """Return the command line that was typed."""
    return shlex.join(["vdb", *sys.argv[1:]])


def check(style: Format, output: Path | None, picture: Path | None) -> None:
    """Refuse what could not be written before anything is computed or kept."""
    render.check(style, output)
    if picture is not None:
        from analyses.pictures import check_path

        check_path(picture)


def draw(chart: object, path: Path) -> None:
    """Write a picture."""
    from analyses.pictures import write

    write(chart, path)
