"""For whom the password in an answer is encrypted, and `POST /tmpftp/{id}/credenciales`, which needs no key."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import select

from tempoftp.access.links import make_link_token
from tempoftp.access.tokens import Role
from tempoftp.app import create_app
from tempoftp.db.clock import utc_now
from tempoftp.db.models import Account, HistoryEntry, Share
from tempoftp.settings import Settings
from tempoftp.shares.history import word_reason
from tempoftp.states import State

EMAIL = "alguien@dominio"
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.9"}


@pytest.fixture
def ask(client, ready: str):
    """Ask for the credentials of the share that is ready."""

    def post(headers: dict[str, str] | None = None, share_id: str = ready, **options: Any) -> Any:
        return client.post(f"/tmpftp/{share_id}/credenciales", json={}, headers=headers, **options)

    return post


@pytest.fixture
def read_history(context, ready: str):
    def read() -> list[tuple[str, str]]:
        with context.database.read() as session:
            query = select(HistoryEntry).where(HistoryEntry.share_id == ready).order_by(HistoryEntry.number)
            return [(entry.author, word_reason(entry.reason)) for entry in session.scalars(query)]

    return read


class TestCredentials:
    """`POST /tmpftp/{id}/credenciales`."""

    def test_its_client_gets_the_clear_password(
        self, ask, ready, make_token, read_password, read_history
    ) -> None:
        answer = ask(make_token(EMAIL, name="de-alguien"))
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        told = answer.json
        assert told["password"] == read_password(ready)
        assert (told["password_estado"], told["password_mensaje"]) == ("visible", None)
        assert (told["id"], told["usuario"], told["ftpuser"]) == (ready, *["ftp_alguien_dominio"] * 2)
        assert set(told["servidor"]) == {"host", "puerto", "tls", "huella"}
        assert read_history()[-1] == ("de-alguien", "password shown")

    def test_an_operator_and_a_mapped_address_get_it_as_they_get_the_share(
        self, ask, ready, make_token, read_password, read_history
    ) -> None:
        assert ask(make_token(role=Role.OPERADOR, name="guardia")).json["password"] == read_password(ready)
        assert ask().json["password"] == read_password(ready)
        assert [author for author, _ in read_history()[-2:]] == ["guardia", "address 127.0.0.1"]

    def test_another_persons_share_is_404_and_nothing_is_written(self, ask, make_token, read_history) -> None:
        before = read_history()
        assert ask(make_token("otra@dominio")).status_code == 404
        assert ask(share_id="nadie").status_code == 404
        assert ask(environ_base=ELSEWHERE).status_code == 401
        assert read_history() == before

    def test_a_link_does_not_open_it(self, client, context, ready, read_history) -> None:
        with context.database.read() as session:
            token = make_link_token(context.settings, session.get_one(Share, ready))
        before = read_history()
        for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"tempoftp_portal={token}"}):
            answer = client.post(
                f"/tmpftp/{ready}/credenciales", json={}, headers=headers, environ_base=ELSEWHERE
            )
            assert answer.status_code == 401
        assert client.post(f"/tmpftp/{token}/credenciales", json={}).status_code == 404
        assert read_history() == before

    @pytest.mark.parametrize("state", [State.BLOQUEADO, State.EXPIRANDO, State.ELIMINANDO])
    def test_a_share_that_is_not_ready_is_409(self, ask, ready, move_share, state: State) -> None:
        move_share(ready, state)
        answer = ask()
        assert (answer.status_code, answer.json["codigo"]) == (409, "not_ready")

    def test_a_password_that_no_key_reads_is_null_with_the_reason(
        self, ask, context, ready, read_history
    ) -> None:
        with context.write() as session:
            account = session.get_one(Account, "ftp_alguien_dominio")
            account.token = Fernet(Fernet.generate_key()).encrypt(b"x").decode()
        told = ask().json
        assert (told["password"], told["password_estado"]) == (None, "ilegible")
        assert "no se puede mostrar" in told["password_mensaje"]
        assert read_history()[-1][1] == "credentials shown (ilegible)"

    def test_a_later_share_of_the_account_says_which_password_opens_it(
        self, client, context, ready, move_share
    ) -> None:
        body = {"usuario": EMAIL, "id": "segunda", "ruta": "source1:/srv/datos/b", "vigencia": 3}
        client.post("/tmpftp", json=body)
        move_share("segunda", State.LISTO, path="/data/x/segunda", ready_at=utc_now())
        with context.write() as session:
            account = session.get_one(Account, "ftp_alguien_dominio")
            account.password_hash = "$argon2id$no"
        answer = client.post("/tmpftp/segunda/credenciales", json={})
        assert (answer.json["password"], answer.json["password_estado"]) == (None, "anterior")
        assert "argon2id" not in answer.text

    def test_it_is_limited_for_each_caller_and_share(
        self, settings: Settings, ready, make_token, read_history
    ) -> None:
        limited = create_app(settings.model_copy(update={"rate_links": "3/minute"}))
        one, other = make_token(EMAIL, name="una"), make_token(EMAIL, name="otra")
        browser = limited.test_client()

        def post(headers: dict[str, str]) -> int:
            return browser.post(f"/tmpftp/{ready}/credenciales", json={}, headers=headers).status_code

        assert [post(one) for _ in range(5)] == [200, 200, 200, 429, 429]
        assert post(other) == 200
        assert browser.get(f"/tmpftp/{ready}", headers=one).status_code == 200
        assert [author for author, _ in read_history()].count("una") == 3
        limited.extensions["tempoftp"].database.close()


class TestSealedPassword:
    """`password` in the answers to a caller with a key of its own, with the shared one, and with none."""

    def read(self, client: Any, share_id: str, headers: dict[str, str]) -> tuple[Any, Any]:
        share = client.get(f"/tmpftp/{share_id}", headers=headers).json
        return share["password"], share["password_tipo"]

    def test_it_is_encrypted_with_the_tokens_own_key(
        self, client, settings, ready, make_token, make_key, read_password
    ) -> None:
        headers, key = make_token(EMAIL), make_key()
        sealed, kind = self.read(client, ready, headers)
        assert kind == "fernet"
        assert key.decrypt(sealed.encode()).decode() == read_password(ready)
        with pytest.raises(InvalidToken):
            settings.build_fernet().decrypt(sealed.encode())

    def test_no_other_token_reads_it(self, client, ready, make_token, make_key) -> None:
        headers = make_token(EMAIL)
        make_key()
        make_token("otra@dominio", name="otra")
        other = make_key("otra")
        with pytest.raises(InvalidToken):
            other.decrypt(self.read(client, ready, headers)[0].encode())

    def test_a_new_key_ends_the_one_before(self, client, ready, make_token, make_key, read_password) -> None:
        headers, before, after = make_token(EMAIL), make_key(), make_key()
        sealed = self.read(client, ready, headers)[0].encode()
        assert after.decrypt(sealed).decode() == read_password(ready)
        with pytest.raises(InvalidToken):
            before.decrypt(sealed)

    def test_a_new_password_is_encrypted_with_it_too(
        self, client, ready, make_token, make_key, read_password
    ) -> None:
        headers, key = make_token(EMAIL), make_key()
        answer = client.post(f"/tmpftp/{ready}/password", json={}, headers=headers)
        assert answer.json["password_tipo"] == "fernet"
        assert key.decrypt(answer.json["password"].encode()).decode() == read_password(ready)

    def test_without_one_it_is_the_shared_key(
        self, client, settings, ready, make_token, read_password
    ) -> None:
        for headers in (make_token(EMAIL), {}):
            sealed, kind = self.read(client, ready, headers)
            assert (settings.build_fernet().decrypt(sealed.encode()).decode(), kind) == (
                read_password(ready),
                "fernet",
            )

    def test_with_the_shared_key_off_it_is_null_and_credentials_go_on(
        self, settings, ready, make_token, make_key, read_password
    ) -> None:
        app = create_app(settings.model_copy(update={"shared_key": False}))
        client = app.test_client()
        headers = make_token(EMAIL)
        for caller in (headers, {}):
            assert self.read(client, ready, caller) == (None, None)
            answer = client.post(f"/tmpftp/{ready}/password", json={}, headers=caller)
            assert (answer.json["password"], answer.json["password_tipo"]) == (None, None)
            told = client.post(f"/tmpftp/{ready}/credenciales", json={}, headers=caller).json
            assert told["password"] == read_password(ready)
        key = make_key()
        sealed, kind = self.read(client, ready, headers)
        assert (key.decrypt(sealed.encode()).decode(), kind) == (read_password(ready), "fernet")
        app.extensions["tempoftp"].database.close()

    def test_a_revoked_token_has_no_key_left(self, context, make_token, make_key) -> None:
        from tempoftp.access.tokens import revoke_token

        make_token(EMAIL)
        make_key()
        with context.write() as session:
            assert revoke_token(session, "aplicacion").key is None

    def test_a_key_that_the_service_cannot_read_gives_no_password(
        self, settings, ready, make_token, make_key
    ) -> None:
        headers = make_token(EMAIL)
        make_key()
        other = settings.model_copy(
            update={"encryption_key": type(settings.encryption_key)(Fernet.generate_key().decode())}
        )
        app = create_app(other)
        client = app.test_client()
        assert self.read(client, ready, headers) == (None, None)
        health = client.get("/health").json
        assert "token aplicacion" in health["title"] + health["detail"]
        app.extensions["tempoftp"].database.close()


class TestWarning:
    """`advertencias` of `GET /health` while the shared key is in use."""

    def test_it_names_the_tokens_and_changes_no_status(self, client, make_token) -> None:
        before = client.get("/health").json
        make_token(EMAIL, name="vieja")
        health = client.get("/health").json
        (warning,) = health["advertencias"]
        assert "1 token(s) without a key of their own (vieja) and 1 mapped address(es)" in warning
        assert "TEMPOFTP_SHARED_KEY=0" in warning
        assert (health["status"], health["problemas"]) == (before["status"], before["problemas"])

    def test_a_cliente_is_not_told(self, client, make_token) -> None:
        assert client.get("/health", headers=make_token(EMAIL)).json["advertencias"] == []

    @pytest.mark.parametrize(
        "update", [{"shared_key": False}, {"address_roles": ()}], ids=["shared key off", "everybody has one"]
    )
    def test_there_is_none_where_nobody_uses_it(
        self, settings: Settings, make_token, make_key, update: dict[str, Any]
    ) -> None:
        headers = make_token(role=Role.OPERADOR)
        make_key()
        app = create_app(settings.model_copy(update=update))
        assert app.test_client().get("/health", headers=headers).json["advertencias"] == []
        app.extensions["tempoftp"].database.close()
