"""Real hosts on one machine: systemd-nspawn containers with their own addresses, for the demo, the tests and Molecule.

Run it as `python3 molecule/shared lab --help`. It uses only the standard library, because it runs before any venv
exists. From outside in: `cli` → `lifecycle` (up, down, status of one net) → `host` (one host) → `launch` (the program
that runs beside a host), with `image`, `network`, `cgroups` and `keys` below, and `nets` with the names of all hosts.
"""
