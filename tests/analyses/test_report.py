"""The report, of synthetic frames: parsed as HTML, and opened in a browser where one is installed."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from analyses.pictures import Picture, heatmap, profile, render
from analyses.report import Finding, Scene, Section, findings, summary, write_report
from analyses.report.parts import csv, data_uri, facts, json_for_html, png_size, script_for_html
from vdb.errors import VdbError

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '"><img src=x onerror=alert(1)>'
CLOSING = "</script><script>alert(1)</script><!--"
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Tree(HTMLParser):
    """Collects elements, texts and whatever breaks the nesting."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> list[str]:
        return [data for name, data in self.texts if name == tag]


def frame(vision: str = "vit", language: str = "gpt", scale: float = 0.1) -> pl.DataFrame:
    """Make a synthetic 3 x 3 alignment frame."""
    rows = [
        {
            "vision": vision,
            "language": language,
            "control": "none",
            "metric": "linear-predictivity",
            "direction": "vision->language",
            "vision_layer": v,
            "language_layer": w,
            "vision_layer_name": f"blocks.{v}",
            "language_layer_name": f"h.{w}",
            "vision_depth": v / 2,
            "language_depth": w / 2,
            "score": scale * (v + w + 1),
            "fold_scores": [scale * (v + w), scale * (v + w + 2)],
            "alphas": [1.0, 10.0],
            "n": 120,
            "groups": 30,
            "seed": 7,
            "vision_fingerprint": "0011223344556677",
            "language_fingerprint": "8899aabbccddeeff",
        }
        for v in range(3)
        for w in range(3)
    ]
    return pl.DataFrame(rows)


