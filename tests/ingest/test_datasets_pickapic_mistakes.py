"""Pick-a-Pic: malformed files are refused with file and row, and what was stored before goes on being good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import vdb
from ingest.add import add_dataset
from ingest.datasets import pickapic, streams
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Choice = Callable[..., dict[str, Any]]
    Write = Callable[..., Path]
    Everything = Callable[[Database], dict[str, Any]]


def refused(*sources: Path | str, **options: Any) -> str:
    with pytest.raises((InputError, NotFoundError)) as caught:
        list(pickapic(*sources, **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"label_0": 0.7, "label_1": 0.3}, "label_0 is 0.7 and label_1 0.3; they must be 1 and 0"),
        ({"label_0": 1.0, "label_1": 1.0}, "label_0 is 1.0 and label_1 1.0"),
        ({"label_0": 0.5, "label_1": 0.0}, "label_0 is 0.5 and label_1 0.0"),
        ({"label_0": 0.0, "label_1": 0.0}, "label_0 is 0.0 and label_1 0.0"),
        ({"label_0": float("nan"), "label_1": 0.0}, "label_0 is nan"),
        ({"label_0": None}, "label_0 is None"),
        ({"label_1": None}, "label_1 None"),
        ({"num_example_per_prompt": 0}, "num_example_per_prompt is 0"),
        ({"num_example_per_prompt": -2}, "num_example_per_prompt is -2"),
        ({"jpg_0": b"<html>gone</html>"}, "jpg_0 is no image: it begins with b'<html>go'"),
        ({"jpg_1": b"\0"}, "jpg_1 is no image"),
        ({"jpg_1": b"\xff\xd8"}, "jpg_1 is no image"),
    ],
)
def test_a_bad_row_is_named(
    told: dict[str, Any], complaint: str, choice: Choice, write_choices: Write, tmp_path: Path
) -> None:
    rows = [choice(i) for i in range(5)] + [choice(5, **told)]
    file = write_choices(tmp_path / "test-00000-of-00001.parquet", rows)
    message = refused(file, max_broken=0)
    assert message.startswith("test-00000-of-00001.parquet:6: ")
    assert complaint in message


@pytest.mark.parametrize(
    ("types", "complaint"),
    [
        ({"caption": None}, "no column caption; is this a file of Pick-a-Pic?"),
        ({"label_0": None, "jpg_1": None}, "no column jpg_1, label_0"),
        (
            {"jpg_0": None, "jpg_1": None},
            "no column jpg_0, jpg_1; this looks like the edition without",
        ),
        ({"caption": pa.binary()}, "column caption is binary; it must be text"),
        ({"jpg_0": pa.string()}, "column jpg_0 is string; it must be binary"),
        ({"label_1": pa.string()}, "column label_1 is string; it must be a number"),
        ({"has_label": pa.int64()}, "column has_label is int64; it must be a boolean"),
        ({"num_example_per_prompt": pa.float64()}, "must be a whole number"),
        ({"ranking_id": pa.float64()}, "column ranking_id is double"),
    ],
)
def test_a_bad_column_is_named_before_a_row_is_read(
    types: dict[str, pa.DataType | None], complaint: str, write_choices: Write, tmp_path: Path
) -> None:
    message = refused(write_choices(tmp_path / "a.parquet", [], types))
    assert message.startswith("a.parquet: ")
    assert complaint in message


def test_a_difference_that_is_asked_for_must_be_in_the_file(
    write_choices: Write, tmp_path: Path
) -> None:
    file = write_choices(tmp_path / "a.parquet", [], {"are_different": None})
    assert "no column are_different" in refused(file, min_different=1)


def test_a_caption_that_is_not_utf_8_is_named(
    choice: Choice, write_choices: Write, tmp_path: Path
) -> None:
    rows = [choice(i, caption=text) for i, text in enumerate(["plain", "plain", "qqqq"])]
    file = write_choices(tmp_path / "a.parquet", rows)
    data = file.read_bytes()
    assert b"qqqq" in data
    file.write_bytes(data.replace(b"qqqq", b"q\xff\xfeq"))
    assert refused(file) == "a.parquet:3: caption is not UTF-8"


def test_a_file_that_is_cut_short_or_no_parquet(
    choice: Choice, write_choices: Write, tmp_path: Path
) -> None:
    file = write_choices(tmp_path / "a.parquet", [choice(i) for i in range(6)])
    whole = file.read_bytes()
    for data in (whole[: len(whole) // 2], b"", b"<html>not found</html>", whole[:-1]):
        file.write_bytes(data)
        message = refused(file)
        assert message.startswith("a.parquet: not readable as Parquet")
        assert "is the download whole?" in message


def test_pages_that_are_damaged_say_after_which_row(
    choice: Choice, write_choices: Write, tmp_path: Path
) -> None:
    file = write_choices(tmp_path / "a.parquet", [choice(i) for i in range(9)])
    group = pa.parquet.ParquetFile(file).metadata.row_group(1)
    start = min(
        group.column(i).dictionary_page_offset or group.column(i).data_page_offset
        for i in range(2, 12)
    )
    data = bytearray(file.read_bytes())
    data[start : start + group.total_byte_size // 2] = b"\xff" * (group.total_byte_size // 2)
    file.write_bytes(bytes(data))
    assert refused(file).startswith("a.parquet: not readable as Parquet after row 3: ")


def test_no_rows_no_file(write_choices: Write, tmp_path: Path) -> None:
    assert "there are no rows" in refused(write_choices(tmp_path / "a.parquet", []))
    assert "there is no such file" in refused(tmp_path / "b.parquet")


def test_nothing_of_a_bad_first_batch_is_stored(
    choice: Choice, write_choices: Write, tmp_path: Path
) -> None:
    file = write_choices(tmp_path / "a.parquet", [choice(0), choice(1, label_0=0.7)])
    with pytest.raises(InputError, match=r"a\.parquet:2") as caught:
        add_dataset(str(tmp_path / "study"), pickapic(file), lambda _: None)
    assert "stored" not in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_once_a_file_is_mended_the_same_command_goes_on(
    choice: Choice,
    write_choices: Write,
    everything: Everything,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "ROWS_A_BATCH", 8)
    good = [choice(i) for i in range(12)]
    file = write_choices(tmp_path / "a.parquet", [*good[:7], choice(7, jpg_0=b"GIF?"), *good[8:]])
    store = str(tmp_path / "study")
    with pytest.raises(InputError, match=r"^a\.parquet:8: jpg_0 is no image") as caught:
        add_dataset(store, pickapic(file, max_broken=0), lambda _: None)
    held = {
        name: vdb.open(store).read(name).collect().height
        for name in ("images", "captions", "trials")
    }
    assert held == {"images": 14, "captions": 4, "trials": 7}  # all before the row
    assert str(caught.value).endswith(
        "[stored before that: 14 images, 4 captions, 7 trials; once it is mended, the same command goes on]"
    )
    write_choices(file, good)
    mended, report = add_dataset(store, pickapic(file), lambda _: None)
    assert report.added == {"images": 10, "captions": 2, "trials": 5}
    assert report.embedded == 10
    clean, _ = add_dataset(str(tmp_path / "clean"), pickapic(file), lambda _: None)
    assert everything(mended) == everything(clean)
