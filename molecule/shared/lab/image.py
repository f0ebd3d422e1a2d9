"""The image that all hosts of a suite share as their read-only lower layer, built once with mmdebstrap (about 30 s).

It is cached in var/lab/images under a digest of its inputs, so that another recipe or another CA bundle makes another
image, and running hosts keep theirs. The settings with which this machine reaches the network (package sources, CA
bundle, pip settings) are copied into it, so that apt and pip work inside. Downloaded packages are shared through
var/lab/cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from lab.nets import LAB_DIR
from lab.run import LabError, remove_tree, run_command

IMAGES = LAB_DIR / "images"
CACHE = LAB_DIR / "cache"
RECIPE = 1  # raise it when prepare() changes
PACKAGES = (
    *(
        "systemd",
        "systemd-sysv",
        "dbus",
        "libpam-systemd",
        "openssh-server",
        "rsync",
        "sudo",
        "iproute2",
        "procps",
    ),
    *("python3", "python3-apt", "python3-venv", "ca-certificates", "curl", "less"),
)
# Releases whose updates disappear from the mirrors one by one, while their lists still name them.
WITHOUT_SECURITY = ("bullseye",)
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
LOCAL_CAS = Path("/usr/local/share/ca-certificates")
PIP_CONF = Path("/etc/pip.conf")
# The only variables of this machine's environment that a login inside gets: how to reach package registries.
ENVIRONMENT = (
    *(
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_CERT",
        "PIP_TRUSTED_HOST",
        "PIP_DEFAULT_TIMEOUT",
        "PIP_PROXY",
    ),
    *("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "no_proxy"),
)
MASKED = (
    *(
        "console-getty.service",
        "systemd-networkd-wait-online.service",
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
    ),
    *("systemd-resolved.service", "e2scrub_all.timer", "fstrim.timer", "getty.target"),
)


def ensure_image(suite: str) -> Path:
    """Return the folder of the suite's image; build it first when there is none of the current recipe."""
    sources, settings = read_apt_sources(suite), read_apt_settings()
    digest = hashlib.sha256()
    for part in _list_ingredients(suite, sources, settings):
        digest.update(part.encode() + b"\0")
    target = IMAGES / f"{suite}-{digest.hexdigest()[:12]}"
    if target.is_dir():
        return target
    print(f"lab: building the {suite} image (once, about 30 s) …", flush=True)
    IMAGES.mkdir(parents=True, exist_ok=True)
    for left in IMAGES.glob(f".building-{suite}-*"):
        remove_tree(left)
    building = Path(tempfile.mkdtemp(prefix=f".building-{suite}-", dir=IMAGES))
    try:
        _bootstrap(suite, building, sources, settings)
        _prepare(building)
        building.rename(target)
    except BaseException:
        remove_tree(building)
        raise
    return target


def read_apt_sources(suite: str) -> str:
    """Return this machine's own Debian package sources, for `suite`; empty (mmdebstrap's default) when it has none."""
    files = {path: path.read_text(encoding="utf-8") for path in _list_source_files()}
    return select_sources(files, codename=_read_codename(), suite=suite)


def select_sources(files: Mapping[Path, str], *, codename: str, suite: str) -> str:
    """Take the entries of the release `codename` from apt source files (both formats), and change it to `suite`."""
    if not codename:
        return ""
    lines, stanzas = [], []
    for path, text in files.items():
        if path.suffix == ".sources":
            stanzas += [
                stanza.strip() for stanza in text.split("\n\n") if _is_debian_stanza(stanza, codename)
            ]
        else:
            lines += [
                line for line in text.splitlines() if line.startswith("deb ") and f" {codename}" in line
            ]
    if suite in WITHOUT_SECURITY:
        stanzas = [stanza for stanza in stanzas if "-security" not in stanza]
        lines = [line for line in lines if "-security" not in line]
    chosen = "\n\n".join(stanzas) if stanzas else "\n".join(lines)  # one file of the image holds one format
    return chosen.replace(codename, suite) + "\n" if chosen else ""


def read_apt_settings() -> str:
    """Return this machine's settings of how apt fetches (proxies, validity checks, certificates)."""
    wanted = ("Acquire::Check-", "Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::ForceIPv4")
    dump = run_command(["apt-config", "dump"]).stdout.splitlines()
    own = [line for line in dump if line.startswith(wanted) and not line.endswith('"";')]
    return "\n".join([*own, 'Acquire::Retries "3";', 'Acquire::Languages "none";']) + "\n"


