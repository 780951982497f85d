"""Retrieval: how far up the right item comes when the other side is searched by a predicted vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import polars as pl

from analyses import keep
from analyses.cell import given
from analyses.controls import CONTROLS
from analyses.matching import Captions, check_choice, match
from analyses.metrics.folds import check_folds
from analyses.pictures.retrieval import retrieval_bars, retrieval_map
from analyses.retrieval.ask import DRAWS, PERMUTATIONS, ask
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdb.database import Database
    from vdb.progress import Progress

__all__ = ["CONTROLS", "NAME", "retrieval"]

NAME = "retrieval"
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
    was drawn towards. A gallery of another size gives other figures, and its size is said (``gallery``, the mean over
    queries; ``gallery_low`` and ``gallery_high``, the smallest and the largest fold's), as is what random order would
    give (``chance``: k / gallery for R@k with one right item). Items of equal content, one photo or one sentence under
    two ids, are right for the same queries.

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
    controls : sequence of {"bag-of-words", "mismatched"}
        ``bag-of-words`` puts word counts in the place of the language space. ``mismatched`` is the cell alone, fitted
        on pairs that do not belong together: mean over ten such fits.
    force : bool
        Compute again what was answered before.

    Returns
    -------
    pl.DataFrame
        A row for each (control, direction, ``scope``, vision layer, language layer, ``metric``): the metrics are
        ``R@1``, ``R@5``, ``R@10``, ``median rank`` and ``mean reciprocal rank``, the rank being that of the best
        right item, and of equals the mean. ``scope`` map is all cells over all queries, ``cell`` the chosen one with
        ``low`` and ``high``, a 95 % cluster bootstrap over groups within folds, and ``p``, one-sided: ranks of the
        items of other groups in the place of the right ones, 1,000 times (null of ``mismatched``, and where hardly
        any two groups of a fold are of one size, so that they cannot be exchanged).

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
        "draws": DRAWS,
        "permutations": PERMUTATIONS,
        "folds": folds,
        "seed": seed,
    }
    mark = keep.question(NAME, parameters, sides, rows.digest)
    if not force and (known := keep.answered(db, NAME, mark, progress)) is not None:
        return known
    with keep.run(db, NAME, command, {**parameters, keep.QUESTION: mark}, seed, kept=kept) as book:
        frame = ask(db, sides, rows, named, controls, folds, seed, device, progress)
        frame = frame.with_columns(captions=pl.lit(captions))
        book.keep(frame, {"bars": retrieval_bars, "map": retrieval_map})
    return frame
