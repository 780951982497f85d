"""The report of a store: what its analyses kept, the newest answer to each question."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Final

import polars as pl
from PIL import Image, ImageOps

import vdb
from analyses.report.findings import findings, summary
from analyses.report.page import Scene, write_report
from analyses.report.sections import sections, size_sections
from analyses.report.settings import settings, with_settings
from analyses.twins import random_twins, untrained_spaces
from vdb.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vdb.database import Database

_PLAIN: Final = ("captions", "folds", "seed", "datasets")
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
    "perturbation": ["vision", "language", "metric", "fit", *_PLAIN],
    "forced-choice": ["vision", "language", "direction", "level", *_PLAIN],
    "retrieval": ["vision", "language", *_PLAIN],
    "geometry": ["space", "variant"],
}
"""What tells one question from another, beside its settings; of several answers to one the newest is shown."""

_OF_ITEMS: Final = ("alignment", "exemplar-avg")
"""Whose rows all speak of the same items: on other items it is another question. Others count each row's own."""

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
    kept = {analysis: newest(db, analysis) for analysis in _QUESTION}
    frames = {analysis: rows for analysis, rows in kept.items() if rows is not None}
    if not frames:
        raise NotFoundError(f"nothing was asked of {db.uri} yet: `vdb analyze alignment` first")
    untrained = untrained_spaces(db)

    def of(analysis: str) -> list[pl.DataFrame]:
        return [frames[analysis]] if analysis in frames else []

    found = findings(
        of("alignment"),
        of("exemplar-avg"),
        random_twins(db),
        untrained,
        of("perturbation"),
        of("forced-choice"),
    )
    return write_report(
        path,
        [
            *sections(frames, untrained),
            *(size_sections(db, frames["alignment"]) if "alignment" in frames else ()),
        ],
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
    question = list(_QUESTION[analysis])
    if analysis in _OF_ITEMS:
        question += settings(rows)
    question = [name for name in question if name in rows.columns]
    return rows.filter(pl.col("run_id") == pl.col("run_id").last().over(question))


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
