"""What may be called what: spaces, variants and item ids."""

from __future__ import annotations

import re

from vdb.errors import InputError
from vdb.schema import TABLES

_SPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VARIANT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LONGEST_ID = 512
LONGEST_VARIANT = 100


def check_space_name(name: str) -> str:
    """Return ``name`` if a space may be called so.

    Raises
    ------
    InputError
        It holds something other than letters, digits, ``.``, ``_`` and ``-``, is longer than 100 characters, or is
        the name of one of the store's own tables.
    """
    if not _SPACE.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a space: use 1 to 100 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit"
        )
    if name.lower() in TABLES:
        raise InputError(f"{name!r} cannot name a space: the store has a table of that name")
    return name


def space_name_for(model: str) -> str:
    """Make a space's name out of a model's, e.g. ``timm:vit_tiny/x`` -> ``vit_tiny-x``.

    >>> space_name_for("hf:openai-community/gpt2")
    'openai-community-gpt2'
    """
    bare = model.split(":", 1)[-1].strip("/")
    return check_space_name(re.sub(r"[^A-Za-z0-9._-]+", "-", bare).strip("-._")[:100] or "model")


def check_variant_name(name: str) -> str:
    """Return ``name`` if a variant may be called so.

    Raises
    ------
    InputError
        It is not words of lower-case letters and digits joined by dashes, or longer than 100 characters.
    """
    if not _VARIANT.fullmatch(name) or len(name) > LONGEST_VARIANT:
        raise InputError(
            f"{name!r} cannot name a variant: use 1 to {LONGEST_VARIANT} lower-case letters and digits, "
            "words joined by dashes"
        )
    return name


def id_problem(item_id: str) -> str | None:
    """Say why ``item_id`` cannot be an id, or None when it can.

    Any text will do that is not empty, not longer than 512 characters and free of control characters.
    """
    if not item_id:
        return "an empty id"
    if len(item_id) > LONGEST_ID:
        return f"an id of {len(item_id)} characters (at most {LONGEST_ID})"
    if _CONTROL.search(item_id):
        return f"an id with a control character: {item_id!r}"
    return None
