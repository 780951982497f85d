"""The docs are held to the code: what is there is described, what is shown runs, what is linked exists."""

from __future__ import annotations

import os
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import typer

import vdb
from cli.main import app
from ingest.datasets import ADAPTERS
from ingest.encoders.load import ENTRY_POINT_GROUP
from ingest.variants.registry import GROUP as VARIANT_GROUP
from ingest.variants.taggers.registry import GROUP as TAGGER_GROUP
from vdb.schema import TABLES as ALL_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = {
    name: layout for name, layout in ALL_TABLES.items() if name != "meta"
}  # the store's own notes
ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        ROOT / "studies" / "README.md",
        *(page for page in DOCS.rglob("*.md") if "_build" not in page.parts),
    ]
)
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"^<!-- run -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """Return a page without its code."""
    return re.sub(r"`[^`\n]+`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, by its whole name."""
    command = command or typer.main.get_command(app)
    children = getattr(command, "commands", {})
    if path and (not children or getattr(command, "invoke_without_command", False)):
        yield " ".join(path), command
    for child, inner in children.items():
        yield from commands(inner, (*path, child))


COMMANDS = dict(commands())


@pytest.fixture(scope="session")
def reference() -> str:
    """The generated part of the command-line reference."""
    call = [sys.executable, "-c", "import command_line; print(command_line.commands())"]
    done = subprocess.run(
        call, capture_output=True, text=True, check=True, cwd=DOCS / "_ext", env=_environment()
    )
    return done.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


# What there is, is described --------------------------------------------------------------------


def test_the_commands_are_found() -> None:
    assert {"demo", "ingest", "models", "models show", "analyze alignment"} <= COMMANDS.keys()
    assert {f"add {adapter}" for adapter in ADAPTERS} <= COMMANDS.keys()


def test_every_command_is_in_the_reference(reference: str) -> None:
    headings = set(re.findall(r"^#+ `vdb (.+)`$", reference, re.MULTILINE))
    assert COMMANDS.keys() <= headings


def test_every_option_is_in_the_reference(reference: str) -> None:
    sections = re.split(r"^#+ `vdb (.+)`$", reference, flags=re.MULTILINE)
    text = dict(zip(sections[1::2], sections[2::2], strict=True))
    missing = [
        f"{command} {option}"
        for command, found in COMMANDS.items()
        for parameter in found.params
        for option in parameter.opts
        if option.startswith("--") and option not in text[command]
    ]
    assert not missing


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(command: str) -> None:
    found = COMMANDS[command]
    told = f"{found.help}\n{found.epilog or ''}"
    [example] = re.findall(r"Example: (vdb .*)", told)
    words = shlex.split(example)
    assert words[1 : 1 + len(command.split())] == command.split()
    known = {option for parameter in found.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_public_name_of_vdb_is_in_the_python_reference() -> None:
    page = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    assert [public for public in vdb.__all__ if f":: vdb.{public}\n" not in page] == []


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_the_store_is_in_the_reference(table: str) -> None:
    page = (DOCS / "reference" / "store.md").read_text(encoding="utf-8")
    sections = re.split(r"^## `?(\w+)`?$", page, flags=re.MULTILINE)
    section = dict(zip(sections[1::2], sections[2::2], strict=True))[table]
    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert told == [
        name for name in TABLES[table].names if name not in {"key", "dataset", "source"}
    ]


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = {
        line
        for block in re.findall(r"```{toctree}\n(.*?)```", index, re.DOTALL)
        for line in block.split()
    }
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in PAGES if DOCS in page.parents}
    assert pages - {"index"} <= listed


# What is linked exists --------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_pictures_are_there(page: Path) -> None:
    broken = []
    for picture, target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+://", target):
            assert not picture, f"{name(page)} shows a picture from elsewhere: {target}"
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path) if path else page
        if not file.is_file() or not has_anchor(file, anchor):
            broken.append(target)
    assert not broken


def has_anchor(page: Path, anchor: str) -> bool:
    if not anchor or page.suffix != ".md":
        return not anchor
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    slugs = (re.sub(r"[^\w\- ]", "", title.lower()).strip() for title in titles)
    return anchor in {slug.replace(" ", "-") for slug in slugs}


