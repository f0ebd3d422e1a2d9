"""The reference of the collection, docs/modules/*.md, from the documentation in its modules, filter and roles.

ansible-doc reads it; antsibull-docs-parser turns Ansible's markup into Markdown. `python docs/generate.py` writes the
pages.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from antsibull_docs_parser import dom
from antsibull_docs_parser.dom import PluginIdentifier
from antsibull_docs_parser.format import LinkProvider
from antsibull_docs_parser.md import MDFormatter, to_md
from antsibull_docs_parser.parser import Context, parse

PROJECT = Path(__file__).resolve().parents[1]
COLLECTION = "lanot.tempoftp"
# Plugins whose names start with `_` are private to the collection and have no page.
PLACES = {"module": "plugins/modules/[!_]*.py", "filter": "plugins/filter/[!_]*.py", "role": "roles/*"}
FOLDER = "docs/modules"
Writer = Callable[[str], str]
_ORIGIN = "<!-- Written by `python docs/generate.py` from the collection; not to be edited here. -->"


def build_pages() -> dict[str, str]:
    """Return path in the project → text, for every page of the reference and its list."""
    pages, rows = {}, []
    for kind in PLACES:
        for name, entry in sorted(read_documentation(kind).items()):
            short = name.removeprefix(f"{COLLECTION}.")
            build = build_role_page if kind == "role" else build_plugin_page
            pages[f"{FOLDER}/{short}.md"] = build(name, kind, entry)
            summary = (entry["entry_points"]["main"] if kind == "role" else entry["doc"])["short_description"]
            rows.append(f"| [{short}]({short}.md) | {kind} | {summary} |")
    pages[f"{FOLDER}/README.md"] = _join(
        "# Module reference",
        _ORIGIN,
        f"What the collection `{COLLECTION}` has. The same at a terminal: `ansible-doc {COLLECTION}.tempoftp_share`, "
        f"`ansible-doc -t role {COLLECTION}.ftp_server`.",
        "\n".join(["| name | kind | |", "|---|---|---|", *rows]),
    )
    return pages


def read_documentation(kind: str) -> dict[str, Any]:
    """Return name → output of ansible-doc, for every module, filter or role of the collection."""
    files = (PROJECT / "collections/ansible_collections/lanot/tempoftp").glob(PLACES[kind])
    names = sorted(f"{COLLECTION}.{path.stem}" for path in files)
    found = _run_ansible_doc("-t", kind, *names)
    if not names or set(found) != set(names):
        raise ValueError(f"ansible-doc cannot read {sorted(set(names) - set(found)) or f'any {kind}'}")
    return found


def _run_ansible_doc(*arguments: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        environ = {
            **os.environ,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_HOME": home,
            "NO_COLOR": "1",
        }
        program = str(Path(sys.executable).with_name("ansible-doc"))
        done = subprocess.run(
            [program, "--json", *arguments],
            cwd=PROJECT,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
    documentation: dict[str, Any] = json.loads(done.stdout)
    return documentation


def build_plugin_page(name: str, kind: str, entry: Mapping[str, Any]) -> str:
    """Return the page of a module or filter."""
    doc, write = entry["doc"], _make_writer(name, kind)
    parts = [
        f"# {name}",
        _ORIGIN,
        f"{write(doc['short_description'])}. Since {doc['version_added']}.",
        _list(write, doc.get("description")),
        *_section("Requirements", _list(write, doc.get("requirements"))),
        *_section("Options", _tabulate_options(write, doc.get("options") or {})),
        *_section("Attributes", _tabulate_attributes(write, doc.get("attributes") or {})),
        *_section("Notes", _list(write, doc.get("notes"))),
        *_section("See also", _list(write, map(_name_other, doc.get("seealso") or ()))),
        *_section("Examples", _fence(entry.get("examples"))),
        *_section("Return values", _tabulate_returns(write, entry.get("return") or {})),
    ]
    return _join(*parts)


def build_role_page(name: str, kind: str, entry: Mapping[str, Any]) -> str:
    """Return the page of a role: its `meta/argument_specs.yml`."""
    write = _make_writer(name, kind, entrypoint="main")
    main = entry["entry_points"]["main"]
    return _join(
        f"# Role {name}",
        _ORIGIN,
        f"{write(main['short_description'])}.",
        _list(write, main.get("description")),
        *_section("Variables", _tabulate_options(write, main.get("options") or {})),
    )


class _Links(LinkProvider):
    """Links plugins of the collection to their pages, and no others."""

    def plugin_link(self, plugin: PluginIdentifier) -> str | None:
        namespace, _, short = plugin.fqcn.rpartition(".")
        return f"{short}.md" if namespace == COLLECTION else None


class _Markdown(MDFormatter):
    """Writes Markdown as people do: code in backticks, and only the escapes that are needed."""

    def format_text(self, part: dom.TextPart) -> str:
        return re.sub(r"([<*_\[\]\\])", r"\\\1", part.text)

    def format_code(self, part: dom.CodePart) -> str:
        return f"`{part.text}`"

    def format_option_value(self, part: dom.OptionValuePart) -> str:
        return f"`{part.value}`"

    @staticmethod
    def _format_option_like(part: dom.OptionNamePart | dom.ReturnValuePart, url: str | None) -> str:
        return f"`{part.name}`" if part.value is None else f"`{part.name}={part.value}`"

    def format_module(self, part: dom.ModulePart, url: str | None) -> str:
        return f"[{part.fqcn}]({url})" if url else f"`{part.fqcn}`"

    def format_plugin(self, part: dom.PluginPart, url: str | None) -> str:
        return f"[{part.plugin.fqcn}]({url})" if url else f"`{part.plugin.fqcn}`"


def _make_writer(name: str, kind: str, entrypoint: str | None = None) -> Writer:
    plugin = PluginIdentifier(name, kind)
    context = Context(current_plugin=plugin, role_entrypoint=entrypoint)

    def write(text: str) -> str:
        paragraphs = parse(text, context, errors="exception")
        return to_md(paragraphs, formatter=_Markdown(), link_provider=_Links(), current_plugin=plugin)

    return write


def _tabulate_options(write: Writer, options: Mapping[str, Any]) -> str:
    if not options:
        return ""
    rows = [
        f"| `{path}` | {_show_type(option)} | {_show_default(option)} | {_describe(write, option)} |"
        for path, option in _walk(options, "options")
    ]
    return "\n".join(["| option | type | default | |", "|---|---|---|---|", *rows])


def _tabulate_returns(write: Writer, values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    rows = [
        f"| `{path}` | {_show_type(value)} | {_cell(write(value.get('returned', '')))} | {_describe(write, value)} |"
        for path, value in _walk(values, "contains")
    ]
    return "\n".join(["| value | type | returned | |", "|---|---|---|---|", *rows])


def _tabulate_attributes(write: Writer, attributes: Mapping[str, Any]) -> str:
    rows = [f"| `{name}` | {of['support']} | {_describe(write, of)} |" for name, of in attributes.items()]
    return "\n".join(["| attribute | support | |", "|---|---|---|", *rows]) if rows else ""


def _walk(
    entries: Mapping[str, Any], inner: str, prefix: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every option or value with its path, such as `users.name`; required ones come first."""
    for name, entry in sorted(entries.items(), key=lambda item: (not item[1].get("required"), item[0])):
        yield prefix + name, entry
        # argument_specs and DOCUMENTATION have different names for the options inside an option
        yield from _walk(entry.get(inner) or entry.get("suboptions") or {}, inner, f"{prefix}{name}.")


