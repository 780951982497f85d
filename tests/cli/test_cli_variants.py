"""``vdb variants``: the list, one before and after, and the variants that other packages bring."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

import vdb
from ingest.variants import VARIANTS, all_variants
from vdb import items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vdb.database import Database

    Command = Callable[..., Any]

MIRROR = """
from PIL import Image
from ingest.variants import Variant

def mirror(item, rng):
    return item.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)

MIRROR = Variant("mirror-of-mine", "image", "appearance", "Left and right exchanged.", mirror)
"""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def db(make_study: Callable[..., Database], tmp_path: Path) -> Database:
    return make_study(tmp_path / "study", 12)


@pytest.fixture
def make_segments() -> Callable[..., None]:
    """Add things of some categories to images, as masks of one pixel."""

    def make(db: Database, of: dict[str, list[str]]) -> None:
        rows = [
            {"image_id": image, "segment_id": category, "category": category}
            for image, categories in of.items()
            for category in categories
        ]
        told = {
            "segmentation": pl.lit("panoptic"),
            "is_thing": pl.lit(value=True),
            "is_crowd": pl.lit(value=False),
            "height": pl.lit(1),
            "width": pl.lit(1),
            "counts": pl.lit("01"),
            "dataset": pl.lit("study"),
            "source": pl.lit("test"),
        }
        items.add(db, {"segments": pl.DataFrame(rows).with_columns(**told)})

    return make


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a distribution that offers variants: a module and its ``dist-info``, as pip leaves them."""

    def installed(module: str, source: str, *offered: str) -> None:
        site = tmp_path / "site-packages"
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = [f"{i} = {module}:{name}" for i, name in enumerate(offered)]
        (info / "entry_points.txt").write_text("\n".join(["[vdb.variants]", *lines, ""]))
        monkeypatch.syspath_prepend(site)
        all_variants.cache_clear()

    yield installed
    all_variants.cache_clear()
    for name in ("vdb_mirror", "vdb_broken"):
        sys.modules.pop(name, None)


def test_every_variant_is_listed_without_a_store(vdb_command: Command, tmp_path: Path) -> None:
    rows = json.loads(vdb_command("variants", "--format", "json").out)
    assert [row["name"] for row in rows] == list(VARIANTS)
    for row in rows:
        variant = VARIANTS[row["name"]]
        assert (row["modality"], row["kind"]) == (variant.modality, variant.kind)
        assert (row["summary"], row["ready_made"]) == (variant.summary, False)
        assert row["needs"] == sorted(variant.needs)
        settings = [f"{name}={one.default}" for name, one in variant.parameters.items()]
        assert row["parameters"] == settings
    table = vdb_command("variants").out.splitlines()
    assert table[0].split() == ["name", "modality", "kind", "needs", "parameters", "summary"]
    assert len(table) == len(VARIANTS) + 2
    assert not (tmp_path / "study").exists()


def test_what_lies_ready_in_the_store_comes_last(db: Database, vdb_command: Command) -> None:
    row = ("cap-00001", "paraphrase", "other words", "study", "test")
    columns = ["caption_id", "variant", "text", "dataset", "source"]
    items.add(db, {"caption_variants": pl.DataFrame([row], schema=columns, orient="row")})
    rows = json.loads(vdb_command("variants", "--db", db.uri, "--format", "json").out)
    assert len(rows) == len(VARIANTS) + 1
    last = rows[-1]
    assert (last["name"], last["modality"], last["ready_made"]) == ("paraphrase", "text", True)
    answer = vdb_command("variants", "show", "paraphrase", "--id", "cap-00001", "--db", db.uri)
    assert answer.out.splitlines()[1] == "altered   other words"
    answer = vdb_command("variants", "show", "paraphrase", "--id", "cap-00002", "--db", db.uri)
    assert answer.code == 1
    assert "no ready-made 'paraphrase' of it" in answer.error


