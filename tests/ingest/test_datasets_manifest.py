"""Manifests: what a row becomes, whatever its format, its order and its text."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.datasets import Batch, manifest
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    import random
    from pathlib import Path

Row = dict[str, Any]
FORMATS = ("csv", "tsv", "jsonl", "ndjson", "parquet")


def write(folder: Path, suffix: str, rows: list[Row]) -> Path:
    file = folder / f"items.{suffix}"
    if suffix in {"csv", "tsv"}:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]), delimiter="," if suffix == "csv" else "\t")
        writer.writeheader()
        writer.writerows(rows)
        file.write_bytes(text.getvalue().encode())
    elif suffix == "parquet":
        pl.DataFrame(rows, strict=False).write_parquet(file)
    else:
        file.write_bytes("\n".join(json.dumps(row) for row in rows).encode())
    return file


def read(file: Path, **options: Any) -> Batch:
    (batch,) = manifest(file, **options)
    return batch


def refused(file: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(file, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of three images, two of the same content."""
    place = tmp_path / "data"
    (place / "img").mkdir(parents=True)
    for name, content in {"a.jpg": b"a", "b.jpg": b"b", "twin.jpg": b"a"}.items():
        (place / "img" / name).write_bytes(content)
    return place


PAIRED = [
    {"image_path": "img/a.jpg", "caption": "One.", "concept_id": "cup"},
    {"image_path": "img/a.jpg", "caption": "Two.", "concept_id": "cup"},
    {"image_path": "img/b.jpg", "caption": "One.", "concept_id": "dog"},
]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_row_with_both_is_a_pair(folder: Path, suffix: str) -> None:
    batch = read(write(folder, suffix, PAIRED))
    assert batch.images.select("image_id", "concept_id").rows() == [
        ("img/a.jpg", "cup"),
        ("img/b.jpg", "dog"),
    ]
    assert batch.captions["text"].to_list() == ["One.", "Two.", "One."]
    assert batch.captions["caption_id"].n_unique() == 3  # of another image, so another caption
    assert batch.pairs["image_id"].to_list() == ["img/a.jpg", "img/a.jpg", "img/b.jpg"]
    assert batch.pairs["caption_id"].to_list() == batch.captions["caption_id"].to_list()
    assert batch.concepts["concept_id"].to_list() == ["cup", "dog"]
    assert batch.images["uri"].to_list() == [str(folder / "img/a.jpg"), str(folder / "img/b.jpg")]
    first = 2 if suffix in {"csv", "tsv"} else 1
    assert batch.captions["source"].to_list() == [f"items.{suffix}:{first + i}" for i in range(3)]
    assert set(batch.pairs["dataset"]) == {"items"}
    assert batch.notices == ()


def test_the_formats_agree(folder: Path) -> None:
    keys = {
        tuple(read(write(folder, suffix, PAIRED)).pairs.select("image_id", "caption_id").rows())
        for suffix in FORMATS
    }
    assert len(keys) == 1


@given(seed=st.randoms(use_true_random=False))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_shuffled_rows_get_the_same_ids(folder: Path, seed: random.Random) -> None:
    shuffled = list(PAIRED)
    seed.shuffle(shuffled)
    one, other = (read(write(folder, "csv", rows)) for rows in (PAIRED, shuffled))
    for table, columns in {
        "images": ["image_id", "concept_id", "uri", "sha256"],
        "captions": ["caption_id", "text", "concept_id"],
        "pairs": ["image_id", "caption_id"],
    }.items():
        assert set(one.tables()[table].select(columns).rows()) == set(
            other.tables()[table].select(columns).rows()
        )


def test_identical_captions_with_their_own_ids_are_both_kept(folder: Path) -> None:
    rows = [{"caption": "Same.", "caption_id": "x"}, {"caption": "Same.", "caption_id": "y"}]
    batch = read(write(folder, "csv", rows))
    assert batch.captions.select("caption_id", "text").rows() == [("x", "Same."), ("y", "Same.")]
    assert not batch.images.height
    assert not batch.pairs.height


