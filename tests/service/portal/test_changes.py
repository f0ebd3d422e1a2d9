"""Changes of a share: a page asks first, then the change is made by the same functions as in the API; no JavaScript."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tempoftp.db.clock import utc_now
from tempoftp.phrases import Phrase
from tempoftp.states import State

PAGE = "/portal/solicitudes/uno"


@pytest.fixture
def ready(ask, move_share) -> None:
    ask("uno")
    ask("dos")
    move_share(
        "uno", State.LISTO, ready_at=utc_now(), expires=utc_now() + timedelta(days=3), lifetime_confirmed=3
    )


def test_a_question_changes_nothing(operator, ready, read_row) -> None:
    before = read_row("uno").generation
    for name in ("vigencia", "password", "bloquear", "desbloquear", "eliminar", "reintentar"):
        page = operator.open(f"{PAGE}/{name}")
        assert page.status_code == 200, name
        assert "Cancelar" in page.text
    assert read_row("uno").generation == before


def test_extending(client_browser, ready, read_row) -> None:
    answer = client_browser.send(f"{PAGE}/vigencia", page=f"{PAGE}/vigencia", vigencia="7")
    assert answer.headers["Location"] == PAGE
    page = client_browser.follow().text
    assert "Se pidió la vigencia nueva." in page
    assert "La vigencia nueva vale en cuanto el servidor FTP la confirme." in page
    assert read_row("uno").lifetime_days == 7


@pytest.mark.parametrize(
    ("days", "text"), [("91", "de 1 a 90 días"), ("x", "número entero"), ("", "número entero")]
)
def test_an_invalid_lifetime_is_shown_at_its_field(
    client_browser, ready, read_row, days: str, text: str
) -> None:
    page = client_browser.send(f"{PAGE}/vigencia", page=f"{PAGE}/vigencia", vigencia=days)
    assert page.status_code == 422
    assert text in page.text
    assert 'aria-invalid="true"' in page.text
    assert read_row("uno").lifetime_days == 3


def test_a_new_password_shows_what_else_it_opens(client_browser, ready) -> None:
    page = client_browser.open(f"{PAGE}/password").text
    assert "/portal/solicitudes/dos" in page
    client_browser.send(f"{PAGE}/password")
    assert "Hay una contraseña nueva" in client_browser.follow().text


def test_blocking_and_unblocking(operator, ready, read_row) -> None:
    operator.send(f"{PAGE}/bloquear", page=f"{PAGE}/bloquear", alcance="solicitud", razon="por revisar")
    page = operator.follow().text
    assert "por revisar" in page
    assert "/desbloquear" in page
    assert read_row("uno").wanted == "blocked"
    operator.send(f"{PAGE}/desbloquear", page=f"{PAGE}/desbloquear", alcance="solicitud")
    assert read_row("uno").wanted == "present"


def test_blocking_a_whole_account(operator, ready) -> None:
    operator.send(f"{PAGE}/bloquear", page=f"{PAGE}/bloquear", alcance="cuenta")
    assert "De la cuenta entera" in operator.open("/portal/solicitudes/dos").text
    operator.open("/portal/solicitudes/dos/desbloquear")
    operator.send("/portal/solicitudes/dos/desbloquear", alcance="solicitud")
    assert operator.page.status_code == 409
    assert "está bloqueada entera" in operator.page.text


def test_a_cliente_is_not_offered_a_block(client_browser, ready) -> None:
    page = client_browser.open(PAGE).text
    assert "/bloquear" not in page
    assert f"{PAGE}/eliminar" in page


def test_deleting(client_browser, ready, read_row) -> None:
    client_browser.send(f"{PAGE}/eliminar", page=f"{PAGE}/eliminar")
    page = client_browser.follow().text
    assert "Se pidió eliminar uno." in page
    assert "Eliminándose" in page
    assert read_row("uno").state == "eliminando"


def test_retrying_what_failed(client_browser, ask, move_share, read_row) -> None:
    ask("uno")
    move_share(
        "uno",
        State.ERROR,
        error_class="source_not_found",
        message=(Phrase("verbatim", text="La ruta no existe."),),
    )
    page = client_browser.open(PAGE).text
    assert f"{PAGE}/reintentar" in page
    assert f"{PAGE}/vigencia" not in page
    client_browser.send(f"{PAGE}/reintentar", page=f"{PAGE}/reintentar")
    assert read_row("uno").state == "recibido"


def test_a_change_that_the_state_does_not_allow_is_explained(client_browser, ready) -> None:
    page = client_browser.send(f"{PAGE}/reintentar", page=f"{PAGE}/reintentar")
    assert page.status_code == 409
    assert "nada de ella ha fallado" in page.text