def _show_type(entry: Mapping[str, Any]) -> str:
    elements = f" of {entry['elements']}" if entry.get("elements") else ""
    return f"{entry.get('type', 'str')}{elements}"


def _show_default(option: Mapping[str, Any]) -> str:
    if option.get("required"):
        return "**required**"
    default = option.get("default")
    if default is None or default in ("", [], {}):
        return "–"
    return _cell(f"`{default if isinstance(default, str) else json.dumps(default)}`")


def _describe(write: Writer, entry: Mapping[str, Any]) -> str:
    text = " ".join(write(paragraph) for paragraph in _as_list(entry.get("description")))
    if entry.get("choices"):
        text += " One of " + ", ".join(f"`{choice}`" for choice in entry["choices"]) + "."
    if entry.get("sample") not in (None, ""):
        sample = entry["sample"]
        text += f" Sample: `{sample if isinstance(sample, str) else json.dumps(sample, ensure_ascii=False)}`."
    return _cell(text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _as_list(value: str | Iterable[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _list(write: Writer, texts: str | Iterable[str] | None) -> str:
    return "\n".join(f"- {_cell(write(text))}" for text in _as_list(texts))


def _name_other(entry: Mapping[str, str]) -> str:
    return f"M({entry['module']})" if "module" in entry else f"P({entry['plugin']}#{entry['plugin_type']})"


def _fence(examples: str | None) -> str:
    return f"```yaml\n{examples.strip()}\n```" if examples else ""


def _section(title: str, body: str) -> tuple[str, ...]:
    return (f"## {title}", body) if body else ()


def _join(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
