"""What there is: nets, hosts, their names, and the inventory that has to say the same."""

import string
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from lab.nets import NETS, SUITES, Host, find_net, parse_host
from lab.network import build_rules
from lab.run import LabError

ROOT = Path(__file__).resolve().parents[2]


def test_nets_do_not_meet() -> None:
    for key in ("tag", "number", "subnet", "bridge", "gateway"):
        values = [getattr(net, key) for net in NETS.values()]
        assert len(set(values)) == len(NETS), key
    rules = [rule for net in NETS.values() for rule in build_rules(net)]
    assert len(set(rules)) == 3 * len(NETS)


def test_interface_names_fit_the_kernels_15_characters() -> None:
    for net in NETS.values():
        assert net.bridge.startswith("tftp-") and len(net.bridge) <= 15
        for host in (*net.hosts, *net.extra_hosts, Host("sevench", 99)):
            assert len(f"vb-{net.machine(host.name)}") <= 15


def test_addresses_within_a_net_differ() -> None:
    for net in NETS.values():
        addresses = [net.ip(host) for host in (*net.hosts, *net.extra_hosts)]
        assert len(set(addresses)) == len(addresses) and net.gateway not in addresses


def test_inventory_names_the_same_nets_and_addresses() -> None:
    folder = ROOT / "inventories" / "lab"
    variables = yaml.safe_load((folder / "group_vars" / "all.yml").read_text(encoding="utf-8"))
    assert variables["lab_net_numbers"] == {net.name: net.number for net in NETS.values()}
    groups = yaml.safe_load((folder / "hosts.yml").read_text(encoding="utf-8"))["all"]["children"][
        "lab_hosts"
    ]["children"]
    listed = {
        name: entry["lab_address"] for group in groups.values() for name, entry in group["hosts"].items()
    }
    for name in ("demo", "test", "molecule", "bench", "faults", "demotest"):
        assert listed == {host.name: host.address for host in NETS[name].hosts}


def test_net_comes_from_the_argument_then_the_environment_then_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEMPOFTP_LAB_NET", raising=False)
    assert find_net(None).name == "demo"
    monkeypatch.setenv("TEMPOFTP_LAB_NET", "test")
    assert find_net(None).name == "test"
    assert find_net("molecule").name == "molecule"


def test_unknown_net_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LabError, match=r"no lab net 'nowhere'.*demo, test, molecule"):
        find_net("nowhere")


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)


@given(NAMES, st.integers(2, 254), st.sampled_from(SUITES), st.sampled_from([0, 8, 64, 65536]))
def test_host_definition_is_read_back(name: str, address: int, suite: str, data_mb: int) -> None:
    text = f"{name}={address},suite={suite},data_mb={data_mb}"
    assert parse_host(NETS["demo"], text) == Host(name, address, suite=suite, data_mb=data_mb)


@given(st.text(string.printable, max_size=30))
def test_any_other_text_is_refused_or_a_valid_host(text: str) -> None:
    try:
        host = parse_host(NETS["demo"], text)
    except LabError:
        return
    assert 2 <= host.address <= 254 and len(host.name) <= 7 and host.suite in SUITES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp9", "knows no host 'ftp9'; it knows ftp1, source1"),
        ("ftp9=1", "last octet"),
        ("ftp9=x", "write NAME=OCTET"),
        ("ftp9=9,disk=3", "is not suite or data_mb"),
        ("ftp9=9,suite=sarge", "not one of bullseye, bookworm, trixie"),
        ("ftp9=9,data_mb=1", "8 to 65536"),
        ("toolongname=9", "1 to 7 characters"),
        ("../x=9", "1 to 7 characters"),
    ],
)
def test_bad_host_is_refused_and_says_why(text: str, said: str) -> None:
    with pytest.raises(LabError, match=said.replace("(", r"\(")):
        parse_host(NETS["demo"], text)
