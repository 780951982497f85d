"""The rows of a table of trials: what each says, whether it may, and which way the choice goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ingest.datasets.manifest.files import Layout
from ingest.datasets.manifest.rows import refuse
from ingest.datasets.trials.ids import comes_first
from vdb.errors import InputError
from vdb.schema import IMAGE_TO_TEXT, TEXT_TO_IMAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMBERS = ("query", "candidate_0", "candidate_1")
"""What a trial is of: what is asked about, and the two that are chosen from."""

DIRECTIONS = (TEXT_TO_IMAGE, IMAGE_TO_TEXT)

_GENERAL = tuple(f"{member}_{kind}" for member in MEMBERS for kind in ("id", "text", "path"))
_NEGATIVE = ("image_path", "image_id", "caption", "caption_id", "false_caption", "false_caption_id")
_SCORES = ("scores_0", "scores_1")
_SAID = ("label", "preferred", "weight", "gap", *_SCORES, "judge", "trial_id", "direction")

TRIALS = Layout(
    "table of trials",
    (*_GENERAL, *_NEGATIVE, *_SAID),
    needed=(
        "query_id",
        "query_text",
        "query_path",
        ("image_path", "caption", "false_caption"),
        ("image_id", "caption", "false_caption"),
    ),
    ids=frozenset(
        field
        for field in (*_GENERAL, *_NEGATIVE, *_SAID)
        if field.endswith("_id") or field == "judge"
    ),
    numbers=frozenset({"label", "preferred", "weight", "gap"}),
    lists=frozenset(_SCORES),
    optional=frozenset((*_GENERAL, *_NEGATIVE, *_SAID)),
)
"""A row is a query, two candidates and which of them was preferred; or an image, a true and a false caption."""


def unfolded(rows: pl.DataFrame) -> pl.DataFrame:
    """Write rows of an image, a true and a false caption as trials; which caption comes first a hash tells.

    Parameters
    ----------
    rows : pl.DataFrame
        The fields of :data:`TRIALS`, and ``source``.

    Returns
    -------
    pl.DataFrame
        The same without the fields of that short form, and ``truth``: which candidate is known to be the image's, as
        "0" or "1", null for other trials.

    Raises
    ------
    InputError
        A row mixes the two forms, or leaves out what its form needs.
    """
    image = pl.coalesce("image_id", "image_path")
    short = pl.any_horizontal(pl.col(_NEGATIVE).is_not_null())
    general = pl.any_horizontal(pl.col([*_GENERAL, "label", "preferred", *_SCORES]).is_not_null())
    for bad, complaint in (
        (general, "a query, candidate or label beside an image and its captions; make it two rows"),
        (pl.col("caption").is_null(), "no caption beside the image or the false_caption"),
        (pl.col("false_caption").is_null(), "a caption but no false_caption"),
        (image.is_null(), "no image_path or image_id beside the captions"),
    ):
        refuse(rows, short & bad, complaint)
    rows = rows.with_columns(short=short, image=image)
    first = [
        comes_first(image, caption, false) if is_short else None
        for is_short, image, caption, false in rows.select(
            "short", "image", "caption", "false_caption"
        ).iter_rows()
    ]
    rows = rows.with_columns(pl.Series("first", first, dtype=pl.Boolean))

    def placed(true: str, false: str, general: str, *, at: int) -> pl.Expr:
        there = pl.col("first") if at == 0 else ~pl.col("first")
        chosen = pl.when(there).then(true).otherwise(false)
        return pl.when("short").then(chosen).otherwise(general).alias(general)

    return rows.with_columns(
        pl.coalesce("query_id", "image_id").alias("query_id"),
        pl.coalesce("query_path", "image_path").alias("query_path"),
        *(
            placed(true, false, f"candidate_{at}_{kind}", at=at)
            for at in (0, 1)
            for true, false, kind in (
                ("caption", "false_caption", "text"),
                ("caption_id", "false_caption_id", "id"),
            )
        ),
        pl.when("first")
        .then(pl.lit("1"))
        .when("short")
        .then(pl.lit("0"))
        .otherwise("label")
        .alias("label"),
        pl.when("first").then(pl.lit("0")).when("short").then(pl.lit("1")).alias("truth"),
    ).drop(*_NEGATIVE, "short", "image", "first")


def judged(rows: pl.DataFrame) -> pl.DataFrame:
    """Read what was preferred, and how much it counts, as numbers: ``label``, ``weight``, ``gap`` and the scores.

    Where neither a label nor ``preferred`` says it, the candidate of the higher mean score was preferred, and the gap,
    unless given, is the difference of the means.

    Raises
    ------
    InputError
        A row says nothing of it, says it twice, or says what cannot be.
    """
    label, preferred = pl.col("label"), pl.col("preferred")
    rows = _scored(rows)
    unsaid = label.is_null() & preferred.is_null()
    refuse(rows, unsaid & pl.col("scores_0").is_null(), "neither a label nor preferred nor scores")
    refuse(rows, label.is_not_null() & preferred.is_not_null(), "both a label and preferred")
    number = label.replace({"true": "1", "false": "0"}).cast(pl.Float64, strict=False)
    refuse(
        rows,
        label.is_not_null() & ~number.is_in([0.0, 0.5, 1.0]).fill_null(value=False),
        "the label must be 1 (candidate 0 was preferred), 0 (candidate 1) or 0.5 (a tie)",
    )
    at = preferred.cast(pl.Float64, strict=False)
    refuse(
        rows,
        preferred.is_not_null()
        & (preferred != "tie")
        & ~at.is_in([0.0, 1.0]).fill_null(value=False),
        "preferred must be 0, 1 (the candidate that was preferred) or tie",
    )
    weight, gap = (pl.col(name).cast(pl.Float64, strict=False) for name in ("weight", "gap"))
    for name, value, fits, wanted in (
        ("weight", weight, weight > 0, "a number above 0"),
        ("gap", gap, gap >= 0, "a number from 0"),
    ):
        fine = (value.is_finite() & fits).fill_null(value=False)
        refuse(rows, pl.col(name).is_not_null() & ~fine, f"the {name} must be {wanted}")
    chosen = pl.when(preferred == "tie").then(0.5).otherwise(1 - at)
    ahead = pl.col("scores_0").list.mean() - pl.col("scores_1").list.mean()
    return rows.with_columns(
        pl.coalesce(number, chosen, 0.5 + ahead.sign() / 2).alias("label"),
        weight.fill_null(1.0).alias("weight"),
        pl.coalesce(gap, pl.when(unsaid).then(ahead.abs())).alias("gap"),
    ).drop("preferred")


def _scored(rows: pl.DataFrame) -> pl.DataFrame:
    """Read the scores as lists of numbers."""
    first, second = map(pl.col, _SCORES)
    refuse(rows, first.is_null() != second.is_null(), "scores of one candidate without the other's")
    split = {
        name: pl.col(name)
        .str.replace(r"^\s*\[(.*)\]\s*$", "$1")  # JSON's
        .str.strip_chars()
        .str.replace_all(r"[,\s]+", " ")
        .str.split(" ")
        for name in _SCORES
    }
    rows = rows.with_columns(
        one.cast(pl.List(pl.Float64), strict=False).alias(name) for name, one in split.items()
    )
    for name in _SCORES:
        fine = pl.col(name).list.eval(pl.element().is_finite().fill_null(value=False)).list.all()
        complaint = f"the {name} must be numbers: a list, or separated by spaces in CSV"
        refuse(rows, pl.col(name).is_not_null() & ~fine, complaint)
    return rows


def directed(rows: pl.DataFrame, direction: str | None) -> pl.DataFrame:
    """Say which way each choice goes: by what its members are, or by what is said of it.

    Parameters
    ----------
    rows : pl.DataFrame
    direction : str, optional
        Of the rows that do not say themselves.

    Raises
    ------
    InputError
        A member is missing or two things at once, a row contradicts itself, or ids alone leave it open.
    """
    if direction not in (None, *DIRECTIONS):
        raise InputError(f"the direction {direction!r} must be {' or '.join(DIRECTIONS)}")
    for member in MEMBERS:
        identity, text, path = (pl.col(f"{member}_{kind}") for kind in ("id", "text", "path"))
        nothing = identity.is_null() & text.is_null() & path.is_null()
        refuse(
            rows, nothing, f"no {member}: neither {member}_id nor {member}_text nor {member}_path"
        )
        refuse(rows, text.is_not_null() & path.is_not_null(), f"{member} is a text and an image")
        refuse(rows, path == "", f"the {member}_path is empty")
    said = pl.coalesce("direction", pl.lit(direction, dtype=pl.String))
    refuse(rows, ~said.is_in(DIRECTIONS), f"the direction must be {' or '.join(DIRECTIONS)}")
    rows = rows.with_columns(_implied(member).alias(f"{member}_way") for member in MEMBERS)
    ways = [f"{member}_way" for member in MEMBERS]
    for other in ways[1:]:
        refuse(
            rows,
            pl.col(ways[0]) != pl.col(other),
            "query and candidates are of one kind; a choice is of two images for a text, or two texts for an image",
        )
    refuse(rows, pl.col(ways[1]) != pl.col(ways[2]), "one candidate is a text, the other an image")
    shown = pl.coalesce(ways)
    refuse(rows, shown != said, "the direction is the opposite of what query and candidates are")
    told = pl.coalesce(shown, said, *(_by_id(rows, member) for member in MEMBERS))
    rows = rows.with_columns(told.alias("direction"))
    refuse(
        rows,
        pl.col("direction").is_null(),
        "ids alone do not tell images from captions: add a column direction, or say it with --direction",
    )
    return rows.drop(ways)


def _implied(member: str) -> pl.Expr:
    """Return the direction that a member's own text or path implies."""
    of_text, of_image = _ways(member)
    return (
        pl.when(pl.col(f"{member}_text").is_not_null())
        .then(pl.lit(of_text))
        .when(pl.col(f"{member}_path").is_not_null())
        .then(pl.lit(of_image))
    )


def _ways(member: str) -> Sequence[str]:
    """Return the direction where a member is a text, and where it is an image."""
    return DIRECTIONS if member == "query" else DIRECTIONS[::-1]


def _by_id(rows: pl.DataFrame, member: str) -> pl.Expr:
    """Return the direction that follows of what a member's id stands for on other rows."""
    texts, images = (
        set().union(*(rows.filter(pl.col(f"{m}_{kind}").is_not_null())[f"{m}_id"] for m in MEMBERS))
        for kind in ("text", "path")
    )
    of_text, of_image = _ways(member)
    identity = pl.col(f"{member}_id")
    return (
        pl.when(identity.is_in(sorted(texts - images - {None})))
        .then(pl.lit(of_text))
        .when(identity.is_in(sorted(images - texts - {None})))
        .then(pl.lit(of_image))
    )
