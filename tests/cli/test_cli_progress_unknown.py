"""Progress where nobody knows how much there is: in lines, and as a bar."""

from __future__ import annotations

import pytest

from cli.progress import Bars, Lines


def test_lines_of_an_unknown_total(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines().task("rows stored", None, 2000) as task:
        task.advance(1500, failed=3)
    first, last = capsys.readouterr().err.splitlines()
    assert first == "rows stored: 2,000 so far"
    assert last.startswith("rows stored: 3,500 so far, 3 failed, ")
    assert last.endswith(" a second")


def test_lines_of_a_known_total(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines().task("files hashed", 10, 4) as task:
        task.advance(3)
    first, last = capsys.readouterr().err.splitlines()
    assert first == "files hashed: 4 of 10 there, 6 to do"
    assert last.startswith("files hashed: 7 of 10, ")
    assert last.endswith(" s left")


@pytest.mark.parametrize("total", [None, 10])
def test_a_bar(total: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    with Bars().task("rows", total, 4) as task:
        task.advance(3)
    assert f"7/{'?' if total is None else total}" in capsys.readouterr().err
