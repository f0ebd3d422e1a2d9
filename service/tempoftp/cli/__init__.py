"""The `tempoftp` command: one file for each group of commands, imported only when one of its commands runs.

Client commands: `request`, `shares`, `share_changes`, `recipients`, `operators` and `local`. They call the API over
HTTP, start fast, and need no Ansible, Flask or database. Only `request` imports more of the service: the declared
fields of a share. Commands on the service's host: `server`, `database`, `accounts` and `tokens`. `try_it` and `trial`
are `tempoftp try`.
"""
