"""The hashes of passwords: which scheme, when they are made, and what is sent."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.fernet import Fernet

from tempoftp.accounts.accounts import scheme_of
from tempoftp.db.engine import Database
from tempoftp.db.models import Account, Share
from tempoftp.settings import Settings
from tempoftp.shares.messages import say_message
from tempoftp.states import State
from tempoftp.worker.request import RunRequest
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner
from tests.support.runs import Recording, work_until

AcceptShare = Callable[..., Share]
ReadShare = Callable[[str], Share]


def test_password_is_hashed_by_what_the_host_verifies_and_sent_unchanged(
    database: Database, runner: HostRunner, recording: Recording, accept_share: AcceptShare, ftp_host: str
) -> None:
    runner.run_host(ftp_host)  # its facts
    accept_share("p1", ruta="source1:/srv/datos/tarda-1")
    runner.settings = runner.settings.model_copy(update={"run_wait_seconds": 0})
    work_until(runner, database, ftp_host, "p1", State.LISTO)
    hashes = {user.password_hash for request in recording.requests for user in request.users}
    assert len(hashes) == 1
    (sent,) = hashes
    assert sent is not None
    assert scheme_of(sent) == "argon2id"
    with database.read() as session:
        assert session.get_one(Account, "ftp_alguien_dominio").password_hash == sent


def test_hash_made_ahead_is_the_one_that_is_sent(
    database: Database, runner: HostRunner, recording: Recording, accept_share: AcceptShare, ftp_host: str
) -> None:
    runner.run_host(ftp_host)  # its facts
    accept_share("p1")
    assert runner.passwords.hash_ahead(ftp_host) == 1
    assert runner.passwords.hash_ahead(ftp_host) == 0, "once"
    with database.read() as session:
        ahead = session.get_one(Account, "ftp_alguien_dominio").password_hash
    assert ahead is not None
    assert scheme_of(ahead) == "argon2id"
    runner.run_host(ftp_host)
    assert [user.password_hash for user in recording.requests[-1].users] == [ahead]


def test_hash_ahead_leaves_a_host_of_others_alone(
    database: Database, runner: HostRunner, accept_share: AcceptShare
) -> None:
    accept_share("p1")
    assert runner.passwords.hash_ahead("otro") == 0
    with database.read() as session:
        assert session.get_one(Account, "ftp_alguien_dominio").password_hash is None


def test_hash_is_committed_before_the_run(
    database: Database, runner: HostRunner, recording: Recording, accept_share: AcceptShare, ftp_host: str
) -> None:
    stored: list[str | None] = []

    def look(request: RunRequest) -> None:
        with database.read() as session:
            stored.append(session.get_one(Account, "ftp_alguien_dominio").password_hash)

    recording.meanwhile = look
    accept_share("p1")
    runner.run_host(ftp_host)
    assert stored == [recording.requests[0].users[0].password_hash]
    assert stored[0] is not None


def test_unknown_host_gets_the_hash_that_fits_everywhere(
    runner: HostRunner, recording: Recording, accept_share: AcceptShare, ftp_host: str
) -> None:
    accept_share("p1")
    runner.run_host(ftp_host)
    (user,) = recording.requests[0].users
    assert user.password_hash is not None
    assert user.password_hash.startswith("$2b$12$")


def test_lost_key_says_so(
    database: Database, accept_share: AcceptShare, read_share: ReadShare, settings: Settings, ftp_host: str
) -> None:
    accept_share("p1")
    data = settings.model_dump() | {"encryption_key": Fernet.generate_key().decode()}
    runner = HostRunner(Settings(**data), database, SimulatedProvisioner(settings.state_dir))
    runner.run_host(ftp_host)
    runner.close()
    share = read_share("p1")
    assert share.error_class == "run_failed"
    assert "TEMPOFTP_ENCRYPTION_KEY" in say_message(share)
