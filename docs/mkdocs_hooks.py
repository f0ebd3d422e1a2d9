"""What MkDocs does differently here: the pages outside of docs/ are part of the site, and anchors are GitHub's.

MkDocs calls the `on_…` functions (`hooks` in mkdocs.yml). The pages are written for a reader on a code host, who
follows `../README.md`. So the READMEs, CONTRIBUTING and the changelogs join the site, and links to them are rewritten.
A file that is not part of the site (a licence, a test) is named there but not linked. MkDocs refuses what does not
exist.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from markdown import Markdown
from markdown.extensions import Extension

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

# path in the project → path in the site
OUTSIDE = {
    "README.md": "readme.md",
    "README.es.md": "readme.es.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "collections/ansible_collections/lanot/tempoftp/README.md": "collection.md",
    "collections/ansible_collections/lanot/tempoftp/CHANGELOG.md": "collection-changelog.md",
}
_INSIDE = {site: project for project, site in OUTSIDE.items()}
_CODE_OR_LINK = re.compile(
    r"^```.*?^```$|``.+?``|`[^`\n]+`|(?P<text>\[(?:!\[[^\]]*\]\([^)\s]+\)|[^\]\n]*)\])\((?P<target>[^)\s]+)\)",
    re.MULTILINE | re.DOTALL,
)
_IMAGE = re.compile(r"(!\[[^\]]*\])\(([^)\s]+)\)")


class GitHubLists(Extension):
    """Lists nest by two spaces, as on a code host; Python-Markdown alone wants four."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - its name there
        """Called by Python-Markdown."""
        md.tab_length = 2


def make_anchor(heading: str, separator: str = "-") -> str:
    """Return GitHub's anchor of a heading: lower case, no punctuation, hyphens for spaces."""
    kept = [
        character
        for character in heading.lower()
        if character in " -_" or unicodedata.category(character)[0] in "LNM"
    ]
    return "".join(kept).replace(" ", separator)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make anchors and lists as GitHub makes them."""
    config.mdx_configs["toc"] = {"slugify": make_anchor, **config.mdx_configs.get("toc", {})}
    config.markdown_extensions.append(GitHubLists())  # type: ignore[arg-type]  # Python-Markdown takes objects too
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Let the pages outside of docs/ join."""
    from mkdocs.structure.files import File

    project = Path(config.docs_dir).parent
    for outside, site in OUTSIDE.items():
        text = (project / outside).read_text(encoding="utf-8")
        files.append(File.generated(config, site, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Bend the links that lead to or from a page outside of docs/."""
    return bend_links(markdown, page.file.src_uri, Path(config.docs_dir).parent)


def bend_links(markdown: str, site_path: str, project: Path) -> str:
    """Return the page with its links as they are in the site; code stays as it is."""
    here = _INSIDE.get(site_path, f"docs/{site_path}")

    def bend(target: str) -> str | None:
        if re.match(r"[a-z]+:|#", target):
            return target
        path, mark, anchor = target.partition("#")
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
        if wanted in OUTSIDE or wanted.startswith("docs/"):
            site = OUTSIDE.get(wanted) or wanted.removeprefix("docs/")
            if Path(site).suffix == "" and (project / wanted / "README.md").exists():
                site += "/README.md"
            return posixpath.relpath(site, posixpath.dirname(site_path) or ".") + mark + anchor
        return None if (project / wanted).exists() else target

    def replace(match: re.Match[str]) -> str:
        if match["target"] is None:
            return match[0]
        text = _IMAGE.sub(lambda image: f"{image[1]}({bend(image[2]) or image[2]})", match["text"])
        target = bend(match["target"])
        return text[1:-1] if target is None else f"{text}({target})"

    return _CODE_OR_LINK.sub(replace, markdown)
