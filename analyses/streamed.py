"""Linear predictivity between spaces that memory would not hold: layers stream from the store and leave moments behind.

Memory is what the moments take, O(width^2), and a few blocks of rows, whatever the number of items. Where the moments
of all pairs of layers would be too many, the map is done a tile at a time, each a pass over the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from analyses.metrics.folds import check_folds, folds_of
from analyses.metrics.metric import BOTH, MetricMap, asked
from analyses.metrics.ridge.linear_predictivity import DEFAULT_ALPHAS, ROWS_A_FOLD
from analyses.metrics.ridge.moments import Moments
from analyses.metrics.ridge.primal import score_moments
from analyses.tiles import block_rows, tiles
from vdb.errors import InputError
from vdb.streaming import block_edges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.matching import Matched
    from analyses.metrics import ChosenMetric
    from analyses.metrics import Direction as MapDirection
    from analyses.metrics.ridge.linear_predictivity import LinearPredictivity
    from analyses.metrics.ridge.primal import Select
    from analyses.metrics.ridge.source import Scale
    from analyses.tiles import Tile
    from vdb.space import Space

    Progress = Callable[[int, int], None]

MEMORY = 2**31
"""Bytes that moments and blocks may take by default: with the libraries' own, under 4 GB."""

IN_MEMORY = 2**30
"""Bytes of all layers in single precision up to which they are read whole."""

_CHOSEN_BY = {"gcv": "generalised cross-validation", "inner": "inner folds"}


def too_large(rows: Matched, vision: Space, language: Space) -> bool:
    """Say whether all layers of both spaces over ``rows`` would take more than 1 GB in single precision."""
    width = sum(layer.width for space in (vision, language) for layer in space.layers)
    return 4 * len(rows) * width > IN_MEMORY


