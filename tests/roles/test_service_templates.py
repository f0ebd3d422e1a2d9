"""The service can read every file that the role service writes."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from tempoftp.settings import Settings, SettingsError, load_settings, variable_of
from tempoftp.shares.sources import SourcesFile
from tempoftp.worker.playbook import AUDIT_PLAYBOOK, PLAYBOOK, PREVIEW_PLAYBOOK
from tests.roles.rendering import FAMILIES, PLAYBOOKS, ROLES, evaluate, read_variables, render

HOSTVARS = {"ftp1": {"tempoftp_root": "/data2"}, "ftp2": {"ansible_host": "192.0.2.12"}}
KEYS = {name: Fernet.generate_key().decode() for name in ("TEMPOFTP_ENCRYPTION_KEY", "TEMPOFTP_SECRET_KEY")}
ORIGIN = {"service_origin": "test"}


def _render_env(*, options: dict[str, Any] | None = None, **values: str) -> dict[str, str]:
    environment = evaluate("service", "Debian", "service_environment", **(options or {}))
    text = render("service", "tempoftp.env.j2", "Debian", service_values={**environment, **values}, **ORIGIN)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_env_file_is_accepted_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _render_env(**KEYS).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.ftp_hosts == ("ftp1",)
    assert settings.inventory == Path("/etc/tempoftp/inventory.yml")
    assert settings.sources_file == Path("/etc/tempoftp/sources.yml")


def _load(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Settings:
    for name, value in _render_env(options=options, **KEYS).items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_the_api_listens_on_loopback_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch)
    assert settings.is_loopback_only
    assert (settings.tls_certificate, settings.address_roles, settings.trusted_proxies) == (None, (), 0)


def test_the_api_may_listen_for_others_with_a_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(
        monkeypatch,
        service_bind="0.0.0.0",
        service_certificate="/etc/ssl/api.pem",
        service_certificate_key="/etc/ssl/private/api.key",
        service_address_roles={"10.1.2.3": "cliente", "192.168.0.0/16": "operador"},
    )
    # These are copies that the API's user may read.
    assert (settings.tls_certificate, settings.tls_key) == (
        Path("/etc/tempoftp/api.pem"),
        Path("/etc/tempoftp/api.key"),
    )
    assert [(str(network), role) for network, role in settings.address_roles] == [
        ("10.1.2.3/32", "cliente"),
        ("192.168.0.0/16", "operador"),
    ]


def test_without_a_certificate_the_api_listens_for_others_only_behind_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _load(monkeypatch, service_bind="192.0.2.5", service_trusted_proxies=1).trusted_proxies == 1
    with pytest.raises(SettingsError, match="TEMPOFTP_BIND"):
        _load(monkeypatch, service_bind="192.0.2.5")


def test_settings_with_their_own_names_are_passed_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "TEMPOFTP_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "TEMPOFTP_SECRET_KEY": Fernet.generate_key().decode(),
        "TEMPOFTP_PUBLIC_URL": "https://datos.example.org",
        "TEMPOFTP_OIDC_ISSUER": "https://login.example.org/realms/datos",
        "TEMPOFTP_OIDC_CLIENT_ID": "tempoftp",
        "TEMPOFTP_OIDC_CLIENT_SECRET": "no-es-un-secreto-de-verdad",
        "TEMPOFTP_OIDC_ROLES": "cn=operación,dc=datos=operador,usuarios=cliente",
    }
    for name, value in _render_env(**values).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.oidc_client_secret is not None
    assert settings.oidc_client_secret.get_secret_value() == values["TEMPOFTP_OIDC_CLIENT_SECRET"]
    assert [tuple(rule) for rule in settings.oidc_roles] == [
        ("cn=operación,dc=datos", "operador"),
        ("usuarios", "cliente"),
    ]


def test_env_file_names_every_setting() -> None:
    text = render("service", "tempoftp.env.j2", "Debian", service_values={}, **ORIGIN)
    named = [line[1:].split("=")[0] for line in text.splitlines() if line[:1] == "#" and line[1:2].isupper()]
    named = [name for name in named if name.isupper() or "_" in name]
    assert [name for name in named if name in {variable_of(field) for field in Settings.model_fields}] == [
        variable_of(field) for field in Settings.model_fields
    ]


def test_sources_file_is_accepted_by_the_service() -> None:
    content = yaml.safe_load(render("service", "sources.yml.j2", "Debian"))
    source = SourcesFile.model_validate(content).sources["source1"]
    assert source.aliases == ["datos.example.org"]
    assert source.roots[0].ssh_key_file == "/etc/tempoftp/ssh/source1-datos"
    assert [root.restricted for root in source.roots] == [True, False]
    assert (source.method, source.reuse, source.checksums) == (None, None, True)
    local = SourcesFile.model_validate(content).sources["aqui"]
    assert (local.local, local.method, local.reuse, local.checksums) == (True, "bind", False, None)
    assert local.roots[0].ssh_key_file is None


def test_sources_file_may_be_empty() -> None:
    content = yaml.safe_load(render("service", "sources.yml.j2", "Debian", tempoftp_sources=[]))
    assert SourcesFile.model_validate(content).sources == {}


def test_inventory_uses_a_local_connection_only_where_it_is_told_to() -> None:
    text = render(
        "service",
        "inventory.yml.j2",
        "Debian",
        hostvars=HOSTVARS,
        service_ftp_hosts=["ftp1", "ftp2"],
        service_local_ftp_hosts=["ftp1"],
    )
    group = yaml.safe_load(text)["ftp_hosts"]
    assert group["vars"]["ansible_become"] is True
    assert group["hosts"]["ftp1"] == {"ansible_connection": "local", "tempoftp_root": "/data2"}
    other = group["hosts"]["ftp2"]
    assert other["ansible_host"] == "192.0.2.12"
    assert other["ansible_user"] == "tempoftp-run"
    assert "StrictHostKeyChecking=yes" in other["ansible_ssh_common_args"]


def _find_variables(playbook: str) -> set[str]:
    """Return the inventory variables in the expressions of a playbook."""
    text = (PLAYBOOKS / playbook).read_text(encoding="utf-8")
    return {
        name for part in re.findall(r"{{(.*?)}}", text, re.S) for name in re.findall(r"\btempoftp_\w+", part)
    }


def test_inventory_has_every_variable_that_a_playbook_of_the_worker_reads() -> None:
    playbooks = [name.rpartition(".")[2] + ".yml" for name in (PLAYBOOK, AUDIT_PLAYBOOK, PREVIEW_PLAYBOOK)]
    read = set().union(*map(_find_variables, playbooks))
    assert {"tempoftp_columns", "tempoftp_extra_columns", "tempoftp_transfer_log"} <= read
    names = read_variables("service", "Debian")["service_host_variables"]
    assert sorted(names) == sorted(read), "vars/main/main.yml and the playbooks differ"
    values = {name: {"login": [name, 7, True]} for name in read}
    text = render(
        "service",
        "inventory.yml.j2",
        "Debian",
        hostvars={"ftp1": {**values, "service_bind": "x"}},
        service_ftp_hosts=["ftp1"],
        service_local_ftp_hosts=["ftp1"],
    )
    assert yaml.safe_load(text)["ftp_hosts"]["hosts"]["ftp1"] == {"ansible_connection": "local", **values}


@pytest.mark.parametrize(
    ("variables", "local"),
    [
        ({}, []),
        ({"ansible_connection": "ssh"}, []),
        ({"ansible_connection": "local"}, ["ftp1"]),
        ({"ansible_connection": "local", "service_ftp_hosts": ["ftp2"]}, []),
        ({"service_local_ftp_hosts": ["ftp1"]}, ["ftp1"]),
    ],
)
def test_the_worker_needs_sudo_here_only_where_this_host_is_configured_without_ssh(
    variables: dict[str, Any], local: list[str]
) -> None:
    assert evaluate("service", "Debian", "service_local_ftp_hosts", **variables) == local


def test_the_worker_logs_in_on_its_own_machine_over_loopback() -> None:
    """The address by which the control host reaches the machine may lead elsewhere from the machine itself."""
    variables = {"ansible_port": 2222}
    text = render(
        "service",
        "inventory.yml.j2",
        "Debian",
        hostvars={
            "ftp1": {"ansible_host": "192.0.2.11", **variables},
            "ftp2": {"ansible_host": "192.0.2.12"},
        },
        service_ftp_hosts=["ftp1", "ftp2"],
        **variables,
    )
    hosts = yaml.safe_load(text)["ftp_hosts"]["hosts"]
    assert (hosts["ftp1"]["ansible_host"], hosts["ftp1"]["ansible_port"]) == ("127.0.0.1", 2222)
    assert hosts["ftp2"]["ansible_host"] == "192.0.2.12"
    for name, host in hosts.items():
        assert host["ansible_user"] == "tempoftp-run"
        assert f"HostKeyAlias={name} " in host["ansible_ssh_common_args"]


@pytest.mark.parametrize(
    ("host", "variables", "options"),
    [
        ("ftp2", {}, "restrict"),
        ("ftp1", {}, 'restrict,from="127.0.0.1,::1"'),
        ("ftp1", {"service_own_address": "10.0.0.5"}, 'restrict,from="10.0.0.5,127.0.0.1,::1"'),
    ],
)
def test_the_key_for_the_worker_s_own_machine_is_valid_there_only(
    host: str, variables: dict[str, Any], options: str
) -> None:
    assert evaluate("service", "Debian", "service_key_options", service_ftp_host=host, **variables) == options


def test_the_order_of_the_ftp_hosts_is_that_of_the_inventory() -> None:
    """A set has no order: `site.yml` would change files at random."""
    hosts = [f"ftp{number}" for number in (7, 1, 12, 3, 9, 2)]
    remote = evaluate(
        "service",
        "Debian",
        "service_remote_ftp_hosts",
        service_ftp_hosts=hosts,
        service_local_ftp_hosts=["ftp12"],
    )
    assert remote == ["ftp7", "ftp1", "ftp3", "ftp9", "ftp2"]


def _read_unit(name: str, **variables: Any) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(render("service", name, "Debian", **ORIGIN, **variables))
    return parser


def test_units_start_the_installed_commands_as_two_users() -> None:
    api, worker = _read_unit("tempoftp.service.j2"), _read_unit("tempoftp-worker.service.j2")
    assert api["Service"]["ExecStart"] == "/opt/tempoftp/venv/bin/tempoftp serve"
    assert worker["Service"]["ExecStart"] == "/opt/tempoftp/venv/bin/tempoftp worker"
    assert api["Service"]["User"] == "tempoftp-api"
    assert worker["Service"]["User"] == "tempoftp"
    assert "tempoftp-worker.service" in api["Unit"]["Wants"]


def test_only_a_worker_that_works_without_ssh_can_become_root() -> None:
    here = _read_unit("tempoftp-worker.service.j2", service_local_ftp_hosts=["ftp1"])
    elsewhere = _read_unit("tempoftp-worker.service.j2")
    assert "NoNewPrivileges" not in here["Service"]
    assert elsewhere["Service"]["NoNewPrivileges"] == "yes"
    assert _read_unit("tempoftp.service.j2")["Service"]["NoNewPrivileges"] == "yes"


@pytest.mark.parametrize("local_hosts", [["ftp1"], []])
def test_the_api_may_write_to_the_worker_socket(local_hosts: list[str]) -> None:
    """The socket is in the state folder, with mode 0660 and the group that both users have."""
    worker = _read_unit("tempoftp-worker.service.j2", service_local_ftp_hosts=local_hosts)["Service"]
    api = _read_unit("tempoftp.service.j2")["Service"]
    assert api["Group"] == worker["Group"]
    assert "AF_UNIX" in api["RestrictAddressFamilies"]
    assert "AF_UNIX" in worker.get("RestrictAddressFamilies", "AF_UNIX")
    state = read_variables("service", "Debian")["service_state_dir"]
    assert state in api["ReadWritePaths"].split()
    assert "ReadWritePaths" not in worker or state in worker["ReadWritePaths"].split()


@pytest.mark.parametrize("family", FAMILIES)
def test_units_read_the_env_files_of_both_families(family: str) -> None:
    path = read_variables("service", family)["service_env_file"]
    for unit in ("tempoftp.service.j2", "tempoftp-worker.service.j2"):
        assert f"EnvironmentFile=-{path}\n" in render("service", unit, family, **ORIGIN)


def test_a_wrong_file_never_replaces_the_one_that_works() -> None:
    """Settings and sources are checked before they are written; the settings last, since their check reads the rest."""
    tasks = yaml.safe_load((ROLES / "service" / "tasks" / "configure.yml").read_text())
    names = [task["name"] for task in tasks]
    checks = {
        task["ansible.builtin.template"]["src"]: task["ansible.builtin.template"].get("validate", "")
        for task in tasks
        if "ansible.builtin.template" in task
    }
    assert checks["tempoftp.env.j2"].endswith("/venv/bin/tempoftp settings check %s")
    assert checks["sources.yml.j2"].endswith("/venv/bin/tempoftp settings check --sources %s")
    settings, sources, certificate = (
        names.index(name)
        for name in (
            "Write the settings",
            "Write the sources that may be requested",
            "Give the API its certificate",
        )
    )
    assert certificate < sources < settings
