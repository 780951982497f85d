"""``vdb analyze metrics``: what alignment can be measured by."""

from __future__ import annotations

import math
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import render
from cli.analyze.common import app
from cli.options import Format, Output, OutputFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from analyses.metrics.metric import Metric
    from vdb.settings import Parameter

_SHORT = ("name", "title", "range", "directions", "settings")
_WIDTH = 100


@app.command(epilog="Example: vdb analyze metrics rsa")
def metrics(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One of them, told whole; all by default."),
    ] = None,
    style: OutputFormat = Format.table,
    output: Output = None,
) -> None:
    """List the metrics that --metric takes: name, title, range, directions and settings with their defaults.

    The other formats, and the metric's NAME, tell its bias, what corrects it, what leaves it as it is and its source.
    """
    render.check(style, output)
    from analyses.metrics.registry import METRICS, choose_metric

    chosen = list(METRICS.values()) if name is None else [choose_metric(name).metric]
    if name is not None and style is Format.table:
        render.text(_whole(chosen[0]), output)
        return
    render.frame(_frame(chosen), style, output, _short(chosen))


def _frame(chosen: list[Metric]) -> pl.DataFrame:
    """Tell all of each metric; an end of a range that is open is null."""
    import polars as pl

    return pl.DataFrame(
        [
            {
                "name": metric.name,
                "title": metric.title,
                "lowest": _end(metric.range[0]),
                "highest": _end(metric.range[1]),
                "directions": list(metric.directions),
                "permutations": metric.permutations,
                "bias": metric.bias,
                "correction": metric.correction,
                "invariances": "; ".join(metric.invariances),
                "source": metric.source,
                "settings": _defaults(metric),
                "choices": [f"{key}={_choices(p)}" for key, p in metric.parameters.items()],
            }
            for metric in chosen
        ],
        schema_overrides={
            "lowest": pl.Float64,
            "highest": pl.Float64,
            **dict.fromkeys(("directions", "settings", "choices"), pl.List(pl.String)),
        },
    )


def _short(chosen: list[Metric]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(
        {name: [_told(metric)[name] for metric in chosen] for name in _SHORT},
        schema=dict.fromkeys(_SHORT, pl.String),
    )


def _told(metric: Metric) -> dict[str, str]:
    low, high = metric.range
    return {
        "name": metric.name,
        "title": metric.title,
        "range": f"{low:g} to {high:g}",
        "directions": "both" if metric.directional else "symmetric",
        "settings": ":".join(_defaults(metric)),
    }


def _whole(metric: Metric) -> str:
    """Tell one metric, a line or more a fact."""
    facts: Mapping[str, Any] = {
        **_told(metric),
        "directions": ", ".join(metric.directions),
        "permutations": f"{metric.permutations} by default",
        "bias": metric.bias,
        "correction": metric.correction,
        "invariant to": "; ".join(metric.invariances),
        "source": metric.source,
    }
    lines = [
        line for name, text in facts.items() if name != "settings" for line in _fact(name, text)
    ]
    return "\n".join([*lines, "", *_settings(metric)])


def _fact(name: str, text: str) -> list[str]:
    head = f"{name:<13} "
    return wrap(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))


def _settings(metric: Metric) -> Iterator[str]:
    """Tell the settings as they are written, with their defaults and what else each may be."""
    if not metric.parameters:
        yield "no settings"
        return
    yield f"settings, as in --metric {_example(metric)}"
    width = max(len(default) for default in _defaults(metric))
    for default, parameter in zip(_defaults(metric), metric.parameters.values(), strict=True):
        yield f"  {default:<{width}}  {_choices(parameter)}; {parameter.summary}"


def _example(metric: Metric) -> str:
    """Write the metric with a setting that is not the default."""
    key, parameter = next(iter(metric.parameters.items()))
    others = [choice for choice in parameter.choices if choice != parameter.default]
    value = others[0] if others else 2 * int(parameter.default or 10)
    return f"{metric.name}:{key}={value}"


def _defaults(metric: Metric) -> list[str]:
    return [f"{key}={parameter.default}" for key, parameter in metric.parameters.items()]


def _choices(parameter: Parameter) -> str:
    """Say what a setting may be.

    >>> from vdb.settings import Parameter
    >>> _choices(Parameter("yes", "", choices=("yes", "no"))), _choices(Parameter(10, "", low=1))
    ('yes|no', '1 or more')
    """
    if parameter.choices:
        return "|".join(parameter.choices)
    low, high = parameter.low, parameter.high
    if high is not None:
        return f"up to {high:g}" if low is None else f"{low:g} to {high:g}"
    if low is not None:
        return f"{low:g} or more"
    return "any text" if isinstance(parameter.default, str) else "any number"


def _end(value: float) -> float | None:
    return value if math.isfinite(value) else None
