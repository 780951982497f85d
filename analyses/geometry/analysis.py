"""Geometry: what the vectors of each layer of a space are like among themselves."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

from analyses import keep
from analyses.geometry.measures import OF_ALL, OF_NEIGHBOURS, Value, moments, neighbours
from analyses.matching import check_datasets
from analyses.pictures.geometry import panels
from vdb.errors import InputError, NotFoundError
from vdb.progress import Silent
from vdb.schema import ITEMS, ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space

NAME = "geometry"
SAMPLE = 5_000
"""Rows whose neighbours are looked for: a layer of 1,024 units takes some seconds on one core, n^2 width in general."""

_FEWEST = 2  # neighbours: the ratio of two distances is asked for


def geometry(
    db: Database,
    spaces: Sequence[str],
    *,
    layers: Sequence[int | str] | None = None,
    variant: str = ORIGINAL,
    datasets: Sequence[str] = (),
    k: int = 10,
    sample: int = SAMPLE,
    seed: int = 0,
    device: str = "cpu",
    kept: bool = True,
    force: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Measure every layer of some spaces.

    Parameters
    ----------
    db : Database
    spaces : sequence of str
        Names of spaces, of images, texts or both.
    layers : sequence of int or str, optional
        Indices or names, in every space; all by default.
    variant : str
        Of the items.
    datasets : sequence of str
        Only items of these data sets; all by default.
    k : int
        Neighbours, for the maximum likelihood dimension and hubness; at least 2.
    sample : int
        The most items whose neighbours are looked for, drawn by the seed, the same for all layers of a space; at least
        10. Sums are over all items.
    seed : int
        Of the sample.
    device : str
        Torch device of the computation.
    kept, force, command, progress
        As in :func:`analyses.alignment.alignment`.

    Returns
    -------
    pl.DataFrame
        A row for each (space, layer, measure): ``space``, ``modality``, ``variant``, ``datasets`` (null where all),
        ``layer``, ``layer_name``, ``depth``, ``width``, ``measure``, ``value`` (null where the layer has none: of a
        constant layer, or one with no more than k distinct vectors), ``low`` and ``high`` (95 %, of ``two-nn`` alone),
        ``n`` (rows that the measure counts), ``items`` (all there are), ``duplicates`` (rows that were left out because
        an earlier one is the same, for the measures of neighbours), ``k``, ``sample``, ``seed``, ``fingerprint``.

    Raises
    ------
    NotFoundError
        There is no such space, layer, variant or data set.
    InputError
        No space is named, or one has no more than k items.
    """
    if not spaces:
        raise InputError("no space given: name at least one")
    if k < _FEWEST:
        raise InputError(f"k must be at least {_FEWEST} neighbours, not {k}")
    if sample <= k:
        raise InputError(
            f"{k} neighbours of each of a sample of {sample} items: --k must be below --sample, and below the number "
            "of items"
        )
    progress = progress or Silent()
    check_datasets(db, datasets)
    asked = [_asked(db, name, layers, variant, datasets, k) for name in dict.fromkeys(spaces)]
    parameters: dict[str, Any] = {
        "spaces": [one.space.name for one in asked],
        "layers": [one.layers for one in asked],
        "variant": variant,
        "datasets": list(datasets),
        "k": k,
        "sample": sample,
        "seed": seed,
    }
    told_of = [[one.ids for one in asked], list(_COLUMNS)]  # what was kept has the columns it had
    items = hashlib.sha256(json.dumps(told_of).encode()).hexdigest()[:16]
    mark = keep.question(NAME, parameters, [one.space for one in asked], items)
    if kept and not force:
        before = keep.answered(db, NAME, mark, progress)
        if before is not None:
            return before.select(*_COLUMNS)
    told = {**parameters, keep.QUESTION: mark}
    with keep.run(db, NAME, command, told, seed, kept=kept) as book:
        rows: list[dict[str, Any]] = []
        for one in asked:
            with progress.task(one.space.name, len(one.layers)) as task:
                for layer in one.layers:
                    rows += _measure(one, layer, variant, k, sample, seed, device)
                    task.advance(1)
            if len(one.ids) > sample:
                counted = f"{sample} of {len(one.ids)} items"
                book.say(f"{one.space.name}: neighbours of a sample of {counted}", progress)
        frame = pl.DataFrame(rows, schema=_COLUMNS).with_columns(
            variant=pl.lit(variant),
            datasets=pl.lit(", ".join(datasets) or None, pl.String),
            k=pl.lit(k),
            sample=pl.lit(sample),
            seed=pl.lit(seed),
        )
        frame = frame.select(pl.col(name).cast(kind) for name, kind in _COLUMNS.items())
        book.keep(frame, {"layers": panels})
    return frame


