"""Which files a stream is of, and what is said of names that it does not hold."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.datasets import hf, pickapic, webdataset
from ingest.datasets.patterns import expanded
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shards(small: Any, tmp_path: Path) -> Path:
    for i in range(3):
        members = [(f"{i}.png", small.photo(i)), (f"{i}.json", b'{"alt": "text", "width": 8}')]
        small.pack(tmp_path / "cc" / f"{i:05d}.tar", members)
    (tmp_path / "cc" / "notes.txt").write_text("none of these")
    return tmp_path / "cc"


def told(batches: Any) -> list[str]:
    return [notice for batch in batches for notice in batch.notices]


def test_a_directory_is_its_shards(shards: Path, tmp_path: Path) -> None:
    batches = list(webdataset(shards, shards / "00001.tar", caption_keys=["alt"]))
    assert [one for batch in batches for one in batch.images["image_id"]] == ["0", "1", "2"]
    assert {one for batch in batches for one in batch.images["dataset"]} == {"cc"}
    (tmp_path / "bare").mkdir()
    with pytest.raises(NotFoundError, match=r"bare holds no shard \(NAME\.tar\)"):
        list(webdataset(tmp_path / "bare"))


def test_a_caption_key_that_no_sample_has_is_told(shards: Path) -> None:
    assert told(webdataset(shards, caption_keys=["alt"])) == []
    assert told(webdataset(shards, caption_keys=["alt", "atl"])) == [
        "no key 'atl' in any .json; did you mean alt?: --caption-key KEY says which is read"
    ]
    [one] = told(webdataset(shards))
    assert one.startswith("no key 'caption' in any .json; there are: alt, width")


def test_a_key_that_one_sample_has_is_not_told(small: Any, tmp_path: Path) -> None:
    members = [
        ("a.png", small.photo(0)),
        ("a.json", b'{"alt": "text"}'),
        ("b.png", small.photo(1)),
        ("b.json", b"{}"),
        ("c.png", small.photo(2)),
    ]
    shard = small.pack(tmp_path / "0.tar", members)
    assert told(webdataset(shard, caption_keys=["alt"])) == []


def test_patterns_of_parquet_files(small: Any, tmp_path: Path) -> None:
    [file] = small.SMALL["pickapic"](tmp_path / "data").spoilable
    for split in ("train", "validation"):
        for number in (0, 1):
            shutil.copy(file, tmp_path / "data" / f"{split}-{number:05d}-of-00002.parquet")
    pattern = f"{tmp_path}/data/train-*.parquet"
    batches = list(pickapic(pattern, limit=4))  # one row of the second file
    assert sum(batch.trials.height for batch in batches) == 3
    assert told(batches) == []  # both files are here
    with pytest.raises(NotFoundError, match=r"test2-\*\.parquet: there is no such file"):
        list(pickapic(f"{tmp_path}/data/test2-*.parquet"))
    names = [path.name for path in expanded(f"{tmp_path}/data/{{validation,train}}-*", "file")]
    assert names == [
        f"{split}-{n:05d}-of-00002.parquet" for split in ("validation", "train") for n in (0, 1)
    ]
    with pytest.raises(InputError, match="its braces do not match"):
        expanded(f"{tmp_path}/{{a,b", "file")


def test_class_labels_and_captions_that_are_not_read_are_told(small: Any, tmp_path: Path) -> None:
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "text": datasets.Value("string"),
        }
    )
    rows = {
        "image": [{"bytes": small.photo(i), "path": None} for i in range(2)],
        "label": [0, 1],
        "text": ["a", "b"],
    }
    datasets.Dataset.from_dict(rows, features).save_to_disk(str(tmp_path / "pets"))
    labels = "label holds class names: --map concept_id=label makes concepts of them"
    captions = "no column is read as captions: --map caption=COLUMN says which"
    assert told(hf(tmp_path / "pets")) == [
        "columns that were not used: label, text",
        labels,
        captions,
    ]
    assert told(hf(tmp_path / "pets", mapping={"caption": "text"})) == [
        "columns that were not used: label",
        labels,
    ]
    assert told(hf(tmp_path / "pets", mapping={"concept_id": "label"})) == [
        "columns that were not used: text",
        captions,
    ]


def test_an_image_alone_lacks_nothing(small: Any, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    pq.write_table(pa.table({"image": [small.photo(0)]}), tmp_path / "set/train.parquet")
    assert told(hf(tmp_path / "set")) == []
