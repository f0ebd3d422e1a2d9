"""What a program that took over rsync could do on the FTP host, while a real copy or preview runs: only its work."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.api_client import ApiClient
from tests.support.stage import Stage

pytestmark = pytest.mark.lab

SLOW = "tc qdisc replace dev host0 root tbf rate 8mbit burst 256kbit latency 400ms"
QUICK = "tc qdisc del dev host0 root 2>/dev/null || true"
# It stands before the real rsync in the path of the units, tries what it can, and then does the work of rsync.
TAKEN_OVER = r"""#!/bin/bash
tries() { # in the folder that may be its own
  for path in /etc/tempoftp/*.cnf /etc/tempoftp/ssh/* /etc/tempoftp/mysql.cnf /etc/shadow \
    /etc/pure-ftpd/db/mysql.conf /etc/ssl/private/* /data/ftp_*/*/* /data/.tempoftp/trash/* /data/.tempoftp/held/*; do
    # What is hidden is an empty file in its place.
    [ -n "$(head -c 1 "$path" 2>/dev/null | tr '\\0' x)" ] && echo "READ $path"
  done
  for path in /etc/cron.d/x /etc/tempoftp/x /root/.bashrc /usr/bin/rsync /run/x /run/systemd/system/x.service \
    /run/tempoftp/x-$PPID /data/x /data/.tempoftp/x \
    /data/.tempoftp/shares/x /data/.tempoftp/lib/x /data/.tempoftp/lib/current/x /data/.tempoftp/staging/x; do
    (: >> "$path") 2>/dev/null && echo "WROTE $path" && [ "${path#/run/tempoftp/}" != "$path" ] && rm "$path"
  done
  mount -t tmpfs x /mnt 2>/dev/null && echo MOUNTED
  mknod "$1/disk" b 7 0 2>/dev/null && echo MADE A DEVICE
  cd "$1" && cp /bin/true s && chmod 4755 s 2>/dev/null && echo MADE SETUID
  rm -f s
  systemctl show -p Version 2>/dev/null | grep -q . && echo "COMMANDS SYSTEMD"
  busctl list 2>/dev/null | grep -q . && echo "IS ON THE BUS"
  mariadb -e 'SELECT 1' 2>/dev/null | grep -q 1 && echo "COMMANDS THE DATABASE"
  cat /proc/1/environ 2>/dev/null | grep -qa . && echo "LOOKS INTO OTHER PROCESSES"
  echo END
}
report=/data/.tempoftp/staging/presa_1/report
if [ -d "${report%/*}" ] && [ ! -e "$report" ]; then
  tries "${report%/*}" > "$report.new" 2>/dev/null
  mv "$report.new" "$report"
fi
case "${!#}" in
  # A measurement can write nowhere: its report is the name of a process.
  /run/tempoftp/probe-*) (exec -a "MEASURED $(tries /tmp 2>/dev/null)" sleep 15) ;;
esac
exec /usr/bin/rsync "$@"
"""


@pytest.fixture
def taken_over(stage: Stage) -> Iterator[None]:
    stage.ftp(f"cat > /usr/local/bin/rsync <<'EOF'\n{TAKEN_OVER}EOF\nchmod 755 /usr/local/bin/rsync")
    stage.source(SLOW)
    yield
    stage.source(QUICK)
    stage.ftp("rm -f /usr/local/bin/rsync")


def measure_unit(stage: Stage, unit: str) -> float:
    answer = stage.ftp(f"systemd-analyze security --no-pager {unit}.service | tail -1")
    found = re.search(r"service: ([0-9.]+)", answer)
    assert found, answer
    return float(found[1])


def test_a_running_copy_is_confined(api: ApiClient, stage: Stage, taken_over: None) -> None:
    path = stage.make_tree("presa", files=6, kib=1024)
    stage.source(QUICK)
    api.post("otra@dominio.example", "otra_1", f"source1:{path}")
    api.wait_ready("otra_1")
    stage.source(SLOW)
    api.post("presa@dominio.example", "presa_1", f"source1:{path}")
    deadline = time.monotonic() + 60
    report = ""
    while "END" not in report:
        assert time.monotonic() < deadline, "the copy never started"
        report = stage.ftp("cat /data/.tempoftp/staging/presa_1/report 2>/dev/null || true")
    copy = measure_unit(stage, "tempoftp-copy-presa_1")
    (connection,) = stage.ftp(
        "systemctl list-units --plain --no-legend 'tempoftp-ssh-*' | cut -d. -f1"
    ).split()
    shared = measure_unit(stage, connection)
    stage.source(QUICK)
    ready = api.wait_ready("presa_1", seconds=120)

    key = stage.ftp("ls /etc/tempoftp/ssh/*-datos").strip()
    # Beside its staging it may change the folder of the sockets.
    lines = [line for line in report.splitlines() if not line.startswith("WROTE /run/tempoftp/")]
    assert lines == [f"READ {key}", "END"]
    assert copy <= 4
    assert shared <= 4
    assert ready["progreso"]["archivos"] == 7
    # The stranger in staging was not delivered.
    assert "report" not in stage.ftp(f"find /data/{ready['usuario']}/presa_1")


def test_a_running_measurement_is_confined(api: ApiClient, stage: Stage, taken_over: None) -> None:
    path = stage.make_tree("vista", files=2)
    stage.source(QUICK)
    api.post("otra@dominio.example", "otra_1", f"source1:{path}")
    api.wait_ready("otra_1")
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(api.preview, f"source1:{path}")
        deadline = time.monotonic() + 60
        report = ""
        while "END" not in report:
            assert time.monotonic() < deadline, "nothing was measured"
            report = stage.ftp(
                "cat $(grep -lsa '^MEASURED' /proc/[0-9]*/cmdline | head -1) /dev/null | tr '\\0' '\\n'"
            )
        units = stage.ftp(
            "systemctl list-units --plain --no-legend 'tempoftp-measure-*' | cut -d. -f1"
        ).split()
        exposed = [measure_unit(stage, unit) for unit in units]
        measured = asked.result()
    key = stage.ftp("ls /etc/tempoftp/ssh/*-datos").strip()
    assert report.split("MEASURED ")[1].split("END")[0].splitlines() == [f"READ {key}"]
    assert exposed and max(exposed) <= 4
    assert (measured["estado"], measured["archivos"]) == ("lista", 3), measured
    assert stage.ftp("systemctl list-units --plain --no-legend 'tempoftp-measure-*'") == ""


def test_the_sweep_is_confined(stage: Stage) -> None:
    assert measure_unit(stage, "tempoftp-expire") <= 4
    stage.ftp("systemctl start tempoftp-expire.service")
    assert stage.ftp("systemctl show -p Result --value tempoftp-expire.service").strip() == "success"


def test_a_removal_is_confined_and_removes(api: ApiClient, stage: Stage) -> None:
    """It is too short to be measured while it runs; what it is started with is in the journal of systemd."""
    path = stage.make_tree("sobra", files=3)
    api.post("sobra@dominio.example", "sobra_1", f"source1:{path}")
    api.wait_ready("sobra_1")
    api.delete("sobra_1")
    deadline = time.monotonic() + 30
    while stage.ftp("ls -A /data/.tempoftp/trash").strip():
        assert time.monotonic() < deadline, "the trash is not emptied"
