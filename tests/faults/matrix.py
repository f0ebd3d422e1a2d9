"""The table: every fault in every state, what is checked during it and how it ends, or why there is no cell."""

from __future__ import annotations

import ftplib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.faults import inflict
from tests.faults.bring import (
    STATES,
    bring_eliminando_in_mid_copy,
    bring_eliminando_untouched,
    bring_many_half_deleted,
    bring_many_in_mid_copy,
    end_expirado,
)
from tests.faults.ground import ON_ITS_WAY, Ground, Subject

Meanwhile = Callable[[Ground, Subject], str]
SEARCHES = 15
"""Seconds in which the worker searches several times for shares that are over."""


@dataclass(frozen=True)
class Cell:
    """The checks while the fault is in force, and differences from the usual end of the state."""

    meanwhile: Meanwhile
    bring: Callable[[Ground], Subject] | None = None
    """Instead of the state's own."""
    resumes: bool = True
    """False: what had arrived is given back, so all of it is sent again."""
    in_ci: bool = False
    """Part of `make test`."""
    end: Callable[[Ground, Subject], None] | None = None
    """Instead of the state's own."""


@dataclass(frozen=True)
class Fault:
    """One row. A text instead of a cell says why there is no cell."""

    inflict: inflict.Inflict
    cells: dict[str, Cell | str]


def pass_by(ground: Ground, subject: Subject) -> str:
    """No check: the fault is over at once."""
    return ""


def works(ground: Ground, subject: Subject) -> str:
    """The share works as before for its recipient."""
    subject.check_contents()
    return "fetched meanwhile"


def arrives(ground: Ground, subject: Subject) -> str:
    """It is delivered although the fault is in force."""
    subject.wait_state("listo", "error", seconds=300)
    subject.wait_ready()
    subject.check_contents()
    return "delivered meanwhile"


def arrives_without_login(ground: Ground, subject: Subject) -> str:
    """It is delivered, but the database's clock lets nobody in and the timer keeps the data out of the home."""
    subject.access = subject.wait_state("listo", "error", seconds=300)
    assert subject.access["status"] == "listo", subject.access
    return f"delivered meanwhile, {refuse_logins(ground, subject)}"


def told(error_class: str) -> Meanwhile:
    """The share says what is wrong and keeps its state; the service tries again."""

    def wait(ground: Ground, subject: Subject) -> str:
        answer = ground.wait_told(subject, error_class)
        assert answer["status"] in {*ON_ITS_WAY, "bloqueado", "expirando"}, answer
        return f"told {error_class}"

    return wait


def told_and_unhealthy(error_class: str) -> Meanwhile:
    """The share says what is wrong, `/health` does too, and so does the unit of the timer."""

    def wait(ground: Ground, subject: Subject) -> str:
        seen = told(error_class)(ground, subject)
        health = ground.api.http.get("/health")
        assert health.status_code == 503 and error_class in health.text, health.text
        ground.wait_on_ftp("systemctl is-failed --quiet tempoftp-expire.service")
        return seen

    return wait


def fails(error_class: str) -> Meanwhile:
    """It ends in `error` and says why. A new request after the repair delivers it."""

    def wait(ground: Ground, subject: Subject) -> str:
        answer = subject.wait_state("error", seconds=180)
        assert answer["error"] == error_class, answer
        assert "Detalle:" in answer["mensaje"], answer
        subject.holds.append(lambda: retry(ground, subject))
        return f"error {error_class}, delivered when asked again"

    return wait


def retry(ground: Ground, subject: Subject) -> None:
    """Ask again for a share that failed."""
    answer = ground.api.http.post(f"/tmpftp/{subject.id}/reintentar", json={})
    assert answer.status_code in (200, 202), answer.text
    subject.staged = 0


def refuse_logins(ground: Ground, subject: Subject) -> str:
    """Nobody can log in: the server refuses, or does not answer."""
    try:
        subject.log_in().close()
    except (ftplib.Error, EOFError, OSError):
        return "no login meanwhile"
    raise AssertionError("the account can log in")


def answer_503(ground: Ground, subject: Subject) -> str:
    """A request that cannot be stored is refused with 503; reading still works."""
    answer = ground.api.post(subject.email, f"{subject.id}_otra", f"source1:{subject.source}")
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert subject.look()["id"] == subject.id
    assert ground.api.http.get(f"/tmpftp/{subject.id}_otra").status_code == 404
    return "503 with Retry-After"


def answer_nothing(ground: Ground, subject: Subject) -> str:
    """The API does not answer; the FTP host works as before."""
    ground.wait_api_away()
    return works(ground, subject) if subject.fetchable else "API away"


def finish_deletion(ground: Ground, subject: Subject) -> str:
    """A deletion that would free space must also work on a full disk."""
    ground.api.delete(subject.id, seconds=120)
    return "deleted meanwhile"


def expire(ground: Ground, subject: Subject) -> str:
    """It expires although the fault is in force."""
    subject.wait_state("expirado", seconds=180)
    subject.check_refused()
    return "expired meanwhile"


