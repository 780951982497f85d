"""Self-alignment: how far altering an item moves it within a space, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import torch

from analyses import keep
from analyses.controls import mismatch
from analyses.metrics import choose_metric
from analyses.metrics.cells import score_cells
from analyses.metrics.folds import check_folds
from analyses.metrics.inference.bootstrap import bootstrap_items
from analyses.pictures.self_alignment import self_profile
from analyses.self_alignment.items import Items, item_cosines, items
from vdb.errors import InputError, NotFoundError
from vdb.progress import Silent
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from analyses.metrics import ChosenMetric
    from analyses.metrics.inference.bootstrap import Interval
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space

    Row = dict[str, Any]

__all__ = ["NAME", "self_alignment"]

NAME = "self-alignment"

COSINE, CENTRED = "cosine", "cosine-centred"

DIRECTIONS = {
    "vision->language": "variant->original",
    "language->vision": "original->variant",
    "symmetric": "symmetric",
}


def self_alignment(
    db: Database,
    space: str,
    *,
    variants: Sequence[str] | None = None,
    metric: str = "mutual-knn",
    datasets: Sequence[str] = (),
    folds: int = 5,
    seed: int = 0,
    device: str = "cpu",
    kept: bool = True,
    force: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Compare a space's vectors of altered items with those of the originals, at each layer.

    Parameters
    ----------
    db : Database
    space : str
        Of images or of texts.
    variants : sequence of str, optional
        All that the space holds by default.
    metric : str
        Computed between the altered and the original vectors of one layer, as
        :func:`analyses.metrics.choose_metric` reads it.
    datasets : sequence of str
        Only items of these data sets; all by default.
    folds, seed, device, kept, force, command, progress
        As in :func:`analyses.perturbation.perturbation`.

    Returns
    -------
    pl.DataFrame
        A row for each (variant, metric, control, direction, layer): ``metric`` is "cosine" (mean over items of the
        cosine between an item's two vectors), "cosine-centred" (with the mean of the original vectors taken from
        both, so that a direction that all vectors share does not count) or the metric; ``control`` "mismatched"
        compares with the altered vector of another item: without it a cosine says nothing in a space whose vectors
        all point one way. ``score`` with its 95 % cluster bootstrap ``low`` and ``high`` (null where it is not
        defined, as the cosine of a layer that is the same for every item is with its mean taken away), ``n`` items,
        ``left_out`` originals without the variant, ``groups``, ``folds``, ``seed``, ``fingerprint``.

    Raises
    ------
    NotFoundError
        There is no such space, variant, metric or data set.
    InputError
        The space holds no variant, or there are too few items for the folds.
    """
    progress = progress or Silent()
    chosen = choose_metric(metric)
    side = db.space(space)
    least = chosen.metric.rows_a_fold
    sets = [
        found
        for variant in _variants(side, variants)
        if (found := _enough(db, side, variant, datasets, folds, least, variants, progress))
    ]
    if not sets:
        raise InputError(f"every variant of space {space!r} has too few items for {folds} folds")
    parameters = {
        "space": space,
        "variants": None if variants is None else list(variants),
        "metric": chosen.name,
        "datasets": list(datasets),
        "folds": folds,
        "seed": seed,
    }
    told = {**parameters, "definitions": [[one.variant, one.kind, one.fingerprint] for one in sets]}
    mark = keep.question(NAME, told, [side], "-".join(one.digest for one in sets))
    if not force:
        before = keep.answered(db, NAME, mark, progress)
        if before is not None:
            return before
    entered = {**parameters, keep.QUESTION: mark}
    with keep.run(db, NAME, command, entered, seed, kept=kept) as book:
        rows: list[Row] = []
        with progress.task(f"{space}, {len(sets)} variants", len(sets) * len(side.layers)) as task:
            for one in sets:
                for row in _layers(side, one, chosen, folds, seed, device):
                    rows += row
                    task.advance(1)
        frame = _frame(rows, side, folds, seed)
        book.keep(frame, {"profile": self_profile})
    return frame


