"""The reference of metrics says of each what the registry says, and says by hand when it misleads."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from analyses.metrics import METRICS, Metric

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def page() -> str:
    spec = importlib.util.spec_from_file_location(
        "metric_tables", DOCS / "_ext" / "metric_tables.py"
    )
    assert spec
    assert spec.loader
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    return str(extension.filled((DOCS / "reference" / "metrics.md").read_text(encoding="utf-8")))


def sections(page: str) -> dict[str, str]:
    parts = re.split(r"^##+ (.+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_has_a_section_with_all_its_facts(metric: Metric, page: str) -> None:
    section = sections(page)[metric.name]
    told = dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", section, re.MULTILINE))
    assert told["title"] == metric.title
    assert told["on independent data"] == metric.bias
    assert told["correction"] == metric.correction
    assert told["source"] == metric.source
    assert told["permutations by default"] == str(metric.permutations)
    assert told["unchanged by"].split("<br>") == list(metric.invariances)
    assert told["range"] == "{} to {:g}".format(
        "-∞" if metric.name == "r2" else f"{metric.range[0]:g}", metric.range[1]
    )
    assert len(told["directions"].split(", ")) == len(metric.directions)
    assert re.findall(r"`([\w-]+)=([^`]*)`", told["settings"]) == [
        (name, str(one.default)) for name, one in metric.parameters.items()
    ]
    for one in metric.parameters.values():
        assert one.summary in told["settings"]
        assert all(choice in told["settings"] for choice in one.choices)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_explained_by_hand(metric: str, page: str) -> None:
    section = sections(page)[metric]
    assert all(f"**{asked}.**" in section for asked in ("Asks", "Misleads", "Use it"))


def test_every_metric_is_in_the_overview_and_no_place_is_left_empty(page: str) -> None:
    told = re.findall(r"^\| \[`([\w-]+)`\]", page, re.MULTILINE)
    assert told == list(METRICS)
    assert "<!-- metric" not in page
