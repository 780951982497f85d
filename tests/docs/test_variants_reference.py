"""The reference of variants says of each what the registry says, and shows what each makes of a sentence."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ingest.variants import VARIANTS, Variant

if TYPE_CHECKING:
    from types import ModuleType

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "reference" / "variants.md"


@pytest.fixture(scope="module")
def extension() -> ModuleType:
    """The Sphinx extension, which is no part of a package."""
    spec = importlib.util.spec_from_file_location(
        "variant_tables", DOCS / "_ext" / "variant_tables.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(extension: ModuleType) -> str:
    return str(extension.filled(PAGE.read_text(encoding="utf-8")))


def sections(page: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_is_in_the_table_of_its_kind(variant: Variant, page: str) -> None:
    items = {"image": "Images", "text": "Captions"}[variant.modality]
    [row] = re.findall(
        rf"^\| `{variant.name}` \| .*$", sections(page)[f"{items}: {variant.kind}"], re.MULTILINE
    )
    told = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert told[1] == variant.summary.rstrip(".")
    assert all(need in told[2] for need in variant.needs)
    settings = re.findall(r"`([\w-]+)=([^`]*)`", told[3])
    defaults = [(name, str(one.default)) for name, one in variant.parameters.items()]
    assert settings == defaults
    for one in variant.parameters.values():
        assert one.summary in told[3]
        assert all(choice in told[3] for choice in one.choices)


CAPTIONS = [name for name, one in VARIANTS.items() if one.modality == "text"]


@pytest.mark.parametrize("name", CAPTIONS)
def test_every_variant_of_captions_is_shown_on_a_sentence(
    name: str, page: str, extension: ModuleType
) -> None:
    row = re.compile(rf"^\| `{name}` \| (\d) \| (.*) \|$", re.MULTILINE)
    [(number, altered)] = row.findall(sections(page)["Captions: examples"])
    sentence = extension.SENTENCES[int(number) - 1]
    assert altered != sentence
    assert f"{number}. *{sentence}*" in page


def test_what_is_said_by_hand_is_of_variants_that_are_there(page: str) -> None:
    named = set(re.findall(r"^- `([\w-]+)`", page, re.MULTILINE))
    settings = {name for one in VARIANTS.values() for name in one.parameters}
    assert named - settings <= VARIANTS.keys()
    assert "<!-- variants" not in page
