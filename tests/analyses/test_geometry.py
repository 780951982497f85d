"""Geometry on a store whose layers are known: planes in many units, layers that are constant, vectors that repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from analyses.geometry import geometry
from analyses.geometry.measures import OF_ALL, OF_NEIGHBOURS, moments, neighbours
from analyses.pictures.geometry import MEASURES, panels
from vdb.errors import InputError, NotFoundError, VdbError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdb.database import Database

N, TWINS = 150, 7
WIDTH = 12


def _layers(seed: int) -> list[np.ndarray]:
    """A plane, a layer that fills its units, a constant layer; the last rows of all repeat the first."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((WIDTH, 2)))[0]
    plane = rng.standard_normal((N, 2)) @ axes.T + 1
    full = rng.standard_normal((N, WIDTH))
    layers = [plane, full, np.full((N, WIDTH), 0.1)]
    for layer in layers:
        layer[-TWINS:] = layer[:TWINS]
    return [layer.astype(np.float32) for layer in layers]


EYE, TONGUE = _layers(0), _layers(1)[:2]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]) -> Database:
    images, captions = ([f"{kind}-{i:03d}" for i in range(N)] for kind in ("img", "cap"))
    return make_store(
        tmp_path_factory.mktemp("geometry") / "s",
        eye={one: [layer[i] for layer in EYE] for i, one in enumerate(images)},
        tongue={one: [layer[i] for layer in TONGUE] for i, one in enumerate(captions)},
        pairs=list(zip(images, captions, strict=True)),
        datasets=dict.fromkeys(images[:60] + captions[:40], "other"),
    )


@pytest.fixture(scope="module")
def frame(db: Database) -> pl.DataFrame:
    return geometry(db, ["eye", "tongue"], k=5, kept=False)


def _row(frame: pl.DataFrame, space: str, layer: int, measure: str) -> dict[str, Any]:
    mine = (pl.col("space") == space) & (pl.col("layer") == layer) & (pl.col("measure") == measure)
    return frame.filter(mine).row(0, named=True)


def test_a_row_a_layer_and_measure_equals_the_functions_on_the_arrays(frame: pl.DataFrame) -> None:
    assert len(frame) == (len(EYE) + len(TONGUE)) * (len(OF_ALL) + len(OF_NEIGHBOURS))
    assert set(frame["measure"]) == {*OF_ALL, *OF_NEIGHBOURS} == set(MEASURES)
    for space, layers in (("eye", EYE[:2]), ("tongue", TONGUE)):
        for index, layer in enumerate(layers):
            near = neighbours(torch.from_numpy(layer[: N - TWINS]), 5)
            expected = {name: of(near) for name, of in OF_NEIGHBOURS.items()}
            sums = moments(torch.from_numpy(layer))
            expected |= {name: of(sums) for name, of in OF_ALL.items()}
            for name, value in expected.items():
                row = _row(frame, space, index, name)
                assert row["value"] == pytest.approx(value.value, rel=1e-6), name
                assert (row["low"] is None) == (name != "two-nn")
                assert row["n"] == (N - TWINS if name in OF_NEIGHBOURS else N)
            assert row["items"] == N
            assert row["duplicates"] == TWINS
    assert _row(frame, "eye", 0, "participation-ratio")["value"] <= 2
    low, high = (_row(frame, "eye", 0, "two-nn")[name] for name in ("low", "high"))
    assert low < 2 < high
    assert set(frame.filter(pl.col("space") == "eye")["modality"]) == {"image"}
    assert set(frame.filter(pl.col("space") == "tongue")["modality"]) == {"text"}


def test_a_constant_layer_has_no_value_where_there_is_none(frame: pl.DataFrame) -> None:
    mine = frame.filter((pl.col("space") == "eye") & (pl.col("layer") == 2))
    known = set(mine.filter(pl.col("value").is_not_null())["measure"])
    assert known == {"norm", "norm-variation", "anisotropy"}
    assert set(mine["duplicates"]) == {N - 1}


def test_neighbours_of_many_items_are_those_of_a_sample_that_is_told(db: Database) -> None:
    told: list[str] = []

    class Listener:
        """Takes notes."""

        def task(self, *_: object, **__: object) -> Any:
            from vdb.progress import Silent  # noqa: PLC0415 - for this alone

            return Silent()

        def say(self, message: str) -> None:
            told.append(message)

    found = geometry(db, ["eye"], k=5, sample=50, seed=3, kept=False, progress=Listener())
    assert told == ["eye: neighbours of a sample of 50 of 150 items"]
    drawn = np.sort(np.random.default_rng(3).choice(N, 50, replace=False))
    chosen = np.unique(EYE[1][drawn], axis=0)
    row = _row(found, "eye", 1, "mle")
    assert (row["n"], row["sample"], row["seed"]) == (len(chosen), 50, 3)
    expected = OF_NEIGHBOURS["mle"](neighbours(torch.from_numpy(chosen), 5)).value
    assert row["value"] == pytest.approx(expected)
    assert _row(found, "eye", 1, "norm")["n"] == N
    assert not found.equals(geometry(db, ["eye"], k=5, sample=50, seed=4, kept=False))


