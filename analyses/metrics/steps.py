"""Steps of a computation, counted for whoever shows progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class Steps:
    """Tell ``progress`` the number of steps done, and of all, at every call."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self) -> None:
        """Count a step."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)

    def after(self, value: _T) -> _T:
        """Count a step that gave ``value``, and pass it on."""
        self()
        return value
