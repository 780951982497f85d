"""The rows of a perturbation: alterations, groups of them and the floor at a cell, and whole delta maps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl
from scipy.stats import false_discovery_control

from analyses.metrics.inference.paired import paired
from analyses.perturbation.cell import less, mean_delta, retained
from analyses.perturbation.maps import MISMATCHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from analyses.metrics import Direction
    from analyses.metrics.inference.bootstrap import Interval
    from analyses.metrics.inference.paired import Difference
    from analyses.perturbation.cell import CellScores
    from analyses.perturbation.maps import Pair
    from analyses.perturbation.variants import Alteration, Side

    Row = dict[str, Any]

KINDS = ("appearance", "semantic")
UNSAID = "unsaid"
"""The group of the alterations of which nobody said the kind."""
DIFFERENCE = "semantic - appearance"
CONTROL = {"level": "control", "control": "mismatched", "variant": "original"}

SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("scope", "level", "vision", "language", "control"), pl.String),
    **dict.fromkeys(("variant", "altered", "kind", "fit", "metric", "direction"), pl.String),
    "target": pl.String,
    **dict.fromkeys(("vision_layer", "language_layer"), pl.Int64),
    **dict.fromkeys(("vision_layer_name", "language_layer_name"), pl.String),
    **dict.fromkeys(("vision_depth", "language_depth"), pl.Float64),
    **dict.fromkeys(("score_original", "score_altered", "delta", "low", "high"), pl.Float64),
    **dict.fromkeys(("p", "q", "floor", "floor_original", "retained"), pl.Float64),
    **dict.fromkeys(("retained_low", "retained_high"), pl.Float64),
    **dict.fromkeys(("variants", "n", "groups", "left_out"), pl.Int64),
    **dict.fromkeys(("captions", "cell_rule"), pl.String),
    **dict.fromkeys(("folds", "seed"), pl.Int64),
    **dict.fromkeys(("vision_fingerprint", "language_fingerprint"), pl.String),
}
"""The columns of the frame, in order."""


def cell_rows(
    scores: CellScores, members: Sequence[Alteration], fits: Sequence[str], facts: Mapping[str, Any]
) -> Iterator[Row]:
    """Lay out each alteration's delta at the cell."""
    for fit in fits:
        for one in members:
            for direction in scores.original:
                yield {
                    **facts,
                    **_of(scores, [one], fit, direction),
                    "level": "variant",
                    "variant": one.name,
                    "kind": one.kind,
                }


def floor_rows(scores: CellScores, fits: Sequence[str], facts: Mapping[str, Any]) -> Iterator[Row]:
    """Lay out what mismatched pairs of the originals lose by each fit: all there is to lose."""
    for fit in fits:
        for direction, original in scores.original.items():
            floor = scores.floor(None, fit, direction)
            if floor is None:
                continue
            yield {
                **facts,
                **CONTROL,
                "fit": fit,
                "direction": direction,
                "score_original": original.estimate,
                "score_altered": floor.estimate,
                "floor": floor.estimate,
                "floor_original": floor.estimate,
                **_delta(paired(floor, original)),
                "variants": 0,
            }


def group_rows(
    scores: CellScores, members: Sequence[Alteration], fits: Sequence[str], facts: Mapping[str, Any]
) -> Iterator[Row]:
    """Lay out the mean delta of each kind of alteration of one side, and the difference of the two kinds."""
    kinds = {
        name: [one for one in members if (one.kind or UNSAID) == name] for name in (*KINDS, UNSAID)
    }
    for fit in fits:
        for direction, original in scores.original.items():
            for name, mine in kinds.items():
                if mine:
                    yield {
                        **facts,
                        **_of(scores, mine, fit, direction),
                        "level": "group",
                        "variant": name,
                        "kind": None if name == UNSAID else name,
                    }
            if all(kinds[name] for name in KINDS):
                appearance, semantic = (
                    mean_delta(
                        [scores.altered[one, fit][direction] for one in kinds[name]], original
                    )
                    for name in KINDS
                )
                yield {
                    **facts,
                    "altered": members[0].altered,
                    "target": target(members[0].altered, direction),
                    "fit": fit,
                    "direction": direction,
                    "score_original": original.estimate,
                    "level": "difference",
                    "variant": DIFFERENCE,
                    "variants": sum(len(kinds[name]) for name in KINDS),
                    **_delta(less(semantic, appearance)),
                }


