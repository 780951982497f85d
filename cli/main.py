"""The command ``vdb``: its commands, and how its errors are shown."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import vdb
from cli import add, analyze, demo, ingest, models, remove, store, variants
from vdb.errors import NoStoreError, VdbError

app = typer.Typer(
    name="vdb",
    help="An embedding database for representational-alignment research.",
    epilog="Begin with `vdb demo`. Exit codes: 0 done, 1 an error or failed items, 2 wrong usage, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: it wraps as paragraphs do, and pastes into an issue or a page
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command(
    short_help="Make a world, ingest four small models, ask, write a report.",
)(demo.demo)
app.add_typer(add.app, name="add")
app.add_typer(models.app, name="models")
app.add_typer(variants.app, name="variants")
app.command(epilog="Example: vdb ingest --model vit-l --model gpt2 --limit 1000 --dry-run")(
    ingest.ingest
)
app.add_typer(analyze.app, name="analyze")
app.command()(store.report)
app.command(
    short_help="Show what each data set and space holds, failed and lacks.",
    epilog="Example: vdb status --db study",
)(store.status)
app.add_typer(remove.app, name="remove")
app.command(
    short_help="List the items that could not be ingested, and why.",
    epilog="Example: vdb failures --space vit-l --format csv --output failures.csv",
)(store.failures)
app.command(
    short_help="Bring a store of an older vdb to this one's schema.",
    epilog="Example: vdb migrate --db study",
)(store.migrate)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"vdb {vdb.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="VDB_DEBUG", help="Show the traceback of an error.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - typer's callback acts on it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before the command."""
    if debug:
        os.environ["VDB_DEBUG"] = "1"
    else:  # also where VDB_DEBUG=0 says so
        os.environ.pop("VDB_DEBUG", None)


def main() -> None:
    """Run the command line; an error of vdb's own is one line on standard error and exit code 1."""
    # Torch's threads wait by spinning, which on a machine that others use too costs many times the work itself.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app(prog_name="vdb")
    except VdbError as error:
        if os.environ.get("VDB_DEBUG"):
            raise
        typer.secho(f"error: {_told(error)}", err=True, fg="red" if sys.stderr.isatty() else None)
        sys.exit(1)


def _told(error: VdbError) -> str:
    """Say what is wrong, with the advice of the command line where that is not Python's."""
    if isinstance(error, NoStoreError):
        return f"no store at {error.uri}; `vdb add` makes one, `--db` or VDB_DB names another"
    return str(error)
