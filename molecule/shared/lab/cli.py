"""The command line of the lab: `python3 molecule/shared lab [--net NET] COMMAND …`. It parses and calls."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence

from lab import keys, launch, lifecycle, network
from lab.host import LabHost
from lab.nets import NETS, Net, find_net, parse_host
from lab.run import LabError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status (1: the lab refused or failed, with a message on stderr)."""
    options = build_parser().parse_args(argv)
    try:
        if os.geteuid() != 0:
            raise LabError("the lab makes bridges, mounts and control groups; run it as root")
        if options.command == "_launch":
            return launch.launch(options.launch_net, options.host)
        return int(options.call(options, find_net(getattr(options, "net", None))) or 0)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; `--net` may stand before or after the command."""
    net = argparse.ArgumentParser(add_help=False)
    net.add_argument(
        "--net", default=argparse.SUPPRESS, choices=NETS, help="which lab (else $TEMPOFTP_LAB_NET, else demo)"
    )
    parser = argparse.ArgumentParser(
        prog="lab", description="Real systemd hosts on this machine.", parents=[net]
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, call: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, parents=[net])
        command.set_defaults(call=call)
        return command

    up = add("up", up_command, "bring hosts up; idempotent")
    up.add_argument(
        "host", nargs="*", help="NAME, or NAME=OCTET[,suite=trixie][,data_mb=64] (default: the net's own)"
    )
    add("down", down_command, "take the net down; leaves nothing but images")
    status = add("status", status_command, "list hosts (of all nets when --net is not given)")
    status.add_argument("--json", action="store_true", help="for programs")
    ssh = add("ssh", ssh_command, "root shell on a host, or one command line for its shell")
    ssh.add_argument("host")
    ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD")
    inside = add("exec", exec_command, "run argv on a host without the network (works when its link is down)")
    inside.add_argument("host")
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="-- ARGV")
    for name, text in (
        ("start", "start a stopped or crashed host"),
        ("stop", "shut a host down cleanly"),
        ("crash", "kill every process of a host at once"),
        ("link-down", "pull a host's network cable"),
        ("link-up", "plug it in again"),
        ("freeze", "hang a host: no process of it runs"),
        ("thaw", "let it go on"),
    ):
        add(name, fault_command, text).add_argument("host")
    add(
        "destroy-images",
        destroy_images_command,
        "remove cached images that no host uses, and cached packages",
    )
    hidden = commands.add_parser("_launch")
    hidden.add_argument("launch_net")
    hidden.add_argument("host")
    return parser


def up_command(options: argparse.Namespace, net: Net) -> None:
    hosts = [parse_host(net, text) for text in options.host] or list(net.hosts)
    lifecycle.bring_up(net, hosts)
    print(f"lab: {net.name} is up: " + ", ".join(f"{host.name} {net.ip(host)}" for host in hosts))


def down_command(_options: argparse.Namespace, net: Net) -> None:
    lifecycle.take_down(net)
    print(f"lab: {net.name} is down")


def status_command(options: argparse.Namespace, net: Net) -> None:
    nets = [net] if hasattr(options, "net") or os.environ.get("TEMPOFTP_LAB_NET") else list(NETS.values())
    rows = [dataclasses.asdict(row) for each in nets for row in lifecycle.read_status(each)]
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    if not rows:
        print("lab: no host is there; `make lab-up` brings the demo's up")
        return
    table = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(len(str(line[column])) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def ssh_command(options: argparse.Namespace, net: Net) -> int:
    host, _ = LabHost(net, options.host).read_definition()
    argv = keys.build_ssh_argv(net, host)
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words and sys.stdin.isatty():
        argv.insert(1, "-t")
    return subprocess.run([*argv, *words], check=False).returncode


def exec_command(options: argparse.Namespace, net: Net) -> int:
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise LabError("exec needs the words of a command: lab exec HOST -- ls /data")
    leader = LabHost(net, options.host).find_leader()
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    enter = ["nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--wdns=/"]
    return subprocess.run(
        [*enter, "env", "-i", path, "HOME=/root", "LANG=C.UTF-8", *words], check=False
    ).returncode


def fault_command(options: argparse.Namespace, net: Net) -> None:
    machine = LabHost(net, options.host)
    machine.read_definition()  # raises LabError for a host that does not exist
    if options.command == "start":
        lifecycle.start_host(machine)
    elif options.command in ("stop", "crash"):
        if options.command == "crash" or machine.is_running():
            (machine.stop if options.command == "stop" else machine.crash)()
    else:
        machine.find_leader()  # raises LabError for a host that does not run
        if options.command.startswith("link-"):
            network.set_link(machine.interface, up=options.command == "link-up")
        else:
            machine.group.freeze(frozen=options.command == "freeze")
    print(f"lab: {options.command} {shlex.quote(machine.name)}: done, it is {machine.state()}")


def destroy_images_command(_options: argparse.Namespace, _net: Net) -> None:
    gone = lifecycle.destroy_images()
    print(f"lab: removed {len(gone)} image(s) and the package cache")
