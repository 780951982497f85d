"""What ``vdb analyze`` cannot do, said in one line: before any work where that can be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

import vdb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Command = Callable[..., Any]

SIDES = ("--vision", "eye", "--language", "tongue")
ASKED: dict[str, tuple[str, ...]] = {
    "alignment": ("analyze", "alignment", *SIDES),
    "exemplar-avg": ("analyze", "exemplar-avg", *SIDES, "--k", "1,3", "--draws", "2"),
}

REFUSED_BY_BOTH = [
    ("--vision eey", "no space 'eey'; did you mean eye?"),
    ("--language tonge", "no space 'tonge'; did you mean tongue?"),
    ("--vision tongue", "--vision tongue: that space holds vectors of texts, not of images"),
    ("--language eye", "--language eye: that space holds vectors of images, not of texts"),
    ("--metric mutual-kn", "no metric 'mutual-kn'; did you mean mutual-knn?"),
    ("--control mismatch", "no control 'mismatch'; did you mean mismatched?"),
    ("--dataset toys", "no data set 'toys'; did you mean toy?"),
    ("--device cpv", "no device 'cpv'"),
    ("--folds 16", "16 folds of 30 items: each fold needs at least 2 rows; use at most 15"),
    ("--device cuda:99", "device 'cuda:99' is not here"),
    ("--output no/such.csv", "cannot write no/such.csv: the directory no is not there"),
    ("--output .", "cannot write .: Is a directory"),
    ("--picture map.gif", "map.gif: a picture is written as .svg, .png or .json"),
    ("--picture no/map.svg", "cannot write no/map.svg: there is no directory no"),
    ("--picture taken.svg", "cannot write taken.svg: that is a directory"),
]
REFUSED_BY_ONE = [
    ("alignment", "--metric mutual-knn --direction vision-to-language", "leave --direction out"),
    ("exemplar-avg", "--vision-layer 1", "name both --vision-layer and --language-layer"),
    ("exemplar-avg", "--language-layer 1", "name both --vision-layer and --language-layer"),
    (
        "exemplar-avg",
        "--vision-layer --5 --language-layer 1",
        "'--5'; there are: blocks.0, blocks.1",
    ),
    ("exemplar-avg", "--vision-layer 9 --language-layer 1", "space 'eye' has layers 0 to 1, not 9"),
    ("exemplar-avg", "--k 1,4", "no image has 4 exemplars to average; the most is 3"),
    ("exemplar-avg", "--k 0,1", "--k wants numbers of exemplars from 1 on"),
    ("exemplar-avg", "--average images", "--group image averages captions, not images"),
]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [*((name, *one) for name in ASKED for one in REFUSED_BY_BOTH), *REFUSED_BY_ONE],
)
def test_what_cannot_be_asked_is_one_line(
    name: str, options: str, words: str, ask: Command, tmp_path: Path
) -> None:
    (tmp_path / "taken.svg").mkdir()
    answer = ask(*ASKED[name], *options.split())
    assert answer.code == 1
    assert words in answer.error
    assert answer.content == b""
    assert [one.name for one in tmp_path.iterdir()] == ["taken.svg"]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("exemplar-avg", "--k 1,x", "'1,x' is not numbers with commas between"),
        ("exemplar-avg", "--draws 0", "--draws"),
        ("alignment", "--direction up", "--direction"),
        ("alignment", "--captions some", "--captions"),
        ("alignment", "--folds 1", "--folds"),
        ("alignment", "--seed -1", "--seed"),
    ],
)
def test_wrong_usage(name: str, options: str, words: str, ask: Command) -> None:
    answer = ask(*ASKED[name], *options.split())
    assert answer.code == 2
    assert words in answer.err
    assert "Traceback" not in answer.err


def test_parquet_is_refused_to_a_terminal_before_any_work(
    ask: Command, asked_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = asked_db.runs().collect().height
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    answer = ask(*ASKED["alignment"], "--format", "parquet")
    assert answer.code == 1
    assert answer.error == "Parquet is binary: name a file with --output, or pipe it on"
    assert asked_db.runs().collect().height == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--output link.svg", "cannot write link.svg: No such file or directory"),
        ("--picture link.svg", "cannot write link.svg: No such file or directory"),
    ],
)
def test_what_goes_wrong_at_work_is_one_line_after_the_progress(
    options: str, words: str, ask: Command, tmp_path: Path
) -> None:
    (tmp_path / "link.svg").symlink_to(tmp_path / "no" / "such.svg")
    answer = ask(*ASKED["exemplar-avg"], "--control", "none", *options.split())
    assert answer.code == 1
    *before, last = answer.err.splitlines()
    assert last.startswith(f"error: {words}")
    assert all(
        line.startswith(("eye x tongue, ", "exemplar-avg: answered before")) for line in before
    ), before


def test_debug_shows_the_traceback(ask: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(vdb.NotFoundError, match="no space 'eey'"):
        ask("--debug", *ASKED["alignment"], "--vision", "eey")
    monkeypatch.setenv("VDB_DEBUG", "1")
    with pytest.raises(vdb.InputError, match="vectors of texts"):
        ask(*ASKED["exemplar-avg"], "--vision", "tongue")
