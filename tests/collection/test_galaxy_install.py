"""The collection as Galaxy installs it, in a folder with nothing of the checkout around it."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.collection.users_tables import OUR_TABLE
from tests.support.delivery_root import record_root

PROJECT = Path(__file__).resolve().parents[2]
COLLECTION = PROJECT / "collections/ansible_collections/lanot/tempoftp"
BIN = Path(sys.executable).parent
OPERATORS = ("site", "share", "audit", "expire", "preflight", "selftest")
WORKERS = ("run_request", "audit_request", "preview_request")
GROUPS = ("ftp_hosts", "source_hosts", "service_hosts")
# The collection of a task's module, or of a plugin in quotes.
FULL_NAME = re.compile(r"""(?:^[ -]*|['"])((?:ansible|community)\.\w+)\.\w+[:'"]""", re.MULTILINE)
# This machine may have no systemd; nothing is started, so no unit is ever there.
NO_UNITS = "#!/bin/sh\nexit 0\n"

Done = subprocess.CompletedProcess[str]


class Operator(NamedTuple):
    """Somebody with a folder of their own who installed the collection."""

    folder: Path
    environment: dict[str, str]

    def run(self, program: str, *arguments: str) -> Done:
        """Run a program of Ansible in the folder."""
        return subprocess.run(
            [str(BIN / program), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def play(self, name: str, *arguments: str) -> Done:
        """Run a playbook of the collection by its full name."""
        return self.run("ansible-playbook", "-i", "hosts.yml", f"lanot.tempoftp.{name}", *arguments)


def build_environment(home: Path, folder: Path, installed: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "TEMPOFTP_"))}
    return {
        **kept,
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_COLLECTIONS_PATH": str(installed),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "PWD": str(folder),  # a shell sets it when somebody goes into a folder
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the collections folder that the built tarball was installed into."""
    work = tmp_path_factory.mktemp("galaxy")
    installed = work / "collections"
    operator = Operator(work, build_environment(work / "home", work, installed))
    build = operator.run(
        "ansible-galaxy", "collection", "build", str(COLLECTION), "--output-path", str(work / "built")
    )
    assert build.returncode == 0, build.stderr
    (tarball,) = (work / "built").glob("lanot-tempoftp-*.tar.gz")
    # Without --no-deps it would ask Galaxy for the collections that the roles use; the package `ansible` has them.
    offline = ("--no-deps", "--offline", "--collections-path", str(installed))
    install = operator.run("ansible-galaxy", "collection", "install", str(tarball), *offline)
    assert install.returncode == 0, install.stderr
    return installed


@pytest.fixture
def operator(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return an operator whose one FTP host is this machine, with a delivery root and a local source."""
    folder, programs, source = tmp_path / "plays", tmp_path / "bin", tmp_path / "source"
    for made in (folder, programs, source, source / "goes"):
        made.mkdir()
    record_root(tmp_path / "data", monkeypatch)
    (source / "goes" / "a.nc").write_text("a")
    for name in ("systemctl", "systemd-run"):
        (programs / name).write_text(NO_UNITS)
        (programs / name).chmod(0o755)
    variables = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
        "tempoftp_root": str(tmp_path / "data"),
        "tempoftp_owner": pwd.getpwuid(os.geteuid()).pw_name,
        "tempoftp_group": grp.getgrgid(os.getegid()).gr_name,
        "tempoftp_login_config_file": str(tmp_path / "mysql.cnf"),
        "tempoftp_pureftpd_mysql_conf": str(tmp_path / "mysql.conf"),
        "tempoftp_sources": [
            {"name": "aqui", "local": True, "roots": [{"name": "datos", "path": str(source)}]}
        ],
    }
    inventory: dict[str, Any] = {group: {} for group in GROUPS}
    inventory["ftp_hosts"] = {"hosts": {"here": variables}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
    share = {"id": "uno", "ftpuser": "ftp_uno", "source": f"aqui:{source}/goes"}
    (folder / "shares.yml").write_text(yaml.safe_dump({"shares": [share]}))
    environment = build_environment(tmp_path / "home", folder, installed)
    places = {
        "PATH": f"{programs}:{environment['PATH']}",
        "TEMPOFTP_CONFIGURATION_DIRECTORY": os.environ["TEMPOFTP_CONFIGURATION_DIRECTORY"],
    }
    return Operator(folder, {**environment, **places})


@pytest.fixture
def table(database: Any, tmp_path: Path) -> None:
    """Let the modules log in to a real users table."""
    database.make_table(OUR_TABLE)
    (tmp_path / "mysql.conf").write_text("MYSQLCrypt any\n")
    (tmp_path / "mysql.cnf").write_text(
        f"[client]\nsocket = {database.socket}\nuser = tempoftp\npassword = 'login secret'\ndatabase = pureftpd\n"
    )


def list_files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if "__pycache__" not in path.parts
    }


def test_every_playbook_is_listed_here() -> None:
    assert {path.stem for path in (COLLECTION / "playbooks").glob("*.yml")} == {*OPERATORS, *WORKERS}


def test_each_playbook_of_an_operator_has_an_entry_point_in_a_checkout() -> None:
    for path in (PROJECT / "playbooks").iterdir():
        (play,) = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert play["ansible.builtin.import_playbook"] == f"lanot.tempoftp.{path.stem}"
    assert {path.name for path in (PROJECT / "playbooks").iterdir()} == {f"{name}.yml" for name in OPERATORS}


@pytest.mark.parametrize("name", [*OPERATORS, *WORKERS])
def test_an_installed_playbook_is_understood(operator: Operator, installed: Path, name: str) -> None:
    done = operator.play(name, "--syntax-check")
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert str(installed) in done.stdout


@pytest.mark.parametrize("given", ["shares_file=shares.yml", "@shares.yml"])
@pytest.mark.usefixtures("table")
def test_the_installed_share_says_what_it_would_deliver(
    operator: Operator, installed: Path, given: str
) -> None:
    before = list_files(installed)
    done = operator.play("share", "--check", "-e", given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "uno: would be delivered to account ftp_uno" in done.stdout
    assert list_files(installed) == before
    assert not (installed.parent / "var").exists()


def test_an_installed_preflight_writes_its_report_where_it_is_called(operator: Operator) -> None:
    operator.play("preflight", "-e", "preflight_report=report.json")  # this machine need not pass
    report = json.loads((operator.folder / "report.json").read_text(encoding="utf-8"))
    assert list(report["hosts"]) == ["here"]
    assert "root_owner" in {check["name"] for check in report["hosts"]["here"]["checks"]}


@pytest.mark.usefixtures("table")
def test_an_installed_audit_compares_with_a_list_beside_it(operator: Operator) -> None:
    wanted = [{"id": "p9", "generation": 1, "state": "present", "ftpuser": "ftp_uno", "expires": None}]
    (operator.folder / "books.json").write_text(json.dumps(wanted))
    done = operator.play("audit", "-e", "audit_expected=books.json", "-e", "audit_report=report.json")
    assert done.returncode == 0, done.stdout + done.stderr
    findings = json.loads((operator.folder / "report.json").read_text(encoding="utf-8"))["here"]["findings"]
    assert "p9" in {finding["subject"] for finding in findings}


@pytest.mark.usefixtures("table")
def test_an_installed_expire_looks_at_the_host(operator: Operator) -> None:
    done = operator.play("expire")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was over" in done.stdout


def test_galaxy_is_told_every_collection_that_is_used() -> None:
    texts = [
        path.read_text(encoding="utf-8")
        for folder in ("roles", "playbooks")
        for path in (COLLECTION / folder).rglob("*.yml")
        if path.parent.name != "meta"
    ]
    used = {name for text in texts for name in FULL_NAME.findall(text)} - {"ansible.builtin"}
    galaxy = yaml.safe_load((COLLECTION / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]
    assert set(galaxy) == used
    required = yaml.safe_load((PROJECT / "requirements.yml").read_text(encoding="utf-8"))["collections"]
    assert galaxy == {entry["name"]: entry["version"] for entry in required}
