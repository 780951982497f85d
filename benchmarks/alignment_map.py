"""The alignment map against scikit-learn doing the same, and against its unavoidable matrix products.

CPU time of one thread, both sides of each ratio in one run and, for the products, before and after.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from analyses.metrics import METRICS
from analyses.metrics.folds import assign_folds
from analyses.metrics.inference.null import group_permutations
from benchmarks.ratio import Ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

ROWS, FOLDS = 1000, 5
WIDTHS = {"vision": 1024, "language": 2048}
ALPHAS = tuple(float(a) for a in np.logspace(-3, 8, 12))
COMPUTE = METRICS["linear-predictivity"].compute


def spaces(vision: int, language: int, seed: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    """Make layers that share a latent more and more with depth, with a few loud units, as language models have."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    shared = normal(ROWS, 60) * torch.arange(1, 61) ** -0.5

    def layers(count: int, width: int) -> list[Tensor]:
        own = normal(ROWS, 150) * torch.arange(1, 151) ** -0.5
        made = []
        for depth in np.linspace(0.2, 1, count):
            X = depth * shared @ normal(60, width) + own @ normal(150, width) + normal(ROWS, width)
            X[:, :3] = 30 * X[:, :3] + 100
            made.append(X)
        return made

    return layers(vision, WIDTHS["vision"]), layers(language, WIDTHS["language"])


def cpu_seconds(function: Callable[[], object]) -> float:
    """Return the CPU seconds that one call took."""
    start = time.process_time()
    function()
    return time.process_time() - start


def ours(vision: list[Tensor], language: list[Tensor]) -> Callable[[], object]:
    """Return the whole map, both directions, as a call."""
    return lambda: COMPUTE(vision, language, folds=FOLDS, alphas=ALPHAS)


def scikit_learn_cell(X: NDArray[np.float64], Y: NDArray[np.float64]) -> float:
    """Score one cell in one direction the usual way."""
    folds = assign_folds([str(i) for i in range(ROWS)], FOLDS, 0)
    scores = []
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        model = make_pipeline(StandardScaler(), RidgeCV(alphas=ALPHAS)).fit(X[train], Y[train])
        predicted, truth = model.predict(X[test]), Y[test]
        predicted, truth = predicted - predicted.mean(axis=0), truth - truth.mean(axis=0)
        norms = np.linalg.norm(predicted, axis=0) * np.linalg.norm(truth, axis=0)
        scores.append(((predicted * truth).sum(axis=0) / norms).mean())
    return float(np.mean(scores))


def against_scikit_learn(vision_layers: int, language_layers: int, cells: int) -> Ratio:
    """Measure how much less CPU a map takes; scikit-learn runs ``cells`` of its cells, the rest are in proportion."""
    vision, language = spaces(vision_layers, language_layers)
    maps = COMPUTE(vision, language, folds=FOLDS, alphas=ALPHAS)
    mine = cpu_seconds(ours(vision, language))
    theirs = worst = 0.0
    for cell in range(cells):
        i, j = cell % vision_layers, (2 * cell + 1) % language_layers
        X, Y = vision[i].double().numpy(), language[j].double().numpy()
        for direction, source, target in (("vision->language", X, Y), ("language->vision", Y, X)):
            start = time.process_time()
            score = scikit_learn_cell(source, target)
            theirs += time.process_time() - start
            worst = max(worst, abs(score - float(maps[direction].scores[i, j])))
    size = f"{vision_layers} x {language_layers}"
    theirs *= vision_layers * language_layers / cells
    print(
        f"map {size}, N={ROWS}, {len(ALPHAS)} alphas, both directions: {mine:.1f} CPU s; "
        f"scikit-learn {theirs:.0f} CPU s ({cells} of {vision_layers * language_layers} cells measured, the rest in "
        f"proportion); largest difference of a score {worst:.1e}"
    )
    value = theirs / mine
    name = f"map {size}: scikit-learn's RidgeCV, {cells} cells extrapolated, against ours (CPU)"
    bound = "eigh in float64, and weights of leave-one-out, one a layer and fold"
    return Ratio(name, value, value, value, goal=50, bound=bound, at_least=True)


