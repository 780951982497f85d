"""Alignment: the whole layer x layer map of a metric between a vision and a language space, beside its controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import torch

from analyses import keep
from analyses.controls import BAG_OF_WORDS, CONTROLS, MISMATCHED, bag_of_words, mismatch
from analyses.intervals import chosen_on_others, of_folds
from analyses.matching import Captions, Matched, match, mean_rows
from analyses.metrics import METRICS
from analyses.pictures import heatmap, profile
from vdb.errors import InputError, NotFoundError
from vdb.progress import Silent
from vdb.recipe import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyses.metrics import Metric, MetricMap
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space

NAME = "alignment"
Direction = Literal["both", "vision->language", "language->vision"]


def alignment(
    db: Database,
    vision: str,
    language: str,
    *,
    metric: str = "linear-predictivity",
    direction: Direction = "both",
    captions: Captions = "one",
    datasets: Sequence[str] = (),
    controls: Sequence[str] = CONTROLS,
    folds: int = 5,
    seed: int = 0,
    device: str = "cpu",
    kept: bool = True,
    command: str = "",
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Score every vision layer against every language layer over the store's pairs.

    Parameters
    ----------
    db : Database
    vision, language : str
        Names of spaces.
    metric : str
        A key of :data:`analyses.metrics.METRICS`.
    direction : {"both", "vision->language", "language->vision"}
        What predicts what, for a metric that has directions.
    captions : {"one", "mean", "all"}
        What stands for an image's captions: the first by id, the mean of their vectors, or a row for each (folds
        never part the captions of an image).
    datasets : sequence of str
        Only pairs of these data sets; all by default.
    controls : sequence of {"bag-of-words", "mismatched"}
        ``bag-of-words`` puts word counts of the captions in the place of the language space; ``mismatched`` gives
        every image another image's captions.
    folds : int
        Of the cross-validation.
    seed : int
        Of the folds and the mismatch.
    device : str
        Torch device of the computation.
    kept : bool
        Whether the rows, the run and the pictures are kept in the store.
    command : str
        Kept with the run: what does it again.
    progress : Progress, optional

    Returns
    -------
    pl.DataFrame
        A row for each (control, direction, vision layer, language layer): ``vision``, ``language``, ``control``,
        ``metric``, ``direction``, the layers' indices, names and relative depths, ``score``, ``fold_scores``,
        ``alphas``, ``n``, ``groups``, ``unmatched``, ``captions``, ``folds``, ``seed``, both fingerprints.

    Raises
    ------
    NotFoundError
        There is no such space, metric or control.
    InputError
        No pair has a vector in both spaces, or there are too few for the folds.
    """
    progress = progress or Silent()
    if metric not in METRICS:
        raise NotFoundError.named("metric", metric, METRICS)
    for control in controls:
        if control not in CONTROLS:
            raise NotFoundError.named("control", control, CONTROLS)
    if direction != "both" and not METRICS[metric].directional:
        raise InputError(f"{metric} has no direction: leave --direction out")
    sides = db.space(vision), db.space(language)
    parameters = {
        "vision": vision,
        "language": language,
        "metric": metric,
        "direction": direction,
        "captions": captions,
        "datasets": list(datasets),
        "controls": list(controls),
        "folds": folds,
        "seed": seed,
    }
    with keep.run(db, NAME, command, parameters, seed, kept=kept) as book:
        rows = match(db, *sides, captions, datasets)
        compute = _Maps(METRICS[metric], direction, rows.groups, folds, seed, progress)
        frame = _maps(db, sides, rows, controls, compute, device)
        frame = frame.with_columns(captions=pl.lit(captions))
        book.keep(frame, {"map": heatmap, "profile": profile})
    return frame


class _Maps:
    """Computes one map after another under the same folds."""

    def __init__(
        self,
        metric: Metric,
        direction: Direction,
        groups: list[str],
        folds: int,
        seed: int,
        progress: Progress,
    ) -> None:
        self.metric, self.direction, self.groups = metric, direction, groups
        self.folds, self.seed, self._progress = folds, seed, progress

    def __call__(
        self, title: str, vision: list[torch.Tensor], language: list[torch.Tensor]
    ) -> dict[str, MetricMap]:
        total = 0
        with self._progress.task(title, 100) as task:

            def report(done: int, all_steps: int) -> None:
                nonlocal total
                now = 100 * done // all_steps
                task.advance(now - total)
                total = now

            maps = self.metric.compute(
                vision,
                language,
                groups=self.groups,
                folds=self.folds,
                seed=self.seed,
                progress=report,
            )
            report(1, 1)
        return maps


