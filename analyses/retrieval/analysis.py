"""Retrieval: how far up the right item comes when the other side is searched by a predicted vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import polars as pl
import torch

from analyses import keep
from analyses.cell import Cell, choosing_half, given, last
from analyses.controls import MISMATCHED
from analyses.matching import Captions, check_choice, match, mean_rows
from analyses.metrics.folds import assign_folds, check_folds
from analyses.metrics.ranks_of import MEASURES, chance, interval, measures
from analyses.pictures.retrieval import retrieval_bars, retrieval_map
from analyses.retrieval.search import DIRECTIONS, Search, search
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyses.matching import Matched
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space

__all__ = ["CONTROLS", "NAME", "retrieval"]

NAME = "retrieval"
CONTROLS = (MISMATCHED,)
_ROWS_A_FOLD = 2


def retrieval(
    db: Database,
    vision: str,
    language: str,
    *,
    captions: Captions = "one",
    datasets: Sequence[str] = (),
    vision_layer: int | str | None = None,
    language_layer: int | str | None = None,
    controls: Sequence[str] = CONTROLS,
    folds: int = 5,
    seed: int = 0,
    device: str = "cpu",
    kept: bool = True,
    force: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Search each side with the other, through a ridge map that saw neither the query nor anything it searches.

    The map is fitted on all folds but one. Each query of that fold is predicted in the other space and compared, by
    cosine less the mean of the training rows, with the items of the same fold: so the gallery holds nothing the fit
    was drawn towards. A gallery of another size gives other figures, and its size is said (``gallery``, about the
    items over the folds), as is what random order would give (``chance``: k / gallery for R@k with one right item).

    Parameters
    ----------
    db, vision, language, datasets, folds, seed, device, kept, command, progress
        As in :func:`analyses.alignment.alignment`.
    captions : {"one", "mean", "all"}
        With ``all``, every caption of an image is right for it, and every caption is a query and in the gallery.
    vision_layer, language_layer : int or str, optional
        The cell that is looked at closely. Without them it is the best one by R@10 on half of the groups, mean over
        directions, and what is said of it is of the queries of the other half (the gallery stays whole); with fewer
        than 100 groups it is the last layers.
    controls : sequence of {"mismatched"}
        ``mismatched`` fits on pairs that do not belong together.
    force : bool
        Compute again what was answered before.

    Returns
    -------
    pl.DataFrame
        A row for each (control, direction, ``scope``, vision layer, language layer, ``metric``): the metrics are
        ``R@1``, ``R@5``, ``R@10``, ``median rank`` and ``mean reciprocal rank``, the rank being that of the best
        right item, and of equals the mean. ``scope`` map is all cells over all queries, ``cell`` the chosen one with
        ``low`` and ``high``, a 95 % cluster bootstrap over groups within folds.

    Raises
    ------
    NotFoundError
        There is no such space, layer, control or data set.
    InputError
        No pair has a vector in both spaces, or there are too few for the folds.
    """
    progress = progress or Silent()
    check_choice("choice of captions", captions, get_args(Captions))
    for control in controls:
        check_choice("control", control, CONTROLS)
    sides = db.space(vision), db.space(language)
    rows = match(db, *sides, captions, datasets)
    check_folds(rows.groups, folds, _ROWS_A_FOLD)
    named = given(sides, vision_layer, language_layer)
    parameters = {
        "vision": vision,
        "language": language,
        "captions": captions,
        "datasets": list(datasets),
        "vision_layer": vision_layer,
        "language_layer": language_layer,
        "controls": list(controls),
        "folds": folds,
        "seed": seed,
    }
    mark = keep.question(NAME, parameters, sides, rows.digest)
    if not force and (known := keep.answered(db, NAME, mark, progress)) is not None:
        return known
    with keep.run(db, NAME, command, {**parameters, keep.QUESTION: mark}, seed, kept=kept) as book:
        frame = _ask(sides, rows, named, controls, folds, seed, device, progress)
        frame = frame.with_columns(captions=pl.lit(captions))
        book.keep(frame, {"bars": retrieval_bars, "map": retrieval_map})
    return frame


