"""Which files of Pick-a-Pic are read: by name, by directory and split, from the hub and its cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import huggingface_hub
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from ingest.datasets import pickapic
from ingest.datasets.pickapic.files import parquet_places
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Choice = Callable[..., dict[str, Any]]
    Write = Callable[..., Path]

FILES = {
    "validation-00000-of-00002-1f2e.parquet": (0, 1),
    "validation-00001-of-00002-3c4d.parquet": (2,),
    "validation_unique-00000-of-00001-aa.parquet": (1,),
    "test.parquet": (3, 4),
}


@pytest.fixture
def data(choice: Choice, write_choices: Write, tmp_path: Path) -> Path:
    for name, rows in FILES.items():
        write_choices(tmp_path / "set" / "data" / name, [choice(i) for i in rows])
    return tmp_path / "set"


def rankings(*sources: Any, **options: Any) -> list[int]:
    trials = [one for batch in pickapic(*sources, **options) for one in batch.trials["trial_id"]]
    return [int(one.split("-")[0]) - 1000 for one in trials]


def notices(*sources: Any, **options: Any) -> list[str]:
    return [one for batch in pickapic(*sources, **options) for one in batch.notices]


@pytest.mark.parametrize(
    ("split", "rows"), [("validation", [0, 1, 2]), ("validation_unique", [1]), ("test", [3, 4])]
)
def test_a_split_is_the_files_of_its_name(data: Path, split: str, rows: list[int]) -> None:
    assert rankings(data, split=split) == rows
    assert notices(data, split=split) == []


def test_of_several_splits_one_must_be_chosen(data: Path) -> None:
    with pytest.raises(InputError, match="several splits: test, validation, validation_unique;"):
        rankings(data)
    with pytest.raises(NotFoundError, match=r"no split 'validaton'.*did you mean validation"):
        rankings(data, split="validaton")


def test_files_are_read_as_they_are_named_each_once(data: Path) -> None:
    one, two = (
        data / "data" / name for name in ("test.parquet", "validation-00001-of-00002-3c4d.parquet")
    )
    assert rankings(one, str(two), one) == [3, 4, 2]


def test_a_split_that_lacks_files_says_so(data: Path) -> None:
    (data / "data" / "validation-00001-of-00002-3c4d.parquet").unlink()
    assert notices(data, split="validation") == [
        "validation: 1 of 2 files are here; the rows of the others are not added"
    ]


def test_hidden_files_are_no_data(data: Path, tmp_path: Path) -> None:
    (data / ".cache").mkdir()
    (data / ".cache" / "x.parquet").write_bytes(b"")
    assert rankings(data, split="test") == [3, 4]
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="holds no Parquet file"):
        rankings(tmp_path / "empty")


@pytest.mark.parametrize("name", ["gone.parquet", "./data", "a/b/c", "/no/where", "one word"])
def test_what_is_neither_file_nor_name_of_the_hub(name: str) -> None:
    with pytest.raises(
        NotFoundError, match="there is no such file, directory or data set of the hub"
    ):
        rankings(name)


def test_a_data_set_of_the_hub_is_read_where_it_is(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Hub(DirFileSystem):  # type: ignore[misc] # fsspec is untyped
        def glob(self, path: str, **_: Any) -> list[str]:
            asked.append(path)
            return [f"datasets/them/pick/data/{name}" for name in FILES]

        def open(self, path: str, *arguments: Any, **options: Any) -> Any:
            return super().open(path.removeprefix("datasets/them/pick/"), *arguments, **options)

    monkeypatch.setattr(huggingface_hub, "HfFileSystem", lambda: Hub(str(data), LocalFileSystem()))
    assert rankings("them/pick", split="validation") == [0, 1, 2]
    assert asked == ["datasets/them/pick/**.parquet"]
    [place] = parquet_places(["them/pick@v2"], "test")
    assert place.name == "test.parquet"
    assert asked[-1] == "datasets/them/pick@v2/**.parquet"


def test_a_hub_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def glob(*_: Any, **__: Any) -> list[str]:
        raise ConnectionError("Name or service\nnot known")

    monkeypatch.setattr(huggingface_hub.HfFileSystem, "glob", glob)
    with pytest.raises(InputError) as caught:
        rankings("them/pick")
    assert str(caught.value) == (
        "them/pick is no file here, and the hub cannot be asked for it (Name or service not known); check the name "
        "and the network, or fetch it elsewhere with `hf download --repo-type dataset them/pick` and name its directory"
    )


def test_offline_the_cache_is_read(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    with pytest.raises(NotFoundError, match="HF_HUB_OFFLINE is set, and it is not cached"):
        rankings("them/pick", split="test")
    commit = "0123456789abcdef0123456789abcdef01234567"
    held = cache / "datasets--them--pick"
    (held / "refs").mkdir(parents=True)
    (held / "refs" / "main").write_text(commit)
    (held / "snapshots").mkdir()
    data.rename(held / "snapshots" / commit)
    assert rankings("them/pick", split="test") == [3, 4]
