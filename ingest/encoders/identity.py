"""Which weights these are, whoever's machine they lie on: content hashes and library versions."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CONFIG = (".json", ".txt", ".model", ".jinja")
"""Configuration and tokenizer files; what describes a model to people (README, card) is not part of it."""

SAFE_WEIGHTS = (".safetensors",)
PICKLED_WEIGHTS = (".bin", ".pth", ".pt", ".ckpt")
CODE = (".py",)

_MEGABYTE = 1 << 20


def content_revision(directory: Path, *, weights: bool = True) -> str:
    """Name a local checkpoint by what it holds.

    Parameters
    ----------
    directory : Path
    weights : bool
        False leaves the weight files out: for an untrained twin they decide nothing.

    Returns
    -------
    str
        ``sha256:`` and the digest over the relative paths and contents of its weight, configuration, tokenizer
        and code files, in the order of their paths.
    """
    suffixes = (*_CONFIG, *CODE, *((*SAFE_WEIGHTS, *PICKLED_WEIGHTS) if weights else ()))
    digest = hashlib.sha256()
    for name, path in sorted(
        (path.relative_to(directory).as_posix(), path)
        for path in directory.rglob("*")
        if path.is_file()
    ):
        # A dot in front marks what tools keep for themselves: download records, checkpoints of editors.
        if path.suffix in suffixes and not any(part.startswith(".") for part in name.split("/")):
            digest.update(name.encode() + b"\0" + _file_digest(path))
    return f"sha256:{digest.hexdigest()}"


def _file_digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_MEGABYTE):
            digest.update(block)
    return digest.digest()


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each package."""
    return {package: version(package) for package in packages}
