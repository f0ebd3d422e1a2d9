"""`python3 molecule/shared control start|stop|status [--net demo]`."""

from __future__ import annotations

import argparse
import sys

from control import Control, ControlError
from control.control import PROGRAMS, PROJECT


def main() -> int:
    parser = argparse.ArgumentParser(prog="control", description=__doc__)
    parser.add_argument("action", choices=("start", "stop", "status"))
    parser.add_argument("--net", help="the lab net beside which it runs (start: demo; stop: all of them)")
    parser.add_argument("--port", type=int, default=9043)
    options = parser.parse_args()
    if options.action == "stop" and options.net is None:
        homes = sorted((PROJECT / "var" / "control").glob("*/"))
        return sum(0 for home in homes if Control(home.name).stop())
    control = Control(options.net or "demo", port=options.port)
    try:
        if options.action == "start":
            control.start()
        elif options.action == "stop":
            control.stop()
    except ControlError as error:
        print(error, file=sys.stderr)
        return 1
    for program in PROGRAMS:
        print(f"{program:8} {control.pid(program) or 'not running'}")
    return 0