def products(vision: list[Tensor], language: list[Tensor], share: int) -> float:
    """Return the CPU seconds of the map's products H Y, by running one in ``share`` of them."""
    train = ROWS - ROWS // FOLDS
    total = 0.0
    for sources, targets in ((vision, language), (language, vision)):
        H = torch.randn(ROWS // FOLDS, train)
        blocks = [target[:train].contiguous() for target in targets]
        passes = max(1, len(sources) * FOLDS // share)
        H @ blocks[0]

        def run(H: Tensor = H, blocks: list[Tensor] = blocks, passes: int = passes) -> None:
            for _ in range(passes):
                for block in blocks:
                    H @ block

        total += cpu_seconds(run) * len(sources) * FOLDS / passes
    return total


def against_products(vision_layers: int, language_layers: int, share: int) -> Ratio:
    """Measure the time of a whole map over that of its products H Y, in the precision they are done in."""
    vision, language = spaces(vision_layers, language_layers)
    before = products(vision, language, share)
    mine = cpu_seconds(ours(vision, language))
    after = products(vision, language, share)
    # Linux counts in kilobytes, macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**30 if sys.platform == "darwin" else 2**20
    )
    print(
        f"map {vision_layers} x {language_layers}, both directions: {mine:.1f} CPU s; its products H Y in float32 "
        f"{before:.1f} and {after:.1f} CPU s (before, after; one in {share} measured); "
        f"peak memory so far {peak:.1f} GB"
    )
    name = f"map {vision_layers} x {language_layers} against its products (CPU)"
    low, high = sorted((mine / before, mine / after))
    bound = (
        "eigh in float64 takes about as long as the products; Gram matrices, and two rank-k products for each alpha "
        "that the spectrum does not rule out, take most of the rest"
    )
    return Ratio(name, 2 * mine / (before + after), low, high, goal=3, bound=bound)


def of_null(vision_layers: int, language_layers: int, permutations: int) -> Ratio:
    """Measure what one more permutation costs over its products H Y: twice as many against once as many."""
    vision, language = spaces(vision_layers, language_layers)
    drawn = group_permutations([str(i) for i in range(ROWS)], 2 * permutations, 0)

    def run(count: int) -> Callable[[], object]:
        return lambda: COMPUTE(
            vision, language, folds=FOLDS, alphas=ALPHAS, permutations=drawn[:count]
        )

    once, twice = cpu_seconds(run(permutations)), cpu_seconds(run(2 * permutations))
    each, all_products = (twice - once) / permutations, products(vision, language, share=1)
    value = each / all_products
    print(
        f"null of map {vision_layers} x {language_layers}: {each:.2f} CPU s a permutation ({permutations} measured; "
        f"200 in proportion {200 * each:.0f}), its products {all_products:.2f}; "
        f"the map and the first {permutations}: {once:.1f}"
    )
    name = f"one permutation of map {vision_layers} x {language_layers} against its products (CPU)"
    bound = "the choice of alpha anew, and targets cut into folds anew"
    return Ratio(name, value, value, value, bound=bound)


def main(quick: bool = False) -> list[Ratio]:
    """Measure all ratios; ``quick`` takes a smaller second map and fewer cells of scikit-learn's."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            found = [
                against_scikit_learn(*((6, 8) if quick else (24, 32)), cells=1 if quick else 4),
                against_products(*((6, 8) if quick else (24, 32)), share=5),
                of_null(6, 8, permutations=2 if quick else 10),
            ]
    finally:
        torch.set_num_threads(threads)
    for ratio in found:
        print(ratio)
    return found


if __name__ == "__main__":
    main(quick="--quick" in sys.argv[1:])
