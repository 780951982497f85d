"""``vdb add manifest``: what a table lists."""

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


@app.command(epilog="Example: vdb add manifest items.csv --map image_path=file --map caption=text")
def manifest(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="CSV, JSONL or Parquet; a row an image, a caption, a pair, or a variant of an item.",
        ),
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="Read FIELD (image_path, image_id, caption, caption_id, concept_id, variant, variant_kind) "
            "from COLUMN; may be repeated.",
        ),
    ] = None,
    root: Annotated[
        str | None,
        typer.Option(
            "--root",
            envvar="VDB_ROOT",
            metavar="DIR|URI",
            help="Directory, or place in an object store (s3://bucket/photos), that image paths start from and "
            "do not leave; the file's own directory unless given.",
        ),
    ] = None,
    name: Name = None,
    prefix: Prefix = "",
    embed: Embed = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Add what a CSV, JSONL or Parquet table lists.

    A row with a variant is somebody's altered file or text of the item that it names; a row with image_id and
    caption_id alone pairs two items that stand elsewhere.
    """
    check_file(file)
    if root is not None and "://" not in root:
        check_folder(Path(root))
    from ingest.datasets.manifest.adapter import manifest as adapter

    batches = adapter(
        file, mapping=fields(mapping), name=name, prefix=prefix, root=root, progress=patient()
    )
    add_batches(db, batches, embed=embed)
