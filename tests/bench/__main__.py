"""`make bench`: what tempoftp costs over the bare commands that do the same, measured alternately on the lab.

These machines are noisy: every figure is a ratio or a difference of medians of runs taken in turn (A B A B …), never a
single absolute time. The FTP host's /data is in memory: on a disk that others use the same bare copy took 2 to 13 s; in
memory what tempoftp adds shows undiluted (decision 0051). Prints a table; exits 1 when a bound of the project does not
hold.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.load import SECONDS, Load, describe, percentile, read_own_seconds
from tests.support.api_client import ApiClient
from tests.support.stage import Stage

BARE = "/data/bare"


@dataclass(frozen=True)
class Figure:
    """One line of the table: a measured value, its bound, and how it came about."""

    name: str
    value: float
    bound: float | None
    detail: str

    @property
    def holds(self) -> bool:
        return self.bound is None or self.value <= self.bound


def time_call(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def show(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} s [{min(values):.2f}–{max(values):.2f}]"


class Bench:
    """Measurements on one stage; `rounds` pairs of each."""

    def __init__(self, stage: Stage, rounds: int) -> None:
        self.stage = stage
        self.api = ApiClient(stage.control.url, stage.control.token)
        self.rounds = rounds
        self.counter = int(time.time())

    def _new_id(self) -> str:
        self.counter += 1
        return f"bench_{self.counter}"

    def _bare_rsync(self, source: str, *, extra: str = "") -> str:
        """The bare command on the FTP host: `rsync -a` over the same ssh, with the same key and host key."""
        return (
            f"rm -rf {BARE} && mkdir -p {BARE} && sync && start=$(date +%s.%N) && "
            f"rsync -a {extra} -e 'ssh -F /etc/tempoftp/ssh_config -i /etc/tempoftp/ssh/source1-datos' "
            f"lanotadm@source1:{source.removeprefix('/srv/datos/')}/ {BARE}/ && end=$(date +%s.%N) && "
            # gone at once, as the share before it: both find the same free space and memory
            f'rm -rf {BARE} && python3 -c "print($end - $start)"'
        )

    def copy_phase(self, name: str, source: str, bound: float) -> list[Figure]:
        """The copy phase of a share against a bare `rsync -a`; probe and verification beside it."""
        bare, copy, probe, verify = [], [], [], []
        for _ in range(self.rounds):
            bare.append(float(self.stage.ftp(self._bare_rsync(source)).split()[-1]))
            share_id = self._new_id()
            self.stage.ftp("sync")
            self.api.post(f"{share_id}@bench.example", share_id, f"source1:{source}")
            self.api.wait_ready(share_id, seconds=600)
            seconds = json.loads(self.stage.ftp(f"cat /data/.tempoftp/shares/{share_id}.json"))["durations"]
            copy.append(seconds["copy"])
            probe.append(seconds["probe"])
            verify.append(seconds["verify"])
            self.api.delete(share_id)
        ratio = statistics.median(copy) / statistics.median(bare)
        return [
            Figure(f"{name}: copy phase / rsync -a", ratio, bound, f"{show(copy)} against {show(bare)}"),
            Figure(f"{name}: probe", statistics.median(probe), None, show(probe)),
            Figure(f"{name}: verify", statistics.median(verify), None, show(verify)),
        ]

    def small_share(self, source: str) -> list[Figure]:
        """POST to `listo` against bare `ssh du` + `rsync` + one INSERT, for a small share."""
        bare, ours = [], []
        for _ in range(self.rounds + 2):
            command = (
                "ssh -F /etc/tempoftp/ssh_config -i ~/.ssh/bench lanotadm@source1 du -sb "
                + source
                + " && "
                + self._bare_rsync(source)
                + ' && mariadb pureftpd -e "REPLACE INTO users (User, Password, Uid, Gid, Dir, Status) VALUES '
                "('ftp_bare', 'x', 2001, 2001, '/data/ftp_bare', 0)\""
            )
            bare.append(time_call(lambda c=command: self.stage.ftp(c)))
            share_id = self._new_id()
            ours.append(time_call(lambda s=share_id: self._post_and_wait(s, source)))
            self.api.delete(share_id)
        self.stage.query("DELETE FROM users WHERE User = 'ftp_bare'")
        more = statistics.median(ours) - statistics.median(bare)
        return [
            Figure(
                "small share: POST to listo, more than bare (s)",
                more,
                2.5,
                f"{show(ours)} against {show(bare)}",
            )
        ]

    def _post_and_wait(self, share_id: str, source: str) -> None:
        assert self.api.post(f"{share_id}@bench.example", share_id, f"source1:{source}").status_code == 202
        self.api.wait_ready(share_id)

    def forty_at_once(self, source: str) -> list[Figure]:
        """40 small shares of 40 people posted at once, until all are `listo`, against one."""
        alone, together = [], []
        for _ in range(self.rounds):
            share_id = self._new_id()
            alone.append(time_call(lambda s=share_id: self._post_and_wait(s, source)))
            ids = [self._new_id() for _ in range(40)]
            together.append(time_call(lambda all_ids=tuple(ids): self._post_all(all_ids, source)))
            self.api.delete_all()
        ratio = statistics.median(together) / statistics.median(alone)
        return [
            Figure("40 small shares at once / one", ratio, 4.0, f"{show(together)} against {show(alone)}")
        ]

    def load(self, source: str) -> list[Figure]:
        """A thousand requests in a minute, whose copies run meanwhile: none is lost, and the API answers quickly."""
        load = Load(self.api, f"source1:{source}")
        log = self.stage.control.log_file("serve")
        log_begins = log.stat().st_size
        begun = time.perf_counter()
        posted = load.post_all()
        took = time.perf_counter() - begun
        accepted = [post.share_id for post in posted if post.status == 202]
        refused = [post for post in posted if post.status != 202]
        wrong = [post for post in refused if post.status != 429 or not (post.retry_after or "").isdecimal()]
        assert not wrong, f"neither accepted nor told when to come back: {wrong[:3]}"
        load.wait_until_ready(accepted)
        ready = time.perf_counter() - begun
        self.api.delete_all()
        own = read_own_seconds(log, log_begins)
        assert len(own) >= len(posted), f"the access log has {len(own)} of {len(posted)} requests"
        seen = 1000 * percentile([post.seconds for post in posted], 0.99)
        told = f"median {1000 * statistics.median(own):.0f} ms, most {1000 * max(own):.0f} ms"
        return [
            Figure(
                f"1,000 requests in {SECONDS:.0f} s: the API's own p99 (ms)",
                1000 * percentile(own, 0.99),
                100,
                told,
            ),
            Figure("1,000 requests: p99 as their sender saw it (ms)", seen, None, describe(posted)),
            Figure(
                "1,000 requests: accepted, all listo",
                len(accepted),
                None,
                f"sent in {took:.0f} s, the last listo after {ready:.0f} s",
            ),
        ]

    def _post_all(self, ids: Sequence[str], source: str) -> None:
        for share_id in ids:
            assert (
                self.api.post(f"{share_id}@bench.example", share_id, f"source1:{source}").status_code == 202
            )
        for share_id in ids:
            self.api.wait_ready(share_id, seconds=180)


def prepare(stage: Stage) -> None:
    """The data on the source, and a key that may run `du` there, for the bare command only."""
    stage.source(
        "mkdir -p /srv/datos/bench/grande /srv/datos/bench/muchos /srv/datos/bench/chico && cd /srv/datos/bench && "
        "{ [ -s grande/uno.bin ] || head -c 1G /dev/urandom > grande/uno.bin; } && "
        '{ [ -e muchos/19/999 ] || python3 -c "import os, pathlib\n'
        "for d in range(20):\n"
        "    folder = pathlib.Path('muchos', str(d)); folder.mkdir(exist_ok=True)\n"
        '    for f in range(1000): (folder / str(f)).write_bytes(os.urandom(4096))"; } && '
        "for n in 1 2 3; do head -c 20000 /dev/urandom > chico/$n; done && chmod -R a+rX /srv/datos/bench"
    )
    key = stage.ftp(
        "mkdir -p -m 0700 ~/.ssh && cat ~/.ssh/bench.pub 2>/dev/null || "
        "{ ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/bench && cat ~/.ssh/bench.pub; }"
    ).strip()
    stage.source(
        f"grep -qF '{key}' ~lanotadm/.ssh/authorized_keys || echo '{key}' >> ~lanotadm/.ssh/authorized_keys"
    )


def build_measures(bench: Bench) -> dict[str, Callable[[], list[Figure]]]:
    """Every measurement by name, in the order in which they are taken."""
    small = "/srv/datos/bench/chico"
    return {
        "small": lambda: bench.small_share(small),
        "forty": lambda: bench.forty_at_once(small),
        "big": lambda: bench.copy_phase("1 GiB in one file", "/srv/datos/bench/grande", 1.15),
        "many": lambda: bench.copy_phase("20,000 files of 4 KiB", "/srv/datos/bench/muchos", 1.15),
        "load": lambda: bench.load(small),
    }


def print_figures(figures: Sequence[Figure]) -> None:
    for figure in figures:
        verdict = "holds" if figure.holds else "DOES NOT HOLD"
        bound = "" if figure.bound is None else f"≤ {figure.bound:g}  {verdict}"
        print(f"{figure.name:55} {figure.value:7.2f}  {bound:22} {figure.detail}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="small, forty, big, many, load (default: all)")
    parser.add_argument("--keep", action="store_true", help="leave the hosts up for another run")
    options = parser.parse_args()
    stage = Stage("bench", subnet="10.117.4", port=29043)
    try:
        stage.lab("up", timeout=900)
        stage.run_playbook("playbooks/site.yml", timeout=900)
        prepare(stage)
        stage.control.start()
        bench = Bench(stage, options.rounds)
        figures: list[Figure] = []
        for name in options.only or build_measures(bench):
            found = build_measures(bench)[name]()
            print_figures(found)
            figures += found
    finally:
        if not options.keep:
            stage.control.forget()
            stage.lab("down")
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
