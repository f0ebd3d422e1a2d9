"""`make demo`: from a bare checkout to one delivered share, every part real.

Hosts up → site.yml → API and worker on this machine → the request of the seed's section 5 → a live progress bar → the
files fetched back over FTPS with lftp and compared with the source, byte by byte.

It uses the net `demo`, or the net of TEMPOFTP_LAB_NET; there it listens on another port and writes other files.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from control import Control, ControlError
from control.control import PROJECT
from lab.nets import DEFAULT_NET, find_net

NET = find_net(None).name
PORT = 9043 if NET == DEFAULT_NET else 19040 + find_net(None).number
BIN = Path(sys.executable).parent
LAB = [sys.executable, str(PROJECT / "molecule/shared"), "lab", "--net", NET]
ROOT = "/srv/datos"
SOURCE = f"{ROOT}/ejemplo"
RUTA = f"lanotadm@source1:{SOURCE}"
REQUESTER = "alguien@dominio.example"
SHARE_ID = "proyecto_real_1"
WORKPLACE = PROJECT / "var" / NET
DOWNLOAD = WORKPLACE / "download"
CERTIFICATE = WORKPLACE / "servidor.pem"
ENV_FILE = PROJECT / "var" / f"{NET}.env"

# Random bytes, because they cannot be compressed on the way; made once. `mas` has more folders to request.
MAKE_DATA = f"""
set -eu
test -e /srv/.ejemplo_completo && exit 0
mkdir -p {SOURCE}/goes16/2026 "{SOURCE}/con espacios" /srv/datos/mas
for n in 1 2 3 4 5 6 7 8; do head -c 24000000 /dev/urandom > {SOURCE}/goes16/2026/banda_$n.nc; done
for n in $(seq 100); do head -c $((n * 700)) /dev/urandom > {SOURCE}/goes16/indice_$n.bin; done
echo 'Datos de ejemplo' > "{SOURCE}/con espacios/léeme.txt"
chmod -R a+rX /srv/datos
touch /srv/.ejemplo_completo
"""


class DemoError(RuntimeError):
    """A step of the demo failed; the message says which and what to look at."""


def step(title: str) -> None:
    print(f"\n\033[1m── {title}\033[0m", flush=True)


def run(argv: list[str], *, environment: dict[str, str] | None = None, timeout: float = 900) -> None:
    done = subprocess.run(argv, cwd=PROJECT, env={**os.environ, **(environment or {})}, timeout=timeout)
    if done.returncode:
        raise DemoError(
            f"This command ended with {done.returncode}; its own words stand above: {shlex.join(argv)}"
        )


def on_host(host: str, script: str) -> str:
    done = subprocess.run(
        [*LAB, "exec", host, "--", "bash", "-c", script],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise DemoError(
            f"On {host} this failed with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}"
        )
    return done.stdout


def bring_up() -> Control:
    """Bring up hosts, `site.yml`, sample data, API and worker; what is there already is not changed."""
    step("Hosts: systemd containers ftp1 and source1")
    run([*LAB, "up"])
    step("playbooks/site.yml: MariaDB, pure-ftpd, keys")
    lab = {"TEMPOFTP_LAB_NET": NET, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
    run([str(BIN / "ansible-playbook"), "-i", "inventories/lab", "playbooks/site.yml"], environment=lab)
    on_host("source1", MAKE_DATA)
    step("API and worker on this machine")
    control = Control(NET, port=PORT)
    control.start()
    print(f"{control.url} answers")
    write_demo_env(control)
    return control


def write_demo_env(control: Control) -> None:
    """Write `var/demo.env` (0600), the settings of a client of this demo. The service's own key is not among them."""
    ENV_FILE.touch(mode=0o600)
    ENV_FILE.chmod(0o600)
    ENV_FILE.write_text(
        f"TEMPOFTP_URL={control.url}\n"
        f"TEMPOFTP_TOKEN={control.token}\n"
        f"TEMPOFTP_ENCRYPTION_KEY={control.client_key}\n"
        f"TEMPOFTP_DEMO_SOURCE=lanotadm@source1:/srv/datos/mas\n"
    )


