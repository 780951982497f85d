"""``vdb ingest`` as a person meets it: what it says, how it ends, how it is interrupted."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import torch

import vdb
from cli.outcomes import tell
from ingest.encoders.timm_encoder import TimmEncoder
from ingest.pipeline.ledger import Ingested
from ingest.pipeline.many import Outcome
from ingest.pipeline.plan import Plan, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vdb.database import Database

    Command = Callable[..., Any]

ITEMS = 40
VDB = Path(sys.executable).with_name("vdb")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def study(make_study: Callable[..., Database], tmp_path: Path) -> Path:
    return Path(make_study(tmp_path / "study", ITEMS).uri)


def test_both_modalities_then_status_then_again(
    study: Path, vdb_command: Command, tiny_vision: Path, tiny_language: Path
) -> None:
    command = ("ingest", "--model", tiny_vision, "--model", tiny_language, "--device", "cpu")
    answer = vdb_command(*command)
    assert answer.code == 0
    assert answer.out == ""
    lines = answer.err.splitlines()
    assert lines[0] == f"loading {tiny_vision} ..."
    assert lines[1] == "tiny-vit: 0 of 40 there, 40 to do"
    assert lines[2].startswith("tiny-vit: 40 of 40, ")
    assert lines[2].endswith(" a second")
    assert lines[3] == "tiny-vit: 0 there before, 40 stored, 0 failed"
    rows = json.loads(vdb_command("status", "--format", "json").out)
    seen = [(row["space"], row["stored"], row["failed"], row["remaining"]) for row in rows]
    assert seen == [("tiny-gpt2", ITEMS, 0, 0), ("tiny-vit", ITEMS, 0, 0)]
    answer = vdb_command(*command)
    assert answer.code == 0
    assert answer.err.splitlines() == [
        f"loading {tiny_vision} ...",
        "tiny-vit: 40 there before, 0 stored, 0 failed",
        f"loading {tiny_language} ...",
        "tiny-gpt2: 40 there before, 0 stored, 0 failed",
    ]
    commands = vdb.open(study).runs().collect()["command"].unique().to_list()
    assert len(commands) == 1
    assert commands[0].startswith("vdb ingest --model ")


def test_failed_items_are_told_and_the_exit_code_is_1(
    study: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    photo = study.with_name("study-photos") / "img-00003.png"
    content = photo.read_bytes()
    photo.write_bytes(content[:200])
    answer = vdb_command("ingest", "--model", tiny_vision, "--device", "cpu")
    assert answer.code == 1
    assert "tiny-vit: 0 there before, 39 stored, 1 failed" in answer.err.splitlines()
    assert "  img-00003: the file changed since it was added" in answer.err
    table = vdb_command("failures", "--space", "tiny-vit").out.splitlines()
    assert len(table) == 3
    assert table[2].split()[:7] == [
        "tiny-vit",
        "img-00003",
        "original",
        "failed",
        "the",
        "file",
        "changed",
    ]
    photo.write_bytes(content)
    answer = vdb_command("ingest", "--model", tiny_vision, "--device", "cpu")
    assert answer.code == 0
    assert "tiny-vit: 39 there before, 1 stored, 0 failed" in answer.err.splitlines()
    assert len(vdb_command("failures").out.splitlines()) == 2


def test_more_failures_than_allowed_is_an_error_that_keeps_the_rest(
    study: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    for i in range(30, 36):
        (study.with_name("study-photos") / f"img-{i:05d}.png").unlink()
    answer = vdb_command(
        "ingest", "--model", tiny_vision, "--max-failures", 2, "--batch-size", 4, "--device", "cpu"
    )
    assert answer.code == 1
    [error] = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert "tiny-vit" in error
    assert "3 items failed, more than --max-failures 2; the last was 'img-00032'" in error
    assert len(vdb.open(study).space("tiny-vit").ids()) >= 24


def test_a_dry_run_says_rows_and_bytes_and_writes_nothing(
    study: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    vdb_command("ingest", "--model", tiny_vision, "--limit", 10, "--device", "cpu")
    before = tree(study)
    answer = vdb_command("ingest", "--model", tiny_vision, "--dry-run", "--device", "cpu")
    assert answer.code == 0
    # 3 layers of 32 float16 values a row
    assert answer.err.splitlines() == [
        f"loading {tiny_vision} ...",
        f"tiny-vit: 40 rows, 10 there already, 30 to do, {30 * 192 / 1024:.1f} kB to write",
    ]
    assert tree(study) == before


def test_a_dry_run_over_variants_says_the_rows_of_each(
    study: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    command = ("ingest", "--model", tiny_vision, "--device", "cpu", "--limit", 10)
    vdb_command(*command)
    answer = vdb_command(*command, "--variant", "original,blur:sigma=0.01", "--dry-run")
    assert answer.code == 0
    assert answer.err.splitlines()[1:] == [
        f"tiny-vit: 20 rows, 10 there already, 10 to do, {10 * 192 / 1024:.1f} kB to write",
        "  original: 10 rows, 10 there already, 0 to do",
        "  blur: 10 rows, 0 there already, 10 to do",
    ]
    assert vdb.open(study).space("tiny-vit").counts() == {"original": 10}


def test_each_model_takes_its_variants_and_what_cannot_be_is_no_failure(
    study: Path, vdb_command: Command, tiny_vision: Path, tiny_language: Path
) -> None:
    command = ("ingest", "--device", "cpu", "--limit", 8, "--model", tiny_vision)
    answer = vdb_command(
        *command,
        *("--model", tiny_language, "--variant", "things-only,grayscale", "--max-failures", 0),
    )
    assert answer.code == 0
    assert answer.err.splitlines()[0] == (
        f"{tiny_language}: skipped: none of the variants asked for is of texts"
    )
    assert answer.err.splitlines()[-2:] == [
        "tiny-vit: 0 there before, 8 stored, 0 failed",
        "  things-only: 8 images cannot have it: no masks in the store for this image (vdb add coco --panoptic)",
    ]
    again = vdb_command(*command, "--variant", "things-only,grayscale", "--dry-run")
    assert again.err.splitlines()[1:] == [
        "tiny-vit: 16 rows, 8 there already, 8 cannot be, 0 to do, 0 B to write",
        "  grayscale: 8 rows, 8 there already, 0 to do",
        "  things-only: 8 rows, 0 there already, 8 cannot be, 0 to do",
        "  things-only: 8 images cannot have it: no masks in the store for this image (vdb add coco --panoptic)",
    ]
    assert vdb.open(study).space("tiny-vit").counts() == {"grayscale": 8}
    statuses = vdb.open(study).failures().collect()["status"].to_list()
    assert statuses == ["inapplicable"] * 8


def test_reasons_are_counted_and_many_variants_cut_short(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [f"v-{i:02d}" for i in range(23)]
    plan = Plan(pl.DataFrame(), dict.fromkeys(names, Rows(9, 0)), 8)
    reasons = Counter({"no mask": 3, "no dog": 4})
    report = Ingested("eye", "image", plan, stored=5)
    report.inapplicable = {name: Counter({"no mask": 2}) for name in names} | {"v-00": reasons}
    tell(Outcome("eye", report=report), dry_run=False)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "eye: 0 there before, 5 stored, 0 failed"
    assert lines[1] == "  v-00: 7 images cannot have it: no dog (4); no mask (3)"
    assert lines[2:21] == [f"  {name}: 2 images cannot have it: no mask" for name in names[1:20]]
    assert lines[21:] == ["  ... 3 variants more; `vdb status` has the counts of all"]


def test_a_failure_names_its_variant_unless_it_is_the_original(
    study: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    (study.with_name("study-photos") / "img-00001.png").write_bytes(b"")
    answer = vdb_command(
        *("ingest", "--model", tiny_vision, "--device", "cpu", "--limit", 3),
        *("--variant", "original", "--variant", "grayscale"),
    )
    assert answer.code == 1
    told = answer.err.splitlines()[-2:]
    assert told[0].startswith("  img-00001: the file changed")
    assert told[1].startswith("  img-00001 (grayscale): the file changed")


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "vit-1"), "no model 'vit-1'; did you mean vit-"),
        (("--model", "hff:gpt2"), "no library 'hff'; did you mean hf? Say hf:gpt2, for one"),
        (("--model", "./nowhere"), "there is no such directory"),
        (
            ("--model", "VIT", "--dataset", "stduy"),
            "no data set 'stduy' with images; did you mean study?",
        ),
        (("--model", "VIT", "--device", "cuda:99"), "device 'cuda:99' is not here"),
        (("--model", "VIT", "--pool", "last"), "no pooling 'last' for images"),
        (("--model", "VIT", "--variant", "greyscale"), "no variant 'greyscale'; did you mean gray"),
        (("--model", "VIT", "--variant", "blur:sigma=-1"), "blur': sigma must be from"),
        (("--model", "VIT", "--space", "a b"), "'a b' cannot name a space"),
        (("--model", "VIT", "--model", "vit-l", "--space", "s"), "--space names one space"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_stored(
    arguments: Sequence[str], words: str, study: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    told = [str(tiny_vision) if one == "VIT" else one for one in arguments]
    answer = vdb_command("ingest", *told)
    assert answer.code == 1
    assert words in answer.error
    assert vdb.open(study).spaces().collect().is_empty()


@pytest.mark.parametrize(
    ("place", "space"),
    [
        ("vit-of-mine/model", "vit-of-mine"),
        ("run-7/checkpoint-900", "run-7"),
        ("models--org--eye/snapshots/" + "0123456789" * 4, "eye"),
        ("model/vit", "vit"),
    ],
)
def test_a_directory_whose_name_says_nothing_gives_its_parent_s_to_the_space(
    place: str, space: str, study: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    directory = study.parent / place
    shutil.copytree(tiny_vision, directory)
    dry = ("ingest", "--model", directory, "--device", "cpu", "--dry-run")
    answer = vdb_command(*dry)
    assert answer.code == 0
    assert answer.err.splitlines()[-1].startswith(f"{space}: 40 rows")
    assert vdb_command(*dry, "--space", "eye").err.splitlines()[-1].startswith("eye: 40 rows")


def test_models_that_have_nothing_to_do_with_the_variants_are_an_error(
    study: Path, vdb_command: Command, tiny_vision: Path, tiny_language: Path
) -> None:
    assert study.is_dir()
    answer = vdb_command("ingest", "--model", tiny_language, "--variant", "grayscale")
    assert answer.code == 1
    assert "skipped: none of the variants asked for is of texts" in answer.err
    both = ("--model", tiny_vision, "--model", tiny_language, "--limit", 2, "--device", "cpu")
    assert vdb_command("ingest", *both, "--variant", "grayscale").code == 0


def test_a_file_that_is_gone_says_what_cures_it(
    study: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    (study.with_name("study-photos") / "img-00001.png").unlink()
    answer = vdb_command("ingest", "--model", tiny_vision, "--device", "cpu", "--limit", 2)
    assert answer.code == 1
    assert answer.err.endswith("; if the images moved, add them again from where they are\n")


def test_many_categories_are_one_line_of_a_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {f"object-removed:which={one}:fill=blur": Rows(3, 1, 0) for one in "abcde"}
    plan = Plan(pl.DataFrame(), rows | {"object-removed:which=all": Rows(9, 0, 2)}, 8)
    tell(Outcome("eye", report=Ingested("eye", "image", plan)), dry_run=True)
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  object-removed:which=each:fill=blur: 5 variants, 15 rows, 5 there already, 10 to do",
        "  object-removed:which=all: 9 rows, 0 there already, 2 cannot be, 7 to do",
    ]


def test_a_directory_without_a_model_is_named_once(
    study: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    assert study.is_dir()
    empty = study.with_name("rb")
    empty.mkdir()
    answer = vdb_command("ingest", "--model", empty)
    assert answer.error == f"{empty}: this directory holds no model: it has no config.json"
    (empty / "config.json").write_text((tiny_vision / "config.json").read_text())
    answer = vdb_command("ingest", "--model", empty, "--device", "cpu")
    assert answer.error.startswith(f"{empty}: no weights in its directory; it needs")


def test_another_recipe_is_refused_by_its_fields(
    study: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    command = ("ingest", "--model", tiny_vision, "--limit", 3, "--device", "cpu")
    vdb_command(*command)
    version = vdb.open(study).space("tiny-vit").table.version
    answer = vdb_command(*command, "--pool", "mean", "--store-dtype", "float32")
    assert answer.code == 1
    assert "pooling: cls -> mean; stored_dtype: float16 -> float32" in answer.error
    assert vdb.open(study).space("tiny-vit").table.version == version


def test_one_model_that_fails_leaves_the_others_done(
    study: Path, vdb_command: Command, tiny_vision: Path
) -> None:
    answer = vdb_command(
        "ingest", "--model", "vit-1", "--model", tiny_vision, "--limit", 3, "--device", "cpu"
    )
    assert answer.code == 1
    lines = answer.err.splitlines()
    assert lines[0].startswith("error: no model 'vit-1'")
    assert lines[-1] == "tiny-vit: 0 there before, 3 stored, 0 failed"
    assert len(vdb.open(study).space("tiny-vit").ids()) == 3


def test_debug_shows_where_a_model_failed(
    study: Path, vdb_command: Command, tiny_vision: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert study.is_dir()

    def broken(*_: object) -> None:
        raise AttributeError("no such thing")

    monkeypatch.setattr(TimmEncoder, "recipe", property(broken))
    quiet = vdb_command("ingest", "--model", tiny_vision)
    assert quiet.code == 1
    assert quiet.error.endswith("AttributeError: no such thing; `vdb --debug ingest` shows where")
    loud = vdb_command("--debug", "ingest", "--model", tiny_vision)
    assert loud.code == 1
    assert "Traceback" in loud.err
    assert "in broken" in loud.err


def test_ctrl_c_keeps_what_was_done_and_the_same_command_goes_on(
    study: Path, vdb_command: Command, tiny_vision: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the fourth batch, as the signal would be: three batches are stored."""
    encode, calls = TimmEncoder.encode, []

    def interrupted(self: TimmEncoder, batch: Sequence[Any]) -> Any:
        calls.append(len(batch))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return encode(self, batch)

    command = ("ingest", "--model", tiny_vision, "--batch-size", 8, "--device", "cpu")
    with monkeypatch.context() as patch:
        patch.setattr(TimmEncoder, "encode", interrupted)
        answer = vdb_command(*command)
    assert answer.code == 130
    assert answer.err.splitlines()[-1].startswith("interrupted: what was stored is kept")
    db = vdb.open(study)
    assert len(db.space("tiny-vit").ids()) == 24
    assert db.runs().collect()["outcome"].to_list() == ["interrupted"]
    answer = vdb_command(*command)
    assert answer.code == 0
    assert "tiny-vit: 24 there before, 16 stored, 0 failed" in answer.err.splitlines()


