"""``vdb add``: data sets into the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_DB, Db
from cli.render import say
from vdb.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.datasets.base import Batch

app = typer.Typer(
    no_args_is_help=True, help="Add images, captions, concepts and pairs to the store."
)

Name = Annotated[
    str | None,
    typer.Option(
        "--name", envvar="VDB_NAME", metavar="NAME", help="Name of the data set in the store."
    ),
]
Prefix = Annotated[
    str,
    typer.Option(
        "--prefix",
        envvar="VDB_PREFIX",
        metavar="TEXT",
        help="Put before image and caption ids, where two data sets share them.",
    ),
]


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
    db: Db = DEFAULT_DB,
) -> None:
    """Add photos and captions in COCO's format."""
    _check_folder(images)
    _check_file(captions)
    from ingest.datasets.coco import coco as adapter

    _add(db, adapter(images, captions, name=name or "coco", prefix=prefix))


@app.command(epilog="Example: vdb add manifest items.csv --map image_path=file --map caption=text")
def manifest(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="CSV, JSONL or Parquet; a row an image, a caption or a pair."
        ),
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="Read FIELD (image_path, image_id, caption, caption_id, concept_id) from COLUMN; may be repeated.",
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
    db: Db = DEFAULT_DB,
) -> None:
    """Add what a CSV, JSONL or Parquet table lists."""
    _check_file(file)
    if root is not None:
        _check_folder(root)
    from ingest.datasets.manifest import manifest as adapter

    fields = dict(_pair(one) for one in mapping or [])
    _add(db, adapter(file, mapping=fields, name=name, prefix=prefix, root=root))


@app.command(epilog="Example: vdb add concepts 101_ObjectCategories")
def concepts(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder for each concept, images in it.")
    ],
    name: Name = None,
    prefix: Prefix = "",
    db: Db = DEFAULT_DB,
) -> None:
    """Add a folder of images for each concept."""
    _check_folder(directory)
    from ingest.datasets.concepts import concepts as adapter

    _add(db, adapter(directory, name=name, prefix=prefix))


def _check_folder(path: Path) -> None:
    """Say at once, before anything heavy is imported, what the adapters would say."""
    if not path.is_dir():
        raise NotFoundError(f"{path.absolute()} is not a folder")


def _check_file(path: Path) -> None:
    if not path.exists():
        raise NotFoundError(f"{path}: there is no such file")


def _pair(text: str) -> tuple[str, str]:
    field, equals, column = text.partition("=")
    if not (field and equals and column):
        raise typer.BadParameter(f"{text!r} is not FIELD=COLUMN", param_hint="--map")
    return field, column


def _add(uri: str, batches: Iterator[Batch]) -> None:
    from ingest.add import add_dataset

    _, report = add_dataset(uri, batches, notice=say)
    for table, rows in report.added.items():
        unchanged = report.unchanged[table]
        say(f"{table}: {rows} added" + (f", {unchanged} there already" if unchanged else ""))
    if report.moved:
        say(f"images: {report.moved} were there under another path, which is now this one")
