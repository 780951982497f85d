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
from analyses.report.settings import settings, with_asked, with_settings, without
from analyses.twins import random_twins, untrained_spaces
from vdb.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vdb.database import Database

_ROWS: Final = {
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
"""Of analyses whose rows all speak of the same items: what tells one question from another, beside its settings."""

_RUNS: Final = ("perturbation", "forced-choice", "retrieval", "geometry")
"""Analyses whose rows count items of their own each: there the question is what the run was asked, all of it."""

_WIDE: Final = {
    "perturbation": (["variants", "altered", "fit", "maps"], ["fit"], ["altered", "variant"]),
    "forced-choice": (
        ["controls", "strengths", "most", "level", "direction"],
        ["level", "direction", "fit"],
        ["control"],
    ),
}
"""Of runs that claims read: what narrows a run, the columns that part its rows, those of which the most is wanted."""

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
    kept = {analysis: newest(db, analysis) for analysis in (*_ROWS, *_RUNS)}
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
        *([widest(rows, analysis) for rows in of(analysis)] for analysis in _WIDE),
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

    A question is asked of items, folds, seed and so on: a run on fewer items, of fewer alterations, of layers that were
    given, is another question and replaces nothing. Of an alignment and a curve it is told by its rows
    (:data:`analyses.report.settings.SETTINGS`), elsewhere by all parameters of the run, which are then the column
    ``asked``. The rows come with their run's ``command``, ``started_at`` and ``datasets``, with the ``cell`` where they
    have one and a curve's with all its ``ks``.
    """
    if analysis not in db.results():
        return None
    runs = db.runs().select("run_id", "command", "started_at", "parameters").collect()
    rows = db.result(analysis).collect().join(runs, on="run_id")
    if analysis in _RUNS:
        rows = with_asked(rows)
    rows = with_settings(rows).sort("started_at", maintain_order=True)
    question = ["asked"] if analysis in _RUNS else [*_ROWS[analysis], *settings(rows)]
    question = [name for name in question if name in rows.columns]
    return rows.filter(pl.col("run_id") == pl.col("run_id").last().over(question))


def widest(rows: pl.DataFrame, analysis: str) -> pl.DataFrame:
    """Keep of runs that differ only in how much they were asked the one that was asked most, the newest of several.

    Parameters
    ----------
    rows : DataFrame
        Of :func:`newest`.
    analysis : {"perturbation", "forced-choice"}
    """
    narrowing, parts, counted = _WIDE[analysis]
    keys = ["_asked", *parts]
    part = rows.with_columns(_asked=pl.Series(without(rows["asked"], narrowing)))
    width = part.group_by(*keys, "run_id", "started_at").agg(_width=pl.struct(counted).n_unique())
    kept = width.sort("_width", "started_at").group_by(keys, maintain_order=True).last()
    chosen = kept.select(*keys, "run_id")
    return part.join(
        chosen, on=[*keys, "run_id"], how="semi", nulls_equal=True, maintain_order="left"
    ).drop("_asked")


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
