"""``vdb analyze metrics``: all of the registry, short for people and whole for programs."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from analyses.metrics.registry import METRICS, choose_metric

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_the_table_names_every_metric_with_its_settings(vdb_command: Callable[..., Any]) -> None:
    header, _, *rows = vdb_command("analyze", "metrics").out.splitlines()
    assert header.split() == ["name", "title", "range", "directions", "settings"]
    assert [row.split()[0] for row in rows] == list(METRICS)
    for row, metric in zip(rows, METRICS.values(), strict=True):
        assert metric.title in row
        assert ("both" if metric.directional else "symmetric") in row.split()
        # What stands there can be typed as it stands, and is the default.
        assert choose_metric(f"{metric.name}:{row.split()[-1]}").name == metric.name


def test_json_holds_the_registry_whole(vdb_command: Callable[..., Any]) -> None:
    told = json.loads(vdb_command("analyze", "metrics", "--format", "json").out)
    assert [row["name"] for row in told] == list(METRICS)
    for row in told:
        metric = METRICS[row["name"]]
        for fact in ("title", "permutations", "bias", "correction", "source"):
            assert row[fact] == getattr(metric, fact)
        assert tuple(row["directions"]) == metric.directions
        ends = (row["lowest"], row["highest"])
        assert [float("-inf") if end is None else end for end in ends] == list(metric.range)
        for choice in row["choices"]:
            key, _, values = choice.partition("=")
            parameter = metric.parameters[key]
            assert f"{key}={parameter.default}" in row["settings"]
            assert not parameter.choices or tuple(values.split("|")) == parameter.choices


def test_csv_has_a_row_for_each_metric(vdb_command: Callable[..., Any]) -> None:
    rows = list(
        csv.DictReader(io.StringIO(vdb_command("analyze", "metrics", "--format", "csv").out))
    )
    assert [row["name"] for row in rows] == list(METRICS)
    assert rows[list(METRICS).index("cka")]["invariances"] == "; ".join(METRICS["cka"].invariances)


@pytest.mark.parametrize("name", METRICS)
def test_one_metric_is_told_whole_and_its_example_can_be_typed(
    name: str, vdb_command: Callable[..., Any]
) -> None:
    answer = vdb_command("analyze", "metrics", name)
    words = " ".join(answer.out.split())
    metric = METRICS[name]
    for fact in (metric.title, metric.bias, metric.correction, metric.source, *metric.invariances):
        assert " ".join(fact.split()) in words
    for key, parameter in metric.parameters.items():
        assert f"{key}={parameter.default}" in words
        assert parameter.summary in words
    assert max(map(len, answer.out.splitlines())) <= 100
    example = words.partition("--metric ")[2].split()[0]
    assert choose_metric(example).name == example != name


def test_one_metric_goes_to_a_file_and_settings_after_its_name_are_allowed(
    tmp_path: Path, vdb_command: Callable[..., Any]
) -> None:
    shown = vdb_command("analyze", "metrics", "rsa:distance=cosine").out
    assert vdb_command("analyze", "metrics", "rsa", "-o", tmp_path / "rsa.txt").out == ""
    assert (tmp_path / "rsa.txt").read_text() == shown


def test_a_near_miss_is_suggested(vdb_command: Callable[..., Any]) -> None:
    answer = vdb_command("analyze", "metrics", "rsaa")
    assert answer.code == 1
    assert answer.error == "no metric 'rsaa'; did you mean rsa?"
