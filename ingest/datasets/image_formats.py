"""What an image file is called, and how it begins: one table for folders, archives and streams."""

from __future__ import annotations

import re

FORMATS: dict[str, tuple[frozenset[str], re.Pattern[bytes]]] = {
    name: (frozenset(suffixes.split()), re.compile(begins, re.DOTALL))
    for name, suffixes, begins in (
        ("JPEG", ".jpg .jpeg .jpe .jfif", rb"\xff\xd8\xff"),
        ("PNG", ".png", rb"\x89PNG\r\n\x1a\n"),
        ("GIF", ".gif", rb"GIF8"),
        ("BMP", ".bmp", rb"BM"),
        ("TIFF", ".tif .tiff", rb"II\*\0|MM\0\*"),
        ("PPM", ".pgm .ppm", rb"P[56]"),
        ("WEBP", ".webp", rb"RIFF.{4}WEBP"),
        ("JPEG2000", ".jp2", rb"\0\0\0\x0cjP  "),
        ("AVIF", ".avif", rb".{4}ftyp"),  # and HEIC, which begins alike
    )
}
"""Each format by Pillow's name for it: the suffixes of its files, in lower case, and the bytes that they begin with."""

SUFFIXES = frozenset(suffix for suffixes, _ in FORMATS.values() for suffix in suffixes)
"""Suffixes, in lower case, of the files that are taken for images."""


def image_problem(data: bytes) -> str:
    """Say what is wrong with the bytes of an image by its beginning: a web page saved as one, nothing at all.

    Whether the rest can be decoded is found when a model first sees it, and is then written in the failure ledger.

    Returns
    -------
    str
        Empty where it begins as an image does.
    """
    if any(begins.match(data) for _, begins in FORMATS.values()):
        return ""
    return f"is no image: it begins with {data[:8]!r}" if data else "is no image: it is empty"
