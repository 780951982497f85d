"""Progress on a terminal as a bar, in a log as plain lines."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING, Any

from cli.render import say

if TYPE_CHECKING:
    from vdb.progress import Progress

_SECONDS_A_LINE = 10.0


def progress() -> Progress:
    """Choose the bar where somebody watches, lines where nobody does."""
    return Bars() if sys.stderr.isatty() else Lines()


class Lines:
    """A plain line at the beginning, about every ten seconds, and at the end."""

    def task(self, title: str, total: int | None, done: int = 0) -> LineTask:
        """Announce work."""
        return LineTask(title, total, done)

    def say(self, message: str) -> None:
        """Print a line."""
        say(message)


class LineTask:
    """Work that is reported in lines."""

    def __init__(self, title: str, total: int | None, done: int) -> None:
        self._title, self._total, self._done, self._failed = title, total, done, 0
        self._before = done
        self._started = self._said = monotonic()

    def __enter__(self) -> LineTask:
        if self._total is None:
            say(f"{self._title}: {self._done:,} so far")
        else:
            left = self._total - self._done
            say(f"{self._title}: {self._done} of {self._total} there, {left} to do")
        return self

    def __exit__(self, *_: object) -> None:
        self._say()

    def advance(self, done: int = 0, failed: int = 0) -> None:
        """Count, and print a line when it is time."""
        self._done += done
        self._failed += failed
        if monotonic() - self._said >= _SECONDS_A_LINE:
            self._say()

    def _say(self) -> None:
        self._said = monotonic()
        rate = (self._done - self._before) / max(self._said - self._started, 1e-9)
        failed = f", {self._failed} failed" if self._failed else ""
        if self._total is None:
            say(f"{self._title}: {self._done:,} so far{failed}, {rate:.1f} a second")
            return
        left = (self._total - self._done - self._failed) / rate if rate else 0.0
        remaining = f", {left:.0f} s left" if left else ""
        say(f"{self._title}: {self._done} of {self._total}{failed}, {rate:.1f} a second{remaining}")


class Bars:
    """A bar with rate and time left."""

    def task(self, title: str, total: int | None, done: int = 0) -> BarTask:
        """Announce work."""
        return BarTask(title, total, done)

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        say(message)


class BarTask:
    """Work that is reported as a bar."""

    def __init__(self, title: str, total: int | None, done: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bar: Any = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._title, self._before, self._failed = title, done, 0
        self._started = monotonic()
        self._task = self._bar.add_task(title, total=total, completed=done, rate="")

    def __enter__(self) -> BarTask:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, done: int = 0, failed: int = 0) -> None:
        """Move the bar."""
        self._failed += failed
        failures = f", [red]{self._failed} failed[/red]" if self._failed else ""
        task = self._bar.tasks[0]
        rate = (task.completed + done - self._before) / max(monotonic() - self._started, 1e-9)
        self._bar.update(
            self._task,
            advance=done + failed,
            description=f"{self._title}{failures}",
            rate=f"{rate:.1f}/s",
        )
