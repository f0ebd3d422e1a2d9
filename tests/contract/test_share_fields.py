"""The fields of a share in `shares/fields.py` are those of the row, of the module's options and of its result."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.facts import FACTS
from ansible_collections.lanot.tempoftp.plugins.modules import tempoftp_share

from tempoftp.db.models import Share
from tempoftp.http.answers import ShareAnswer
from tempoftp.shares.fields import DELIVERY, PROGRESS, WIRES, Reported, Requested, list_words
from tempoftp.shares.schemas import ShareRequest
from tempoftp.worker.request import ShareItem

COLUMNS = set(Share.__table__.columns.keys())


@pytest.mark.parametrize("name", [*Requested.model_fields, *Reported.model_fields])
def test_each_field_is_a_column(name: str) -> None:
    assert name in COLUMNS


@pytest.mark.parametrize("name", Requested.model_fields)
def test_each_requested_field_is_asked_for_and_sent_to_the_module(name: str) -> None:
    assert name in ShareRequest.model_fields
    assert name in ShareItem.model_fields
    assert name in tempoftp_share.build_share_spec()


@pytest.mark.parametrize("name", Reported.model_fields)
def test_each_reported_field_is_returned_and_answered(name: str) -> None:
    assert name in yaml.safe_load(tempoftp_share.RETURN)["shares"]["contains"]
    schema = ShareAnswer.model_json_schema()["$defs"]
    assert (
        WIRES[name].name
        in schema[{"progreso": "Progress", "entrega": "Delivery"}[WIRES[name].group]]["properties"]
    )


def test_facts_of_a_copy_are_the_same_on_both_sides() -> None:
    assert set(DELIVERY) == set(FACTS)
    for name, words in FACTS.items():
        assert list_words(name) == set(words)
        assert set(WIRES[name].words) == set(words)


def test_every_field_has_its_group() -> None:
    assert {*PROGRESS, *DELIVERY} == set(Reported.model_fields)
