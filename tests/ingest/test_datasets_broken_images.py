"""An image that is none: streams count it and pass over it, as one that is missing, up to a number of them."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cli.add import streams as commands
from ingest.datasets import hf, pickapic, webdataset
from ingest.datasets.image_formats import FORMATS, SUFFIXES, image_problem
from ingest.datasets.streams import MAX_BROKEN
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ingest.datasets import Batch

    Make = Callable[..., Iterator[Batch]]

PAGE = b"<html>gone</html>"


@pytest.fixture(params=["pickapic", "webdataset", "webdataset-gz", "hf"])
def stream(request: pytest.FixtureRequest, small: Any, tmp_path: Path) -> Make:
    """Make a stream of as many rows as it is given images."""

    def make(images: Sequence[bytes], **options: Any) -> Iterator[Batch]:
        rows = range(len(images))
        if request.param == "pickapic":
            columns = {
                "caption": [f"prompt {i}" for i in rows],
                "jpg_0": [small.photo(1000 + i) for i in rows],
                "jpg_1": images,
                "label_0": [1.0 for _ in rows],
                "label_1": [0.0 for _ in rows],
            }
            pq.write_table(pa.table(columns), tmp_path / "a.parquet")
            return pickapic(tmp_path / "a.parquet", **options)
        if request.param == "hf":
            (tmp_path / "set").mkdir(exist_ok=True)
            columns = {"image": list(images), "caption": [f"text {i}" for i in rows]}
            pq.write_table(pa.table(columns), tmp_path / "set/train.parquet")
            return hf(tmp_path / "set", **options)
        gz = request.param.endswith("gz")
        members = [
            one
            for i, image in enumerate(images)
            for one in ((f"{i:04d}.png", image), (f"{i:04d}.txt", b"text %d" % i))
        ]
        shard = tmp_path / f"0.tar{'.gz' if gz else ''}"
        return webdataset(small.pack(shard, members, "w:gz" if gz else "w"), **options)

    return make


def test_broken_images_are_counted_and_passed_over(stream: Make, small: Any) -> None:
    good = [small.photo(i) for i in range(5)]
    batches = list(stream([good[0], PAGE, good[1], b"\0\1", good[2]]))
    [told] = [one for batch in batches for one in batch.notices if "none" in one]
    assert told.startswith("left out 2 ")
    assert "is no image: it begins with b'<html>go'" in told  # the first
    held = {sha for batch in batches for sha in batch.images["sha256"]}
    assert held >= {hashlib.sha256(image).hexdigest() for image in good[:3]}
    assert not held & {hashlib.sha256(image).hexdigest() for image in (PAGE, b"\0\1")}
    # A row is taken whole or not at all; but the captions of a row of hf stay, as where an image is missing.
    texts = {text for batch in batches for text in batch.captions["text"]}
    assert len(texts) == (5 if "captions" in told else 3)


def test_as_many_as_allowed_and_one_more(stream: Make, small: Any) -> None:
    images = [small.photo(0), PAGE, small.photo(1), PAGE, small.photo(2)]
    told = [one for batch in stream(images, max_broken=2) for one in batch.notices]
    assert any("left out 2 " in one for one in told)
    for allowed, before in ((1, "after 1 more"), (0, "it begins with b'<html>go';")):
        with pytest.raises(InputError, match=r"is no image.*--max-broken N") as caught:
            list(stream(images, max_broken=allowed))
        assert before in str(caught.value)
        place = {1: ("a.parquet:4", "[3]", "'0003.png'"), 0: ("a.parquet:2", "[1]", "'0001.png'")}
        assert any(one in str(caught.value) for one in place[allowed])  # the last is named


def test_a_hundred_unless_told_otherwise(stream: Make, small: Any) -> None:
    whole = small.photo(0)
    assert list(stream([*[PAGE] * MAX_BROKEN, whole]))
    with pytest.raises(InputError, match="after 100 more"):
        list(stream([*[PAGE] * (MAX_BROKEN + 1), whole]))
    for command in (commands.pickapic, commands.webdataset, commands.hf):
        assert command.__defaults__
        assert MAX_BROKEN in command.__defaults__


def test_every_suffix_is_known_to_pillow_and_every_format_by_how_it_begins() -> None:
    known = Image.registered_extensions()
    assert {
        name: {known[suffix] for suffix in suffixes} for name, (suffixes, _) in FORMATS.items()
    } == {name: {name} for name in FORMATS}
    for name, (suffixes, begins) in FORMATS.items():
        file = io.BytesIO()
        Image.new("RGB", (16, 16), "teal").save(file, name)
        assert begins.match(file.getvalue()), name
        assert image_problem(file.getvalue()) == ""
        assert suffixes <= SUFFIXES
    for text in (b"", b"\0", PAGE, b"\xff\xd8", b"{}", b"RIFF0000WAVE", b"PK\3\4"):
        assert image_problem(text).startswith("is no image")


def test_a_suffix_is_one_in_folders_and_shards_alike(small: Any, tmp_path: Path) -> None:
    members = [
        (f"{suffix[1:]}-{i}{suffix}", small.photo(i)) for i, suffix in enumerate(sorted(SUFFIXES))
    ]
    batches = list(webdataset(small.pack(tmp_path / "0.tar", members)))
    assert sum(batch.images.height for batch in batches) == len(SUFFIXES)
    assert all(not batch.notices for batch in batches)
