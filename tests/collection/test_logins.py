"""What the module writes, tried with a real pure-ftpd: who gets in, who does not, and whose session ends.

Needs root (pure-ftpd does) and pure-ftpd (`make processes` unpacks it); molecule/ and tests/end_to_end try the same
over TLS on the lab's hosts.
"""

from __future__ import annotations

import contextlib
import ftplib
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.lanot.tempoftp.plugins.module_utils._host import sessions as _sessions

from tests.support.certificate import write_certificate
from tests.support.needs import find_program

NAME = "ftp_alguien"
PASSWORD = "a good password"
UID = 2001
TABLE = """
CREATE TABLE users (
   User VARCHAR(64) PRIMARY KEY,
   Password VARCHAR({width}) NOT NULL,
   Uid INT NOT NULL,
   Gid INT NOT NULL,
   Dir VARCHAR(255) NOT NULL,
   Status TINYINT NOT NULL DEFAULT 1,
   Expires DATETIME NULL
)"""
CONF = r"""
MYSQLSocket {socket}
MYSQLUser tempoftp
MYSQLPassword login secret
MYSQLDatabase pureftpd
{crypt}
MYSQLGetPW SELECT Password FROM users WHERE BINARY User="\L" AND Status="1" AND COALESCE(Expires > UTC_TIMESTAMP(), 1)
MYSQLGetUID SELECT Uid FROM users WHERE BINARY User="\L"
MYSQLGetGID SELECT Gid FROM users WHERE BINARY User="\L"
MYSQLGetDir SELECT Dir FROM users WHERE BINARY User="\L"
"""
START_LIMIT = 20.0

# pure-ftpd starts only as root.
pytestmark = [pytest.mark.needs_root, pytest.mark.needs_pureftpd]


class Ftpd:
    """A pure-ftpd of this test, and the module told about it."""

    def __init__(self, port, run_module, conf, root):
        self.port = port
        self.root = root
        self._run_module = run_module
        self._conf = conf

    def run(self, **desired):
        """Run the module for one account."""
        desired = {"name": NAME, "home": str(self.root / NAME), **desired}
        return self._run_module(pureftpd_mysql_conf=str(self._conf), **desired)

    def login(self, user=NAME, password=PASSWORD):
        """Return a session, or None when pure-ftpd refuses it."""
        session = ftplib.FTP()
        session.connect("127.0.0.1", self.port, timeout=20)
        try:
            session.login(user, password)
        except ftplib.error_perm as error:
            assert str(error).startswith("530")
            session.close()
            return None
        return session

    def may_login(self, **credentials):
        """Whether pure-ftpd lets somebody in."""
        session = self.login(**credentials)
        if session is None:
            return False
        session.quit()
        return True


@pytest.fixture
def start_ftpd(database, run_module, tmp_path, monkeypatch):
    """Return a function that starts pure-ftpd for a column width and a line of its MySQL configuration."""
    # The module looks for pure-ftpwho where a package installs it; here it is unpacked beside the server.
    monkeypatch.setattr(
        _sessions, "_SERVICE_PATH", str(Path(find_program("pure-ftpwho", "needs_pureftpd")).parent)
    )
    with contextlib.ExitStack() as stack:

        def start(width=64, crypt="MYSQLCrypt any", options=()):
            database.make_table(TABLE.format(width=width))
            conf = tmp_path / f"mysql-{width}.conf"
            conf.write_text(CONF.format(socket=database.socket, crypt=crypt))
            root = tmp_path / "data"
            (root / NAME).mkdir(parents=True)
            for folder in (root, *root.parents):
                if folder.is_relative_to(tmp_path.parents[1]):
                    folder.chmod(0o755)
            port = find_free_port()
            argv = [
                find_program("pure-ftpd-mysql", "needs_pureftpd"),
                "-l",
                f"mysql:{conf}",
                "-S",
                f"127.0.0.1,{port}",
                "-A",
                "-u",
                "1000",
                "-H",
                *options,
            ]
            process = stack.enter_context(subprocess.Popen(argv, stdin=subprocess.DEVNULL))
            stack.callback(process.terminate)
            wait_for_banner(process, port)
            return Ftpd(port, run_module, conf, root)

        yield start


def find_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_banner(process, port):
    deadline = time.monotonic() + START_LIMIT
    while True:
        assert process.poll() is None, "pure-ftpd ended at once"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as probe:
            assert probe.recv(3) == b"220"
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("width", "crypt"),
    [
        (64, "MYSQLCrypt any"),
        (64, "MYSQLCrypt crypt"),
        (255, "MYSQLCrypt any"),
        (255, "MYSQLCrypt cleartext\nmysqlcrypt\tARGON2 "),
    ],
)
def test_a_new_account_can_log_in_whatever_the_column_and_the_scheme(start_ftpd, width, crypt):
    ftpd = start_ftpd(width, crypt)
    result = ftpd.run(password=PASSWORD)
    assert result["users"][0]["state"] == "present"
    assert ftpd.may_login()
    assert not ftpd.may_login(password=result["users"][0]["password_hash"])


