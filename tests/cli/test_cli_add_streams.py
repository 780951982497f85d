"""``vdb add pickapic``, ``webdataset``, ``hf``: what the commands pass on, print and refuse."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import vdb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., Any]


def jpeg(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (number, 0, 0)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def choices(tmp_path: Path) -> Path:
    """Make a split of three forced choices, the second between images too alike."""
    columns = {
        "caption": ["one", "two", "three"],
        "jpg_0": [jpeg(10 * i) for i in range(3)],
        "jpg_1": [jpeg(10 * i + 5) for i in range(3)],
        "label_0": [1.0, 0.5, 0.0],
        "label_1": [0.0, 0.5, 1.0],
        "are_different": [True, False, True],
    }
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "data" / "test-00000-of-00001.parquet")
    pq.write_table(pa.table(columns), tmp_path / "data" / "train-00000-of-00001.parquet")
    return tmp_path / "data"


def test_add_pickapic(vdb_command: Command, choices: Path) -> None:
    options = ("--split", "test", "--min-different", "1", "--name", "pick", "--prefix", "p/")
    answer = vdb_command("add", "pickapic", choices, *options)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.splitlines() == [
        "left out 1 rows whose are_different is below what was asked for (first: test-00000-of-00001.parquet:2)",
        "images: 4 added",
        "captions: 2 added",
        "trials: 2 added",
        "images: the bytes of 4 are in the store now",
    ]
    trials = vdb.open("study").trials().collect()
    assert set(trials["dataset"]) == {"pick"}
    assert all(one.startswith("p/") for one in trials["trial_id"])
    again = vdb_command("add", "pickapic", choices, *options)
    assert again.err.splitlines()[1:] == [
        "images: 0 added, 4 there already",
        "captions: 0 added, 2 there already",
        "trials: 0 added, 2 there already",
    ]


def test_add_pickapic_limited(vdb_command: Command, choices: Path) -> None:
    [file] = choices.glob("test*")
    assert vdb_command("add", "pickapic", file, "--limit", "1").code == 0
    assert vdb.open("study").trials().collect().height == 1


def test_add_webdataset(vdb_command: Command, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "0.tar", "w") as archive:
        for name, data in (
            ("a.jpg", jpeg(0)),
            ("a.json", b'{"alt": "words"}'),
            ("b.jpg", jpeg(90)),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    answer = vdb_command("add", "webdataset", "{0..0}.tar", "--caption-key", "alt", "--embed")
    assert answer.err.splitlines() == [
        "images: 2 added",
        "captions: 1 added",
        "pairs: 1 added",
        "images: the bytes of 2 are in the store now",
    ]
    assert vdb.open("study").captions().collect()["text"].to_list() == ["words"]
    assert vdb_command("add", "webdataset", "1.tar").error == "1.tar: there is no such shard"


def test_add_hf(vdb_command: Command, tmp_path: Path) -> None:
    """In a process of its own, as the library warns and logs when it is first imported."""
    pytest.importorskip("datasets")
    for number, name in enumerate(("cat", "dog")):
        (tmp_path / "pets" / "train" / name).mkdir(parents=True)
        (tmp_path / "pets" / "train" / name / "1.jpg").write_bytes(jpeg(number))
    run = [sys.executable, "-W", "error", "-c", "from cli.main import main; main()"]
    arguments = ["add", "hf", "pets", "--map", "concept_id=label"]
    done = subprocess.run(
        [*run, *arguments, "--limit", "2"], capture_output=True, text=True, check=False, cwd=tmp_path
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == ["concepts: 2 added", "images: 2 added"]
    (tmp_path / "pets" / "train" / "dog" / "1.jpg").write_bytes(b"<html>")
    assert vdb_command(*arguments, "--max-broken", "0").error == (
        "pets train[1]: image is no image: it begins with b'<html>'; --max-broken N passes over as many as N of these"
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("pickapic", "nowhere.parquet"), "nowhere.parquet: there is no such file, directory or"),
        (("pickapic", "data"), "holds several splits: test, train; choose one with --split"),
        (("pickapic", "data", "--split", "tests"), "no split 'tests'"),
        (("hf", "data/test-00000-of-00001.parquet"), "is a file: name its directory"),
        (("hf", "data", "--split", "test", "--map", "image=jpg"), "no column 'jpg' in data"),
    ],
)
def test_a_mistake_is_one_line_and_makes_no_store(
    arguments: tuple[str, ...], complaint: str, vdb_command: Command, choices: Path, tmp_path: Path
) -> None:
    assert choices.is_dir()
    answer = vdb_command("add", *arguments)
    assert answer.code == 1
    assert complaint in answer.error
    assert not (tmp_path / "study").exists()
