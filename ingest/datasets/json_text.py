"""JSON with places: which line a mistake is on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

KINDS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number with a fraction",
    bool: "a boolean",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
"""What JSON calls the Python types that it is read into."""

_BLANK = " \t\n\r"


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte-order mark.

    Raises
    ------
    NotFoundError
        There is no such file.
    InputError
        It cannot be read, or is not UTF-8: the line is named.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"{path}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path.name}:{line}: not UTF-8 (byte 0x{data[error.start]:02x}); save it as UTF-8"
        ) from None


def parse_json(text: str, name: str, first_line: int = 1) -> Any:  # noqa: ANN401 - JSON
    """Parse one JSON document, which begins on ``first_line`` of the file called ``name``.

    Raises
    ------
    InputError
        Naming the line and column of what is no JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name}:{first_line + error.lineno - 1}: malformed JSON at column {error.colno}: "
            f"{error.msg}"
        ) from None
    except (RecursionError, ValueError) as error:  # nested too deep; an integer of 5,000 digits
        raise InputError(f"{name}:{first_line}: JSON that cannot be data: {error}") from None


def line_of_element(text: str, key: str, index: int) -> int:
    """Return the line where element ``index`` of the array under a top-level ``key`` begins.

    It reads the text again, so it is for the one line that an error names.

    Parameters
    ----------
    text : str
        Valid JSON: an object that holds an array of more than ``index`` elements under ``key``.
    """
    value_at = json.JSONDecoder().raw_decode
    at = _skip(text, text.index("{") + 1)
    while True:
        name, at = value_at(text, at)
        at = _skip(text, text.index(":", at) + 1)
        if name == key:
            break
        at = _next_item(text, value_at(text, at)[1])
    at = _skip(text, at + 1)
    for _ in range(index):
        at = _next_item(text, value_at(text, at)[1])
    return text.count("\n", 0, at) + 1


def _skip(text: str, at: int) -> int:
    while text[at] in _BLANK:
        at += 1
    return at


def _next_item(text: str, at: int) -> int:
    return _skip(text, _skip(text, at) + 1)  # past the comma
