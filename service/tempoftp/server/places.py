"""How many connections there may be, in all and from one address, and how long each may take.

A connection *waits* while its TLS handshake or its request is not complete, and between two requests. When there are
too many, the oldest one that waits is ended and the new one is let in: a client that sends its request at once is
served, whoever else holds connections.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable

IPV6_PREFIX = 64


class Place:
    """The place of one connection. `end` ends the connection at once."""

    def __init__(self, places: Places, address: str, end: Callable[[], None]) -> None:
        self._places = places
        self._timer: asyncio.TimerHandle | None = None
        self.address = address
        self.end = end

    def wait(self, seconds: float) -> None:
        """Say that the connection waits; it is ended when it waits for longer than `seconds`."""
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.end)
        self._places.add_waiting(self)

    def work(self) -> None:
        """Say that a complete request is being answered."""
        self._stop_timer()
        self._places.remove_waiting(self)

    def leave(self) -> None:
        """Give the place back; a second call does nothing."""
        self._stop_timer()
        self._places.remove(self)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Places:
    """The places of one process."""

    def __init__(self, limit: int, per_address: int | None) -> None:
        self._limit = limit
        self._per_address = per_address
        self._taken: set[Place] = set()
        self._by_address: Counter[str] = Counter()
        # By address, the oldest first.
        self._waiting: dict[str, dict[Place, None]] = {}

    def take(self, peer: str, end: Callable[[], None]) -> Place | None:
        """Return a place for a new connection; None when all are taken by connections that are being answered."""
        address = name_address(peer)
        if self._per_address is not None and self._by_address[address] >= self._per_address:
            if not self._end_oldest(address):
                return None
        elif len(self._taken) >= self._limit and not self._end_oldest(self._find_greediest()):
            return None
        place = Place(self, address, end)
        self._taken.add(place)
        self._by_address[address] += 1
        return place

    def count_waiting(self) -> int:
        """Return how many connections wait."""
        return sum(map(len, self._waiting.values()))

    def list_waiting(self) -> list[Place]:
        """Return the places of the connections that wait."""
        return [place for waiting in self._waiting.values() for place in waiting]

    def _find_greediest(self) -> str:
        return max(self._waiting, key=lambda address: len(self._waiting[address]), default="")

    def _end_oldest(self, address: str) -> bool:
        oldest = next(iter(self._waiting.get(address, {})), None)
        if oldest is None:
            return False
        oldest.end()
        oldest.leave()
        return True

    def add_waiting(self, place: Place) -> None:
        """Make a place the youngest of its address that waits."""
        self.remove_waiting(place)
        if place in self._taken:
            self._waiting.setdefault(place.address, {})[place] = None

    def remove_waiting(self, place: Place) -> None:
        """Note that a place does not wait."""
        waiting = self._waiting.get(place.address)
        if waiting is not None and place in waiting:
            del waiting[place]
            if not waiting:
                del self._waiting[place.address]

    def remove(self, place: Place) -> None:
        """Free a place."""
        self.remove_waiting(place)
        if place in self._taken:
            self._taken.remove(place)
            self._by_address[place.address] -= 1
            if not self._by_address[place.address]:
                del self._by_address[place.address]


def name_address(peer: str) -> str:
    """Return what is counted as one address: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        found = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
    return str(found)
