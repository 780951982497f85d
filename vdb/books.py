"""The store's books: what was run, what failed, what was drawn."""

from __future__ import annotations

import json
import sys
import uuid
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vdb import layouts, schema, tables
from vdb.errors import VdbError
from vdb.schema import key_of
from vdb.space import now

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vdb.database import Database

_RECORDED = (
    "vdb",
    "lancedb",
    "pylance",
    "pyarrow",
    "polars",
    "numpy",
    "torch",
    "timm",
    "transformers",
)


@contextmanager
def run(
    db: Database, command: str, parameters: Mapping[str, Any], seed: int | None = None
) -> Iterator[str]:
    """Record what is done inside the ``with`` statement, however it ends.

    Parameters
    ----------
    db : Database
    command : str
        The command line that does it again.
    parameters : mapping
        What decides the outcome; anything JSON can hold.
    seed : int, optional

    Yields
    ------
    str
        The run's id, which every result and failure of it carries.
    """
    run_id = uuid.uuid4().hex[:12]
    started, clock = now(), monotonic()
    outcome = "interrupted"
    try:
        yield run_id
        outcome = "finished"
    except VdbError as error:
        outcome = f"failed: {error}"
        raise
    except Exception as error:
        outcome = f"failed: {type(error).__name__}: {error}"
        raise
    finally:
        row = {
            "key": key_of(run_id),
            "run_id": run_id,
            "command": command,
            "parameters": json.dumps(parameters, sort_keys=True, default=str),
            "versions": json.dumps(_versions(), sort_keys=True),
            "seed": seed,
            "started_at": started,
            "seconds": monotonic() - clock,
            "outcome": outcome,
        }
        tables.insert(db.table("runs"), pa.Table.from_pylist([row], layouts.RUNS))


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for name in _RECORDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def record_failures(
    db: Database,
    space: str,
    failures: Iterable[tuple[str, str, str]],
    run_id: str,
    status: str = schema.FAILED,
) -> None:
    """Enter ``(item id, variant, reason)`` in the ledger; a later entry of the same item takes its place."""
    last = {(item_id, variant): reason for item_id, variant, reason in failures}
    rows = [
        {
            "key": key_of(space, item_id, variant),
            "space": space,
            "item_id": item_id,
            "variant": variant,
            "status": status,
            "reason": reason,
            "run_id": run_id,
            "failed_at": now(),
        }
        for (item_id, variant), reason in last.items()
    ]
    if rows:
        tables.upsert(db.table("failures"), pa.Table.from_pylist(rows, layouts.FAILURES))


def clear_failures(db: Database, space: str, items: Iterable[tuple[str, str]]) -> None:
    """Strike ``(item id, variant)`` from the ledger: they are stored now."""
    keys = [key_of(space, item_id, variant) for item_id, variant in items]
    if keys:
        tables.delete_keys(db.table("failures"), keys)


def keep_picture(
    db: Database, run_id: str, name: str, title: str, spec: str, svg: bytes, png: bytes
) -> None:
    """Keep a picture of a run: its Vega-Lite specification (data included), SVG and PNG."""
    row = {
        "key": key_of(run_id, name),
        "run_id": run_id,
        "name": name,
        "title": title,
        "spec": spec,
        "svg": svg,
        "png": png,
    }
    tables.upsert(db.table("pictures"), pa.Table.from_pylist([row], layouts.PICTURES))
