"""The worker's previews: beside the runs of shares, failures told once, nothing left when a worker stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from tempoftp.access.tokens import Principal, Role
from tempoftp.db.engine import Database
from tempoftp.db.models import Preview, Share
from tempoftp.errors import ShareError
from tempoftp.hosts.run_totals import read_run_totals
from tempoftp.previews.previews import BATCH, ask_preview
from tempoftp.previews.results import PreviewOutcome, PreviewRequest
from tempoftp.settings import SIMULATED_FTP_HOST as HOST
from tempoftp.settings import Settings
from tempoftp.states import State
from tempoftp.worker.previewer import Previewer
from tempoftp.worker.provisioner import RunAbandoned, RunFailed
from tempoftp.worker.run_host import HostRunner
from tempoftp.worker.simulated.provisioner import SimulatedProvisioner
from tempoftp.worker.worker import Worker

ASKER = Principal("tester", Role.CLIENTE, None)


class Provisioner(SimulatedProvisioner):
    """A simulated host that may be away, answer for another run, or measure until it is told to end."""

    failure: Exception | None = None
    run_id: str | None = None
    requests: list[PreviewRequest]
    hold: threading.Event | None = None

    def preview(self, request: PreviewRequest, should_stop: Callable[[], bool]) -> PreviewOutcome:
        self.requests = [*getattr(self, "requests", []), request]
        while self.hold is not None and not self.hold.wait(0.02):
            if should_stop():
                raise RunAbandoned
        if self.failure is not None:
            raise self.failure
        outcome = super().preview(request, should_stop)
        return outcome if self.run_id is None else outcome.model_copy(update={"run_id": self.run_id})


@pytest.fixture
def provisioner(settings: Settings) -> Provisioner:
    return Provisioner(settings.state_dir, run_seconds=0.0)


@pytest.fixture
def previewer(settings: Settings, database: Database, provisioner: Provisioner) -> Iterator[Previewer]:
    previewer = Previewer(settings, database, provisioner)
    yield previewer
    previewer.close()


@pytest.fixture
def ask(settings: Settings, database: Database) -> Callable[..., str]:
    def ask(ruta: str = "source1:/srv/datos/a", asker: Principal = ASKER) -> str:
        with database.write() as session:
            return ask_preview(session, settings, ruta, asker, "request-1").id

    return ask


@pytest.fixture
def read(database: Database) -> Callable[[str], Preview]:
    def read(preview_id: str) -> Preview:
        with database.read() as session:
            return session.get_one(Preview, preview_id)

    return read


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_source_is_measured_as_its_share_would_be_copied(
    previewer: Previewer, provisioner: Provisioner, ask: Callable[..., str], read: Callable[[str], Preview]
) -> None:
    ids = [ask("source1:/srv/datos/goes/x"), ask("plain:/archivo/y"), ask("here:/archivo/z")]
    assert previewer.run_host(HOST) == 3
    (request,) = provisioner.requests
    assert [item.model_dump() for item in request.sources] == [
        {
            "source": "lanotadm@source1:/srv/datos/goes/x",
            "source_root": "/srv/datos/goes",
            "ssh_user": "lanotadm",
            "ssh_key_file": "/etc/tempoftp/ssh/source1-goes",
            "size_probe": "rsync",
            "method": "auto",
            "local": False,
        },
        {
            "source": "lanotadm@plain:/archivo/y",
            "source_root": None,
            "ssh_user": "lanotadm",
            "ssh_key_file": None,
            "size_probe": "du",
            "method": "auto",
            "local": False,
        },
        {
            "source": "lanotadm@here:/archivo/z",
            "source_root": None,
            "ssh_user": "lanotadm",
            "ssh_key_file": None,
            "size_probe": "rsync",
            "method": "auto",
            "local": True,
        },
    ]
    assert request.requests == ("request-1",)
    for preview_id, item in zip(ids, request.sources, strict=True):
        result = read(preview_id).result
        assert result is not None and result["source"]["source"] == item.source


def test_nothing_to_measure_is_no_run(previewer: Previewer, provisioner: Provisioner) -> None:
    assert previewer.run_host(HOST) == 0
    assert not hasattr(provisioner, "requests")


def test_many_take_more_than_one_run(
    previewer: Previewer, provisioner: Provisioner, ask: Callable[..., str]
) -> None:
    for number in range(BATCH + 1):
        ask(f"source1:/srv/datos/{number}", Principal(f"asker {number}", Role.CLIENTE, None))
    previewer.look()
    wait_until(lambda: len(getattr(provisioner, "requests", [])) == 2)
    assert [len(request.sources) for request in provisioner.requests] == [BATCH, 1]
    assert provisioner.requests[0].sources[0].source.endswith("/0"), "who asked first is first"


def test_a_failed_run_is_told_and_not_tried_again(
    previewer: Previewer,
    provisioner: Provisioner,
    database: Database,
    ask: Callable[..., str],
    read: Callable[[str], Preview],
) -> None:
    preview_id = ask()
    provisioner.failure = RunFailed(ShareError.of("ftp_host_unreachable", "no route to ftp1"))
    previewer.run_host(HOST)
    row = read(preview_id)
    assert (row.error_class, row.result) == ("ftp_host_unreachable", None)
    assert previewer.run_host(HOST) == 0
    with database.read() as session:
        (counted,) = read_run_totals(session)
    assert (counted.kind, counted.outcome) == ("preview", "ftp_host_unreachable")


def test_an_outcome_of_another_run_is_not_believed(
    previewer: Previewer, provisioner: Provisioner, ask: Callable[..., str], read: Callable[[str], Preview]
) -> None:
    preview_id = ask()
    provisioner.run_id = "another"
    previewer.run_host(HOST)
    assert read(preview_id).error_class == "run_failed"


def test_an_abandoned_one_is_left_for_the_next_worker(
    settings: Settings,
    database: Database,
    previewer: Previewer,
    provisioner: Provisioner,
    ask: Callable[..., str],
    read: Callable[[str], Preview],
) -> None:
    preview_id = ask()
    provisioner.hold = threading.Event()
    previewer.look()
    wait_until(lambda: hasattr(provisioner, "requests"))
    begun = time.monotonic()
    previewer.close()
    assert time.monotonic() - begun < 20
    row = read(preview_id)
    assert (row.answered_at, row.lease_run_id) == (None, None)
    provisioner.hold = None
    following = Previewer(settings, database, provisioner)
    assert following.run_host(HOST) == 1
    following.close()


def test_no_share_waits_for_a_preview(
    settings: Settings,
    database: Database,
    previewer: Previewer,
    provisioner: Provisioner,
    ask: Callable[..., str],
    read: Callable[[str], Preview],
    accept_share: Callable[..., Share],
    read_share: Callable[[str], Share],
) -> None:
    preview_id = ask("source1:/srv/datos/slow")
    provisioner.hold = threading.Event()
    runner = HostRunner(settings, database, provisioner)
    worker = Worker(settings, runner.run_host, database, preview=previewer.look)
    worker.start()
    wait_until(lambda: hasattr(provisioner, "requests"))
    accept_share("p1", "source1:/srv/datos/tarda-0")
    worker.wake(HOST)
    wait_until(lambda: read_share("p1").state == State.LISTO)
    assert read(preview_id).answered_at is None, "it is still being measured"
    provisioner.hold.set()
    wait_until(lambda: read(preview_id).answered_at is not None)
    worker.stop(lambda: None)
    runner.close()


def test_a_run_of_shares_carries_no_preview(
    runner: HostRunner,
    ask: Callable[..., str],
    read: Callable[[str], Preview],
    accept_share: Callable[..., Share],
) -> None:
    preview_id = ask()
    accept_share("p1")
    runner.run_host(HOST)
    assert read(preview_id).answered_at is None


def test_one_host_is_asked_by_one_run_at_a_time(
    previewer: Previewer, provisioner: Provisioner, database: Database, ask: Callable[..., str]
) -> None:
    ask("source1:/srv/datos/a")
    provisioner.hold = threading.Event()
    previewer.look()
    wait_until(lambda: hasattr(provisioner, "requests"))
    ask("source1:/srv/datos/b")
    for _ in range(5):
        previewer.look()
    time.sleep(0.1)
    assert len(provisioner.requests) == 1
    provisioner.hold.set()
    wait_until(lambda: len(provisioner.requests) == 2)

    def is_all_answered() -> bool:
        with database.read() as session:
            return all(session.scalars(select(Preview.answered_at)))

    wait_until(is_all_answered)


def test_shares_go_on_whatever_becomes_of_previews(
    database: Database,
    settings: Settings,
    runner: HostRunner,
    accept_share: Callable[..., Share],
    read_share: Callable[[str], Share],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise RuntimeError("the table is gone")

    told: list[bool] = []
    worker = Worker(settings, runner.run_host, database, preview=fail, notify=lambda: told.append(True))
    accept_share("p1", "source1:/srv/datos/tarda-0")
    worker.start()
    worker.wake(HOST)
    wait_until(lambda: read_share("p1").state == State.LISTO)
    wait_until(lambda: len(told) > 1)
    worker.stop(lambda: None)
    assert "the work of thread previews broke" in caplog.text


def test_a_forged_source_is_not_measured_and_no_other_suffers(
    database: Database,
    previewer: Previewer,
    provisioner: Provisioner,
    ask: Callable[..., str],
    read: Callable[[str], Preview],
    ftp_host: str,
) -> None:
    """The API's user can write rows; the worker reads the allow-list itself."""
    forged, good = ask("source1:/srv/datos/a"), ask("source1:/srv/datos/b")
    with database.write() as session:
        preview = session.get_one(Preview, forged)
        preview.item = {**preview.item, "source": "root@here:/etc", "ssh_user": "root", "local": True}
    assert previewer.run_host(ftp_host) == 2
    assert (read(forged).error_class, read(forged).result) == ("source_denied", None)
    assert (read(good).error_class, read(good).result is not None) == (None, True)
    assert [item.source for item in provisioner.requests[0].sources] == ["lanotadm@source1:/srv/datos/b"]
