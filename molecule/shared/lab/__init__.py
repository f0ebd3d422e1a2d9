"""Real hosts on one machine: systemd-nspawn containers with their own addresses, for the demo, the tests and Molecule.

Run it as `python3 molecule/shared lab --help`. Standard library only, so that it runs before any venv exists.
From outside in: `cli` → `lifecycle` (up, down, status of one net) → `host` (one host) → `launch` (what runs beside
the host as long as it lives), with `image`, `network`, `cgroups` and `keys` below and `nets` naming what there is.
"""
