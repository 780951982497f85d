"""Linear predictivity under an alteration, by the map that was fitted on the originals.

The regression is fitted on the originals' training rows and never sees an altered one. Where the source is altered,
the held-out rows are predicted from their altered vectors; where the target is, what is predicted from the original
source is compared with the altered target; where both are, both. All alterations of a source layer share its one
factorisation a fold: they are further held-out rows of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.metrics.folds import MIN_FOLDS
from analyses.metrics.inputs import check_layers
from analyses.metrics.ridge.linear_predictivity import DEFAULT_ALPHAS, ROWS_A_FOLD
from analyses.metrics.ridge.selection import TargetGrams, select
from analyses.metrics.ridge.source import (
    Scale,
    SourceFold,
    centred_operator,
    check_alphas,
    factorise,
    operator,
)
from analyses.metrics.ridge.targets import prepare_target, training_values
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    Progress = Callable[[int, int], None]


_SCALES = ("zscore", "none")
"""Those that altered rows can share with the originals' training rows."""


@dataclass(frozen=True, slots=True)
class Altered:
    """One alteration of the items, row for row with the originals; None for a side that is left as it is.

    Attributes
    ----------
    sources : sequence of S (n, width) tensors or None
    targets : sequence of T (n, width) tensors or None
    """

    sources: Sequence[Tensor] | None = None
    targets: Sequence[Tensor] | None = None


@dataclass(frozen=True, slots=True)
class _Truth:
    """Held-out rows of one target: centred, each unit of norm 1, or 0 where it does not vary."""

    values: Tensor
    varying: int


@dataclass(frozen=True, slots=True)
class _Block:
    """Of one fold of a condition: which block of predictions it takes, and what they are compared with."""

    predicted_from: int
    truths: list[_Truth]