def _variants(space: Space, named: Sequence[str] | None) -> list[str]:
    held = sorted(one for one in space.counts() if one != ORIGINAL)
    if named is None:
        if not held:
            raise InputError(
                f"space {space.name!r} holds no variant: ingest the model again with --variant NAME "
                "(`vdb variants` lists what there is)"
            )
        return held
    for one in named:
        if one == ORIGINAL:
            raise InputError(
                f"--variant {ORIGINAL}: every other variant is compared with it; name another"
            )
        if one not in held:
            raise NotFoundError.named("variant", one, held, place=f"in space {space.name!r}")
    return list(dict.fromkeys(named))


def _enough(
    db: Database,
    space: Space,
    variant: str,
    datasets: Sequence[str],
    folds: int,
    least: int,
    named: Sequence[str] | None,
    progress: Progress,
) -> Items | None:
    """Choose the items of a variant; where none was named, say so and give None if they are too few."""
    try:
        found = items(db, space, variant, datasets)
        check_folds(found.groups, folds, least)
    except InputError as error:
        if named is not None:
            raise
        progress.say(f"left out, {variant}: {error}")
        return None
    return found


def _layers(
    space: Space, one: Items, metric: ChosenMetric, folds: int, seed: int, device: str
) -> Iterator[list[Row]]:
    """Yield the rows of each layer."""
    try:
        partner = torch.from_numpy(mismatch(one.groups, seed)).to(device)
    except InputError:  # one group holds more than half of the items
        partner = None
    for at in range(len(space.layers)):
        before, after = (
            torch.from_numpy(space.matrix(at, variant, one.ids).values).to(device).float()
            for variant in (ORIGINAL, one.variant)
        )
        conditions = {"none": after}
        if partner is not None:
            conditions["mismatched"] = after.index_select(0, partner)
        found = [
            {"layer": at, "variant": one.variant, "kind": one.kind, **one.counted, **row}
            for control, altered in conditions.items()
            for row in _cosines(before, altered, control, one.groups, seed)
        ]
        scored = score_cells(
            metric,
            [[(altered, before)] for altered in conditions.values()],
            one.groups,
            folds=folds,
            seed=seed,
        )
        for control, scores in zip(conditions, scored, strict=True):
            found += [
                {
                    "layer": at,
                    "variant": one.variant,
                    "kind": one.kind,
                    **one.counted,
                    "metric": metric.name,
                    "control": control,
                    "direction": DIRECTIONS[direction],
                    **_bounds(interval),
                }
                for direction, interval in scores.items()
            ]
        yield found


def _cosines(
    before: Tensor, after: Tensor, control: str, groups: Sequence[str], seed: int
) -> Iterator[Row]:
    for name, centred in ((COSINE, False), (CENTRED, True)):
        values = item_cosines(before, after, centred=centred)
        said = {"metric": name, "control": control, "direction": "symmetric"}
        if values is None:
            yield {**said, "score": None, "low": None, "high": None}
        else:
            yield {**said, **_bounds(bootstrap_items(values, groups, seed=seed))}


def _bounds(interval: Interval) -> Row:
    return {"score": interval.estimate, "low": interval.low, "high": interval.high}


_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("space", "variant", "kind", "metric", "control", "direction"), pl.String),
    "layer": pl.Int64,
    "layer_name": pl.String,
    "depth": pl.Float64,
    **dict.fromkeys(("score", "low", "high"), pl.Float64),
    **dict.fromkeys(("n", "groups", "left_out", "folds", "seed"), pl.Int64),
    "fingerprint": pl.String,
}


def _frame(rows: Sequence[Row], space: Space, folds: int, seed: int) -> pl.DataFrame:
    whole = [
        {
            **row,
            "space": space.name,
            "layer_name": space.layers[row["layer"]].name,
            "depth": space.layers[row["layer"]].depth,
            "folds": folds,
            "seed": seed,
            "fingerprint": space.recipe.fingerprint,
        }
        for row in rows
    ]
    frame = pl.DataFrame([{name: row[name] for name in _SCHEMA} for row in whole], schema=_SCHEMA)
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))
