"""Two rows under one key: which may differ in what, and how it is told when they may not."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import polars as pl

from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTENT: dict[str, tuple[str, ...]] = {
    "concepts": ("name",),
    "images": ("sha256", "concept_id"),
    "captions": ("text", "concept_id"),
    "pairs": (),
    "segments": ("segmentation", "category", "is_thing", "is_crowd", "height", "width", "counts"),
    "trials": (
        "direction",
        "query_id",
        "candidate_0",
        "candidate_1",
        "label",
        "weight",
        "gap",
        "scores_0",
        "scores_1",
        "judge",
    ),
    "variants": ("kind", "fingerprint"),
    "image_variants": ("sha256",),
    "caption_variants": ("text",),
}
"""What may not differ between two rows of one id. Where a file lies may: it is then said to have moved."""


FILLED = {"variants": "kind"}
"""Content that a row may leave unsaid: null agrees with anything, and is filled in by who says it."""


def refuse_conflict(name: str, joined: pl.DataFrame, place: str) -> None:
    """Refuse rows that differ in content from those beside them, whose columns end in ``_there``.

    Parameters
    ----------
    name : str
        Of the table.
    joined : DataFrame
    place : str
        Where those beside them are: "" in the same batch, or " in the store".

    Raises
    ------
    InputError
        Naming both places and what to do.
    """
    differs = [_differs(name, column).alias(f"differs in {column}") for column in _CONTENT[name]]
    conflict = joined.with_columns(differs).filter(pl.any_horizontal(pl.lit(value=False), *differs))
    for row in conflict.head(1).iter_rows(named=True):
        columns = [column for column in _CONTENT[name] if row[f"differs in {column}"]]
        more = f" (and {len(conflict) - 1} more)" if len(conflict) > 1 else ""
        what, advice = _told(name, row, stored=bool(place))
        raise InputError(
            f"{row['source']}: {what} differs in {', '.join(columns)} from the one at {row['source_there']}"
            f"{place}{more}; {advice}"
        )


def _told(name: str, row: Mapping[str, Any], *, stored: bool) -> tuple[str, str]:
    """Say what a row is, and what to do when it stands for two things."""
    if "variant" not in row:
        advice = "give one of them another id, or add the data set with --prefix"
        return f"{name.removesuffix('s')} {row['key']!r}", advice
    variant = f"variant {row['variant']!r}"
    if name == "variants":
        what = f"{variant} of {'images' if row['modality'] == 'image' else 'captions'}"
    else:
        of = "image" if name == "image_variants" else "caption"
        what = f"{variant} of {of} {row[f'{of}_id']!r}"
    advice = "give one of them another variant name"
    if stored:
        advice = f"`vdb remove variant {shlex.quote(row['variant'])}` makes room, or {advice}"
    return what, advice


def _differs(name: str, column: str) -> pl.Expr:
    mine, theirs = pl.col(column), pl.col(f"{column}_there")
    if column == FILLED.get(name):
        return (mine != theirs).fill_null(value=False)
    return mine.ne_missing(theirs)