def target(altered: Side, direction: str) -> str | None:
    """Tell whether the vectors that are predicted are original or altered ones; None where nothing is predicted."""
    predicted = {"vision->language": "captions", "language->vision": "images"}.get(direction)
    if predicted is None:
        return None
    return "altered" if altered in {predicted, "both"} else "original"


def map_rows(pairs: Iterable[Pair], facts: Mapping[str, Any]) -> Iterator[Row]:
    """Lay out delta maps, a row a cell; that of mismatched pairs is a control."""
    for pair in pairs:
        said = {
            **facts,
            **(CONTROL | {"variants": 0} if pair.alteration is MISMATCHED else _said(pair)),
            "fit": pair.fit,
            "direction": pair.direction,
        }
        rows, columns = pair.original.shape
        for i in range(rows):
            for j in range(columns):
                before, after = float(pair.original[i, j]), float(pair.altered[i, j])
                yield {
                    **said,
                    "vision_layer": i,
                    "language_layer": j,
                    "score_original": before,
                    "score_altered": after,
                    "delta": after - before,
                }


def tidy(rows: Iterable[Row], everywhere: Mapping[str, Any]) -> pl.DataFrame:
    """Make the frame: what is not a number is null, and q is that of one fit, direction and target."""
    whole = [{"control": "none", **everywhere, **row} for row in rows]
    for row, q in zip(whole, _rates(whole), strict=True):
        row["q"] = q
    frame = pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in whole], schema=SCHEMA)
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))


def with_layers(frame: pl.DataFrame, layers: pl.DataFrame, side: str) -> pl.DataFrame:
    """Fill in the name and the depth of the layers of one side.

    Parameters
    ----------
    layers : DataFrame
        ``layer``, ``name``, ``depth``.
    """
    names = {"layer": f"{side}_layer", "name": f"{side}_layer_name", "depth": f"{side}_depth"}
    bare = frame.drop(names["name"], names["depth"])
    joined = bare.join(layers.rename(names), on=names["layer"], how="left", maintain_order="left")
    return joined.select(frame.columns)


def _rates(rows: Sequence[Row]) -> list[float | None]:
    families: dict[tuple[str, str, str | None], list[int]] = {}
    for i, row in enumerate(rows):
        p = row.get("p")
        if row["level"] == "variant" and p is not None and math.isfinite(p):
            family = row["fit"], row["direction"], row["target"]
            families.setdefault(family, []).append(i)
    found: list[float | None] = [None] * len(rows)
    for members in families.values():
        rates: NDArray[np.float64] = false_discovery_control([rows[i]["p"] for i in members])
        for i, q in zip(members, rates, strict=True):
            found[i] = float(q)
    return found


def _said(pair: Pair) -> Row:
    one = pair.alteration
    return {
        "level": "variant",
        "variant": one.name,
        "altered": one.altered,
        "kind": one.kind,
        "target": target(one.altered, pair.direction),
        "variants": 1,
    }


def _delta(found: Difference) -> Row:
    return {"delta": found.estimate, "low": found.low, "high": found.high, "p": found.p}


def _of(scores: CellScores, members: Sequence[Alteration], fit: str, direction: Direction) -> Row:
    """Tell what alterations of one side cost on average, and what of the alignment they leave."""
    original, floor = scores.original[direction], scores.floor(None, fit, direction)
    altered = [scores.altered[one, fit][direction] for one in members]
    floors = [scores.floor(one, fit, direction) for one in members]
    share = retained(altered, floors, original, floor)
    return {
        "altered": members[0].altered,
        "target": target(members[0].altered, direction),
        "fit": fit,
        "direction": direction,
        "score_original": original.estimate,
        "score_altered": _average(altered),
        "floor": _average(floors),
        "floor_original": floor and floor.estimate,
        **_delta(mean_delta(altered, original)),
        "retained": share.share,
        "retained_low": share.low,
        "retained_high": share.high,
        "variants": len(members),
    }


def _average(several: Sequence[Interval | None]) -> float | None:
    known = [one.estimate for one in several if one is not None]
    return sum(known) / len(known) if len(known) == len(several) else None
