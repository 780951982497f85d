"""Webdataset: tar archives ("shards") of samples, each a run of members that share a name: ``KEY.jpg``, ``KEY.txt``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from ingest.datasets.image_formats import SUFFIXES
from ingest.datasets.json_text import KINDS, parse_json
from ingest.datasets.patterns import expanded
from ingest.datasets.streams import MAX_BROKEN, Basket, Tally, caption_id_of
from ingest.datasets.webdataset.tar import is_compressed, members
from ingest.sources import is_remote, member_uri
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ingest.datasets.base import Batch
    from ingest.datasets.webdataset.tar import Member

_MOST_KEYS = 100  # of JSON objects, to suggest one of

_NO_IMAGE = "left out {} samples without an image"
_BROKEN = "left out {} samples whose image is none"
_BLANK = "left out {} captions that are blank"
_TAKEN_IN = "{} shards are compressed or not called .tar, so the store took their images in"
_OTHER = "passed over {} members that are neither image, .txt nor .json"


def webdataset(
    *shards: str | Path,
    caption_keys: Sequence[str] = ("caption",),
    limit: int | None = None,
    max_broken: int = MAX_BROKEN,
    name: str | None = None,
    prefix: str = "",
) -> Iterator[Batch]:
    """Read the samples of tar shards one by one, nothing being written to disk.

    A sample is its image (its id: the key), the text of its ``.txt`` and what its ``.json`` has under
    ``caption_keys``, each paired with the image; a text that stands in both is one caption. Images stay in their
    shards and are named by where their bytes lie there; those of a compressed shard have no such place, so the store
    takes them in.

    Parameters
    ----------
    *shards : str or path
        Files, directories of ``.tar`` files, brace patterns (``{00000..00012}.tar``) and wildcards; each file is read
        once.
    caption_keys : sequence of str
        Of each sample's JSON object: texts, or arrays of texts. One that no object has is told at the end.
    limit : int, optional
        Take only so many samples.
    max_broken : int
        So many images may be none, by their first bytes; their samples are left out and counted.
    name : str, optional
        The data set's name in the store; that of the shards' directory unless given.
    prefix : str
        Put before each image and caption id.

    Raises
    ------
    NotFoundError
        No shard of a name or pattern.
    InputError
        A shard or member that cannot be read as such, naming both; batches yielded before stay good.
    """
    files = _shards(shards)
    basket = Basket(name or files[0].parent.name or "webdataset")
    tally, keys, taken = Tally(max_broken), _Keys(tuple(caption_keys), set(caption_keys)), 0
    for sample in islice(_samples(files, keys, tally), limit):
        taken += 1
        _take(sample, basket, prefix)
        if basket.full:
            yield basket.emptied()
    if not taken:
        raise InputError(
            f"{files[0].name}: no sample with an image in {len(files)} shards; "
            "expected members such as KEY.jpg and KEY.txt"
        )
    if not basket.empty:
        yield basket.emptied()
    for file in files:
        if not _has_places(file):
            tally.count(_TAKEN_IN, file.name)
    yield tally.last(keys.notices())


def _shards(named: Sequence[str | Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for one in map(str, named):
        if is_remote(one) or one.startswith("pipe:"):
            raise InputError(f"{one}: only shards on this machine are read; fetch them first")
        for path in expanded(one, "shard"):
            found.update(dict.fromkeys(_of_directory(path) if path.is_dir() else [path]))
    if not found:
        raise NotFoundError("no shard was named")
    return list(found)


def _of_directory(directory: Path) -> list[Path]:
    shards = sorted(directory.glob("*.tar"))
    if not shards:
        raise NotFoundError(f"{directory} holds no shard (NAME.tar)")
    return shards


def _has_places(shard: Path) -> bool:
    return shard.name.endswith(".tar") and not is_compressed(shard)


@dataclass(slots=True)
class _Keys:
    """Under which keys of JSON objects captions are looked for, and which keys there are."""

    wanted: tuple[str, ...]
    unseen: set[str]
    seen: dict[str, None] = field(default_factory=dict)  # the first of them, in order

    def notices(self) -> Iterator[str]:
        """Tell of each wanted key that no object has, if there are objects at all."""
        for key in sorted(self.unseen) if self.seen else ():
            missing = NotFoundError.named("key", key, self.seen, place="in any .json")
            yield f"{missing}: --caption-key KEY says which is read"


@dataclass(slots=True)
class _Sample:
    shard: Path
    key: str
    by_place: bool
    image: Member | None = None
    broken: bool = False  # it has an image, which is none
    texts: dict[str, str] = field(default_factory=dict)  # with the member each stands in

    def where(self, member: str) -> str:
        return f"{self.shard.name}: member {member!r}"


def _samples(files: Sequence[Path], keys: _Keys, tally: Tally) -> Iterator[_Sample]:
    """Yield the samples that have an image."""
    for shard in files:
        for sample in _samples_of(shard, keys, tally):
            if sample.broken:
                continue
            if sample.image is None:
                tally.count(_NO_IMAGE, f"{shard.name}: {sample.key!r}")
            else:
                yield sample


def _samples_of(shard: Path, keys: _Keys, tally: Tally) -> Iterator[_Sample]:
    by_place = _has_places(shard)
    seen: set[str] = set()
    sample: _Sample | None = None
    names: set[str] = set()
    for member in members(shard):
        key, extension = _split(member.name)
        if sample is None or key != sample.key:
            if sample is not None:
                yield sample
            if key in seen:
                raise InputError(
                    f"{shard.name}: member {member.name!r}: the sample {key!r} stood earlier in the shard; the "
                    "members of a sample must follow each other, and no two samples share a key"
                )
            seen.add(key)
            sample, names = _Sample(shard, key, by_place), set()
        if member.name in names:
            raise InputError(f"{shard.name}: member {member.name!r} stands there twice")
        names.add(member.name)
        if not _read_member(sample, member, extension, keys, tally):
            tally.count(_OTHER, f"{shard.name}: {member.name!r}")
    if sample is not None:
        yield sample


def _split(name: str) -> tuple[str, str]:
    """Part a member's name at the first dot of its last component, which may begin with one."""
    folder, slash, base = name.removeprefix("./").rpartition("/")
    stem, _, extension = base[1:].partition(".")
    return f"{folder}{slash}{base[:1]}{stem}", extension.lower()