def _ask(
    sides: tuple[Space, Space],
    rows: Matched,
    named: Cell | None,
    controls: Sequence[str],
    folds: int,
    seed: int,
    device: str,
    progress: Progress,
) -> pl.DataFrame:
    images = [
        torch.from_numpy(x).to(device) for x in mean_rows(sides[0], [[i] for i in rows.image_ids])
    ]
    texts = [torch.from_numpy(x).to(device) for x in mean_rows(sides[1], rows.caption_ids)]
    assigned = assign_folds(rows.groups, folds, seed)
    asked = ("none", *controls)
    found: dict[tuple[str, str], Search] = {}
    title, steps = f"{sides[0].name} x {sides[1].name}", folds * len(asked)
    with progress.task(title, steps * (len(images) + len(texts))) as task:
        for control in asked:
            for direction in DIRECTIONS:
                found[control, direction] = search(
                    (images, texts),
                    rows,
                    assigned,
                    direction,
                    seed=seed if control == MISMATCHED else None,
                    tell=lambda: task.advance(1),
                )
    cell, spent = (named, frozenset[str]()) if named else _choose(sides, found, rows.groups, seed)
    out = [
        row | {"control": control, "direction": direction}
        for (control, direction), one in found.items()
        for row in [*_map_rows(one), *_cell_rows(one, cell, spent, seed)]
    ]
    return _tidy(sides, out, rows, folds, seed)


def _choose(
    sides: tuple[Space, Space],
    found: dict[tuple[str, str], Search],
    groups: Sequence[str],
    seed: int,
) -> tuple[Cell, frozenset[str]]:
    """Choose the cell by R@10 on the queries of half of the groups; those are not scored then."""
    half = choosing_half(groups, seed)
    if half is None:
        return last(sides, len(set(groups))), frozenset()
    choosing = frozenset(group for group, first in zip(groups, half, strict=True) if first)
    score = np.zeros(next(iter(found.values())).ranks.shape[:2])
    for direction in DIRECTIONS:
        one = found["none", direction]
        chosen = np.array([group in choosing for group in one.groups])
        score += (one.ranks[:, :, chosen] <= 10).mean(axis=2)  # noqa: PLR2004 - R@10
    i, j = np.unravel_index(int(score.argmax()), score.shape)
    rule = f"best R@10 of queries of {len(choosing)} other groups"
    return Cell(int(i), int(j), rule), choosing


def _map_rows(one: Search) -> list[dict[str, Any]]:
    lucky = chance(one.right.tolist(), one.gallery.tolist())
    return [
        {
            "scope": "map",
            "at": at,
            "metric": name,
            "score": float(value),
            "chance": float(luck),
            "n": len(one.groups),
            "groups": len(set(one.groups)),
            "gallery": float(one.gallery.mean()),
        }
        for at in np.ndindex(*one.ranks.shape[:2])
        for name, value, luck in zip(MEASURES, measures(one.ranks[at]), lucky, strict=True)
    ]


def _cell_rows(one: Search, cell: Cell, spent: frozenset[str], seed: int) -> list[dict[str, Any]]:
    rows = np.flatnonzero([group not in spent for group in one.groups])
    of = one.ranks[cell.vision, cell.language][rows]
    groups = [one.groups[i] for i in rows]
    low, high = interval(of, groups, one.folds[rows], seed)
    lucky = chance(one.right[rows].tolist(), one.gallery[rows].tolist())
    return [
        {
            "scope": "cell",
            "at": (cell.vision, cell.language),
            "cell_rule": cell.rule,
            "metric": name,
            "score": float(value),
            "low": float(low[i]),
            "high": float(high[i]),
            "chance": float(lucky[i]),
            "n": len(rows),
            "groups": len(set(groups)),
            "gallery": float(one.gallery[rows].mean()),
        }
        for i, (name, value) in enumerate(zip(MEASURES, measures(of), strict=True))
    ]


_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("vision", "language", "control", "scope", "direction", "metric"), pl.String),
    **dict.fromkeys(("vision_layer", "language_layer"), pl.Int64),
    **dict.fromkeys(("vision_layer_name", "language_layer_name"), pl.String),
    **dict.fromkeys(("vision_depth", "language_depth"), pl.Float64),
    "cell_rule": pl.String,
    **dict.fromkeys(("score", "low", "high", "chance", "gallery"), pl.Float64),
    **dict.fromkeys(("n", "groups", "unmatched", "folds", "seed"), pl.Int64),
    **dict.fromkeys(("vision_fingerprint", "language_fingerprint"), pl.String),
}


def _tidy(
    sides: tuple[Space, Space], rows: list[dict[str, Any]], matched: Matched, folds: int, seed: int
) -> pl.DataFrame:
    shared: dict[str, Any] = {"unmatched": matched.unmatched, "folds": folds, "seed": seed}
    for side, space in zip(("vision", "language"), sides, strict=True):
        shared |= {side: space.name, f"{side}_fingerprint": space.recipe.fingerprint}
    for row in rows:
        row.update(shared)
        for side, space, layer in zip(("vision", "language"), sides, row["at"], strict=True):
            known = space.layers[layer]
            row |= {
                f"{side}_layer": layer,
                f"{side}_layer_name": known.name,
                f"{side}_depth": known.depth,
            }
    columns = {name: [row.get(name) for row in rows] for name in _SCHEMA}
    return pl.DataFrame(columns, schema=_SCHEMA)
