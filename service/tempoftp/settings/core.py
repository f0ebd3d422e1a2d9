"""What every process needs: the database, the FTP hosts, the bounds of a share, the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from tempoftp.settings.cross_checks import cross_check

SIMULATED_FTP_HOST = "simulado"


class CoreSettings(BaseModel):
    """The database, the FTP hosts and the bounds of a share."""

    simulacro: bool = Field(
        default=False,
        description="1: simulate the FTP hosts instead of running Ansible, for work without hosts.",
    )
    state_dir: Path = Field(
        default=Path("/var/lib/tempoftp"),
        description="Folder of the database and of the workers' sockets; API and worker both write there.",
    )
    worker_dir: Path | None = Field(
        default=None,
        description="Folder of the worker alone, for its runs, Ansible's home and the ssh connections. The API's user "
        "must not be able to write there or to rename it. Default: `worker` in the state folder.",
    )
    log_dir: Path | None = Field(
        default=None,
        description="Folder of the shares' logs, which the worker writes and the API reads. "
        "Default: `logs` in the state folder.",
    )
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL of the database. Default: SQLite, in the state folder.",
    )
    inventory: Path | None = Field(
        default=None, description="Ansible inventory (file or folder) that has the group `ftp_hosts`."
    )
    ftp_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Inventory names of the FTP hosts, separated by commas. Required unless simulated.",
    )
    project_dir: Path = Field(
        default=Path("/opt/tempoftp"),
        description="Folder with `playbooks/`, `collections/` and `ansible.cfg`.",
    )
    sources_file: Path = Field(
        default=Path("/etc/tempoftp/sources.yml"),
        description="YAML file with the sources that may be asked for; anything else is refused.",
    )
    lifetime_default: int = Field(
        default=10, ge=1, description="Days a share lives when the request does not say (`vigencia`)."
    )
    lifetime_min: int = Field(default=1, ge=1, description="Least days a request may ask for.")
    lifetime_max: int = Field(default=90, ge=1, description="Most days a request may ask for.")
    reuse_password: bool = Field(
        default=False,
        description="1: a later share of the same account also answers with the token, not the hash.",
    )

    @field_validator("ftp_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @cross_check("lifetime_min", "lifetime_default", "lifetime_max")
    def _check_lifetime(self) -> None:
        if not self.lifetime_min <= self.lifetime_default <= self.lifetime_max:
            raise ValueError("TEMPOFTP_LIFETIME_MIN <= LIFETIME_DEFAULT <= LIFETIME_MAX does not hold")

    @cross_check("simulacro", "ftp_hosts")
    def _check_hosts(self) -> None:
        if not self.simulacro and not self.ftp_hosts:
            raise ValueError("TEMPOFTP_FTP_HOSTS is required (or TEMPOFTP_SIMULACRO=1)")

    @property
    def ftp_host_names(self) -> tuple[str, ...]:
        """The FTP hosts to deliver to; in a simulation without names, one simulated host."""
        return self.ftp_hosts or (SIMULATED_FTP_HOST,)

    @property
    def worker_folder(self) -> Path:
        """The folder that only the worker may use."""
        return self.worker_dir or self.state_dir / "worker"

    @property
    def log_folder(self) -> Path:
        """The folder of the shares' logs."""
        return self.log_dir or self.state_dir / "logs"

    @property
    def sqlalchemy_url(self) -> str:
        """The URL of the database."""
        return self.database_url or f"sqlite:///{self.state_dir / 'tempoftp.sqlite3'}"


class JournalSettings(BaseModel):
    """Level and format of the log."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO",
        description="Lowest level that is written to the journal: DEBUG, INFO, WARNING or ERROR.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description=(
            "`json`: one JSON object on each line, for programs that collect logs; `text`: the same for "
            "people."
        ),
    )
