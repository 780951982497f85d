"""Writing one picture to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analyses.pictures.render import render
from vdb.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def check_path(path: Path) -> None:
    """Raise InputError unless a picture can be written as what the suffix of ``path`` says, where it says."""
    if path.suffix not in {".svg", ".png", ".json"}:
        raise InputError(f"{path}: a picture is written as .svg, .png or .json")
    if path.is_dir():
        raise InputError(f"cannot write {path}: that is a directory")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no directory {path.parent}")


def write(chart: Any, path: Path) -> None:  # noqa: ANN401 - any of Altair's chart classes
    """Write a chart as what the suffix of ``path`` says: ``.svg``, ``.png`` or ``.json`` (Vega-Lite).

    Raises
    ------
    InputError
        The suffix is none of these, or the file cannot be written.
    """
    check_path(path)
    picture = render(chart)
    forms = {".svg": picture.svg, ".png": picture.png, ".json": picture.spec.encode()}
    try:
        path.write_bytes(forms[path.suffix])
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
