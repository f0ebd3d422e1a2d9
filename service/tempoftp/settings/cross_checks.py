"""Checks that compare several settings. All of them run, so that one look shows every mistake.

A `model_validator` of pydantic would not do: the first one that fails hides the others, and none runs while a single
setting has a wrong value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Check = TypeVar("Check", bound=Callable[..., object])
_MARK = "_compared_fields"


def cross_check(*fields: str) -> Callable[[Check], Check]:
    """Mark a method that raises ValueError when these fields do not fit together."""

    def mark(method: Check) -> Check:
        setattr(method, _MARK, frozenset(fields))
        return method

    return mark


def find_conflicts(settings: object, wrong: frozenset[str] = frozenset()) -> list[str]:
    """Return what each marked method says. A method that reads one of the `wrong` fields is left out."""
    found = []
    for name in dir(type(settings)):
        method: Any = getattr(type(settings), name, None)
        fields = getattr(method, _MARK, None)
        if fields is None or fields & wrong:
            continue
        try:
            method(settings)
        except ValueError as error:
            found.append(str(error))
    return found
