"""Manifests: hostile text, shuffled rows and malformed lines in CSV, JSON Lines and Parquet."""

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
    with pytest.raises(NotFoundError, match=r"no column 'filenme'; did you mean filename\?"):
        read(file, mapping={"image_path": "filenme"})
    with pytest.raises(NotFoundError, match=r"no field 'image_paht'; did you mean image_path"):
        read(file, mapping={"image_paht": "filename"})
    assert "only filename; say which is which: --map" in refused(file)


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


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("caption,n\nOne.,1\nTwo.,2,3\n", 3, "3 fields where the header has 2"),
        ("caption,n\nOne.,1\nTwo.\n", 3, "1 fields where the header has 2"),
        ('caption,n\n"One\nand",1\n\nTwo.\n', 5, "1 fields"),
        ('caption,n\nOne.,1\n"Two.,2\nThree.,3\n', 3, "malformed CSV"),
        ('caption,n\n"One" more,1\n', 2, "malformed CSV"),
        ("caption,n\nOne.,1\n,2\n", 3, "the caption is empty"),
        ('caption,n\n"a\nb",1\n" \t",2\n', 4, "the caption is empty"),
        ("caption,caption\nOne.,1\n", 1, "two columns are called 'caption'"),
        ("", 1, "no header"),
        ("n,m\n1,2\n", 1, "no column image_path"),
        ("caption,caption_id\nOne.,\n", 2, "an empty id"),
        ("caption,caption_id\nOne.,a\x07b\n", 2, "control character"),
        (f"caption,caption_id\nOne.,{'x' * 513}\n", 2, "513 characters"),
        ("caption,image_id\nOne.,a\x00\n", 2, "control character"),
        ("image_path\nimg/a.jpg\nimg/gone.jpg\n", 3, "No such file"),
        ("image_path,n\nimg/a.jpg,1\n,2\n", 3, "the image_path is empty"),
        ("image_path\n../items.csv\n", 2, "outside"),
        ("image_path\nimg/../../items.csv\n", 2, "outside"),
        ("image_path\n/etc/passwd\n", 2, "outside"),
        ("image_path\nhttps://example.org/a.jpg\n", 2, "is a URI"),
        ("image_path\nfile:///etc/passwd\n", 2, "is a URI"),
        ("image_path\nimg/a\x00.jpg\n", 2, "control character"),
        ("image_path\nimg\n", 2, "not a regular file"),
    ],
)
def test_a_mistake_in_csv_names_its_line(
    folder: Path, text: str, line: int, complaint: str
) -> None:
    file = folder / "items.csv"
    file.write_bytes(text.encode())
    message = refused(file)
    assert message.startswith(f"items.csv:{line}: ")
    assert complaint in message


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ('{"caption": "x"', "malformed JSON"),
        ("{'caption': 'x'}", "malformed JSON"),
        ('{"caption": "x"} {"caption": "y"}', "malformed JSON"),
        ("[1, 2]", "an array; each line must be a JSON object"),
        ('"x"', "text; each line must be a JSON object"),
        ('{"caption": 3}', "caption is a whole number; caption must be text"),
        ('{"caption": ["x"]}', "caption is an array"),
        ('{"caption": ""}', "the caption is empty"),
        ('{"caption": "\\ud83d"}', "half a character"),
        ('{"caption": "x", "caption_id": 1.5}', "caption_id is a number with a fraction"),
        ('{"caption": "x", "caption_id": true}', "caption_id is a boolean"),
        ('{"caption": "x", "caption_id": ""}', "an empty id"),
        ('{"caption": "x", "concept_id": ""}', "an empty id"),
        ('{"caption": "x", "caption_id": "a\\u0000"}', "control character"),
        ('{"caption_id": "7"}', "neither an image_path nor a caption"),
        ('{"image_path": "img/a.jpg", "caption_id": "7"}', "a caption_id but no caption"),
        ("{}", "neither"),
    ],
)
def test_a_mistake_in_json_lines_names_its_line(folder: Path, bad: str, complaint: str) -> None:
    file = folder / "items.jsonl"
    file.write_text(f'{{"caption": "fine"}}\n\n{bad}\n{{"caption": "fine again"}}\n')
    message = refused(file)
    assert message.startswith("items.jsonl:3: ")
    assert complaint in message


