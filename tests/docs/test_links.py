"""Every link inside the project leads somewhere."""

from __future__ import annotations

import pytest
from mkdocs_hooks import make_anchor

from tests.support.documents import DOCUMENTS, PROJECT, READMES, Document


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


@pytest.mark.parametrize("document", READMES, ids=lambda document: document.name)
def test_readme_leads_to_every_page(document: Document) -> None:
    linked = {link.partition("#")[0] for link in document.links}
    pages = {page.name for page in DOCUMENTS if page.path.parent == PROJECT / "docs"}
    assert pages - linked == set()


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
def test_anchor_is_githubs(heading: str, anchor: str) -> None:
    assert make_anchor(heading) == anchor
