"""Hugging Face data sets: what cannot be read, and a hub that cannot be reached, in one line."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from httpx import ConnectError
from huggingface_hub.errors import HFValidationError

import vdb
from ingest.add import add_dataset
from ingest.datasets import hf, streams
from vdb.errors import InputError, NotFoundError

datasets = pytest.importorskip("datasets")

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Jpeg = Callable[[int], bytes]


def refused(source: object, **options: Any) -> str:
    with pytest.raises((InputError, NotFoundError)) as caught:
        list(hf(str(source), **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def table(place: Path, **columns: list[Any]) -> Path:
    place.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), place / "train.parquet")
    return place


@pytest.mark.parametrize(
    ("column", "bad", "complaint"),
    [
        ("image", b"<html>", "image is no image: it begins with b'<html>'"),
        ("image", b"", "image is no image"),
        ("caption_id", ["a", "b"], "1 captions, but 2 caption ids"),
    ],
)
def test_a_bad_cell_is_named(
    column: str, bad: Any, complaint: str, jpeg: Jpeg, tmp_path: Path
) -> None:
    good = {
        "image": jpeg(0),
        "caption": "one",
        "caption_id": ["x"] if isinstance(bad, list) else "x",
    }
    place = table(
        tmp_path / "x",
        **{name: [one, bad if name == column else one] for name, one in good.items()},
    )
    message = refused(place, max_broken=0)
    assert message.startswith("x train[1]: ")
    assert complaint in message


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"caption": [1.5]}, "caption is of type float; it must be text"),
        ({"image": [3]}, "image is of type int; it must be an image, its bytes or its path"),
        ({"caption": ["x"], "caption_id": [0.5]}, "caption_id is of type float"),
        ({"caption": ["x"], "concept_id": [True]}, "concept_id is of type bool"),
        ({"caption": ["x"], "caption_id": [""]}, "an empty id"),
        ({"caption": ["x"], "caption_id": ["a\x07"]}, "control character"),
    ],
)
def test_a_column_of_the_wrong_type(
    columns: dict[str, list[Any]], complaint: str, tmp_path: Path
) -> None:
    place = table(tmp_path / "x", **columns)
    with pytest.raises(InputError, match=r"x train\[0\]: ") as caught:
        add_dataset(str(tmp_path / "study"), hf(place), lambda _: None)
    assert complaint in str(caught.value)


def test_columns_and_fields_that_are_not_there(tmp_path: Path) -> None:
    place = table(tmp_path / "x", text=["one"], picture=["a.jpg"])
    assert "no column image and none caption, only text, picture" in refused(place)
    assert "no column 'txt'" in refused(place, mapping={"caption": "txt"})
    assert "no field 'captions'" in refused(place, mapping={"captions": "text"})


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("../secret.jpg", "lies outside"),
        ("/etc/passwd", "lies outside"),
        ("gone.jpg", "cannot be read"),
        ("https://example.org/a.jpg", "is a URI"),
        ("link.jpg", "link that leaves"),
    ],
)
def test_paths_may_not_leave_the_directory(
    path: str, complaint: str, jpeg: Jpeg, tmp_path: Path
) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg(0))
    place = table(tmp_path / "x", image=[path])
    (place / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    message = refused(place)
    assert message.startswith("x train[0]: image: ")
    assert complaint in message


def test_images_in_an_archive(jpeg: Jpeg, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with zipfile.ZipFile(tmp_path / "x" / "train.zip", "w") as archive:
        archive.writestr("1.jpg", jpeg(0))
    message = refused(tmp_path / "x")
    assert message.startswith("x train[0]: image: 'zip://1.jpg::")
    assert message.endswith("lies in an archive; unpack it and name the directory")


def test_directories_that_are_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "`datasets` cannot read it: The directory at" in refused(tmp_path / "empty")
    (tmp_path / "empty" / "train.parquet").write_bytes(b"no parquet")
    assert f"{tmp_path / 'empty'}: `datasets` cannot read it" in refused(tmp_path / "empty")
    assert "is a file: name its directory" in refused(tmp_path / "empty" / "train.parquet")
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "state.json").write_text("{}")
    assert "cannot read it" in refused(tmp_path / "disk")


def test_after_a_bad_row_the_same_command_goes_on(
    jpeg: Jpeg,
    everything: Callable[[Database], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "ROWS_A_BATCH", 2)
    good = [jpeg(i) for i in range(6)]
    place = table(tmp_path / "x", image=[*good[:4], b"<html>", good[5]])
    store = str(tmp_path / "study")
    with pytest.raises(
        InputError, match=r"^x train\[4\]: .*\[stored before that: 4 images; once it is mended"
    ):
        add_dataset(store, hf(place, max_broken=0), lambda _: None)
    assert vdb.open(store).images().collect().height == 4
    table(place, image=good)
    db, _ = add_dataset(store, hf(place), lambda _: None)
    clean, _ = add_dataset(str(tmp_path / "clean"), hf(place), lambda _: None)
    assert everything(db) == everything(clean)


# The hub.


class Hub:
    """Answers a question about a data set as it is told to."""

    def __init__(self, answer: Exception | None) -> None:
        self.answer = answer

    def dataset_info(self, name: str, timeout: float) -> None:
        assert 0 < timeout < 10, name
        if self.answer:
            raise self.answer


def test_a_hub_out_of_reach_is_one_line_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(
        datasets, "load_dataset", lambda *_, **__: pytest.fail("it would try for half a minute")
    )
    monkeypatch.setattr(
        huggingface_hub, "HfApi", lambda: Hub(ConnectError("Name or service\nnot known"))
    )
    assert refused("them/pets") == (
        "them/pets is no directory here, and the hub cannot be asked for it (Name or service not known); check the "
        "name and the network, or set HF_HUB_OFFLINE=1 to read what is cached"
    )
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: Hub(HFValidationError("bad")))
    assert "the hub has no data set of that name" in refused("them/ pets")


@pytest.mark.parametrize("streaming", [True, False])
def test_a_data_set_of_the_hub_is_streamed_or_fetched(
    streaming: bool, jpeg: Jpeg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []
    rows = datasets.Dataset.from_dict({"image": [jpeg(0)], "caption": ["one"]})

    def load(name: str, *, streaming: bool) -> Any:
        asked.append((name, streaming))
        return {"train": rows.to_iterable_dataset() if streaming else rows}

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: Hub(None))
    monkeypatch.setattr(datasets, "load_dataset", load)
    db, _ = add_dataset(
        str(tmp_path / "study"), hf("them/pets", streaming=streaming), lambda _: None
    )
    assert asked == [("them/pets", streaming)]
    assert db.images().collect()["source"].to_list() == ["pets train[0]"]


def test_offline_the_hub_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Any:
        raise ConnectionError(f"Couldn't reach {name!r}")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: pytest.fail("offline"))
    monkeypatch.setattr(datasets, "load_dataset", load)
    message = refused("them/pets")
    assert "HF_HUB_OFFLINE is set, and it is not cached (Couldn't reach 'them/pets')" in message


def test_files_of_the_hub_are_read_through_it(
    jpeg: Jpeg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Files:
        def cat_file(self, path: str) -> bytes:
            assert path == "hf://datasets/them/pets@abc/1.jpg"
            return jpeg(5)

    rows = datasets.Dataset.from_dict({"image": ["hf://datasets/them/pets@abc/1.jpg"]})
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: Hub(None))
    monkeypatch.setattr(huggingface_hub, "HfFileSystem", Files)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: {"train": rows})
    _, report = add_dataset(str(tmp_path / "study"), hf("them/pets"), lambda _: None)
    assert report.embedded == 1
    rows = datasets.Dataset.from_dict({"image": ["/etc/passwd"]})
    assert "lies outside" in refused("them/pets")
    rows = datasets.Dataset.from_dict({"image": []})
    assert refused("them/pets") == "them/pets: the split train has no rows"
