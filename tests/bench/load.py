"""A thousand requests in a minute while copies run: none is lost, and how long the API takes to answer each.

How long the API took is in its own access log. What the sender saw has the sender's own waiting in it: its sixteen
threads run on the same two cores as the API, the worker, both hosts and the copies.
"""

from __future__ import annotations

import math
import re
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.api_client import ApiClient

REQUESTS = 1000
SECONDS = 60.0
PEOPLE = 100
# Threads of the sending application; each has one open connection.
SENDERS = 16
SETTLE_SECONDS = 900.0
ACCESS_LINE = re.compile(r" request method=POST route=/tmpftp status=\d+ ms=([0-9.]+) ")


@dataclass(frozen=True)
class Posted:
    """One request as its sender saw it. `late`: seconds that it was sent after its turn."""

    share_id: str
    status: int
    retry_after: str | None
    seconds: float
    late: float


class Load:
    """One burst against one API."""

    def __init__(self, api: ApiClient, source: str) -> None:
        self.api = api
        self.source = source
        self.prefix = f"load_{int(time.time())}"

    def post_all(self) -> list[Posted]:
        """Send every request at its turn, whatever the answers to those before it."""
        begun = time.perf_counter()
        with ThreadPoolExecutor(SENDERS) as senders:
            return list(senders.map(lambda number: self._post(begun, number), range(REQUESTS)))

    def _post(self, begun: float, number: int) -> Posted:
        turn = begun + number * SECONDS / REQUESTS
        time.sleep(max(0.0, turn - time.perf_counter()))
        share_id = f"{self.prefix}_{number}"
        sent = time.perf_counter()
        answer = self.api.post(f"persona{number % PEOPLE}@bench.example", share_id, self.source)
        took = time.perf_counter() - sent
        return Posted(share_id, answer.status_code, answer.headers.get("Retry-After"), took, sent - turn)

    def list_ids(self, estado: str) -> set[str]:
        """Ids of ours in one state, over all pages."""
        found: set[str] = set()
        cursor: str | None = None
        while True:
            parameters = {"estado": estado, "limite": "1000"} | ({"cursor": cursor} if cursor else {})
            answer = self._get(parameters)
            found |= {row["id"] for row in answer["solicitudes"] if row["id"].startswith(f"{self.prefix}_")}
            cursor = answer["siguiente"]
            if cursor is None:
                return found

    def _get(self, parameters: dict[str, str]) -> dict[str, object]:
        while True:
            answer = self.api.http.get("/tmpftp", params=parameters)
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                answer.raise_for_status()
                found: dict[str, object] = answer.json()
                return found
            time.sleep(float(answer.headers["Retry-After"]))

    def wait_until_ready(self, ids: Sequence[str]) -> None:
        """Wait until every one of `ids` is `listo`; AssertionError names what is not."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while missing := set(ids) - self.list_ids("listo"):
            failed = missing & self.list_ids("error")
            assert not failed, f"in error: {sorted(failed)[:5]}"
            assert time.monotonic() < deadline, f"not listo: {len(missing)}, such as {sorted(missing)[:5]}"
            time.sleep(2)


def read_own_seconds(access_log: Path, begins: int) -> list[float]:
    """Return how long the API itself took for each request that it logged from an offset on."""
    with access_log.open("rb") as log:
        log.seek(begins)
        text = log.read().decode("utf-8", "replace")
    return [float(found) / 1000 for found in ACCESS_LINE.findall(text)]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def describe(posted: Sequence[Posted]) -> str:
    """Return the answers by status and the senders' punctuality in one line."""
    answers = Counter(post.status for post in posted)
    took = [post.seconds for post in posted]
    return (
        f"answers {dict(sorted(answers.items()))}, median {1000 * statistics.median(took):.0f} ms, "
        f"most {1000 * max(took):.0f} ms, sent at most {max(post.late for post in posted):.2f} s late"
    )
