"""How many connections there may be: the oldest that waits makes room, and nobody who is being answered is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tempoftp.server.places import Place, Places, name_address

FOREVER = 1000.0


class Ended(list[str]):
    """The names of the connections that were ended."""

    def note(self, name: str) -> Callable[[], None]:
        return lambda: self.append(name)


@pytest.fixture
def ended() -> Ended:
    return Ended()


def take(places: Places, ended: Ended, peer: str, name: str) -> Place | None:
    place = places.take(peer, ended.note(name))
    if place is not None:
        place.wait(FOREVER)
    return place


def test_the_oldest_of_an_address_makes_room(ended: Ended) -> None:
    async def run() -> None:
        places = Places(limit=10, per_address=2)
        for name in ("a1", "a2", "a3"):
            assert take(places, ended, "192.0.2.1", name)
        assert take(places, ended, "192.0.2.2", "b1")
        assert ended == ["a1"]
        assert places.count_waiting() == 3

    asyncio.run(run())


def test_who_is_being_answered_is_not_ended(ended: Ended) -> None:
    async def run() -> None:
        places = Places(limit=10, per_address=2)
        first, second = (take(places, ended, "192.0.2.1", name) for name in ("a1", "a2"))
        assert first is not None and second is not None
        first.work()
        assert take(places, ended, "192.0.2.1", "a3")
        assert ended == ["a2"]
        for place in places.list_waiting():
            place.work()
        assert take(places, ended, "192.0.2.1", "a4") is None
        first.leave()
        first.leave()
        assert take(places, ended, "192.0.2.1", "a5")

    asyncio.run(run())


def test_when_all_are_taken_the_greediest_address_makes_room(ended: Ended) -> None:
    async def run() -> None:
        places = Places(limit=4, per_address=None)
        for peer, name in (
            ("192.0.2.1", "a1"),
            ("192.0.2.2", "b1"),
            ("192.0.2.2", "b2"),
            ("192.0.2.3", "c1"),
        ):
            assert take(places, ended, peer, name)
        assert take(places, ended, "192.0.2.4", "d1")
        assert ended == ["b1"]

    asyncio.run(run())


def test_a_connection_that_waits_too_long_is_ended(ended: Ended) -> None:
    async def run() -> None:
        places = Places(limit=4, per_address=None)
        slow, answered = (places.take("192.0.2.1", ended.note(name)) for name in ("slow", "answered"))
        assert slow is not None and answered is not None
        for place in (slow, answered):
            place.wait(0.01)
        answered.work()
        await asyncio.sleep(0.05)

    asyncio.run(run())
    assert ended == ["slow"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
    ],
)
def test_an_address_is_one_household(one: str, other: str, same: bool) -> None:
    assert (name_address(one) == name_address(other)) is same
