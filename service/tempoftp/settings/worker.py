"""How the worker runs Ansible, and how long the API waits for it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from tempoftp.settings.cross_checks import cross_check


class WorkerSettings(BaseModel):
    """Runs, leases, audits and previews, and how long the API waits for them."""

    batch_size: int = Field(default=50, ge=1, le=500, description="Most shares that one run carries.")
    worker_threads: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Most runs at the same time in one worker, each for another FTP host; the others wait in the order "
        "in which they came. Default: no bound, so that no FTP host waits for another.",
    )
    hash_threads: int = Field(
        default=2, ge=1, le=64, description="Threads that hash passwords before a run, about one per core."
    )
    lease_seconds: float = Field(
        default=30,
        gt=0,
        description="Seconds after which another worker may take over a share of a dead one.",
    )
    heartbeat_seconds: float = Field(
        default=10, gt=0, description="Seconds between two extensions of the lease of a running run."
    )
    reconcile_seconds: float = Field(
        default=1, gt=0, description="Seconds between two looks for shares that are due but were not woken."
    )
    facts_max_age_seconds: float = Field(
        default=60,
        gt=0,
        description="Age in seconds after which the facts about an FTP host are read again.",
    )
    transfers_seconds: float = Field(
        default=120,
        ge=0,
        description=(
            "Seconds between two counts of downloads on an FTP host that has a share to download; 0: "
            "downloads are not counted."
        ),
    )
    expire_after_download_hours: float = Field(
        default=0,
        ge=0,
        description=(
            "Hours after the last download at which a share ends early, if every file of it was "
            "downloaded completely; 0: it ends only when its days are over."
        ),
    )
    retry_until_hours: float = Field(
        default=24,
        gt=0,
        description="Hours for which a transient error is retried before the share is in `error`.",
    )
    audit_hours: float = Field(
        default=24,
        ge=0,
        description=(
            "Hours between two automatic audits of each FTP host; 0: none. A worker always makes one "
            "when it starts."
        ),
    )
    audit_wait_seconds: float = Field(
        default=20, ge=0, description="Seconds that the API waits for an audit before it answers 202."
    )
    preview_wait_seconds: float = Field(
        default=10, ge=0, description="Seconds that the API waits for a preview before it answers 202."
    )
    preview_limit_seconds: int = Field(
        default=20,
        ge=1,
        le=200,
        description=(
            "Seconds that an FTP host may take to measure sources for a preview; after that, it answers "
            "with what it has counted."
        ),
    )
    run_wait_seconds: float = Field(
        default=3, ge=0, description="Seconds that one run waits on the FTP host for copies to finish."
    )
    standby: bool = Field(
        default=True,
        description=(
            "0: do not keep an Ansible process ready for each FTP host. Then a run takes about a second "
            "longer, and an idle worker uses less memory."
        ),
    )
    run_timeout_seconds: float = Field(
        default=300, gt=0, description="Seconds after which a run is stopped and classified as `run_timeout`."
    )
    stop_seconds: float = Field(
        default=20, gt=0, description="Seconds that a stopping worker gives its runs to finish."
    )
    deletion_wait_seconds: float = Field(
        default=10,
        ge=0,
        description="Seconds that DELETE waits for the end of access and data before it answers 202.",
    )

    @cross_check("heartbeat_seconds", "lease_seconds")
    def _check_heartbeat(self) -> None:
        if self.heartbeat_seconds >= self.lease_seconds:
            raise ValueError("TEMPOFTP_HEARTBEAT_SECONDS must be less than TEMPOFTP_LEASE_SECONDS")