def test_an_image_is_shown_before_and_after(
    db: Database, vdb_command: Command, tmp_path: Path
) -> None:
    place = tmp_path / "sheet.png"
    command = ("variants", "show", "brightness", "--id", "img-00002", "--db", db.uri)
    answer = vdb_command(*command, "--output", place)
    assert (answer.code, answer.err) == (0, f"wrote {place}\n")
    assert vdb_command(*command).err == "wrote brightness-img-00002.png\n"
    assert (tmp_path / "brightness-img-00002.png").read_bytes() == place.read_bytes()
    with Image.open(place) as opened:
        assert opened.format == "PNG"
        pixels = np.asarray(opened.convert("RGB"), float)
    [uri] = db.images().filter(pl.col("image_id") == "img-00002").collect()["uri"]
    with Image.open(uri) as opened:
        photo = np.asarray(opened.convert("RGB"))
    # The photo itself, enlarged by whole pixels, lies somewhere on the left.
    enlarged = photo.repeat(480 // max(photo.shape), 0).repeat(480 // max(photo.shape), 1)
    tall, wide = enlarged.shape[:2]
    spots = np.argwhere((pixels == enlarged[0, 0]).all(2))
    found = [
        x
        for y, x in spots
        if np.array_equal(pixels[y : y + tall, x : x + wide], enlarged.astype(float))
    ]
    assert len(found) == 1
    assert found[0] < pixels.shape[1] / 4


def test_a_caption_is_shown_as_two_lines(
    db: Database, vdb_command: Command, tmp_path: Path
) -> None:
    [text] = db.captions().filter(pl.col("caption_id") == "cap-00003").collect()["text"]
    command = ("variants", "show", "uppercase", "--id", "cap-00003", "--db", db.uri)
    answer = vdb_command(*command)
    assert answer.code == 0
    assert answer.out == f"original  {text}\naltered   {text.upper()}\n"
    place = tmp_path / "texts.txt"
    assert vdb_command(*command, "--output", place).out == ""
    assert place.read_text() == answer.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("grayscale", "--id", "img-0002"), "no image 'img-0002' for variant 'grayscale'; did you"),
        (("uppercase", "--id", "cap-0003"), "no caption 'cap-0003' for variant 'uppercase'; did"),
        (("grayscal", "--id", "img-00002"), "no variant 'grayscal'; did you mean grayscale"),
        (("original", "--id", "img-00002"), "'original' alters nothing"),
        (
            ("things-only", "--id", "img-00002"),
            "'img-00002' cannot have 'things-only': no masks in the",
        ),
        (("grayscale", "--id", "cap-00002"), "'cap-00002' is a caption; grayscale alters images"),
        (("uppercase", "--id", "img-00002"), "'img-00002' is an image; uppercase alters captions"),
        (("grayscale,blur", "--id", "img-00002"), "stands for several variants; name one of blur"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    arguments: tuple[str, ...], words: str, db: Database, vdb_command: Command
) -> None:
    answer = vdb_command("variants", "show", *arguments, "--db", db.uri)
    assert answer.code == 1
    assert words in answer.error


def test_the_categories_of_the_very_image_are_named(
    db: Database, make_segments: Callable[..., None], vdb_command: Command
) -> None:
    make_segments(db, {"img-00002": ["dog", "cup"], "img-00003": ["kite"], "img-00004": []})
    show = ("variants", "show", "object-removed:which=each", "--db", db.uri, "--id")
    named = "name one of object-removed:which=cup, object-removed:which=dog"
    assert vdb_command(*show, "img-00002").error.endswith(named)
    no_thing = vdb_command(*show, "img-00004")
    assert (no_thing.code, "'img-00004' has no thing with a mask" in no_thing.error) == (1, True)


def test_a_package_s_own_variant_is_listed_and_ingested(
    db: Database, vdb_command: Command, install: Callable[..., None], tiny_vision: Path
) -> None:
    install("vdb_mirror", MIRROR, "MIRROR")
    rows = json.loads(vdb_command("variants", "--format", "json").out)
    assert rows[-1]["name"] == "mirror-of-mine"
    answer = vdb_command(
        *("ingest", "--model", tiny_vision, "--device", "cpu", "--db", db.uri),
        *("--variant", "original,horizontal-flip,mirror-of-mine"),
    )
    assert answer.code == 0
    space = vdb.open(db.uri).space("tiny-vit")
    assert space.counts() == {"original": 12, "horizontal-flip": 12, "mirror-of-mine": 12}
    read = [space.matrix(variant=one).values.astype(float) for one in space.counts()]
    original, flipped, mine = read
    # The same pixels at another place in the batch: equal but for float16's rounding.
    rounding = 2e-3 * np.abs(flipped).max()
    np.testing.assert_allclose(mine, flipped, rtol=0, atol=rounding)
    assert np.abs(original - flipped).max() > 50 * rounding


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nowhere_at_all", "cannot be loaded: No module named 'nowhere_at_all'"),
        ("MINE = 3", "is no Variant"),
        (MIRROR.replace("mirror-of-mine", "blur") + "MINE = MIRROR", "'blur': that name is taken"),
    ],
)
def test_a_broken_one_is_one_line(
    source: str,
    words: str,
    db: Database,
    vdb_command: Command,
    install: Callable[..., None],
    tiny_vision: Path,
) -> None:
    install("vdb_broken", source, "MINE")
    ingested = ("ingest", "--model", tiny_vision, "--db", db.uri, "--variant", "grayscale")
    for command in (("variants",), ingested):
        answer = vdb_command(*command)
        assert answer.code == 1
        assert "vdb_broken:MINE" in answer.error
        assert words in answer.error
    assert db.spaces().collect().is_empty()
