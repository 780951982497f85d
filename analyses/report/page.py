"""Writing the page: what it is made of, and the one place where it touches the disk."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import vl_convert
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from analyses.pictures.theme import config
from analyses.report import parts
from vdb.errors import VdbError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from analyses.pictures import Picture
    from analyses.report.finding import Finding

_FONT: Final = '"Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif'
_ASSETS: Final = files("analyses.report") / "assets"


@dataclass(frozen=True, slots=True)
class Section:
    """A question, its picture and the numbers behind it.

    Attributes
    ----------
    title : str
    text : sequence of str
        Paragraphs, plain text.
    picture : Picture, optional
    data : pl.DataFrame, optional
        The frame the picture was drawn from: offered as CSV, and read for n, seed and fingerprints.
    command : str
        What makes this picture again.
    """

    title: str
    text: Sequence[str] = ()
    picture: Picture | None = None
    data: pl.DataFrame | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """An image of the gallery with its caption and, where the caption needs one, an English reading."""

    png: bytes
    caption: str
    gloss: str = ""


def write_report(
    path: str | Path,
    sections: Sequence[Section],
    *,
    title: str,
    summary: Sequence[str] = (),
    findings: Sequence[Finding] = (),
    scenes: Sequence[Scene] = (),
    scenes_note: str = "",
    provenance: Mapping[str, str] | None = None,
) -> Path:
    """Write one self-contained HTML page that asks nothing of any network.

    Every text is escaped. The page's own policy lets no script run but its two, by their hashes, and lets nothing
    be loaded. Charts are drawn by an interpreter, without evaluating code; where scripts do not run, and in
    print, the still picture stands.

    Parameters
    ----------
    path : str or Path
        File to write; an existing one is replaced in one step.
    sections : sequence of Section
    title : str
    summary : sequence of str
        A sentence for the head of the page, as :func:`analyses.report.findings.summary` makes it, and paragraphs to
        put before the verdicts.
    findings : sequence of Finding
        Rows of the table of findings; those that were asked of a pair are told in a line each before it.
    scenes : sequence of Scene
        A gallery of a few images.
    scenes_note : str
        A sentence above the gallery.
    provenance : mapping of str to str, optional
        Store version, command, seed, library versions: anything that says where the numbers come from.

    Returns
    -------
    Path
        Where the page is.

    Raises
    ------
    VdbError
        If the file cannot be written.
    """
    html = page(
        sections,
        title=title,
        summary=summary,
        findings=findings,
        scenes=scenes,
        scenes_note=scenes_note,
        provenance=provenance or {},
    )
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=target.parent, suffix=".part", delete=False
        ) as part:
            part.write(html)
        Path(part.name).chmod(0o644)
        os.replace(part.name, target)  # noqa: PTH105 - Path.replace reads as if it were of text
    except OSError as error:
        raise VdbError(f"{target}: cannot write the report: {error.strerror or error}") from error
    return target


def page(
    sections: Sequence[Section],
    *,
    title: str,
    summary: Sequence[str],
    findings: Sequence[Finding],
    scenes: Sequence[Scene],
    scenes_note: str,
    provenance: Mapping[str, str],
) -> str:
    """Return the page as text; :func:`write_report` says what it takes."""
    style, script = _asset("report.css").replace("var(--font)", _FONT), _asset("report.js")
    drawn = any(section.picture for section in sections)
    scripts = [_runtime(), script] if drawn else []
    on_page = {"background": "transparent", "font": _FONT}
    themes = {"light": config("light") | on_page, "dark": config("dark") | on_page}
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=title,
            summary=summary,
            findings=findings,
            asked=[finding for finding in findings if finding.pair],
            scenes=[
                (scene, parts.data_uri(scene.png, "image/png"), *parts.png_size(scene.png))
                for scene in scenes
            ],
            scenes_note=scenes_note,
            sections=[_shown(section) for section in sections],
            provenance=provenance,
            policy=parts.policy(scripts, [style]),
            style=Markup(style),  # noqa: S704 - our own file
            scripts=[Markup(text) for text in scripts],  # noqa: S704 - ours, and the bundled runtime
            themes=parts.json_for_html(themes),
        )
    )


def _shown(section: Section) -> dict[str, Any]:
    picture, data = section.picture, section.data
    return {
        "title": section.title,
        "text": [section.text] if isinstance(section.text, str) else section.text,
        "command": section.command,
        "file": parts.file_name(section.title),
        "spec": parts.json_text_for_html(picture.spec) if picture else None,
        "description": picture.description if picture else "",
        "still": parts.data_uri(picture.svg, "image/svg+xml") if picture else "",
        "csv": parts.data_uri(parts.csv(data), "text/csv") if data is not None else "",
        "facts": parts.facts(data) if data is not None else {},
    }


@cache
def _runtime() -> str:
    """Bundle Vega, Vega-Lite and Vega-Embed, about 0.9 MB, from the installed package."""
    bundle = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    return parts.script_for_html(bundle)


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=DictLoader({"report.html.j2": _asset("report.html.j2")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
