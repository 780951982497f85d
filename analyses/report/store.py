"""The report of a store: what its analyses kept, the newest answer to each question."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Final

import polars as pl
from PIL import Image, ImageOps

import vdb
from analyses.pictures import curve, heatmap, profile, render
from analyses.pictures.frames import TIMES
from analyses.report.findings import findings, summary
from analyses.report.page import Scene, Section, write_report
from analyses.report.settings import settings, with_settings
from vdb.errors import NotFoundError
from vdb.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from vdb.database import Database

_QUESTION: Final = {
    "alignment": ["vision", "language", "metric", "direction", "control"],
    "exemplar-avg": [
        "vision",
        "language",
        "metric",
        "average",
        "group",
        "direction",
        "control",
        "ks",
    ],
}
"""What tells one question from another, beside its settings; of several answers to one the newest is shown."""

_TRAINED: Final = "pretrained"
_OF_RUN: Final = ("run_id", "command", "started_at", "datasets", "cell", "ks")
"""Columns that a picture does not need."""

_CURVE_NOTE: Final = (
    "Bands are 95 % intervals over groups. \u201cmismatched\u201d averages exemplars of other groups, "
    "\u201cdiluted\u201d one exemplar of the group with exemplars of others."
)
_AVERAGED: Final = {"both": "images and captions"}
_A: Final = {"image": "an image", "caption": "a caption", "concept": "a concept"}
_TOLD: Final = {"ks": "k", "cell": "layers"}
_SIDE: Final = 192
_SCENES: Final = 8


def report_of(
    db: Database,
    path: Path,
    *,
    title: str = "Representational alignment",
    notes: Sequence[str] = (),
) -> Path:
    """Write the page of everything that was asked of a store.

    Parameters
    ----------
    db : Database
    path : Path
        The HTML file.
    title : str
    notes : sequence of str
        What the reader should know first; put before the findings in words.

    Raises
    ------
    NotFoundError
        Nothing was asked of the store yet.
    """
    maps, curves = newest(db, "alignment"), newest(db, "exemplar-avg")
    if maps is None and curves is None:
        raise NotFoundError(f"nothing was asked of {db.uri} yet: `vdb analyze alignment` first")
    untrained = untrained_spaces(db)
    found = findings(
        [] if maps is None else [maps],
        [] if curves is None else [curves],
        random_twins(db),
        untrained,
    )
    sections = []
    if maps is not None:
        sections += _map_sections(maps, untrained)
    if curves is not None:
        sections += _curve_sections(curves, untrained)
    return write_report(
        path,
        sections,
        title=title,
        summary=[summary(found), *notes],
        findings=found,
        scenes=_scenes(db),
        scenes_note="Images of the store with their captions; an English reading stands under those that need one.",
        provenance=_provenance(db),
    )


def newest(db: Database, analysis: str) -> pl.DataFrame | None:
    """Read the rows that the last run kept for each question, oldest run first; None where there are none.

    A question is asked of items, folds, seed and so on: a run on fewer items is another question and replaces
    nothing (:data:`analyses.report.settings.SETTINGS`). The rows come with their run's ``command``, ``started_at`` and
    ``datasets``, those of a curve with its ``cell`` and all its ``ks``.
    """
    if analysis not in db.results():
        return None
    runs = db.runs().select("run_id", "command", "started_at", "parameters").collect()
    rows = with_settings(db.result(analysis).collect().join(runs, on="run_id"))
    rows = rows.sort("started_at", maintain_order=True)
    question = [*_QUESTION[analysis], *settings(rows)]
    return rows.filter(pl.col("run_id") == pl.col("run_id").last().over(question))


def untrained_spaces(db: Database) -> frozenset[str]:
    """Name the spaces whose weights were never trained, whether or not a trained one stands beside them."""
    return frozenset(name for name, one in _recipes(db).items() if one.weights != _TRAINED)


def random_twins(db: Database) -> dict[str, list[str]]:
    """Give each trained space its random-init twins, all alike but the weights; those without any are left out."""
    recipes = _recipes(db)
    untrained = untrained_spaces(db)
    twins = {
        name: [
            twin for twin in sorted(untrained) if _architecture(recipes[twin]) == _architecture(one)
        ]
        for name, one in recipes.items()
        if name not in untrained
    }
    return {name: found for name, found in twins.items() if found}


def _recipes(db: Database) -> dict[str, Recipe]:
    rows = db.spaces().select("space", "recipe").sort("space").collect().iter_rows()
    return {name: Recipe.from_json(text) for name, text in rows}


def _architecture(recipe: Recipe) -> tuple[object, ...]:
    return recipe.library, recipe.source, recipe.modality, recipe.pooling, recipe.layers


def _map_sections(maps: pl.DataFrame, untrained: Collection[str]) -> list[Section]:
    sections = []
    for rows, told in _questions(maps, ["metric"]):
        metric = rows["metric"][0]
        trained = rows.filter(
            ~pl.col("vision").is_in(list(untrained)), ~pl.col("language").is_in(list(untrained))
        )
        for (vision, language), cells in trained.filter(pl.col("control") == "none").group_by(
            ["vision", "language"], maintain_order=True
        ):
            own = trained.filter(
                pl.col("vision") == vision,
                pl.col("language").is_in([language, "bag-of-words"]),
            )
            sections.append(
                Section(
                    f"{vision} {TIMES} {language}: every layer against every layer, {metric}{told}",
                    [
                        "The orange frame marks the best cell. The controls stand beside it on one colour scale."
                    ],
                    render(heatmap(_drawn(own), controls=True)),
                    own.drop("started_at"),
                    "\n".join(cells["command"].unique(maintain_order=True)),
                )
            )
        sections.append(
            Section(
                f"Over relative depth, {metric}{told}",
                ["Random-init twins and other controls are grey and dashed."],
                render(profile(_drawn(rows), untrained=untrained)),
                rows.drop("started_at"),
                "\n".join(rows["command"].unique(maintain_order=True)),
            )
        )
    return sections


def _curve_sections(curves: pl.DataFrame, untrained: Collection[str]) -> list[Section]:
    sections = []
    for rows, told in _questions(curves, ["metric", "average", "group", "ks"]):
        metric, average, group = rows.select("metric", "average", "group").row(0)
        sections.append(
            Section(
                f"Averaging {_AVERAGED.get(average, average)} of {_A[group]}, {metric}{told}",
                [
                    _CURVE_NOTE,
                    *sorted({f"Layers: {rule}." for rule in rows["cell_rule"]}),
                ],
                render(curve(_drawn(rows), untrained=untrained)),
                rows.drop("started_at"),
                "\n".join(rows["command"].unique(maintain_order=True)),
            )
        )
    return sections


def _questions(rows: pl.DataFrame, keys: list[str]) -> Iterator[tuple[pl.DataFrame, str]]:
    """Part rows by what one picture can hold, and tell what sets each part off where the settings differ."""
    asked = settings(rows)
    for _, part in rows.group_by([*keys, *asked], maintain_order=True):
        head = part.row(0, named=True)
        same = rows.filter([pl.col(name) == head[name] for name in keys if name != "ks"])
        differ = [
            name for name in (*asked, "ks") if name in rows.columns and same[name].n_unique() > 1
        ]
        told = ", ".join(f"{_TOLD.get(name, name)} {head[name]}" for name in differ)
        yield part, f" ({told})" if told else ""


def _drawn(rows: pl.DataFrame) -> pl.DataFrame:
    """Take what a picture shows: a layer that is the same for every item has no score to show."""
    return rows.filter(pl.col("score").is_not_null()).drop(_OF_RUN, strict=False)


def _scenes(db: Database) -> list[Scene]:
    """Make thumbnails of a few images that have a caption and can be read here."""
    pairs = db.pairs().group_by("image_id").agg(pl.col("caption_id").min())
    rows = (
        pairs.join(db.images().select("image_id", "uri"), on="image_id")
        .join(db.captions().select("caption_id", "text", "gloss"), on="caption_id")
        .sort("image_id")
        .collect()
    )
    # Spread over the ids: neighbours are often exemplars of one concept.
    scenes = []
    for row in rows.gather_every(max(1, len(rows) // _SCENES)).head(_SCENES).iter_rows(named=True):
        png = _thumbnail(row["uri"])
        if png is not None:
            scenes.append(Scene(png, row["text"], row["gloss"] or ""))
    return scenes


def _thumbnail(uri: str) -> bytes | None:
    try:
        with Image.open(uri) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, Image.DecompressionBombError):
        return None  # a gallery shows what can be shown; whether files are whole is the ingest's to say
    image.thumbnail((_SIDE, _SIDE))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _provenance(db: Database) -> dict[str, str]:
    spaces = db.spaces().select("space", "fingerprint").sort("space").collect()
    last = db.runs().sort("started_at").select("versions").collect()["versions"]
    versions = json.loads(last[-1]) if len(last) else {}
    return {
        "vdb": vdb.__version__,
        "spaces": ", ".join(f"{name} ({mark})" for name, mark in spaces.iter_rows()),
        "libraries": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
