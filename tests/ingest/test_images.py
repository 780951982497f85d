"""Decoding: what each kind of file becomes, and why some are refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ingest import images
from ingest.images import DECODING, MAX_PIXELS, decode, verify_content
from ingest.sources import read_bytes
from vdb.errors import InputError


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes) -> np.ndarray:
    image = decode(data)
    assert image.mode == "RGB"
    return np.asarray(image)


def refused(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        decode(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def photo(width: int = 24, height: int = 16) -> Image.Image:
    """Make an image in which every row and column is distinct."""
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([x * 255 // (width - 1), y * 255 // (height - 1), 80 + 0 * x], axis=-1)
    return Image.fromarray(rgb.astype(np.uint8))


def png_header(width: int, height: int) -> bytes:
    """Make a PNG that claims a size and holds one tiny scrap of data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_as_pillow_applies_it(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(photo(), kind, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(pixels(data), upright)
    assert pixels(data).shape == ((24, 16, 3) if orientation >= 5 else (16, 24, 3))


def test_a_quarter_turn_brings_the_left_edge_to_the_top() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me 90 degrees clockwise"
    stored = np.asarray(photo())
    np.testing.assert_array_equal(
        pixels(encoded(photo(), "PNG", exif=exif)), np.rot90(stored, k=-1)
    )


def test_alpha_is_composed_over_white() -> None:
    rgba = np.zeros((1, 4, 4), np.uint8)
    rgba[0] = [(255, 0, 0, 255), (255, 0, 0, 0), (0, 0, 0, 0), (255, 0, 0, 51)]
    got = pixels(encoded(Image.fromarray(rgba, "RGBA"), "PNG"))[0].tolist()
    assert got == [[255, 0, 0], [255, 255, 255], [255, 255, 255], [255, 204, 204]]
    assert DECODING["alpha"] == "over white"


def test_grey_with_alpha_is_composed_over_white() -> None:
    la = Image.new("LA", (1, 1), (0, 51))
    assert pixels(encoded(la, "PNG")).tolist() == [[[204, 204, 204]]]


@pytest.mark.parametrize(
    ("mode", "color", "clear", "expected"),
    [("P", 0, 0, 255), ("L", 7, 7, 255), ("L", 7, 8, 7), ("RGB", (9, 9, 9), (9, 9, 9), 255)],
)
def test_a_transparent_color_becomes_white(
    mode: str, color: object, clear: object, expected: int
) -> None:
    image = Image.new(mode, (2, 2), color)
    got = pixels(encoded(image, "PNG", transparency=clear))
    assert got.tolist() == np.full((2, 2, 3), expected).tolist()


def test_a_transparent_16_bit_grey_becomes_white() -> None:
    grey = Image.fromarray(np.array([[0, 257 * 3]], np.uint16))
    assert pixels(encoded(grey, "PNG", transparency=0))[0, :, 0].tolist() == [255, 3]


def test_palette_colors_are_looked_up() -> None:
    image = Image.new("P", (1, 1), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert pixels(encoded(image, "PNG")).tolist() == [[[10, 20, 30]]]


def test_one_bit_is_black_and_white() -> None:
    image = Image.fromarray(np.array([[True, False]]))
    assert pixels(encoded(image, "PNG")).tolist() == [[[255] * 3, [0] * 3]]


def test_cmyk_becomes_rgb() -> None:
    image = Image.new("CMYK", (1, 1), (255, 0, 0, 0))
    assert pixels(encoded(image, "TIFF")).tolist() == [[[0, 255, 255]]]
    jpeg = pixels(encoded(Image.new("CMYK", (16, 16), (0, 0, 0, 255)), "JPEG"))
    assert int(jpeg.max()) <= 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bits_are_scaled_and_never_clipped(kind: str) -> None:
    values = np.array([[0, 257, 1000, 30_000, 65_278, 65_535]], np.uint16)
    got = pixels(encoded(Image.fromarray(values), kind))[0, :, 1].tolist()
    assert got == [0, 1, 4, 117, 254, 255]  # v / 257, rounded


def test_32_bit_integers_without_a_range_are_refused() -> None:
    data = encoded(Image.fromarray(np.array([[0, 70_000]], np.int32)), "TIFF")
    assert "70000" in refused(data)
    assert "-1" in refused(encoded(Image.fromarray(np.array([[-1, 5]], np.int32)), "TIFF"))


def test_floats_between_0_and_1_are_scaled() -> None:
    data = encoded(Image.fromarray(np.array([[0.0, 0.2, 1.0]], np.float32)), "TIFF")
    assert pixels(data)[0, :, 2].tolist() == [0, 51, 255]


@pytest.mark.parametrize("value", [1.5, -0.25, 255.0, np.nan, np.inf])
def test_floats_of_no_known_range_are_refused(value: float) -> None:
    data = encoded(Image.fromarray(np.array([[0.5, value]], np.float32)), "TIFF")
    assert "floating-point" in refused(data)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    red, blue = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(red, kind, save_all=True, append_images=[blue], **options)
    with Image.open(io.BytesIO(data)) as image:
        assert getattr(image, "n_frames", 1) == 2
    assert pixels(data)[0, 0].tolist() == [255, 0, 0]


def test_metadata_does_not_survive() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    image = decode(encoded(photo(), "JPEG", exif=exif, comment=b"hello"))
    assert image.info == {}
    assert 0x0112 not in image.getexif()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_truncated_file_is_refused(kind: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    refused(data[: int(len(data) * kept)])


def test_nothing_is_refused_by_its_size() -> None:
    assert "0 bytes" in refused(b"")


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><p>404", b"\n <html>", b"\xef\xbb\xbf<HTML>"])
def test_a_web_page_is_called_one(page: bytes) -> None:
    assert "web page" in refused(page)


@pytest.mark.parametrize("drawing", [b"<svg xmlns='x'/>", b"<?xml version='1.0'?><svg/>"])
def test_a_drawing_is_called_xml(drawing: bytes) -> None:
    assert "SVG" in refused(drawing)


def test_what_is_no_image_is_shown() -> None:
    assert "b'%PDF-1.7'" in refused(b"%PDF-1.7 and so on")


@pytest.mark.parametrize("size", [(10_000, 9_000), (30_000, 30_000)])
def test_a_bomb_is_refused_from_its_header(size: tuple[int, int]) -> None:
    assert size[0] * size[1] > MAX_PIXELS
    assert "bomb" in refused(png_header(*size))  # where warnings are errors
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # and where they are not
        assert "bomb" in refused(png_header(*size))


def test_the_limit_itself_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 24 * 16)
    assert pixels(encoded(photo(24, 16), "PNG")).shape == (16, 24, 3)
    assert "24 x 17" in refused(encoded(photo(24, 17), "PNG"))


def test_our_limit_is_where_pillow_warns() -> None:
    assert MAX_PIXELS == Image.MAX_IMAGE_PIXELS


def test_threads_agree_with_one_another() -> None:
    files = [encoded(photo(20 + i, 12), "JPEG") for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(pixels, files))
    for alone, threaded in zip(map(pixels, files), together, strict=True):
        np.testing.assert_array_equal(alone, threaded)


_WHOLE = {kind: encoded(photo(), kind) for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP")}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow talks about broken metadata
@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(sorted(_WHOLE)), data=st.data())
def test_damage_gives_pixels_or_a_reason_and_nothing_else(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(_WHOLE[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    reason, mode = "", ""
    try:
        mode = decode(bytes(damaged)).mode
    except InputError as error:
        reason = str(error)
    assert (mode == "RGB") != bool(reason)
    assert "\n" not in reason


def test_the_bytes_read_are_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\0\1")
    assert read_bytes(str(tmp_path / "a")) == b"\0\1"


@pytest.mark.parametrize("uri", ["gone.jpg", ".", "nul\0.jpg"])
def test_what_cannot_be_read_is_named(tmp_path: Path, uri: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_bytes(str(tmp_path / uri))


def test_content_is_held_to_its_hash() -> None:
    verify_content(b"abc", hashlib.sha256(b"abc").hexdigest())
    with pytest.raises(InputError, match="changed since it was added"):
        verify_content(b"abd", hashlib.sha256(b"abc").hexdigest())


@pytest.mark.real
def test_coco_photos_decode_to_their_stated_size() -> None:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    coco = Path(os.environ["VDB_REAL_DATA"]) / "coco"
    listed = json.loads((coco / "captions_300.json").read_bytes())["images"]
    grey = 0
    for entry in listed[:60]:
        data = read_bytes(str(coco / "images" / entry["file_name"]))
        assert decode(data).size == (entry["width"], entry["height"])
    for entry in listed:
        path = coco / "images" / entry["file_name"]
        with Image.open(path) as image:
            if image.mode == "L":
                grey += 1
                rgb = pixels(path.read_bytes())
                assert (rgb == rgb[..., :1]).all()
    assert grey == 2
