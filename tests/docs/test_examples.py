"""The answers shown in the pages have the shape of real ones; both languages show the same commands."""

from __future__ import annotations

import json
import re

import pytest

from tempoftp.http.answers import ShareAnswer
from tempoftp.http.openapi import complete_examples
from tempoftp.shares.messages import STATE_MESSAGES
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import State
from tests.support.documents import PROJECT, Document, find_pairs, read_pair

each_api_page = pytest.mark.parametrize("document", read_pair("docs/api"), ids=lambda document: document.name)

ONLY_SOMETIMES = {"razon", "alcance", "en_mysql", "advertencias"}
"""While a share is blocked, and of a share without a file."""


@each_api_page
def test_share_example_is_an_answer(document: Document) -> None:
    example = complete_examples(json.loads(document.blocks["share"]))
    answer = ShareAnswer.model_validate(example)
    assert set(example) == set(ShareAnswer.model_fields) - ONLY_SOMETIMES
    assert answer.model_dump(mode="json", exclude=ONLY_SOMETIMES) == example
    assert answer.mensaje == STATE_MESSAGES[State(answer.status)]


@each_api_page
def test_requested_body_is_a_request(document: Document) -> None:
    body = re.search(r"-d '(\{.*?\})'", document.blocks["smoke test"], re.DOTALL)
    assert body, "the smoke test posts a JSON body"
    request = ShareRequest.model_validate_json(body[1])
    assert f"/tmpftp/{request.id}" in document.blocks["delete"]
    assert request.id in document.blocks["fetch"]


@pytest.mark.parametrize("name", find_pairs())
def test_both_languages_run_the_same_commands(name: str) -> None:
    english, spanish = (document.blocks for document in read_pair(name))
    assert english == spanish


def test_the_pages_with_commands_have_a_spanish_twin() -> None:
    assert {"README", "docs/api", "docs/without-the-service", "docs/tutorial"} <= set(find_pairs())
    assert set(read_pair("docs/without-the-service")[0].blocks) == {"operator", "operator password"}
    assert set(read_pair("docs/api")[0].blocks) == {
        "client settings",
        "smoke test",
        "fetch",
        "delete",
        "share",
    }


@each_api_page
def test_client_settings_are_what_the_demo_writes(document: Document) -> None:
    demo = (PROJECT / "molecule" / "shared" / "demo" / "cli.py").read_text(encoding="utf-8")
    assert ". var/demo.env" in document.blocks["client settings"]
    assert '"var" / f"{NET}.env"' in demo
    for name in re.findall(r"\$(TEMPOFTP_\w+)", "\n".join(document.blocks.values())):
        assert f"{name}=" in demo, f"{name} is not in var/demo.env"
