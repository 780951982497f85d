"""What a number was computed on: rows are compared only where all of it is the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

SETTINGS: Final = (
    "n",
    "groups",
    "folds",
    "seed",
    "captions",
    "draws",
    "cell",
    "datasets",
)
"""Items, folds and choices; a frame has those that its analysis knows."""

_ALL: Final = "all"

_MARKS: Final = ("question", "columns", "notices")
"""What keeping an answer enters among the parameters of its run."""


class Compared(NamedTuple):
    """The controls of one question.

    Attributes
    ----------
    there : mapping of str to pl.DataFrame
        Rows of each control that was run on the same items under the same settings.
    elsewhere : tuple of str
        Controls that exist, but were run on other items or settings only.
    """

    there: Mapping[str, pl.DataFrame]
    elsewhere: tuple[str, ...]


def settings(frame: pl.DataFrame) -> list[str]:
    """Name the columns of a frame that say what its numbers were computed on."""
    return [name for name in SETTINGS if name in frame.columns]


def with_settings(rows: pl.DataFrame) -> pl.DataFrame:
    """Add what rows do not say themselves: data sets (off the run), the layers if given, all k of a curve's run."""
    told = [json.loads(text).get("datasets") for text in rows["parameters"]]
    names = [", ".join(sorted(some)) if some else _ALL for some in told]
    rows = rows.with_columns(datasets=pl.Series(names, dtype=pl.String)).drop("parameters")
    if "cell_rule" in rows.columns and "vision_layer" in rows.columns:
        given = pl.format("given: {} and {}", "vision_layer", "language_layer")
        rows = rows.with_columns(
            cell=pl.when(pl.col("cell_rule") == "given").then(given).otherwise("cell_rule")
        )
    if "k" in rows.columns:
        ks = rows.group_by("run_id").agg(
            ks=pl.col("k").unique().sort().cast(pl.String).str.join(", ")
        )
        rows = rows.join(ks, on="run_id", maintain_order="left")
    return rows


def with_asked(rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``asked``: the parameters of each row's run as JSON, without the marks that running it left among them."""
    told = {text: _asked(text) for text in rows["parameters"].unique()}
    return rows.with_columns(
        asked=pl.col("parameters").replace_strict(told, return_dtype=pl.String)
    )


def _asked(parameters: str) -> str:
    entered = json.loads(parameters)
    return json.dumps({k: v for k, v in entered.items() if k not in _MARKS}, sort_keys=True)


def without(asked: pl.Series, names: Collection[str]) -> list[str]:
    """Leave some parameters out of what was asked."""
    told = [{k: v for k, v in json.loads(text).items() if k not in names} for text in asked]
    return [json.dumps(one, sort_keys=True) for one in told]


def differing(asked: Sequence[str]) -> dict[str, str]:
    """Tell of several questions in what each differs from the others; the empty word where there is one alone."""
    every = {text: json.loads(text) for text in asked}
    names = dict.fromkeys(name for one in every.values() for name in one)
    parted = [
        name for name in names if len({json.dumps(one.get(name)) for one in every.values()}) > 1
    ]
    return {
        text: ", ".join(f"{name.replace('_', ' ')} {_value(one.get(name))}" for name in parted)
        for text, one in every.items()
    }


def _value(value: object) -> str:
    if value is None or value == []:
        return "not given"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def alike(main: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """Find the rows of one control that may stand beside ``main``; none where it was run otherwise.

    All settings are the same; a curve has both ends of ``main``'s, and of several such curves that with the same
    k, else the last, is taken whole.
    """
    head = main.row(0, named=True)
    same = candidates.filter(
        [pl.col(name).eq_missing(pl.lit(head[name])) for name in settings(main)]
    )
    if "k" not in main.columns or same.is_empty():
        return same
    ends = {main["k"].min(), main["k"].max()}
    runs = same.partition_by("run_id", maintain_order=True) if "run_id" in same.columns else [same]
    whole = [run for run in runs if ends <= set(run["k"].to_list())]
    if not whole:
        return same.clear()
    own = set(main["k"].to_list())
    return next((run for run in whole if set(run["k"].to_list()) == own), whole[-1])


def with_cell_kind(rows: pl.DataFrame) -> pl.DataFrame:
    """Add how a cell was come by, given, best or last: the first word of its rule; nothing where no rule is told."""
    if "cell_rule" not in rows.columns:
        return rows
    return rows.with_columns(cell_kind=pl.col("cell_rule").str.extract(r"^(\w+)"))


def lacking(found: Mapping[str, int], elsewhere: Collection[str], needed: Sequence[str]) -> str:
    """Say why a row cannot be held against its controls; empty where it can.

    Parameters
    ----------
    found : mapping of str to int
        Of each control how many answers were computed as the row was.
    elsewhere : collection of str
        Controls that were run otherwise only.
    needed : sequence of str
        What the names of the controls that must be there begin with.
    """
    said = [f"{name} was run on other items or settings" for name in elsewhere]
    said += [f"{name} was asked {count} times alike" for name, count in found.items() if count > 1]
    known = (*(name for name, count in found.items() if count), *elsewhere)
    missing = [name for name in needed if not any(one.startswith(name) for one in known)]
    if missing:
        said.append(f"there is no {' and no '.join(missing)} to compare with")
    return "; ".join(said)
