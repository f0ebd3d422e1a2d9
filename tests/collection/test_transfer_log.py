"""What pure-ftpd logs of real downloads, and what is counted of it: resumed, aborted, odd names, a rotation in between.

Needs root (pure-ftpd does) and pure-ftpd (`make processes` unpacks it).
"""

from __future__ import annotations

import contextlib
import ftplib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.delivery_root import record_root
from tests.support.needs import find_program

USER, PASSWORD, UID = "ftp_p1", "a good password", 2001
BIG = 20_000_003
START_LIMIT = 20.0

# pure-ftpd starts only as root.
pytestmark = [pytest.mark.needs_root, pytest.mark.needs_pureftpd]


class Ftpd:
    """A pure-ftpd with one account and one delivered share."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.root = folder / "data"
        self.log = folder / "transfer.log"
        self.port = port

    @property
    def share(self) -> Path:
        return self.root / USER / "p1"

    @contextlib.contextmanager
    def login(self, encoding: str = "utf-8") -> Iterator[ftplib.FTP]:
        """Open a session, and end it."""
        session = ftplib.FTP(encoding=encoding)
        session.connect("127.0.0.1", self.port, timeout=30)
        session.login(USER, PASSWORD)
        session.voidcmd("TYPE I")
        try:
            yield session
        finally:
            with contextlib.suppress(OSError, EOFError, ftplib.Error):
                session.quit()
            session.close()

    def fetch(self, name: str, *, rest: int | None = None, most: int | None = None) -> int:
        """Fetch a file below the home; close the data connection after *most* bytes. Return how many came."""
        lines = self.count_lines()
        with self.login() as session:
            got = 0
            connection = session.transfercmd(f"RETR {name}", rest)
            while most is None or got < most:
                fresh = connection.recv(65_536 if most is None else min(65_536, most - got))
                if not fresh:
                    break
                got += len(fresh)
            connection.close()
            with contextlib.suppress(ftplib.Error):
                session.voidresp()
        self.wait_for_lines(lines + 1)
        return got

    def wait_for_lines(self, number: int) -> None:
        """Wait until so many transfers are logged: pure-ftpd answers the client before it writes its log."""
        deadline = time.monotonic() + START_LIMIT
        while self.count_lines() < number:
            assert time.monotonic() < deadline, "pure-ftpd logged nothing"
            time.sleep(0.02)

    def count_lines(self) -> int:
        """Return how many transfers are logged."""
        return sum(not line.startswith(b"#") for line in self.log.read_bytes().splitlines())

    def read(self) -> dict[str, Any]:
        """Run what the module runs; return the share's counts."""
        from ansible_collections.lanot.tempoftp.plugins.module_utils._transfers.run import (
            TransfersOptions,
            run_transfers,
        )

        answer = run_transfers(TransfersOptions(str(self.root), str(self.log)))
        assert (answer["log"]["problem"], answer["log"]["unknown_lines"]) == (None, 0)
        (share,) = answer["shares"]
        found: dict[str, Any] = share
        return found

    def read_file(self, name: str) -> tuple[int, int]:
        """Return the complete and partial downloads of one file."""
        files = {file["name"]: (file["complete"], file["partial"]) for file in self.read()["files"]}
        return files.get(name, (0, 0))


@pytest.fixture
def ftpd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ftpd]:
    from ansible_collections.lanot.tempoftp.plugins.module_utils._host.times import format_now
    from ansible_collections.lanot.tempoftp.plugins.module_utils._host.tree import Tree, prepare_tree
    from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import (
        Manifest,
        write_manifest,
    )

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log_format = getattr(request, "param", "w3c")
    made = Ftpd(tmp_path, port)
    made.share.mkdir(parents=True)
    for folder in (made.share, *made.share.parents):
        if folder.is_relative_to(tmp_path.parents[1]):
            folder.chmod(0o755)
    prepare_tree(record_root(made.root, monkeypatch))
    write_manifest(
        Tree(made.root), Manifest("p1", 1, USER, "s:/x", state="delivered", created_at=format_now())
    )
    made.log.touch()
    accounts = [str(tmp_path / "accounts"), str(tmp_path / "accounts.pdb")]
    pure_pw = find_program("pure-pw", "needs_pureftpd")
    subprocess.run(
        [
            pure_pw,
            "useradd",
            USER,
            "-f",
            accounts[0],
            "-u",
            str(UID),
            "-g",
            str(UID),
            "-d",
            made.share.parent,
        ],
        input=f"{PASSWORD}\n{PASSWORD}\n",
        text=True,
        check=True,
        capture_output=True,
    )
    subprocess.run([pure_pw, "mkdb", accounts[1], "-f", accounts[0]], check=True)
    argv = [
        find_program("pure-ftpd-mysql", "needs_pureftpd"),
        "-l",
        f"puredb:{accounts[1]}",
        "-S",
        f"127.0.0.1,{port}",
        "-A",
        "-u",
        "1000",
        "-H",
    ]
    with subprocess.Popen([*argv, "-O", f"{log_format}:{made.log}"], stdin=subprocess.DEVNULL) as process:
        try:
            wait_for_banner(process, port)
            yield made
        finally:
            process.terminate()


