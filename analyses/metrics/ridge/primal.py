"""Linear predictivity by primal ridge regression: for many more rows than units, from moments alone.

The same scores as :mod:`analyses.metrics.ridge.linear_predictivity` gives with the same choice of alpha. There the work
grows with the square and the cube of the rows; here it grows with the rows only while the moments are accumulated, and
X'Y serves both directions. The exact leave-one-out error cannot be had from moments: alpha is chosen by generalised
cross-validation or by inner folds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from analyses.metrics.inputs import check_layers
from analyses.metrics.ridge.linear_predictivity import LinearPredictivity
from analyses.metrics.ridge.moments import Moments
from analyses.metrics.ridge.primal_folds import (
    Fitted,
    Pair,
    cross_scatter,
    deviations,
    factorise,
    gcv,
    held_out_r,
    own_scatter,
    squared_error,
)
from analyses.metrics.ridge.source import check_alphas
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.ridge.source import Scale

    Progress = Callable[[int, int], None]

Select = Literal["gcv", "inner"]
"""What chooses alpha: generalised cross-validation, or each of the other folds predicted from the rest."""

BLOCK_ROWS = 4096
"""Rows added at a time: a few hundred a fold keep a matrix product busy, and the copies stay small."""

_EIGH = 9
"""Operations of a symmetric eigendecomposition over the cube of its side, with vectors (LAPACK's syevd)."""

_MIN_FOLDS = {"gcv": 2, "inner": 3}
_ROWS_A_FOLD = 2


def primal_is_cheaper(
    rows: int,
    source_widths: Sequence[int],
    target_widths: Sequence[int],
    folds: int,
    alphas: int,
) -> bool:
    """Say whether the primal form takes fewer operations than the dual for one direction of a map.

    Multiplications and additions of double precision; those of single precision count half. With n rows, m of them in
    training, D and T units, k folds and A alphas:

    ======================  ==========================================  ==========================================
    for each                dual                                        primal
    ======================  ==========================================  ==========================================
    source layer            n^2 D + k (9 m^3 + 2 (n - m) m^2)           n D^2 + 9 k D^3
    target layer            n^2 T                                       none
    source layer, fold      A m^3 for the weights of the criterion      none
    pair of layers          k (A m^2 + (n - m) m T)                     2 n D T + 6 k D^2 T
    ======================  ==========================================  ==========================================

    Parameters
    ----------
    rows : int
    source_widths, target_widths : sequence of int
        Of every layer.
    folds : int
    alphas : int
        How many there are to choose from.
    """
    n, k = rows, folds
    m = n - n // k
    T, layers = sum(target_widths), len(target_widths)
    dual = primal = 0
    for D in source_widths:
        dual += n * n * D + k * (_EIGH * m**3 + 2 * (n - m) * m * m + alphas * m**3)
        dual += k * (alphas * m * m * layers + (n - m) * m * T)
        primal += n * D * D + k * _EIGH * D**3 + 2 * n * D * T + 6 * k * D * D * T
    dual += n * n * T
    return primal < dual


def primal_map(
    sources: Sequence[Tensor],
    targets: Sequence[Tensor],
    folds: NDArray[np.int64],
    *,
    alphas: Sequence[float],
    scale: Scale = "zscore",
    select: Select = "gcv",
    progress: Progress | None = None,
) -> LinearPredictivity:
    """Score every source layer against every target layer.

    Parameters
    ----------
    sources : S tensors of (n, width)
        Predict from these.
    targets : T tensors of (n, width)
        Predict these. Widths may differ from layer to layer.
    folds : (n,) int array
        The fold of each row, as :func:`~analyses.metrics.folds.assign_folds` gives it.
    alphas : sequence of float
        Ridge strengths to choose from.
    scale : {"zscore", "none"}
        Whether each source unit is divided by its standard deviation over the training rows.
    select : {"gcv", "inner"}
        ``gcv``: generalised cross-validation on the training rows. ``inner``: the smallest squared error, over rows
        and units, of each of the other folds predicted from those beside it; the source is scaled as for the outer
        fit, the intercept is of the inner training rows.
    progress : callable, optional
        Told the number of steps done, and of all.

    Raises
    ------
    InputError
        If layers, folds or alphas cannot be used.
    """
    moments = accumulate(sources, targets, folds, sources=("vision",))
    return score_moments(moments, alphas=alphas, scale=scale, select=select, progress=progress)


def primal_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    folds: NDArray[np.int64],
    *,
    alphas: Sequence[float],
    scale: Scale = "zscore",
    select: Select = "gcv",
    progress: Progress | None = None,
) -> tuple[LinearPredictivity, LinearPredictivity]:
    """Score both directions, vision to language and back, from one accumulation; see :func:`primal_map`."""
    moments = accumulate(vision, language, folds)
    done = len(vision) * len(moments.counts)
    every = done + len(language) * len(moments.counts)

    def scored(*, reverse: bool) -> LinearPredictivity:
        def report(step: int, _: int) -> None:
            if progress:
                progress(step + reverse * done, every)

        return score_moments(
            moments, alphas=alphas, scale=scale, select=select, reverse=reverse, progress=report
        )

    return scored(reverse=False), scored(reverse=True)


