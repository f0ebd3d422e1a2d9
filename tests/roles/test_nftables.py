"""The role's rule of nftables, with a real nftables in a network of its own: nothing is written that would not load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.private_host import PrivateHost, run_private_host

pytestmark = [pytest.mark.processes, pytest.mark.needs_nft]

BOOT = Path("/etc/nftables.conf")
RULES = """#!/usr/sbin/nft -f
flush ruleset
table {family} {table} {{
  chain {chain} {{
    type filter hook input priority filter; policy drop;
    ct state established,related accept
  }}
}}
"""
INCLUDE = 'include "/etc/nftables.d/tempoftp.nft"\n'


@pytest.fixture
def host(tmp_path: Path) -> Iterator[PrivateHost]:
    with run_private_host(tmp_path) as started:
        yield started


def _write_boot(host: PrivateHost, text: str) -> None:
    host.run("tee", str(BOOT), stdin=text)


def _load_boot(host: PrivateHost) -> None:
    host.run("nft", "-f", str(BOOT))


def _read_accepts(host: PrivateHost) -> list[str]:
    return re.findall(r"tcp dport .*", host.run("nft", "list", "ruleset"))


def _exists(host: PrivateHost, path: str) -> bool:
    return host.try_run("test", "-e", path).returncode == 0


def _open(host: PrivateHost, *flags: str, **variables: object) -> tuple[int, str]:
    done = host.run_tasks("ftp_server", "nftables", *flags, **variables)
    return done.returncode, re.sub(r"\s+", " ", done.stdout)


def test_a_range_that_changes_leaves_no_old_accept(host: PrivateHost) -> None:
    _write_boot(host, RULES.format(family="inet", table="filter", chain="input"))
    _load_boot(host)
    rc, output = _open(host, ftp_server_passive_ports=[30000, 30399], ftp_server_max_clients=50)
    assert rc == 0, output
    assert _read_accepts(host) == ['tcp dport { 21, 30000-30399 } accept comment "tempoftp 21 30000-30399"']
    # As an earlier release named its rule.
    host.run("nft", "insert rule inet filter input tcp dport 2121 accept comment tempoftp")
    rc, output = _open(host, ftp_server_passive_ports=[41000, 41999], ftp_server_port=2100)
    assert rc == 0, output
    wanted = ['tcp dport { 2100, 41000-41999 } accept comment "tempoftp 2100 41000-41999"']
    assert _read_accepts(host) == wanted
    # The same after a boot.
    _load_boot(host)
    assert _read_accepts(host) == wanted
    rc, output = _open(host, ftp_server_passive_ports=[41000, 41999], ftp_server_port=2100)
    assert (rc, "changed=0" in output) == (0, True), output
    assert _read_accepts(host) == wanted


def test_rules_of_the_operator_stay(host: PrivateHost) -> None:
    _write_boot(host, RULES.format(family="ip", table="cortafuegos", chain="entrada"))
    _load_boot(host)
    theirs = 'tcp dport 21 accept comment "tempoftpd of our own"'
    host.run("nft", f"insert rule ip cortafuegos entrada {theirs}")
    rc, output = _open(host, ftp_server_nftables_chain="ip cortafuegos entrada")
    assert rc == 0, output
    assert theirs in _read_accepts(host)


@pytest.mark.parametrize("chain", ["inet filter entrada", "ip filtro input"])
def test_a_chain_with_another_name_is_refused_before_anything_is_written(
    host: PrivateHost, chain: str
) -> None:
    text = RULES.format(family="inet", table="filter", chain="input")
    _write_boot(host, text)
    _load_boot(host)
    rc, output = _open(host, ftp_server_nftables_chain=chain)
    assert rc != 0
    assert f'does not fit into the chain "{chain}"' in output
    assert host.run("cat", str(BOOT)) == text
    assert not _exists(host, "/etc/nftables.d/tempoftp.nft")
    assert _read_accepts(host) == []


def test_a_chain_that_only_the_loaded_rules_have_is_refused(host: PrivateHost) -> None:
    """It would be gone at the next boot, and nftables would load none of the host's rules."""
    text = RULES.format(family="inet", table="filter", chain="entrada")
    _write_boot(host, text)
    host.run("nft", "-f", "-", stdin=RULES.format(family="inet", table="filter", chain="input"))
    rc, output = _open(host)
    assert rc != 0
    assert 'does not fit into the chain "inet filter input" of /etc/nftables.conf' in output
    assert host.run("cat", str(BOOT)) == text
    _load_boot(host)


def test_a_chain_that_is_renamed_later_keeps_the_rules_for_the_boot_as_they_were(host: PrivateHost) -> None:
    _write_boot(host, RULES.format(family="inet", table="filter", chain="input"))
    _load_boot(host)
    assert _open(host)[0] == 0
    # The operator renames the chain in the file. The include is in it already.
    renamed = RULES.format(family="inet", table="filter", chain="entrada")
    _write_boot(host, renamed + INCLUDE)
    before = host.run("cat", "/etc/nftables.d/tempoftp.nft")
    assert _open(host)[0] != 0
    assert host.run("cat", "/etc/nftables.d/tempoftp.nft") == before
    host.run("nft", "-f", "-", stdin=renamed)
    assert _open(host, ftp_server_nftables_chain="inet filter entrada")[0] == 0
    _load_boot(host)
    assert len(_read_accepts(host)) == 1


def test_check_mode_tries_the_rule_and_writes_nothing(host: PrivateHost) -> None:
    _write_boot(host, RULES.format(family="inet", table="filter", chain="input"))
    _load_boot(host)
    rc, output = _open(host, "--check", "--diff")
    assert rc == 0, output
    assert not _exists(host, "/etc/nftables.d/tempoftp.nft")
    assert _read_accepts(host) == []
    assert _open(host, "--check", ftp_server_nftables_chain="inet filter entrada")[0] != 0
