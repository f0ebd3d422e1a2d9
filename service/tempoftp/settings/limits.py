"""How much the API answers, and the Redis that several processes share."""

from __future__ import annotations

from pydantic import BaseModel, Field, SecretStr, field_validator


class LimitSettings(BaseModel):
    """Threads, sizes and rates of the API, and the Redis that several processes share."""

    api_threads: int = Field(default=8, ge=1, le=256, description="Threads that answer HTTP requests.")
    max_body_bytes: int = Field(
        default=16384, ge=256, description="Most bytes of a request body; more is 413."
    )
    rate_writes: str = Field(
        default="300/10second,1200/minute",
        description="How many POST, PATCH and DELETE one token or mapped address may send; more is 429.",
    )
    rate_reads: str = Field(
        default="12000/minute",
        description="How many GET it may send; enough to poll hundreds of shares.",
    )
    rate_strangers: str = Field(
        default="120/minute",
        description="How many requests in total an address may send without a valid token.",
    )
    rate_links: str = Field(
        default="10/minute,60/hour",
        description="How many POST may be sent through one recipient's link, by all callers together; and how often "
        "one caller may ask for the credentials of one share.",
    )
    quota_person_shares: int = Field(
        default=1000,
        ge=0,
        description="Most shares that one person (e-mail) may have that have not ended; more is 403. 0: no limit. "
        "The quotas do not bind operators.",
    )
    quota_person_open: int = Field(
        default=500,
        ge=0,
        description="Most of them that may be on their way at the same time; more is 429. 0: no limit.",
    )
    quota_person_gb: float = Field(
        default=100_000,
        ge=0,
        description="With so many gigabytes (10⁹ bytes) in shares, a person gets no further one: 403. Bytes count once "
        "they are measured. 0: no limit.",
    )
    quota_token_shares: int = Field(
        default=20_000,
        ge=0,
        description="Most shares that were asked for with one token, or from one mapped address, and have not ended; "
        "more is 403. 0: no limit.",
    )
    quota_token_open: int = Field(
        default=5000,
        ge=0,
        description="Most of them that may be on their way at the same time; more is 429. 0: no limit.",
    )
    quota_token_gb: float = Field(
        default=1_000_000,
        ge=0,
        description="With so many gigabytes in shares, a token or mapped address gets no further one: 403. 0: no "
        "limit.",
    )
    rate_storage: SecretStr | None = Field(
        default=None,
        description="Redis (`redis://…`) in which all API processes count this together. Default: each process counts "
        "for itself, in memory, which is right for the one process of an ordinary installation.",
    )
    queue_url: SecretStr | None = Field(
        default=None,
        description="Redis (`redis://…`) through which the API wakes workers on other machines. Default: a socket in "
        "`TEMPOFTP_STATE_DIR`; a worker elsewhere then finds what is due within `TEMPOFTP_RECONCILE_SECONDS`.",
    )

    @field_validator("rate_writes", "rate_reads", "rate_strangers", "rate_links")
    @classmethod
    def _check_rate(cls, value: str) -> str:
        from limits import parse_many  # not at the top: commands that only read the settings start faster

        try:
            parse_many(value)
        except ValueError:
            raise ValueError(f"must look like 300/10second,1200/minute, not {value!r}") from None
        return value

    @field_validator("rate_storage", "queue_url")
    @classmethod
    def _check_redis(cls, value: SecretStr | None) -> SecretStr | None:
        schemes = ("redis://", "rediss://", "redis+unix://")
        if value is not None and not value.get_secret_value().startswith(schemes):
            raise ValueError("must begin with redis://, rediss:// or redis+unix://")
        return value
