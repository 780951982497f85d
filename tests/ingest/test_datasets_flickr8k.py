"""Flickr8k: what is read, which trials the judgements make, and where each mistake is said to be."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vdb
from ingest.datasets import Batch, flickr8k
from ingest.datasets.trials.ids import comes_first, derived_id
from vdb import items
from vdb.errors import InputError

CAPTIONS = [
    "a.jpg#0\tA dog .",
    "a.jpg#1\tA <b>dog</b>\tand 'more'",
    "b.jpg#0\tA cat .",
    "c.jpg#0\tA cup .",
]
JUDGEMENTS = ["a.jpg\tc.jpg#0\t1\t1\t2", "b.jpg\tc.jpg#0\t1\t2\t3", "c.jpg\tc.jpg#0\t4\t4\t4"]


@dataclass
class Folder:
    """Three photos, their captions, and how well the caption of the last fits each."""

    path: Path
    captions: list[str] = field(default_factory=lambda: list(CAPTIONS))
    judgements: list[str] = field(default_factory=lambda: list(JUDGEMENTS))
    split: list[str] = field(default_factory=list)
    newline: str = "\n"

    def read(self, **options: str) -> Batch:
        given: dict[str, Any] = dict(options)
        for name in ("captions", "judgements", "split"):
            file = self.path / f"{name}.txt"
            file.write_text(self.newline.join([*getattr(self, name), ""]), newline="")
        if self.judgements:
            given["judgements_file"] = self.path / "judgements.txt"
        if self.split:
            given["split_file"] = self.path / "split.txt"
        (batch,) = flickr8k(self.path, self.path / "captions.txt", **given)
        return batch

    def refused(self) -> str:
        with pytest.raises(InputError) as caught:
            self.read()
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    return Folder(tmp_path)


def test_ids_are_the_files_own(folder: Folder) -> None:
    batch = folder.read(prefix="f/", name="mine")
    assert batch.images["image_id"].to_list() == ["f/a.jpg", "f/b.jpg", "f/c.jpg"]
    assert batch.captions["caption_id"].to_list() == [
        "f/a.jpg#0",
        "f/a.jpg#1",
        "f/b.jpg#0",
        "f/c.jpg#0",
    ]
    assert batch.captions["text"][1] == "A <b>dog</b>\tand 'more'"
    assert batch.captions["source"][2] == "captions.txt:3"
    assert batch.pairs.row(1)[:3] == ("f/a.jpg", "f/a.jpg#1", "mine")
    assert batch.trials["query_id"].unique().to_list() == ["f/c.jpg#0"]
    assert batch.trials["trial_id"].str.starts_with("f/judged-").all()


def test_each_two_images_of_other_means_are_a_trial(folder: Folder) -> None:
    folder.judgements.append("a.jpg\tb.jpg#0\t1\t2\t3")
    folder.judgements.append("b.jpg\tb.jpg#0\t3\t2\t1")
    batch = folder.read()
    scores = {"a.jpg": [1, 1, 2], "b.jpg": [1, 2, 3], "c.jpg": [4, 4, 4]}
    seen = set()
    for row in batch.trials.to_dicts():
        first, second = row["candidate_0"], row["candidate_1"]
        ahead = sum(scores[first]) - sum(scores[second])
        assert row["label"] == (1.0 if ahead > 0 else 0.0)
        assert row["gap"] == pytest.approx(abs(ahead) / 3)
        assert (row["scores_0"], row["scores_1"]) == (scores[first], scores[second])
        assert (row["weight"], row["direction"], row["judge"]) == (1.0, "text-to-image", None)
        seen.add(frozenset((first, second)))
    assert seen == set(map(frozenset, combinations(scores, 2)))
    assert batch.notices == ("1 pairs of images have the same mean score and make no trial",)


def test_the_order_of_lines_makes_no_difference(folder: Folder) -> None:
    one = folder.read().trials.drop("source").sort("trial_id")
    folder.judgements.reverse()
    folder.newline = "\r\n"
    assert folder.read().trials.drop("source").sort("trial_id").equals(one)


def test_a_trial_names_both_lines_it_is_made_of(folder: Folder) -> None:
    lines = {
        tuple(line.split("\t")[:2]): f"judgements.txt:{number}"
        for number, line in enumerate(folder.judgements, 1)
    }
    trials = folder.read().trials
    assert trials.height
    for row in trials.to_dicts():
        places = {lines[row[side], row["query_id"]] for side in ("candidate_0", "candidate_1")}
        assert set(row["source"].split(" and ")) == places


def test_a_split_keeps_its_images_and_what_is_all_of_them(folder: Folder) -> None:
    folder.split = ["b.jpg", "c.jpg"]
    batch = folder.read()
    assert batch.images["image_id"].to_list() == ["b.jpg", "c.jpg"]
    assert batch.captions.height == 2
    assert set(batch.trials.select("candidate_0", "candidate_1").row(0)) == {"b.jpg", "c.jpg"}
    assert batch.notices == (
        "1 judgements are of images or captions that were not kept, and left out",
    )
    folder.split = ["a.jpg"]
    assert not folder.read().trials.height


def test_captions_of_what_is_no_photo_are_told(folder: Folder) -> None:
    folder.captions.append("c.jpg.1#0\tA published mistake .")
    batch = folder.read()
    assert batch.captions.height == 4
    (notice,) = batch.notices
    assert notice.startswith("1 captions are of what is not called like an image and were left out")
    assert notice.endswith("the first: captions.txt:5, c.jpg.1#0")


@pytest.mark.parametrize(
    ("part", "line", "complaint"),
    [
        ("captions", "a.jpg A dog .", "captions.txt:1: 'a.jpg A dog .' is not image.jpg#n, a tab"),
        ("captions", "a.jpg\tA dog .", "captions.txt:1: 'a.jpg\\tA dog .' is not image.jpg#n"),
        ("captions", "a.jpg#0\t ", "captions.txt:1: the caption is empty"),
        ("captions", "a.jpg#1\tOther", "captions.txt:1 and captions.txt:2 differ in caption"),
        ("captions", "z.jpg#0\tNone", "captions.txt:1: "),
        ("captions", "../a.jpg#0\tOut", "lies outside"),
        (
            "judgements",
            "a.jpg\tc.jpg#0\t1\t1",
            "judgements.txt:1: 'a.jpg\\tc.jpg#0\\t1\\t1' is not",
        ),
        ("judgements", "a.jpg\tc.jpg#0\t1\t1\t5", "scores from 1 to 4"),
        ("judgements", "a.jpg\tc.jpg#0\t0.5\t3\t3", "is this ExpertAnnotations.txt?"),
        ("judgements", "z.jpg\tc.jpg#0\t1\t1\t1", "judgements.txt:1: no caption is of the image"),
        ("judgements", "a.jpg\tc.jpg#9\t1\t1\t1", "judgements.txt:1: no caption is called"),
        ("judgements", JUDGEMENTS[1], "judgements.txt:2: this image and caption were judged at"),
        ("split", "z.jpg", "split.txt:1: no caption is of 'z.jpg' (1 such images of 1)"),
    ],
)
def test_a_mistake_names_file_and_line(
    folder: Folder, part: str, line: str, complaint: str
) -> None:
    getattr(folder, part)[:1] = [line]
    assert complaint in folder.refused()


def test_empty_files_are_refused(folder: Folder) -> None:
    folder.split = [" "]
    assert "split.txt: it names no image" in folder.refused()
    folder.captions = []
    assert "captions.txt: there are no captions" in folder.refused()


def test_a_coin_is_the_same_each_time_and_fair() -> None:
    tosses = [comes_first(f"caption {i}", "a.jpg", "b.jpg") for i in range(2000)]
    assert tosses == [comes_first(f"caption {i}", "a.jpg", "b.jpg") for i in range(2000)]
    assert abs(sum(tosses) - 1000) < 4 * 2000**0.5 / 2  # four standard deviations


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_ids_are_alike_where_what_they_stand_for_is(one: list[str], other: list[str]) -> None:
    assert (derived_id("x", *one) == derived_id("x", *other)) == (one == other)


@pytest.mark.real
def test_the_1500_real_photos_and_their_trials(tmp_path: Path) -> None:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    real = Path(os.environ["VDB_REAL_DATA"]) / "flickr8k"
    (batch,) = flickr8k(
        real / "images",
        real / "captions.token.txt",
        judgements_file=real / "ExpertAnnotations.txt",
    )
    judged: dict[str, list[int]] = {}
    for line in (real / "ExpertAnnotations.txt").read_text().splitlines():
        _, caption, *scores = line.split("\t")
        judged.setdefault(caption, []).append(sum(map(int, scores)))
    expected = sum(a != b for sums in judged.values() for a, b in combinations(sums, 2))
    added = items.add(vdb.open(tmp_path / "study", create=True), batch.tables()).added
    assert added["trials"] == expected
    assert (added["images"], added["captions"], added["pairs"]) == (1500, 7500, 7500)
    assert abs(batch.trials["label"].mean() - 0.5) < 4 * 0.5 / expected**0.5  # type: ignore[operator]
