"""``vdb add coco``: photos with captions, as benchmarks publish them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.add.common import Embed, Name, Prefix, add_batches, app, check_file, check_folder
from cli.options import DEFAULT_DB, Db


@app.command(epilog="Example: vdb add coco --images val2017 --captions captions_val2017.json")
def coco(
    images: Annotated[
        Path,
        typer.Option(
            "--images", envvar="VDB_COCO_IMAGES", metavar="DIR", help="Directory of the photos."
        ),
    ],
    captions: Annotated[
        Path,
        typer.Option(
            "--captions",
            envvar="VDB_COCO_CAPTIONS",
            metavar="FILE",
            help="Captions file, in COCO's JSON.",
        ),
    ],
    name: Name = None,
    prefix: Prefix = "",
    embed: Embed = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Add photos and captions in COCO's format."""
    check_folder(images)
    check_file(captions)
    from ingest.datasets.coco import coco as adapter

    add_batches(db, adapter(images, captions, name=name or "coco", prefix=prefix), embed=embed)
