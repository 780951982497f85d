"""Primal linear predictivity against the accumulation of its moments with plain torch, in CPU time of one thread."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from analyses.metrics.ridge.linear_predictivity import DEFAULT_ALPHAS
from analyses.metrics.ridge.primal import primal_maps
from benchmarks.ratio import Ratio, interleaved

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

ROWS, WIDTH, FOLDS = 100_000, 512, 5
GOAL = 1.5


def layers(rows: int) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
    """Make one layer a side, which share a latent, with a large mean; folds are mixed."""
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(rows, 32, generator=generator)
    made = []
    for _ in range(2):
        mixing = torch.randn(32, WIDTH, generator=generator)
        noise = torch.randn(rows, WIDTH, generator=generator)
        made.append(latent @ mixing + 4 * noise + 10)
    return made[0], made[1], np.random.default_rng(0).permutation(np.arange(rows) % FOLDS)


def plain_moments(X: Tensor, Y: Tensor, folds: NDArray[np.int64]) -> list[Tensor]:
    """Accumulate X'X, X'Y, Y'Y and both sums fold by fold, in double precision, from what is in memory."""
    found = []
    for fold in range(FOLDS):
        rows = torch.from_numpy(np.flatnonzero(folds == fold))
        x, y = X[rows].double(), Y[rows].double()
        found += [x.T @ x, x.T @ y, y.T @ y, x.sum(dim=0), y.sum(dim=0)]
    return found


def main(quick: bool = False) -> list[Ratio]:
    """Measure the ratio, both directions, ten alphas; ``quick`` takes 20,000 rows, where the rest weighs more."""
    X, Y, folds = layers(20_000 if quick else ROWS)

    def ours() -> object:
        return primal_maps([X], [Y], folds, alphas=DEFAULT_ALPHAS)

    def plain() -> object:
        return plain_moments(X, Y, folds)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            value, low, high = interleaved(ours, plain, 3 if quick else 5, time.process_time)
            begun = time.process_time()
            ours()
            taken = time.process_time() - begun
    finally:
        torch.set_num_threads(threads)
    print(f"  {len(X)} rows x {WIDTH}, both directions, {FOLDS} folds: {taken:.1f} CPU s")
    name = f"primal map of {len(X)} rows x {WIDTH}, both directions, against its moments (CPU)"
    bound = "X'Y as torch has it; X'X and Y'Y cost half; then copies, extremes and eigh"
    found = [Ratio(name, value, low, high, None if quick else GOAL, bound)]
    print(found[0])
    return found


if __name__ == "__main__":
    main(quick="--quick" in sys.argv[1:])
