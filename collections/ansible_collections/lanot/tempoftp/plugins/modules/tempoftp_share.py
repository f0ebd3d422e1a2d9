#!/usr/bin/python

# Copyright (c) 2026, LANOT
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step 7 of docs/dataflow.md: shares on the FTP host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tempoftp_share
short_description: Deliver temporary shares to an FTP host, and remove them again
version_added: 0.1.0
author:
  - LANOT (@lanot)
description:
  - Copies data from a source host over ssh into the home of an FTP account, or removes it.
  - Systemd units of the FTP host measure, copy, verify and delete the data, one unit for each share. The module starts and
    inspects them, waits as O(wait) and O(wait_timeout) say, and reports. It may be killed and run again at any moment.
  - A recipient never sees half a share, since the data is copied into a staging area, verified, and then renamed into the home.
  - It creates no FTP account; see M(lanot.tempoftp.tempoftp_ftpuser).
options:
  id:
    description:
      - Name of the share, and of its folder in the home. It must match C(^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$).
      - Exactly one of O(id) and O(shares) is given.
    type: str
  generation:
    description:
      - Counts the requests for one share. A request that is older than the generation on the host is refused as V(stale).
      - A newer request with the same O(source) and O(ftpuser) only changes how long the share lives and whether it is blocked.
      - When unset, the generation of the share on the host. If the share ended, one more than that. If it is new, 1.
    type: int
  ftpuser:
    description: The FTP account of the share. Required with O(state=present) and O(state=blocked).
    type: str
  source:
    description:
      - C(host:/path) or C(user@host:/path). For a folder, its contents are shared; for a file, that file.
      - Paths with any of C(* ? [ ] \), with control characters, or with C(//), C(.) and C(..) as a part are refused.
      - Required with O(state=present) and O(state=blocked).
    type: str
  state:
    description:
      - V(present) copies and delivers the share.
      - V(blocked) is like V(present), but the share is kept out of the home, in C(.tempoftp/held), until it is V(present) again.
        A share that is still being copied is moved there once it is complete.
      - V(absent) ends the share. It leaves the home at once, and a unit removes its data.
    type: str
    choices: [present, absent, blocked]
    default: present
  require_existing:
    description:
      - Whether to refuse a share that is not on this host, instead of starting it. The error is V(ended) for a share that was
        here before, else V(not_delivered).
      - Use it to extend or to block a share, which may have ended in the meantime.
    type: bool
    default: false
  restore:
    description:
      - Whether data of this share that still waits in the trash is used instead of a new copy. It waits for C(trash_hours) of
        M(lanot.tempoftp.tempoftp_expire) after the share was deleted or expired, and comes back by one rename.
      - The source is not looked at then. Set V(false) for present data of the source.
    type: bool
    default: true
  adopt:
    description:
      - Whether the home may be one that tempoftp did not make, that of an account that was there before. Its owner and mode are
        never changed.
      - Otherwise such a share is refused as V(account_conflict) before anything is copied, since the name does not prove whose
        home it is.
    type: bool
    default: false
  managed_by:
    description:
      - Who manages the share. The V(service) says V(service) for each of its own; C(lanot.tempoftp.share) says V(operator).
      - A living share that the other one manages is refused as V(managed_elsewhere), whatever O(state) is, and nothing is changed.
        Shares of a release that did not write it down count as those of the service.
      - The service's audit reports a share that it does not know, except one of an V(operator).
      - When unset, whoever manages the share on the host. A new share is then an V(operator)'s.
    type: str
    choices: [service, operator]
  take_over:
    description:
      - Whether a share that the other one manages becomes O(managed_by)'s. Say so only when the other one does not need it any more,
        or for a share that an earlier release delivered without the service.
    type: bool
    default: false
  size_probe:
    description:
      - How the size is found before copying.
      - V(rsync) measures by a dry run, which works with a restricted key too.
      - V(du) also runs C(du -sb), which needs a shell on the source.
    type: str
    choices: [rsync, du]
    default: rsync
  lifetime_days:
    description:
      - For how many days the share lives once it is ready.
      - M(lanot.tempoftp.tempoftp_ftpuser) computes the end when it confirms the account, and again when the number of days has
        changed. Nothing is copied again for that. A share whose time is up stays ended.
    type: int
    default: 10
  writable:
    description: Whether the account may change the share. Its files then belong to the user that has the name of O(group).
    type: bool
    default: false
  method:
    description:
      - How the data is delivered. For a source that is not O(local), only V(auto) and V(rsync) are possible. Both mean rsync over
        ssh.
      - V(auto) for a local source means V(reflink) where the filesystem supports it, else V(copy). Later changes of the source do
        not change the share.
      - V(copy) is rsync without ssh.
      - V(reflink) makes files that share their blocks with the files of the source until either is written to (xfs, btrfs). It
        fails where the filesystem does not support that.
      - V(bind) mounts the source itself, read-only. It needs no copy and no disk space, and B(the share changes when its source
        changes). The source must be a folder that the FTP server may read, without links or special files that must not be
        shared. The mounts are transient units of systemd. After a reboot, the next execution of this module for any share, or
        C(tempoftp-expire.timer), mounts the source again. Until then the share cannot be entered.
    type: str
    choices: [auto, rsync, copy, reflink, bind]
    default: auto
  reuse:
    description:
      - Whether files that have not changed since another share of the same source was delivered become hard links to that
        share's files instead of copies. When one share ends, the other stays complete.
      - It has no effect for O(writable) shares and for O(method=bind).
    type: bool
    default: false
  checksums:
    description:
      - Whether a file C(SHA256SUMS) is added to the share, with the checksum of every file in it.
      - The source computes the checksums too where it runs commands (O(local), or a key without O(source_root)). Both results must
        agree. RV(shares[].checksums_by) says whether the source did.
      - If the source has a file of that name, it is delivered as it is, and the added file is called C(SHA256SUMS.tempoftp).
      - Not possible with O(method=bind). A share that was delivered without checksums gets them with a newer generation.
    type: bool
    default: false
  shares:
    description:
      - A list of shares, handled side by side in one execution. Each is a dictionary of O(id), O(generation), O(ftpuser),
        O(source), O(source_root), O(state), O(require_existing), O(adopt), O(restore), O(managed_by), O(take_over), O(ssh_user),
        O(ssh_key_file), O(ssh_config_file), O(ssh_known_hosts_file), O(size_probe), O(lifetime_days), O(writable),
        O(local), O(method), O(reuse) and O(checksums), which mean the same as the options.
      - The task does not fail when one of them fails, even when one has wrong keys or types. Each result has its own error.
      - With an empty list, only RV(host) is reported.
    type: list
    elements: dict
  root:
    description: The delivery root. It contains the homes of the accounts, and the state of tempoftp in C(.tempoftp). It belongs to root.
    type: str
    default: /data
  owner:
    description: Owner of the delivered files.
    type: str
    default: root
  group:
    description: Group of the delivered files. The FTP server runs its sessions with it.
    type: str
    default: pureftpd
  max_copies:
    description: How many copies run at once on this host, and so at most from one source. The others are V(queued).
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
      - Longest wait in seconds. A share that is not ready then is reported with its present state, and its unit goes on.
    type: int
    default: 3600
notes:
  - A failure is reported once. The next execution with the same options tries again, and resumes the copy.
requirements:
  - systemd, rsync (3.2.3 or newer) and the OpenSSH client on the FTP host
  - sha256sum (coreutils) for O(checksums); setpriv (util-linux) for O(local)
extends_documentation_fragment:
  - lanot.tempoftp.attributes
  - lanot.tempoftp.source_access
  - lanot.tempoftp.space_reserve
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

- name: Block it for a while
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

- name: Share the same data with somebody else, with checksums and without a second copy
  lanot.tempoftp.tempoftp_share:
    id: proyecto_real_3
    ftpuser: ftp_otra_dominio
    source: lanotadm@source1:/srv/datos/goes
    reuse: true
    checksums: true

- name: Start a list of shares, and return after a moment
  lanot.tempoftp.tempoftp_share:
    shares: "{{ request.shares }}"
    wait_timeout: 3
  register: result

- name: Only read the host's facts
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
      description: Name of the share.
      type: str
      sample: proyecto_real_1
    generation:
      description: The generation that the host has, or had when the share ended.
      type: int
      sample: 1
    ftpuser:
      description: Account of the share.
      type: str
      sample: ftp_alguien_dominio
    changed:
      description: Whether this share was changed on the host.
      type: bool
    state:
      description:
        - V(queued), V(probing), V(copying), V(verifying) and V(delivered) while it is being delivered. V(failed) with an error.
        - V(blocked) when it is complete and kept out of the home.
        - V(purging) while its data is being removed, then V(absent).
        - In check mode, the state that the share would get.
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
      description: Bytes that have arrived, including those of an earlier, interrupted copy.
      type: int
    files_total:
      description: Number of files, null until it is known.
      type: int
    files_done:
      description: Files that have arrived.
      type: int
    percent:
      description: Progress by bytes; 100 means delivered.
      type: int
    rate:
      description: Bytes per second while it is copied.
      type: int
    eta:
      description: Estimated seconds until the copy ends, null when unknown.
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
      description: Seconds that each phase of the copy took (probe, space, copy, verify, sync, checksums).
      type: dict
    skipped:
      description: Names of entries that were left out, at most 50. These are unsafe links and entries that are no regular files.
      type: list
      elements: str
      sample: ["link -> /etc/passwd (unsafe link)"]
    restorable_until:
      description:
        - Until when the data of a share that is V(absent) waits in the trash and can be restored (O(restore)). Null when it is gone.
      type: str
      sample: '2030-01-31T12:00:00Z'
    skipped_total:
      description: How many entries were left out.
      type: int
    delivered_by:
      description:
        - V(rsync) (over ssh), V(copy), V(reflink), V(bind), or V(links) when files were linked from another share by
          O(reuse). Null before delivery.
      type: str
    checksums_by:
      description:
        - Null without O(checksums). V(source) when the source computed them too and both agree. V(arrival) when the source runs no
          commands, so that they were computed only from the data that arrived.
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
          description: What happened, where, and what to do next.
          type: str
        transient:
          description: Whether it may succeed later without anybody acting.
          type: bool
host:
  description: Facts of the FTP host at the end of the execution.
  returned: success
  type: dict
  contains:
    root:
      description:
        - Whether the disk of the delivery root is there (RV(ignore:ok)), and else why not (RV(ignore:error)). Without it, the space is
          null and every share has the error C(root_missing).
      type: dict
      sample: {"ok": true, "error": null}
    clock:
      description: Whether the clock may be believed (RV(ignore:ok)), and else why not (RV(ignore:error)). Without it no data is removed.
      type: dict
      sample: {"ok": true, "error": null}
    trash:
      description: How many ended shares wait in the trash and can be restored, and their bytes. They count as used space.
      type: dict
      sample: {"shares": 2, "bytes": 52428800}
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
      description: How many copies were running.
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
from ansible_collections.lanot.tempoftp.plugins.module_utils._record.manifest import MANAGERS
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
        "restore": {"type": "bool", "default": True},
        "managed_by": {"type": "str", "choices": list(MANAGERS)},
        "take_over": {"type": "bool", "default": False},
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
