"""`make try`, or `python3 try.py` where there is no make: tempoftp on this machine, with simulated FTP hosts.

Makes `.venv-try` with the service's locked dependencies (once; needs a Python package index) and runs `tempoftp try` in
it. Needs Python 3.11 or newer and no rights but to write here. Options are those of `tempoftp try`.

This file uses nothing but the standard library, and no syntax that Python 3.6 would not understand: it has to say
that it is too old.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
PROJECT = Path(__file__).resolve().parent
VENV = PROJECT / ".venv-try"
FOLDER = PROJECT / "var" / "try"
LOCK = PROJECT / "requirements.lock"
DEV_LOCK = PROJECT / "requirements-dev.lock"
NO_PIP = """\
This Python ({python}) has neither ensurepip nor pip, so nothing can be installed with it. One of these helps:
  as root on Debian or Ubuntu:  apt install python3-venv
  as root on Fedora or Rocky:   dnf install python3-pip
  without root:                 another Python 3.11 or newer, for example of uv or pyenv; then make try PYTHON=…"""


class TryError(Exception):
    """Something is missing; the message says what, and what to do."""


def check_version(version=sys.version_info):
    """Raise TryError for a Python that is too old."""
    if tuple(version[:2]) < OLDEST:
        raise TryError(
            f"tempoftp needs Python {OLDEST[0]}.{OLDEST[1]} or newer, "
            f"and {sys.executable} is {version[0]}.{version[1]}. "
            "With another one: make try PYTHON=python3.12, or python3.12 try.py"
        )


def check_folder(folder=PROJECT):
    """Raise TryError when nothing can be written into the checkout."""
    if not os.access(str(folder), os.W_OK | os.X_OK):
        raise TryError(
            f"{folder} cannot be written by this user: clone the repository into a folder of your own"
        )


def compute_stamp():
    """Return a text that changes when `.venv-try` has to be made anew."""
    files = (LOCK, PROJECT / "pyproject.toml", Path(__file__))
    content = b"".join(path.read_bytes() for path in files)
    return f"{sys.version} {PROJECT} {hashlib.sha256(content).hexdigest()}"


def find_pip(has_module=importlib.util.find_spec):
    """Return whether the venv gets its own pip, or else the beginning of the command that installs into it."""
    if has_module("ensurepip") is not None:
        return True, [str(VENV / "bin" / "python"), "-m", "pip"]
    if has_module("pip") is not None:
        return False, [sys.executable, "-m", "pip", "--python", str(VENV / "bin" / "python")]
    raise TryError(NO_PIP.format(python=sys.executable))


def make_venv():
    """Make `.venv-try` unless a whole one is there. Raises TryError."""
    stamp = VENV / ".complete"
    wanted = compute_stamp()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    with_pip, pip = find_pip()
    begun = time.monotonic()
    print(f"Installing into .venv-try what {LOCK.name} names. This is done once.", flush=True)
    shutil.rmtree(str(VENV), ignore_errors=True)
    extra = [] if with_pip else ["--without-pip"]
    run([sys.executable, "-m", "venv", *extra, str(VENV)])
    builder = VENV / "build.lock"
    builder.write_text(re.findall(r"(?ms)^setuptools==.*?(?=^\S)", DEV_LOCK.read_text() + ".")[0])
    # Compiling all of ansible-core would take as long as the rest; what is imported is compiled then.
    install = [*pip, "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    run([*install, "--require-hashes", "--requirement", str(LOCK), "--requirement", str(builder)])
    run([*install, "--no-deps", "--no-build-isolation", "--editable", str(PROJECT)])
    stamp.write_text(wanted)
    print(f"Installed in {time.monotonic() - begun:.0f} seconds.\n", flush=True)


def run(argv):
    """Run a command. Raises TryError when it fails."""
    done = subprocess.run(argv, cwd=str(PROJECT), check=False)
    if done.returncode:
        raise TryError(
            f"This failed, and says above why: {' '.join(argv)}\n"
            "If it could not reach a Python package index: pip takes another one from "
            "PIP_INDEX_URL, and a proxy from HTTPS_PROXY."
        )


def prepare():
    """Make `.venv-try`, or say what is missing and end."""
    try:
        check_version()
        check_folder()
        make_venv()
    except TryError as error:
        print(f"\ntry.py: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    prepare()
    os.chdir(str(PROJECT))
    command = str(VENV / "bin" / "tempoftp")
    # Not as a child: Ctrl-C and signals then reach `tempoftp try` itself.
    os.execv(command, [command, "try", "--folder", str(FOLDER), *sys.argv[1:]])
