"""The `tempoftp` command: one file a subcommand, imported only when that subcommand runs.

The client commands (request, status, list, delete, decrypt) speak to the API over HTTP only and import none of the
service: they start fast and can be installed on a machine that has no Ansible, Flask or database.
"""
