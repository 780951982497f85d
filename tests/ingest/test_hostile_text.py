"""Captions and ids of any characters come out of the store as they went in, whatever the format; none is merged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import vdb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE = [
    "<script>alert('x')</script>",
    "\"quoted\", 'twice', and `thrice`",
    "'; DROP TABLE captions; --",
    "a|b\\c\\",
    "%s {0} {{x}} $HOME ~ #1",
    "שלום \u202eabc",
    "👩\u200d👩\u200d👧 e\u0301 \u00e9 ﷽",
    "null",
    "NaN",
    "=1+1",
    "../../etc/passwd",
]
"""The last text is said twice, under two ids."""

PAIRS = {f"id {text}": text for text in HOSTILE} | {"again": HOSTILE[-1]}


def _table(suffix: str) -> Callable[[Any, Path], list[Any]]:
    def write(small: Any, home: Path) -> list[Any]:
        rows = [{"caption_id": one, "caption": text} for one, text in PAIRS.items()]
        return ["manifest", small.write_table(home / f"items{suffix}", rows)]

    return write


def _coco(small: Any, home: Path) -> list[Any]:
    small.SMALL["coco"](home)
    document = small.coco_json("captions")
    document["annotations"] = [
        {"id": one, "image_id": 1, "caption": text} for one, text in PAIRS.items()
    ]
    file = small.put(home / "hostile.json", json.dumps(document))
    return ["coco", "--images", home / "photos", "--captions", file]


def _flickr8k(small: Any, home: Path) -> list[Any]:
    small.photos(home / "photos", ".jpg")
    lines = [f"a.jpg#{n}\t{text}" for n, text in enumerate(PAIRS.values())]
    file = small.put(home / "tokens.txt", "\n".join(lines))
    return ["flickr8k", "--images", home / "photos", "--captions", file]


def _concepts(small: Any, home: Path) -> list[Any]:
    small.SMALL["concepts"](home)
    rows = [{"concept_id": "a", "caption_id": one, "caption": text} for one, text in PAIRS.items()]
    return ["concepts", home / "all", "--captions", small.write_table(home / "h.csv", rows)]


def _hf(small: Any, home: Path) -> list[Any]:
    rows = [{"caption_id": one, "caption": text} for one, text in PAIRS.items()]
    small.write_table(home / "set/train.parquet", rows)
    return ["hf", home / "set"]


FORMS: dict[str, Callable[[Any, Path], list[Any]]] = {
    **{f"manifest{suffix}": _table(suffix) for suffix in (".csv", ".tsv", ".jsonl", ".parquet")},
    "coco": _coco,
    "flickr8k": _flickr8k,
    "concepts": _concepts,
    "hf": _hf,
}


@pytest.mark.parametrize("form", FORMS)
def test_text_and_ids_come_out_as_they_went_in(
    form: str, small: Any, adding: Any, tmp_path: Path
) -> None:
    adding.add(tmp_path / "store", FORMS[form](small, tmp_path / "data"))
    stored = dict(
        vdb.open(tmp_path / "store").captions().select("caption_id", "text").collect().iter_rows()
    )
    if form == "flickr8k":  # whose ids are those of its format
        assert list(stored.values()) == list(PAIRS.values())
    else:
        assert stored == PAIRS


def test_texts_of_a_shard_and_of_trials_too(small: Any, adding: Any, tmp_path: Path) -> None:
    members = [
        one
        for n, text in enumerate(HOSTILE)
        for one in ((f"{n}.png", small.photo(n)), (f"{n}.txt", text.encode()))
    ]
    adding.add(tmp_path / "store", ["webdataset", small.pack(tmp_path / "d/0.tar", members)])
    small.photos(tmp_path / "d/photos")
    rows = [
        {
            "query_text": text,
            "query_id": one,
            "candidate_0_path": "photos/a.png",
            "candidate_1_path": "photos/b.png",
            "label": 1,
        }
        for one, text in PAIRS.items()
    ]
    adding.add(
        tmp_path / "store", ["trials", small.write_table(tmp_path / "d/choices.jsonl", rows)]
    )
    db = vdb.open(tmp_path / "store")
    texts = db.captions().collect()["text"].to_list()
    assert sorted(texts) == sorted([*HOSTILE, *PAIRS.values()])
    assert sorted(db.trials().collect()["query_id"]) == sorted(PAIRS)
