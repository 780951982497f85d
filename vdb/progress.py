"""Progress as a protocol: long work reports to whoever listens, and knows no terminal."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Task(Protocol):
    """One piece of long work, used in a ``with`` statement."""

    def __enter__(self) -> Task:
        """Begin."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End, however the work ended."""
        ...

    def advance(self, done: int = 0, failed: int = 0) -> None:
        """Report that ``done`` more are done, or ``failed`` more could not be."""
        ...


class Progress(Protocol):
    """Who listens."""

    def task(self, title: str, total: int | None, done: int = 0) -> Task:
        """Announce work of ``total`` pieces, None if nobody knows, ``done`` of which were done before."""
        ...

    def say(self, message: str) -> None:
        """Tell something that is worth a line."""
        ...


class Silent:
    """Listens to nothing: the default of every function that reports progress."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def task(self, title: str, total: int | None, done: int = 0) -> Silent:  # noqa: ARG002 - the protocol's
        """Announce work to nobody."""
        return self

    def advance(self, done: int = 0, failed: int = 0) -> None:
        """Report to nobody."""

    def say(self, message: str) -> None:
        """Tell nobody."""


class Patient:
    """Passes on only what takes long, so that small work is done without a word.

    Parameters
    ----------
    progress : Progress
        Who is told.
    seconds : float
        How long is long.
    """

    def __init__(self, progress: Progress, seconds: float = 5.0) -> None:
        self._progress, self._seconds = progress, seconds

    def task(self, title: str, total: int | None, done: int = 0) -> LateTask:
        """Note work, without a word yet."""
        return LateTask(
            lambda sofar: self._progress.task(title, total, done + sofar), self._seconds
        )

    def say(self, message: str) -> None:
        """Tell something that is worth a line."""
        self._progress.say(message)


class LateTask:
    """Work that is announced once it has taken long."""

    def __init__(self, announce: Callable[[int], Task], seconds: float) -> None:
        self._announce, self._seconds = announce, seconds
        self._task: Task | None = None
        self._done = self._failed = 0

    def __enter__(self) -> LateTask:
        self._started = monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.__exit__(kind, error, traceback)

    def advance(self, done: int = 0, failed: int = 0) -> None:
        """Count; announce the work when it is time, with what was done by then."""
        if self._task is not None:
            self._task.advance(done, failed)
            return
        first = not self._done + self._failed  # it may be all: there is nothing to say in its midst
        self._done += done
        self._failed += failed
        if not first and monotonic() - self._started >= self._seconds:
            self._task = self._announce(self._done).__enter__()
            self._task.advance(failed=self._failed)
