"""What the space of a model is called where its directory has a name that any model's could have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vdb.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_SAYS_NOTHING = re.compile(
    r"(?:models?|checkpoints?(?:-\d+)?|snapshots?|weights|outputs?|[0-9a-f]{40})",
    re.IGNORECASE,
)
_HOME_OF_A_HUB = re.compile(r"models--(?:.*--)?")


def telling_name(model: str, directory: Path | None, known: str = "") -> str:
    """Return the name of a model, for a directory that of its nearest folder that says something.

    Parameters
    ----------
    model : str
        As it was asked for.
    directory : path, optional
        That it is loaded from, if it is.
    known : str
        What its encoder calls itself; stands for all but directories.

    Raises
    ------
    InputError
        No folder above the directory says something either.
    """
    if directory is None or not _SAYS_NOTHING.fullmatch(directory.name):
        return known
    for folder in directory.absolute().parents:
        if folder.name and not _SAYS_NOTHING.fullmatch(folder.name):
            return _HOME_OF_A_HUB.sub("", folder.name)
    raise InputError(f"{model}: no folder's name tells which model this is; say --space NAME")
