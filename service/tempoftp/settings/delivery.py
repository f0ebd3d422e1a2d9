"""How shares are copied, and the database of pure-ftpd."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, BaseModel, Field, SecretStr


class DeliverySettings(BaseModel):
    """Defaults for sources, and the database of pure-ftpd."""

    rsync_ssh_user: str = Field(
        default="lanotadm",
        validation_alias=AliasChoices("RSYNC_SSH_USER"),
        pattern=r"^[a-z_][a-z0-9_-]{0,31}$",
        description="ssh user for the sources in the sources file that do not name one.",
    )
    local_method: Literal["auto", "copy", "reflink", "bind"] = Field(
        default="auto",
        description="How sources on the FTP host itself are delivered unless the sources file says it: `auto` "
        "(`reflink` where the filesystem can, else `copy`), `copy`, `reflink`, or `bind` (mounted read-only: it "
        "changes with its source).",
    )
    reuse_copies: bool = Field(
        default=False,
        description=(
            "1: files that another share of the same source has already, unchanged, become hard links to "
            "that share's files. The sources file may say it for each source."
        ),
    )
    checksums: bool = Field(
        default=False,
        description="1: shares get a file `SHA256SUMS`. The sources file may say it for each source.",
    )
    ftp_db_host: str | None = Field(
        default=None,
        validation_alias=AliasChoices("FTP_DB_HOST"),
        description="MariaDB/MySQL of pure-ftpd as seen from the FTP host. Default: "
        "`/etc/tempoftp/mysql.cnf` there; that file keeps the password off the wire and is the better place.",
    )
    ftp_db_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("FTP_DB_PORT"),
        description="Its port.",
    )
    ftp_db_user: str | None = Field(
        default=None,
        validation_alias=AliasChoices("FTP_DB_USER"),
        description="Its login for tempoftp's modules.",
    )
    ftp_db_pass: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("FTP_DB_PASS"), description="The password of that login."
    )
    ftp_db_name: str | None = Field(
        default=None,
        validation_alias=AliasChoices("FTP_DB_NAME"),
        description="The database with the users table.",
    )
