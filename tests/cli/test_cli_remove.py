"""``vdb remove``: what it says, asks and refuses; what it removes is tested with the store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

import vdb
from vdb import variants

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Command = Callable[..., Any]

GOING = ["variants: 1", "pairs: 4", "images: 4", "captions: 4"]
"""What goes with the data set; the variant is a definition that there is no vector of."""


@pytest.fixture
def study(make_study: Callable[..., Database], tmp_path: Path) -> str:
    db = make_study(tmp_path / "study", 4)
    variants.define(db, "gray", "image", "appearance", {"name": "gray"}, "f", "vdb")
    return db.uri


def images(uri: str) -> int:
    return int(vdb.open(uri).images().collect().height)


def test_a_dry_run_says_what_would_go(study: str, vdb_command: Command) -> None:
    answer = vdb_command("remove", "dataset", "study", "--dry-run", "--db", study)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.splitlines() == [*GOING, "concepts: 3", "nothing was removed"]
    assert images(study) == 4


def test_what_cannot_be_undone_is_not_done_unasked(study: str, vdb_command: Command) -> None:
    for command in (("dataset", "study"), ("variant", "gray")):
        answer = vdb_command("remove", *command, "--db", study)
        assert answer.code == 1
        assert answer.err.splitlines()[-1] == (
            f"error: removing {command[1]} cannot be undone: say --yes, or --dry-run to look first"
        )
    assert images(study) == 4
    assert vdb.open(study).variants().collect().height == 1


@pytest.mark.parametrize(("said", "left"), [("y\n", 0), ("n\n", 4), ("\n", 4)])
def test_a_person_is_asked(
    study: str, vdb_command: Command, monkeypatch: pytest.MonkeyPatch, said: str, left: int
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return said

    monkeypatch.setattr(sys, "stdin", Terminal())
    answer = vdb_command("remove", "dataset", "study", "--db", study)
    assert answer.code == 0
    assert "Remove study? This cannot be undone" in answer.err
    assert answer.err.splitlines()[-1].endswith("removed" if left == 0 else "nothing was removed")
    assert images(study) == left


def test_yes_removes_and_purge_leaves_no_byte(
    study: str, vdb_command: Command, tmp_path: Path
) -> None:
    def held() -> bool:
        files = [path for path in (tmp_path / "study").rglob("*") if path.is_file()]
        return any(b"cap-00001" in path.read_bytes() for path in files)

    assert held()
    answer = vdb_command("remove", "dataset", "study", "--yes", "--purge", "--db", study)
    assert answer.code == 0
    assert answer.err.splitlines()[:4] == GOING
    assert answer.err.splitlines()[-2] == "removed"
    assert answer.err.splitlines()[-1].startswith("purged; ")
    assert not held()
    assert vdb.open(study).datasets().is_empty()


def test_a_variant_is_removed(study: str, vdb_command: Command) -> None:
    answer = vdb_command("remove", "variant", "gray", "--yes", "--db", study)
    assert (answer.code, answer.err.splitlines()) == (0, ["variants: 1", "removed"])
    answer = vdb_command("remove", "variant", "gray", "--yes", "--db", study)
    assert answer.error.startswith("no variant 'gray'")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("dataset", "stdy"), "no data set 'stdy'; did you mean study?"),
        (("variant", "grey"), "no variant 'grey'; did you mean gray?"),
        (("variant", "original"), "original is the items themselves"),
    ],
)
def test_names_that_cannot_be_removed_are_one_line(
    study: str, vdb_command: Command, command: tuple[str, ...], told: str
) -> None:
    answer = vdb_command("remove", *command, "--yes", "--db", study)
    assert answer.code == 1
    assert answer.error.startswith(told)
    answer = vdb_command("remove", *command, "--yes", "--db", "nowhere")
    assert answer.error.startswith("no store at nowhere")