@dataclass(frozen=True, slots=True)
class _Asked:
    """A space, the layers of it, and the items, sorted by id."""

    space: Space
    layers: list[int]
    ids: list[str]


def _asked(
    db: Database,
    name: str,
    layers: Sequence[int | str] | None,
    variant: str,
    datasets: Sequence[str],
    k: int,
) -> _Asked:
    space = db.space(name)
    every = range(len(space.layers))
    indices = list(every) if layers is None else [space.layer_index(one) for one in layers]
    ids = space.ids(variant)
    if not ids and (stored := space.counts()):
        raise NotFoundError.named("variant", variant, stored, place=f"in space {name!r}")
    if datasets:
        table = db.read(ITEMS[space.recipe.modality]).filter(pl.col("dataset").is_in(datasets))
        mine = set(table.select(space.id_column).collect()[space.id_column])
        ids = [one for one in ids if one in mine]
    if len(ids) <= k:
        of = f" of {', '.join(datasets)}" if datasets else ""
        raise InputError(
            f"space {name!r} has {len(ids)} {variant!r} vectors{of}, too few for {k} neighbours each: "
            "--k must be below their number; ask for fewer neighbours, or `vdb ingest` more items"
        )
    return _Asked(space, list(dict.fromkeys(indices)), ids)


def _measure(
    asked: _Asked, layer: int, variant: str, k: int, sample: int, seed: int, device: str
) -> list[dict[str, Any]]:
    """Measure one layer: a row a measure."""
    space, known = asked.space, asked.space.layers[layer]
    values = space.matrix(layer, variant, asked.ids).values
    chosen = values
    if len(values) > sample:
        drawn = np.random.default_rng(seed).choice(len(values), sample, replace=False)
        chosen = values[np.sort(drawn)]
    distinct = chosen[_first_of_each(chosen)]
    near = None
    if len(distinct) > k:
        near = neighbours(torch.from_numpy(distinct).to(device), k)
    sums = moments(torch.from_numpy(values).to(device))
    found = [(name, of_all(sums), sums.n) for name, of_all in OF_ALL.items()]
    for name, of_near in OF_NEIGHBOURS.items():
        value = Value(math.nan) if near is None else of_near(near)
        found.append((name, value, len(distinct)))
    return [
        {
            "space": space.name,
            "modality": space.recipe.modality,
            "layer": layer,
            "layer_name": known.name,
            "depth": known.depth,
            "width": known.width,
            "measure": name,
            "value": _known(value.value),
            "low": _known(value.low),
            "high": _known(value.high),
            "n": n,
            "items": len(values),
            "duplicates": len(chosen) - len(distinct),
            "fingerprint": space.recipe.fingerprint,
        }
        for name, value, n in found
    ]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _first_of_each(values: NDArray[np.floating]) -> list[int]:
    """Return the first place of each distinct row, in order; minus zero is zero."""
    first: dict[bytes, int] = {}
    for i, row in enumerate(values + values.dtype.type(0)):
        first.setdefault(row.tobytes(), i)
    return list(first.values())


_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("space", "modality", "variant", "datasets"), pl.String),
    "layer": pl.Int64,
    "layer_name": pl.String,
    "depth": pl.Float64,
    "width": pl.Int64,
    "measure": pl.String,
    **dict.fromkeys(("value", "low", "high"), pl.Float64),
    **dict.fromkeys(("n", "items", "duplicates", "k", "sample", "seed"), pl.Int64),
    "fingerprint": pl.String,
}
