"""Text of unknown origin as it may be printed: it shows, and does nothing else."""

from __future__ import annotations

import re

# The control characters of ASCII and of Latin 1, which begin a terminal's commands; line and paragraph separators; the
# marks that turn the direction of the text after them around; halves of characters, which cannot be encoded.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BUT_LINES = re.compile(rf"(?![\t\n]){_UNSEEN.pattern}")


def visible(text: str, *, lines: bool = False) -> str:
    r"""Escape what a terminal would obey rather than show.

    Parameters
    ----------
    text : str
    lines : bool
        Keep line breaks and tabs.

    Examples
    --------
    >>> print(visible("a \x1b[31mred\nlie"))
    a \x1b[31mred\nlie
    """
    return (_BUT_LINES if lines else _UNSEEN).sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]
