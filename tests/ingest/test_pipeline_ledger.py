"""What cannot be stored goes to the ledger with its reason, and the rest goes on."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

import vdb
from ingest.encoders import Prepared
from ingest.pipeline.extract import ingest
from vdb import items
from vdb.errors import InputError, ModelError
from vdb.progress import Silent
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.pipeline.ledger import Ingested
    from vdb.database import Database

LAYERS = (Layer("blocks.0", 3, 0.0), Layer("blocks.1", 2, 1.0))


class Colours:
    """The mean colour of an image, twice; ``spoil`` may alter a batch's vectors, given the images' first pixels."""

    def __init__(
        self, spoil: Callable[[np.ndarray, Sequence[int]], np.ndarray] | None = None
    ) -> None:
        self.recipe = Recipe(
            model="colours",
            library="test",
            source="test/colours",
            revision="1",
            weights="pretrained",
            modality="image",
            pooling="mean",
            dtype="float32",
            stored_dtype="float32",
            layers=LAYERS,
        )
        self._spoil = spoil
        self.sizes: list[int] = []

    def prepare(self, item: Any) -> Prepared:
        return Prepared(np.asarray(item, np.float32) / 255)

    def encode(self, batch: Sequence[Prepared]) -> np.ndarray:
        self.sizes.append(len(batch))
        means = np.stack([1 + one.data.mean((0, 1)) for one in batch])
        block = np.concatenate([means, means[:, :2]], axis=1).astype(np.float32)
        first = [round(float(one.data[0, 0, 0]) * 255) for one in batch]
        return block if self._spoil is None else self._spoil(block, first)


def add_files(db: Database, files: Sequence[Path]) -> None:
    """Add files as they are, broken ones too: an adapter would refuse none of them, it reads no pixels."""
    rows = pl.DataFrame(
        {
            "image_id": [file.name for file in files],
            "concept_id": [None] * len(files),
            "uri": [str(file) for file in files],
            "sha256": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
        }
    )
    tagged = rows.with_columns(dataset=pl.lit("files"), source=pl.lit("test"))
    items.add(db, {"images": tagged})


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return vdb.open(tmp_path / "study", create=True)


@pytest.fixture
def plain(db: Database, tmp_path: Path) -> list[Path]:
    """Twelve images; the first pixel of the i-th is i."""
    files = []
    for i in range(12):
        file = tmp_path / f"{i:02d}.png"
        Image.new("RGB", (4, 4), (i, 100, 50)).save(file)
        files.append(file)
    add_files(db, files)
    return files


def ledger(db: Database, space: str = "s") -> dict[str, str]:
    rows = db.failures().filter(pl.col("space") == space).select("item_id", "reason").collect()
    return dict(rows.iter_rows())


def bomb(path: Path) -> None:
    """Write a PNG whose header claims 20,000 x 20,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def test_each_bad_file_has_its_reason_and_the_good_ones_are_stored(
    db: Database, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    good = tmp_path / "good.jpg"
    Image.fromarray(noise).save(good)
    files = {
        name: tmp_path / name
        for name in ("cut.jpg", "empty.jpg", "page.jpg", "bomb.png", "changed.png", "gone.png")
    }
    files["cut.jpg"].write_bytes(good.read_bytes()[:1500])
    files["empty.jpg"].write_bytes(b"")
    files["page.jpg"].write_text("<!DOCTYPE html><html><body>404</body></html>")
    bomb(files["bomb.png"])
    for name in ("changed.png", "gone.png"):
        Image.new("RGB", (8, 8), "red").save(files[name])
    add_files(db, [good, *files.values()])
    Image.new("RGB", (8, 8), "blue").save(files["changed.png"])
    files["gone.png"].unlink()

    report = ingest(db, Colours(), space="s", run_id="r1")

    assert db.space("s").ids() == ["good.jpg"]
    reasons = ledger(db)
    expected = {
        "cut.jpg": "damaged",
        "empty.jpg": "0 bytes",
        "page.jpg": "web page",
        "bomb.png": "a decompression bomb",
        "changed.png": "changed since it was added",
        "gone.png": "No such file",
    }
    assert reasons.keys() == expected.keys()
    for name, words in expected.items():
        assert words in reasons[name]
        assert "\n" not in reasons[name]
    assert {item: reason for item, _, reason in report.failed} == reasons
    assert {variant for _, variant, _ in report.failed} == {"original"}
    assert db.failures().select("run_id").collect()["run_id"].unique().to_list() == ["r1"]


def test_a_mended_file_is_stored_by_the_next_run_and_struck_from_the_ledger(
    db: Database, plain: list[Path]
) -> None:
    held = {plain[i]: plain[i].read_bytes() for i in (3, 8)}
    for file in held:
        file.write_bytes(b"")
    first = ingest(db, Colours(), space="s")
    assert (first.stored, len(first.failed)) == (10, 2)
    plain[3].write_bytes(held[plain[3]])
    second = ingest(db, Colours(), space="s")
    assert (second.plan.stored, second.stored, len(second.failed)) == (10, 1, 1)
    assert ledger(db).keys() == {"08.png"}
    plain[8].write_bytes(held[plain[8]])
    ingest(db, Colours(), space="s")
    assert ledger(db) == {}
    assert len(db.space("s").ids()) == 12


def test_unusual_images_are_stored_right(db: Database, tmp_path: Path) -> None:
    """A 16-bit, a CMYK and a see-through image, and one that its EXIF tag turns: each with the colours it shows."""
    deep = tmp_path / "deep.png"
    Image.fromarray(np.full((4, 4), 0x8080, np.uint16)).save(deep)
    ink = tmp_path / "ink.tif"
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(ink)  # red
    glass = tmp_path / "glass.png"
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(glass)  # nothing but the white behind it
    turned = tmp_path / "turned.png"
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[0, 0] = 77  # top left: where EXIF's 6 turns it right by a quarter, top right
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(turned, exif=exif)
    add_files(db, [deep, ink, glass, turned])

    corners: dict[str, tuple[tuple[int, ...], int]] = {}

    class Corner(Colours):
        def prepare(self, item: Any) -> Prepared:
            top_right = item.getpixel((item.width - 1, 0))
            corners[str(item.size) + str(top_right)] = (item.size, top_right[0])
            return super().prepare(item)

    report = ingest(db, Corner(), space="s")
    assert report.failed == []
    ids, values = db.space("s").matrix("blocks.0")
    colour = dict(zip(ids, (values - 1) * 255, strict=True))
    np.testing.assert_allclose(colour["deep.png"], [128, 128, 128], atol=0.01)
    np.testing.assert_allclose(colour["ink.tif"], [255, 0, 0], atol=2)
    np.testing.assert_allclose(colour["glass.png"], [255, 255, 255], atol=0.01)
    assert (
        (2, 4),
        77,
    ) in corners.values()  # upright: 2 wide, 4 high, the marked corner at the top right


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.nan, "layer 'blocks.1' gave a value that is not finite"),
        (np.inf, "layer 'blocks.1' gave a value that is not finite"),
        (-np.inf, "layer 'blocks.1' gave a value that is not finite"),
        (0.0, "layer 'blocks.1' gave a vector of zeros"),
    ],
)
def test_a_model_that_goes_wrong_at_a_layer_is_told_by_layer_and_id(
    value: float, reason: str, db: Database, plain: list[Path]
) -> None:
    def spoil(block: np.ndarray, first: Sequence[int]) -> np.ndarray:
        for row, pixel in enumerate(first):
            if pixel in {4, 9}:
                block[row, 3:] = value
        return block

    report = ingest(db, Colours(spoil), space="s", batch_size=5)
    assert ledger(db).keys() == {"04.png", "09.png"}
    assert all(words.startswith(reason) for words in ledger(db).values())
    assert report.stored == len(plain) - 2 == len(db.space("s").ids())


