"""What takes long is told, what does not is not; nothing is counted twice on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vdb import progress
from vdb.progress import Patient, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listener(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def task(self, title: str, total: int | None, done: int = 0) -> Listener:
        self.told.append((title, total, done))
        return self

    def advance(self, done: int = 0, failed: int = 0) -> None:
        self.told.append((done, failed))

    def __exit__(self, *_: object) -> None:
        self.told.append(("end",))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time, which stands still unless it is set."""
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


def test_work_that_is_done_soon_is_not_told(clock: list[float]) -> None:
    listener = Listener()
    with Patient(listener, seconds=3).task("rows", None) as task:
        for _ in range(100):
            task.advance(10)
    clock[0] += 99
    with Patient(listener, seconds=3).task("rows", None) as task:
        clock[0] += 99
        task.advance(10)  # all at once, however late: there is nothing to say in its midst
    assert listener.told == []


def test_work_that_takes_long_is_told_with_all_that_was_done(clock: list[float]) -> None:
    listener = Listener()
    with Patient(listener, seconds=3).task("rows", 100, done=5) as task:
        task.advance(10)
        clock[0] += 2.9
        task.advance(10, failed=1)
        clock[0] += 0.1
        task.advance(10)
        task.advance(20, failed=2)
    assert listener.told == [("rows", 100, 35), (0, 1), (20, 2), ("end",)]


def fail_after_a_while(listener: Listener, clock: list[float]) -> None:
    with Patient(listener).task("rows", None) as task:
        for seconds in (0, 9):
            clock[0] += seconds
            task.advance(1)
        raise ZeroDivisionError


def test_work_that_fails_ends_too(clock: list[float]) -> None:
    listener = Listener()
    with pytest.raises(ZeroDivisionError):
        fail_after_a_while(listener, clock)
    assert listener.told[-1] == ("end",)
