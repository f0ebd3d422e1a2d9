"""What is told to people, kept as a code and its values; each edge words it in the language of its reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Translate = Callable[[str], str]

VERBATIM = "verbatim"
"""The code of a text that has no code: one that an earlier release stored as a sentence. Its value is `text`."""


@dataclass(init=False, frozen=True, slots=True)
class Phrase:
    """A code and the values of its text. The values are what JSON can hold."""

    code: str
    params: Mapping[str, Any]

    def __init__(self, code: str, **params: Any) -> None:
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "params", params)


def keep(text: str) -> str:
    """Return the text as it is: the `translate` of those who read the text's own language."""
    return text


def fill(text: str, params: Mapping[str, Any], translate: Translate = keep) -> str:
    """Return a text with its values. The items of a list are joined with commas."""
    values = {
        name: ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else value
        for name, value in params.items()
    }
    return translate(text) % values
