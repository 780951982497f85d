"""From the bytes of an image file to 8-bit RGB pixels, the same way for every model.

Everything here can be called from many threads at once. What cannot be decoded honestly is refused
with a reason for the failure ledger; nothing is clipped, guessed or half-decoded.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from vdb.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PIXELS = 1024**3 // 12
"""Pixels above which an image is refused as a decompression bomb: where Pillow begins to warn."""

DECODING: dict[str, str] = {
    "color": "RGB, 8 bits",
    "orientation": "EXIF applied",
    "alpha": "over white",
    "integers above 8 bits": "0..65535 scaled to 0..255",
    "floats": "0..1 scaled to 0..255",
    "frames": "first",
    "icc_profile": "ignored",
}
"""How :func:`decode` decodes: a part of the preprocessing of every recipe over images."""

_WHITE_16 = 0xFFFF
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WITH_ALPHA = {"RGBA", "RGBa", "LA", "La", "PA"}

# What Pillow's plugins raise on damaged files, seen or fuzzed. MemoryError is not among them: a
# machine that is too small says nothing about the image.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    NotImplementedError,
    struct.error,
    zlib.error,
)


def verify_content(data: bytes, sha256: str) -> None:
    """Check that an image is still the one that was added.

    Parameters
    ----------
    data : bytes
        What the file holds now.
    sha256 : str
        The hexadecimal digest kept when it was added.

    Raises
    ------
    InputError
        The two differ.
    """
    now = hashlib.sha256(data).hexdigest()
    if now != sha256:
        raise InputError(
            f"the file changed since it was added (SHA-256 {sha256[:12]}..., now {now[:12]}...); "
            "put it back, or add the new one under another id"
        )


def decode(data: bytes) -> Image.Image:
    """Decode an image file to upright 8-bit RGB, as :data:`DECODING` says.

    Parameters
    ----------
    data : bytes
        The whole file, in any format Pillow reads.

    Returns
    -------
    PIL.Image.Image
        Mode ``RGB``, its pixels loaded, no metadata.

    Raises
    ------
    InputError
        One line that says why: empty, no image, truncated, damaged, a bomb, values without a range.
    """
    if not data:
        raise InputError("the file is empty (0 bytes)")
    try:
        with Image.open(io.BytesIO(data)) as opened:
            _refuse_bomb(*opened.size)
            opened.load()
            # Read after load(): Pillow turns a TIFF upright by itself and drops the tag.
            turn = _UPRIGHT.get(opened.getexif().get(_ORIENTATION_TAG, 1))
            rgb = _to_rgb(opened)
    except UnidentifiedImageError:
        raise InputError(_not_an_image(data)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"a decompression bomb: over {MAX_PIXELS} pixels") from None
    except _DAMAGE as error:
        raise InputError(f"the image is damaged: {_one_line(error)}") from error
    upright = rgb.transpose(turn) if turn is not None else rgb
    upright.info = {}
    return upright


def _refuse_bomb(width: int, height: int) -> None:
    # Known from the header, before a pixel is decoded. Turning Pillow's warning into an error
    # instead would need warnings.catch_warnings, which is not thread-safe.
    if width * height > MAX_PIXELS:
        raise InputError(
            f"a decompression bomb: {width} x {height} pixels, at most {MAX_PIXELS} are decoded"
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        return _from_array(_unit_range(np.asarray(image)))
    if image.mode == "I" or image.mode.startswith("I;16"):
        grey = np.asarray(image)
        clear = image.info.get("transparency")
        if clear is not None:  # PNG: the one grey value that is see-through
            grey = np.where(grey == clear, _WHITE_16, grey)
        return _from_array(_from_16_bits(grey))
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        # Never drop alpha: what lies under transparent pixels is arbitrary, mostly black.
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _from_array(grey: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(grey).convert("RGB")


def _unit_range(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    if not np.isfinite(values).all():
        raise InputError("a floating-point image with NaN or infinite pixels")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise InputError(
            f"a floating-point image with values {low:g} to {high:g}; only 0 to 1 is unambiguous"
        )
    return np.rint(values.astype(np.float64) * 255).astype(np.uint8)


def _from_16_bits(values: NDArray[np.integer]) -> NDArray[np.uint8]:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > _WHITE_16:
        raise InputError(
            f"an integer image with values {low} to {high}; only 0 to 65535 is unambiguous"
        )
    return np.rint(values.astype(np.float64) / 257).astype(np.uint8)  # 65535 = 257 * 255


def _not_an_image(data: bytes) -> str:
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<svg", b"<?xml")):
        return "not a pixel image but XML, perhaps SVG"
    if start.startswith(b"<"):
        return "not an image but a web page (HTML)"
    return f"not an image that can be decoded; it begins with {data[:8]!r}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
