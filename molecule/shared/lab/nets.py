"""The nets (each is an isolated lab), their hosts, and the folders of their state.

Nothing here reads or changes the machine. A net has its own subnet 10.117.<number>.0/24, so that a developer's lab, a
test run and Molecule may be up at the same time.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.run import LabError

REPOSITORY = Path(__file__).resolve().parents[3]
LAB_DIR = REPOSITORY / "var" / "lab"
SUITES = ("bullseye", "bookworm", "trixie")
DEFAULT_NET = "demo"
# An interface name has 15 characters, "vb-" + tag (4) + "-" leaves 7.
HOST_NAME = re.compile(r"[a-z][a-z0-9]{0,6}")


@dataclass(frozen=True)
class Host:
    """One host: `address` is the last octet; with `data_mb` > 0, /data is an ext4 of its own with this size in MiB.

    With `in_memory` it is a tmpfs instead, which is empty after a stop of the host.
    """

    name: str
    address: int
    suite: str = "bookworm"
    data_mb: int = 0
    in_memory: bool = False

    def __post_init__(self) -> None:
        if not HOST_NAME.fullmatch(self.name):
            raise LabError(f"host name {self.name!r}: use 1 to 7 characters a-z 0-9, starting with a letter")
        if not 2 <= self.address <= 254:
            raise LabError(f"host {self.name}: the address is the last octet, 2 to 254, not {self.address}")
        if self.suite not in SUITES:
            raise LabError(f"host {self.name}: suite {self.suite!r} is not one of {', '.join(SUITES)}")
        if self.data_mb != 0 and not 8 <= self.data_mb <= 65536:
            raise LabError(f"host {self.name}: data_mb must be 0 (no own disk) or 8 to 65536 MiB")

    def to_dict(self) -> dict[str, Any]:
        """Return the arguments of `Host(**…)`, for the state file."""
        return asdict(self)


FTP1 = Host("ftp1", 11)
# with a disk of its own that is small enough for tests of shares that do not fit
FTP1_OWN_DISK = Host("ftp1", 11, data_mb=3072)
# for measurements, so that the disk of this machine does not influence them
FTP1_IN_MEMORY = Host("ftp1", 11, data_mb=4096, in_memory=True)
# for tests that fill the disk or use up the inodes; 100,000 files and a big share just fit
FTP1_SMALL_DISK = Host("ftp1", 11, data_mb=2048)
SOURCE1 = Host("source1", 21)
# rsync, Python, MariaDB, OpenSSH, systemd and pure-ftpd of the generation of Rocky Linux 9
FTP1_DEBIAN_11 = Host("ftp1", 11, suite="bullseye", data_mb=3072)
SOURCE1_DEBIAN_11 = Host("source1", 21, suite="bullseye")
SEED12 = Host("seed12", 31)
SEED13 = Host("seed13", 32, suite="trixie")
# hosts that were in use before tempoftp comes
OLD12 = Host("old12", 33)
QUOTA12 = Host("quota12", 34)
# three hosts with a firewall each, and one on which another user has the UID 2001
FWD12 = Host("fwd12", 35)
UFW12 = Host("ufw12", 36)
NFT12 = Host("nft12", 37)
UID12 = Host("uid12", 38)


@dataclass(frozen=True)
class Net:
    """One isolated lab. `tag` (≤4 characters, unique) names its interfaces; `hosts` are started when none is named."""

    name: str
    tag: str
    number: int
    hosts: tuple[Host, ...] = (FTP1, SOURCE1)
    extra_hosts: tuple[Host, ...] = ()

    @property
    def subnet(self) -> str:
        return f"10.117.{self.number}.0/24"

    @property
    def gateway(self) -> str:
        return f"10.117.{self.number}.1"

    @property
    def bridge(self) -> str:
        return f"tftp-{self.name}"[:15]

    @property
    def folder(self) -> Path:
        return LAB_DIR / self.name

    @property
    def control_folder(self) -> Path:
        """The folder of ssh's shared connections: a short path (sockets have 108 characters), empty after a reboot."""
        return Path("/run/tempoftp-lab") / self.name

    def ip(self, host: Host) -> str:
        return f"10.117.{self.number}.{host.address}"

    def machine(self, host_name: str) -> str:
        """Return nspawn's machine name; `vb-<name>` is the host's interface on this machine."""
        return f"{self.tag}-{host_name}"

    def find(self, name: str) -> Host:
        for host in (*self.hosts, *self.extra_hosts):
            if host.name == name:
                return host
        known = ", ".join(host.name for host in (*self.hosts, *self.extra_hosts))
        raise LabError(
            f"net {self.name} knows no host {name!r}; it knows {known}, or give NAME=OCTET[,data_mb=N]"
        )


NETS = {
    net.name: net
    for net in (
        Net("demo", "demo", 1),
        Net("test", "test", 2, hosts=(FTP1_OWN_DISK, SOURCE1)),
        Net("molecule", "mole", 3, extra_hosts=(SEED12, SEED13, OLD12, QUOTA12, FWD12, UFW12, NFT12, UID12)),
        Net("bench", "benc", 4, hosts=(FTP1_IN_MEMORY, SOURCE1)),
        Net("faults", "falt", 5, hosts=(FTP1_SMALL_DISK, SOURCE1)),
        Net("demotest", "dtst", 6),
        Net("deb11", "de11", 7, hosts=(FTP1_DEBIAN_11, SOURCE1_DEBIAN_11)),
        Net("labtest", "labt", 9, hosts=(FTP1,)),
    )
}


def find_net(name: str | None) -> Net:
    """Return the net of that name, or of TEMPOFTP_LAB_NET, or the default net."""
    wanted = name or os.environ.get("TEMPOFTP_LAB_NET") or DEFAULT_NET
    if wanted not in NETS:
        raise LabError(f"there is no lab net {wanted!r}; choose one of {', '.join(NETS)}")
    return NETS[wanted]


def parse_host(net: Net, text: str) -> Host:
    """Read `NAME` (a known host) or `NAME=OCTET[,suite=S][,data_mb=N]` (any host)."""
    name, equals, rest = text.partition("=")
    if not equals:
        return net.find(name)
    octet, *options = rest.split(",")
    values: dict[str, Any] = {"name": name}
    try:
        values["address"] = int(octet)
        for option in options:
            key, _, value = option.partition("=")
            if key not in ("suite", "data_mb"):
                raise LabError(f"host {text!r}: option {key!r} is not suite or data_mb")
            values[key] = int(value) if key == "data_mb" else value
    except ValueError:
        raise LabError(f"host {text!r}: write NAME=OCTET[,suite=SUITE][,data_mb=MIB]") from None
    return Host(**values)
