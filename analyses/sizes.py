"""Alignment against the size of the models: whether the best cells of larger ones score higher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from scipy.stats import spearmanr

from analyses.peaks import peaks

if TYPE_CHECKING:
    from vdb.database import Database

SIDES: Final = ("vision", "language")
TRAINED: Final = "pretrained"
"""What the weights of a model are called; those of a twin or of pixel statistics otherwise."""
FEWEST: Final = 3
"""Models of a side below which no rank correlation is told: of two it is 1 or -1 whatever they score."""


def by_size(db: Database, frame: pl.DataFrame) -> pl.DataFrame:
    """Set the held-out score of each pair's best cell against the number of weights of both models.

    A pair counts where both models are trained: random-init twins, pixel statistics and controls are left out, and
    so is a map without folds, whose best score is partly luck. Spearman's rho of a side is taken over its models of
    known size, each with its mean over the other side's models; where some pairs were not asked it is over those
    that were. Models of one family share much besides size, and few models leave rho wide open: it describes these
    models and tests nothing.

    Parameters
    ----------
    db : Database
    frame : pl.DataFrame
        Of an alignment of one metric: :func:`analyses.alignment.alignment`.

    Returns
    -------
    pl.DataFrame
        A row a pair and direction: ``vision``, ``language``, ``metric``, ``direction``, ``vision_parameters``,
        ``language_parameters`` (weights; null where nobody counted them), ``score`` (held out), ``low``, ``high``,
        ``n``, and of each side ``*_rho`` (null with fewer than three sizes, or with scores all alike) over
        ``*_models``. ``uncounted`` names the spaces of unknown size.

    Raises
    ------
    InputError
        No cell of the frame has a score.
    NotFoundError
        A space of the frame is no longer in the store.
    """
    spaces = {name: db.space(name).recipe for side in SIDES for name in _named(frame, side)}
    trained = [name for name, recipe in spaces.items() if recipe.weights == TRAINED]
    counts = {name: spaces[name].parameters for name in trained}
    uncounted = sorted(name for name, count in counts.items() if count is None)
    rows = [
        _with_rho(cells.drop("control"))
        for _, cells in peaks(frame)
        .filter(
            pl.col("control") == "none",
            pl.col("held_out").is_not_null(),
            *(pl.col(side).is_in(trained) for side in SIDES),
        )
        .with_columns(
            *(
                pl.col(side)
                .replace_strict(counts, return_dtype=pl.Int64)
                .alias(f"{side}_parameters")
                for side in SIDES
            ),
            metric=pl.lit(frame["metric"][0]),
            uncounted=pl.lit(uncounted, pl.List(pl.String)),
        )
        .group_by("direction", maintain_order=True)
    ]
    return pl.concat([pl.DataFrame(schema=_SCHEMA), *rows])


def over_models(rows: pl.DataFrame, side: str) -> pl.DataFrame:
    """Average the pairs' scores over the other side's models: a row a model of ``side`` whose size is known."""
    size = f"{side}_parameters"
    return (
        rows.filter(pl.col(size).is_not_null())
        .group_by("direction", side, size)
        .agg(pl.col("score").mean())
        .sort("direction", size, side)
    )


def _named(frame: pl.DataFrame, side: str) -> list[str]:
    """Name the spaces of a side; a bag of words is none."""
    rows = frame.filter(pl.col("control") == "none")
    names: list[str] = rows[side].unique().sort().to_list()
    return names


def _with_rho(rows: pl.DataFrame) -> pl.DataFrame:
    """Add both sides' rho to the pairs of one direction."""
    rows = rows.with_columns(score="held_out")
    for side in SIDES:
        rho, models = rank_correlation(over_models(rows, side), side)
        rows = rows.with_columns(
            pl.lit(rho, pl.Float64).alias(f"{side}_rho"),
            pl.lit(models, pl.Int64).alias(f"{side}_models"),
        )
    return rows.select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())


def rank_correlation(models: pl.DataFrame, side: str) -> tuple[float | None, int]:
    """Return Spearman's rho of size and score over models, and how many they are.

    None where fewer than three sizes differ, or where all score alike.
    """
    sizes, scores = models[f"{side}_parameters"], models["score"]
    if sizes.n_unique() < FEWEST or scores.n_unique() == 1:
        return None, len(models)
    return float(spearmanr(sizes.to_numpy(), scores.to_numpy()).statistic), len(models)


_SCHEMA: Final = {
    "vision": pl.String(),
    "language": pl.String(),
    "metric": pl.String(),
    "direction": pl.String(),
    "vision_parameters": pl.Int64(),
    "language_parameters": pl.Int64(),
    "score": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "n": pl.Int64(),
    "vision_rho": pl.Float64(),
    "vision_models": pl.Int64(),
    "language_rho": pl.Float64(),
    "language_models": pl.Int64(),
    "uncounted": pl.List(pl.String),
}
