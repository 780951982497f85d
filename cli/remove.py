"""``vdb remove``: data sets and variants out of the store again."""

# Imports below an opened store are heavy: a mistyped place is told without them.

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli import render
from cli.options import DEFAULT_DB, Db
from cli.render import say
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vdb.database import Database

app = typer.Typer(
    no_args_is_help=True,
    help="Take data sets or a variant out of the store; results of analyses stay.",
)

DryRun = Annotated[
    bool, typer.Option("--dry-run", envvar="VDB_DRY_RUN", help="Only say what would go.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", envvar="VDB_YES", help="Do not ask.")]
Purge = Annotated[
    bool,
    typer.Option(
        "--purge",
        envvar="VDB_PURGE",
        help="Also rewrite the tables and drop their earlier versions, so that nothing of it is left on disk. "
        "Nobody else may be using the store.",
    ),
]


@app.command(
    short_help="Remove data sets and all that was made of them.",
    epilog="Example: vdb remove dataset coco --dry-run",
)
def dataset(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="As `vdb status` has them.")],
    db: Db = DEFAULT_DB,
    dry_run: DryRun = False,
    yes: Yes = False,
    purge: Purge = False,
) -> None:
    """Remove data sets: images, captions, pairs, segments, trials, concepts, ready-made variants, and their vectors.

    Results of analyses stay, and so do concepts that items of other data sets are exemplars of. Where another data set
    refers to an item, nothing is removed. A removal that was killed is finished by the same command.
    """
    import vdb

    store = vdb.open(db)
    from vdb.removal import remove_datasets

    going = remove_datasets(store, names, dry_run=True)
    if _agreed(going, ", ".join(names), dry_run=dry_run, yes=yes):
        remove_datasets(store, names)
        _finish(store, purge=purge)


@app.command(
    short_help="Remove a variant, its vectors and its definition.",
    epilog="Example: vdb remove variant nouns-only",
)
def variant(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="As `vdb status` has it: patch-shuffle:grid=14.")
    ],
    db: Db = DEFAULT_DB,
    dry_run: DryRun = False,
    yes: Yes = False,
    purge: Purge = False,
) -> None:
    """Remove a variant: its vectors in every space, its definition, and what somebody made ready of it.

    Afterwards it can be ingested anew: with another version of its tagger, for one. Results of analyses stay.
    """
    import vdb

    store = vdb.open(db)
    from vdb.removal import remove_variant

    going = remove_variant(store, name, dry_run=True)
    if _agreed(going, name, dry_run=dry_run, yes=yes):
        remove_variant(store, name)
        _finish(store, purge=purge)


def _agreed(going: Mapping[str, int], what: str, *, dry_run: bool, yes: bool) -> bool:
    """Say what goes, and ask whether it may."""
    for label, rows in going.items():
        say(f"{label}: {rows}")
    if dry_run:
        say("nothing was removed")
        return False
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InputError(f"removing {what} cannot be undone: say --yes, or --dry-run to look first")
    if not typer.confirm(f"Remove {what}? This cannot be undone", err=True):
        say("nothing was removed")
        return False
    return True


def _finish(store: Database, *, purge: bool) -> None:
    say("removed")
    if purge:
        from vdb.purging import purge as purge_store

        say(f"purged; {render.size(purge_store(store))} given back")
