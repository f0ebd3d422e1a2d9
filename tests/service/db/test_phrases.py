"""The column types of messages and reasons: what is stored comes back; a text that is no phrase is shown as it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from tempoftp.db.models.base import OnePhrase, Phrases
from tempoftp.phrases import VERBATIM, Phrase

DIALECT: Any = sqlite.dialect()

phrases = st.builds(
    lambda code, params: Phrase(code, **params),
    st.from_regex(r"[a-z_]{1,20}", fullmatch=True).filter(lambda code: code not in ("code", "self")),
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True).filter(lambda name: name not in ("code", "self")),
        st.text() | st.integers() | st.none(),
        max_size=3,
    ),
)


@given(phrases)
def test_one_phrase_comes_back(phrase: Phrase) -> None:
    stored = OnePhrase().process_bind_param(phrase, DIALECT)
    assert OnePhrase().process_result_value(stored, DIALECT) == phrase


@given(st.lists(phrases, max_size=3).map(tuple))
def test_several_phrases_come_back(several: tuple[Phrase, ...]) -> None:
    stored = Phrases().process_bind_param(several, DIALECT)
    assert Phrases().process_result_value(stored, DIALECT) == several


@pytest.mark.parametrize("text", ["requested", "7", "{", '"x"', "[]"])
def test_a_text_that_is_no_phrase_is_shown_as_it_is(text: str) -> None:
    verbatim = Phrase(VERBATIM, text=text)
    assert OnePhrase().process_result_value(text, DIALECT) == verbatim
    assert Phrases().process_result_value(text, DIALECT) == (verbatim,)
