"""Sphinx extension: the command-line reference, generated from the commands themselves at every build."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PLACE = "<!-- the commands -->"
"""The line of a page in whose place the reference is put."""


@cache
def commands() -> str:
    """Describe every command of ``vdb`` in Markdown, as Typer's own documentation command does."""
    call = [sys.executable, "-m", "typer", "cli.main", "utils", "docs", "--name", "vdb"]
    text = subprocess.run(call, check=True, capture_output=True, text=True).stdout  # noqa: S603
    body = text.partition("\n")[2]  # the page has a title of its own
    body = re.sub(r"\*\*Commands\*\*:\n\n(\* .*\n)+\n", "", body)  # cut short; each has a section
    return re.sub(r"^Example: (.*)$", r"```console\n$ \1\n```", body, flags=re.MULTILINE)


def fill(app: Sphinx, docname: str, source: list[str]) -> None:  # noqa: ARG001 - Sphinx's signature
    """Put the reference where a page asks for it."""
    if PLACE in source[0]:
        source[0] = source[0].replace(PLACE, commands())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