def ends_nothing(then: Meanwhile) -> Meanwhile:
    """The service does its work, says that the clocks are apart, and ends no share by its own."""

    def wait(ground: Ground, subject: Subject) -> str:
        ground.wait_clocks(apart=True)
        seen = then(ground, subject)
        time.sleep(SEARCHES)
        if subject.fetchable:
            assert subject.look()["status"] == "listo", subject.look()
        ground.check_neighbour()
        return f"{seen}, clocks apart"

    return wait


def works_until_due(ground: Ground, subject: Subject) -> str:
    """It works as before. When its time is up, the FTP host ends access, and the service waits for the right time."""
    works(ground, subject)
    time.sleep(SEARCHES)
    works(ground, subject)
    ground.age(subject)
    subject.fetchable = False
    ground.wait_on_ftp(f"[ ! -e {subject.access['directorio']} ]", seconds=100)
    subject.check_refused()
    time.sleep(SEARCHES)
    assert subject.look()["status"] == "listo", subject.look()
    return "fetched meanwhile, then ended by the FTP host alone"


KILL_COPY: dict[str, Cell | str] = {
    "recibido": "nothing of it runs yet",
    "listo": "nothing of it runs any more",
    "bloqueado": "nothing of it runs any more",
    "expirando": "nothing of it runs any more",
}
MANY_FILES = "how many files it has makes no difference while none is copied or removed"
AFTER_DELIVERY = "a delivered share has nothing to do with its source any more; see listo"

