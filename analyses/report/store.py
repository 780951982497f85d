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
from vdb.errors import NotFoundError
from vdb.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
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
    ],
}
"""What tells one question from another; of several answers to one the newest is shown."""

_CURVE_NOTE: Final = (
    "Bands are 95 % intervals over groups. \u201cmismatched\u201d averages exemplars of other groups, "
    "\u201cdiluted\u201d one exemplar of the group with exemplars of others."
)
_AVERAGED: Final = {"both": "images and captions"}
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
    twins = random_twins(db)
    found = findings([] if maps is None else [maps], [] if curves is None else [curves], twins)
    lead, *words = summary(found)
    sections = []
    if maps is not None:
        sections += _map_sections(maps, twins)
    if curves is not None:
        sections += _curve_sections(curves, twins)
    return write_report(
        path,
        sections,
        title=title,
        summary=[lead, *notes, *words],
        findings=found,
        scenes=_scenes(db),
        scenes_note="Images of the store with their captions; an English reading stands under those that need one.",
        provenance=_provenance(db),
    )


def newest(db: Database, analysis: str) -> pl.DataFrame | None:
    """Read the rows that the last run kept for each question, with its command; None where there are none."""
    if analysis not in db.results():
        return None
    runs = db.runs().select("run_id", "command", "started_at").collect()
    rows = db.result(analysis).collect().join(runs, on="run_id")
    last = pl.col("started_at") == pl.col("started_at").max().over(_QUESTION[analysis])
    return rows.filter(last)


def random_twins(db: Database) -> dict[str, str]:
    """Pair each trained space with the space of its random-init twin: all alike but the weights."""
    recipes = {
        name: Recipe.from_json(text)
        for name, text in db.spaces().select("space", "recipe").sort("space").collect().iter_rows()
    }
    trained = {name: one for name, one in recipes.items() if one.weights == "pretrained"}
    return {
        name: twin
        for name, recipe in trained.items()
        for twin, other in recipes.items()
        if other.weights != "pretrained" and _architecture(other) == _architecture(recipe)
    }


def _architecture(recipe: Recipe) -> tuple[object, ...]:
    return recipe.library, recipe.source, recipe.modality, recipe.pooling, recipe.layers


def _map_sections(maps: pl.DataFrame, twins: dict[str, str]) -> list[Section]:
    sections = []
    for [metric], rows in maps.group_by(["metric"], maintain_order=True):
        trained = _trained(rows, twins)
        for (vision, language), cells in trained.filter(pl.col("control") == "none").group_by(
            ["vision", "language"], maintain_order=True
        ):
            own = trained.filter(
                pl.col("vision") == vision,
                pl.col("language").is_in([language, "bag-of-words"]),
                pl.col("run_id").is_in(cells["run_id"].unique().to_list()),
            )
            chart = heatmap(own.drop("run_id", "command", "started_at"), controls=True)
            sections.append(
                Section(
                    f"{vision} {TIMES} {language}: every layer against every layer, {metric}",
                    [
                        "The orange frame marks the best cell. The controls stand beside it on one colour scale."
                    ],
                    render(chart),
                    own.drop("started_at"),
                    cells["command"][0],
                )
            )
        chart = profile(rows.drop("run_id", "command", "started_at"), twins=twins)
        sections.append(
            Section(
                f"Over relative depth, {metric}",
                ["Random-init twins and other controls are grey and dashed."],
                render(chart),
                rows.drop("started_at"),
                "\n".join(rows["command"].unique(maintain_order=True)),
            )
        )
    return sections


def _curve_sections(curves: pl.DataFrame, twins: dict[str, str]) -> list[Section]:
    sections = []
    for (metric, average, group), rows in curves.group_by(
        ["metric", "average", "group"], maintain_order=True
    ):
        chart = curve(rows.drop("run_id", "command", "started_at"), twins=twins)
        sections.append(
            Section(
                f"Averaging {_AVERAGED.get(average, average)} of a {group}, {metric}",
                [
                    _CURVE_NOTE,
                    *sorted({f"Layers: {rule}." for rule in rows["cell_rule"]}),
                ],
                render(chart),
                rows.drop("started_at"),
                "\n".join(rows["command"].unique(maintain_order=True)),
            )
        )
    return sections


def _trained(rows: pl.DataFrame, twins: dict[str, str]) -> pl.DataFrame:
    untrained = list(twins.values())
    return rows.filter(~pl.col("vision").is_in(untrained), ~pl.col("language").is_in(untrained))


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