def wait_for_banner(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_LIMIT
    while True:
        assert process.poll() is None, "pure-ftpd ended at once"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as probe:
            assert probe.recv(3) == b"220"
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("ftpd", ["w3c", "clf"], indirect=True)
def test_real_downloads_are_counted(ftpd: Ftpd) -> None:
    names = ["a.txt", "dir/with space.txt", "ñandú.txt", 'quo"te%20.txt', "c,o;m:m&(a)'.txt"]
    for name in names:
        path = ftpd.share / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12345")
    (ftpd.share / "new\nline").write_bytes(b"12345")
    (ftpd.share / "link").symlink_to("new\nline")
    (ftpd.share / "empty").touch()
    (ftpd.share / "never").write_bytes(b"1")
    with ftpd.login() as session:
        for number, name in enumerate([*names, "link", "empty"], start=1):
            session.retrbinary(f"RETR p1/{name}", lambda _got: None)
            ftpd.wait_for_lines(number)
    found = ftpd.read()
    assert {file["name"] for file in found["files"]} == {*names, r"new\x0aline", "empty"}
    assert (found["complete"], found["partial"]) == (len(names) + 2, 0)
    assert found["never_fetched"] == ["never"]


# Names with bytes that are not UTF-8, and names that look like the escapes of others.
ODD_NAMES = {
    b"a\xf1o.nc": r"a\xf1o.nc",
    b"\xff.nc": r"\xff.nc",
    b"caf\xc3\xa9\xe9": r"café\xe9",
    b"d\xed\xe1/\xe2\x82x": r"d\xed\xe1/\xe2\x82x",
    b"per%F1.nc": "per%F1.nc",
    b" lead": " lead",
    b"trail ": "trail ",
    b"\xc2\x85nel": "\x85nel",
}


@pytest.mark.parametrize("ftpd", ["w3c", "clf"], indirect=True)
def test_names_keep_their_bytes_from_the_disk_to_the_answer(ftpd: Ftpd) -> None:
    for name in (*ODD_NAMES, b"never\xf1"):
        path = ftpd.share / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12345")
    with ftpd.login("latin-1") as session:
        for number, name in enumerate(ODD_NAMES, start=1):
            session.retrbinary(f"RETR p1/{name.decode('latin-1')}", lambda _got: None)
            ftpd.wait_for_lines(number)
    found = ftpd.read()
    json.dumps(found, ensure_ascii=False).encode()
    assert {file["name"]: file["complete"] for file in found["files"]} == dict.fromkeys(ODD_NAMES.values(), 1)
    assert (found["files_total"], found["files_complete"]) == (len(ODD_NAMES) + 1, len(ODD_NAMES))
    assert found["never_fetched"] == [r"never\xf1"]
    assert ftpd.read()["complete"] == len(ODD_NAMES), "the counts are read again from the disk"


UNFETCHABLE_NAMES = (
    *(b"new\nline", b"cr\rx", b"end\r", b"tab\tx", b"esc\x1bx", b"del\x7fx", b"\x01", b"back\\slash"),
    b"in\na folder/x",
)


def test_no_client_can_fetch_these_names_and_a_share_is_complete_without_them(ftpd: Ftpd) -> None:
    from ansible_collections.lanot.tempoftp.plugins.module_utils._host.names import is_fetchable

    for name in (*UNFETCHABLE_NAMES, b"a.nc"):
        path = ftpd.share / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12345")
        assert is_fetchable(name) == (name == b"a.nc")
    with ftpd.login("latin-1") as session:
        listed = [name.encode("latin-1") for name, _facts in session.mlsd("p1")]
        assert b"a.nc" in listed
        # What is listed all the same is refused when somebody asks for it.
        assert set(listed) & set(UNFETCHABLE_NAMES) <= {b"back\\slash"}
        for name in set(listed) & set(UNFETCHABLE_NAMES):
            with pytest.raises(ftplib.error_perm):
                session.retrbinary(f"RETR p1/{name.decode('latin-1')}", lambda _got: None)
        session.retrbinary("RETR p1/a.nc", lambda _got: None)
    ftpd.wait_for_lines(1)
    found = ftpd.read()
    assert (found["files_total"], found["files_complete"], found["never_fetched"]) == (1, 1, [])


def test_real_aborts_and_resumes_are_told_apart(ftpd: Ftpd) -> None:
    with (ftpd.share / "big").open("wb") as stream:
        stream.truncate(BIG)
    got = ftpd.fetch("p1/big", most=6_000_001)
    assert ftpd.read_file("big") == (0, 1)
    # Begun again from zero, cut again: more bytes than the file has, and never a whole file.
    ftpd.fetch("p1/big", most=11_000_001)
    assert ftpd.read_file("big") == (0, 2)
    shutil.copy(ftpd.log, f"{ftpd.log}.1")
    os.truncate(ftpd.log, 0)
    assert ftpd.fetch("p1/big", rest=got) == BIG - got
    complete, partial = ftpd.read_file("big")
    assert complete == 1 and partial <= 1
    assert ftpd.fetch("p1/big", rest=BIG) == 0
    assert ftpd.read_file("big") == (complete, partial)
    assert ftpd.fetch("p1/big") == BIG
    assert ftpd.read_file("big") == (complete + 1, partial)