FAULTS: dict[str, Fault] = {
    "kill -9 API": Fault(
        inflict.kill_api, {state: Cell(answer_nothing, in_ci=state == "recibido") for state in STATES}
    ),
    "kill -9 worker": Fault(
        inflict.kill_worker, {state: Cell(pass_by, in_ci=state == "bloqueado") for state in STATES}
    ),
    "kill -9 ansible-playbook": Fault(
        inflict.kill_playbook,
        {state: Cell(pass_by, in_ci=state in ("preparando", "eliminando")) for state in STATES},
    ),
    "kill -9 copier": Fault(
        inflict.kill_copier,
        KILL_COPY
        | {
            "preparando": Cell(pass_by),
            "traslado": Cell(pass_by, in_ci=True),
            "eliminando": Cell(pass_by, bring=bring_eliminando_in_mid_copy),
        },
    ),
    "kill -9 rsync": Fault(
        inflict.kill_rsync,
        KILL_COPY
        | {
            "preparando": Cell(pass_by),
            "traslado": Cell(pass_by),
            "eliminando": Cell(pass_by, bring=bring_eliminando_in_mid_copy),
        },
    ),
    "power cut of the FTP host": Fault(
        inflict.cut_power,
        {state: Cell(told("ftp_host_unreachable"), in_ci=state == "traslado") for state in STATES}
        | {"listo": Cell(refuse_logins)},
    ),
    "reboot of the FTP host": Fault(
        inflict.reboot_ftp_host,
        {state: Cell(told("ftp_host_unreachable")) for state in STATES} | {"listo": Cell(refuse_logins)},
    ),
    "FTP host's link down": Fault(
        inflict.cut_ftp_host,
        {state: Cell(told("ftp_host_unreachable")) for state in STATES} | {"listo": Cell(refuse_logins)},
    ),
    "source's link down": Fault(
        inflict.cut_source,
        {
            "recibido": Cell(told("source_unreachable")),
            "preparando": Cell(told("source_unreachable")),
            "traslado": Cell(told("source_unreachable")),
            "listo": Cell(works),
            "bloqueado": AFTER_DELIVERY,
            "expirando": AFTER_DELIVERY,
            "eliminando": AFTER_DELIVERY,
        },
    ),
    "source a black hole": Fault(
        inflict.blackhole_source,
        {
            "recibido": Cell(told("source_unreachable")),
            "preparando": Cell(told("source_unreachable")),
            "traslado": Cell(told("source_unreachable")),
            "listo": AFTER_DELIVERY,
            "bloqueado": AFTER_DELIVERY,
            "expirando": AFTER_DELIVERY,
            "eliminando": AFTER_DELIVERY,
        },
    ),
    "disk full": Fault(
        inflict.fill_disk,
        {
            "recibido": Cell(told("no_space")),
            "preparando": Cell(told("no_space"), resumes=False),
            "traslado": Cell(told("no_space"), resumes=False, in_ci=True),
            "listo": Cell(works),
            "bloqueado": Cell(told("no_space")),
            "expirando": Cell(expire),
            "eliminando": Cell(finish_deletion, bring=bring_eliminando_untouched),
        },
    ),
    "inodes used up": Fault(
        inflict.use_up_inodes,
        {
            "recibido": Cell(told("no_inodes")),
            "preparando": Cell(told("no_inodes"), resumes=False),
            "traslado": Cell(told("no_inodes"), resumes=False),
            "listo": Cell(works),
            "bloqueado": Cell(told("no_inodes")),
            "expirando": Cell(expire),
            "eliminando": Cell(finish_deletion, bring=bring_eliminando_untouched),
        },
    ),
    "/data away": Fault(
        inflict.take_data_away,
        {state: Cell(told_and_unhealthy("root_missing")) for state in STATES}
        | {
            "traslado": Cell(told_and_unhealthy("root_missing"), in_ci=True),
            "listo": Cell(refuse_logins),
            "eliminando": Cell(told_and_unhealthy("root_missing"), bring=bring_eliminando_untouched),
        },
    ),
    "MariaDB stopped": Fault(
        inflict.stop_mariadb,
        {
            "recibido": Cell(told("database_unavailable")),
            "preparando": Cell(told("database_unavailable")),
            "traslado": Cell(told("database_unavailable")),
            "listo": Cell(refuse_logins),
            "bloqueado": Cell(told("database_unavailable")),
            "expirando": Cell(told("database_unavailable"), in_ci=True),
            "eliminando": Cell(told("database_unavailable"), bring=bring_eliminando_untouched),
        },
    ),
    "service's database locked": Fault(
        inflict.lock_service_database, {state: Cell(answer_503, in_ci=state == "listo") for state in STATES}
    ),
    "source changing": Fault(
        inflict.change_source,
        {
            "recibido": Cell(fails("source_changing"), resumes=False),
            "preparando": Cell(fails("source_changing"), resumes=False),
            "traslado": Cell(fails("source_changing"), resumes=False),
            "listo": Cell(works),
            "bloqueado": AFTER_DELIVERY,
            "expirando": AFTER_DELIVERY,
            "eliminando": AFTER_DELIVERY,
        },
    ),
    "source vanishing": Fault(
        inflict.remove_source,
        {
            "recibido": Cell(fails("source_not_found"), resumes=False),
            "preparando": Cell(fails("source_not_found"), resumes=False),
            "traslado": Cell(fails("source_not_found"), resumes=False),
            "listo": Cell(works),
            "bloqueado": AFTER_DELIVERY,
            "expirando": AFTER_DELIVERY,
            "eliminando": AFTER_DELIVERY,
        },
    ),
    "source unreadable": Fault(
        inflict.deny_source,
        {
            "recibido": Cell(fails("source_denied"), resumes=False),
            "preparando": Cell(fails("source_denied"), resumes=False),
            "traslado": Cell(fails("source_denied"), resumes=False),
            "listo": Cell(works),
            "bloqueado": AFTER_DELIVERY,
            "expirando": AFTER_DELIVERY,
            "eliminando": AFTER_DELIVERY,
        },
    ),
    "clock a year ahead": Fault(
        inflict.set_clock_ahead,
        {
            "recibido": Cell(arrives_without_login),
            "preparando": Cell(arrives_without_login),
            "traslado": Cell(arrives_without_login),
            "listo": Cell(refuse_logins),
            "bloqueado": Cell(arrives_without_login, in_ci=True),
            "expirando": Cell(expire),
            "eliminando": Cell(finish_deletion, bring=bring_eliminando_untouched),
        },
    ),
    "clock set back": Fault(
        inflict.set_clock_back,
        {
            "recibido": Cell(arrives),
            "preparando": Cell(arrives),
            "traslado": Cell(arrives),
            "listo": Cell(works),
            "bloqueado": Cell(arrives),
            "expirando": Cell(expire),
            "eliminando": Cell(finish_deletion, bring=bring_eliminando_untouched),
        },
    ),
    "service's clock a year ahead": Fault(
        inflict.set_service_clock_ahead,
        {
            "recibido": Cell(ends_nothing(arrives)),
            "preparando": Cell(ends_nothing(arrives)),
            "traslado": Cell(ends_nothing(arrives)),
            "listo": Cell(ends_nothing(works_until_due), end=end_expirado),
            "bloqueado": Cell(ends_nothing(arrives)),
            "expirando": Cell(ends_nothing(expire)),
            "eliminando": Cell(ends_nothing(finish_deletion), bring=bring_eliminando_untouched),
        },
    ),
    "kill -9 rsync among 100,000 files": Fault(
        inflict.kill_rsync,
        {state: MANY_FILES for state in STATES} | {"traslado": Cell(pass_by, bring=bring_many_in_mid_copy)},
    ),
    "power cut among 100,000 files": Fault(
        inflict.cut_power,
        {state: MANY_FILES for state in STATES}
        | {
            "traslado": Cell(told("ftp_host_unreachable"), bring=bring_many_in_mid_copy),
            "eliminando": Cell(told("ftp_host_unreachable"), bring=bring_many_half_deleted),
        },
    ),
}


def iterate_cells() -> Iterator[tuple[str, str, Cell]]:
    """Yield every cell as (fault, state, cell)."""
    for name, fault in FAULTS.items():
        for state in STATES:
            cell = fault.cells[state]
            if isinstance(cell, Cell):
                yield name, state, cell
