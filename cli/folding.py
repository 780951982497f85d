"""Variants that differ in a category alone, told together: ``which=each`` may be a hundred."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_CATEGORY = re.compile(r":which=(?!all(?::|$)).*?(?=:[^:=]*=|$)")
_AT_LEAST = 4  # fewer are told one by one


def folded(names: Iterable[str]) -> dict[str, list[str]]:
    """Gather the variants that differ in a category alone under ``which=each``, where there are four or more.

    Examples
    --------
    >>> told = folded(f"object-removed:which={one}:fill=blur" for one in "abcd")
    >>> [(name, len(members)) for name, members in told.items()]
    [('object-removed:which=each:fill=blur', 4)]
    >>> folded(["blur", "object-removed:which=dog"])
    {'blur': ['blur'], 'object-removed:which=dog': ['object-removed:which=dog']}
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_CATEGORY.sub(":which=each", name), []).append(name)
    told: dict[str, list[str]] = {}
    for group, members in groups.items():
        if len(members) < _AT_LEAST:
            told |= {name: [name] for name in members}
        else:
            told[group] = members
    return told
