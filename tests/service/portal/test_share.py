"""The page of a share: progress, history, downloads; who may see it; the password on demand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tempoftp.db.clock import utc_now
from tempoftp.db.models import Account, Downloads, FtpHost, HistoryEntry
from tempoftp.phrases import Phrase
from tempoftp.states import State

PAGE = "/portal/solicitudes/uno"
EVIL = "<script>alert(1)</script>\"'&{{7*7}}"


def read_password(context) -> str:
    with context.database.read() as session:
        token = session.scalars(select(Account.token)).one()
    return context.settings.build_fernet().decrypt(token.encode()).decode()


def test_progress_is_shown_while_it_is_copied(client_browser, ask, move_share) -> None:
    ask("uno")
    move_share(
        "uno", State.TRASLADO, percent=41.7, bytes_done=417_000, bytes_total=1_000_000, rate=2_500_000.0, eta=75.0,
        files_done=3, files_total=9,
    )  # fmt: skip
    page = client_browser.open(PAGE).text
    assert '<progress max="100" value="41.7"' in page
    assert "41 %" in page
    assert "417 kB de 1,0 MB" in page
    assert "2,5 MB/s" in page
    assert "1 min" in page
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in page
    assert 'data-said="Copiando, 40 %"' in page


def test_a_settled_share_is_not_reloaded(client_browser, ready) -> None:
    page = client_browser.open(PAGE).text
    assert "http-equiv" not in page
    assert "quedan 2 días 3 h" in page


def test_the_changing_part_has_a_page_of_its_own(client_browser, ask) -> None:
    ask("uno")
    part = client_browser.open(f"{PAGE}/avance")
    assert part.status_code == 200
    assert part.text.lstrip().startswith('<div id="avance"')
    assert "<html" not in part.text


def test_events_are_those_of_the_api(client_browser, ready, move_share) -> None:
    move_share("uno", State.EXPIRANDO, State.EXPIRADO)
    stream = client_browser.open(f"{PAGE}/eventos")
    assert stream.content_type == "text/event-stream; charset=utf-8"
    assert "event: evento\n" in stream.text
    assert "event: progreso\n" in stream.text


def test_another_persons_share_is_404(sign_in, ready, read_row) -> None:
    other = sign_in("otra@dominio.example", name="otra")
    paths = [
        PAGE,
        *(
            f"{PAGE}/{part}"
            for part in ("avance", "eventos", "vigencia", "password", "eliminar", "reintentar")
        ),
    ]
    missing = other.open("/portal/solicitudes/nada").text.replace("nada", "uno")
    for path in paths:
        page = other.open(path)
        assert page.status_code == 404, path
    assert other.open(PAGE).text.count("Solicitud no encontrada") == missing.count("Solicitud no encontrada")
    for part in ("vigencia", "password", "eliminar", "reintentar", "credenciales"):
        assert other.send(f"{PAGE}/{part}", page="/portal/nueva", vigencia="9").status_code == 404, part
    assert read_row("uno").generation == 1


@pytest.mark.parametrize("share_id", ["..", "user", "a b", "x" * 65, "%00", "expired"])
def test_a_text_that_is_no_id_is_404(operator, share_id: str) -> None:
    assert operator.open(f"/portal/solicitudes/{share_id}").status_code == 404


def test_the_page_itself_has_no_credentials(context, client_browser, ready) -> None:
    with context.database.read() as session:
        account = session.scalars(select(Account)).one()
    for path in (PAGE, f"{PAGE}/avance", "/portal/solicitudes", f"{PAGE}/password"):
        page = client_browser.open(path).text
        assert read_password(context) not in page
        assert account.token not in page
    assert client_browser.open(f"{PAGE}/credenciales").status_code == 405


def test_credentials_are_shown_on_demand_and_the_history_records_it(context, client_browser, ready) -> None:
    page = client_browser.send(f"{PAGE}/credenciales", page=PAGE)
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    for text in ("ftp.example.org", "2121", "ftp_alguien_dominio", "sha256:AB:CD", read_password(context)):
        assert text in page.text
    for program in ("lftp -u", "curl --ssl-reqd", "wget -r", "FileZilla", "WinSCP", "openssl s_client"):
        assert program in page.text
    with context.database.read() as session:
        last = session.scalars(select(HistoryEntry).order_by(HistoryEntry.number.desc())).first()
    assert (last.reason, last.author) == (Phrase("password_shown"), "ana")
    assert "Se mostró la contraseña." in client_browser.open(PAGE).text


def test_no_command_line_has_the_password(context, client_browser, ready) -> None:
    page = client_browser.send(f"{PAGE}/credenciales", page=PAGE).text
    assert page.count(read_password(context)) == 1


def change_account(context: Any, **columns: object) -> None:
    with context.database.write() as session:
        account = session.scalars(select(Account)).one()
        for name, value in columns.items():
            setattr(account, name, value)


STORED = "$argon2id$v=19$not-a-hash"


def test_an_earlier_password_is_explained_and_never_shown_as_a_hash(context, client_browser, ready) -> None:
    earlier = utc_now() - timedelta(days=9)
    change_account(context, exists_since=earlier, password_since=earlier, password_hash=STORED)
    page = client_browser.send(f"{PAGE}/credenciales", page=PAGE).text
    assert "La de antes sigue valiendo." in page
    assert "Pida una contraseña nueva." in page
    assert "$argon2id$" not in page
    assert read_password(context) not in page


def test_an_account_from_before_tempoftp_shows_no_password(context, client_browser, ready) -> None:
    change_account(context, origin="adopted", token=None, password_hash=STORED)
    page = client_browser.send(f"{PAGE}/credenciales", page=PAGE).text
    assert "pídala a quien administra la cuenta" in page
    assert "$argon2id$" not in page


def test_a_password_that_no_key_decrypts_is_explained(context, client_browser, ready) -> None:
    change_account(context, token="not-a-token")
    page = client_browser.send(f"{PAGE}/credenciales", page=PAGE)
    assert page.status_code == 200
    assert "avise al operador" in page.text
    assert "not-a-token" not in page.text


def test_credentials_are_409_before_the_share_is_ready(client_browser, ask) -> None:
    ask("uno")
    assert "Mostrar cómo entrar" not in client_browser.open(PAGE).text
    answer = client_browser.send(f"{PAGE}/credenciales", page=PAGE)
    assert answer.status_code == 409
    assert "solo la que está lista" in answer.text


def test_downloads_are_shown_by_file(context, client_browser, ready) -> None:
    with context.database.write() as session:
        session.add(
            Downloads(
                share_id="uno",
                generation=1,
                counted_at=utc_now(),
                complete=2,
                partial=1,
                files_total=4,
                files_complete=2,
                never_fetched=["c.nc", EVIL],
                never_fetched_total=2,
                last_download=utc_now(),
                files=[{"name": EVIL, "complete": 1, "partial": 0, "last": None}],
            )
        )
    page = client_browser.open(PAGE).text
    assert "2 archivos sin descargar" in page
    assert "c.nc" in page
    assert "<script>alert" not in page


def test_texts_of_others_are_escaped(context, operator, ready, move_share) -> None:
    move_share(
        "uno",
        message=(Phrase("verbatim", text=EVIL),),
        skipped=[EVIL],
        skipped_total=1,
        block_reason=EVIL,
        wanted="blocked",
    )
    with context.database.write() as session:
        entry = session.scalars(select(HistoryEntry)).first()
        entry.reason, entry.author = Phrase("block_requested_because", why=EVIL), EVIL
        host = session.scalars(select(FtpHost)).one()
        host.facts = {"server": {"host": EVIL, "port": 21, "tls": True, "fingerprint": EVIL}}
        host.error_class, host.error_message = "run_failed", EVIL
        host.paused, host.pause_reason, host.paused_by, host.paused_since = True, EVIL, EVIL, utc_now()
    pages = [
        operator.open(path)
        for path in (PAGE, f"{PAGE}/desbloquear", "/portal/solicitudes", "/portal/resumen")
    ]
    pages.append(operator.send(f"{PAGE}/credenciales", page=PAGE))
    pages.append(operator.open(f"/portal/solicitudes?texto={EVIL}"))
    pages.append(operator.open(f"/portal/entrar?sigue={EVIL}"))
    for page in pages:
        assert page.status_code in (200, 303)
        assert "<script>alert" not in page.text
        assert "49" not in page.text.split("alert(1)")[-1][:80]
    assert "&lt;script&gt;alert(1)" in pages[0].text
