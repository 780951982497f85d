"""``vdb add pickapic``, ``webdataset``, ``hf``: data sets larger than memory, read piece by piece."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.add.common import Embed, Name, Prefix, add_batches, app, fields
from cli.options import DEFAULT_DB, Db

Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        envvar="VDB_SPLIT",
        metavar="NAME",
        help="Which split to read, where there are several; a row that stands in two splits is added once, and adding "
        "two under one --name makes one data set of them.",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", envvar="VDB_LIMIT", min=1, metavar="N", help="Read only the first N rows."
    ),
]

MaxBroken = Annotated[
    int,
    typer.Option(
        "--max-broken",
        envvar="VDB_MAX_BROKEN",
        min=0,
        metavar="N",
        help="Pass over, and count, up to N images that are none, as their first bytes tell.",
    ),
]


@app.command(epilog="Example: vdb add pickapic pickapic_v2/data --split validation_unique")
def pickapic(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Parquet files, a directory of them, quoted wildcards, or a data set of the hub (OWNER/NAME), which "
            "is not downloaded.",
        ),
    ],
    split: Split = None,
    limit: Limit = None,
    min_different: Annotated[
        float,
        typer.Option(
            "--min-different",
            envvar="VDB_MIN_DIFFERENT",
            min=0,
            metavar="X",
            help="Only rows whose are_different is at least X; true counts as 1, so that 1 leaves out images too "
            "alike to choose from.",
        ),
    ] = 0.0,
    max_broken: MaxBroken = 100,
    name: Name = None,
    prefix: Prefix = "",
    db: Db = DEFAULT_DB,
) -> None:
    """Add Pick-a-Pic: prompts, two images for each, and which one a person preferred.

    Images and prompts are stored once by what they hold. Each row is a trial, weighted by one over
    the number of rows of its prompt. A row without a label adds its images and prompt but no trial;
    rows that lack an image or the prompt, or whose image is none, are left out; each is counted.
    """
    from ingest.datasets.pickapic.adapter import pickapic as adapter
    from ingest.datasets.pickapic.stored import stored_choices

    batches = adapter(
        *sources,
        split=split,
        limit=limit,
        min_different=min_different,
        max_broken=max_broken,
        stored=stored_choices(db, name or "pickapic"),
        name=name,
        prefix=prefix,
    )
    add_batches(db, batches)


@app.command(epilog="Example: vdb add webdataset 'cc3m/{00000..00331}.tar'")
def webdataset(
    shards: Annotated[
        list[str],
        typer.Argument(
            metavar="SHARD...",
            help="Tar files, directories of them, brace patterns, wildcards (quote them).",
        ),
    ],
    caption_keys: Annotated[
        list[str] | None,
        typer.Option(
            "--caption-key",
            envvar="VDB_CAPTION_KEY",
            metavar="KEY",
            help="Read captions from this key of each KEY.json; may be repeated. [default: caption]",
        ),
    ] = None,
    limit: Limit = None,
    max_broken: MaxBroken = 100,
    name: Name = None,
    prefix: Prefix = "",
    embed: Embed = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Add tar shards of images and captions, as img2dataset writes them.

    Images stay where they are in the shards, which must not change afterwards; --embed copies them
    into the store instead.
    """
    from ingest.datasets.webdataset.adapter import webdataset as adapter

    batches = adapter(
        *shards,
        caption_keys=caption_keys or ["caption"],
        limit=limit,
        max_broken=max_broken,
        name=name,
        prefix=prefix,
    )
    add_batches(db, batches, embed=embed)


@app.command(epilog="Example: vdb add hf nlphuji/flickr30k --split test --map image_id=img_id")
def hf(
    source: Annotated[
        str,
        typer.Argument(metavar="NAME_OR_DIR", help="A data set of the hub, or a local directory."),
    ],
    split: Split = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="Read FIELD (image, image_id, caption, caption_id, concept_id) from COLUMN; may be repeated.",
        ),
    ] = None,
    limit: Limit = None,
    streaming: Annotated[
        bool,
        typer.Option(
            "--streaming/--no-streaming",
            envvar="VDB_STREAMING",
            help="Read over the network row by row, or download first.",
        ),
    ] = True,
    max_broken: MaxBroken = 100,
    name: Name = None,
    prefix: Prefix = "",
    embed: Embed = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Add a Hugging Face data set, by name or from a local directory."""
    from ingest.datasets.hf.adapter import hf as adapter

    batches = adapter(
        source,
        split=split,
        mapping=fields(mapping),
        limit=limit,
        streaming=streaming,
        max_broken=max_broken,
        name=name,
        prefix=prefix,
    )
    add_batches(db, batches, embed=embed)
