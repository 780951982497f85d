"""``vdb add trials`` as a person meets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import vdb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., Any]

TRIALS = ("add", "trials", "choices.csv", "--db", "study")


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "photos" / name).write_bytes(name.encode())
    (tmp_path / "choices.csv").write_text(
        "prompt,one,two,winner,judge\nA dog.,a.jpg,b.jpg,0,anna\nA dog.,a.jpg,b.jpg,tie,bob\n"
    )
    (tmp_path / "negatives.jsonl").write_text(
        '{"image_path": "photos/a.jpg", "caption": "A dog.", "false_caption": "A cat."}\n'
    )
    (tmp_path / "ids.csv").write_text(
        "query_id,candidate_0_id,candidate_1_id,label\nphotos/a.jpg,x,y,1\n"
    )


MAPPED = (
    *("--map", "query_text=prompt", "--map", "candidate_0_path=one"),
    *("--map", "candidate_1_path=two", "--map", "preferred=winner"),
)


def test_columns_by_map_and_images_under_a_root(vdb_command: Command) -> None:
    answer = vdb_command(*TRIALS, *MAPPED, "--root", "photos")
    assert answer.err.splitlines() == ["images: 2 added", "captions: 1 added", "trials: 2 added"]
    rows = vdb.open("study").read("trials").collect().sort("source")
    assert rows["label"].to_list() == [1.0, 0.5]
    assert rows["judge"].to_list() == ["anna", "bob"]
    assert rows["dataset"].unique().to_list() == ["choices"]
    again = vdb_command(*TRIALS, *MAPPED, "--root", "photos")
    assert again.err.splitlines()[-1] == "trials: 0 added, 2 there already"


def test_hard_negatives_then_ids_of_what_is_stored(vdb_command: Command, tmp_path: Path) -> None:
    answer = vdb_command("add", "trials", "negatives.jsonl", "--name", "hard")
    assert answer.err.splitlines() == [
        "images: 1 added",
        "captions: 2 added",
        "pairs: 1 added",
        "trials: 1 added",
    ]
    assert "refers to no caption of the file or the store" in (
        vdb_command("add", "trials", "ids.csv", "--direction", "image-to-text").error
    )
    first, second = vdb.open("study").captions().collect()["caption_id"]
    (tmp_path / "ids.csv").write_text(
        f"query_id,candidate_0_id,candidate_1_id,label\nphotos/a.jpg,{first},{second},1\n"
    )
    answer = vdb_command("add", "trials", "ids.csv", "--direction", "image-to-text")
    assert answer.err.splitlines() == ["trials: 1 added"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (TRIALS, "choices.csv:1: no column query_id and none query_text"),
        ((*TRIALS, *MAPPED), "choices.csv:2: "),
        ((*TRIALS, *MAPPED, "--root", "photo"), "photo is not a folder"),
        ((*TRIALS, "--map", "query_txt=prompt"), "did you mean query_text"),
        ((*TRIALS, "--map", "query_text=promt"), "did you mean prompt"),
        (("add", "trials", "choice.csv", "--db", "study"), "choice.csv: there is no such file"),
        (("add", "trials", "ids.csv", "--db", "study"), "say it with --direction"),
        (
            ("add", "trials", "ids.csv", "--db", "study", "--direction", "text-image"),
            "the direction 'text-image' must be text-to-image or image-to-text",
        ),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_store(
    vdb_command: Command, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    answer = vdb_command(*arguments)
    assert answer.code == 1
    assert said in answer.error
    assert not (tmp_path / "study").exists()


def test_a_mistyped_option_says_what_is_meant(vdb_command: Command) -> None:
    answer = vdb_command(*TRIALS, "--mapp", "query_text=prompt")
    assert answer.code == 2
    assert "--map" in answer.err
