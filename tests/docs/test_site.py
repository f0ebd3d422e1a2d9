"""docs/ as a site: every link, anchor and page is checked when it is built, and it loads nothing from other servers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mkdocs_hooks import OUTSIDE, rewrite_links

from tests.support.documents import DOCUMENTS, PROJECT

# What a page loads by itself. Links that a reader follows do not count.
_LOADED = re.compile(
    r"<(?:script|img|iframe)[^>]*\ssrc=[\"']?([^\"'\s>]+)|<link[^>]*\shref=[\"']?([^\"'\s>]+)"
)
_LOADED_BY_CSS = re.compile(r"url\([\"']?([^\"')]+)")


def run_mkdocs(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--config-file",
        project / "mkdocs.yml",
        "--site-dir",
        site,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    built = run_mkdocs(PROJECT, folder)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    inside = {path.relative_to(PROJECT / "docs").as_posix() for path in (PROJECT / "docs").glob("**/*.md")}
    for page in inside | set(OUTSIDE.values()):
        name = re.sub(r"(README|index)\.md$", "index.html", page).replace(".md", ".html")
        assert (site / name).is_file(), page
    assert not list(site.glob("**/*.py"))


def test_nothing_is_loaded_from_other_servers(site: Path) -> None:
    pages, styles = list(site.glob("**/*.html")), list(site.glob("**/*.css"))
    assert pages
    assert styles
    loaded = {a or b for page in pages for a, b in _LOADED.findall(page.read_text(encoding="utf-8"))}
    loaded |= {url for style in styles for url in _LOADED_BY_CSS.findall(style.read_text(encoding="utf-8"))}
    assert loaded
    assert [url for url in loaded if re.match(r"(?!data:)[a-z]+:|//", url)] == []


def test_search_has_every_page(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert {
        "tutorial.html",
        "readme.html",
        "contributing.html",
        "settings.es.html",
        "modules/tempoftp_share.html",
        "operations.html",
    } <= found


def test_every_list_is_rendered_as_a_list(site: Path) -> None:
    """Python-Markdown needs an empty line before a list; a code host does not."""
    for page in site.glob("**/*.html"):
        for paragraph in re.findall(r"<p>(.*?)</p>", page.read_text(encoding="utf-8"), re.DOTALL):
            assert not re.search(r":\n\s*(?:-|\*|\d+\.|\|) ", paragraph), f"{page.name}: {paragraph[:80]}"


def test_no_list_contains_a_fenced_block() -> None:
    """Python-Markdown would turn it into a line of text and start a new list."""
    for document in DOCUMENTS:
        assert not re.search(r"^ +```", document.text, re.MULTILINE), document.name


def test_cells_of_tables_wrap(site: Path) -> None:
    page = (site / "modules" / "tempoftp_share.html").read_text(encoding="utf-8")
    assert '<link href="../site.css" rel="stylesheet"' in page
    assert "white-space: normal" in (site / "site.css").read_text(encoding="utf-8")


def break_link(project: Path) -> None:
    _append(project / "docs" / "states.md", "[nowhere](nowhere.md)")


def break_anchor(project: Path) -> None:
    _append(project / "docs" / "states.md", "[nowhere](api.md#nowhere)")


def break_anchor_of_this_page(project: Path) -> None:
    _append(project / "docs" / "states.md", "[nowhere](#nowhere)")


def break_link_out_of_docs(project: Path) -> None:
    _append(project / "docs" / "states.md", "[nowhere](../NOWHERE.md)")


def break_link_of_the_readme(project: Path) -> None:
    _append(project / "README.md", "[nowhere](docs/nowhere.md)")


def forget_a_page(project: Path) -> None:
    (project / "docs" / "forgotten.md").write_text("# Forgotten\n", encoding="utf-8")


def lose_a_page(project: Path) -> None:
    (project / "docs" / "scaling.md").unlink()


def _append(page: Path, text: str) -> None:
    page.write_text(f"{page.read_text(encoding='utf-8')}\n{text}\n", encoding="utf-8")


@pytest.mark.parametrize(
    "damage",
    [
        break_link,
        break_anchor,
        break_anchor_of_this_page,
        break_link_out_of_docs,
        break_link_of_the_readme,
        forget_a_page,
        lose_a_page,
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_copy_is_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    copy = tmp_path / "project"
    shutil.copytree(PROJECT / "docs", copy / "docs", ignore=shutil.ignore_patterns("*.png", "__pycache__"))
    (copy / "docs" / "screenshots").rmdir()
    (copy / "docs" / "screenshots").symlink_to(PROJECT / "docs" / "screenshots")
    for name in ("mkdocs.yml", *OUTSIDE):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, copy / name)
    shutil.copy(PROJECT / "LICENSE", copy)
    damage(copy)
    built = run_mkdocs(copy, tmp_path / "site")
    assert built.returncode != 0
    assert len(re.findall(r"^WARNING", built.stderr, re.MULTILINE)) == 1 or damage is lose_a_page, (
        built.stderr
    )


@pytest.mark.parametrize(
    ("page", "link", "rewritten"),
    [
        ("operations.md", "[a](../README.md#install)", "[a](readme.md#install)"),
        ("decisions/README.md", "[a](../../README.md)", "[a](../readme.md)"),
        ("readme.md", "[a](docs/api.md)", "[a](api.md)"),
        ("readme.md", "[a](docs/decisions)", "[a](decisions/README.md)"),
        ("readme.md", "[a](LICENSE)", "a"),
        ("readme.md", "[![a](docs/b.png)](docs/c.png)", "[![a](b.png)](c.png)"),
        ("readme.md", "[a](docs/nowhere.md)", "[a](nowhere.md)"),
        ("readme.md", "[a](#tokens) [b](https://example.org/docs/api.md)", None),
        ("readme.md", "`[a](docs/api.md)`", None),
        ("readme.md", "```\n[a](docs/api.md)\n```", None),
    ],
)
def test_links_are_rewritten_for_the_site(page: str, link: str, rewritten: str | None) -> None:
    assert rewrite_links(link, page, PROJECT) == (link if rewritten is None else rewritten)
