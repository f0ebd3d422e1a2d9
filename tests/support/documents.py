"""The project's pages in parts: code, links, headings, and the blocks that a test runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mkdocs_hooks import make_anchor

PROJECT = Path(__file__).resolve().parents[2]
COLLECTION = PROJECT / "collections/ansible_collections/lanot/tempoftp"

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED_BLOCK = re.compile(
    r"^<!-- (?P<kind>block|example): (?P<name>[a-z ]+) -->\n```\w+\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """One Markdown page."""

    path: Path

    @property
    def name(self) -> str:
        """The path inside the project."""
        return self.path.relative_to(PROJECT).as_posix()

    @cached_property
    def text(self) -> str:
        """The whole page."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """The page without its fenced blocks."""
        return _FENCE.sub("", self.text)

    @cached_property
    def code(self) -> list[str]:
        """Every inline code span, and every line of a fenced block."""
        lines = [line for fence in _FENCE.finditer(self.text) for line in fence["body"].splitlines()]
        return _INLINE.findall(self.prose) + lines

    @cached_property
    def spans(self) -> set[str]:
        """The inline code spans."""
        return set(_INLINE.findall(self.prose))

    @cached_property
    def blocks(self) -> dict[str, str]:
        """The fenced blocks that a comment before them names: `<!-- block: smoke test -->`."""
        return {match["name"]: match["body"] for match in _NAMED_BLOCK.finditer(self.text)}

    @cached_property
    def links(self) -> list[str]:
        """The targets of links that stay inside the project."""
        return [target for target in _LINK.findall(self.prose) if not re.match(r"[a-z]+:", target)]

    @cached_property
    def anchors(self) -> set[str]:
        """The anchors for links with `#`, as GitHub makes them from the headings."""
        return {make_anchor(heading) for heading in _HEADING.findall(self.prose)}


def read_documents() -> list[Document]:
    """Return both READMEs, CONTRIBUTING and every page below docs/."""
    return [
        Document(path)
        for path in (
            *sorted(PROJECT.glob("README*.md")),
            PROJECT / "CONTRIBUTING.md",
            *sorted(PROJECT.glob("docs/**/*.md")),
        )
    ]


def read_pair(name: str) -> list[Document]:
    """Return a page and its Spanish twin: `docs/install` is `docs/install.md` and `docs/install.es.md`."""
    return [Document(PROJECT / f"{name}.md"), Document(PROJECT / f"{name}.es.md")]


def find_pairs() -> list[str]:
    """Return the name, without suffix, of every page that has a Spanish twin."""
    twins = (*PROJECT.glob("*.es.md"), *PROJECT.glob("docs/*.es.md"))
    return sorted(path.relative_to(PROJECT).as_posix().removesuffix(".es.md") for path in twins)


READMES = read_pair("README")
DOCUMENTS = read_documents()
