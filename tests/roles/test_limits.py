"""How many places of a real pure-ftpd strangers can hold, with the role's limits of connections loaded."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.roles.rendering import FAMILIES, evaluate, render
from tests.support.needs import find_program
from tests.support.private_host import PrivateHost, run_private_host

PORT = 21
CONF = "MYSQLSocket /nonexistent\nMYSQLUser x\nMYSQLPassword x\nMYSQLDatabase x\nMYSQLGetPW SELECT 1\n"
UNIT = "tempoftp-ftp-limits.service.j2"
real = [pytest.mark.processes, pytest.mark.needs_nft, pytest.mark.needs_pureftpd]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_reload_of_the_hosts_rules_loads_the_limits_again(family: str) -> None:
    text = render("ftp_server", UNIT, family)
    assert "PartOf=nftables.service\nReloadPropagatedFrom=nftables.service\n" in text
    assert "After=nftables.service\n" in text


@pytest.mark.parametrize("family", FAMILIES)
def test_the_defaults_leave_most_places_to_others(family: str) -> None:
    places = evaluate("ftp_server", family, "ftp_server_max_clients")
    assert evaluate("ftp_server", family, "ftp_server_max_clients_per_ip") * 10 <= places
    assert evaluate("ftp_server", family, "ftp_server_max_connections_per_ip") * 10 <= places
    assert 30 <= evaluate("ftp_server", family, "ftp_server_login_seconds") <= 120


@pytest.fixture
def host(tmp_path: Path) -> Iterator[PrivateHost]:
    with run_private_host(tmp_path) as started:
        for address in ("fd00:1::1", "fd00:1::2", "fd00:1::3", "fd00:2::1"):
            started.run("ip", "-6", "addr", "add", f"{address}/128", "dev", "lo", "nodad")
        yield started


@contextlib.contextmanager
def _serve(host: PrivateHost, tmp_path: Path, *options: str) -> Iterator[None]:
    conf = tmp_path / "mysql.conf"
    conf.write_text(CONF, encoding="utf-8")
    program = find_program("pure-ftpd-mysql", "needs_pureftpd")
    argv = [program, "-l", f"mysql:{conf}", "-S", str(PORT), "-E", "-H", *options]
    with host.start(*argv) as process:
        try:
            deadline = time.monotonic() + 20
            while _knock(host, "127.0.0.9", 1) != [1]:
                assert process.poll() is None
                assert time.monotonic() < deadline
            yield
        finally:
            process.terminate()


def _knock(host: PrivateHost, *pairs: Any) -> list[int]:
    program = Path(__file__).with_name("strangers.py")
    answer: list[int] = json.loads(host.run(sys.executable, str(program), str(PORT), *map(str, pairs)))
    return answer


def _limit(host: PrivateHost, **variables: Any) -> None:
    rules = render("ftp_server", "ftp_limits.nft.j2", "Debian", ftp_server_port=PORT, **variables)
    host.run("nft", "--check", "--file", "-", stdin=rules)
    host.run("nft", "--file", "-", stdin=rules)
    host.run("nft", "--file", "-", stdin=rules)  # as a restart of the unit does


class TestRealServer:
    """With a real pure-ftpd and a real nftables."""

    pytestmark = real

    def test_one_address_holds_a_few_places_and_another_one_still_comes_in(
        self, host: PrivateHost, tmp_path: Path
    ) -> None:
        _limit(host, ftp_server_max_connections_per_ip=4)
        with _serve(host, tmp_path, "-c", "12", "-C", "12"):
            assert _knock(host, "127.0.0.2", 9, "127.0.0.3", 2) == [4, 2]
            # They are free again when the stranger has gone.
            deadline = time.monotonic() + 20
            while _knock(host, "127.0.0.2", 4) != [4]:
                assert time.monotonic() < deadline

    def test_without_the_limit_a_whole_network_of_one_person_takes_all_places(
        self, host: PrivateHost, tmp_path: Path
    ) -> None:
        """pure-ftpd counts each IPv6 address for itself."""
        crowd = ("fd00:1::1", 2, "fd00:1::2", 2, "fd00:1::3", 2)
        with _serve(host, tmp_path, "-c", "6", "-C", "2"):
            assert _knock(host, *crowd, "fd00:2::1", 1) == [2, 2, 2, 0]
            _limit(host, ftp_server_max_connections_per_ip=3)
            assert _knock(host, *crowd, "fd00:2::1", 1) == [2, 1, 0, 1]

    def test_connections_that_come_too_fast_are_reset(self, host: PrivateHost, tmp_path: Path) -> None:
        _limit(host, ftp_server_max_connections_per_ip=0, ftp_server_max_connections_per_minute=5)
        with _serve(host, tmp_path, "-c", "50", "-C", "50"):
            first, other = _knock(host, "127.0.0.4", 12, "127.0.0.5", 2)
            assert 5 <= first <= 6
            assert other == 2

    def test_zero_means_no_limit(self, host: PrivateHost, tmp_path: Path) -> None:
        _limit(host, ftp_server_max_connections_per_ip=0, ftp_server_max_connections_per_minute=0)
        with _serve(host, tmp_path, "-c", "50", "-C", "50"):
            assert _knock(host, "127.0.0.6", 30) == [30]
