"""The rows of a perturbation: alterations, groups of them and the floor at a cell, and whole delta maps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl
from scipy.stats import false_discovery_control

from analyses.metrics.paired import Difference, paired
from analyses.perturbation.cell import less, mean_delta, retained

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from analyses.metrics.statistics import Interval
    from analyses.perturbation.cell import CellScores
    from analyses.perturbation.maps import Pair
    from analyses.perturbation.variants import Alteration

    Row = dict[str, Any]

KINDS = ("appearance", "semantic")
UNSAID = "unsaid"
"""The group of the alterations of which nobody said the kind."""
DIFFERENCE = "semantic - appearance"

SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("scope", "level", "vision", "language", "control"), pl.String),
    **dict.fromkeys(("variant", "altered", "kind", "fit", "metric", "direction"), pl.String),
    **dict.fromkeys(("vision_layer", "language_layer"), pl.Int64),
    **dict.fromkeys(("vision_layer_name", "language_layer_name"), pl.String),
    **dict.fromkeys(("vision_depth", "language_depth"), pl.Float64),
    **dict.fromkeys(("score_original", "score_altered", "delta", "low", "high"), pl.Float64),
    **dict.fromkeys(("p", "q", "floor", "retained", "retained_low", "retained_high"), pl.Float64),
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
            for direction, altered in scores.altered[one, fit].items():
                original = scores.original[direction]
                floor = scores.floor.get(direction)
                share = retained(altered, original, floor)
                yield {
                    **_said(one),
                    **facts,
                    "level": "variant",
                    "fit": fit,
                    "direction": direction,
                    "score_original": original.estimate,
                    "score_altered": altered.estimate,
                    "floor": floor and floor.estimate,
                    **_delta(paired(altered, original)),
                    "retained": share.share,
                    "retained_low": share.low,
                    "retained_high": share.high,
                    "variants": 1,
                }


def floor_rows(scores: CellScores, fit: str, facts: Mapping[str, Any]) -> Iterator[Row]:
    """Lay out what mismatched pairs of the originals lose: all there is to lose."""
    for direction, floor in scores.floor.items():
        yield {
            **facts,
            "level": "control",
            "control": "mismatched",
            "variant": "original",
            "fit": fit,
            "direction": direction,
            "score_original": scores.original[direction].estimate,
            "score_altered": floor.estimate,
            "floor": floor.estimate,
            **_delta(paired(floor, scores.original[direction])),
            "variants": 0,
        }


def group_rows(
    scores: CellScores, members: Sequence[Alteration], fits: Sequence[str], facts: Mapping[str, Any]
) -> Iterator[Row]:
    """Lay out the mean delta of each kind of alteration, and the difference of the two kinds that there are."""
    kinds = {
        name: [one for one in members if (one.kind or UNSAID) == name] for name in (*KINDS, UNSAID)
    }
    for fit in fits:
        for direction, original in scores.original.items():
            means: dict[str, Difference] = {}
            for name, mine in kinds.items():
                if not mine:
                    continue
                altered = [scores.altered[one, fit][direction] for one in mine]
                means[name] = mean_delta(altered, original)
                yield {
                    **_of_group(original, scores.floor.get(direction), mine, fit, direction, facts),
                    "level": "group",
                    "variant": name,
                    "kind": None if name == UNSAID else name,
                    "score_altered": sum(one.estimate for one in altered) / len(altered),
                    **_delta(means[name]),
                }
            if all(name in means for name in KINDS):
                mine = [one for name in KINDS for one in kinds[name]]
                yield {
                    **_of_group(original, scores.floor.get(direction), mine, fit, direction, facts),
                    "level": "difference",
                    "variant": DIFFERENCE,
                    **_delta(less(means["semantic"], means["appearance"])),
                }


def map_rows(pairs: Iterable[Pair], facts: Mapping[str, Any]) -> Iterator[Row]:
    """Lay out delta maps, a row a cell."""
    for pair in pairs:
        said = {
            **_said(pair.alteration),
            **facts,
            "level": "variant",
            "fit": pair.fit,
            "direction": pair.direction,
            "variants": 1,
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
    """Make the frame: what is not a number is null, and q is that of the alterations of one fit and direction."""
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
    families: dict[tuple[str, str], list[int]] = {}
    for i, row in enumerate(rows):
        p = row.get("p")
        if row["level"] == "variant" and p is not None and math.isfinite(p):
            families.setdefault((row["fit"], row["direction"]), []).append(i)
    found: list[float | None] = [None] * len(rows)
    for members in families.values():
        rates: NDArray[np.float64] = false_discovery_control([rows[i]["p"] for i in members])
        for i, q in zip(members, rates, strict=True):
            found[i] = float(q)
    return found


def _said(one: Alteration) -> Row:
    return {"variant": one.name, "altered": one.altered, "kind": one.kind}


def _delta(found: Difference) -> Row:
    return {"delta": found.estimate, "low": found.low, "high": found.high, "p": found.p}


def _of_group(
    original: Interval,
    floor: Interval | None,
    members: Sequence[Alteration],
    fit: str,
    direction: str,
    facts: Mapping[str, Any],
) -> Row:
    return {
        **facts,
        "altered": members[0].altered,
        "fit": fit,
        "direction": direction,
        "score_original": original.estimate,
        "floor": floor and floor.estimate,
        "variants": len(members),
    }
