"""A run that is killed anywhere and done again ends in the same store as one that was not."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import vdb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vdb.database import Database

WORKER = Path(__file__).with_name("pipeline_worker.py")
ITEMS = 100
BROKEN = (7, 24, 61)
SECONDS = 60


def work(
    uri: Path, modality: str, steps: int | None = None, variants: Sequence[str] = ("original",)
) -> tuple[list[str], int]:
    """Run the worker, killed at its n-th step; return its steps and how it ended."""
    worker = subprocess.Popen(
        [sys.executable, "-W", "ignore", WORKER, uri, modality, *variants],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    said: list[str] = []
    watch = Timer(5 * SECONDS, worker.kill)  # a worker that hangs fails its test, not the whole run
    watch.start()
    with worker, ExitStack() as after:
        after.callback(watch.cancel)
        assert worker.stdin is not None
        assert worker.stdout is not None
        for line in worker.stdout:
            said.append(line.strip())
            if len(said) == steps:
                worker.send_signal(signal.SIGKILL)
                break
            if said[-1] == "finished":
                break
            worker.stdin.write("\n")
        return said, worker.wait(SECONDS)


def everything(db: Database) -> dict[str, Any]:
    """All that a space holds, by id, to the bit, and the ledger beside it."""
    space = db.space("blend")
    read = {variant: space.matrices(variant=variant) for variant in sorted(space.counts())}
    rows = space.scan(layers=[]).collect().sort(space.id_column, "variant").rows()
    entries = db.failures().select("space", "item_id", "variant", "status", "reason").collect()
    return {
        "ids": {variant: ids for variant, (ids, _) in read.items()},
        "layers": {v: [layer.tobytes() for layer in layers] for v, (_, layers) in read.items()},
        "rows": rows,
        "ledger": entries.sort("item_id", "variant").rows(),
    }


@pytest.fixture(scope="module")
def empty(make_study: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of items, three of whose photos are empty files."""
    root = tmp_path_factory.mktemp("resume")
    db = make_study(root / "empty", ITEMS, seed=1)
    for i in BROKEN:
        (root / "empty-photos" / f"img-{i:05d}.png").write_bytes(b"")
    return Path(db.uri)


@pytest.fixture(scope="module")
def whole(empty: Path) -> Callable[..., dict[str, Any]]:
    """What a run that nobody disturbed makes of it."""
    made: dict[tuple[str, ...], dict[str, Any]] = {}

    def run(modality: str, variants: Sequence[str] = ("original",)) -> dict[str, Any]:
        name = (modality, *variants)
        if name not in made:
            uri = shutil.copytree(empty, empty.with_name("-".join(("whole", *name))))
            assert work(uri, modality, variants=variants)[1] == 0
            made[name] = everything(vdb.open(uri))
        return made[name]

    return run


@pytest.fixture
def uri(empty: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty, tmp_path / "study"))


slow = pytest.mark.slow


# Before the first block, within a window, before and after a commit, in the middle, near the end.
@pytest.mark.parametrize(
    ("modality", "steps"),
    [
        pytest.param("image", 1, marks=slow),
        ("image", 8),
        pytest.param("image", 16, marks=slow),
        pytest.param("text", 3, marks=slow),
        ("text", 6),
        pytest.param("text", 7, marks=slow),
        ("text", 19),
    ],
)
def test_a_killed_run_done_again_equals_one_that_was_not_killed(
    modality: str, steps: int, uri: Path, whole: Callable[..., dict[str, Any]]
) -> None:
    said, code = work(uri, modality, steps)
    assert (len(said), code) == (steps, -signal.SIGKILL)
    kept = sum(int(line.split()[1]) for line in said if line.startswith("committed"))
    again, code = work(uri, modality)
    assert code == 0
    there = int(again[0].split()[2])
    assert kept <= there < ITEMS  # a commit under way may stand or not; what was committed does
    found, expected = everything(vdb.open(uri)), whole(modality)
    failed = BROKEN if modality == "image" else ()
    assert [entry[1] for entry in expected["ledger"]] == [f"img-{i:05d}" for i in failed]
    assert len(expected["ids"]["original"]) == ITEMS - len(failed)
    for part, values in expected.items():
        assert found[part] == values, part


VARIANTS = {"image": ("original", "darker", "noisy"), "text": ("original", "half", "reverse")}


# Rows, not items, make batches and commits: nearly every kill leaves an item with some of its variants stored.
@pytest.mark.parametrize(
    ("modality", "steps"),
    [
        ("image", 14),
        pytest.param("image", 33, marks=slow),
        pytest.param("text", 8, marks=slow),
        ("text", 21),
        pytest.param("text", 52, marks=slow),
    ],
)
def test_so_does_one_over_several_variants(
    modality: str, steps: int, uri: Path, whole: Callable[..., dict[str, Any]]
) -> None:
    variants = VARIANTS[modality]
    said, code = work(uri, modality, steps, variants)
    assert (len(said), code) == (steps, -signal.SIGKILL)
    half_done = vdb.open(uri).space("blend").counts()
    assert 0 < sum(half_done.values()) < ITEMS * 3 - 40
    again, code = work(uri, modality, variants=variants)
    assert code == 0
    commits = [int(line.split()[1]) for line in again if line.startswith("commit ")]
    assert set(commits[:-1]) == {24}  # whole windows, as in a run that begins
    found, expected = everything(vdb.open(uri)), whole(modality, variants)
    assert set(expected["ids"]) == set(variants)
    statuses = {status for *_, status, _ in expected["ledger"]}
    assert statuses == ({"failed", "inapplicable"} if modality == "image" else {"inapplicable"})
    for part, values in expected.items():
        assert found[part] == values, part


def test_the_same_command_again_does_nothing(uri: Path) -> None:
    work(uri, "text")
    before = everything(vdb.open(uri))
    version = vdb.open(uri).space("blend").table.version
    said, code = work(uri, "text")
    assert (said, code) == (["finished"], 0)
    assert everything(vdb.open(uri)) == before
    assert vdb.open(uri).space("blend").table.version == version


def test_two_processes_at_once_store_each_row_once(uri: Path) -> None:
    """Both have planned before either goes on; then they take turns."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", WORKER, uri, "image"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        for _ in range(2)
    ]
    committed = [0, 0]
    running = [0, 1]
    for worker in workers:  # both are at their task, which says that nothing is there yet
        assert worker.stdout is not None
        assert worker.stdout.readline().split() == ["blend", str(ITEMS), "0"]
    while running:
        for one in list(running):
            worker = workers[one]
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write("\n")
            line = worker.stdout.readline().split()
            if line[0] == "committed":
                committed[one] += int(line[1])
            if line[0] == "finished":
                running.remove(one)
    for worker in workers:
        with worker:
            assert worker.wait(SECONDS) == 0
    space = vdb.open(uri).space("blend")
    ids = space.scan(layers=[]).collect()["image_id"].to_list()
    good = [f"img-{i:05d}" for i in range(ITEMS) if i not in BROKEN]
    assert sorted(ids) == good
    assert sum(committed) == len(good)
    assert vdb.open(uri).failures().collect().height == len(BROKEN)
    assert np.isfinite(space.matrix(0).values).all()