def test_an_item_that_the_model_fails_on_does_not_take_its_batch_along(
    db: Database, plain: list[Path]
) -> None:
    def spoil(block: np.ndarray, first: Sequence[int]) -> np.ndarray:
        if 6 in first:
            raise IndexError("index out of range in self")
        return block

    ingest(db, Colours(spoil), space="s", batch_size=5)
    assert ledger(db) == {
        "06.png": "the model failed on it: IndexError: index out of range in self"
    }
    assert len(db.space("s").ids()) == len(plain) - 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda block, _: block.astype(np.float64),
        lambda block, _: block[:, :4],
        lambda block, _: block[:-1],
    ],
)
def test_an_encoder_that_breaks_its_word_ends_the_run(
    spoil: Callable[..., np.ndarray], db: Database, plain: list[Path]
) -> None:
    with pytest.raises(ModelError, match=r"colours: the encoder returned .* recipe says float32"):
        ingest(db, Colours(spoil), space="s")
    assert db.space("s").ids() == []
    assert len(plain) == 12


@pytest.mark.parametrize("bad", [range(12), range(0, 12, 2)])
def test_the_run_stops_at_max_failures_and_keeps_what_was_done(
    bad: Sequence[int], db: Database, plain: list[Path]
) -> None:
    for i in bad:
        plain[i].unlink()
    message = (
        r"space 's': 4 items failed, more than --max-failures 3; the last was '\d\d\.png'.*kept"
    )
    with pytest.raises(InputError, match=message):
        ingest(db, Colours(), space="s", batch_size=2, max_failures=3, workers=1)
    assert len(ledger(db)) == 4
    good = [file.name for i, file in enumerate(plain) if i not in bad]
    assert db.space("s").ids() == good[: len(db.space("s").ids())]
    assert bool(db.space("s").ids()) == bool(good)


