"""The grammar of variants on real captions: what belongs together stays so, and a no stands where it can."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from ingest.variants import Inapplicable, choose
from ingest.variants.base import TextItem
from ingest.variants.captions.phrases import noun_phrases
from ingest.variants.taggers import find_tagger

pytestmark = pytest.mark.real

COLOURS = "black|white|brown|red|blue|green|yellow|orange|gr[ae]y|pink|purple|tan|gold|silver|blond"
PAIR = re.compile(rf"\b(?:{COLOURS}) and (?:{COLOURS}) [a-z]+", re.IGNORECASE)


@pytest.fixture(scope="module")
def captions() -> list[str]:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    there = Path(os.environ["VDB_REAL_DATA"])
    rows = json.loads((there / "coco" / "captions_300.json").read_text(encoding="utf-8"))
    lines = (there / "flickr8k" / "captions.token.txt").read_text(encoding="utf-8").splitlines()
    return [row["caption"] for row in rows["annotations"]] + [line.split("\t")[1] for line in lines]


def items(texts: list[str]) -> list[TextItem]:
    tagger = find_tagger("hanta")
    return [TextItem(str(i), text, tagger.tag(text)) for i, text in enumerate(texts)]


def outcomes(name: str, texts: list[str]) -> list[tuple[str, str]]:
    made = []
    for item in items(texts):
        try:
            made.append((item.text, str(choose(name).apply(item))))
        except Inapplicable:
            continue
    return made


def test_a_swap_tears_no_pair_of_colours_from_what_they_are_of(captions: list[str]) -> None:
    texts = [text for text in captions if PAIR.search(text)]
    assert len(texts) > 350
    made = outcomes("subject-object-swap", texts)
    assert len(made) > 250
    for before, after in made:
        assert all(pair.lower() in after.lower() for pair in PAIR.findall(before)), (before, after)


def test_a_pair_of_colours_and_what_it_is_of_are_one_phrase(captions: list[str]) -> None:
    pairs = missing = 0
    for item in items([text for text in captions if PAIR.search(text)]):
        tokens = item.tokens
        spans = [
            (tokens[one.first].start, tokens[one.end - 1].start + len(tokens[one.end - 1].text))
            for one in noun_phrases(tokens)
        ]
        for match in PAIR.finditer(item.text):
            pairs += 1
            after = next(
                token
                for token in tokens
                if token.start >= match.end() - 1 - len(match[0].split()[-1])
            )
            if after.tag in {"NOUN", "PROPN", "ADJ"} and not any(
                start <= match.start() and match.end() <= end for start, end in spans
            ):
                missing += 1
    assert pairs > 350
    assert not missing


def test_a_swap_keeps_every_word_but_those_that_agree(captions: list[str]) -> None:
    for before, after in outcomes("subject-object-swap", captions[:1500]):
        words = [Counter(re.findall(r"[\w'-]+", text.lower())) for text in (before, after)]
        gone, come = words[0] - words[1], words[1] - words[0]
        assert gone.total() == come.total() <= 3, (before, after)  # a verb and two pronouns


def test_no_stands_where_an_article_or_nothing_stood_and_never_after_an_adverb(
    captions: list[str],
) -> None:
    made = outcomes("negation", captions)
    fresh = [
        (before, after) for before, after in made if re.search(r"\bno\b", after, re.IGNORECASE)
    ]
    assert len(fresh) > 700
    for before, after in fresh:
        bare = re.sub(r"^\W*(?:an?|the|some|any)\s+", "", before, flags=re.IGNORECASE)
        assert re.sub(r"^(\W*)no\s+", "", after, flags=re.IGNORECASE).lower() == bare.lower()
    begins_with_not = [after for _, after in made if after.lower().startswith("not ")]
    assert all(re.match(r"not \w+ing\b", after.lower()) for after in begins_with_not)
