"""Options that several commands share; each has an environment variable."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Db = Annotated[
    str,
    typer.Option("--db", envvar="VDB_DB", metavar="PATH|URI", help="The store."),
]
DEFAULT_DB = "study"

Dataset = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        envvar="VDB_DATASET",
        metavar="NAME",
        help="Only items of this data set; may be repeated.",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", envvar="VDB_SEED", min=0, metavar="N", help="The seed of everything random."
    ),
]
Folds = Annotated[
    int,
    typer.Option(
        "--folds", envvar="VDB_FOLDS", min=2, metavar="N", help="Folds of the cross-validation."
    ),
]


class Format(StrEnum):
    """How a table is printed."""

    table = "table"
    json = "json"
    csv = "csv"
    parquet = "parquet"


OutputFormat = Annotated[
    Format,
    typer.Option("--format", envvar="VDB_FORMAT", help="How the result is printed."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        envvar="VDB_OUTPUT",
        metavar="FILE",
        help="Write the result here, not to the terminal.",
    ),
]
Picture = Annotated[
    Path | None,
    typer.Option(
        "--picture",
        envvar="VDB_PICTURE",
        metavar="FILE",
        help="Also write the picture here: .svg, .png or .json (Vega-Lite).",
    ),
]