def test_identical_rows_are_one_item(folder: Path) -> None:
    batch = read(write(folder, "csv", [*PAIRED, PAIRED[0]]))
    assert (batch.images.height, batch.captions.height, batch.pairs.height) == (2, 3, 3)


def test_one_caption_may_belong_to_two_images(folder: Path) -> None:
    rows = [
        {"image_path": f"img/{i}.jpg", "caption": "Same.", "caption_id": "c"} for i in ("a", "b")
    ]
    batch = read(write(folder, "csv", rows))
    assert batch.captions.height == 1
    assert batch.pairs.height == 2


def test_captions_alone_and_images_alone(folder: Path) -> None:
    captions = read(write(folder, "csv", [{"caption": "One."}, {"caption": "Two."}]))
    assert (captions.captions.height, captions.images.height, captions.pairs.height) == (2, 0, 0)
    images = read(write(folder, "csv", [{"image_path": "img/a.jpg"}, {"image_path": "img/b.jpg"}]))
    assert (images.captions.height, images.images.height, images.pairs.height) == (0, 2, 0)


def test_json_null_says_nothing(folder: Path) -> None:
    rows = [
        {"image_path": "img/a.jpg", "image_id": None, "caption": None, "concept_id": None},
        {"image_path": None, "caption": "Alone."},
        {"image_path": "img/b.jpg", "image_id": 12, "caption": "With a number for an id."},
    ]
    for suffix in ("jsonl", "parquet"):
        batch = read(write(folder, suffix, rows))
        assert batch.images["image_id"].to_list() == ["img/a.jpg", "12"]
        assert batch.images["concept_id"].to_list() == [None, None]
        assert batch.captions.height == 2
        assert batch.pairs["image_id"].to_list() == ["12"]


def test_a_caption_can_name_the_image_of_another_row(folder: Path) -> None:
    rows = [
        {"image_path": "img/a.jpg", "image_id": "A"},
        {"image_id": "A", "caption": "Of A."},
        {"image_id": "elsewhere", "caption": "Of one that the store holds."},
    ]
    batch = read(write(folder, "jsonl", rows))
    assert batch.images["image_id"].to_list() == ["A"]
    assert batch.pairs["image_id"].to_list() == ["A", "elsewhere"]


def test_mapped_columns_and_the_prefix(folder: Path) -> None:
    rows = [{"file": "./img//a.jpg", "text": "One.", "label": "cup", "no": "1"}]
    mapping = {"image_path": "file", "caption": "text", "concept_id": "label"}
    batch = read(write(folder, "csv", rows), mapping=mapping, prefix="p/", name="mine")
    assert batch.images["image_id"].to_list() == ["p/img/a.jpg"]
    assert batch.captions["caption_id"][0].startswith("p/caption-")
    assert batch.concepts["concept_id"].to_list() == ["cup"]
    assert batch.images["dataset"].to_list() == ["mine"]
    assert batch.notices == ("columns that were not used: no",)


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_unknown_column_or_field_is_answered_with_the_nearest(folder: Path, suffix: str) -> None:
    file = write(folder, suffix, [{"filename": "img/a.jpg"}])
    with pytest.raises(NotFoundError, match=r"no column 'filenme' in \S+; did you mean filename\?"):
        read(file, mapping={"image_path": "filenme"})
    with pytest.raises(NotFoundError, match=r"no field 'image_paht'; did you mean image_path"):
        read(file, mapping={"image_paht": "filename"})
    assert "only filename; say which is which: --map" in refused(file)


def test_the_same_bytes_under_one_id_are_one_image(folder: Path) -> None:
    rows = [
        {"image_path": "img/a.jpg", "image_id": "A", "concept_id": None},
        {"image_path": "img/twin.jpg", "image_id": "A", "concept_id": "cup"},
    ]
    batch = read(write(folder, "jsonl", rows))
    assert batch.images.select("image_id", "concept_id").rows() == [("A", "cup")]


