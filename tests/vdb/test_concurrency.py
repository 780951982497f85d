"""Several real processes on one store. They are told apart by their pipes; nothing waits for a clock."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import vdb
from vdb import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdb.database import Database
    from vdb.recipe import Recipe
    from vdb.space import Space

WORKER = Path(__file__).with_name("worker.py")
ROWS, STEP = 200, 20  # as worker.py has them


class Worker:
    """A process that runs worker.py."""

    def __init__(self, uri: str, how: str = "at once") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", WORKER, uri, how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hears(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def goes(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def workers(*made: Worker) -> Iterator[tuple[Worker, ...]]:
    try:
        yield made
    finally:
        for worker in made:
            worker.kill()
            for pipe in (worker.process.stdin, worker.process.stdout):
                assert pipe
                pipe.close()


@pytest.fixture
def uri(tmp_path: Path, recipe: Callable[..., Recipe]) -> str:
    (tmp_path / "study.recipe.json").write_text(recipe(4, 6).to_json())
    return str(tmp_path / "study")


def expected() -> np.ndarray:
    return np.random.default_rng(11).standard_normal((ROWS, 10)).astype(np.float16)


def holds_everything_once(space: Space) -> None:
    assert space.counts() == {"original": ROWS}
    ids, layers = space.matrices()
    assert ids == [f"img-{i:03d}" for i in range(ROWS)]
    assert np.array_equal(np.hstack(layers), expected())


def write_here(uri: str) -> Space:
    with workers(Worker(uri)) as [worker]:
        assert worker.hears() == "ready"
        worker.goes()
        assert worker.hears().isdecimal()
        assert worker.process.wait() == 0
    return vdb.open(uri).space("s")


@pytest.mark.slow
def test_four_processes_that_make_one_store_and_write_the_same_leave_each_row_once(
    uri: str,
) -> None:
    with workers(*(Worker(uri) for _ in range(4))) as four:
        assert [worker.hears() for worker in four] == ["ready"] * 4
        for worker in four:
            worker.goes()
        committed = [int(worker.hears()) for worker in four]
        assert [worker.process.wait() for worker in four] == [0] * 4
    assert sum(committed) == ROWS  # each row was one process's
    db = vdb.open(uri)
    holds_everything_once(db.space("s"))
    assert db.spaces().collect().height == 1
    assert db.table("meta").count_rows() == 1


@pytest.mark.slow
@pytest.mark.parametrize("commits", [3])
def test_a_writer_killed_between_commits_loses_nothing_and_can_be_resumed(
    uri: str, commits: int
) -> None:
    with workers(Worker(uri, "stepwise")) as [worker]:
        assert worker.hears() == "ready"
        for i in range(commits):
            worker.goes()
            assert int(worker.hears()) == STEP * (i + 1)
        worker.kill()
    space = vdb.open(uri).space("s")
    ids, layers = space.matrices()
    assert ids == [f"img-{i:03d}" for i in range(STEP * commits)]
    assert np.array_equal(np.hstack(layers), expected()[: len(ids)])
    holds_everything_once(write_here(uri))


@pytest.mark.slow
def test_a_writer_killed_in_the_midst_of_commits_can_be_resumed(uri: str) -> None:
    for _ in range(2):
        with workers(Worker(uri, "stepwise")) as [worker]:
            assert worker.hears() == "ready"
            worker.goes()
            said = worker.hears()
            worker.goes()  # the next commit begins; it is killed wherever it then is
            worker.kill()
        held = vdb.open(uri).space("s").matrix(0).ids
        assert len(held) % STEP == 0  # whole commits only
        assert len(held) >= int(said)
    holds_everything_once(write_here(uri))


@pytest.mark.slow
def test_an_open_handle_sees_what_another_process_commits_and_reads_one_version(uri: str) -> None:
    with workers(Worker(uri, "stepwise")) as [worker]:
        assert worker.hears() == "ready"
        db = vdb.open(uri)
        space = db.space("s")
        table = space.table  # held open all the time
        for i in range(1, 4):
            worker.goes()
            assert int(worker.hears()) == STEP * i
            assert len(space.ids()) == STEP * i
            assert len(space.matrix().ids) == STEP * i
            assert db.scan("s").collect().height == STEP * i
            assert table.count_rows() == STEP * i
        frozen = table.to_lance()
        frame = db.scan("s", layers=[0])
        worker.goes()
        assert int(worker.hears()) == STEP * 4
        assert frozen.count_rows() == STEP * 3
        assert frame.collect().height in (STEP * 3, STEP * 4)


def test_a_matrix_read_while_rows_are_committed_is_of_one_version(
    db: Database,
    recipe: Callable[..., Recipe],
    fill: Callable[..., dict[str, np.ndarray]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = db.create_space("s", recipe(4, 6))
    vectors = fill(space, [f"b{i}" for i in range(50)], rows_a_commit=7)
    opened = type(space.table).to_lance

    def then_more_is_committed(table: object) -> object:
        dataset = opened(table)
        monkeypatch.setattr(type(table), "to_lance", opened)
        fill(space, [f"a{i}" for i in range(50)], rows_a_commit=9, seed=9)
        return dataset

    monkeypatch.setattr(type(space.table), "to_lance", then_more_is_committed)
    ids, layers = space.matrices()
    assert ids == sorted(vectors)
    assert np.array_equal(np.hstack(layers), np.stack([vectors[i] for i in ids]))
    assert space.counts() == {schema.ORIGINAL: 100}
