"""Quotas: how much one person, and one token, may have at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tempoftp.db.engine import Database
from tempoftp.db.models import Share
from tempoftp.refusals import QuotaReached
from tempoftp.settings import Settings
from tempoftp.shares.create import Accepted, create_share
from tempoftp.shares.quotas import list_near
from tempoftp.shares.schemas import ShareRequest
from tempoftp.states import State

Ask = Callable[..., Accepted]
GB = 10**9


@pytest.fixture
def ask(settings: Settings, database: Database) -> Ask:
    """Ask for a share, with quotas as given."""

    def ask(
        share_id: str, *, email: str = "ana@dominio", author: str = "app", limited: bool = True, **quotas: Any
    ) -> Accepted:
        request = ShareRequest(usuario=email, id=share_id, ruta=f"source1:/srv/datos/{share_id}", vigencia=3)
        changed = settings.model_copy(update=quotas)
        with database.write() as session:
            return create_share(session, changed, request, author, "r", limited=limited)

    return ask


@pytest.fixture
def put(database: Database) -> Callable[..., None]:
    """Write columns of a share."""

    def put(share_id: str, **columns: object) -> None:
        with database.write() as session:
            share = session.get_one(Share, share_id)
            for name, value in columns.items():
                setattr(share, name, value)

    return put


def test_an_ordinary_lab_never_meets_a_quota(ask: Ask) -> None:
    for number in range(200):
        assert ask(f"s{number}").created


@pytest.mark.parametrize(
    ("quota", "code"),
    [
        ({"quota_person_shares": 3, "quota_person_open": 0}, "quota_person_shares"),
        ({"quota_person_open": 3}, "quota_person_open"),
        ({"quota_token_shares": 3, "quota_token_open": 0}, "quota_token_shares"),
        ({"quota_token_open": 3}, "quota_token_open"),
    ],
)
def test_the_share_above_a_quota_is_refused_and_nothing_is_written(
    ask: Ask, database: Database, quota: dict[str, int], code: str
) -> None:
    for number in range(3):
        ask(f"s{number}", **quota)
    with pytest.raises(QuotaReached) as refused:
        ask("s3", **quota)
    assert (refused.value.code, refused.value.params) == (code, {"count": 3, "most": 3})
    with database.read() as session:
        assert session.get(Share, "s3") is None


def test_bytes_are_counted_once_they_are_measured(ask: Ask, put: Callable[..., None]) -> None:
    quota = {"quota_person_gb": 7.5}
    ask("s1", **quota)
    put("s1", bytes_total=7 * GB)
    ask("s2", **quota)
    put("s2", bytes_total=GB)
    with pytest.raises(QuotaReached) as refused:
        ask("s3", **quota)
    assert (refused.value.code, refused.value.params) == ("quota_person_bytes", {"used": 8.0, "most": 7.5})


@pytest.mark.parametrize("state", [State.EXPIRADO, State.ELIMINADO])
def test_an_ended_share_does_not_count(ask: Ask, put: Callable[..., None], state: State) -> None:
    quota = {"quota_person_shares": 1, "quota_person_gb": 1.0}
    ask("s1", **quota)
    put("s1", state=state, bytes_total=2 * GB)
    assert ask("s2", **quota).created
    with pytest.raises(QuotaReached):
        ask("s1", **quota)  # also to begin the ended one again


@pytest.mark.parametrize(
    "state", [State.LISTO, State.ERROR, State.BLOQUEADO, State.EXPIRANDO, State.ELIMINANDO]
)
def test_only_a_share_on_its_way_is_open(ask: Ask, put: Callable[..., None], state: State) -> None:
    quota = {"quota_person_open": 1, "quota_person_shares": 2}
    ask("s1", **quota)
    put("s1", state=state)
    ask("s2", **quota)
    put("s2", state=state)
    with pytest.raises(QuotaReached, match="quota_person_shares"):
        ask("s3", **quota)


def test_the_same_body_again_is_no_further_share(ask: Ask) -> None:
    quota = {"quota_person_shares": 1, "quota_person_open": 1}
    assert ask("s1", **quota).created
    assert not ask("s1", **quota).created


def test_persons_and_tokens_are_counted_apart(ask: Ask) -> None:
    quota = {"quota_person_shares": 1, "quota_token_shares": 2}
    ask("s1", **quota)
    ask("s2", email="eva@dominio", **quota)
    with pytest.raises(QuotaReached, match="quota_token_shares"):
        ask("s3", email="leo@dominio", **quota)
    assert ask("s3", email="leo@dominio", author="otra", **quota).created
    with pytest.raises(QuotaReached, match="quota_person_shares"):
        ask("s4", author="tercera", **quota)


def test_an_operator_is_not_bound_and_the_share_counts_for_the_person(ask: Ask) -> None:
    quota = {"quota_person_shares": 1}
    ask("s1", **quota)
    assert ask("s2", author="operacion", limited=False, **quota).created
    with pytest.raises(QuotaReached) as refused:
        ask("s3", quota_person_shares=2)
    assert refused.value.params["count"] == 2


def test_zero_is_no_limit(ask: Ask, put: Callable[..., None]) -> None:
    none = {f"quota_{who}_{what}": 0 for who in ("person", "token") for what in ("shares", "open", "gb")}
    for number in range(3):
        ask(f"s{number}", **none)
        put(f"s{number}", bytes_total=10**18)
    assert ask("s3", **none).created


def test_requests_at_once_do_not_pass_the_limit_together(ask: Ask) -> None:
    refused: list[str] = []

    def come(number: int) -> None:
        try:
            ask(f"s{number}", quota_person_open=4)
        except QuotaReached as error:
            refused.append(error.code)

    callers = [threading.Thread(target=come, args=(number,)) for number in range(10)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert refused == ["quota_person_open"] * 6


def test_who_is_near_is_listed_nearest_first(
    ask: Ask, put: Callable[..., None], settings: Settings, database: Database
) -> None:
    for number in range(4):
        ask(f"a{number}")
    ask("b1", email="eva@dominio", author="otra")
    put("b1", bytes_total=99 * GB, state=State.LISTO)
    ask("c1", email="leo@dominio", author="tercera")
    changed = settings.model_copy(
        update={"quota_person_shares": 5, "quota_person_gb": 100.0, "quota_token_shares": 100}
    )
    with database.read() as session:
        near = list_near(session, changed)
    assert [(entry["de"], entry["nombre"], entry["porcentaje"]) for entry in near] == [
        ("persona", "eva@dominio", 99.0),
        ("persona", "ana@dominio", 80.0),
    ]
    assert near[0]["bytes"] == {"hay": 99 * GB, "limite": 100 * GB}
    assert near[0]["abiertas"] == {"hay": 0, "limite": settings.quota_person_open}
