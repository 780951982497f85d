"""The sections of a report: each question's picture, the numbers behind it, and the command that asks it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analyses.peaks import peaks
from analyses.pictures import curve, heatmap, profile, render
from analyses.pictures.forced_choice import forced_choice_bars, forced_choice_strength
from analyses.pictures.frames import TIMES
from analyses.pictures.geometry import panels
from analyses.pictures.peaks import depth_square
from analyses.pictures.perturbation import delta_bars
from analyses.pictures.retrieval import retrieval_bars
from analyses.pictures.size import size
from analyses.report.page import Section
from analyses.report.settings import differing, settings
from analyses.sizes import by_size

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    import altair as alt

    from vdb.database import Database

_OF_RUN: Final = ("run_id", "command", "started_at", "datasets", "cell", "ks", "asked")
"""Columns that a picture does not need."""

_CURVE_NOTE: Final = (
    "Bands are 95 % intervals over groups. \u201cmismatched\u201d averages exemplars of other groups, "
    "\u201cdiluted\u201d one exemplar of the group with exemplars of others."
)
_DELTA_NOTE: Final = (
    "Deltas at one cell with paired 95 % intervals, by kind of alteration. "
    "The dashed line is what mismatched pairs lose."
)
_PEAKS_NOTE: Final = (
    "The best cell of each pair at its relative depths; the larger, the higher its held-out score. "
    "Controls are grey."
)
_SIZE_NOTE: Final = (
    "Small points are pairs of models, large ones the mean over the models of the other side. "
    "Few models that differ in much besides size: a description, not a test."
)
_SEVERAL: Final = 2
_AVERAGED: Final = {"both": "images and captions"}
_A: Final = {"image": "an image", "caption": "a caption", "concept": "a concept"}
_TOLD: Final = {"ks": "k", "cell": "layers"}


def sections(frames: Mapping[str, pl.DataFrame], untrained: Collection[str]) -> list[Section]:
    """Make the sections of what was asked.

    Parameters
    ----------
    frames : mapping of str to pl.DataFrame
        Of each analysis the newest rows: :func:`analyses.report.store.newest`.
    untrained : collection of str
        Spaces whose weights were never trained.
    """
    found: list[Section] = []
    for analysis, make in _SECTIONS.items():
        if analysis in frames:
            found += make(frames[analysis], untrained)
    return found


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
        sections += _of_pairs(_drawn(rows), rows, f"{metric}{told}", untrained)
    return sections


def _of_pairs(
    drawn: pl.DataFrame, rows: pl.DataFrame, told: str, untrained: Collection[str]
) -> Iterator[Section]:
    """Set several trained pairs side by side."""
    trained = _trained(drawn, untrained).filter(pl.col("control") == "none")
    if trained.select("vision", "language").n_unique() == 1 or trained.is_empty():
        return
    best = peaks(drawn)
    command = "\n".join(rows["command"].unique(maintain_order=True))
    chart = depth_square(best, rows["metric"][0], untrained=untrained)
    yield Section(f"Peaks by model, {told}", [_PEAKS_NOTE], render(chart), best, command)


def size_sections(db: Database, maps: pl.DataFrame) -> Iterator[Section]:
    """Set scores against the models' sizes, where several trained models have been counted on a side."""
    there = db.spaces().select("space").collect()["space"].to_list()
    for rows, told in _questions(maps, ["metric"]):
        # Of a space that was removed since nobody knows the size.
        drawn = _drawn(rows).filter(pl.col("vision").is_in(there), pl.col("language").is_in(there))
        if drawn.filter(pl.col("control") == "none").is_empty():
            continue
        found = by_size(db, drawn)
        counted = found.drop_nulls(["vision_parameters", "language_parameters"])
        if counted.select("vision", "language").n_unique() < _SEVERAL:
            continue
        unknown = found["uncounted"][0].to_list()
        missing = [f"Not drawn, for nobody counted their weights: {', '.join(unknown)}."]
        yield Section(
            f"Alignment against model size, {rows['metric'][0]}{told}",
            [_SIZE_NOTE, *(missing if unknown else [])],
            render(size(found)),
            found,
            "\n".join(rows["command"].unique(maintain_order=True)),
        )


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