def accumulate(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    folds: NDArray[np.int64],
    *,
    sources: Sequence[str] = ("vision", "language"),
) -> Moments:
    """Take the moments of layers in memory, a block of rows at a time; see :meth:`Moments.about` for ``sources``."""
    rows = check_layers(vision, language)
    names, assigned = np.unique(np.asarray(folds), return_inverse=True)
    of_row = torch.from_numpy(assigned.reshape(-1)).to(vision[0].device)
    first = slice(0, BLOCK_ROWS)
    moments = Moments.about(
        [layer[first] for layer in vision],
        [layer[first] for layer in language],
        len(names),
        sources=sources,
    )
    for start in range(0, rows, BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        moments.add(
            [layer[block] for layer in vision], [layer[block] for layer in language], of_row[block]
        )
    return moments


def score_moments(
    moments: Moments,
    *,
    alphas: Sequence[float],
    scale: Scale = "zscore",
    select: Select = "gcv",
    reverse: bool = False,
    progress: Progress | None = None,
) -> LinearPredictivity:
    """Score a map from its moments.

    Parameters
    ----------
    moments : Moments
    alphas, scale, select
        As :func:`primal_map` has them.
    reverse : bool
        Predict the vision side from the language side.
    progress : callable, optional

    Raises
    ------
    InputError
        There are too few folds, or one has fewer than two rows.
    """
    grid = torch.tensor(check_alphas(alphas), dtype=torch.float64, device=moments.cross.device)
    folds = len(moments.counts)
    fewest = int(moments.counts.min()) if folds else 0
    if folds < _MIN_FOLDS[select] or fewest < _ROWS_A_FOLD:
        raise InputError(
            f"{folds} folds, the smallest of {fewest} rows: ridge with alpha chosen by {select!r} needs at least "
            f"{_MIN_FOLDS[select]} folds of at least two rows each; use other folds or more items"
        )
    source, target = moments.vision, moments.language
    if reverse:
        source, target = target, source
    shape = (len(source.widths), len(target.widths), folds)
    fold_scores, chosen = np.zeros(shape), np.zeros(shape)
    dropped = np.zeros((shape[0], folds), dtype=np.int64)
    for i in range(shape[0]):
        pairs = _pairs(moments, i, reverse=reverse)
        for fold in range(folds):
            scores, best, left_out = _score(pairs, fold, grid, scale, select)
            fold_scores[i, :, fold], chosen[i, :, fold] = scores.cpu(), grid[best].cpu()
            dropped[i, fold] = left_out
            if progress:
                progress(i * folds + fold + 1, shape[0] * folds)
    constant = [
        [int((~target.layer(j).varying([fold])).sum()) for fold in range(folds)]
        for j in range(shape[1])
    ]
    return LinearPredictivity(
        fold_scores.mean(axis=2),
        fold_scores,
        chosen,
        tuple(grid.tolist()),
        dropped,
        np.array(constant),
    )


def _pairs(moments: Moments, index: int, *, reverse: bool) -> list[Pair]:
    """View one source against every target."""
    source, target = moments.vision, moments.language
    cross = moments.cross
    if reverse:
        source, target, cross = target, source, cross.transpose(1, 2)
    one, rows = source.layer(index), cross[:, source.slices[index]]
    return [
        Pair(moments.counts, one, target.layer(j), rows[:, :, at])
        for j, at in enumerate(target.slices)
    ]


def _score(
    pairs: list[Pair], fold: int, grid: Tensor, scale: Scale, select: Select
) -> tuple[Tensor, Tensor, int]:
    """Score one source against all targets in one fold; return scores, indices of alphas and units left out."""
    counts, source = pairs[0].counts, pairs[0].source
    train = [other for other in range(len(counts)) if other != fold]
    varying = source.varying(train)
    # A source without any unit that varies predicts nothing; one constant unit says so without special cases.
    units = varying.nonzero().reshape(-1) if bool(varying.any()) else grid.new_zeros(1).long()
    deviation = deviations(source, counts, train, scale)
    fitted = factorise(source, counts, train, units, deviation)
    own = own_scatter(source, counts, [fold], [fold])
    errors = _inner(pairs, train, fitted, deviation, grid) if select == "inner" else None
    scores, best = [], []
    for j, pair in enumerate(pairs):
        projected = fitted.project(cross_scatter(pair, train, train))
        criterion = errors[j] if errors else gcv(fitted, pair, projected, grid)
        best.append(criterion.argmin())
        scores.append(held_out_r(fitted, own, pair, fold, projected, grid[best[-1]]))
    return torch.stack(scores), torch.stack(best), int((~varying).sum())


def _inner(
    pairs: list[Pair], train: list[int], fitted: Fitted, deviation: Tensor, grid: Tensor
) -> list[Tensor]:
    """Return the squared error of every target at every alpha, summed over the training folds as inner folds."""
    counts, source = pairs[0].counts, pairs[0].source
    errors = [torch.zeros_like(grid) for _ in pairs]
    for fold in train:
        rest = [other for other in train if other != fold]
        inner = factorise(source, counts, rest, fitted.units, deviation)
        own = inner.projected_gram(own_scatter(source, counts, [fold], rest))
        for j, pair in enumerate(pairs):
            errors[j] += squared_error(inner, own, pair, fold, grid)
    return errors
