"""What proxies write about a caller: the address in `X-Forwarded-For`, in every form that proxies use."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st

from tempoftp.app import create_app
from tempoftp.http.proxies import parse_forwarded
from tempoftp.settings import Settings

PROXY = {"REMOTE_ADDR": "192.0.2.9"}


@pytest.fixture
def make_app(settings: Settings) -> Iterator[Callable[..., Flask]]:
    """The application with other settings, on the same database."""
    made: list[Flask] = []

    def make(**changes: Any) -> Flask:
        made.append(create_app(Settings.model_validate(settings.model_dump() | changes)))
        return made[-1]

    yield make
    for app in made:
        app.extensions["tempoftp"].database.close()


def write_forms(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> list[str]:
    """Every form in which a proxy may write an address."""
    plain = [str(address), f"[{address}]"] if address.version == 6 else [str(address)]
    with_port = [f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"]
    forms = [*plain, *with_port]
    return [*forms, *(f'"{form}"' for form in forms), *(f" {form}\t" for form in forms)]


@given(address=st.ip_addresses(), port=st.integers(0, 65535))
def test_every_form_of_an_address_is_read(address: Any, port: int) -> None:
    assert {parse_forwarded(form) for form in write_forms(address, port)} == {str(address)}


@given(text=st.one_of(st.text(), st.text('0123456789abcdef.:[]"% ', max_size=40)))
@example("fe80::1%eth0")
@example("[10.1.2.3]")
@example("10.1.2.3:")
@example('"10.1.2.3')
@example("10.1.2.3:65536")
@example("10.1.2.3:-1")
@example("\u0661\u0660.1.2.3")
@example("010.1.2.3")
@example("unknown")
@example("_hidden")
@example("for=10.1.2.3")
def test_any_other_text_names_no_address(text: str) -> None:
    found = parse_forwarded(text)
    if found is not None:
        address = ipaddress.ip_address(found)  # what is read is an address and is written in the text
        without = text.strip(' \t"').partition("]")[0].lstrip("[")
        assert address in {
            ipaddress.ip_address(part) for part in (without, without.rpartition(":")[0]) if _is_address(part)
        }


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("junk"),
    [
        *(
            "10.1.2.3:",
            "10.1.2.3:99999",
            "[10.1.2.3]",
            "[10.1.2.3]:80",
            "10.1.2.3 10.1.2.3",
            "10.1.2.3;10.1.2.3",
        ),
        *(
            "unknown",
            "_a10.1.2.3",
            "for=10.1.2.3",
            '"10.1.2.3',
            "10.1.2.3%0",
            "0x0a010203",
            "010.001.002.003",
        ),
        *("192.0.2.9x", "fd00::5%eth0", "[fd00::5", "fd00::5]:1", "unix:", "-"),
    ],
)
def test_junk_in_the_header_gives_no_role(make_app, junk: str) -> None:
    """Neither that of the address in the junk nor that of the proxy itself."""
    app = make_app(address_roles="10.1.2.3=operador,192.0.2.9=operador,fd00::/8=operador", trusted_proxies=1)
    answer = app.test_client().get("/tmpftp", headers={"X-Forwarded-For": junk}, environ_base=PROXY)
    assert answer.status_code == 401


@pytest.mark.parametrize("hops", [1, 2])
@pytest.mark.parametrize(
    "entry",
    [
        "10.1.2.3:51234",
        '"10.1.2.3:443"',
        "[fd00::5]",
        "[fd00::5]:8080",
        '"[fd00::5]:1"',
        "fd00::5",
        "::ffff:10.1.2.3",
    ],
)
def test_a_mapped_host_is_known_in_every_form(make_app, entry: str, hops: int) -> None:
    app = make_app(address_roles="10.1.2.3=cliente,fd00::5=cliente", trusted_proxies=hops)
    header = ", ".join(["198.51.100.77:1", entry, "203.0.113.9:2"][: hops + 1])
    answer = app.test_client().get("/tmpftp", headers={"X-Forwarded-For": header}, environ_base=PROXY)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("203.0.113.7:51234", "203.0.113.8:51234"),
        ("[2001:db8:1::1]:4", "[2001:db8:2::1]:4"),
        ("_uno", "_dos"),
    ],
)
def test_strangers_do_not_share_a_bucket(make_app, first: str, second: str) -> None:
    client = make_app(trusted_proxies=1, rate_strangers="2/minute", address_roles="").test_client()

    def ask(entry: str) -> int:
        return client.get("/tmpftp", headers={"X-Forwarded-For": entry}, environ_base=PROXY).status_code

    assert [ask(first), ask(first), ask(first)] == [401, 401, 429]
    assert ask(second) == 401


def test_the_port_of_a_stranger_makes_no_new_bucket(make_app) -> None:
    client = make_app(trusted_proxies=1, rate_strangers="2/minute", address_roles="").test_client()
    codes = [
        client.get(
            "/tmpftp", headers={"X-Forwarded-For": f"203.0.113.7:{port}"}, environ_base=PROXY
        ).status_code
        for port in (1000, 2000, 3000)
    ]
    assert codes == [401, 401, 429]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        *(("X-Forwarded-Prefix", "/mal"), ("X-Script-Name", "/mal"), ("X-Forwarded-Host", "mal.example")),
        ("Forwarded", "for=10.1.2.3;host=mal.example"),
    ],
)
@pytest.mark.parametrize("hops", [0, 1])
def test_no_other_header_moves_an_address(make_app, make_token, header: str, value: str, hops: int) -> None:
    client = make_app(trusted_proxies=hops).test_client()
    answer = client.get(
        "/", headers={header: value, "Accept": "text/html", "X-Forwarded-For": "198.51.100.3"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/portal/")
