"""Perturbation of a store whose variants are known: equal, noise, a turned space, and some in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analyses.alignment import alignment
from analyses.perturbation import perturbation
from vdb.errors import InputError, NotFoundError, VdbError
from vdb.variants import define
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from vdb.database import Database

    Layers = list[NDArray[np.floating]]

N, WIDTH = 240, 6
GIVEN: dict[str, Any] = {"vision_layer": 1, "language_layer": 1, "kept": False}
KINDS = {"same": "appearance", "little": "appearance", "turned": "semantic", "noise": "semantic"}


def write(db: Database, space: str, variant: str, vectors: Mapping[str, Layers]) -> None:
    with SpaceWriter(db.space(space)) as writer:
        block = np.stack([np.concatenate(one) for one in vectors.values()]).astype(np.float32)
        writer.write([Row(one, None, variant) for one in vectors], block)


def build(make_store: Callable[..., Database], place: Any) -> Database:
    """Layer 0 is noise; layer 1 of a caption is that of its image, rotated, plus noise; images have variants."""
    rng = np.random.default_rng(5)
    rotation, turn = (np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0] for _ in range(2))
    latent = {f"img-{i:03d}": rng.standard_normal(WIDTH) for i in range(N)}
    eye = {one: [rng.standard_normal(3), x] for one, x in latent.items()}
    tongue, pairs = {}, []
    for one, x in latent.items():
        caption = one.replace("img", "cap")
        noisy = x + 0.7 * rng.standard_normal(WIDTH)
        tongue[caption] = [rng.standard_normal(3), noisy @ rotation]
        pairs.append((one, caption))
    db = make_store(place, eye=eye, tongue=tongue, pairs=pairs)

    def changed(how: Callable[[NDArray[np.floating]], NDArray[np.floating]]) -> dict[str, Layers]:
        return {one: [first, how(second)] for one, (first, second) in eye.items()}

    write(db, "eye", "same", eye)
    write(db, "eye", "little", changed(lambda x: x + 0.5 * rng.standard_normal(WIDTH)))
    write(db, "eye", "turned", changed(lambda x: x @ turn))
    write(db, "eye", "noise", changed(lambda _: rng.standard_normal(WIDTH)))
    some = dict(list(changed(lambda x: x).items())[:160])
    write(db, "eye", "some", some)
    write(db, "tongue", "said-so", tongue)
    write(
        db,
        "tongue",
        "babble",
        {one: [x[0], rng.standard_normal(WIDTH)] for one, x in tongue.items()},
    )
    for name, kind in KINDS.items():
        define(db, name, "image", kind, {"made": "for a test"}, f"print of {name}", "a test")
    return db


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]) -> Database:
    return build(make_store, tmp_path_factory.mktemp("perturbed") / "s")


@pytest.fixture(scope="module")
def frame(db: Database) -> pl.DataFrame:
    return perturbation(db, "eye", "tongue", **GIVEN)


def cell(frame: pl.DataFrame, variant: str, fit: str, **also: Any) -> pl.DataFrame:
    return frame.filter(scope="cell", variant=variant, fit=fit, **also)


@pytest.mark.parametrize("fit", ["transfer", "refit"])
@pytest.mark.parametrize("variant", ["same", "some", "said-so"])
def test_vectors_that_did_not_change_cost_nothing(
    frame: pl.DataFrame, variant: str, fit: str
) -> None:
    rows = cell(frame, variant, fit)
    assert set(rows["direction"]) == {"vision->language", "language->vision"}
    for column in ("delta", "low", "high"):
        assert rows[column].to_list() == pytest.approx([0, 0], abs=1e-6)
    assert rows["retained"].to_list() == pytest.approx([1, 1], abs=1e-5)
    maps = frame.filter(scope="map", variant=variant, fit=fit)
    assert len(maps) == 2 * 2 * 2
    assert maps["delta"].to_list() == pytest.approx([0] * 8, abs=1e-6)


@pytest.mark.parametrize("fit", ["transfer", "refit"])
@pytest.mark.parametrize("variant", ["noise", "babble"])
def test_noise_collapses_to_the_mismatched_floor(
    frame: pl.DataFrame, variant: str, fit: str
) -> None:
    for row in cell(frame, variant, fit).iter_rows(named=True):
        assert row["score_altered"] == pytest.approx(0, abs=0.12)
        assert row["floor"] == pytest.approx(0, abs=0.12)
        assert row["delta"] == row["score_altered"] - row["score_original"]
        assert row["high"] < -0.4
        assert row["p"] == pytest.approx(2 / 1001)
        assert row["retained_low"] < 0.1 < row["score_original"]
        assert row["retained"] == pytest.approx(
            (row["score_altered"] - row["floor"]) / (row["score_original"] - row["floor"])
        )


def test_a_turned_space_keeps_all_when_refitted_and_nothing_of_the_old_map(
    frame: pl.DataFrame,
) -> None:
    """Ridge does not see a rotation but for the scaling of units: least squares with 192 rows on 6 units."""
    refit, transfer = (cell(frame, "turned", fit) for fit in ("refit", "transfer"))
    images = refit.filter(direction="vision->language")
    assert images["delta"].item() == pytest.approx(0, abs=0.01)
    assert images["retained"].item() == pytest.approx(1, abs=0.02)
    assert (transfer["high"] < -0.3).all()


def test_the_closed_form_of_added_noise(frame: pl.DataFrame) -> None:
    """Image x, caption (x + 0.7 e) R, altered image x + 0.5 f: r = 1 / sqrt((1 + .49) (1 + .25))."""
    for fit in ("transfer", "refit"):
        for row in cell(frame, "little", fit, direction="vision->language").iter_rows(named=True):
            assert row["score_original"] == pytest.approx(1 / np.sqrt(1.49), abs=0.05)
            assert row["score_altered"] == pytest.approx(1 / np.sqrt(1.49 * 1.25), abs=0.06)
            assert row["low"] < row["delta"] < row["high"] < 0


def test_the_maps_are_those_of_alignment(db: Database, frame: pl.DataFrame) -> None:
    keys = ["direction", "vision_layer", "language_layer"]
    expected = alignment(db, "eye", "tongue", controls=(), kept=False).select(*keys, "score")
    for variant in ("noise", "babble"):
        maps = frame.filter(scope="map", variant=variant)
        joined = maps.join(expected, on=keys, how="left")
        assert len(joined) == 2 * 8
        assert joined["score_original"].to_list() == pytest.approx(
            joined["score"].to_list(), abs=1e-6
        )
    at = pl.col("vision_layer").eq(1) & pl.col("language_layer").eq(1)
    both = ["variant", "fit", "direction"]
    whole = frame.filter((pl.col("scope") == "map") & at).select(*both, map="delta")
    joined = frame.filter(scope="cell", level="variant").join(whole, on=both)
    assert len(joined) == 7 * 2 * 2
    assert joined["delta"].to_list() == pytest.approx(joined["map"].to_list(), abs=1e-6)


def test_left_out_rows_are_counted(frame: pl.DataFrame) -> None:
    told = (
        frame.filter(scope="cell", level="variant")
        .group_by("variant")
        .agg(pl.col("n").unique(), pl.col("left_out").unique())
    )
    counted = {variant: (*n, *left) for variant, n, left in told.iter_rows()}
    assert counted == {
        **dict.fromkeys(["same", "little", "turned", "noise", "said-so", "babble"], (N, 0)),
        "some": (160, N - 160),
    }


def test_kinds_are_compared_on_the_rows_that_all_variants_have(
    db: Database, frame: pl.DataFrame
) -> None:
    images = frame.filter(level="group", altered="images")
    assert set(images["variant"]) == {"appearance", "semantic", "unsaid"}
    assert set(images["n"]) == {160}
    few = perturbation(db, "eye", "tongue", variants=list(KINDS), **GIVEN)
    at = {"scope": "cell", "direction": "vision->language", "fit": "refit"}
    delta = dict(few.filter(level="variant", **at).select("variant", "delta").iter_rows())
    group = dict(
        few.filter(pl.col("level").is_in(["group", "difference"]), **at)
        .select("variant", "delta")
        .iter_rows()
    )
    appearance = (delta["same"] + delta["little"]) / 2
    semantic = (delta["turned"] + delta["noise"]) / 2
    assert group == pytest.approx(
        {
            "appearance": appearance,
            "semantic": semantic,
            "semantic - appearance": semantic - appearance,
        }
    )
    [difference] = few.filter(level="difference", **at).iter_rows(named=True)
    assert difference["low"] < difference["delta"] < difference["high"] < 0
    assert set(few.filter(level="group")["n"]) == {N}
    assert set(few.filter(level="group")["variants"]) == {2}


def test_rates_are_those_of_the_variants_of_one_fit_and_direction(frame: pl.DataFrame) -> None:
    from scipy.stats import false_discovery_control  # noqa: PLC0415

    assert frame.filter(pl.col("level") != "variant")["q"].null_count() > 0
    rows = frame.filter(scope="cell", level="variant")
    families = rows.partition_by("fit", "direction")
    assert len(families) == 4
    for family in families:
        expected = false_discovery_control(family["p"].to_list())
        assert family["q"].to_list() == pytest.approx(expected.tolist())


def test_what_mismatched_pairs_lose_is_all_there_is_to_lose(frame: pl.DataFrame) -> None:
    floor = frame.filter(level="control")
    assert set(floor["control"]) == {"mismatched"}
    assert len(floor) == 2
    assert floor["score_altered"].to_list() == floor["floor"].to_list()
    assert (floor["high"] < -0.5).all()


def test_both_sides_at_once(db: Database) -> None:
    asked = ["noise+babble", "little+said-so", "same"]
    found = perturbation(db, "eye", "tongue", variants=asked, **GIVEN)
    single = perturbation(db, "eye", "tongue", variants=["little"], **GIVEN)
    told = found.filter(level="variant", scope="cell").select("variant", "altered").unique()
    assert dict(told.iter_rows()) == {
        "noise+babble": "both",
        "little+said-so": "both",
        "same": "images",
    }
    for fit in ("transfer", "refit"):
        ours = cell(found, "little+said-so", fit)["delta"].to_list()
        assert ours == pytest.approx(cell(single, "little", fit)["delta"].to_list(), abs=1e-6)
        assert (cell(found, "noise+babble", fit)["high"] < -0.4).all()


def test_a_metric_that_fits_no_map_is_recomputed(db: Database) -> None:
    found = perturbation(
        db, "eye", "tongue", metric="mutual-knn", variants=["same", "turned", "noise"], **GIVEN
    )
    assert set(found["fit"]) == {"recomputed"}
    assert set(found["direction"]) == {"symmetric"}
    rows = found.filter(scope="cell", level="variant")
    deltas = dict(rows.select("variant", "delta").iter_rows())
    assert deltas["same"] == 0
    assert deltas["turned"] == pytest.approx(0, abs=1e-6)  # k-NN does not see a rotation
    assert deltas["noise"] < -0.1
    with pytest.raises(InputError, match=r"mutual-knn: no map is fitted .* ask for --fit refit"):
        perturbation(db, "eye", "tongue", metric="mutual-knn", fit="transfer", **GIVEN)


def test_the_cell_is_chosen_on_originals_that_are_not_scored(db: Database) -> None:
    found = perturbation(db, "eye", "tongue", variants=["noise", "some"], fit="refit", kept=False)
    rows = found.filter(scope="cell")
    assert set(rows["vision_layer"]) == set(rows["language_layer"]) == {1}
    assert set(rows["cell_rule"]) == {"best of the originals on 120 other groups"}
    assert set(rows["vision_layer_name"]) == {"blocks.1"}
    noise = rows.filter(variant="noise")
    assert set(noise["n"]) == {120}
    some = rows.filter(variant="some").row(0, named=True)
    assert some["n"] + some["left_out"] == 120
    assert set(found.filter(scope="map", variant="noise")["n"]) == {N}


def test_the_answer_is_found_again_as_it_was(
    tmp_path: Any, make_store: Callable[..., Database]
) -> None:
    db = build(make_store, tmp_path / "s")
    asked: dict[str, Any] = {**GIVEN, "kept": True, "variants": ["little", "noise"]}
    first = perturbation(db, "eye", "tongue", **asked)
    assert set(db.pictures().collect()["name"]) == {"deltas", "maps"}
    again = perturbation(db, "eye", "tongue", **asked)
    assert_frame_equal(first, again)
    assert len(db.runs().collect()) == 1
    assert_frame_equal(first, perturbation(db, "eye", "tongue", **asked, force=True))
    perturbation(db, "eye", "tongue", **{**asked, "seed": 1})
    assert len(db.runs().collect()) == 3


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"variants": ["nois"]}, NotFoundError, "no variant 'nois' in space 'eye' or 'tongue'"),
        (
            {"variants": ["noise+babbel"]},
            NotFoundError,
            "'babbel' in space 'tongue'; did you mean babble",
        ),
        ({"variants": ["original"]}, InputError, "every other variant is compared with it"),
        (
            {"variants": ["babble"], "altered": "images"},
            NotFoundError,
            "no variant 'babble' in space 'eye'",
        ),
        ({"variants": ["noise+babble"], "altered": "images"}, InputError, "alters both sides"),
        ({"altered": "both"}, InputError, "no variant of both sides at once is stored"),
        ({"altered": "image"}, NotFoundError, "did you mean images"),
        ({"fit": "transfers"}, NotFoundError, "did you mean transfer"),
        ({"language_layer": None}, InputError, "name both"),
        ({"vision": "tongue"}, InputError, "--vision tongue"),
        ({"variants": ["some"], "folds": 100}, InputError, "some: 100 folds of 160 items"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    db: Database, wrong: dict[str, Any], kind: type[VdbError], message: str
) -> None:
    asked = {"vision": "eye", "language": "tongue", **GIVEN, **wrong}
    with pytest.raises(kind, match=message) as caught:
        perturbation(db, **asked)
    assert "\n" not in str(caught.value)
