"""Seeded choices: every random decision of the demo world, made from uniform draws of one numpy generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

T = TypeVar("T")

_BUFFER = 64


class Dice:
    """A stream of choices that depends on its key alone.

    Only uniform doubles are drawn, so that the choices stay the same for as long as numpy keeps PCG64.

    Parameters
    ----------
    *key : int
        Non-negative integers, such as a seed, an index and the number of a stream.
    """

    __slots__ = ("_buffer", "_generator")

    def __init__(self, *key: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(key))
        self._buffer: list[float] = []

    def uniform(self) -> float:
        """Draw from [0, 1)."""
        if not self._buffer:  # a call for each number would cost more than the number
            self._buffer = self._generator.random(_BUFFER).tolist()
        return self._buffer.pop()

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return self.uniform() < probability

    def below(self, stop: int) -> int:
        """Draw an integer from 0 to ``stop - 1``."""
        return int(self.uniform() * stop)

    def choose(self, options: Sequence[T]) -> T:
        """Draw one of the options, all equally likely."""
        return options[self.below(len(options))]

    def weighted(self, options: Sequence[T], weights: Sequence[float]) -> T:
        """Draw one of the options in proportion to its weight."""
        left = self.uniform() * sum(weights)
        for option, weight in zip(options, weights, strict=True):
            left -= weight
            if left < 0:
                return option
        return options[-1]

    def shuffled(self, options: Iterable[T]) -> list[T]:
        """Return the options in a random order."""
        return [
            option for _, _, option in sorted((self.uniform(), i, o) for i, o in enumerate(options))
        ]