def test_a_root_of_the_users_choice(folder: Path) -> None:
    file = write(folder, "csv", [{"image_path": "a.jpg"}])
    assert read(file, root=folder / "img").images["uri"].to_list() == [str(folder / "img/a.jpg")]
    absolute = str(folder / "img" / "a.jpg")
    file = write(folder, "csv", [{"image_path": absolute}])
    assert read(file).images["image_id"].to_list() == [absolute]
    assert read(file, root="/").images["image_id"].to_list() == [absolute]
    (folder / "other").mkdir()
    assert "outside" in refused(file, root=folder / "other")
    with pytest.raises(NotFoundError, match="is not a folder"):
        read(file, root=folder / "gone")


def test_derived_ids_do_not_confuse_image_and_text(folder: Path) -> None:
    """No two pairs of image and text are hashed as one string."""
    rows = [{"image_id": "a", "caption": "b c"}, {"image_id": "a b", "caption": "c"}]
    assert read(write(folder, "jsonl", rows)).captions["caption_id"].n_unique() == 2


# --- text ---------------------------------------------------------------------------------------

HOSTILE = [
    "it's a dog",
    'a "quoted" dog',
    "x' OR 1=1 --",
    "<script>alert(1)</script>",
    "first line\nsecond line\r\nthird",
    "\u202eright to left \u05e9\u05dc\u05d5\u05dd",
    "\U0001f436\u200d\U0001f9ba e\u0301",
    "a,b;c\td|e\\f",
    "nul \0 inside",
    "  spaces at both ends  ",
    "\ufeffbyte-order mark",
    "NULL",
    "nan",
    "00123",
    "True",
    "=1+1",
]


@pytest.mark.parametrize("suffix", FORMATS)
def test_hostile_captions_come_through_untouched(folder: Path, suffix: str) -> None:
    rows = [{"n": str(i), "caption": text} for i, text in enumerate(HOSTILE)]
    assert read(write(folder, suffix, rows)).captions["text"].to_list() == HOSTILE


@pytest.mark.parametrize("suffix", FORMATS)
def test_hostile_ids_come_through_untouched(folder: Path, suffix: str) -> None:
    ids = [text for text in HOSTILE if not set(text) & set("\0\n\t")]
    rows = [{"caption": "Same.", "caption_id": text, "concept_id": text} for text in ids]
    batch = read(write(folder, suffix, rows))
    assert batch.captions["caption_id"].to_list() == ids
    assert batch.concepts["concept_id"].to_list() == ids


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(texts=st.lists(TEXTS, min_size=1, max_size=5), suffix=st.sampled_from(FORMATS))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_round_trips(folder: Path, texts: list[str], suffix: str) -> None:
    rows = [{"caption": text, "caption_id": str(i)} for i, text in enumerate(texts)]
    assert read(write(folder, suffix, rows)).captions["text"].to_list() == texts


@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_lines_are_an_editors_lines(folder: Path, texts: list[str]) -> None:
    """Whatever breaks lines within quotes, a row's line is where it begins."""
    texts = [text.replace("\r", "\n") for text in texts]
    file = write(folder, "csv", [{"caption": text, "n": "x"} for text in [*texts, "@HERE@"]])
    written = file.read_bytes().decode()
    line = written[: written.rindex("@HERE@")].count("\n") + 1
    assert read(file).captions["source"][-1] == f"items.csv:{line}"


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_mark_and_line_endings_do_not_matter(
    folder: Path, suffix: str, ending: str, mark: str
) -> None:
    file = write(folder, suffix, PAIRED)
    lines = file.read_bytes().decode().splitlines()
    file.write_bytes((mark + ending.join([*lines, "", ""])).encode())
    batch = read(file)
    assert batch.images.height == 2
    assert batch.captions["source"][2] == f"items.{suffix}:{len(lines)}"