DOTTED = re.compile(r"`((?:vdb|ingest|analyses|cli)(?:\.\w+)+)`")
FILE = re.compile(r"`((?:vdb|ingest|analyses|cli|docs|tests|benchmarks|studies)/[\w/.-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_names_of_the_code_are_there(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for dotted in DOTTED.findall(text):
        if dotted not in {ENTRY_POINT_GROUP, VARIANT_GROUP, TAGGER_GROUP}:
            pkgutil.resolve_name(dotted)
    files = [file for file in FILE.findall(text) if not file.endswith("NAME.py")]
    assert [file for file in files if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("picture", sorted(DOCS.glob("images/*")), ids=lambda path: path.name)
def test_every_picture_is_small_and_shown(picture: Path) -> None:
    assert (
        picture.stat().st_size < 350_000
    )  # a sheet of all variants has noise in it, which PNG keeps as it is
    assert any(f"images/{picture.name})" in page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_options_that_are_shown_exist(page: Path) -> None:
    blocks = [block for _, block in FENCE.findall(page.read_text(encoding="utf-8"))]
    for line in (line for block in blocks for line in typed(block)):
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            del words[0]
        if words[:1] == ["make"]:
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            for target in words[1:]:
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"no make target: {line}"
        elif words[:1] == ["vdb"]:
            command = " ".join(words[1:3]) if " ".join(words[1:3]) in COMMANDS else words[1]
            options = ([*one.opts, *one.secondary_opts] for one in COMMANDS[command].params)
            known = {option for several in options for option in several}
            assert {word for word in words if re.match(r"--?[a-z]", word)} <= known, line


# What is shown runs -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a small demo in it, as the pages take it to be."""
    path = tmp_path_factory.mktemp("reader")
    run(command("vdb demo --output demo --scenes 60 --concepts 20"), path)
    return path


def command(line: str) -> str:
    """Write a line of a console as Python, so that what a page shows needs one process."""
    program, *rest = shlex.split(line)
    assert program == "vdb"
    return f"from cli.main import app\napp({rest!r}, standalone_mode=False)"


def run(code: str, where: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=where,
        env=_environment(),
        timeout=400,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


def typed(block: str) -> list[str]:
    """Return the commands of a console block, each on one line."""
    lines = block.replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def shown(page: Path) -> str:
    """Return all that a page asks to be run, in its order, as one program."""
    parts = []
    for language, block in RUN.findall(page.read_text(encoding="utf-8")):
        if language == "console":
            parts += [command(line) for line in typed(block)]
        else:
            parts.append(block)
    return "\n".join(parts)


@pytest.mark.slow
def test_every_column_of_a_result_is_in_the_reference(place: Path) -> None:
    page = (DOCS / "reference" / "store.md").read_text(encoding="utf-8")
    parts = re.split(r"^### (.+)$", page, flags=re.MULTILINE)
    told = {
        title: set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
        for title, section in zip(parts[1::2], parts[2::2], strict=True)
    }
    shared = told.pop("Columns of several analyses")
    both = "--vision demo-vision --language demo-language"
    asked = (
        f"retrieval {both}",
        "self-alignment --space demo-vision",
        "geometry --space demo-vision",
    )
    run("\n".join(command(f"vdb analyze {one} --db demo/study") for one in asked), place)
    db = vdb.open(str(place / "demo" / "study"))
    for title, own in told.items():
        name = title.removeprefix("Result `").removesuffix("`")
        columns = set(db.result(name).collect_schema().names())
        assert own <= columns, name
        assert columns <= own | shared, name


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=name)
def test_what_a_page_shows_runs(page: Path, place: Path) -> None:
    run(shown(page), place)


@pytest.mark.slow
def test_the_docs_build_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("furo", reason="the docs extra is not installed")
    call = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*call, "-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "html" / "reference" / "command-line.html").read_text(encoding="utf-8")
    assert 'id="vdb-analyze-exemplar-avg"' in page
    page = (tmp_path / "html" / "reference" / "python.html").read_text(encoding="utf-8")
    assert 'id="vdb.database.Database.neighbours"' in page