def seed_packages(suite: str, archives: Path) -> None:
    """Give a new host the packages that earlier hosts downloaded, as hard links."""
    archives.mkdir(parents=True, exist_ok=True)
    for package in (CACHE / "apt" / suite).glob("*.deb"):
        _link_once(package, archives / package.name)


def keep_packages(suite: str, archives: Path) -> None:
    """Keep the packages that a host downloaded for the next one (apt renames only complete, checked files to *.deb)."""
    cache = CACHE / "apt" / suite
    cache.mkdir(parents=True, exist_ok=True)
    for package in archives.glob("*.deb"):
        _link_once(package, cache / package.name)


def destroy_images(*, in_use: set[Path]) -> list[Path]:
    """Remove every image that no host uses, and the package cache; return the images removed."""
    gone = [image for image in IMAGES.glob("*-*") if image not in in_use]
    for image in gone:
        remove_tree(image)
    remove_tree(CACHE)
    return gone


def _list_ingredients(suite: str, sources: str, settings: str) -> Iterator[str]:
    yield json.dumps([RECIPE, suite, PACKAGES, MASKED, sources, settings, _list_environment()])
    for path in (CA_BUNDLE, PIP_CONF, *sorted(LOCAL_CAS.glob("*.crt"))):
        yield path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""


def _list_environment() -> list[str]:
    return [f"{name}={os.environ[name]}" for name in ENVIRONMENT if os.environ.get(name)]


def _read_codename() -> str:
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return ""


def _list_source_files() -> list[Path]:
    folder = Path("/etc/apt/sources.list.d")
    files = [Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list")), *sorted(folder.glob("*.sources"))]
    return [path for path in files if path.is_file()]


def _is_debian_stanza(stanza: str, codename: str) -> bool:
    fields = dict(line.split(":", 1) for line in stanza.splitlines() if ":" in line and line[0].isalpha())
    suites = fields.get("Suites", "").split()
    enabled = fields.get("Enabled", "yes").strip().lower() not in ("no", "false")
    return (
        enabled and "deb" in fields.get("Types", "").split() and any(s.startswith(codename) for s in suites)
    )


def _bootstrap(suite: str, target: Path, sources: str, settings: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "apt.conf").write_text(settings, encoding="utf-8")
        Path(folder, "apt.sources").write_text(sources, encoding="utf-8")
        mmdebstrap = [
            *("mmdebstrap", "--mode=root", "--variant=minbase", "--quiet", "--skip=cleanup/apt/lists"),
            *("--dpkgopt=force-unsafe-io", f"--aptopt={folder}/apt.conf", f"--include={','.join(PACKAGES)}"),
            *(suite, str(target)),
            *([f"{folder}/apt.sources"] if sources else []),
        ]
        try:
            # in a mount namespace of its own, so that a killed build leaves no mount in a folder that is then removed
            run_command(["unshare", "--mount", "--propagation", "private", *mmdebstrap], timeout=600)
        except LabError as error:
            raise LabError(
                f"the {suite} image could not be built; check apt on this machine, then repeat. {error}"
            ) from None


def _prepare(image: Path) -> None:
    for unit in ("systemd-networkd.service", "ssh.service"):
        run_command(["systemctl", f"--root={image}", "enable", unit])
    run_command(["systemctl", f"--root={image}", "mask", *MASKED])
    for key in (image / "etc/ssh").glob("ssh_host_*"):
        key.unlink()  # each host gets its own, which known_hosts names
    (image / "etc/machine-id").write_text("", encoding="ascii")
    (image / "etc/ssh/sshd_config.d/lab.conf").write_text(
        "HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\n"
        "UseDNS no\nMaxStartups 100\nMaxSessions 100\n",
        encoding="ascii",
    )
    # The journal survives a crash, so that it shows what happened.
    (image / "var/log/journal").mkdir(exist_ok=True)
    if CA_BUNDLE.exists():
        (image / "etc/ssl/certs/ca-certificates.crt").write_bytes(CA_BUNDLE.read_bytes())
    for certificate in LOCAL_CAS.glob("*.crt"):
        (image / "usr/local/share/ca-certificates" / certificate.name).write_bytes(certificate.read_bytes())
    if PIP_CONF.exists():
        (image / "etc/pip.conf").write_bytes(PIP_CONF.read_bytes())
    (image / "etc/environment").write_text(
        "".join(line + "\n" for line in _list_environment()), encoding="utf-8"
    )


def _link_once(source: Path, target: Path) -> None:
    with contextlib.suppress(FileExistsError):
        target.hardlink_to(source)
