"""Every setting comes from the environment once, and nothing is taken that is not known."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

import tempoftp
from tempoftp.settings import CLIENT_VARIABLES, Settings, SettingsError, load_settings, variable_of

KEY, SECRET = (base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"k", b"s"))


@pytest.fixture(autouse=True)
def minimal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPOFTP_ENCRYPTION_KEY", KEY)
    monkeypatch.setenv("TEMPOFTP_SECRET_KEY", SECRET)
    monkeypatch.setenv("TEMPOFTP_FTP_HOSTS", "ftp1")


def test_reads_prefixed_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPOFTP_FTP_HOSTS", " ftp1, ftp2 ,")
    monkeypatch.setenv("TEMPOFTP_LIFETIME_DEFAULT", "7")
    settings = load_settings()
    assert settings.ftp_host_names == ("ftp1", "ftp2")
    assert settings.lifetime_default == 7


def test_reads_the_seeds_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TEMPOFTP_SIMULACRO": "1",
        "FTP_DB_HOST": "127.0.0.1",
        "FTP_DB_PORT": "3307",
        "FTP_DB_USER": "ftp",
        "FTP_DB_PASS": "clave",
        "FTP_DB_NAME": "pureftpd",
        "RSYNC_SSH_USER": "otro",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.simulacro
    assert (settings.ftp_db_host, settings.ftp_db_port, settings.ftp_db_user) == ("127.0.0.1", 3307, "ftp")
    assert settings.ftp_db_pass is not None
    assert settings.ftp_db_pass.get_secret_value() == "clave"
    assert (settings.ftp_db_name, settings.rsync_ssh_user) == ("pureftpd", "otro")


def test_overrides_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPOFTP_PORT", "9044")
    assert load_settings(port=9045).port == 9045


def test_several_keys_decrypt_what_any_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    older = Fernet.generate_key().decode()
    monkeypatch.setenv("TEMPOFTP_ENCRYPTION_KEY", f"{KEY},{older}")
    fernet = load_settings().build_fernet()
    assert fernet.decrypt(Fernet(older).encrypt(b"x")) == b"x"
    assert Fernet(KEY).decrypt(fernet.encrypt(b"y")) == b"y"


def test_client_variables_may_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CLIENT_VARIABLES:
        monkeypatch.setenv(name, "http://127.0.0.1:9043")
    assert load_settings().port == 9043


def test_secrets_do_not_show() -> None:
    shown = repr(load_settings(ftp_db_pass="clave"))
    assert KEY not in shown
    assert SECRET not in shown
    assert "clave" not in shown


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("TEMPOFTP_LIFETIME_DEFALT", "3", "TEMPOFTP_LIFETIME_DEFALT"),
        ("TEMPOFTP_ENCRYPTION_KEY", "abc", "tempoftp key new"),
        ("TEMPOFTP_ENCRYPTION_KEY", " , ", "TEMPOFTP_ENCRYPTION_KEY"),
        ("TEMPOFTP_SECRET_KEY", "abc", "32 random bytes"),
        ("TEMPOFTP_SECRET_KEY", "a" * 32, "32 random bytes"),
        ("TEMPOFTP_SECRET_KEY", "ñandú " * 20, "32 random bytes"),
        ("TEMPOFTP_SECRET_KEY", f"{SECRET},abc", "32 random bytes"),
        ("TEMPOFTP_SECRET_KEY", " , ", "TEMPOFTP_SECRET_KEY"),
        ("TEMPOFTP_SECRET_KEY", KEY, "must not be a TEMPOFTP_ENCRYPTION_KEY"),
        ("TEMPOFTP_SECRET_KEY", f"{SECRET}, {KEY.rstrip('=')}", "must not be a TEMPOFTP_ENCRYPTION_KEY"),
        ("TEMPOFTP_BIND", "0.0.0.0", "TEMPOFTP_BIND"),
        ("TEMPOFTP_AUTH", "basic", "TEMPOFTP_AUTH"),
        ("TEMPOFTP_ADDRESS_ROLES", "10.1.2.3", "TEMPOFTP_ADDRESS_ROLES"),
        ("TEMPOFTP_ADDRESS_ROLES", "10.1.2.3=cliente,10.1.2.3/32=operador", "twice"),
        ("TEMPOFTP_ADDRESS_ROLES", "10.1.2.3=root", "TEMPOFTP_ADDRESS_ROLES"),
        ("TEMPOFTP_ADDRESS_ROLES", "10.1.2.3/8=cliente", "TEMPOFTP_ADDRESS_ROLES"),
        ("TEMPOFTP_ADDRESS_ROLES", "cliente=cliente", "TEMPOFTP_ADDRESS_ROLES"),
        ("TEMPOFTP_RATE_WRITES", "muchas", "TEMPOFTP_RATE_WRITES"),
        ("TEMPOFTP_RATE_STORAGE", "memcached://localhost", "TEMPOFTP_RATE_STORAGE"),
        ("TEMPOFTP_QUEUE_URL", "amqp://localhost", "TEMPOFTP_QUEUE_URL"),
        ("TEMPOFTP_TRUSTED_PROXIES", "-1", "TEMPOFTP_TRUSTED_PROXIES"),
        ("TEMPOFTP_TLS_CERTIFICATE", "/etc/tempoftp/api.pem", "TEMPOFTP_TLS_KEY"),
        ("TEMPOFTP_BIND", "example.org", "TEMPOFTP_BIND"),
        ("TEMPOFTP_PORT", "0", "TEMPOFTP_PORT"),
        ("TEMPOFTP_LIFETIME_MAX", "5", "LIFETIME_MAX"),
        ("TEMPOFTP_HEARTBEAT_SECONDS", "30", "TEMPOFTP_HEARTBEAT_SECONDS"),
        ("TEMPOFTP_LOG_LEVEL", "LOUD", "TEMPOFTP_LOG_LEVEL"),
        ("FTP_DB_PORT", "mysql", "FTP_DB_PORT"),
        ("RSYNC_SSH_USER", "-oProxyCommand=x", "RSYNC_SSH_USER"),
        ("TEMPOFTP_FTP_HOSTS", ",", "TEMPOFTP_FTP_HOSTS"),
    ],
)
def test_refuses_and_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, part: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=part):
        load_settings()


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_who_listens_on_loopback_may_do_without_tokens(monkeypatch: pytest.MonkeyPatch, bind: str) -> None:
    monkeypatch.setenv("TEMPOFTP_BIND", bind)
    monkeypatch.setenv("TEMPOFTP_AUTH", "none")
    assert load_settings().auth == "none"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("TEMPOFTP_TRUSTED_PROXIES", "1"),
            ("TEMPOFTP_TRUSTED_PROXIES", "9"),
            ("TEMPOFTP_HOST_NAMES", "datos"),
        ),
        *(
            ("TEMPOFTP_PUBLIC_URL", url)
            for url in ("https://datos.example.org", "https://192.0.2.7/tempoftp")
        ),
        *(("TEMPOFTP_BIND", bind) for bind in ("0.0.0.0", "::", "192.0.2.1")),
    ],
)
def test_who_is_reached_from_elsewhere_may_not(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("TEMPOFTP_AUTH", "none")
    monkeypatch.setenv("TEMPOFTP_PLAIN_HTTP", "1")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"TEMPOFTP_AUTH=none.*{name}"):
        load_settings()
    monkeypatch.setenv("TEMPOFTP_AUTH", "token")
    assert load_settings().auth == "token"


@pytest.mark.parametrize(
    "protection",
    [
        {"TEMPOFTP_TLS_CERTIFICATE": "/etc/tempoftp/api.pem", "TEMPOFTP_TLS_KEY": "/etc/tempoftp/api.key"},
        {"TEMPOFTP_TRUSTED_PROXIES": "1"},
        {"TEMPOFTP_PLAIN_HTTP": "1"},
    ],
)
@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1"])
def test_others_are_reached_with_tokens_and_something_that_protects_them(
    monkeypatch: pytest.MonkeyPatch, bind: str, protection: dict[str, str]
) -> None:
    monkeypatch.setenv("TEMPOFTP_BIND", bind)
    with pytest.raises(SettingsError, match="TEMPOFTP_BIND"):
        load_settings()
    for name, value in protection.items():
        monkeypatch.setenv(name, value)
    assert load_settings().bind == bind
    monkeypatch.setenv("TEMPOFTP_AUTH", "none")
    with pytest.raises(SettingsError, match="TEMPOFTP_AUTH"):
        load_settings()


def test_reads_mapped_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "TEMPOFTP_ADDRESS_ROLES", "10.1.2.3=cliente, 192.168.0.0/16 = operador,fd00::/8=cliente,"
    )
    entries = [(str(network), role) for network, role in load_settings().address_roles]
    assert entries == [
        ("10.1.2.3/32", "cliente"),
        ("192.168.0.0/16", "operador"),
        ("fd00::/8", "cliente"),
    ]


@pytest.mark.parametrize("name", ["TEMPOFTP_ENCRYPTION_KEY", "TEMPOFTP_SECRET_KEY"])
def test_requires_both_keys(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=f"{name} is required"):
        load_settings()


@pytest.mark.parametrize(
    "key",
    [
        "00" * 16 + "ff" * 16,
        "+/" * 22,
        base64.b64encode(bytes(range(32))).decode(),
        base64.urlsafe_b64encode(bytes(range(200, 248))).decode(),
    ],
)
def test_a_secret_key_may_be_base64_or_hex(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("TEMPOFTP_SECRET_KEY", key)
    assert [len(derived) for derived in load_settings().derive_keys("test")] == [32]


def test_each_purpose_and_each_secret_key_has_its_own_derived_key(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Fernet.generate_key().decode()
    monkeypatch.setenv("TEMPOFTP_SECRET_KEY", f"{SECRET},{other}")
    settings = load_settings()
    derived = [*settings.derive_keys("one"), *settings.derive_keys("two")]
    assert len(set(derived)) == 4
    monkeypatch.setenv("TEMPOFTP_SECRET_KEY", other)
    assert load_settings().derive_keys("one") == derived[1:2]


def test_nothing_is_derived_from_the_encryption_key() -> None:
    """The seam: with another encryption key every derived key is the same."""
    one = load_settings().derive_keys("portal session")
    assert load_settings(encryption_key=Fernet.generate_key().decode()).derive_keys("portal session") == one
    sources = {
        path: path.read_text(encoding="utf-8") for path in Path(tempoftp.__file__).parent.rglob("*.py")
    }
    deriving = {
        path.name for path, text in sources.items() if re.search(r"\bHKDF|PBKDF2|Scrypt|hmac\.new", text)
    }
    assert deriving == {"keys.py"}
    readers = {path.name for path, text in sources.items() if "encryption_key.get_secret_value" in text}
    assert readers == set()


def test_every_setting_says_what_it_is() -> None:
    undocumented = [name for name, field in Settings.model_fields.items() if not field.description]
    assert undocumented == []
    variables = [variable_of(name) for name in Settings.model_fields]
    assert len(set(variables)) == len(variables)