def transfer_maps(
    sources: Sequence[Tensor],
    targets: Sequence[Tensor],
    altered: Sequence[Altered],
    folds: NDArray[np.int64],
    *,
    alphas: Sequence[float] = DEFAULT_ALPHAS,
    scale: Scale = "zscore",
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Score the originals' maps from every source layer to every target layer on altered held-out rows.

    Parameters
    ----------
    sources : S tensors of (n, width)
    targets : T tensors of (n, width)
    altered : sequence of A Altered
    folds : (n,) int array
    alphas : sequence of float
        Chosen from by leave-one-out on the originals' training rows.
    scale : {"zscore", "none"}
        By the originals' training rows; altered rows are scaled by the same numbers.
    progress : callable, optional
        Told the number of (fold, source layer) steps done, and of all.

    Returns
    -------
    (1 + A, S, T, k) float64 array
        Mean over units of Pearson's r over the held-out rows of each fold: of the originals, then of each alteration;
        NaN where no unit of the target varies there.

    Raises
    ------
    InputError
        If layers, folds or alphas cannot be used, or an alteration does not match the originals.
    """
    _check(sources, targets, altered)
    grid = check_alphas(alphas)
    splits = list(_splits(folds, sources[0].device))
    prepared = [prepare_target(target) for target in targets]
    every = [Altered(), *altered]
    turned = [j for j, one in enumerate(every) if j == 0 or one.sources is not None]
    scores = np.full((len(every), len(sources), len(targets), len(splits)), np.nan)
    for k, (train, test) in enumerate(splits):
        grams = TargetGrams.of([target.gram for target in prepared], train)
        training = [training_values(target.values, train) for target in prepared]
        blocks = _blocks(every, turned, targets, test)
        for i, layer in enumerate(sources):
            stack = [layer, *(_source(every[j], i) for j in turned[1:])]
            parts, source = _factorised(stack, train, test, scale)
            best = select(source, grid, grams).numpy()
            for choice in np.unique(best):
                H = torch.cat([centred_operator(part, grid[choice]) for part in parts])
                for t in np.flatnonzero(best == choice):
                    predicted = (H @ training[t]).reshape(len(parts), len(test), -1)
                    scores[:, i, t, k] = _agreement(
                        predicted, [b.truths[t] for b in blocks], blocks
                    )
            if progress:
                progress(k * len(sources) + i + 1, len(sources) * len(splits))
    return scores


def transfer_predictions(
    source: Tensor,
    target: Tensor,
    altered: Sequence[Tensor],
    folds: NDArray[np.int64],
    *,
    alphas: Sequence[float] = DEFAULT_ALPHAS,
    scale: Scale = "zscore",
) -> list[Tensor]:
    """Predict one target layer from one source layer's held-out rows, original and altered, by the originals' map.

    Parameters
    ----------
    source : (n, width) tensor
    target : (n, T) tensor
    altered : sequence of A (n, width) tensors
        The source, altered.
    folds, alphas, scale
        As in :func:`transfer_maps`.

    Returns
    -------
    list of 1 + A (n, T) float64 tensors
        In the target's own units: from the original source, then from each altered one.
    """
    _check([source], [target], [Altered(sources=[one]) for one in altered])
    grid = check_alphas(alphas)
    gram = prepare_target(target).gram
    values = target.detach().to(torch.float64)
    predicted = [torch.empty_like(values) for _ in range(1 + len(altered))]
    for train, test in _splits(folds, source.device):
        parts, fitted = _factorised([source, *altered], train, test, scale)
        [choice] = select(fitted, grid, TargetGrams.of([gram], train)).tolist()
        centre = values[train].mean(dim=0)
        for out, part in zip(predicted, parts, strict=True):
            out[test] = operator(part, grid[choice]) @ (values[train] - centre) + centre
    return predicted


def _factorised(
    stack: Sequence[Tensor], train: Tensor, test: Tensor, scale: Scale
) -> tuple[list[SourceFold], SourceFold]:
    """Factorise the first of ``stack`` on its training rows, with the held-out rows of each as a part."""
    if scale not in _SCALES:
        raise InputError(
            f"a transfer scales altered rows as the originals' training rows: {' or '.join(_SCALES)}, not {scale}"
        )
    rows = len(stack[0])
    held = torch.cat([test + rows * at for at in range(len(stack))])
    layer = torch.cat([one.detach().to(torch.float64) for one in stack])
    source = factorise(layer, train, held, scale)
    blocks = torch.split(source.projection, len(test))
    return [replace(source, projection=block) for block in blocks], source


def _blocks(
    every: Sequence[Altered], turned: Sequence[int], targets: Sequence[Tensor], test: Tensor
) -> list[_Block]:
    own = [_truth(target, test) for target in targets]
    return [
        _Block(
            turned.index(j) if j in turned else 0,
            own if one.targets is None else [_truth(target, test) for target in one.targets],
        )
        for j, one in enumerate(every)
    ]


def _truth(target: Tensor, test: Tensor) -> _Truth:
    held = target.detach().index_select(0, test).to(torch.float64)
    # Exact comparison: a constant unit's computed variance is rounding, not zero.
    varies = held.amax(dim=0) != held.amin(dim=0)
    held = held - held.mean(dim=0)
    length = torch.linalg.vector_norm(held, dim=0)
    held = torch.where(varies, held / torch.where(varies, length, 1.0), 0.0)
    return _Truth(held.to(torch.float32), int(varies.sum()))


def _agreement(
    predicted: Tensor, truths: Sequence[_Truth], blocks: Sequence[_Block]
) -> list[float]:
    """Return each condition's mean r over the units that vary; predictions that do not vary have an r of 0."""
    lengths = torch.linalg.vector_norm(predicted, dim=1).clamp_min(torch.finfo(torch.float32).tiny)
    found = []
    for block, truth in zip(blocks, truths, strict=True):
        at = block.predicted_from
        r = (predicted[at] * truth.values).sum(dim=0) / lengths[at]
        total = float(r.sum(dtype=torch.float64))
        found.append(total / truth.varying if truth.varying else float("nan"))
    return found


def _source(one: Altered, layer: int) -> Tensor:
    assert one.sources is not None  # noqa: S101 - those without are not asked
    return one.sources[layer]


def _check(
    sources: Sequence[Tensor], targets: Sequence[Tensor], altered: Sequence[Altered]
) -> None:
    check_layers(sources, targets)
    for at, one in enumerate(altered):
        for side, originals, layers in (
            ("source", sources, one.sources),
            ("target", targets, one.targets),
        ):
            if layers is None:
                continue
            if [tuple(x.shape) for x in layers] != [tuple(x.shape) for x in originals]:
                raise InputError(
                    f"alteration {at}: its {side} layers {[tuple(x.shape) for x in layers]} must have the shapes of "
                    f"the originals', {[tuple(x.shape) for x in originals]}, row for row"
                )
            check_layers(layers, targets)


def _splits(folds: NDArray[np.int64], device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    names, sizes = np.unique(np.asarray(folds), return_counts=True)
    if len(names) < MIN_FOLDS or int(sizes.min()) < ROWS_A_FOLD:
        raise InputError(
            f"{len(names)} folds of {len(folds)} items, the smallest of {min(sizes, default=0)}: a map needs at "
            "least two folds of at least two rows each; use fewer folds or more items"
        )
    for name in names:
        held = np.asarray(folds) == name
        yield (
            torch.from_numpy(np.flatnonzero(~held)).to(device),
            torch.from_numpy(np.flatnonzero(held)).to(device),
        )