def _delta_sections(deltas: pl.DataFrame, untrained: Collection[str]) -> Iterator[Section]:
    keys = ("vision", "language", "metric")
    for rows, told in _runs(_trained(deltas, untrained), keys):
        vision, language, metric = rows.select(keys).row(0)
        cells = rows.filter(pl.col("scope") == "cell")
        yield Section(
            f"{vision} {TIMES} {language}: what alterations cost, {metric}{told}",
            [
                _DELTA_NOTE,
                *sorted({f"Layers: {rule}." for rule in cells["cell_rule"].drop_nulls()}),
            ],
            render(delta_bars(_drawn_as(rows))),
            cells.drop("started_at", "asked"),
            "\n".join(rows["command"].unique(maintain_order=True)),
        )


def _runs(rows: pl.DataFrame, keys: Sequence[str]) -> Iterator[tuple[pl.DataFrame, str]]:
    """Part rows by what their runs were asked, and tell what sets each part off from those of the same keys."""
    for _, same in rows.group_by(keys, maintain_order=True):
        told = differing(same["asked"].unique(maintain_order=True).to_list())
        for (asked,), part in same.group_by(["asked"], maintain_order=True):
            words = told[str(asked)]
            yield part, f" ({words})" if words else ""


def _choice_sections(choices: pl.DataFrame, untrained: Collection[str]) -> Iterator[Section]:
    # A bag of words stands in its pair's run, which has it for a language of its own.
    trained = _trained(choices, untrained)
    pairs = trained.filter(pl.col("language") != "bag-of-words")
    for part, told in _runs(pairs, ("vision", "language")):
        vision, language = part.select("vision", "language").row(0)
        own = trained.filter(
            pl.col("asked") == part["asked"][0],
            pl.col("vision") == vision,
            pl.col("language").is_in([language, "bag-of-words"]),
        )
        cells = own.filter(pl.col("scope") == "cell")
        command = "\n".join(part["command"].unique(maintain_order=True))
        yield Section(
            f"{vision} {TIMES} {language}: forced choices{told}",
            [
                "The share of trials in which the nearer candidate is the one preferred, at one cell."
            ],
            render(forced_choice_bars(_drawn_as(own))),
            cells.drop("started_at", "asked"),
            command,
        )
        if cells["gap_low"].null_count() < len(cells):
            yield Section(
                f"{vision} {TIMES} {language}: forced choices by strength of preference{told}",
                [],
                render(forced_choice_strength(_drawn_as(own))),
                cells.filter(pl.col("gap_low").is_not_null()).drop("started_at", "asked"),
                command,
            )


def _retrieval_sections(found: pl.DataFrame, untrained: Collection[str]) -> Iterator[Section]:
    for rows, told in _runs(_trained(found, untrained), ("vision", "language")):
        vision, language = rows.select("vision", "language").row(0)
        title = f"{vision} {TIMES} {language}: retrieval through the map{told}"
        yield _plain(title, rows, retrieval_bars)


def _geometry_sections(found: pl.DataFrame, untrained: Collection[str]) -> Iterator[Section]:  # noqa: ARG001 - twins have a geometry too
    for rows, told in _runs(found, ("variant",)):
        yield _plain(f"The geometry of layers, {rows['variant'][0]}{told}", rows, panels)


def _plain(
    title: str, rows: pl.DataFrame, draw: Callable[[pl.DataFrame], alt.ConcatChart]
) -> Section:
    shown = rows.filter(pl.col("scope") == "cell") if "scope" in rows.columns else rows
    command = "\n".join(rows["command"].unique(maintain_order=True))
    return Section(
        title, [], render(draw(_drawn_as(rows))), shown.drop("started_at", "asked"), command
    )


def _trained(rows: pl.DataFrame, untrained: Collection[str]) -> pl.DataFrame:
    return rows.filter(
        ~pl.col("vision").is_in(list(untrained)), ~pl.col("language").is_in(list(untrained))
    )


def _drawn_as(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.drop(_OF_RUN, strict=False)


_SECTIONS: Final[dict[str, Callable[[pl.DataFrame, Collection[str]], Iterable[Section]]]] = {
    "alignment": _map_sections,
    "exemplar-avg": _curve_sections,
    "perturbation": _delta_sections,
    "forced-choice": _choice_sections,
    "retrieval": _retrieval_sections,
    "geometry": _geometry_sections,
}
"""By analysis, in the order of the page."""