def request_share(control: Control) -> dict[str, str]:
    """Send the seed's request with the CLI and its progress bar; return the share when it is ready."""
    step(f"POST /tmpftp: {REQUESTER} asks for {RUTA} for 3 days")
    client = {"TEMPOFTP_URL": control.url, "TEMPOFTP_TOKEN": control.token}
    tempoftp = str(BIN / "tempoftp")
    run([tempoftp, "request", REQUESTER, SHARE_ID, RUTA, "--vigencia", "3", "--watch"], environment=client)
    shown = subprocess.run(
        [tempoftp, "status", SHARE_ID, "--json"],
        env={**os.environ, **client},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    share: dict[str, str] = json.loads(shown.stdout)
    if share["status"] != "listo":
        raise DemoError(f"The share is {share['status']}: {share.get('mensaje')}")
    return share


def decrypt(control: Control, token: str) -> str:
    """Return the password, decrypted with the client's own key. Key and token are never in a command line."""
    done = subprocess.run(
        [str(BIN / "tempoftp"), "decrypt", "-"],
        input=token,
        env={**control.environment(), "TEMPOFTP_ENCRYPTION_KEY": control.client_key},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout.strip()


def build_lftp_line(share: dict[str, str], password: str, command: str) -> list[str]:
    """Return an lftp command line that trusts exactly the server's own certificate."""
    server: dict[str, str] = share["servidor"]  # type: ignore[assignment]
    trust = f"set ftp:ssl-force true; set ssl:check-hostname no; set ssl:ca-file {CERTIFICATE}; {command}"
    return ["lftp", "-u", f"{share['usuario']},{password}", "-e", trust, f"ftp://{server['host']}"]


def fetch_and_compare(share: dict[str, str], password: str) -> int:
    """Mirror the share over FTPS and compare every file with the source; return the number of files."""
    step("lftp fetches the share back over FTPS")
    WORKPLACE.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(DOWNLOAD, ignore_errors=True)
    find = 'python3 -c \'import json; print(json.load(open("/etc/tempoftp/server.json"))["certificate"])\''
    CERTIFICATE.write_text(on_host("ftp1", f"openssl x509 -in $({find})"))
    run(build_lftp_line(share, password, f"mirror --verbose=0 {SHARE_ID} {DOWNLOAD}; quit"), timeout=300)
    lines = on_host("source1", f"cd {SOURCE} && find . -type f -exec sha256sum {{}} +").splitlines()
    expected = {line[66:].removeprefix("./"): line[:64] for line in lines}
    received = {
        str(path.relative_to(DOWNLOAD)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in DOWNLOAD.rglob("*")
        if path.is_file()
    }
    if received != expected:
        different = sorted(set(received.items()) ^ set(expected.items()))
        raise DemoError(f"What came back differs from the source, first at {different[0][0]}")
    return len(expected)


def main() -> int:
    try:
        control = bring_up()
        share = request_share(control)
        password = decrypt(control, share["password"])
        files = fetch_and_compare(share, password)
    except (DemoError, ControlError, subprocess.SubprocessError) as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    step(f"Done: {files} files fetched over FTPS are equal to the source, byte for byte")
    print(f"Portal     {control.url}/portal/   sign in with this token: {control.token}")
    print(
        f"           then ask for more (New request: source1:{ROOT}, path {SOURCE.removeprefix(ROOT + '/')}/goes16)"
    )
    print(
        f"API        {control.url}/tmpftp/{SHARE_ID}   (settings for a client: {ENV_FILE.relative_to(PROJECT)})"
    )
    print("lftp       " + shlex.join(build_lftp_line(share, password, f"mirror {SHARE_ID}; quit")))
    print("A host     make lab-ssh HOST=ftp1")
    print("Stop       make lab-down")
    return 0
