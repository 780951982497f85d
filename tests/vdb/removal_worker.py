"""Another process that removes the data set ``red``: it says so before each delete, and waits for a line."""

from __future__ import annotations

import sys

import vdb
from vdb import removal, tables

_deleted = tables.delete


def _delete(table: object, where: object) -> None:
    print("delete", flush=True)  # noqa: T201 - the other end of the pipe
    sys.stdin.readline()
    _deleted(table, where)


if __name__ == "__main__":
    tables.delete = _delete
    removal.remove_datasets(vdb.open(sys.argv[1]), ["red"])
    print("done", flush=True)  # noqa: T201 - as above
