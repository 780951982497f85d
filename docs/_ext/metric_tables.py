"""Sphinx extension: the facts of metrics, generated from the registry at every build.

The line ``<!-- metrics -->`` of a page becomes a table of all metrics, and ``<!-- metric: NAME -->`` one of the facts
of a metric.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from analyses.metrics import METRICS

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from analyses.metrics import Metric
    from vdb.settings import Parameter

ALL = re.compile(r"^<!-- metrics -->$", re.MULTILINE)
ONE = re.compile(r"^<!-- metric: ([\w-]+) -->$", re.MULTILINE)


def overview() -> str:
    """Write the table of all metrics in Markdown."""
    rows = [
        f"| [`{one.name}`](#{one.name}) | {one.title} | {_range(one)} | {_directions(one)} | {one.permutations} |"
        for one in METRICS.values()
    ]
    head = [
        "| name | title | range | directions | permutations by default |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


def facts(name: str) -> str:
    """Write the facts of a metric in Markdown.

    Raises
    ------
    KeyError
        There is no such metric.
    """
    one = METRICS[name]
    told = {
        "title": one.title,
        "range": _range(one),
        "directions": _directions(one),
        "unchanged by": "<br>".join(one.invariances),
        "on independent data": one.bias,
        "correction": one.correction,
        "settings": "<br>".join(_setting(key, each) for key, each in one.parameters.items())
        or "none",
        "permutations by default": str(one.permutations),
        "source": one.source,
    }
    rows = [f"| {fact} | {value} |" for fact, value in told.items()]
    return "\n".join([f"| `{name}` | |", "|---|---|", *rows])


def _range(metric: Metric) -> str:
    low, high = ("-∞" if math.isinf(bound) else f"{bound:g}" for bound in metric.range)
    return f"{low} to {high}"


def _directions(metric: Metric) -> str:
    return ", ".join(direction.replace("->", " → ") for direction in metric.directions)


def _setting(name: str, one: Parameter) -> str:
    told = f"`{name}={one.default}` {one.summary}"
    if one.choices:
        return f"{told} ({', '.join(one.choices)})"
    if one.low is not None and one.high is not None:
        return f"{told} ({one.low:g} to {one.high:g})"
    return f"{told} (from {one.low:g})" if one.low is not None else told


def filled(text: str) -> str:
    """Put the tables where a page asks for them."""
    return ONE.sub(lambda found: facts(found[1]), ALL.sub(lambda _: overview(), text))


def fill(app: Sphinx, docname: str, source: list[str]) -> None:  # noqa: ARG001 - Sphinx's signature
    """Put the tables where a page asks for them."""
    source[0] = filled(source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
