"""The bridge of a net, its way out (masquerade), and the rules for both. Set-up and removal can be repeated."""

from __future__ import annotations

import json
from pathlib import Path

from lab.nets import NETS, REPOSITORY, Net
from lab.run import LabError, run_command

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
# This file says that the lab switched forwarding on, so that the last net switches it off again.
FORWARDING_OURS = Path("/run/tempoftp-lab/ip_forward_was_off")


def bring_up(net: Net) -> None:
    """Create the bridge, its address, forwarding and rules, where they are missing."""
    check_owner(net)
    if not bridge_exists(net):
        run_command(["ip", "link", "add", net.bridge, "type", "bridge"])
    owner = f"tempoftp-lab {REPOSITORY}"[:255]
    run_command(["ip", "link", "set", net.bridge, "alias", owner, "up"])
    run_command(["ip", "address", "replace", f"{net.gateway}/24", "dev", net.bridge])
    if FORWARDING.read_text(encoding="ascii").strip() != "1":
        FORWARDING_OURS.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        FORWARDING_OURS.touch()
        FORWARDING.write_text("1", encoding="ascii")
    for table, chain, *rule in build_rules(net):
        if (
            run_command(["iptables", "-w", "10", "-t", table, "-C", chain, *rule], check=False).returncode
            != 0
        ):
            run_command(["iptables", "-w", "10", "-t", table, "-I", chain, *rule])


def take_down(net: Net) -> None:
    """Remove every rule (also doubled ones), the bridge, and forwarding if the lab set it and no other net needs it."""
    for table, chain, *rule in build_rules(net):
        for _ in range(100):
            if (
                run_command(["iptables", "-w", "10", "-t", table, "-D", chain, *rule], check=False).returncode
                != 0
            ):
                break
    if bridge_exists(net):
        run_command(["ip", "link", "delete", net.bridge])
    if FORWARDING_OURS.exists() and not any(bridge_exists(other) for other in NETS.values()):
        FORWARDING.write_text("0", encoding="ascii")
        FORWARDING_OURS.unlink()


def build_rules(net: Net) -> list[tuple[str, ...]]:
    """Return the iptables rules of a net as (table, chain, rule…)."""
    return [
        ("nat", "POSTROUTING", "-s", net.subnet, "!", "-d", net.subnet, "-j", "MASQUERADE"),
        ("filter", "FORWARD", "-i", net.bridge, "-j", "ACCEPT"),
        ("filter", "FORWARD", "-o", net.bridge, "-j", "ACCEPT"),
    ]


def bridge_exists(net: Net) -> bool:
    return Path("/sys/class/net", net.bridge).exists()


def check_owner(net: Net) -> None:
    """Raise LabError if another checkout of this repository uses the net (unless that checkout is gone)."""
    alias = Path("/sys/class/net", net.bridge, "ifalias")
    owner = alias.read_text(encoding="utf-8").strip().removeprefix("tempoftp-lab ") if alias.exists() else ""
    if owner and owner != str(REPOSITORY) and Path(owner, "molecule/shared/lab").is_dir():
        raise LabError(
            f"net {net.name} on this machine is up from another checkout, {owner}; run "
            f"`make lab-down` (or `python3 molecule/shared lab --net {net.name} down`) there first"
        )


def set_link(interface: str, *, up: bool) -> None:
    """Plug (up) or pull (down) the cable of a host; `interface` is its end on this machine."""
    run_command(["ip", "link", "set", interface, "up" if up else "down"])


def delete_link(interface: str) -> None:
    """Remove an interface that a dead host left behind, if there is one."""
    run_command(["ip", "link", "delete", interface], check=False)


def link_state(interface: str) -> str:
    """Return `up`, `down` or `none`."""
    if not Path("/sys/class/net", interface).exists():
        return "none"
    shown = json.loads(run_command(["ip", "-json", "link", "show", interface]).stdout)
    return "up" if "UP" in shown[0]["flags"] else "down"
