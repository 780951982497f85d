"""``vdb add concepts``: images in the folders of their concepts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.add.common import Embed, Name, Prefix, add_batches, app, check_folder
from cli.options import DEFAULT_DB, Db


@app.command(epilog="Example: vdb add concepts 101_ObjectCategories")
def concepts(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder for each concept, images in it.")
    ],
    name: Name = None,
    prefix: Prefix = "",
    embed: Embed = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Add a folder of images for each concept."""
    check_folder(directory)
    from ingest.datasets.concepts import concepts as adapter

    add_batches(db, adapter(directory, name=name, prefix=prefix), embed=embed)
