"""Files by pattern: braces (``{00000..00012}.tar``) and wildcards, which a shell would not expand in quotes."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from braceexpand import braceexpand

from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPECIAL = frozenset("{}*?[")


def is_pattern(written: str) -> bool:
    """Tell whether a text has braces or wildcards."""
    return not _SPECIAL.isdisjoint(written)


def expanded(pattern: str, what: str) -> list[Path]:
    """Return the absolute paths that a pattern stands for: its braces in their order, what a wildcard finds sorted.

    Parameters
    ----------
    pattern : str
        Where a file or directory is really called so, it is that one.
    what : str
        What is looked for, for messages: "shard".

    Raises
    ------
    NotFoundError
        There is none for the pattern, or for one that its braces come to.
    InputError
        Its braces do not match.
    """
    found: list[Path] = []
    for one in [pattern] if Path(pattern).exists() else _braces(pattern):
        matches = [one] if Path(one).exists() else sorted(glob.glob(one, recursive=True))  # noqa: PTH207 - any root
        if not matches:
            of = f" of {pattern}" if one != pattern else ""
            raise NotFoundError(f"{one}{of}: there is no such {what}")
        found += [Path(match).absolute() for match in matches]
    return found


def _braces(pattern: str) -> Iterator[str]:
    try:
        yield from braceexpand(pattern)
    except ValueError:
        raise InputError(f"{pattern}: its braces do not match") from None
