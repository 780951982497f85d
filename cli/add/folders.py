"""``vdb add concepts`` and ``vdb add things``: images in the folders of their concepts."""

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


@app.command(epilog="Example: vdb add concepts 101_ObjectCategories --captions captions.csv")
def concepts(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder for each concept, images in it.")
    ],
    captions: Annotated[
        Path | None,
        typer.Option(
            "--captions",
            envvar="VDB_CONCEPTS_CAPTIONS",
            metavar="FILE",
            help="CSV, JSONL or Parquet with caption and image_path (from DIR) or concept_id.",
        ),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="Read FIELD (image_path, concept_id, caption, caption_id) of the captions from COLUMN; "
            "may be repeated.",
        ),
    ] = None,
    name: Name = None,
    prefix: Prefix = "",
    embed: Embed = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Add a folder of images for each concept.

    Captions of the images or of the concepts as a whole may stand in a table beside them.
    """
    check_folder(directory)
    check_file(captions)
    if mapping and captions is None:
        raise typer.BadParameter(
            "it names columns of --captions, which is not given", param_hint="--map"
        )
    from ingest.datasets.concepts.adapter import concepts as adapter

    batches = adapter(
        directory,
        captions=captions,
        mapping=fields(mapping),
        name=name,
        prefix=prefix,
        progress=patient(),
    )
    add_batches(db, batches, embed=embed)


@app.command(epilog="Example: vdb add things osf-storage/THINGS")
def things(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Directory that holds Main and Variables, or Images and Metadata."
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            envvar="VDB_THINGS_IMAGES",
            metavar="DIR",
            help="Directory of the folders of photos, where it is not in the other one.",
        ),
    ] = None,
    name: Name = None,
    prefix: Prefix = "",
    embed: Embed = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Add THINGS: photos of object concepts.

    Either of its layouts will do, and so will a part of the photos: what is not there is told.
    """
    check_folder(directory, images)
    from ingest.datasets.things import things as adapter

    batches = adapter(directory, images=images, name=name, prefix=prefix, progress=patient())
    add_batches(db, batches, embed=embed)
