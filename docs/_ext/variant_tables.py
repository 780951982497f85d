"""Sphinx extension: the reference of variants, generated from the registry at every build.

A line ``<!-- variants: image appearance -->`` of a page becomes the table of those variants, and
``<!-- variants: examples -->`` a table of what each variant of captions makes of a sentence.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ingest.variants import VARIANTS, Inapplicable, choose
from ingest.variants.base import TextItem
from ingest.variants.taggers import find_tagger
from ingest.variants.vocabulary import build

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from ingest.variants.base import Variant
    from vdb.settings import Parameter

PLACE = re.compile(r"^<!-- variants: (\w+)(?: (\w+))? -->$", re.MULTILINE)

TAGGER = "hanta"  # named, so that the page is the same where a model of spaCy is installed

SENTENCES = (
    "Two brown dogs chase a man, and it is raining.",
    "It's raining, and 3 dogs don't mind.",
)
"""Each variant is shown on the first that can have it."""

MORE = (
    "A child throws a ball over the fence.",
    "Three horses drink from a river near the farm.",
    "A woman reads a letter at the window.",
    "Boats lie on the beach beside some nets.",
)
"""Captions of the data set that the sentences are taken to be of: nouns come in from here."""

SHOWN_AS_WELL = ("scrambled:order=bigrams",)


def tables(modality: str, kind: str) -> str:
    """Write the table of a modality and a kind in Markdown."""
    rows = [
        f"| `{one.name}` | {one.summary.rstrip('.')} | {_needs(one)} | {_settings(one)} |"
        for one in VARIANTS.values()
        if (one.modality, one.kind) == (modality, kind)
    ]
    head = ["| name | what it does | needs | settings |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def examples() -> str:
    """Write what each variant of captions makes of a sentence, worked out now."""
    names = [one.name for one in VARIANTS.values() if one.modality == "text"]
    names[names.index("scrambled") + 1 : names.index("scrambled") + 1] = SHOWN_AS_WELL
    rows = []
    for name in names:
        sentence, altered = example(name)
        shown = altered.replace("  ", " \u00a0")  # a page makes one of several spaces
        rows.append(f"| `{name}` | {SENTENCES.index(sentence) + 1} | {shown} |")
    head = ["| variant | of | becomes |", "|---|---|---|"]
    return "\n".join([*head, *rows])


def example(name: str) -> tuple[str, str]:
    """Return the first sentence that can have a variant, and what becomes of it."""
    tagger = find_tagger(TAGGER)
    words = build((*SENTENCES, *MORE), tagger)
    chosen = choose(name)
    for sentence in SENTENCES:
        item = TextItem("example", sentence, tagger.tag(sentence), words)
        try:
            return sentence, str(chosen.apply(item))
        except Inapplicable:
            continue
    raise ValueError(f"no sentence can have {name}: add one")


def _needs(variant: Variant) -> str:
    return ", ".join(sorted(variant.needs)) or "nothing"


def _settings(variant: Variant) -> str:
    told = [f"`{name}={one.default}` {_told(one)}" for name, one in variant.parameters.items()]
    return "<br>".join(told) or "none"


def _told(one: Parameter) -> str:
    if one.choices:
        return f"{one.summary}: {', '.join(one.choices)}"
    if one.low is not None and one.high is not None:
        high = "2⁶³ - 1" if one.high == 2**63 - 1 else f"{one.high:g}"
        return f"{one.summary}; {one.low:g} to {high}"
    return one.summary


def filled(text: str) -> str:
    """Put the tables where a page asks for them."""
    return PLACE.sub(
        lambda found: examples() if found[1] == "examples" else tables(found[1], found[2]), text
    )


def fill(app: Sphinx, docname: str, source: list[str]) -> None:  # noqa: ARG001 - Sphinx's signature
    """Put the tables where a page asks for them."""
    source[0] = filled(source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
