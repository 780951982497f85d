"""The small parts of the page: safe text for scripts, data addresses, the policy, the facts under a picture."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from markupsafe import Markup

from vdb.errors import VdbError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FACTS: Final = (
    ("n", "n"),
    ("groups", "groups"),
    ("unmatched", "unmatched"),
    ("left_out", "groups left out"),
    ("captions", "captions an image"),
    ("folds", "folds"),
    ("draws", "draws"),
    ("cell_rule", "layers chosen by"),
    ("seed", "seed"),
)


def json_text_for_html(text: str) -> Markup:
    r"""Make JSON text safe inside a ``<script>`` element: still the same JSON, without ``<``, ``>`` and ``&``.

    >>> print(json_text_for_html('["</script>"]'))
    ["\u003c/script\u003e"]
    """
    for character in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - no markup can be left in it


def json_for_html(value: Any) -> Markup:  # noqa: ANN401 - anything JSON holds
    """Write a value as JSON that is safe inside a ``<script>`` element."""
    return json_text_for_html(json.dumps(value, ensure_ascii=False))


def script_for_html(code: str) -> str:
    r"""Keep the text of a program from closing its own element: ``</script`` becomes ``<\/script``."""
    return re.sub(r"<(?=/script|!--)", r"\\x3c", code, flags=re.IGNORECASE)


def data_uri(content: bytes, kind: str) -> str:
    """Put a file into an address: ``data:image/png;base64,...``."""
    charset = ";charset=utf-8" if kind.startswith("text/") else ""
    return f"data:{kind}{charset};base64,{base64.b64encode(content).decode('ascii')}"


def png_size(content: bytes) -> tuple[int, int]:
    """Read width and height, in pixels, off the header of a PNG file.

    Raises
    ------
    VdbError
        If the bytes are not those of a PNG file.
    """
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR":
        raise VdbError("report: an image of the gallery is not a PNG file; save it as PNG first")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """Return the Content-Security-Policy that allows exactly these scripts and styles, and nothing to be loaded."""
    return "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"script-src {_hashes(scripts)}",
            f"style-src {_hashes(styles)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def csv(frame: pl.DataFrame) -> bytes:
    """Write a frame as CSV; lists (fold scores, alphas) become numbers separated by spaces."""
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    flat = frame.with_columns(
        pl.col(name).cast(pl.List(pl.String)).list.join(" ") for name in lists
    )
    return flat.write_csv().encode()


def facts(frame: pl.DataFrame) -> dict[str, str]:
    """Read n, groups, draws, seed and fingerprints off a result frame, distinct values side by side."""
    found = {
        label: ", ".join(str(value) for value in frame[column].unique().sort().to_list())
        for column, label in _FACTS
        if column in frame.columns
    }
    for side in ("vision", "language"):
        if {side, f"{side}_fingerprint"} <= set(frame.columns):
            pairs = frame.select(side, f"{side}_fingerprint").unique().sort(side).rows()
            told = [f"{space} {fingerprint}" for space, fingerprint in pairs if fingerprint]
            found[f"{side} fingerprints"] = ", ".join(told)
    return {label: text for label, text in found.items() if text}


def file_name(title: str) -> str:
    """Make a file's name of a title.

    >>> file_name("Alignment: vit-l -> gpt")
    'alignment-vit-l-gpt'
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "picture"


def _hashes(texts: Sequence[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
