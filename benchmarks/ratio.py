"""Ratios measured side by side: on a busy machine times mean little, a ratio of neighbours in time means something."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Ratio:
    """One line of what ``make bench`` prints.

    Attributes
    ----------
    name : str
        What against what.
    value : float
        The median of the paired ratios.
    low, high : float, optional
        Their quartiles; none of a single measurement.
    goal : float, optional
        What it should be: at most this, or at least where ``at_least``.
    bound : str
        What keeps it from being better.
    at_least : bool
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    goal: float | None = None
    bound: str = ""
    at_least: bool = False

    @property
    def reached(self) -> bool:
        """Whether the goal is; true where there is none."""
        if self.goal is None:
            return True
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def __str__(self) -> str:
        said = [f"quartiles {self.quartiles}" if self.quartiles else "measured once"]
        if self.goal is not None:
            said.append(f"goal {'at least' if self.at_least else 'at most'} {self.goal:g}")
        text = f"{self.name}: {self.value:.2f} ({'; '.join(said)})"
        return text + (f"; {self.bound}" if self.bound else "")

    @property
    def quartiles(self) -> str:
        """The quartiles as text; empty where there are none, as of a single measurement, given or not."""
        if self.low is None or self.high is None or self.low == self.high:
            return ""
        return f"{self.low:.2f} to {self.high:.2f}"


def interleaved(
    a: Callable[[], object],
    b: Callable[[], object],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float, float]:
    """Time ``a`` and ``b`` in turns, after one turn to warm up; which goes first alternates.

    Parameters
    ----------
    a, b : callable
    repeats : int
        Turns, at least 2; each gives one ratio.
    clock : callable
        ``time.perf_counter`` for elapsed time, ``time.process_time`` for the CPU time of all threads.

    Returns
    -------
    median, lower quartile, upper quartile
        Of a's time over b's.
    """

    def timed(function: Callable[[], object]) -> float:
        start = clock()
        kept = function()  # freed after the clock is read
        taken = clock() - start
        del kept
        return taken

    ratios = []
    for turn in range(repeats + 1):
        if turn % 2:
            taken_a, taken_b = timed(a), timed(b)
        else:
            taken_b, taken_a = timed(b), timed(a)
        if turn:
            ratios.append(taken_a / taken_b)
    low, _, high = quantiles(ratios, n=4, method="inclusive")
    return median(ratios), low, high