@pytest.mark.parametrize(
    "crypt", ["MYSQLCrypt md5", "MYSQLCrypt crypt # why", "MYSQLCrypt=any", 'MYSQLCrypt "any"']
)
def test_where_a_hash_would_be_the_password_none_is_written(start_ftpd, database, crypt):
    ftpd = start_ftpd(255, crypt)
    assert ftpd.run(password=PASSWORD)["error"]["class"] == "password_scheme"
    database.execute(
        f"INSERT INTO users VALUES ('{NAME}', 'the hash', {UID}, {UID}, '{ftpd.root / NAME}', 1, NULL)"
    )
    # This is what it was refused for.
    assert ftpd.may_login(password="the hash")


@pytest.mark.parametrize("state", ["blocked", "absent"])
def test_an_open_session_ends_with_the_account_and_nobody_else_s_does(start_ftpd, state):
    ftpd = start_ftpd()
    (ftpd.root / "ftp_otra").mkdir(mode=0o755)
    ftpd.run(password=PASSWORD)
    ftpd.run(name="ftp_otra", home=str(ftpd.root / "ftp_otra"), password=PASSWORD)
    session, other = ftpd.login(), ftpd.login(user="ftp_otra")
    assert session.pwd() == other.pwd() == "/"
    result = ftpd.run(state=state)
    assert result["users"][0]["sessions_ended"] == 1
    with pytest.raises((EOFError, OSError)):
        session.voidcmd("NOOP")
    session.close()
    assert other.voidcmd("NOOP").startswith("200")
    other.quit()
    assert not ftpd.may_login()
    again = ftpd.run(state=state)
    assert (again["changed"], again["users"][0]["sessions_ended"]) == (False, 0)


def test_a_stranger_who_does_not_log_in_gives_the_place_back(start_ftpd):
    ftpd = start_ftpd()
    ftpd.run(password=PASSWORD)
    with (
        socket.create_connection(("127.0.0.1", ftpd.port), 20) as silent,
        socket.create_connection(("127.0.0.1", ftpd.port), 20) as busy,
    ):
        session = ftpd.login()
        busy.sendall(b"USER nobody\r\n")
        assert _sessions.end_strangers(0) == 0
        assert _sessions.end_strangers(600) == 0
        deadline = time.monotonic() + START_LIMIT
        ended = 0
        while ended < 2:
            ended += _sessions.end_strangers(1)
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for stranger in (silent, busy):
            with contextlib.suppress(ConnectionResetError):
                while stranger.recv(4096):
                    pass
        # Who has logged in may think as long as the idle time allows.
        assert session.voidcmd("NOOP").startswith("200")
        session.quit()


def test_a_blocked_account_comes_back_with_its_password(start_ftpd):
    ftpd = start_ftpd()
    ftpd.run(password=PASSWORD)
    ftpd.run(state="blocked")
    assert not ftpd.may_login()
    ftpd.run(password="is not looked at")
    assert ftpd.may_login()


def test_an_account_ends_on_its_second(start_ftpd):
    ftpd = start_ftpd()
    ftpd.run(password=PASSWORD, expires="2099-01-01T00:00:00Z")
    assert ftpd.may_login()
    ftpd.run(expires="2000-01-01T00:00:00Z")
    assert not ftpd.may_login()


ROLE = (
    Path(__file__).parents[2]
    / "collections/ansible_collections/lanot/tempoftp/roles/ftp_server/vars/main.yml"
)
REFUSED_CIPHERS = [
    *(
        "ECDHE-RSA-CAMELLIA256-SHA384",
        "ECDHE-RSA-CAMELLIA128-SHA256",
        "DHE-RSA-CAMELLIA256-SHA",
        "CAMELLIA256-SHA",
    ),
    *("CAMELLIA128-SHA256", "AES256-SHA", "AES256-GCM-SHA384", "ADH-AES256-GCM-SHA384", "NULL-SHA256"),
]
ACCEPTED_CIPHERS = ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305", "DHE-RSA-AES128-GCM-SHA256"]


@pytest.fixture
def start_over_tls(start_ftpd, tmp_path):
    """Start pure-ftpd with TLS as the role configures it, and return a function that opens a session."""
    certificate, key = write_certificate(tmp_path, rsa=True)
    (tmp_path / "both.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
    options = yaml.safe_load(ROLE.read_text())["ftp_server_options"]
    ftpd = start_ftpd(
        options=("-Y", options["TLS"], "-J", options["TLSCipherSuite"], "-2", str(tmp_path / "both.pem"))
    )
    ftpd.run(password=PASSWORD)

    def connect(ciphers):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # the ciphers of 1.3 are few and good
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
        session = ftplib.FTP_TLS(context=context)
        session.connect("127.0.0.1", ftpd.port, timeout=20)
        try:
            session.login(NAME, PASSWORD)
        except BaseException:
            session.close()
            raise
        return session

    return connect


def test_only_good_ciphers_are_agreed_on(start_over_tls):
    for cipher in ACCEPTED_CIPHERS:
        with start_over_tls(cipher) as session:
            assert session.sock.cipher()[0] == cipher
    for cipher in REFUSED_CIPHERS:
        with pytest.raises((ssl.SSLError, OSError, EOFError)):
            start_over_tls(cipher)


def test_a_client_that_clears_its_commands_still_gets_no_data_in_clear(start_over_tls):
    """pure-ftpd has no option against CCC, by which a client gives up TLS for its own commands after the login."""
    with start_over_tls("HIGH") as session:
        session.prot_p()
        session.ccc()
        assert session.pwd() == "/"
        assert set(session.nlst()) == {".", ".."}
        with pytest.raises(ftplib.error_perm, match="503"):
            session.prot_c()
