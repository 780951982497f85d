"""A small data set of each kind that ``vdb add`` takes, on disk and without a mistake: what the tests then spoil."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


HEIGHT, WIDTH = 6, 8
NAMES = ("a", "b", "c")
TEXTS = ("A dog sleeps.", "Two birds on a wire.", 'A cat, it says, of "three" years.')


class Small(NamedTuple):
    """A data set on disk.

    ``arguments`` are those of ``vdb add`` but for the store's, ``spoilable`` the files that are not images.
    """

    arguments: list[str]
    spoilable: list[Path]


def photo(number: int, height: int = HEIGHT, width: int = WIDTH) -> bytes:
    """Encode noise of its own for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def put(file: Path, content: bytes | str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def photos(folder: Path, suffix: str = ".png") -> Path:
    for number, name in enumerate(NAMES):
        put(folder / f"{name}{suffix}", photo(number))
    return folder


def write_table(file: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows as the suffix says; in CSV what a row lacks is an empty cell."""
    file.parent.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    if file.suffix == ".jsonl":
        return put(file, "".join(json.dumps(row) + "\n" for row in rows))
    if file.suffix == ".parquet":
        pl.DataFrame([{name: row.get(name) for name in names} for row in rows]).write_parquet(file)
        return file
    with file.open("w", newline="") as opened:
        table = csv.DictWriter(opened, names, delimiter="\t" if file.suffix == ".tsv" else ",")
        table.writeheader()
        table.writerows(rows)
    return file


def coco_json(kind: str) -> dict[str, Any]:
    """Make one of COCO's documents, of all three photos: two annotations each, a dog and a lawn in masks."""
    listed = [
        {"id": i + 1, "file_name": f"{name}.png", "height": HEIGHT, "width": WIDTH}
        for i, name in enumerate(NAMES)
    ]
    categories = [
        {"id": 1, "name": "dog", "isthing": 1},
        {"id": 2, "name": "lawn", "isthing": 0},
    ]
    document: dict[str, Any] = {"images": listed}
    if kind == "captions":
        document["annotations"] = [
            {"id": 10 * i + n, "image_id": i, "caption": f"{TEXTS[n]} {i}"}
            for i in (1, 2, 3)
            for n in (0, 1)
        ]
    elif kind == "instances":
        box = [1, 1, 5, 1, 5, 4, 1, 4]
        runs = {"size": [HEIGHT, WIDTH], "counts": [10, 5, HEIGHT * WIDTH - 15]}
        document["categories"] = categories
        document["annotations"] = [
            {"id": 10 * i + n, "image_id": i, "category_id": 1, "iscrowd": n, "segmentation": shape}
            for i in (1, 2, 3)
            for n, shape in enumerate(([box], runs))
        ]
    else:
        document["categories"] = categories
        document["annotations"] = [
            {
                "image_id": i,
                "file_name": f"{i}.png",
                "segments_info": [{"id": 300 + n, "category_id": n, "iscrowd": 0} for n in (1, 2)],
            }
            for i in (1, 2, 3)
        ]
    return document


def _coco(home: Path) -> Small:
    arguments = ["coco", "--images", str(photos(home / "photos"))]
    files = []
    for kind in ("captions", "instances", "panoptic"):
        file = put(home / f"{kind}.json", json.dumps(coco_json(kind), indent=1))
        arguments += [f"--{kind}", str(file)]
        files.append(file)
    ids = np.full((HEIGHT, WIDTH), 301, np.uint32)
    ids[3:] = 302
    rgb = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8)
    (home / "masks").mkdir()
    for i in (1, 2, 3):
        Image.fromarray(rgb).save(home / "masks" / f"{i}.png")
        files.append(home / "masks" / f"{i}.png")
    return Small([*arguments, "--panoptic-masks", str(home / "masks")], files)


def _flickr8k(home: Path) -> Small:
    photos(home / "photos", ".jpg")
    lines = [f"{name}.jpg#{n}\t{TEXTS[n]} {name}\n" for name in NAMES for n in (0, 1)]
    captions = put(home / "tokens.txt", "".join(lines))
    judged = [f"{name}.jpg\ta.jpg#0\t{n}\t{n + 1}\t{n + 1}\n" for n, name in enumerate(NAMES, 1)]
    judgements = put(home / "experts.txt", "".join(judged))
    split = put(home / "split.txt", "a.jpg\nb.jpg\nc.jpg\n")
    given = {
        "images": home / "photos",
        "captions": captions,
        "judgements": judgements,
        "split": split,
    }
    arguments = [part for name, file in given.items() for part in (f"--{name}", str(file))]
    return Small(["flickr8k", *arguments], [captions, judgements, split])


def manifest_rows() -> list[dict[str, Any]]:
    """Make rows of each sort: images with captions, a pair of two of them, a variant of an image and of a caption."""
    rows: list[dict[str, Any]] = [
        {
            "image_path": f"photos/{name}.png",
            "image_id": f"img-{name}",
            "caption": text,
            "caption_id": f"cap-{name}",
            "concept_id": "animal",
        }
        for name, text in zip(NAMES, TEXTS, strict=True)
    ]
    return [
        *rows,
        {"image_id": "img-a", "caption_id": "cap-b"},
        {
            "image_path": "photos/altered.png",
            "image_id": "img-a",
            "variant": "inpainted",
            "variant_kind": "semantic",
        },
        {"caption": "A DOG SLEEPS.", "caption_id": "cap-a", "variant": "shouted"},
    ]


def _manifest(suffix: str) -> Callable[[Path], Small]:
    def write(home: Path) -> Small:
        photos(home / "photos")
        put(home / "photos/altered.png", photo(7))
        file = write_table(home / f"items{suffix}", manifest_rows())
        return Small(["manifest", str(file)], [file])

    return write


def trial_rows() -> list[dict[str, Any]]:
    """Make trials of texts and paths, of ids of other rows, and of a true and a false caption."""
    return [
        {
            "query_text": TEXTS[0],
            "query_id": "cap-a",
            "candidate_0_path": "photos/a.png",
            "candidate_0_id": "img-a",
            "candidate_1_path": "photos/b.png",
            "candidate_1_id": "img-b",
            "label": 1,
            "weight": 0.5,
            "judge": "j1",
        },
        {"query_id": "cap-a", "candidate_0_id": "img-a", "candidate_1_id": "img-b", "label": 0},
        {"image_path": "photos/c.png", "caption": TEXTS[2], "false_caption": TEXTS[1]},
    ]


def _trials(suffix: str) -> Callable[[Path], Small]:
    def write(home: Path) -> Small:
        photos(home / "photos")
        file = write_table(home / f"choices{suffix}", trial_rows())
        return Small(["trials", str(file)], [file])

    return write


def _things(concepts: str, images: str, folder: str) -> Callable[[Path], Small]:
    def write(home: Path) -> Small:
        paths = [f"{name}{n}/{name}{n}_0{n}.jpg" for name in ("bat", "cup") for n in (1, 2)]
        for number, path in enumerate(paths):
            put(home / folder / path, photo(number))
        ids = [path.split("/")[0] for path in paths]
        files = [
            put(home / concepts / "unique_id.csv", "".join(f"{one}\n" for one in ids)),
            put(home / concepts / "image_concept_index.csv", "1\n2\n3\n4\n"),
            put(home / images / "image_paths.csv", "".join(f"images/{one}\n" for one in paths)),
            put(
                home / concepts / "things_concepts.tsv",
                "Word\tuniqueID\n" + "".join(f"{one[:-1]}\t{one}\n" for one in ids),
            ),
        ]
        return Small(["things", str(home)], files)

    return write


def _concepts(home: Path) -> Small:
    for number, name in enumerate(NAMES):
        put(home / "all" / name / "1.png", photo(number))
    rows = [
        {
            "image_path": f"{name}/1.png",
            "concept_id": name,
            "caption": text,
            "caption_id": f"t-{name}",
        }
        for name, text in zip(NAMES, TEXTS, strict=True)
    ]
    file = write_table(home / "captions.csv", [*rows, {"concept_id": "a", "caption": "An a."}])
    return Small(["concepts", str(home / "all"), "--captions", str(file)], [file])


def pack(shard: Path, files: Sequence[tuple[str, bytes]], mode: Any = "w") -> Path:
    """Write a tar archive."""
    shard.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(shard, mode) as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return shard


def shard_members() -> list[tuple[str, bytes]]:
    """Make the members of a shard of three samples."""
    return [
        one
        for number, (name, text) in enumerate(zip(NAMES, TEXTS, strict=True))
        for one in (
            (f"{name}.png", photo(number)),
            (f"{name}.json", json.dumps({"caption": f"{text} too", "key": name}).encode()),
            (f"{name}.txt", text.encode()),
        )
    ]


def _webdataset(suffix: str, mode: str) -> Callable[[Path], Small]:
    def write(home: Path) -> Small:
        shard = pack(home / "shards" / f"00000{suffix}", shard_members(), mode)
        return Small(["webdataset", str(shard)], [shard])

    return write


def hf_columns() -> dict[str, list[Any]]:
    """Make the columns of a Hugging Face data set."""
    return {
        "image": [{"bytes": photo(number), "path": None} for number in range(3)],
        "image_id": list(NAMES),
        "caption": list(TEXTS),
        "caption_id": [f"{name}#0" for name in NAMES],
        "concept_id": ["animal"] * 3,
    }


def _hf(home: Path) -> Small:
    (home / "set").mkdir(parents=True)
    pq.write_table(pa.table(hf_columns()), home / "set/train.parquet")
    return Small(["hf", str(home / "set")], [home / "set/train.parquet"])


def choice_columns() -> dict[str, pa.Array]:
    """Make Pick-a-Pic's columns, those that are read."""
    return {
        "caption": pa.array(TEXTS),
        "jpg_0": pa.array([photo(number) for number in (0, 1, 2)], pa.binary()),
        "jpg_1": pa.array([photo(number) for number in (3, 4, 5)], pa.binary()),
        "label_0": pa.array([1.0, 0.0, 0.5]),
        "label_1": pa.array([0.0, 1.0, 0.5]),
        "has_label": pa.array([True] * 3),
        "are_different": pa.array([True] * 3),
        "num_example_per_prompt": pa.array([1, 2, 2]),
        "ranking_id": pa.array([7, 8, 9]),
        "user_id": pa.array([1, 1, 2]),
        "image_0_uid": pa.array(["u0", "u1", "u2"]),
        "image_1_uid": pa.array(["u3", "u4", "u5"]),
    }


def _pickapic(home: Path) -> Small:
    home.mkdir(parents=True, exist_ok=True)
    file = home / "test-00000-of-00001.parquet"
    pq.write_table(pa.table(choice_columns()), file)
    return Small(["pickapic", str(file)], [file])


SMALL: dict[str, Callable[[Path], Small]] = {
    "coco": _coco,
    "flickr8k": _flickr8k,
    "manifest-csv": _manifest(".csv"),
    "manifest-tsv": _manifest(".tsv"),
    "manifest-jsonl": _manifest(".jsonl"),
    "manifest-parquet": _manifest(".parquet"),
    "trials-csv": _trials(".csv"),
    "trials-jsonl": _trials(".jsonl"),
    "trials-parquet": _trials(".parquet"),
    "things-main": _things("Variables", "Variables", "Main/images"),
    "things-metadata": _things("Metadata/Concept-specific", "Metadata/Image-specific", "Images"),
    "concepts": _concepts,
    "webdataset": _webdataset(".tar", "w"),
    "webdataset-gz": _webdataset(".tar.gz", "w:gz"),
    "hf": _hf,
    "pickapic": _pickapic,
}
"""Each kind and form by name; a function that writes it into an empty directory."""