def streamed_maps(
    vision: Space,
    language: Space,
    rows: Matched,
    metric: ChosenMetric,
    *,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[MapDirection] | None = None,
    device: str = "cpu",
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> dict[str, MetricMap]:
    """Compute the maps of linear predictivity between all layers of two spaces, in bounded memory.

    The same scores as ``metric.compute`` gives of the same rows, folds and choice of alpha. Generalised
    cross-validation chooses alpha unless the metric names inner folds; ``facts`` says which.

    Parameters
    ----------
    vision, language : Space
    rows : Matched
        Vectors of several captions of a row are averaged.
    metric : ChosenMetric
        ``linear-predictivity``.
    folds, seed : int
    directions : sequence of {"vision->language", "language->vision"}, optional
    device : str
        Torch device of the computation.
    memory : int
        Bytes for moments and blocks of rows; fewer mean more passes over the store.
    progress : callable, optional
        Told what is done, and of what.

    Raises
    ------
    InputError
        The metric or a setting of it needs all rows at once, a pair of layers alone takes more than ``memory``, there
        are too few rows for the folds, or a layer holds NaN or inf.
    NotFoundError
        An item has no vector.
    """
    scale, select, told = _settings(metric)
    wanted = asked(directions, BOTH)
    check_folds(rows.groups, folds, ROWS_A_FOLD)
    reader = _Reader.of(vision, language, rows, folds_of(rows.groups, len(rows), folds, seed))
    images, texts = ([layer.width for layer in space.layers] for space in (vision, language))
    plan = tiles(images, texts, folds, memory)
    maps = {one: _Map.empty(one, len(images), len(texts), folds) for one in wanted}
    for done, tile in enumerate(plan):

        def report(part: float, done: int = done) -> None:
            if progress:
                progress(int(1000 * (done + part)), 1000 * len(plan))

        moments = _accumulate(reader, tile, wanted, folds, device, memory, report)
        for one in maps.values():
            found = score_moments(
                moments, alphas=DEFAULT_ALPHAS, scale=scale, select=select, reverse=one.reverse
            )
            one.put(tile, found)
        del moments  # before the next tile's are made
        report(1.0)
    return {direction: one.metric_map(told) for direction, one in maps.items()}


def _settings(metric: ChosenMetric) -> tuple[Scale, Select, str]:
    """Read the metric's settings; return the scale, what chooses alpha, and what is told of that."""
    if metric.metric.name != "linear-predictivity":
        raise InputError(
            f"{metric.name} needs all items at once, and these would not fit in memory: use linear-predictivity, "
            "or fewer items (--dataset)"
        )
    for name, value in metric.settings.items():
        if name not in {"select", "scale"} and value != metric.metric.parameters[name].default:
            raise InputError(
                f"{metric.name}: {name}={value} needs all items at once, and these would not fit in memory: leave it "
                "out, or use fewer items (--dataset)"
            )
    scale = cast("Scale", metric.settings.get("scale", "zscore"))
    written = str(metric.settings.get("select", "gcv"))
    if written == "loo":
        raise InputError(
            f"{metric.name}: the exact leave-one-out error needs all items at once, and these would not fit in memory: "
            "use select=gcv or select=inner, or fewer items (--dataset)"
        )
    select = cast("Select", written if written in _CHOSEN_BY else "gcv")
    return scale, select, _CHOSEN_BY[select]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Both sides' ids in one order, and the fold of each row.

    Rows are read in the order in which the vision side is stored: the moments do not see it, the disk does.
    """

    vision: Space
    language: Space
    image_ids: list[str]
    caption_ids: list[str]
    starts: NDArray[np.int64]
    folds: NDArray[np.int64]

    @classmethod
    def of(cls, vision: Space, language: Space, rows: Matched, folds: NDArray[np.int64]) -> _Reader:
        order = np.argsort(vision.places(rows.image_ids), kind="stable").tolist()
        captions = [rows.caption_ids[i] for i in order]
        return cls(
            vision,
            language,
            [rows.image_ids[i] for i in order],
            [one for row in captions for one in row],
            np.concatenate([[0], np.cumsum([len(row) for row in captions])]),
            folds[order],
        )

    def captions_a_row(self) -> float:
        return len(self.caption_ids) / len(self.image_ids)

    def blocks(
        self, tile: Tile, size: int, device: str
    ) -> Iterator[tuple[list[Tensor], list[Tensor], Tensor]]:
        """Read the tile's layers, about ``size`` rows at a time, with the folds of the rows."""
        n = len(self.image_ids)
        edges = block_edges(n, size)
        images = self.vision.stream(tile.vision, self.image_ids, edges=edges)
        texts = self.language.stream(
            tile.language, self.caption_ids, edges=self.starts[edges].tolist()
        )
        for (start, left), (_, right) in zip(images, texts, strict=True):
            end = min(start + size, n)
            counts = np.diff(self.starts[start : end + 1])
            yield (
                [_tensor(values).to(device) for values in left],
                [_averaged(_tensor(values).to(device), counts) for values in right],
                torch.from_numpy(self.folds[start:end]).to(device),
            )


def _tensor(values: NDArray[np.floating]) -> Tensor:
    """Take an array over; Arrow's own memory is read-only, and torch warns of that."""
    return torch.from_numpy(values if values.flags.writeable else values.copy())


def _averaged(values: Tensor, counts: NDArray[np.int64]) -> Tensor:
    """Average consecutive rows, ``counts[i]`` of them to row i, in single precision as what is read whole is."""
    if (counts == 1).all():
        return values
    lengths = torch.from_numpy(counts).to(values.device)
    row = torch.repeat_interleave(torch.arange(len(counts), device=values.device), lengths)
    sums = torch.zeros((len(counts), values.shape[1]), device=values.device)
    return sums.index_add_(0, row, values.to(torch.float32)) / lengths[:, None].to(torch.float32)


def _accumulate(
    reader: _Reader,
    tile: Tile,
    wanted: Sequence[str],
    folds: int,
    device: str,
    memory: int,
    report: Callable[[float], None],
) -> Moments:
    """Pass over the store once for the moments of one tile."""
    sources = [direction.partition("->")[0] for direction in wanted]
    size = block_rows(tile.width, reader.captions_a_row(), memory)
    moments: Moments | None = None
    done = 0
    for images, texts, fold in reader.blocks(tile, size, device):
        if moments is None:
            moments = Moments.about(images, texts, folds, sources=sources)
        moments.add(images, texts, fold)
        done += len(fold)
        report(0.9 * done / len(reader.folds))
    if moments is None:
        raise InputError("no rows to score")
    for space, layers, side in (
        (reader.vision, tile.vision, moments.vision),
        (reader.language, tile.language, moments.language),
    ):
        for layer, at in zip(layers, side.slices, strict=True):
            if not bool(torch.isfinite(side.sums[:, at]).all()):
                raise InputError(f"space {space.name!r}, layer {layer}, holds NaN or inf")
    return moments


@dataclass(frozen=True, slots=True)
class _Map:
    """The map of one direction as it is filled in, tile by tile: (sources, targets, folds) arrays."""

    reverse: bool
    fold_scores: NDArray[np.float64]
    alphas: NDArray[np.float64]
    on_edge: NDArray[np.bool_]
    dropped_source: NDArray[np.int64]
    dropped_target: NDArray[np.int64]

    @classmethod
    def empty(cls, direction: str, vision: int, language: int, folds: int) -> _Map:
        reverse = direction == "language->vision"
        source, target = (language, vision) if reverse else (vision, language)
        shape = (source, target, folds)
        return cls(
            reverse,
            np.full(shape, np.nan),
            np.full(shape, np.nan),
            np.zeros(shape, bool),
            np.zeros((source, folds), np.int64),
            np.zeros((target, folds), np.int64),
        )

    def put(self, tile: Tile, found: LinearPredictivity) -> None:
        sources, targets = list(tile.vision), list(tile.language)
        if self.reverse:
            sources, targets = targets, sources
        cells = np.ix_(sources, targets)
        self.fold_scores[cells] = found.fold_scores
        self.alphas[cells] = found.alphas
        self.on_edge[cells] = found.on_edge
        self.dropped_source[sources] = found.dropped_source
        self.dropped_target[targets] = found.dropped_target

    def metric_map(self, chosen_by: str) -> MetricMap:
        axes = (1, 0, 2) if self.reverse else (0, 1, 2)
        facts: dict[str, int | str] = {
            "dropped source units, summed over layers and folds": int(self.dropped_source.sum()),
            "dropped target units, summed over layers and folds": int(self.dropped_target.sum()),
            "alpha chosen by": chosen_by,
        }
        fold_scores = self.fold_scores.transpose(axes)
        return MetricMap(
            scores=fold_scores.mean(axis=2),
            fold_scores=fold_scores,
            alphas=self.alphas.transpose(axes),
            on_edge=self.on_edge.transpose(axes),
            facts=facts,
        )
