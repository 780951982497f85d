"""What the pictures ask of a frame, and the words they put on what they find there.

A chart names columns of our own choosing only; whatever a user named (a space, a layer) stays a value, so that no
name, however odd, is ever read as a field, an expression or markup.
"""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from vdb.errors import VdbError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

TIMES: Final = "\N{MULTIPLICATION SIGN}"
"""Between the two spaces of a pair."""
DIRECTIONS: Final = {
    "vision->language": "vision → language",
    "language->vision": "language → vision",
    "symmetric": "both directions at once",
}
CONTROLS: Final = {
    "none": "",
    "bag-of-words": "bag of words",
    "mismatched": "mismatched",
    "diluted": "diluted",
}

_DASHES: Final[tuple[list[float], ...]] = (
    [5, 3],
    [1.5, 2.5],
    [9, 3, 1.5, 3],
    [14, 4],
    [9, 2, 1.5, 2, 1.5, 2],
    [3, 7],
)


def checked(frame: pl.DataFrame, columns: Collection[str], picture: str) -> pl.DataFrame:
    """Return ``frame`` if ``picture`` can be drawn of it.

    Raises
    ------
    VdbError
        If a column is missing, no row is there, a score is not a finite number, or two metrics would share one
        scale.
    """
    missing = sorted(set(columns) - set(frame.columns))
    if missing:
        raise VdbError(
            f"{picture}: the frame has no column {', '.join(missing)}; give an analysis's own frame"
        )
    if frame.is_empty():
        raise VdbError(f"{picture}: the frame has no rows; run the analysis first")
    bad = frame.filter(~pl.col("score").is_finite().fill_null(value=False))
    if not bad.is_empty():
        row = bad.row(0, named=True)
        raise VdbError(
            f"{picture}: {bad.height} scores are not finite, the first of {row['vision']} x {row['language']}, "
            f"layers {row['vision_layer']} and {row['language_layer']}; run the analysis again"
        )
    metrics = frame["metric"].unique().sort().to_list()
    if len(metrics) > 1:
        raise VdbError(
            f"{picture}: the metrics {', '.join(metrics)} cannot share one scale; filter on one of them"
        )
    return frame


def peak(cells: pl.DataFrame) -> dict[str, Any]:
    """Return the row with the highest score; of equals, the one with the earliest layers."""
    order = cells.sort("score", "vision_layer", "language_layer", descending=[True, False, False])
    return order.row(0, named=True)


def score_domain(*values: pl.Series) -> list[float]:
    """Span all ``values`` and zero: a scale that never hides where no alignment is."""
    present = pl.concat([series.drop_nulls().cast(pl.Float64) for series in values])
    low, high = float(present.min() or 0.0), float(present.max() or 0.0)  # type: ignore[arg-type]
    return [min(low, 0.0), high if high > 0.0 else max(low, 0.0) + 1e-9]


def score_title(metric: str) -> str:
    """Return what an axis or a sentence calls a score: a metric's title with its settings, or the name given.

    >>> score_title("rsa:distance=cosine"), score_title("of-another-vdb")
    ('RSA (distance=cosine)', 'of-another-vdb')
    """
    from analyses.metrics.registry import choose_metric  # noqa: PLC0415 - it loads torch

    try:
        return choose_metric(metric).title
    except VdbError:
        return metric


def series_name(row: Mapping[str, Any]) -> str:
    r"""Name the line or map of a row: the two spaces, and the control where it is one.

    >>> print(ascii(series_name({"vision": "vit", "language": "gpt", "control": "mismatched"})))
    'vit \xd7 gpt, mismatched'
    """
    control = CONTROLS.get(row["control"], row["control"])
    if row["control"] == "bag-of-words":
        return f"{row['vision']} {TIMES} {control}"
    name = f"{row['vision']} {TIMES} {row['language']}"
    return f"{name}, {control}" if control else name


def is_control(row: Mapping[str, Any], untrained: Collection[str]) -> bool:
    """Tell whether a row is a control: of another kind than ``none``, or of an untrained space."""
    return row["control"] != "none" or row["vision"] in untrained or row["language"] in untrained


def in_order(values: Sequence[str], order: Collection[str]) -> list[str]:
    """Return the distinct ``values``: those in ``order`` as it has them, then the others by name."""
    return [v for v in order if v in values] + sorted(set(values) - set(order))


def dashes(count: int) -> list[list[float]]:
    """Return ``count`` dash patterns, distinct for the first six."""
    return list(islice(cycle(_DASHES), count))
