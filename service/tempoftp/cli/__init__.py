"""The `tempoftp` command: one file for each group of commands, imported only when one of its commands runs.

Client commands: `shares`, `share_changes`, `recipients`, `operators` and `local`. They call the API over HTTP and
import nothing of the service, so they start fast and work where Ansible, Flask and the database are missing.
Commands on the service's host: `server`, `database`, `accounts` and `tokens`. `try_it` and `trial` are `tempoftp try`.
"""
