#!/usr/bin/python

# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7 of docs/dataflow.md: shares on the FTP host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_share
short_description: Bring temporary shares to an FTP host, and take them away again
version_added: 0.1.0
author:
  - LANOT (@lanot)
description:
  - Copies data from a source host over ssh into the home of an FTP account, or removes it.
  - Probing, copying, verifying and deleting are done by systemd units of the FTP host, one for each share. The module starts
    and inspects them, waits for as long as O(wait) and O(wait_timeout) say, and reports. It may be killed and run again at
    any moment.
  - A recipient never sees half a share, since it is copied into a staging area, verified, and then renamed into the home.
  - It makes no FTP account; see M(lanot.tempoftp.tempoftp_ftpuser).
options:
  id:
    description:
      - Name of the share, and of its folder in the home. It must match C(^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$).
      - Exactly one of O(id) and O(shares) is given.
    type: str
  generation:
    description:
      - Counts the wishes about one share. A wish that is older than what the host knows is refused as V(stale).
      - A newer one with the same O(source) and O(ftpuser) only changes how long the share lives and whether it is seen.
      - When unset, it is that of the share on the host, or one more than that of its last end, or 1.
    type: int
  ftpuser:
    description: The FTP account that the share is for. Needed with O(state=present).
    type: str
  source:
    description:
      - C(host:/path) or C(user@host:/path). Of a folder its contents are shared, of a file that file.
      - Paths with any of C(* ? [ ] \), with control characters, or with C(//), C(.) and C(..) as a part are refused.
      - Needed with O(state=present).
    type: str
  source_root:
    description:
      - The folder on the source to which O(ssh_key_file) is restricted there by C(rrsync -ro). Paths go over the wire relative
        to it. O(source) must lie below it.
      - When unset, the key is not restricted.
    type: str
  state:
    description:
      - V(present) copies and delivers the share.
      - V(blocked) is like V(present), but the share is kept out of the home, in C(.tempoftp/held), where it waits to be
        V(present) again. One that is still being copied goes there once it is complete.
      - V(absent) ends it. It leaves the home at once, its data is removed by a unit.
    type: str
    choices: [present, absent, blocked]
    default: present
  require_existing:
    description:
      - Whether to refuse a share that does not live here rather than to begin it. The error is V(ended) for one that was
        here, else V(not_delivered).
      - For those who want to extend or to block a share, which may have ended in the meantime.
    type: bool
    default: false
  adopt:
    description:
      - Whether the home may be one that tempoftp did not make, that of an account that was there before. It is only used, never
        written.
      - Without it such a share is refused as V(account_conflict) before anything is copied. That the name is the expected one is
        no proof of whose home it is.
    type: bool
    default: false
  ssh_user:
    description:
      - Login name on the source. A user in O(source) must be the same.
      - Of a O(local) source, the user of this host as whom it is read. It must exist.
    type: str
    default: lanotadm
  ssh_key_file:
    description: Private key on the FTP host. When unset, ssh finds one by its configuration.
    type: str
  ssh_config_file:
    description: ssh configuration on the FTP host. When unset, C(/etc/tempoftp/ssh_config) if it exists.
    type: str
  ssh_known_hosts_file:
    description:
      - Host keys of the sources. When unset, C(/etc/tempoftp/known_hosts) if it exists.
      - An unknown or changed host key is an error. Keys are never learned.
    type: str
  size_probe:
    description:
      - How the size is found before copying.
      - V(rsync) by a dry run, which works with a restricted key too.
      - V(du) by C(du -sb) as well, which needs a shell on the source.
    type: str
    choices: [rsync, du]
    default: rsync
  lifetime_days:
    description:
      - For how many days the share lives once it is ready.
      - M(lanot.tempoftp.tempoftp_ftpuser) fixes the moment when the account has been confirmed, and again when the number of
        days has changed. Nothing is copied again for that. A share whose time is up stays ended.
    type: int
    default: 10
  writable:
    description: Whether the account may change the share. Its files then belong to the user with the name of O(group).
    type: bool
    default: false
  local:
    description:
      - The source is on the FTP host itself. It is read without ssh, as the user O(ssh_user) of this host and never as root; of
        O(source) the host is only a name.
      - A source that is, holds or lies in O(root) is refused.
    type: bool
    default: false
  method:
    description:
      - How the data is delivered. A source that is not O(local) knows only V(auto) and V(rsync), which are rsync over ssh.
      - V(auto) of a local source is V(reflink) where the filesystem can do that, else V(copy). Such a share never changes when
        its source does.
      - V(copy) is rsync without ssh.
      - V(reflink) makes files that share their blocks with the source's until either is written to (xfs, btrfs). It fails
        where that cannot be done.
      - V(bind) mounts the source itself, read-only. It costs no copy and no disk, and B(the share changes as its source
        does). The source must be a folder that the FTP server may read and that holds nothing which must not be shared. The
        mounts are transient units of systemd; after a reboot the next execution of this module, about whatever share, or
        C(tempoftp-expire.timer) makes them again, and until then the share cannot be entered.
    type: str
    choices: [auto, rsync, copy, reflink, bind]
    default: auto
  reuse:
    description:
      - Whether files that have not changed since another share of the same source was delivered become links to that share's
        files instead of copies. The end of one share leaves the other whole.
      - Only between shares that are not O(writable), and not from or to a V(bind).
    type: bool
    default: false
  checksums:
    description:
      - Whether a file C(SHA256SUMS) is added to the share, with the checksum of every file in it.
      - The source computes them too where it runs commands (O(local), or a key without O(source_root)), and both must agree;
        RV(shares[].checksums_by) says so.
      - If the source has a file of that name, it is delivered as it is, and ours is called C(SHA256SUMS.tempoftp).
      - Not with V(bind). A share that was delivered without needs a newer generation to get them.
    type: bool
    default: false
  shares:
    description:
      - A list of shares, handled side by side in one execution. Each is a dictionary of O(id), O(generation), O(ftpuser),
        O(source), O(source_root), O(state), O(require_existing), O(adopt), O(ssh_user), O(ssh_key_file), O(ssh_config_file), O(ssh_known_hosts_file),
        O(size_probe), O(lifetime_days), O(writable), O(local), O(method), O(reuse) and O(checksums), which mean the same as
        the options.
      - The task does not fail for one of them, not even for one with wrong keys or types; each result has its own error.
      - An empty list only reports RV(host).
    type: list
    elements: dict
  root:
    description: Folder of the homes. It belongs to root, and holds the module's own state in C(.tempoftp).
    type: str
    default: /data
  owner:
    description: Owner of what is delivered.
    type: str
    default: root
  group:
    description: Group of what is delivered, which the FTP server runs its sessions as.
    type: str
    default: pureftpd
  reserve_bytes:
    description: How many bytes of the filesystem always stay free.
    type: int
    default: 0
  reserve_inodes:
    description: How many inodes of the filesystem always stay free.
    type: int
    default: 0
  max_copies:
    description: How many copies run at once on this host, and so from any one source. The others are V(queued).
    type: int
    default: 4
  bwlimit:
    description: rsync's C(--bwlimit) for each copy, for example V(50M).
    type: str
  wait:
    description: Whether to wait until every share is delivered, gone, or has failed.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds to wait at most. What is not ready then goes on in its unit, and is reported with the state it has.
    type: int
    default: 3600
notes:
  - A failure is told once. The next execution with the same wish tries again, and resumes what was copied.
requirements:
  - systemd, rsync (3.2.4 or newer) and the OpenSSH client on the FTP host
  - sha256sum (coreutils) for O(checksums); setpriv (util-linux) for O(local)
extends_documentation_fragment:
  - lanot.tempoftp.attributes
seealso:
  - module: lanot.tempoftp.tempoftp_ftpuser
"""

EXAMPLES = r"""
- name: Share a folder for three days, and wait until it is there
  lanot.tempoftp.tempoftp_share:
    id: proyecto_real_1
    ftpuser: ftp_alguien_dominio
    source: lanotadm@source1:/srv/datos/goes
    source_root: /srv/datos
    ssh_key_file: /etc/tempoftp/ssh/source1-datos
    lifetime_days: 3

- name: Keep it out of sight for a while
  lanot.tempoftp.tempoftp_share:
    id: proyecto_real_1
    ftpuser: ftp_alguien_dominio
    source: lanotadm@source1:/srv/datos/goes
    source_root: /srv/datos
    lifetime_days: 3
    state: blocked
    require_existing: true

- name: End it
  lanot.tempoftp.tempoftp_share:
    id: proyecto_real_1
    state: absent

- name: Share a folder of the FTP host itself, as it is and as it changes, with no copy
  lanot.tempoftp.tempoftp_share:
    id: proyecto_real_2
    ftpuser: ftp_alguien_dominio
    source: here:/srv/archivo/2024
    local: true
    method: bind

- name: Share what another share has already, with checksums
  lanot.tempoftp.tempoftp_share:
    id: proyecto_real_3
    ftpuser: ftp_otra_dominio
    source: lanotadm@source1:/srv/datos/goes
    reuse: true
    checksums: true

- name: Move a batch on, and come back in a while
  lanot.tempoftp.tempoftp_share:
    shares: "{{ request.shares }}"
    wait_timeout: 3
  register: result

- name: Only look at the host
  lanot.tempoftp.tempoftp_share:
    shares: []
"""

RETURN = r"""
shares:
  description: One result for each share, in their order; in single form, one.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The share.
      type: str
      sample: proyecto_real_1
    generation:
      description: The generation that the host has, or had when the share ended.
      type: int
      sample: 1
    ftpuser:
      description: The account.
      type: str
      sample: ftp_alguien_dominio
    changed:
      description: Whether something was done for this share.
      type: bool
    state:
      description:
        - V(queued), V(probing), V(copying), V(verifying) and V(delivered) on its way in; V(failed) with an error;
        - V(blocked) when it is complete and out of sight;
        - V(purging) and V(absent) on its way out. In check mode, where it would come to.
      type: str
      sample: delivered
    path:
      description: Where the share is delivered.
      type: str
      sample: /data/ftp_alguien_dominio/proyecto_real_1
    bytes_total:
      description: Size in bytes, null until it is known.
      type: int
    bytes_done:
      description: Bytes that are there, those of an earlier, interrupted copy included.
      type: int
    files_total:
      description: Number of files, null until it is known.
      type: int
    files_done:
      description: Files that are there.
      type: int
    percent:
      description: Progress by bytes; 100 means delivered.
      type: int
    rate:
      description: Bytes per second while it is copied.
      type: int
    eta:
      description: Seconds to go, null when unknown.
      type: int
    ready_at:
      description: When the share became ready (ISO 8601 UTC), null before.
      type: str
    expires:
      description: When it ends (ISO 8601 UTC), null before it is ready.
      type: str
    reason:
      description: Why it ended, V(deleted) or V(expired); null while it lives and when that is not known.
      type: str
    durations:
      description: Seconds that the phases of the copy took (probe, space, copy, verify, sync).
      type: dict
    skipped:
      description: What was left out, at most 50 names. Unsafe links and what is no regular file.
      type: list
      elements: str
      sample: ["link -> /etc/passwd (unsafe link)"]
    skipped_total:
      description: How many were left out.
      type: int
    delivered_by:
      description:
        - V(rsync) (over ssh), V(copy), V(reflink), V(bind), or V(links) when some of it was taken from another share by
          O(reuse); null before.
      type: str
    checksums_by:
      description:
        - Null without O(checksums). V(source) when the source computed them too and both agree, V(arrival) when the source runs
          no command and they were computed from what arrived.
      type: str
    error:
      description: Null, or what went wrong.
      type: dict
      contains:
        class:
          description: One of the classes of docs/dataflow.md.
          type: str
          sample: source_not_found
        message:
          description: What, where, and what to do.
          type: str
        transient:
          description: Whether it may pass by itself.
          type: bool
host:
  description: The FTP host, as it was at the end.
  returned: success
  type: dict
  contains:
    space_total:
      description: Bytes of the filesystem.
      type: int
    space_free:
      description: Bytes that are free.
      type: int
    inodes_free:
      description: Inodes that are free.
      type: int
    boot_id:
      description: The kernel's id of this boot.
      type: str
    time:
      description: The host's clock (ISO 8601 UTC).
      type: str
    ftpd:
      description: Whether the FTP server greets on this host (RV(ignore:ok)), and with which words (RV(ignore:banner)).
      type: dict
      sample: {"ok": true, "banner": "220 Welcome"}
    server:
      description: Contents of C(/etc/tempoftp/server.json), and the RV(ignore:fingerprint) of its certificate.
      type: dict
      sample: {"host": "ftp.example.org", "port": 21, "tls": true, "fingerprint": "sha256:AA:BB"}
    copies_running:
      description: How many copies ran.
      type: int
    mount_problems:
      description: Shares of O(method=bind) that could not be mounted again, and why.
      type: list
      elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.lanot.tempoftp.plugins.module_utils._host.errors import (
    InvalidValueError,
    Refused,
    TempoftpError,
)
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.desired import STATES
from ansible_collections.lanot.tempoftp.plugins.module_utils._share.run import (
    Item,
    run_shares,
)


def build_share_spec() -> dict[str, dict[str, Any]]:
    """Return the options of one share."""
    return {
        "id": {"type": "str"},
        "generation": {"type": "int"},
        "ftpuser": {"type": "str"},
        "source": {"type": "str"},
        "source_root": {"type": "str"},
        "state": {"type": "str", "choices": list(STATES), "default": "present"},
        "require_existing": {"type": "bool", "default": False},
        "adopt": {"type": "bool", "default": False},
        "ssh_user": {"type": "str", "default": "lanotadm"},
        "ssh_key_file": {"type": "str", "no_log": False},
        "ssh_config_file": {"type": "str"},
        "ssh_known_hosts_file": {"type": "str"},
        "size_probe": {"type": "str", "choices": ["rsync", "du"], "default": "rsync"},
        "lifetime_days": {"type": "int", "default": 10},
        "writable": {"type": "bool", "default": False},
        "method": {
            "type": "str",
            "choices": ["auto", "rsync", "copy", "reflink", "bind"],
            "default": "auto",
        },
        "local": {"type": "bool", "default": False},
        "reuse": {"type": "bool", "default": False},
        "checksums": {"type": "bool", "default": False},
    }


def build_argument_spec() -> dict[str, dict[str, Any]]:
    """Return all options."""
    return {
        **build_share_spec(),
        "shares": {"type": "list", "elements": "dict"},
        "root": {"type": "str", "default": "/data"},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "pureftpd"},
        "reserve_bytes": {"type": "int", "default": 0},
        "reserve_inodes": {"type": "int", "default": 0},
        "max_copies": {"type": "int", "default": 4},
        "bwlimit": {"type": "str"},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 3600},
    }


def parse_item(validator: ArgumentSpecValidator, values: dict[str, Any]) -> Item:
    """Check one item of ``shares`` by itself, so that a wrong one does not fail the others."""
    checked = validator.validate(values)
    if checked.error_messages:
        return Refused(values.get("id"), InvalidValueError("; ".join(checked.error_messages)))
    return checked.validated_parameters


def main() -> None:
    """Translate options, call, translate the results."""
    module = AnsibleModule(
        argument_spec=build_argument_spec(),
        supports_check_mode=True,
        mutually_exclusive=[("id", "shares")],
        required_one_of=[("id", "shares")],
    )
    items: list[Item] = [module.params]
    if module.params["shares"] is not None:
        validator = ArgumentSpecValidator(build_share_spec())
        items = [parse_item(validator, values) for values in module.params["shares"]]
    try:
        result = run_shares(items, module.params, module.check_mode)
    except TempoftpError as error:
        module.fail_json(msg=error.message, error=error.to_dict())
    if not module._diff:
        del result["diff"]
    error_of_one = result["shares"][0]["error"] if module.params["shares"] is None else None
    if error_of_one is not None:
        module.fail_json(msg=error_of_one["message"], **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
