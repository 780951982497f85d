"""What is searched, by what: the space, word counts in its place, and maps of pairs that do not belong together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

from analyses.cell import Cell, choosing_half, last
from analyses.controls import BAG_OF_WORDS, MISMATCHED, bag_of_words, latent_words
from analyses.matching import mean_rows
from analyses.metrics.folds import assign_folds
from analyses.retrieval.rows import cell_rows, map_rows, tidy
from analyses.retrieval.search import DIRECTIONS, Items, Search, search
from vdb.errors import InputError
from vdb.recipe import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from analyses.matching import Matched
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space

DRAWS = 10
"""Mismatches that the control is averaged over."""
PERMUTATIONS = 1000
"""Of whole groups, for p at the cell."""


@dataclass(frozen=True, slots=True)
class _Searched:
    """A language side, a space or a control in its place: where its layers stand among all, and its cell."""

    control: str
    language: str
    fingerprint: str
    layers: Sequence[Layer]
    columns: slice
    cell: Cell


def ask(
    db: Database,
    sides: tuple[Space, Space],
    rows: Matched,
    named: Cell | None,
    controls: Sequence[str],
    folds: int,
    seed: int,
    device: str,
    progress: Progress,
) -> pl.DataFrame:
    """Search by every pair of layers, then at the cell: with permutations, and by maps of wrong pairs."""
    images = [
        torch.from_numpy(x).to(device) for x in mean_rows(sides[0], [[i] for i in rows.image_ids])
    ]
    texts = [torch.from_numpy(x).to(device) for x in mean_rows(sides[1], rows.caption_ids)]
    said, items = _items(db, rows)
    bags: dict[str, NDArray[np.float32]] = {}
    if BAG_OF_WORDS in controls:
        counts = bag_of_words(said)
        bags = {"word counts": counts, "tf-idf components": latent_words(counts)}
    # Beside the space's own, so that what predicts both is factorised once.
    every = [*texts, *(torch.from_numpy(form).to(device) for form in bags.values())]
    assigned = assign_folds(rows.groups, folds, seed)
    half = None if named else choosing_half(rows.groups, seed)
    pairs = list(zip(rows.groups, half if half is not None else (), strict=False))
    spent = frozenset(group for group, first in pairs if first)
    title = f"{sides[0].name} x {sides[1].name}"
    alone = 1 + bool(bags) + (MISMATCHED in controls)
    with progress.task(title, folds * (len(images) + len(every) + 2 * alone)) as task:

        def find(
            layers: tuple[list[torch.Tensor], list[torch.Tensor]], direction: str, **how: int
        ) -> Search:
            return search(
                layers,
                items,
                rows.groups,
                assigned,
                direction,
                seed=seed,
                tell=lambda: task.advance(1),
                **how,
            )

        found = {direction: find((images, every), direction) for direction in DIRECTIONS}
        own = slice(0, len(texts))
        cell = named or _choose(sides, found, own, rows.groups, spent)
        asked = [
            _Searched(
                "none",
                sides[1].name,
                sides[1].recipe.fingerprint,
                sides[1].layers,
                own,
                cell,
            )
        ]
        if bags:
            forms = [Layer(name, form.shape[1], 0.0) for name, form in bags.items()]
            at = slice(len(texts), len(every))
            last_form = Cell(cell.vision, len(forms) - 1, cell.rule)
            bagged = _choose(sides, found, at, rows.groups, spent) if spent else last_form
            asked.append(_Searched(BAG_OF_WORDS, BAG_OF_WORDS, "", forms, at, bagged))
        out = []
        for one in asked:
            pair = [images[one.cell.vision]], [every[one.columns.start + one.cell.language]]
            for direction in DIRECTIONS:
                told = _about(one, sides[0].layers, direction)
                ranks = found[direction].ranks[0, :, one.columns]
                out += [told(row) for row in map_rows(found[direction], ranks)]
                again = _permuted(find, pair, direction)
                out += [told(row) for row in cell_rows(again, one.cell, spent, seed)]
        if MISMATCHED in controls:
            wrong = replace(asked[0], control=MISMATCHED)
            pair = [images[cell.vision]], [texts[cell.language]]
            for direction in DIRECTIONS:
                told = _about(wrong, sides[0].layers, direction)
                drawn = find(pair, direction, draws=DRAWS)
                out += [told(row) for row in cell_rows(drawn, cell, spent, seed)]
    return tidy(sides[0], out, rows, folds, seed)


def _items(db: Database, rows: Matched) -> tuple[list[list[str]], tuple[Items, Items]]:
    """Return the sentences of each row, and both sides' items with what they are."""
    photos = db.images().select("image_id", pl.coalesce("sha256", "image_id"))
    photo = dict(photos.collect().iter_rows())
    text = dict(db.captions().select("caption_id", "text").collect().iter_rows())
    said = [[text[one] for one in ids] for ids in rows.caption_ids]
    vision = Items(rows.image_ids, [photo[one] for one in rows.image_ids])
    captions = ["\n".join(ids) for ids in rows.caption_ids]
    return said, (vision, Items(captions, ["\n".join(one) for one in said]))


def _permuted(
    find: Callable[..., Search],
    pair: tuple[list[torch.Tensor], list[torch.Tensor]],
    direction: str,
) -> Search:
    """Search at one cell with permutations, or without where groups cannot be exchanged."""
    try:
        return find(pair, direction, permutations=PERMUTATIONS)
    except InputError:  # the groups' sizes; all else was in order for the map
        return find(pair, direction)


def _about(
    one: _Searched, vision: Sequence[Layer], direction: str
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what says of a row whose it is."""

    def told(row: dict[str, Any]) -> dict[str, Any]:
        i, j = row.get("at", (one.cell.vision, one.cell.language))
        return {
            **row,
            "control": one.control,
            "direction": direction,
            "language": one.language,
            "language_fingerprint": one.fingerprint,
            "vision_layer": i,
            "vision_layer_name": vision[i].name,
            "vision_depth": vision[i].depth,
            "language_layer": j,
            "language_layer_name": one.layers[j].name,
            "language_depth": one.layers[j].depth,
        }

    return told


def _choose(
    sides: tuple[Space, Space],
    found: dict[str, Search],
    columns: slice,
    groups: Sequence[str],
    choosing: frozenset[str],
) -> Cell:
    """Choose the cell by R@10 on the queries of half of the groups; those are not scored then."""
    if not choosing:
        return last(sides, len(set(groups)))
    score: NDArray[np.float64] | float = 0.0
    for one in found.values():
        chosen = np.array([group in choosing for group in one.groups])
        ranks = one.ranks[0, :, columns][:, :, chosen]
        score = score + (ranks <= 10).mean(axis=2)  # noqa: PLR2004 - R@10
    i, j = np.unravel_index(int(np.argmax(score)), np.shape(score))
    return Cell(int(i), int(j), f"best R@10 of queries of {len(choosing)} other groups")
