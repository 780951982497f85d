"""What the commands of ``vdb add`` share: options, checks, and the report of what was added."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.render import say
from vdb.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.datasets.base import Batch
    from vdb.progress import Progress

app = typer.Typer(
    no_args_is_help=True,
    help="Add images, captions, concepts, pairs, masks, trials and ready-made variants to the store.",
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
Embed = Annotated[
    bool,
    typer.Option(
        "--embed",
        envvar="VDB_EMBED",
        help="Keep the images' bytes in the store, so that it can be moved or published by itself.",
    ),
]


def check_folder(*paths: Path | None) -> None:
    """Say at once, before anything heavy is imported, what the adapters would say; None was not given."""
    for path in paths:
        if path is not None and not path.is_dir():
            raise NotFoundError(f"{path.absolute()} is not a folder")


def check_file(*paths: Path | None) -> None:
    """Say at once that a file is not there; None was not given."""
    for path in paths:
        if path is not None and not path.exists():
            raise NotFoundError(f"{path}: there is no such file")


def patient() -> Progress:
    """Return who is told of the work that takes long."""
    from cli.progress import progress
    from vdb.progress import Patient

    return Patient(progress())


def fields(mapping: list[str] | None) -> dict[str, str]:
    """Read what ``--map`` was given: ``FIELD=COLUMN``, any number of times."""
    return dict(_pair(one) for one in mapping or [])


def _pair(text: str) -> tuple[str, str]:
    field, equals, column = text.partition("=")
    if not (field and equals and column):
        raise typer.BadParameter(f"{text!r} is not FIELD=COLUMN", param_hint="--map")
    return field, column


def add_batches(uri: str, batches: Iterator[Batch], *, embed: bool = False) -> None:
    """Add what an adapter yields, and say what that came to."""
    from ingest.add import add_dataset

    named: set[str] = set()
    db, report = add_dataset(
        uri, _noting(batches, named), notice=say, embed=embed, progress=patient()
    )
    for table, rows in report.added.items():
        unchanged = report.unchanged[table]
        owners = [f"{n} in data set {name!r}" for name, n in report.shared.get(table, {}).items()]
        whose = f" ({', '.join(owners)})" if owners else ""
        say(f"{table}: {rows} added" + (f", {unchanged} there already{whose}" if unchanged else ""))
    if report.embedded:
        say(f"images: the bytes of {report.embedded} are in the store now")
    if report.moved:
        say(f"images: {report.moved} were there under another path, which is now this one")
    if not any(report.added.values()):
        there = set(db.datasets()["dataset"])
        for name in sorted(named - there):
            say(
                f"no data set {name!r} was made, as all of it was there; --prefix keeps the two apart"
            )


def _noting(batches: Iterator[Batch], named: set[str]) -> Iterator[Batch]:
    """Pass batches on, and note the names of the data sets that their rows are of."""
    for batch in batches:
        for rows in batch.tables().values():
            if "dataset" in rows.columns:
                named.update(rows["dataset"].unique())
        yield batch