@pytest.mark.slow
def test_the_signal_itself_ends_the_real_command_with_130(
    make_study: Callable[..., Database], tmp_path: Path, tiny_vision: Path
) -> None:
    """Sent when the command has said that it begins; 1,500 items keep it busy for longer than a signal takes."""
    study = Path(make_study(tmp_path / "study", 1500, side=32).uri)
    command = [VDB, "ingest", "--model", tiny_vision]
    process = subprocess.Popen(
        [*command, "--db", study, "--batch-size", "4", "--device", "cpu"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    with process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"loading {tiny_vision} ...\n"
        assert process.stderr.readline() == "tiny-vit: 0 of 1500 there, 1500 to do\n"
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(60) == 130
    assert "interrupted: what was stored is kept; the same command goes on from there" in rest
    assert "Traceback" not in rest
    ids = vdb.open(study).space("tiny-vit").ids()
    assert len(ids) < 1500
    assert ids == [f"img-{i:05d}" for i in range(len(ids))]  # whole batches, none half


@pytest.mark.slow
def test_on_a_terminal_there_is_a_bar(study: Path, tiny_vision: Path) -> None:
    ours, theirs = pty.openpty()
    command = [VDB, "ingest", "--model", tiny_vision]
    process = subprocess.Popen(
        [*command, "--db", study, "--device", "cpu"],
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "OMP_NUM_THREADS": "1"},
    )
    os.close(theirs)
    shown = b""
    with process:
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        assert process.wait(60) == 0
    os.close(ours)
    text = shown.decode()
    assert "━" in text
    assert f"{ITEMS}/{ITEMS}" in text
    assert "/s" in text
    assert "\x1b[" in text
    assert "tiny-vit: 0 there before, 40 stored, 0 failed" in text
