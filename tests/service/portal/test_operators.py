"""The pages of operators: overview, audit, accounts, tokens, pauses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tempoftp.access.tokens import give_key
from tempoftp.db.clock import utc_now
from tempoftp.db.models import Account, FtpHost, HostAudit, Token
from tempoftp.hosts.space import plan_space
from tempoftp.portal.operator_pages import build_plot
from tempoftp.states import State

HOST = "simulado"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def host(context) -> None:
    with context.database.write() as session:
        facts = {"space_total": 10**12, "space_free": 4 * 10**11, "inodes_free": 1000, "ftpd": {"ok": True}}
        session.add(
            FtpHost(name=HOST, facts=facts, database_facts={"ok": True}, facts_at=utc_now(), paused=False)
        )


def test_overview_with_nothing_known(operator) -> None:
    page = operator.open("/portal/resumen")
    assert page.status_code == 200
    assert "Todavía no se sabe" in page.text


def test_overview_warns_of_tokens_that_use_the_shared_key(context, operator, make_secret) -> None:
    make_secret("vieja@dominio.example", name="vieja")
    page = operator.open("/portal/resumen").text
    assert "Conviene cambiarlo" in page
    assert "vieja" in page
    with context.write() as session:
        for token in session.scalars(select(Token)):
            if token.key is None:
                give_key(session, token.name, context.settings.build_fernet())
    assert "without a key of their own" not in operator.open("/portal/resumen").text


def test_overview_shows_space_copies_and_failures(operator, host, ask, move_share) -> None:
    ask("copia")
    move_share("copia", State.TRASLADO, bytes_done=10, bytes_total=10**11, rate=5e6, eta=60.0)
    ask("rota")
    move_share("rota", State.ERROR, error_class="source_denied")
    ask("lista")
    expires = utc_now() + timedelta(days=2)
    move_share("lista", State.LISTO, bytes_total=2 * 10**11, expires=expires, delivered_by="rsync")
    page = operator.open("/portal/resumen").text
    assert '<svg class="plot"' in page
    assert "300 GB ahora, 500 GB dentro de 14 días" in page
    assert "source_denied" in page
    assert "5,0 MB/s" in page
    assert "Como tabla" in page


def test_the_forecast_of_space_is_by_day() -> None:
    coming = [
        (NOW - timedelta(hours=1), 5),
        (NOW + timedelta(hours=1), 10),
        (NOW + timedelta(days=1), 20),
        (NOW + timedelta(days=1, seconds=1), 40),
        (NOW + timedelta(days=9), 80),
    ]
    points = plan_space(100, coming, NOW, days=3)
    assert [(point.free, point.freed, point.shares) for point in points] == [
        (100, 0, 0),
        (135, 35, 3),
        (175, 40, 1),
        (175, 0, 0),
    ]
    assert plan_space(-5, [], NOW, days=1)[0].free == 0


def test_plot_stays_inside_its_frame() -> None:
    plot = build_plot(plan_space(10, [(NOW + timedelta(days=1), 90)], NOW, days=14), 50)
    numbers = [
        float(part) for part in plot.line.replace("M", " ").replace("H", " ").replace("V", " ").split()
    ]
    assert all(0 <= number <= plot.width for number in numbers)
    assert plot.grid[-1][1] == 100  # more than the reported size of the disk
    assert plot.days[0][2] == 0


def test_pausing_and_resuming(operator, host) -> None:
    path = f"/portal/servidores/{HOST}/pausar"
    operator.send(path, page=path, razon="mantenimiento del disco")
    page = operator.follow().text
    assert "mantenimiento del disco" in page
    assert "Reanudar" in page
    operator.send(f"/portal/servidores/{HOST}/reanudar")
    assert "mantenimiento del disco" not in operator.follow().text


def test_an_unknown_host_is_404(operator) -> None:
    assert operator.open("/portal/servidores/nada/pausar").status_code == 404
    assert operator.send("/portal/servidores/nada/pausar", page="/portal/resumen").status_code == 404


def test_findings_are_shown_with_a_button_to_repair(context, operator) -> None:
    with context.database.write() as session:
        finding = {
            "kind": "row_not_due",
            "subject": "uno",
            "detail": "<b>no worker</b>",
            "repair": "safe",
            "repaired": False,
        }
        session.add(HostAudit(ftp_host=HOST, audited_at=utc_now(), findings=[finding], counts={"shares": 3}))
    page = operator.open("/portal/auditoria").text
    assert "1 hallazgo sin reparar." in page
    assert "row_not_due" in page
    assert "&lt;b&gt;no worker" in page
    assert operator.open("/portal/auditoria/reparar").status_code == 200
    operator.send("/portal/auditoria", reparar="1")
    assert "Se pidió auditar y reparar." in operator.follow().text
    with context.database.read() as session:
        row = session.get_one(HostAudit, HOST)
    assert (row.repair, row.requested_by) == (True, "jefa")


@pytest.fixture
def settings(settings):
    """Do not wait for an audit: no worker makes one."""
    return settings.model_copy(update={"audit_wait_seconds": 0.0})


def test_accounts_are_listed_and_deleted(context, operator, ask, read_row) -> None:
    assert "Todavía no hay cuentas." in operator.open("/portal/cuentas").text
    ask("uno")
    page = operator.open("/portal/cuentas").text
    assert "alguien@dominio.example" in page
    with context.database.read() as session:
        name = session.scalars(select(Account.name)).one()
    path = f"/portal/cuentas/{name}/eliminar"
    assert "/portal/solicitudes/uno" in operator.open(path).text
    assert read_row("uno").state == "recibido"
    operator.send(path)
    assert read_row("uno").state == "eliminando"
    assert operator.open("/portal/cuentas/nadie/eliminar").status_code == 404


def test_tokens_are_listed_and_revoked(context, operator, make_secret) -> None:
    secret = make_secret("alguien@dominio.example", name="prueba")
    page = operator.open("/portal/tokens").text
    assert "prueba" in page
    assert secret not in page
    with context.database.read() as session:
        assert session.get_one(Token, "prueba").digest not in page
    assert operator.open("/portal/tokens/nadie/revocar").status_code == 404
    operator.send("/portal/tokens/prueba/revocar", page="/portal/tokens/prueba/revocar")
    assert "ya no abre nada" in operator.follow().text
    assert "revocado" in operator.page.text


def test_revoking_ones_own_token_warns_and_signs_out(operator) -> None:
    page = operator.open("/portal/tokens/jefa/revocar").text
    assert "también termina su sesión" in page
    operator.send("/portal/tokens/jefa/revocar")
    assert operator.follow().headers["Location"].startswith("/portal/entrar")