def test_layers_and_data_sets_are_chosen(db: Database, frame: pl.DataFrame) -> None:
    found = geometry(db, ["tongue", "eye"], layers=["blocks.1", -1], k=5, kept=False)
    at = found.group_by("space", maintain_order=True).agg(pl.col("layer").unique().sort())
    assert at.to_dicts() == [{"space": "tongue", "layer": [1]}, {"space": "eye", "layer": [1, 2]}]
    mine = frame.filter((pl.col("space") == "tongue") & (pl.col("layer") == 1))
    assert_frame_equal(found.filter(pl.col("space") == "tongue"), mine)
    part = geometry(db, ["eye", "tongue"], datasets=["other"], k=5, kept=False)
    sizes = part.group_by("space", maintain_order=True).agg(pl.col("items").first())
    assert sizes["items"].to_list() == [60, 40]
    assert _row(part, "eye", 0, "norm")["value"] == pytest.approx(
        np.linalg.norm(EYE[0][:60], axis=1).mean(), rel=1e-6
    )


def test_an_answer_is_kept_with_its_picture_and_found_again(db: Database) -> None:
    given: dict[str, Any] = {"k": 4, "layers": [0, 1]}
    runs = db.runs().collect().height
    first = geometry(db, ["eye", "tongue"], **given)
    assert db.runs().collect().height == runs + 1
    assert_frame_equal(geometry(db, ["eye", "tongue"], **given), first)
    assert db.runs().collect().height == runs + 1
    assert_frame_equal(geometry(db, ["eye", "tongue"], **given, force=True), first)
    assert db.runs().collect().height == runs + 2
    geometry(db, ["eye", "tongue"], k=5, layers=[0, 1])
    assert db.runs().collect().height == runs + 3
    assert set(db.pictures().collect()["name"]) == {"layers"}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"spaces": []}, InputError, "no space given"),
        ({"spaces": ["ey"]}, NotFoundError, "did you mean eye"),
        ({"variant": "greyscale"}, NotFoundError, "no variant 'greyscale' in space 'eye'"),
        ({"layers": ["block.1"]}, NotFoundError, "did you mean blocks"),
        ({"datasets": ["othr"]}, NotFoundError, "did you mean other"),
        ({"k": 1}, InputError, "at least 2"),
        ({"k": 150}, InputError, "'eye' has 150 'original' vectors, too few for 150 neighbours"),
        ({"k": 60, "datasets": ["other"]}, InputError, "60 'original' vectors of other, too few"),
        ({"k": 20, "sample": 20}, InputError, "must be below --sample"),
    ],
)
def test_what_cannot_be_measured_is_refused_and_nothing_is_kept(
    db: Database, given: dict[str, Any], error: type[VdbError], message: str
) -> None:
    before = db.runs().collect().height
    with pytest.raises(error, match=message):
        geometry(db, **{"spaces": ["eye"], **given})
    assert db.runs().collect().height == before


def test_the_picture_has_a_panel_a_measure_and_a_gap_where_nothing_is_known(
    frame: pl.DataFrame,
) -> None:
    spec = panels(frame).to_dict()
    titles = [title.replace("k neighbours", "5 neighbours") for title in MEASURES.values()]
    assert [one["title"]["text"] for one in spec["concat"]] == titles
    assert spec["title"]["subtitle"] == [
        "all data sets",
        *(f"{name}: n {N} ({N - TWINS} for neighbours)" for name in ("eye", "tongue")),
    ]
    shown = [row for rows in spec["datasets"].values() for row in rows]
    gaps = {(row["space"], row["layer"]) for row in shown if row["value"] is None}
    assert gaps == {("eye", 2)}
    assert len(shown) == len(frame)
    assert "TwoNN" in spec["description"]
    few = frame.filter(pl.col("measure").is_in(["norm", "hubness"]))
    titles = [one["title"]["text"] for one in panels(few).to_dict()["concat"]]
    assert titles == [MEASURES["hubness"], MEASURES["norm"]]
    unequal = few.with_columns(n=pl.col("n") - (pl.col("space") == "eye"), datasets=pl.lit("other"))
    said = panels(unequal).to_dict()["title"]["subtitle"]
    assert said[0] == "other"
    assert said[-1].startswith("n differs")
    with pytest.raises(VdbError, match="no column depth"):
        panels(frame.drop("depth"))
    with pytest.raises(VdbError, match="no layer has a value"):
        panels(frame.filter(pl.col("value").is_null()))
