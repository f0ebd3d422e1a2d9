"""A recipient's link names one share as it was asked for, dies with it, and cannot be made or changed by others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, example, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from pydantic import SecretStr

from tempoftp.access.links import find_linked_share, make_link, make_link_token, revoke_links
from tempoftp.db.engine import Database
from tempoftp.db.models import Share, draw_nonce
from tempoftp.phrases import Phrase
from tempoftp.refusals import LinkNotFound
from tempoftp.settings import Settings
from tempoftp.shares.create import create_share
from tempoftp.shares.desired_state import change_desired_state
from tempoftp.shares.lifecycle import transition
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import State

OPEN = settings_of_hypothesis(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ALPHABET = "ABCabc019-_.= \n%é\x00"


@pytest.fixture
def share(accept_share: Callable[..., Share]) -> Share:
    return accept_share("p1")


@pytest.fixture
def follow(database: Database, settings: Settings) -> Callable[..., str]:
    """Follow a link: the id of the share that it opens."""

    def follow(token: str, by: Settings = settings) -> str:
        with database.read() as session:
            return find_linked_share(session, by, token).id

    return follow


def with_keys(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"secret_key": SecretStr(",".join(keys))})


def test_it_opens_its_share(settings: Settings, share: Share, follow) -> None:
    assert follow(make_link_token(settings, share)) == "p1"


def test_it_is_an_address_only_where_the_service_has_one(settings: Settings, share: Share, follow) -> None:
    assert make_link(settings, share) is None
    public = settings.model_copy(update={"public_url": "https://datos.example.org/ftp"})
    link = make_link(public, share)
    assert link is not None
    begin, _, token = link.rpartition("/")
    assert begin == "https://datos.example.org/ftp/enlace"
    assert follow(token) == "p1"


def test_it_fits_into_a_path(settings: Settings, share: Share) -> None:
    token = make_link_token(settings, share)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(token) < 200


@OPEN
@given(place=st.integers(0, 300), character=st.sampled_from(ALPHABET), how=st.sampled_from("rid"))
def test_a_changed_link_opens_nothing(
    settings: Settings, share: Share, follow, place: int, character: str, how: str
) -> None:
    token = make_link_token(settings, share)
    place %= len(token)
    rest = token[place + 1 :] if how in "rd" else token[place:]
    changed = token[:place] + ("" if how == "d" else character) + rest
    if changed == token:
        return
    with pytest.raises(LinkNotFound):
        follow(changed)


@OPEN
@given(token=st.text(max_size=80) | st.text("ABCabc019-_.", max_size=600))
@example("")
@example(".")
@example("e30.")
@example("WyJwMSIsMSwwLDk5OTk5OTk5OTldLg")
def test_what_is_no_link_opens_nothing(follow, share: Share, token: str) -> None:
    with pytest.raises(LinkNotFound):
        follow(token)


def test_every_refusal_reads_alike(settings: Settings, database: Database, share: Share, follow) -> None:
    revoked = make_link_token(settings, share)
    expired = make_link_token(settings.model_copy(update={"link_days": -1}), share)
    unknown = make_link_token(settings, Share(id="nadie", link_nonce=draw_nonce()))
    with database.write() as session:
        revoke_links(session, "p1", emails=None, author="test", request_id="r")
    refusals = []
    for token in (revoked, expired, unknown, revoked[:-1], "x"):
        with pytest.raises(LinkNotFound) as refused:
            follow(token)
        refusals.append(str(refused.value))
    assert len(set(refusals)) == 1


def test_it_ends_with_its_time(settings: Settings, share: Share, follow) -> None:
    token = make_link_token(settings, share)
    with time_machine.travel(share.created_at + timedelta(days=settings.link_days - 1), tick=False):
        assert follow(token) == "p1"
    with (
        time_machine.travel(share.created_at + timedelta(days=settings.link_days, hours=1), tick=False),
        pytest.raises(LinkNotFound),
    ):
        follow(token)


@pytest.mark.parametrize("end", [State.EXPIRANDO, State.ELIMINANDO])
def test_it_dies_with_its_share(
    settings: Settings, database: Database, share: Share, follow, end: State
) -> None:
    token = make_link_token(settings, share)
    with database.write() as session:
        transition(
            session, session.get_one(Share, "p1"), end, reason=Phrase("verbatim", text="test"), author="test"
        )
    with pytest.raises(LinkNotFound):
        follow(token)


def test_it_is_not_the_next_ones_who_ask_for_the_id(
    settings: Settings, database: Database, share: Share, follow
) -> None:
    token = make_link_token(settings, share)
    with database.write() as session:
        for state in (State.ELIMINANDO, State.ELIMINADO):
            transition(
                session,
                session.get_one(Share, "p1"),
                state,
                reason=Phrase("verbatim", text="test"),
                author="test",
            )
    request = ShareRequest(usuario="otra@dominio", id="p1", ruta="source1:/srv/datos/b", vigencia=3)
    with database.write() as session:
        create_share(session, settings, request, "tester", "r2")
    with pytest.raises(LinkNotFound):
        follow(token)


def test_a_change_of_mind_keeps_it(settings: Settings, database: Database, share: Share, follow) -> None:
    token = make_link_token(settings, share)
    with database.write() as session:
        change_desired_state(
            session, session.get_one(Share, "p1"), reason=Phrase("verbatim", text="more days"), author="test"
        )
    assert follow(token) == "p1"


def test_a_revocation_ends_those_before_it(
    settings: Settings, database: Database, share: Share, follow
) -> None:
    before = make_link_token(settings, share)
    with database.write() as session:
        share = revoke_links(session, "p1", emails=None, author="test", request_id="r")
    with pytest.raises(LinkNotFound):
        follow(before)
    assert follow(make_link_token(settings, share)) == "p1"


def test_every_key_opens_and_the_first_signs(settings: Settings, share: Share, follow) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    before = make_link_token(with_keys(settings, old), share)
    assert follow(before, with_keys(settings, new, old)) == "p1"
    with pytest.raises(LinkNotFound):
        follow(before, with_keys(settings, new))
    assert follow(make_link_token(with_keys(settings, new, old), share), with_keys(settings, new)) == "p1"
