"""Writing one picture to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analyses.pictures.render import render
from vdb.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def write(chart: Any, path: Path) -> None:  # noqa: ANN401 - any of Altair's chart classes
    """Write a chart as what the suffix of ``path`` says: ``.svg``, ``.png`` or ``.json`` (Vega-Lite).

    Raises
    ------
    InputError
        The suffix is none of these.
    """
    if path.suffix not in {".svg", ".png", ".json"}:
        raise InputError(f"{path}: a picture is written as .svg, .png or .json")
    picture = render(chart)
    forms = {".svg": picture.svg, ".png": picture.png, ".json": picture.spec.encode()}
    path.write_bytes(forms[path.suffix])
