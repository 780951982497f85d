"""Maps of mutual k-NN, debiased CKA and RSA: against a computation pair by pair, their Gram products, and their null.

CPU time of one thread, both sides of each ratio in one run. A Gram product is ``X X'`` of one layer by plain torch in
float64, the precision that it is used in here; the goal counts one for every layer, and nothing else.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import torch
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from analyses.metrics import METRICS
from analyses.metrics.inference.null import group_permutations
from benchmarks.alignment_map import ROWS, cpu_seconds, spaces
from benchmarks.ratio import Ratio, interleaved

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

K = 10
PERMUTATIONS = 200
TITLES = {"mutual-knn": "mutual k-NN", "cka": "debiased CKA", "rsa": "RSA"}
BOUNDS = {
    "mutual-knn": "Gram products in float64, half of each; then the search of each row for its k largest",
    "cka": "Gram products in float64, half of each; then centring, and each fold's own",
    "rsa": "sorting half a million dissimilarities a layer, and the Gram products in float64",
}
NULL_BOUNDS = {
    "mutual-knn": "one look-up of all language layers for each edge of a vision layer",
    "cka": "reading all pairs of the smaller side out of order, once a permutation",
    "rsa": "reading all pairs of the smaller side out of order, once a permutation",
}


def knn_of_pair(X: Tensor, Y: Tensor) -> float:
    """Mutual k-NN of one pair the usual way: two Gram matrices, two searches, two masks."""
    masks = []
    for Z in (X, Y):
        rows = torch.nn.functional.normalize(Z, dim=1)
        nearest = (rows @ rows.T).fill_diagonal_(-torch.inf).topk(K, dim=1).indices
        masks.append(torch.zeros(len(Z), len(Z), dtype=Z.dtype).scatter_(1, nearest, 1))
    return float((masks[0] * masks[1]).sum()) / (len(X) * K)


def cka_of_pair(X: Tensor, Y: Tensor) -> float:
    """Debiased CKA of one pair the usual way: two Gram matrices and three unbiased HSICs."""
    n = len(X)
    A, B = ((Z @ Z.T).fill_diagonal_(0) for Z in (X - X.mean(dim=0), Y - Y.mean(dim=0)))

    def hsic(M: Tensor, N: Tensor) -> float:
        paths = M.sum(dim=0) @ N.sum(dim=0)
        return float((M * N).sum() + M.sum() * N.sum() / ((n - 1) * (n - 2)) - 2 * paths / (n - 2))

    return hsic(A, B) / (hsic(A, A) * hsic(B, B)) ** 0.5


def rsa_of_pair(X: Tensor, Y: Tensor) -> float:
    """RSA of one pair the usual way, with scipy."""
    return float(spearmanr(*(pdist(Z.numpy(), "correlation") for Z in (X, Y)))[0])


PER_PAIR: dict[str, Callable[[Tensor, Tensor], float]] = {
    "mutual-knn": knn_of_pair,
    "cka": cka_of_pair,
    "rsa": rsa_of_pair,
}


def against_pairs(
    name: str, vision: list[Tensor], language: list[Tensor], cells: int
) -> list[Ratio]:
    """Measure how much less CPU the map takes than the same scores pair by pair, in float64 as here and in float32."""
    compute = METRICS[name].compute
    maps = compute(vision, language)
    mine = cpu_seconds(lambda: compute(vision, language))
    theirs = theirs_single = worst = 0.0
    for cell in range(cells):
        i, j = cell % len(vision), (2 * cell + 1) % len(language)
        X, Y = vision[i], language[j]
        start = time.process_time()
        score = PER_PAIR[name](X.double(), Y.double())
        theirs += time.process_time() - start
        worst = max(worst, abs(score - float(maps["symmetric"].scores[i, j])))
        if name != "rsa":  # scipy computes in float64 whatever it is given
            start = time.process_time()
            PER_PAIR[name](X, Y)
            theirs_single += time.process_time() - start
    pairs = len(vision) * len(language)
    theirs, theirs_single = (seconds * pairs / cells for seconds in (theirs, theirs_single))
    print(
        f"{TITLES[name]} map {len(vision)} x {len(language)}, N={ROWS}: {mine:.1f} CPU s with the scores of 5 folds; "
        f"pair by pair without them {theirs:.0f} CPU s in float64 ({cells} of {pairs} pairs measured, the "
        f"rest in proportion); largest difference of a score {worst:.1e}"
    )
    title = f"{TITLES[name]}: pair by pair against the map (CPU)"
    found = [Ratio(title, theirs / mine, goal=20, bound=BOUNDS[name], at_least=True)]
    if theirs_single:
        title = f"{TITLES[name]}: pair by pair in float32 against the map in float64 (CPU)"
        found.append(Ratio(title, theirs_single / mine))
    return found


def against_grams(name: str, vision: list[Tensor], language: list[Tensor], repeats: int) -> Ratio:
    """Measure the map's time over that of the Gram product of every layer."""
    compute = METRICS[name].compute
    layers = [layer.double() for layer in (*vision, *language)]

    def products() -> None:
        for layer in layers:
            layer @ layer.T

    value, low, high = interleaved(
        lambda: compute(vision, language), products, repeats, clock=time.process_time
    )
    title = f"{TITLES[name]}: map against its Gram products (CPU)"
    return Ratio(title, value, low, high, goal=3, bound=BOUNDS[name])


def null_against_map(
    name: str, vision: list[Tensor], language: list[Tensor], repeats: int
) -> Ratio:
    """Measure what 200 permutations cost on top of the map, over the map."""
    compute = METRICS[name].compute
    drawn = group_permutations([str(i) for i in range(ROWS)], PERMUTATIONS, 0)
    value, low, high = interleaved(
        lambda: compute(vision, language, permutations=drawn),
        lambda: compute(vision, language),
        repeats,
        clock=time.process_time,
    )
    title = f"{TITLES[name]}: null of {PERMUTATIONS} against the map (CPU)"
    return Ratio(title, value - 1, low - 1, high - 1, goal=20, bound=NULL_BOUNDS[name])


def main(quick: bool = False) -> list[Ratio]:
    """Measure all three ratios of each metric; ``quick`` takes a smaller map and fewer repeats."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    vision, language = spaces(*((6, 8) if quick else (24, 32)))
    found: list[Ratio] = []
    try:
        with threadpool_limits(1):
            for name in PER_PAIR:
                found += [
                    *against_pairs(name, vision, language, cells=2 if quick else 6),
                    against_grams(name, vision, language, repeats=3),
                    null_against_map(name, vision, language, repeats=2),
                ]
    finally:
        torch.set_num_threads(threads)
    for ratio in found:
        print(ratio)
    return found


if __name__ == "__main__":
    main(quick="--quick" in sys.argv[1:])
