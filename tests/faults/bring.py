"""One function for each state that brings a new share into it and holds it there, and how such a share must end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.faults.ground import HELD_BYTES, Ground, Subject

# Make a file that not even root can remove, and make it removable again (not every host has chattr).
IMMUTABLE = (
    "import array, fcntl, os, sys\n"
    "for path in sys.argv[2:]:\n"
    "    descriptor = os.open(path, os.O_RDONLY)\n"
    "    flags = array.array('l', [0])\n"
    "    fcntl.ioctl(descriptor, 0x80086601, flags)\n"
    "    flags[0] = flags[0] | 0x10 if sys.argv[1] == 'on' else flags[0] & ~0x10\n"
    "    fcntl.ioctl(descriptor, 0x40086602, flags)\n"
)


def bring_recibido(ground: Ground) -> Subject:
    """Accepted while the FTP host is paused, so that no run works on it."""
    subject = ground.make_subject()
    subject.holds.append(ground.resume_runs)
    ground.pause_runs()
    subject.ask()
    subject.wait_state("recibido")
    return subject


def bring_preparando(ground: Ground) -> Subject:
    """Too big to be copied without a probe, which the source does not answer: the copier waits, rsync runs."""
    subject = ground.make_subject(big=True)
    subject.holds += [ground.quicken_source, ground.open_gate]
    ground.close_gate()
    ground.slow_source()
    subject.ask()
    ground.wait_on_ftp(f"grep -qs '\"probing\"' /data/.tempoftp/staging/{subject.id}/status.json")
    subject.wait_state("preparando")
    return subject


def bring_traslado(ground: Ground) -> Subject:
    """Half of it has arrived when rsync is stopped. ssh runs on, so that the connection stays open."""
    return _hold_in_mid_copy(ground, ground.make_subject(big=True))


def bring_many_in_mid_copy(ground: Ground) -> Subject:
    """The same with 100,000 small files."""
    return _hold_in_mid_copy(ground, ground.make_many())


def _hold_in_mid_copy(ground: Ground, subject: Subject) -> Subject:
    staging = f"/data/.tempoftp/staging/{subject.id}"
    subject.holds += [lambda: ground.stage.ftp("pkill -CONT -x rsync || true"), ground.quicken_source]
    ground.slow_source()
    subject.ask()
    ground.wait_on_ftp(
        f"grep -qs '\"passes\": 1' {staging}/status.json && [ $(du -sb {staging}/data | cut -f1) -ge {HELD_BYTES} ]"
    )
    ground.stage.ftp("pkill -STOP -x rsync")
    subject.staged = int(ground.stage.ftp(f"du -sb {staging}/data | cut -f1"))
    subject.sent_before = ground.read_sent()
    subject.wait_state("traslado")
    return subject


def bring_listo(ground: Ground) -> Subject:
    """Delivered, and its account can log in."""
    subject = ground.make_subject()
    subject.ask()
    subject.wait_ready()
    return subject


def bring_bloqueado(ground: Ground) -> Subject:
    """Blocked and out of its home; an operator asks to unblock it while the FTP host is paused."""
    subject = bring_listo(ground)
    place = f"/data/{subject.access['usuario']}/{subject.id}"
    answer = ground.api.http.post(f"/tmpftp/{subject.id}/bloquear", json={"razon": "una prueba"})
    assert answer.status_code in (200, 202), answer.text
    ground.api.wait_for(subject.id, lambda a: a["status"] == "bloqueado" and not a["pendiente"])
    subject.check_refused()
    assert ground.stage.ftp(f"ls -d {place} 2>/dev/null || true") == "", "hidden"
    subject.fetchable = False
    subject.holds.append(ground.resume_runs)
    ground.pause_runs()
    answer = ground.api.http.post(f"/tmpftp/{subject.id}/desbloquear", json={})
    assert answer.status_code == 202, answer.text
    assert subject.look()["status"] == "bloqueado" and subject.look()["pendiente"]
    return subject


def bring_expirando(ground: Ground) -> Subject:
    """Its days ended while the FTP host is paused: all data is still there, but nobody can log in."""
    subject = bring_listo(ground)
    subject.holds.append(ground.resume_runs)
    ground.pause_runs()
    ground.age(subject)
    subject.wait_state("expirando")
    subject.check_refused()
    subject.fetchable = False
    return subject


def bring_eliminando(ground: Ground) -> Subject:
    """Half deleted: out of reach, but one file cannot be removed from the disk."""
    subject = bring_listo(ground)
    place = f"/data/{subject.access['usuario']}/{subject.id}"
    ground.stage.ftp(f'python3 -c "{IMMUTABLE}" on {place}/archivo_1.bin')

    def soften() -> None:
        found = f"find /data/.tempoftp/trash -path '*/{subject.id}.*' -name archivo_1.bin"
        ground.stage.ftp(f'{found} -exec python3 -c "{IMMUTABLE}" off {{}} +')

    subject.holds.append(soften)
    _delete(ground, subject)
    ground.wait_on_ftp(f"ls -d /data/.tempoftp/trash/{subject.id}.* >/dev/null 2>&1")
    subject.wait_state("eliminando")
    return subject


def bring_eliminando_untouched(ground: Ground) -> Subject:
    """Its deletion was requested while the FTP host is paused: all data is still there."""
    subject = bring_listo(ground)
    subject.holds.append(ground.resume_runs)
    ground.pause_runs()
    _delete(ground, subject)
    subject.wait_state("eliminando")
    return subject


def bring_eliminando_in_mid_copy(ground: Ground) -> Subject:
    """Its deletion was requested during the copy while the FTP host is paused: its copier and rsync run."""
    subject = bring_traslado(ground)
    subject.holds.append(ground.resume_runs)
    ground.pause_runs()
    _delete(ground, subject)
    subject.wait_state("eliminando")
    return subject


def bring_many_half_deleted(ground: Ground) -> Subject:
    """100,000 files; the purge has removed some of them when it is stopped."""
    subject = ground.make_many()
    subject.ask()
    subject.wait_ready(seconds=600)
    subject.holds.append(lambda: ground.stage.ftp("pkill -CONT -x rm || true"))
    trash = f"/data/.tempoftp/trash/{subject.id}.*"
    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(
            ground.stage.ftp,
            f"timeout 60 bash -c 'until pkill -STOP -x rm; do :; done' && ls -d {trash}/muchos",
        )
        _delete(ground, subject)
        stopped.result()
    subject.wait_state("eliminando")
    return subject


def _delete(ground: Ground, subject: Subject) -> None:
    answer = ground.api.http.delete(f"/tmpftp/{subject.id}")
    assert answer.status_code == 202, answer.text
    subject.fetchable = False


def end_listo(ground: Ground, subject: Subject) -> None:
    """Completely delivered by one copier, which did not send again what had arrived."""
    subject.wait_state("listo", "error", seconds=300)
    subject.wait_ready()
    if subject.staged:
        total = sum_bytes(ground, subject)
        sent = ground.read_sent() - subject.sent_before
        assert sent < total - subject.staged + total // 4, (
            f"{sent} bytes were sent for the {total - subject.staged} that were missing: it began anew"
        )
    copiers, rsyncs = ground.read_copiers(subject.id)
    assert copiers <= 1 and rsyncs <= 1, f"{copiers} copiers and {rsyncs} rsyncs at once"
    subject.check_contents()


def sum_bytes(ground: Ground, subject: Subject) -> int:
    return int(
        ground.stage.source(
            f"find {subject.source} -type f -printf '%s\\n' | awk '{{s+=$1}} END {{print s}}'"
        )
    )


def end_expirado(ground: Ground, subject: Subject) -> None:
    """Expired only when access and data are gone; the source is unchanged."""
    subject.wait_state("expirado", seconds=300)
    subject.check_refused()
    ground.check_clean(subject)
    assert ground.stage.digest_source(subject.source) == subject.digests


def end_eliminado(ground: Ground, subject: Subject) -> None:
    """Completely gone; the source is unchanged."""
    ground.api.delete(subject.id, seconds=300)
    if subject.access:
        subject.check_refused()
    assert ground.stage.digest_source(subject.source) == subject.digests


@dataclass(frozen=True)
class HeldState:
    """A state of the matrix: how a share gets into it, and how the share must end."""

    bring: Callable[[Ground], Subject]
    end: Callable[[Ground, Subject], None]


STATES: dict[str, HeldState] = {
    "recibido": HeldState(bring_recibido, end_listo),
    "preparando": HeldState(bring_preparando, end_listo),
    "traslado": HeldState(bring_traslado, end_listo),
    "listo": HeldState(bring_listo, end_listo),
    "bloqueado": HeldState(bring_bloqueado, end_listo),
    "expirando": HeldState(bring_expirando, end_expirado),
    "eliminando": HeldState(bring_eliminando, end_eliminado),
}
