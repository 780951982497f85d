"""``vdb add trials``: forced choices that a table lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.add.common import (
    Embed,
    Name,
    Prefix,
    add_batches,
    app,
    check_file,
    check_folder,
    fields,
    patient,
)
from cli.options import DEFAULT_DB, Db


@app.command(
    short_help="Add forced choices from a CSV, JSONL or Parquet table.",
    epilog="Example: vdb add trials choices.csv --map query_text=prompt --map preferred=winner",
)
def trials(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV, TSV, JSONL or Parquet; a row a forced choice."),
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="Read FIELD (query_text, candidate_0_path, label, ...) from COLUMN; may be repeated.",
        ),
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(
            "--direction",
            envvar="VDB_DIRECTION",
            metavar="text-to-image|image-to-text",
            help="Direction of rows that hold ids alone.",
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            envvar="VDB_ROOT",
            metavar="DIR",
            help="Directory that image paths start from; the file's own.",
        ),
    ] = None,
    name: Name = None,
    prefix: Prefix = "",
    embed: Embed = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Add forced choices: a caption and two images, or an image and two captions, and which was preferred.

    Each of query, candidate_0 and candidate_1 is an id (column query_id, ...), a text (query_text, ...) or an image
    (query_path, ...). Then label (1: candidate 0, 0: candidate 1, 0.5: a tie) or preferred (0, 1, tie); and, where
    there is more to say, weight, gap, judge, trial_id, direction.

    Or a row is an image_path (or image_id), a caption and a false_caption.
    """
    check_file(file)
    check_folder(root)
    from ingest.datasets.trials.adapter import trials as adapter

    batches = adapter(
        file,
        mapping=fields(mapping),
        direction=direction,
        name=name,
        prefix=prefix,
        root=root,
        progress=patient(),
    )
    add_batches(db, batches, embed=embed)
