"""What an axis says of a score."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET

import polars as pl
import pytest

from analyses.metrics.registry import METRICS
from analyses.pictures import heatmap, render
from analyses.pictures.frames import score_title

CELL = {
    "vision": "vit",
    "language": "gpt",
    "control": "none",
    "direction": "symmetric",
    "vision_layer": 0,
    "language_layer": 0,
    "vision_layer_name": "a",
    "language_layer_name": "b",
    "vision_depth": 0.0,
    "language_depth": 0.0,
    "score": 0.5,
}


def texts(svg: bytes) -> list[str]:
    root = ET.fromstring(svg)  # noqa: S314 - made here
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", METRICS)
def test_an_axis_has_the_title_of_its_metric_and_what_was_set(name: str) -> None:
    assert METRICS[name].title in texts(
        render(heatmap(pl.DataFrame([{**CELL, "metric": name}]))).svg
    )


def test_a_title_tells_the_settings_that_are_not_the_default_and_keeps_an_unknown_name() -> None:
    assert score_title("mutual-knn:k=10") == "Mutual k-NN"
    assert score_title("mutual-knn:k=5:exclude_group=no") == "Mutual k-NN (k=5, exclude_group=no)"
    assert score_title("mutual-knn:k=zero") == "mutual-knn:k=zero"
    assert score_title("<b>") == "<b>"


def test_pictures_are_imported_without_what_computes() -> None:
    script = "import sys, analyses.pictures, analyses.report; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
