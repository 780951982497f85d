"""Tables of trials that hold a mistake: file and line are named, and nothing is added."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ingest.datasets import trials
from vdb.errors import InputError, NotFoundError, VdbError

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]

CHOICE: Row = {
    "query_text": "A dog.",
    "candidate_0_path": "a.jpg",
    "candidate_1_path": "b.jpg",
    "label": 1,
}
NEGATIVE: Row = {"image_path": "a.jpg", "caption": "A dog.", "false_caption": "A cat."}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def refused(folder: Path, *rows: Row, **options: Any) -> str:
    file = folder / "t.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(VdbError) as caught:
        next(trials(file, **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"label": None}, "neither a label nor preferred nor scores"),
        ({"scores_0": [1, 2]}, "scores of one candidate without the other's"),
        ({"scores_0": [1, 2], "scores_1": []}, "the scores_1 must be numbers"),
        ({"scores_0": [1, None], "scores_1": [1]}, "the scores_0 must be numbers"),
        ({"scores_0": ["NaN"], "scores_1": [1]}, "the scores_0 must be numbers"),
        ({"scores_0": [[1]], "scores_1": [1]}, "the scores_0 must be numbers"),
        ({"preferred": 0}, "both a label and preferred"),
        ({"label": 2}, "the label must be 1 (candidate 0 was preferred), 0"),
        ({"label": "left"}, "the label must be 1"),
        ({"label": float("nan")}, "the label must be 1"),
        ({"label": None, "preferred": 0.5}, "preferred must be 0, 1"),
        ({"label": None, "preferred": True}, "preferred must be 0, 1"),
        ({"label": [1]}, "label is an array"),
        ({"weight": 0}, "the weight must be a number above 0"),
        ({"weight": -1}, "the weight must be"),
        ({"weight": "heavy"}, "the weight must be"),
        ({"weight": float("inf")}, "the weight must be"),
        ({"gap": -0.5}, "the gap must be a number from 0"),
        ({"gap": "1e999"}, "the gap must be"),
        ({"query_text": None}, "no query: neither query_id nor query_text nor query_path"),
        ({"candidate_1_path": None}, "no candidate_1: neither"),
        ({"query_path": "a.jpg"}, "query is a text and an image"),
        ({"query_text": None, "query_path": "a.jpg"}, "query and candidates are of one kind"),
        ({"candidate_1_path": None, "candidate_1_text": "A"}, "query and candidates are of one"),
        ({"direction": "image-to-text"}, "the direction is the opposite"),
        ({"direction": "sideways"}, "the direction must be text-to-image or image-to-text"),
        ({"candidate_0_path": "b.jpg"}, "both candidates are the same"),
        ({"candidate_0_path": ""}, "the candidate_0_path is empty"),
        ({"candidate_0_path": "gone.jpg"}, "gone.jpg: No such file"),
        ({"candidate_0_path": "../a.jpg"}, "lies outside"),
        ({"query_text": " "}, "the caption is empty"),
        ({"query_text": "\ud83d"}, "half a character"),
        ({"query_text": 5}, "query_text is a whole number; query_text must be text"),
        ({"query_id": ""}, "an empty id"),
        ({"trial_id": "a\nb"}, "control character"),
        ({"trial_id": "x" * 513}, "513 characters"),
        ({"caption": "A dog."}, "beside an image and its captions; make it two rows"),
    ],
)
def test_a_mistake_names_file_and_line(folder: Path, change: Row, complaint: str) -> None:
    good = CHOICE | {"trial_id": "good"}
    message = refused(folder, good, CHOICE | change)
    assert message.startswith("t.jsonl:2")
    assert complaint in message


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"caption": None}, "no caption beside the image"),
        ({"false_caption": None}, "a caption but no false_caption"),
        ({"image_path": None}, "no image_path or image_id"),
        ({"label": 1}, "make it two rows"),
        ({"false_caption": "A dog.", "caption_id": "x", "false_caption_id": "x"}, "the same"),
        ({"false_caption": ""}, "the caption is empty"),
        ({"false_caption": "A dog."}, "both candidates are the same"),
        (
            {"false_caption": "A dog. ", "false_caption_id": "x"},
            "both candidates are the same text",
        ),
        ({"false_caption": "A dog.", "false_caption_id": "x", "caption_id": "y"}, "the same text"),
    ],
)
def test_a_mistake_in_the_short_form_names_file_and_line(
    folder: Path, change: Row, complaint: str
) -> None:
    message = refused(folder, NEGATIVE, NEGATIVE | change)
    assert message.startswith("t.jsonl:2")
    assert complaint in message


def test_a_line_of_csv_counts_line_breaks_within_quotes(folder: Path) -> None:
    file = folder / "t.csv"
    file.write_text(
        "query_text,candidate_0_path,candidate_1_path,label\n"
        '"A\ndog.",a.jpg,b.jpg,1\n'
        "A cat.,a.jpg,b.jpg,\n"
    )
    with pytest.raises(InputError, match=r"^t\.csv:4: neither a label nor preferred nor"):
        next(trials(file))


def test_two_files_of_one_image_are_no_choice(folder: Path) -> None:
    (folder / "copy.jpg").write_bytes((folder / "a.jpg").read_bytes())
    message = refused(folder, CHOICE, CHOICE | {"candidate_1_path": "copy.jpg"})
    assert message.startswith("t.jsonl:2: both candidates are the same image, byte for byte")


def test_two_ids_of_one_text_are_no_choice_wherever_it_is_told(folder: Path) -> None:
    told = [
        {"query_path": "a.jpg", "label": 1}
        | {f"candidate_{at}_id": name for at, name in enumerate(names)}
        | {f"candidate_{at}_text": text for at, text in enumerate(texts)}
        for names, texts in ((("x", "y"), ("A dog.", "A cat.")), (("z", "y"), ("A cat.", "A cat.")))
    ]
    named = {"query_path": "a.jpg", "label": 0, "candidate_0_id": "y", "candidate_1_id": "x"}
    assert refused(folder, told[0], named, told[1]).startswith("t.jsonl:3: both candidates are the")
    again = {"query_path": "a.jpg", "candidate_0_text": "A cat.", "candidate_0_id": "z"}
    other = {"candidate_1_text": "A cow.", "candidate_1_id": "w", "label": 0}
    by_id = {"query_path": "a.jpg", "label": 0, "candidate_0_id": "y", "candidate_1_id": "z"}
    message = refused(folder, told[0], again | other, by_id)
    assert message == "t.jsonl:3: both candidates are the same text under two ids"


def test_ids_alone_do_not_tell_what_they_are(folder: Path) -> None:
    row = {"query_id": "q", "candidate_0_id": "x", "candidate_1_id": "y", "label": 1}
    assert "t.jsonl:1: ids alone do not tell" in refused(folder, row)
    message = refused(folder, row, direction="image")
    assert message == "the direction 'image' must be text-to-image or image-to-text"


def test_one_id_for_two_things_names_both_lines(folder: Path) -> None:
    one, other = CHOICE | {"query_id": "q"}, CHOICE | {"query_id": "q", "query_text": "A cat."}
    message = refused(folder, one, CHOICE, other)
    assert "caption_id 'q' stands for different things: t.jsonl:1 and t.jsonl:3" in message
    one, other = CHOICE | {"candidate_0_id": "i"}, CHOICE | {"candidate_1_id": "i"}
    message = refused(folder, one, other)
    assert "image_id 'i' stands for different things: t.jsonl:1 and t.jsonl:2" in message


def test_a_table_of_something_else_says_what_it_lacks(folder: Path) -> None:
    (folder / "t.csv").write_text("image,text\na.jpg,A dog.\n")
    with pytest.raises(InputError, match=r"t\.csv:1: no column query_id and none query_text"):
        next(trials(folder / "t.csv"))
    with pytest.raises(NotFoundError, match=r"no column 'txt' in t\.csv; did you mean text"):
        next(trials(folder / "t.csv", mapping={"query_text": "txt"}))
    with pytest.raises(NotFoundError, match="no field 'query'; did you mean"):
        next(trials(folder / "t.csv", mapping={"query": "text"}))
    with pytest.raises(NotFoundError, match=r"gone\.csv"):
        next(trials(folder / "gone.csv"))
    (folder / "t.json").write_text("{}")
    with pytest.raises(InputError, match="the name of a table of trials ends in one of"):
        next(trials(folder / "t.json"))
    (folder / "t.csv").write_text("query_text,label\n")
    with pytest.raises(InputError, match="the table of trials has no rows"):
        next(trials(folder / "t.csv"))


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("image_path,text", "--map caption=COLUMN --map false_caption=COLUMN"),
        ("image_id,caption,wrong", "--map false_caption=COLUMN"),
        ("a,b", "--map query_id=COLUMN"),
    ],
)
def test_what_the_nearest_form_lacks_is_hinted_at(folder: Path, header: str, hint: str) -> None:
    (folder / "t.csv").write_text(f"{header}\n{','.join('x' for _ in header.split(','))}\n")
    with pytest.raises(InputError) as caught:
        next(trials(folder / "t.csv"))
    assert str(caught.value).endswith(f"; say which is which: {hint}")
