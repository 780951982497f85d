"""``vdb add coco`` and ``flickr8k``: photos with captions, masks and judgements, as benchmarks publish them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.add.common import Embed, Name, Prefix, add_batches, app, check_file, check_folder
from cli.options import DEFAULT_DB, Db


@app.command(
    short_help="Add photos with captions and masks in COCO's format.",
    epilog="Example: vdb add coco --images val2017 --captions captions_val2017.json "
    "--instances instances_val2017.json",
)
def coco(
    images: Annotated[
        Path,
        typer.Option(
            "--images", envvar="VDB_COCO_IMAGES", metavar="DIR", help="Directory of the photos."
        ),
    ],
    captions: Annotated[
        Path | None,
        typer.Option(
            "--captions",
            envvar="VDB_COCO_CAPTIONS",
            metavar="FILE",
            help="Captions file, in COCO's JSON.",
        ),
    ] = None,
    instances: Annotated[
        Path | None,
        typer.Option(
            "--instances",
            envvar="VDB_COCO_INSTANCES",
            metavar="FILE",
            help="Instances file: masks of things, in COCO's JSON.",
        ),
    ] = None,
    panoptic: Annotated[
        Path | None,
        typer.Option(
            "--panoptic",
            envvar="VDB_COCO_PANOPTIC",
            metavar="FILE",
            help="Panoptic file: things and stuff, in COCO's JSON; needs --panoptic-masks.",
        ),
    ] = None,
    panoptic_masks: Annotated[
        Path | None,
        typer.Option(
            "--panoptic-masks",
            envvar="VDB_COCO_PANOPTIC_MASKS",
            metavar="DIR",
            help="Directory of the panoptic PNGs.",
        ),
    ] = None,
    name: Name = None,
    prefix: Prefix = "",
    embed: Embed = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Add photos with captions, instance masks and panoptic masks in COCO's format, in one go or one after the other.

    The photos of the data set are those of the captions file; without --captions, those of DIR that the masks are of.
    Masks of other photos are left out and counted.
    """
    if captions is None and instances is None and panoptic is None:
        raise typer.BadParameter(
            "give at least one", param_hint="--captions, --instances, --panoptic"
        )
    if (panoptic is None) != (panoptic_masks is None):
        raise typer.BadParameter("give both", param_hint="--panoptic and --panoptic-masks")
    check_folder(images)
    for file in (captions, instances, panoptic):
        if file is not None:
            check_file(file)
    if panoptic_masks is not None:
        check_folder(panoptic_masks)
    from ingest.datasets.coco import coco as adapter

    batches = adapter(
        images,
        captions,
        instances_file=instances,
        panoptic_file=panoptic,
        panoptic_masks=panoptic_masks,
        name=name or "coco",
        prefix=prefix,
    )
    add_batches(db, batches, embed=embed)
