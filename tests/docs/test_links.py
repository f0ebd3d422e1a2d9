"""Every link inside the project has a target."""

from __future__ import annotations

import pytest
from mkdocs_hooks import make_anchor

from tests.support.documents import DOCUMENTS, PROJECT, READMES, Document, find_pairs, read_pair


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_local_links_resolve(document: Document) -> None:
    for link in document.links:
        target, _, anchor = link.partition("#")
        path = (document.path.parent / target).resolve() if target else document.path
        assert path.exists(), f"{document.name} links to {link}, which is not there"
        if anchor:
            assert anchor in Document(path).anchors, (
                f"{document.name} links to {link}, which has no such heading"
            )


PAGES = {page.name for page in DOCUMENTS if page.path.parent == PROJECT / "docs"}
TWINS = {f"{name}.md": f"{name}.es.md" for name in find_pairs()}


def find_linked_pages(document: Document) -> set[str]:
    targets = [(document.path.parent / link.partition("#")[0]).resolve() for link in document.links]
    return {target.relative_to(PROJECT).as_posix() for target in targets}


def test_readme_links_to_every_page() -> None:
    assert PAGES - set(TWINS.values()) - find_linked_pages(READMES[0]) == set()


def test_spanish_readme_links_to_the_spanish_page_if_there_is_one() -> None:
    wanted = {TWINS.get(name, name) for name in PAGES - set(TWINS.values())}
    assert wanted - find_linked_pages(READMES[1]) == set()


def test_index_links_to_every_page() -> None:
    index = Document(PROJECT / "docs" / "index.md")
    assert PAGES - {index.name} - find_linked_pages(index) == set()


@pytest.mark.parametrize("name", find_pairs())
def test_both_languages_link_to_each_other(name: str) -> None:
    english, spanish = read_pair(name)
    assert spanish.name in find_linked_pages(english)
    assert english.name in find_linked_pages(spanish)


@pytest.mark.parametrize(
    ("name", "most"), [("README.md", 200), ("README.es.md", 200), ("CONTRIBUTING.md", 120)]
)
def test_front_pages_stay_short(name: str, most: int) -> None:
    assert len((PROJECT / name).read_text(encoding="utf-8").splitlines()) <= most


def test_decisions_are_numbered_and_titled() -> None:
    pages = [
        page for page in DOCUMENTS if page.path.parent.name == "decisions" and page.path.name != "README.md"
    ]
    numbers = [page.path.name[:4] for page in pages]
    assert len(numbers) == len(set(numbers)), "two decisions have the same number"
    for page in pages:
        assert page.path.name[:4].isdecimal(), f"{page.name} does not begin with a number of four digits"
        assert page.text.startswith("# "), f"{page.name} does not begin with its title"


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Smoke test with curl", "smoke-test-with-curl"),
        ("Línea de comandos", "línea-de-comandos"),
        ("RHEL family: rendered, not tested", "rhel-family-rendered-not-tested"),
        ("The request file (steps 5–6)", "the-request-file-steps-56"),
    ],
)
def test_anchors_match_githubs(heading: str, anchor: str) -> None:
    assert make_anchor(heading) == anchor
