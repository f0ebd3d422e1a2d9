"""Undelete in the portal: the page of an ended share offers it while the FTP host keeps the data; no JavaScript."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tempoftp.access.tokens import Role
from tempoftp.db.clock import utc_now
from tempoftp.db.models import Share
from tempoftp.states import State

PAGE = "/portal/solicitudes/uno"
LATER = timedelta(hours=5)


@pytest.fixture
def end(ask, context):
    """End a share whose data its FTP host keeps for some time; None: it keeps none."""
    ask("uno")

    def do(state: State = State.EXPIRADO, kept: timedelta | None = LATER) -> None:
        until = None if kept is None else utc_now() + kept
        with context.write() as session:
            share = session.get_one(Share, "uno")
            share.state, share.restorable_until, share.due_at, share.expires = state, until, None, utc_now()

    return do


@pytest.mark.parametrize("state", [State.EXPIRADO, State.ELIMINADO])
@pytest.mark.parametrize("who", ["client_browser", "operator"])
def test_what_ended_is_restored_after_a_question(request, end, read_row, state: State, who: str) -> None:
    browser = request.getfixturevalue(who)
    end(state)
    page = browser.open(PAGE)
    assert page.status_code == 200
    assert "Se puede restaurar" in page.text and f"{PAGE}/restaurar" in page.text
    question = browser.open(f"{PAGE}/restaurar").text
    assert "¿Restaurar esta solicitud?" in question and "Cancelar" in question
    assert read_row("uno").state == state
    answer = browser.send(f"{PAGE}/restaurar")
    assert answer.headers["Location"] == PAGE
    assert "Se pidió restaurar la solicitud." in browser.follow().text
    assert read_row("uno").state == State.RECIBIDO


def test_the_state_says_that_the_data_is_kept_and_names_no_end_to_come(operator, end) -> None:
    end(State.ELIMINADO)
    page = operator.open(PAGE).text
    assert "El servidor FTP todavía guarda los datos: se pueden restaurar hasta el" in page
    assert "<dt>Vence</dt>" not in page
    end(State.EXPIRADO, None)
    page = operator.open(PAGE).text
    assert "todavía guarda los datos" not in page and "<dt>Vence</dt>" in page


def test_in_english(operator, end) -> None:
    end()
    page = operator.open(PAGE, **{"Accept-Language": "en"}).text
    assert "Can be restored" in page and "Restore" in page
    assert "Restore this request?" in operator.open(f"{PAGE}/restaurar", **{"Accept-Language": "en"}).text


def test_the_list_leads_to_a_deleted_share_while_it_can_be_restored(operator, end) -> None:
    end(State.ELIMINADO)
    assert f'href="{PAGE}"' in operator.open("/portal/solicitudes?estado=eliminado").text
    end(State.ELIMINADO, None)
    assert f'href="{PAGE}"' not in operator.open("/portal/solicitudes?estado=eliminado").text


@pytest.mark.parametrize("kept", [None, timedelta(seconds=-1)])
def test_nothing_is_offered_for_what_the_host_does_not_keep(operator, end, kept: timedelta | None) -> None:
    end(kept=kept)
    page = operator.open(PAGE).text
    assert "Se puede restaurar" not in page and "/restaurar" not in page
    operator.send(f"{PAGE}/restaurar", page=f"{PAGE}/restaurar")
    assert operator.page.status_code == 409


@pytest.mark.parametrize("kept", [None, timedelta(seconds=-1)])
def test_a_deleted_share_that_is_gone_has_no_page(operator, end, kept: timedelta | None) -> None:
    end(State.ELIMINADO, kept)
    for page in (PAGE, f"{PAGE}/restaurar"):
        assert operator.open(page).status_code == 404


@pytest.mark.parametrize("state", sorted(set(State) - {State.EXPIRADO, State.ELIMINADO}))
def test_what_lives_is_not_offered(operator, end, state: State) -> None:
    end(state)
    assert "/restaurar" not in operator.open(PAGE).text


def test_another_persons_share_is_not_found(sign_in, end, read_row) -> None:
    end(State.ELIMINADO)
    other = sign_in("otra@dominio.example", role=Role.CLIENTE, name="eva")
    for page in (PAGE, f"{PAGE}/restaurar"):
        assert other.open(page).status_code == 404
    other.send(f"{PAGE}/restaurar", page="/portal/pedir")
    assert other.page.status_code == 404
    assert read_row("uno").state == State.ELIMINADO
