"""Removals that are killed: what is left is whole, and the same command finishes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vdb
from vdb import removal, tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdb.database import Database

WORKER = Path(__file__).with_name("removal_worker.py")
DELETES = 15  # vectors and failures of two spaces, vocabularies, and ten tables


def cut_off(patch: pytest.MonkeyPatch, after: int) -> None:
    """Make the delete after so many a Ctrl-C."""
    deleted, left = tables.delete, iter(range(after))

    def delete(table: object, where: object) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        deleted(table, where)

    patch.setattr(tables, "delete", delete)


@pytest.mark.parametrize("after", range(0, DELETES, 4))
def test_a_removal_cut_off_before_any_delete_is_finished_by_the_same_command(
    removing: Any, two: Database, only_red: dict[str, Any], after: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        cut_off(patch, after)
        with pytest.raises(KeyboardInterrupt):
            removal.remove_datasets(two, ["blue"])
    assert removing.dangling(two) == []
    removal.remove_datasets(two, ["blue"])
    assert removing.holding(two) == only_red


@pytest.mark.parametrize("remove", [removal.remove_datasets, removal.remove_variant])
def test_a_removal_that_is_cut_off_after_each_delete_comes_to_its_end(
    removing: Any, two: Database, other_two: Database, remove: Callable[..., Any]
) -> None:
    what = ["red"] if remove is removal.remove_datasets else "inpainted"
    for _ in range(DELETES + 1):
        with pytest.MonkeyPatch.context() as patch:
            cut_off(patch, 1)
            try:
                remove(two, what)
                break
            except KeyboardInterrupt:
                assert removing.dangling(two) == []
    remove(other_two, what)
    assert removing.holding(two) == removing.holding(other_two)


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_removes_leaves_a_whole_store(
    removing: Any, two: Database, other_two: Database
) -> None:
    rounds = 0
    while "red" in two.datasets()["dataset"] and rounds < DELETES:
        rounds += 1
        with subprocess.Popen(
            [sys.executable, "-W", "error", WORKER, two.uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin
            assert process.stdout
            for _ in range(5):
                if process.stdout.readline() != "delete\n":
                    break
                process.stdin.write("\n")
                process.stdin.flush()
            process.kill()  # in the midst of a delete, wherever that is
        assert removing.dangling(vdb.open(two.uri)) == []
    removal.remove_datasets(other_two, ["red"])
    assert rounds > 1
    assert removing.holding(two) == removing.holding(other_two)