def png(size: tuple[int, int] = (8, 6)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((size[1], size[0], 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def section(vision: str = "vit", title: str = "The map") -> Section:
    data = frame(vision)
    return Section(
        title,
        ["What it shows."],
        render(heatmap(data)),
        data,
        f"vdb analyze alignment --vision {vision}",
    )


def finding(text: str = "It aligns") -> Finding:
    return Finding(text, text, text, text, (text, text), "holds", text, text, text)


def write(path: Path, text: str, sections: list[Section]) -> str:
    written = write_report(
        path,
        sections,
        title=text,
        summary=[text, text],
        findings=[finding(text)],
        scenes=[Scene(png(), text, text), Scene(png(), text)],
        scenes_note=text,
        provenance={text: text},
    )
    return written.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    path = tmp_path_factory.mktemp("plain") / "report.html"
    return Tree(write(path, "plain words", [section(), section(title="Again")]))


def test_the_page_is_well_formed_and_names_its_parts(plain: Tree) -> None:
    assert plain.faults == []
    assert plain.open == []
    assert plain.all("html") == [{"lang": "en"}]
    assert len(plain.all("h1")) == 1
    labelled = [s["aria-labelledby"] for s in plain.all("section")]
    ids = [a["id"] for _, a in plain.elements if "id" in a]
    assert set(labelled) <= set(ids)
    assert len(ids) == len(set(ids))
    assert all(a.get("alt") for a in plain.all("img"))
    assert all(a.get("scope") in {"col", "row"} for a in plain.all("th"))


@pytest.mark.parametrize("text", [HOSTILE, CLOSING, "{{ 7 * 7 }}", "' onload='x"])
def test_hostile_text_makes_no_element(tmp_path: Path, plain: Tree, text: str) -> None:
    html = write(tmp_path / "report.html", text, [section(text), section(text, title=text)])
    tree = Tree(html)
    shape = [(tag, sorted(attributes)) for tag, attributes in tree.elements]
    assert shape == [(tag, sorted(attributes)) for tag, attributes in plain.elements]
    assert tree.faults == []
    assert not [
        name for _, attributes in tree.elements for name in attributes if name.startswith("on")
    ]
    assert text in "".join(data for _, data in tree.texts)
    specs = [json.loads(data) for data in tree.text("script") if data.startswith('{"$schema"')]
    assert text in json.dumps(specs[0], ensure_ascii=False).replace('\\"', '"')


def test_the_page_loads_nothing(plain: Tree) -> None:
    for tag, attributes in plain.elements:
        for name in ("src", "href", "srcset", "poster", "data", "action", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith("data:"), f"{tag} {name}={value}"
    assert plain.all("link") == []
    for style in plain.text("style"):
        assert "url(" not in style
        assert "@import" not in style
    stills = [a["src"] or "" for a in plain.all("img") if a.get("class") == "still"]
    assert len(stills) == 2
    for still in stills:
        svg = base64.b64decode(still.partition(",")[2]).decode()
        assert not re.search(r'(?:href|src)="|url\((?!#)|@import', svg)


def test_the_policy_allows_the_two_scripts_and_the_style_by_hash_and_nothing_else(
    plain: Tree,
) -> None:
    policy = next(
        a["content"] or ""
        for a in plain.all("meta")
        if a.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    assert "http" not in policy

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    programs = [data for data in plain.text("script") if not data.startswith("{")]
    assert len(programs) == 2, "the runtime stands in the page once"
    assert rules["script-src"].split() == [hashed(program) for program in programs]
    assert rules["style-src"].split() == [hashed(style) for style in plain.text("style")]


def test_each_question_has_its_verdict_and_reason_in_a_line_of_words(tmp_path: Path) -> None:
    told = [
        Finding("1. It aligns", "a x b", "to", "seen", (), "holds", "rule", "Aligned", "by much"),
        Finding("2. It rises", "a x b", "to", "seen", (), "not testable here", "r", "Rise", "no k"),
        Finding("3. Else", "", "", "", (), "not yet asked of this store", "rule", "Else"),
    ]
    path = write_report(tmp_path / "r.html", [], title="t", summary=["lead"], findings=told)
    html = path.read_text(encoding="utf-8")
    words = html.partition('class="summary"')[2].partition("</ul>")[0]
    lines = re.findall(r"<li>(.*?)</li>", words)
    assert lines == [
        '<span class="verdict holds">holds</span>: Aligned, a x b, to: by much.',
        '<span class="verdict not-testable-here">not testable here</span>: Rise, a x b, to: no k.',
    ]


def test_numbers_command_and_origin_stand_under_the_picture(plain: Tree) -> None:
    link = next(a for a in plain.all("a") if (a.get("download") or "").endswith(".csv"))
    back = pl.read_csv(base64.b64decode((link["href"] or "").partition(",")[2]))
    assert back["score"].to_list() == frame()["score"].to_list()
    assert [float(x) for x in back["fold_scores"][0].split()] == frame()["fold_scores"][0].to_list()
    assert any((a.get("download") or "").endswith(".svg") for a in plain.all("a"))
    assert "vdb analyze alignment --vision vit" in plain.text("code")
    facts_told = plain.text("dd")
    assert {"120", "30", "7", "vit 0011223344556677", "gpt 8899aabbccddeeff"} <= set(facts_told)


def test_a_page_without_pictures_carries_no_script(tmp_path: Path) -> None:
    path = write_report(
        tmp_path / "report.html", [Section("Only words", ["Nothing to draw."])], title="Words"
    )
    tree = Tree(path.read_text(encoding="utf-8"))
    assert tree.all("script") == []
    assert path.stat().st_size < 20_000


def test_a_page_is_replaced_in_one_step_and_the_same_input_gives_the_same_page(
    tmp_path: Path,
) -> None:
    path = tmp_path / "made" / "report.html"
    first = write(path, "same", [section()])
    assert write(path, "same", [section()]) == first
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    with pytest.raises(VdbError, match="cannot write the report"):
        write(path / "below a file.html", "same", [])


def test_an_image_that_is_no_png_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VdbError, match="not a PNG"):
        write_report(tmp_path / "r.html", [], title="t", scenes=[Scene(b"<svg/>", "caption")])
    assert list(tmp_path.iterdir()) == []
    assert png_size(png((8, 6))) == (8, 6)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_json_in_the_page_is_the_same_json_and_no_markup(value: Any) -> None:
    text = str(json_for_html(value))
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


def test_a_program_cannot_close_its_own_element() -> None:
    program = script_for_html("a = '</script>'; b = '<!-- '; c = 1 < 2")
    assert "</script" not in program
    assert "<!--" not in program
    assert "1 < 2" in program


def test_facts_are_told_once_each() -> None:
    both = pl.concat([frame(), frame().with_columns(seed=pl.lit(8, pl.Int64))])
    assert facts(both)["seed"] == "7, 8"
    assert facts(pl.DataFrame({"score": [0.1]})) == {}
    assert data_uri(b"a", "text/csv") == "data:text/csv;charset=utf-8;base64,YQ=="
    assert csv(pl.DataFrame({"a": ['x,"y"']})) == b'a\n"x,""y"""\n'


# In a browser.


def dom(path: Path, profile_dir: Path, *flags: str) -> tuple[str, list[str]]:
    """Open a page in headless Chromium; return the document as it stands then, and what the console says."""
    browser = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if browser is None:
        pytest.skip("no Chromium is installed: the page is checked as text only")
    quiet = ["background-networking", "component-update", "sync", "gpu"]
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            *(f"--disable-{what}" for what in quiet),
            f"--user-data-dir={profile_dir}",
            "--enable-logging=stderr",
            "--v=0",
            "--virtual-time-budget=20000",
            *flags,
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def drawn_charts(html: str) -> list[str]:
    """Return the chart of each picture, as markup, where one was drawn."""
    return re.findall(r'<figure class="picture drawn".*?<svg.*?</svg>', html, flags=re.DOTALL)


def test_the_charts_come_alive_in_a_browser_without_a_word_on_the_console(tmp_path: Path) -> None:
    data = pl.concat([frame(), frame(language="gpt-random", scale=0.02)])
    told = findings([data], [], {"gpt": ["gpt-random"]})
    path = write_report(
        tmp_path / "report.html",
        [section(), Section("Depth", (), render(profile(data, untrained=["gpt-random"])), data)],
        title="Synthetic",
        summary=[summary(told)],
        findings=told,
    )
    html, console = dom(path, tmp_path / "profile")
    assert console == []
    charts = drawn_charts(html)
    assert len(charts) == 2
    assert charts[0].count('aria-roledescription="rect mark"') >= 9
    assert 'href="data:image/svg+xml' in html


def test_hostile_names_do_nothing_in_a_browser(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write(path, HOSTILE + CLOSING, [section(HOSTILE + CLOSING)])
    html, console = dom(path, tmp_path / "profile")
    assert console == [], (
        "an injected script would be refused here, an injected image would fail to load"
    )
    assert len(drawn_charts(html)) == 1
    tree = Tree(html)
    assert not [a for a in tree.all("img") if not (a.get("src") or "").startswith("data:")]
    assert len(tree.all("script")) == 4


def test_where_a_chart_cannot_be_drawn_the_still_picture_stands(tmp_path: Path) -> None:
    whole = section()
    assert whole.picture is not None
    broken = Picture(spec='{"mark": "nonsense"}', svg=whole.picture.svg, png=whole.picture.png)
    path = write_report(tmp_path / "report.html", [Section("Broken", (), broken)], title="t")
    html, console = dom(path, tmp_path / "profile")
    assert drawn_charts(html) == []
    assert 'class="still"' in html
    assert console != []