def _maps(
    db: Database,
    sides: tuple[Space, Space],
    rows: Matched,
    controls: Sequence[str],
    compute: _Maps,
    device: str,
) -> pl.DataFrame:
    vision, language = sides
    images = [
        torch.from_numpy(x).to(device) for x in mean_rows(vision, [[i] for i in rows.image_ids])
    ]
    texts = [torch.from_numpy(y).to(device) for y in mean_rows(language, rows.caption_ids)]
    title = f"{vision.name} x {language.name}"
    found = {"none": (language.layers, compute(title, images, texts))}
    if BAG_OF_WORDS in controls:
        bag = torch.from_numpy(bag_of_words(_texts(db, rows.caption_ids))).to(device)
        layer = (Layer("word counts", bag.shape[1], 0.0),)
        found[BAG_OF_WORDS] = layer, compute(f"{vision.name} x {BAG_OF_WORDS}", images, [bag])
    if MISMATCHED in controls:
        partner = torch.from_numpy(mismatch(rows.groups, compute.seed)).to(device)
        wrong = [layer[partner] for layer in texts]
        found[MISMATCHED] = language.layers, compute(f"{title}, {MISMATCHED}", images, wrong)
    frames = [
        _tidy(vision.layers, layers, direction, cells).with_columns(
            language=pl.lit(BAG_OF_WORDS if control == BAG_OF_WORDS else language.name),
            control=pl.lit(control),
            language_fingerprint=pl.lit(
                "" if control == BAG_OF_WORDS else language.recipe.fingerprint
            ),
        )
        for control, (layers, maps) in found.items()
        for direction, cells in maps.items()
    ]
    return (
        pl.concat(frames)
        .with_columns(
            vision=pl.lit(vision.name),
            metric=pl.lit(compute.metric.name),
            n=pl.lit(len(rows)),
            groups=pl.lit(len(set(rows.groups))),
            unmatched=pl.lit(rows.unmatched),
            folds=pl.lit(compute.folds),
            seed=pl.lit(compute.seed),
            vision_fingerprint=pl.lit(vision.recipe.fingerprint),
        )
        .select(_COLUMNS)
    )


_COLUMNS = [
    *("vision", "language", "control", "metric", "direction"),
    *("vision_layer", "language_layer", "vision_layer_name", "language_layer_name"),
    *("vision_depth", "language_depth", "score", "fold_scores", "alphas"),
    *("n", "groups", "unmatched", "folds", "seed", "vision_fingerprint", "language_fingerprint"),
]


def _texts(db: Database, caption_ids: Sequence[Sequence[str]]) -> list[list[str]]:
    wanted = pl.DataFrame(
        {"caption_id": sorted({one for row in caption_ids for one in row})}
    ).lazy()
    found = db.captions().select("caption_id", "text").join(wanted, on="caption_id", how="semi")
    text = dict(found.collect().iter_rows())
    return [[text[one] for one in row] for row in caption_ids]


def _tidy(
    vision: Sequence[Layer], language: Sequence[Layer], direction: str, cells: MetricMap
) -> pl.DataFrame:
    """Lay a map out as a row a cell."""
    rows = []
    for i, a in enumerate(vision):
        for j, b in enumerate(language):
            folds = None if cells.fold_scores is None else cells.fold_scores[i, j].tolist()
            alphas = None if cells.alphas is None else cells.alphas[i, j].tolist()
            rows.append(
                (
                    direction,
                    i,
                    j,
                    a.name,
                    b.name,
                    a.depth,
                    b.depth,
                    cells.scores[i, j],
                    folds,
                    alphas,
                )
            )
    return pl.DataFrame(rows, schema=_CELL, orient="row")


_CELL: dict[str, Any] = {
    "direction": pl.String,
    "vision_layer": pl.Int64,
    "language_layer": pl.Int64,
    "vision_layer_name": pl.String,
    "language_layer_name": pl.String,
    "vision_depth": pl.Float64,
    "language_depth": pl.Float64,
    "score": pl.Float64,
    "fold_scores": pl.List(pl.Float64),
    "alphas": pl.List(pl.Float64),
}


def peaks(frame: pl.DataFrame) -> pl.DataFrame:
    """Find the best cell of each map of an alignment, and what the choice itself is worth.

    The best cell of many is partly luck. ``held_out`` is free of it where there are folds: the cell is chosen on all
    folds but one and scored on that one, in turn (:func:`analyses.intervals.chosen_on_others`).

    Returns
    -------
    pl.DataFrame
        ``vision``, ``language``, ``control``, ``direction``, the best cell's layers and depths, ``score``,
        ``held_out`` with its 95 % interval ``low`` and ``high`` over the folds (null without folds), ``n``.
    """
    keys = ["vision", "language", "control", "direction"]
    rows = []
    for _, cells in frame.group_by(keys, maintain_order=True):
        best = cells.sort("score", descending=True).row(0, named=True)
        folds = chosen_on_others(cells["fold_scores"].to_list())
        held_out = None if folds is None else of_folds(folds, sum(folds) / len(folds))
        rows.append(
            {
                **{name: best[name] for name in (*keys, *_PEAK)},
                "held_out": held_out and held_out.score,
                "low": held_out and held_out.low,
                "high": held_out and held_out.high,
                "n": best["n"],
            }
        )
    return pl.DataFrame(
        rows, schema_overrides=dict.fromkeys(("held_out", "low", "high"), pl.Float64)
    )


_PEAK = ("vision_layer", "language_layer", "vision_depth", "language_depth", "score")
