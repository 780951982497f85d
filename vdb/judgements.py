"""What a trial must say to mean anything, whoever adds it."""

from __future__ import annotations

import polars as pl

from vdb import schema
from vdb.errors import InputError


def check_trials(trials: pl.DataFrame) -> None:
    """Check rows of ``trials``: people took candidate 0, candidate 1, or could not tell; nothing lies in between.

    Raises
    ------
    InputError
        Naming the first row at fault, and what of it is.
    """
    label, weight, gap = pl.col("label"), pl.col("weight"), pl.col("gap")
    rules = {
        f"direction is neither {schema.TEXT_TO_IMAGE} nor {schema.IMAGE_TO_TEXT}": pl.col(
            "direction"
        ).is_in([schema.TEXT_TO_IMAGE, schema.IMAGE_TO_TEXT]),
        "both candidates are the same": pl.col("candidate_0") != pl.col("candidate_1"),
        "label is not 1, 0 or 0.5": label.is_in([0.0, 0.5, 1.0]),
        "weight is not a number above 0": weight.is_finite() & (weight > 0),
        "gap is not a number from 0": gap.is_null() | (gap.is_finite() & (gap >= 0)),
        **{
            f"{name} holds what is no number": _all_finite(name)
            for name in ("scores_0", "scores_1")
        },
    }
    for problem, good in rules.items():
        for row in trials.filter(~good).head(1).iter_rows(named=True):
            raise InputError(f"{row['source']}: trial {row['trial_id']!r}: {problem}")


def _all_finite(name: str) -> pl.Expr:
    finite = pl.col(name).list.eval(pl.element().is_finite().fill_null(value=False)).list.all()
    return finite.fill_null(value=True)  # no scores at all