def _read_member(
    sample: _Sample, member: Member, extension: str, keys: _Keys, tally: Tally
) -> bool:
    """Take a member into its sample; False where it is of no kind known here."""
    where = sample.where(member.name)
    hidden = sample.key.rpartition("/")[2].startswith(".")
    if f".{extension}" in SUFFIXES and not hidden:
        if sample.image is not None or sample.broken:
            raise InputError(f"{where} is a second image of the sample {sample.key!r}")
        sample.broken = tally.image_is_broken(_BROKEN, member.data, where)
        sample.image = None if sample.broken else member
    elif extension in {"txt", "json"} and not hidden:
        text = _utf8(member.data, where)
        said = [text] if extension == "txt" else _captions_of_json(text, keys, where)
        for caption in map(str.strip, said):
            if caption:
                sample.texts.setdefault(caption, member.name)
            else:
                tally.count(_BLANK, where)
    else:
        return False
    return True


def _utf8(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where} is not UTF-8 (byte 0x{data[error.start]:02x} at {error.start})"
        ) from None


def _captions_of_json(text: str, keys: _Keys, where: str) -> list[str]:
    document = parse_json(text, where)
    if not isinstance(document, dict):
        raise InputError(f"{where} is {KINDS[type(document)]}; it must be an object")
    keys.seen.update(dict.fromkeys(islice(document, _MOST_KEYS - len(keys.seen))))
    keys.unseen.difference_update(document)
    return [
        caption for key in keys.wanted for caption in _texts(document.get(key), f"{where}: {key}")
    ]


def _texts(value: Any, where: str) -> list[str]:  # noqa: ANN401 - JSON
    values = value if isinstance(value, list) else [] if value is None else [value]
    for one in values:
        if not isinstance(one, str):
            raise InputError(f"{where} is {KINDS[type(one)]}; it must be text, or an array of text")
        if any("\ud800" <= letter <= "\udfff" for letter in one):
            raise InputError(f"{where} is {one!r}, which holds half a character (a lone surrogate)")
    return values


def _take(sample: _Sample, basket: Basket, prefix: str) -> None:
    image = sample.image
    if image is None:
        return
    sha256 = hashlib.sha256(image.data).hexdigest()
    image_id, source = f"{prefix}{sample.key}", f"{sample.shard.name}:{image.name}"
    if sample.by_place and image.offset is not None:
        uri = member_uri(str(sample.shard), image.offset, len(image.data))
        basket.put("images", source, image_id=image_id, uri=uri, sha256=sha256)
    else:
        basket.put_content(image.data, sha256, source, image_id=image_id)
    for text, member in sample.texts.items():
        at = f"{sample.shard.name}:{member}"
        caption = caption_id_of(sample.key, text, prefix=prefix)
        basket.put("captions", at, caption_id=caption, text=text)
        basket.put("pairs", at, image_id=image_id, caption_id=caption)
