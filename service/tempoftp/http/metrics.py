"""The numbers of `GET /metrics`: the requests that this API answered, and what the database contains.

Runs are made by the worker, which listens on no port. The worker counts them in the database, and `GET /metrics` reads
them from there (`docs/decisions/0080-where-metrics-come-from.md`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from tempoftp.hosts.run_totals import RunDurations
from tempoftp.monitoring.measures import HostMeasures, Measures

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
OTHER = "other"
"""Label for every method or path without a route: a client can send any number of different ones."""
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Set by `tempoftp serve` when it starts several processes; they share their counts in files of this folder."""

_HOST_GAUGES: tuple[tuple[str, str, Callable[[HostMeasures], float | None]], ...] = (
    ("space_bytes", "Size of the delivery root's filesystem.", lambda host: host.space_total),
    ("space_free_bytes", "Free bytes of it, as the last run saw it.", lambda host: host.space_free),
    ("inodes_free", "Free inodes of it.", lambda host: host.inodes_free),
    ("ftpd_up", "1: pure-ftpd greeted the last run.", lambda host: host.ftpd_ok),
    ("database_up", "1: the database of pure-ftpd answered the last run.", lambda host: host.database_ok),
    ("failing", "1: the last run of it failed.", lambda host: host.failing is not None),
    ("facts_age_seconds", "Seconds since a run last reached it.", lambda host: host.facts_age),
    ("paused", "1: no new run starts on it.", lambda host: host.paused),
    ("held", "1: it knows more than the database, nothing is done there.", lambda host: host.held),
    ("runs_active", "Runs that are under way.", lambda host: host.runs_active),
    ("delivered_bytes", "Bytes of the shares that are delivered.", lambda host: host.delivered_bytes),
    ("copied_bytes", "Bytes that the copies under way have copied.", lambda host: host.copied_bytes),
    ("copy_left_bytes", "Bytes that they still have to copy.", lambda host: host.left_bytes),
    ("copy_bytes_per_second", "Rate of all copies together.", lambda host: host.rate),
    ("audit_age_seconds", "Seconds since the last audit.", lambda host: host.audit_age),
    ("audit_findings", "Findings of the last audit that are not repaired.", lambda host: host.findings),
)


# The time at which each series began is of no use here, and would double the number of series.
disable_created_metrics()  # type: ignore[no-untyped-call]


class RequestMeasures:
    """How many requests were answered and how long each took, in all processes of one `tempoftp serve`."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "tempoftp_http_request_duration_seconds",
            "Seconds until an answer began, by route and status; its count is that of the requests.",
            ("method", "route", "status"),
            buckets=REQUEST_BUCKETS,
            registry=self._registry,
        )

    def observe(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request; `route` is its template, None without a route."""
        known = method if method in METHODS else OTHER
        self._seconds.labels(known, route or OTHER, str(status)).observe(seconds)

    def write(self) -> bytes:
        """Return them in Prometheus' text format."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class DatabaseCollector(Collector):
    """The numbers from the database, as they are during the request."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        measures = self._measures
        yield InfoMetricFamily("tempoftp_build", "Version of the service.", {"version": version("tempoftp")})
        yield _build_gauges("tempoftp_shares", "Shares by state.", "state", measures.shares)
        yield _build_gauges(
            "tempoftp_oldest_share_age_seconds",
            "Seconds that the oldest share has been in a state that it should leave by itself; 0: there is none.",
            "state",
            measures.oldest,
        )
        yield _build_gauges(
            "tempoftp_shares_failing",
            "Shares that are not over, by the class of their present failure.",
            "class",
            measures.failing,
        )
        yield GaugeMetricFamily("tempoftp_queue_shares", "Due shares that wait for a worker.", measures.queue)
        yield GaugeMetricFamily(
            "tempoftp_queue_age_seconds", "Seconds that the oldest of them has waited.", measures.queue_age
        )
        yield _build_gauges(
            "tempoftp_shares_overdue",
            "Shares that should be gone by now, or should have begun to end.",
            "kind",
            {"ending": measures.overdue_ending, "expired": measures.overdue_expired},
        )
        yield _build_gauges(
            "tempoftp_accounts", "FTP accounts that are there, by who made them.", "origin", measures.accounts
        )
        yield _build_gauges(
            "tempoftp_downloads", "Downloads counted of the shares there are.", "kind", measures.downloads
        )
        yield _build_deliveries(measures.notices)
        yield _build_gauges(
            "tempoftp_notice_oldest_age_seconds",
            "Seconds that the oldest notice of a channel waits; 0: none does.",
            "channel",
            measures.notices_oldest,
        )
        yield from _collect_hosts(measures.hosts)
        yield from _collect_runs(measures.runs)


def _build_gauges(name: str, text: str, label: str, values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for key, value in values.items():
        family.add_metric((str(key),), value)
    return family


def _build_deliveries(counts: Mapping[tuple[str, str], int]) -> Metric:
    family = GaugeMetricFamily(
        "tempoftp_notice_deliveries",
        "Notices by channel and by what became of them.",
        labels=("channel", "state"),
    )
    for key, count in counts.items():
        family.add_metric(key, count)
    return family


def _collect_hosts(hosts: tuple[HostMeasures, ...]) -> Iterator[Metric]:
    for name, text, read in _HOST_GAUGES:
        family = GaugeMetricFamily(f"tempoftp_ftp_host_{name}", text, labels=("ftp_host",))
        for host in hosts:
            value = read(host)
            if value is not None:
                family.add_metric((host.name,), float(value))
        yield family


def _collect_runs(runs: list[RunDurations]) -> Iterator[Metric]:
    labels = ("ftp_host", "kind", "outcome")
    seconds = HistogramMetricFamily(
        "tempoftp_run_duration_seconds",
        "How long ended runs took; its count is that of the runs. Outcome: done, abandoned or the class of a failure.",
        labels=labels,
    )
    shares = CounterMetricFamily("tempoftp_run_shares", "Shares that ended runs carried.", labels=labels)
    for run in runs:
        key = (run.ftp_host, run.kind, run.outcome)
        seconds.add_metric(key, list(run.buckets), run.seconds)
        shares.add_metric(key, run.shares)
    yield seconds
    yield shares


def write_measures(measures: Measures) -> bytes:
    """Return the numbers from the database in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(DatabaseCollector(measures))
    return generate_latest(registry)
