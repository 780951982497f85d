"""Progress as a protocol: long work reports to whoever listens, and knows no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
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

    def task(self, title: str, total: int, done: int = 0) -> Task:
        """Announce work of ``total`` pieces, ``done`` of which were done before."""
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

    def task(self, title: str, total: int, done: int = 0) -> Silent:  # noqa: ARG002 - the protocol's
        """Announce work to nobody."""
        return self

    def advance(self, done: int = 0, failed: int = 0) -> None:
        """Report to nobody."""

    def say(self, message: str) -> None:
        """Tell nobody."""
