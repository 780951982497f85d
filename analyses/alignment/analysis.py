"""Alignment: the whole layer x layer map of a metric between a vision and a language space, beside its controls."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

import polars as pl

from analyses import keep
from analyses.alignment.maps import Images, Question, check_size, maps_of
from analyses.controls import CONTROLS
from analyses.matching import Captions, check_choice, match
from analyses.metrics import choose_metric
from analyses.metrics.folds import check_folds
from analyses.peaks import with_score
from analyses.pictures import heatmap, profile
from analyses.twins import SPACE_CONTROLS, beside
from vdb.errors import InputError
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space

NAME = "alignment"
Direction = Literal["both", "vision->language", "language->vision"]


def alignment(
    db: Database,
    vision: str | Sequence[str],
    language: str | Sequence[str],
    *,
    metric: str = "linear-predictivity",
    direction: Direction = "both",
    captions: Captions = "one",
    datasets: Sequence[str] = (),
    controls: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    device: str = "cpu",
    permutations: int | None = None,
    kept: bool = True,
    force: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Score every vision layer against every language layer over the store's pairs.

    Parameters
    ----------
    db : Database
    vision, language : str or sequence of str
        Names of spaces; with several, every vision space is compared with every language space over the pairs that
        all of them have vectors of.
    metric : str
        As :func:`analyses.metrics.choose_metric` reads it.
    direction : {"both", "vision->language", "language->vision"}
        What predicts what, for a metric that has directions.
    captions : {"one", "mean", "all"}
        What stands for an image's captions: the first by id, the mean of their vectors, or a row for each (folds
        never part the captions of an image).
    datasets : sequence of str
        Only pairs of these data sets; all by default.
    controls : sequence of {"bag-of-words", "mismatched", "random-init", "pixel-statistics"}, optional
        The first two by default. ``bag-of-words`` puts the captions' words in the place of the language space, as
        counts (language layer 0) and as the main components of their tf-idf (layer 1), and its best cell is chosen of
        both; ``mismatched`` gives every image another image's captions. The others are spaces that widen the grid,
        their rows being of the control ``none`` and without controls of their own: ``random-init`` the twin of every
        trained space that was named, ``pixel-statistics`` the space of that name (:mod:`analyses.twins`).
    folds : int
        Of the cross-validation.
    seed : int
        Of the folds and the mismatch.
    device : str
        Torch device of the computation.
    permutations : int, optional
        Of the null of each map, 0 for none; by default as many as the metric says, or none, with a notice, where the
        groups cannot be permuted.
    kept : bool
        Whether the rows, the run and the pictures are kept in the store: a run for each pair of spaces. What is
        not kept is not looked up either.
    force : bool
        Compute again what was answered before.
    command : str
        Kept with the run: what does it again.
    progress : Progress, optional

    Returns
    -------
    pl.DataFrame
        A row for each (control, direction, vision layer, language layer): ``vision``, ``language``, ``control``,
        ``metric``, ``direction``, the layers' indices, names and relative depths, ``score`` (null where a target is
        the same for every item, as a class token's embedding is, so that r is not defined), ``fold_scores``,
        ``alphas``, ``on_edge`` (share of the folds whose alpha is an end of its grid), ``chance`` (the score of
        unrelated layers, where it is known), the null's ``null_mean``, ``null_high`` (its 95 % quantile),
        ``calibrated``, ``p``, ``p_max`` (corrected for all cells of the map), ``q`` (false discovery rate over the map)
        and ``permutations``, null without a null (:class:`analyses.metrics.inference.null.Calibration`), ``n``,
        ``groups``, ``unmatched``, ``captions``, ``folds``, ``seed``,
        both fingerprints.

    Raises
    ------
    NotFoundError
        There is no such space, metric, direction, choice of captions, control or data set.
    InputError
        No pair has a vector in both spaces, or there are too few for the folds.

    Notes
    -----
    Layers that memory would not hold are streamed (:mod:`analyses.streamed`): linear predictivity alone, without a
    null and without ``bag-of-words``, which is told; asked for by name they are refused.
    """
    chosen = choose_metric(metric)
    check_choice("direction", direction, get_args(Direction))
    check_choice("choice of captions", captions, get_args(Captions))
    for control in controls or ():
        check_choice("control", control, (*CONTROLS, *SPACE_CONTROLS))
    if direction != "both" and not chosen.metric.directional:
        raise InputError(f"{metric} has no direction: leave --direction out")
    visions, languages = _spaces(db, vision), _spaces(db, language)
    further = beside(db, visions, controls or (), languages)
    added = {space.name for side in further for space in side}
    visions, languages = [*visions, *further[0]], [*languages, *further[1]]
    watch = progress or Silent()
    rows = match(db, visions, languages, captions, datasets)
    check_folds(rows.groups, folds, chosen.metric.rows_a_fold)
    directions = None if direction == "both" else (direction,)
    drawn = chosen.metric.permutations if permutations is None else permutations
    asked = Question(
        metric=chosen,
        directions=directions,
        controls=[one for one in CONTROLS if controls is None or one in controls],
        folds=folds,
        seed=seed,
        device=device,
        progress=watch,
        permutations=drawn,
        permutations_asked=permutations is not None,
        controls_asked=controls is not None,
        images=Images(device),
    )
    fixed = {
        "metric": chosen.name,
        "direction": direction,
        "captions": captions,
        "datasets": list(datasets),
        "folds": folds,
        "seed": seed,
        "permutations": drawn,
    }
    frames = []
    for sides in product(visions, languages):
        mine = asked if added.isdisjoint(one.name for one in sides) else replace(asked, controls=())
        check_size(*sides, rows, mine)
        parameters = {"vision": sides[0].name, "language": sides[1].name, **fixed}
        parameters["controls"] = list(mine.controls)
        mark = keep.question(NAME, parameters, sides, rows.digest)
        found = keep.answered(db, NAME, mark, watch) if kept and not force else None
        if found is not None:
            frames.append(found)
            continue
        told = {**parameters, keep.QUESTION: mark}
        with keep.run(db, NAME, command, told, seed, kept=kept) as book:
            frame = maps_of(db, sides, rows, mine).with_columns(captions=pl.lit(captions))
            book.keep(frame, {"map": heatmap, "profile": profile}, drawn=with_score(frame))
        frames.append(frame)
    # The bag of words opposite a vision space is the same one whatever language space it was made beside.
    return pl.concat(frames).unique(_CELL, keep="first", maintain_order=True)


_CELL = ["vision", "language", "control", "direction", "vision_layer", "language_layer"]


def _spaces(db: Database, names: str | Sequence[str]) -> list[Space]:
    """Find spaces by name, each once."""
    return [db.space(name) for name in dict.fromkeys([names] if isinstance(names, str) else names)]
