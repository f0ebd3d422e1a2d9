"""Changes to MkDocs: pages outside of docs/ are part of the site, and anchors are the same as on GitHub.

MkDocs calls the `on_…` functions (`hooks` in mkdocs.yml). The pages are written for readers on a code host, where links
such as `../README.md` work. So the READMEs, CONTRIBUTING and the changelogs are added to the site, and links to them
are rewritten. A link to a file outside of the site (a licence, a test) becomes plain text. MkDocs refuses links to
files that do not exist.
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
    """Let lists nest by two spaces, as on a code host; Python-Markdown needs four by default."""

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
    """Make anchors and lists in GitHub's way."""
    config.mdx_configs["toc"] = {"slugify": make_anchor, **config.mdx_configs.get("toc", {})}
    config.markdown_extensions.append(GitHubLists())  # type: ignore[arg-type]  # Python-Markdown takes objects too
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside of docs/."""
    from mkdocs.structure.files import File

    project = Path(config.docs_dir).parent
    for outside, site in OUTSIDE.items():
        text = (project / outside).read_text(encoding="utf-8")
        files.append(File.generated(config, site, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the links to and from pages outside of docs/."""
    return rewrite_links(markdown, page.file.src_uri, Path(config.docs_dir).parent)


def rewrite_links(markdown: str, site_path: str, project: Path) -> str:
    """Return the page with its links as the site needs them; code is not changed."""
    here = _INSIDE.get(site_path, f"docs/{site_path}")

    def rewrite(target: str) -> str | None:
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
        text = _IMAGE.sub(lambda image: f"{image[1]}({rewrite(image[2]) or image[2]})", match["text"])
        target = rewrite(match["target"])
        return text[1:-1] if target is None else f"{text}({target})"

    return _CODE_OR_LINK.sub(replace, markdown)
