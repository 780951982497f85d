"""``vdb add coco`` and ``flickr8k``: photos with captions, masks and judgements, as benchmarks publish them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.add.common import Embed, Name, Prefix, add_batches, app, check_file, check_folder, patient
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
        raise typer.BadParameter("give at least one of --captions, --instances, --panoptic")
    if (panoptic is None) != (panoptic_masks is None):
        raise typer.BadParameter("--panoptic and --panoptic-masks go together")
    check_folder(images, panoptic_masks)
    check_file(captions, instances, panoptic)
    from ingest.datasets.coco.adapter import coco as adapter

    batches = adapter(
        images,
        captions,
        instances_file=instances,
        panoptic_file=panoptic,
        panoptic_masks=panoptic_masks,
        name=name,
        prefix=prefix,
        progress=patient(),
    )
    add_batches(db, batches, embed=embed)


@app.command(
    short_help="Add Flickr8k: photos, captions, experts' judgements.",
    epilog="Example: vdb add flickr8k --images Flicker8k_Dataset --captions Flickr8k.token.txt "
    "--judgements ExpertAnnotations.txt",
)
def flickr8k(
    images: Annotated[
        Path,
        typer.Option(
            "--images", envvar="VDB_FLICKR8K_IMAGES", metavar="DIR", help="Directory of the photos."
        ),
    ],
    captions: Annotated[
        Path,
        typer.Option(
            "--captions",
            envvar="VDB_FLICKR8K_CAPTIONS",
            metavar="FILE",
            help="Captions, a line each: image.jpg#n, a tab, the caption.",
        ),
    ],
    judgements: Annotated[
        Path | None,
        typer.Option(
            "--judgements",
            envvar="VDB_FLICKR8K_JUDGEMENTS",
            metavar="FILE",
            help="Expert judgements, a line each: image, caption id and three scores, parted by tabs.",
        ),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(
            "--split",
            envvar="VDB_FLICKR8K_SPLIT",
            metavar="FILE",
            help="Keep only the images that this file names, one a line.",
        ),
    ] = None,
    name: Name = None,
    prefix: Prefix = "",
    embed: Embed = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Add Flickr8k: photos, captions, and trials made of the experts' judgements.

    A trial is a caption and two images that were judged for it with different mean scores.
    """
    check_folder(images)
    check_file(captions, judgements, split)
    from ingest.datasets.flickr8k import flickr8k as adapter

    batches = adapter(
        images,
        captions,
        judgements_file=judgements,
        split_file=split,
        name=name,
        prefix=prefix,
        progress=patient(),
    )
    add_batches(db, batches, embed=embed)