def test_max_failures_of_nothing_but_failures_reads_no_further(
    db: Database, plain: list[Path]
) -> None:
    """Where every file is gone, not all of them are tried first."""
    for file in plain:
        file.unlink()
    with pytest.raises(InputError, match="more than --max-failures 0"):
        ingest(db, Colours(), space="s", batch_size=1, max_failures=0, workers=1)
    assert len(ledger(db)) == 1


class Fits(Colours):
    """Has memory for some rows at once, and for images other than the one with this first pixel."""

    def __init__(self, rows: int, giant: int = -1, error: type[Exception] | None = None) -> None:
        super().__init__()
        self._rows = rows
        self._giant = giant
        self._error = error or torch.OutOfMemoryError

    def encode(self, batch: Sequence[Prepared]) -> np.ndarray:
        block = super().encode(batch)
        first = [round(float(one.data[0, 0, 0]) * 255) for one in batch]
        if len(batch) > self._rows or self._giant in first:
            raise self._error("DefaultCPUAllocator: can't allocate memory")
        return block


class Told(Silent):
    """Progress of which only messages are kept."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def say(self, message: str) -> None:
        self.messages.append(message)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_batches_are_halved_when_memory_runs_out(
    error: type[Exception], db: Database, plain: list[Path]
) -> None:
    encoder, told = Fits(3, error=error), Told()
    report = ingest(db, encoder, space="s", batch_size=12, progress=told)
    assert encoder.sizes == [12, 6, 3, 3, 3, 3]
    assert told.messages == ["memory ran out: batches of 3 from here on"]
    assert (report.stored, report.failed) == (len(plain), [])
    whole = vdb.open(Path(db.uri).with_name("whole"), create=True)
    add_files(whole, plain)
    ingest(whole, Colours(), space="s", batch_size=12)
    for layer in range(len(LAYERS)):
        halved, once = db.space("s").matrix(layer), whole.space("s").matrix(layer)
        assert halved.ids == once.ids
        np.testing.assert_array_equal(halved.values, once.values)


def test_an_item_that_never_fits_goes_to_the_ledger_and_the_others_go_on_together(
    db: Database, plain: list[Path]
) -> None:
    encoder = Fits(4, giant=5)
    report = ingest(db, encoder, space="s", batch_size=4)
    assert ledger(db) == {"05.png": "out of memory with this item alone in a batch"}
    assert report.stored == len(plain) - 1
    assert encoder.sizes == [4, 4, 2, 1, 1, 2, 4]


def test_a_dry_run_says_what_there_is_and_what_remains(db: Database, plain: list[Path]) -> None:
    ingest(db, Colours(), space="s", limit=5)
    before = tree(Path(db.uri))
    for space, stored in (("s", 5), ("new", 0)):
        report: Ingested = ingest(db, Colours(), space=space, dry_run=True)
        assert (report.plan.wanted, report.plan.stored) == (len(plain), stored)
        assert len(report.plan.todo) == 12 - stored
        assert report.plan.bytes_to_write == (12 - stored) * 5 * 4
    with pytest.raises(InputError, match="cannot name a space"):
        ingest(db, Colours(), space="not a name", dry_run=True)
    assert tree(Path(db.uri)) == before


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
