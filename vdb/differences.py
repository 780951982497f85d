"""How two JSON values differ, leaf by leaf: what a refusal of another recipe, or of another definition, tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def differences(one: Any, other: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Name each leaf in which two values that JSON can hold differ, as ``field.inner[0]: one -> other``.

    Examples
    --------
    >>> differences({"tagger": "a 1.2", "seed": 0}, {"tagger": "a 1.3", "seed": 0})
    ['tagger: a 1.2 -> a 1.3']
    >>> differences({"size": [224, 224]}, {"size": [224]})
    ['size[1]: 224 -> absent']
    """
    mine, theirs = (dict(_leaves(json.loads(json.dumps(value)))) for value in (one, other))
    return [
        f"{_dotted(path)}: {_shown(mine.get(path))} -> {_shown(theirs.get(path))}"
        for path in sorted(mine.keys() | theirs.keys())
        if mine.get(path) != theirs.get(path)
    ]


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:  # noqa: ANN401 - JSON
    """Yield the way to each leaf and the leaf as JSON: 1, 1.0 and true differ there as in the fingerprint."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, (*path, name))
    elif isinstance(value, list) and value:
        for i, item in enumerate(value):
            yield from _leaves(item, (*path, f"[{i}]"))
    else:
        yield path, json.dumps(value, ensure_ascii=False)


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(path).replace(".[", "[")


def _shown(leaf: str | None) -> str:
    return "absent" if leaf is None else leaf.strip('"')