def test_what_is_not_utf8_names_its_line(folder: Path) -> None:
    for name in ("items.csv", "items.jsonl"):
        (folder / name).write_bytes(b'caption,n\n"a caf\xe9",1\n')
        assert refused(folder / name).startswith(f"{name}:2: not UTF-8")


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        ({"caption": [1.5]}, "column caption is Float64; caption must be text"),
        ({"caption": [b"x"]}, "column caption is Binary"),
        ({"caption": [["x"]]}, "column caption is List"),
        ({"caption": ["x"], "caption_id": [0.5]}, "column caption_id is Float64"),
    ],
)
def test_wrong_types_in_parquet_name_the_column(
    folder: Path, column: dict[str, list[Any]], complaint: str
) -> None:
    pl.DataFrame(column).write_parquet(folder / "items.parquet")
    message = refused(folder / "items.parquet")
    assert message.startswith("items.parquet: ")
    assert complaint in message


def test_empty_parquet_captions_name_their_row(folder: Path) -> None:
    pl.DataFrame({"caption": ["x", " "]}).write_parquet(folder / "items.parquet")
    assert refused(folder / "items.parquet").startswith("items.parquet:2: the caption is empty")


def test_what_is_no_manifest_is_said_to_be_none(folder: Path) -> None:
    (folder / "items.parquet").write_bytes(b"PAR1 but not really")
    assert "not readable as Parquet" in refused(folder / "items.parquet")
    (folder / "items.xlsx").write_bytes(b"")
    assert ".csv, .jsonl" in refused(folder / "items.xlsx")
    for suffix in ("csv", "jsonl", "parquet"):
        with pytest.raises(NotFoundError, match="there is no such file"):
            read(folder / f"gone.{suffix}")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_manifest_without_rows_is_refused(folder: Path, suffix: str) -> None:
    file = write(folder, suffix, [{"caption": "x"}])
    if suffix == "parquet":
        pl.DataFrame({"caption": []}, schema={"caption": pl.String}).write_parquet(file)
    else:
        file.write_text("caption\n" if suffix in {"csv", "tsv"} else "\n")
    assert refused(file).startswith(file.name)


@pytest.mark.parametrize(
    ("second", "differ"),
    [
        ({"image_path": "img/b.jpg", "image_id": "A"}, "sha256"),
        ({"image_path": "img/a.jpg", "image_id": "A", "concept_id": "dog"}, "concept_id"),
        ({"caption": "Other.", "caption_id": "C"}, "caption"),
        ({"caption": "One.", "caption_id": "C", "concept_id": "dog"}, "concept_id"),
    ],
)
def test_one_id_for_two_things_names_both_lines(folder: Path, second: Row, differ: str) -> None:
    first = {
        "image_path": "img/a.jpg",
        "image_id": "A",
        "caption": "One.",
        "caption_id": "C",
        "concept_id": "cup",
    }
    between = {"caption": "Between."}
    message = refused(write(folder, "jsonl", [first, between, second]))
    assert "items.jsonl:1 and items.jsonl:3" in message
    assert f"differ in {differ};" in message


def test_the_same_bytes_under_one_id_are_one_image(folder: Path) -> None:
    rows = [
        {"image_path": "img/a.jpg", "image_id": "A", "concept_id": None},
        {"image_path": "img/twin.jpg", "image_id": "A", "concept_id": "cup"},
    ]
    batch = read(write(folder, "jsonl", rows))
    assert batch.images.select("image_id", "concept_id").rows() == [("A", "cup")]


def test_missing_images_are_counted(folder: Path) -> None:
    rows = [{"image_path": f"img/{n}.jpg"} for n in ("a", "no", "b", "nope")]
    assert "img/no.jpg: No such file or directory (2 of 4" in refused(write(folder, "csv", rows))


def test_links_may_not_leave_the_folder(folder: Path) -> None:
    (folder.parent / "out").mkdir()
    (folder.parent / "out" / "x.jpg").write_bytes(b"x")
    (folder / "img" / "link.jpg").symlink_to(folder.parent / "out" / "x.jpg")
    (folder / "linked").symlink_to(folder.parent / "out")
    (folder / "img" / "inner.jpg").symlink_to(folder / "img" / "a.jpg")
    for path in ("img/link.jpg", "linked/x.jpg"):
        message = refused(write(folder, "csv", [{"image_path": path}]))
        assert message.startswith("items.csv:2: ")
        assert "link that leaves" in message
    assert read(write(folder, "csv", [{"image_path": "img/inner.jpg"}])).images.height == 1


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
