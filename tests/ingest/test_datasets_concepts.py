"""A folder for each concept: what is taken, what is left out and said to be."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ingest.datasets import Batch, concepts
from vdb.errors import InputError, NotFoundError


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "things"
    for path in ("cup/b.jpg", "cup/a.PNG", "dog/a.jpeg", "ant/10.webp", "ant/9.tif"):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(path.encode())
    return place


def read(directory: Path, **options: str) -> Batch:
    (batch,) = concepts(directory, **options)
    return batch


def refused(directory: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_ids_are_paths_and_concepts_are_folders_in_sorted_order(directory: Path) -> None:
    batch = read(directory)
    assert batch.concepts["concept_id"].to_list() == ["ant", "cup", "dog"]
    assert batch.images.select("image_id", "concept_id").rows() == [
        ("ant/10.webp", "ant"),
        ("ant/9.tif", "ant"),
        ("cup/a.PNG", "cup"),
        ("cup/b.jpg", "cup"),
        ("dog/a.jpeg", "dog"),
    ]
    assert batch.images["uri"][0] == str(directory / "ant/10.webp")
    assert batch.images["sha256"][0] == hashlib.sha256(b"ant/10.webp").hexdigest()
    assert batch.images["source"][0] == "things/ant/10.webp"
    assert set(batch.images["dataset"]) == {"things"}
    assert batch.notices == ()
    assert not batch.captions.height


def test_the_prefix_leaves_concepts_alone(directory: Path) -> None:
    batch = read(directory, prefix="t/", name="mine")
    assert batch.images.row(0)[:2] == ("t/ant/10.webp", "ant")
    assert batch.concepts.row(0) == ("ant", "ant", "mine", "things/ant")


def test_what_is_left_out_is_said(directory: Path) -> None:
    for path in ("cup/readme.txt", "cup/list.csv", "LICENSE", "cup/.hidden.jpg", ".DS_Store"):
        (directory / path).write_bytes(b"x")
    (directory / "empty").mkdir()
    (directory / ".git").mkdir()
    batch = read(directory)
    assert batch.images.height == 5
    assert batch.concepts.height == 3
    assert batch.notices == (
        "left out cup/list.csv and 1 more: not called like an image",
        "no image in empty/",
        "left out LICENSE: beside the folders, not in one",
    )


def test_hostile_names_are_kept(directory: Path) -> None:
    names = ["it's", "<script>", "\u05e9\u05dc\u05d5\u05dd", "\U0001f436 dog", "a|b", "..."]
    names.remove("...")  # hidden, as every name that begins with a dot
    for name in names:
        (directory / name).mkdir()
        (directory / name / "x' OR 1=1.jpg").write_bytes(b"x")
    batch = read(directory)
    assert set(names) < set(batch.concepts["concept_id"])
    assert "it's/x' OR 1=1.jpg" in batch.images["image_id"].to_list()


@pytest.mark.parametrize("name", ["line\nbreak", "x" * 200 + "/" + "y" * 200 + "z" * 50])
def test_names_unfit_for_ids_are_refused(directory: Path, name: str) -> None:
    folder, _, stem = name.partition("/")
    (directory / folder).mkdir()
    (directory / folder / f"{stem or 'a'}.jpg").write_bytes(b"x")
    if "\n" in name:
        assert "control character" in refused(directory)
    else:
        with pytest.raises(InputError, match="characters"):
            read(directory, prefix="p" * 100)


def test_a_name_that_is_no_text_is_refused(directory: Path) -> None:
    try:
        (directory / "cup" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system holds UTF-8 names only")
    assert "surrogate" in refused(directory)


def test_nested_folders_are_refused(directory: Path) -> None:
    (directory / "cup" / "train").mkdir()
    message = refused(directory)
    assert "cup/train is a folder inside a concept's folder" in message


def test_no_image_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "cup").mkdir()
    assert "holds no folder of images" in refused(tmp_path)
    with pytest.raises(NotFoundError, match="gone is not a folder"):
        read(tmp_path / "gone")
    with pytest.raises(NotFoundError, match="is not a folder"):
        read(tmp_path / "a.jpg")


def test_links_may_not_leave_the_directory(directory: Path) -> None:
    outside = directory.parent / "outside"
    outside.mkdir()
    (outside / "x.jpg").write_bytes(b"x")
    (directory / "cup" / "link.jpg").symlink_to(outside / "x.jpg")
    message = refused(directory)
    assert "things/cup/link.jpg" in message
    assert "link that leaves" in message
    (directory / "cup" / "link.jpg").unlink()
    (directory / "linked").symlink_to(outside)
    assert "link that leaves" in refused(directory)
    (directory / "linked").unlink()
    (directory / "kitten").symlink_to(directory / "cup")
    assert read(directory).images.height == 7


def test_a_dangling_link_and_a_pipe_are_refused(directory: Path) -> None:
    (directory / "cup" / "gone.jpg").symlink_to(directory / "cup" / "nothing.jpg")
    assert "things/cup/gone.jpg" in refused(directory)
    (directory / "cup" / "gone.jpg").unlink()
    os.mkfifo(directory / "cup" / "pipe.jpg")
    assert "not a regular file" in refused(directory)


def test_images_that_will_not_decode_are_still_added(directory: Path) -> None:
    """Whether an image decodes is found at the ingest, and kept in its ledger of failures."""
    (directory / "cup" / "zero.jpg").write_bytes(b"")
    (directory / "cup" / "page.jpg").write_bytes(b"<html>")
    assert read(directory).images.height == 7


@pytest.mark.real
def test_the_51_real_concepts_of_10_photos() -> None:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    batch = read(Path(os.environ["VDB_REAL_DATA"]) / "concepts")
    assert batch.concepts.height == 51
    assert batch.images["image_id"].n_unique() == 510
    assert set(batch.images.group_by("concept_id").len()["len"]) == {10}
