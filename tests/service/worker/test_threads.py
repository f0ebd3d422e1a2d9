"""The worker's threads: no work is lost, none is done twice at the same time, and no waiter is passed over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tempoftp.worker.threads import RunSlots, WakeableThread


def wait_for(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


class Work:
    """Notes its rounds; each waits until the test lets it go."""

    def __init__(self) -> None:
        self.rounds = 0
        self.may_go = threading.Semaphore(0)

    def __call__(self) -> None:
        self.rounds += 1
        assert self.may_go.acquire(timeout=20)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def thread(work: Work) -> Iterator[WakeableThread]:
    thread = WakeableThread("test", work)
    thread.start()
    yield thread
    thread.stop()
    work.may_go.release(100)
    assert thread.join(20)


def test_many_wake_ups_during_work_are_one_round(work: Work, thread: WakeableThread) -> None:
    assert not thread.wake()
    wait_for(lambda: work.rounds == 1)
    assert all(thread.wake() for _ in range(50))
    work.may_go.release()
    wait_for(lambda: work.rounds == 2)
    work.may_go.release()
    wait_for(lambda: not thread._is_asked and not thread._is_working)
    assert work.rounds == 2


def test_work_that_is_on_can_be_enough(work: Work, thread: WakeableThread) -> None:
    thread.wake()
    wait_for(lambda: work.rounds == 1)
    assert thread.wake(again=False)
    work.may_go.release()
    thread.stop()
    assert thread.join(20)
    assert work.rounds == 1


def test_no_wake_up_is_lost() -> None:
    """Each number that was noted before a wake-up is seen by a round that begins after it."""
    noted, seen = [0], [0]

    def look() -> None:
        seen[0] = noted[0]

    thread = WakeableThread("test", look)
    thread.start()
    for number in range(1, 3001):
        noted[0] = number
        thread.wake()
        if number % 100 == 0:
            wait_for(lambda number=number: seen[0] == number)
    thread.stop()
    assert thread.join(20)
    assert seen == [3000]


def test_work_that_breaks_is_done_again(caplog: pytest.LogCaptureFixture) -> None:
    rounds: list[int] = []

    def fail() -> None:
        rounds.append(1)
        raise ZeroDivisionError

    thread = WakeableThread("fragile", fail, every=0.01)
    thread.start()
    wait_for(lambda: len(rounds) >= 3)
    thread.stop()
    assert thread.join(20)
    assert "the work of thread fragile broke" in caplog.text


def test_stop_ends_a_wait_inside_of_the_work() -> None:
    ends: list[bool] = []
    thread = WakeableThread("test", lambda: ends.append(thread.wait(600)))
    thread.start()
    thread.wake()
    wait_for(lambda: thread.wake(again=False))
    thread.stop()
    assert thread.join(20)
    assert ends == [False]


def test_a_thread_that_never_started_has_ended() -> None:
    assert WakeableThread("test", lambda: None).join(0)


def test_slots_go_to_the_one_that_waits_longest() -> None:
    slots = RunSlots(1)
    order: list[int] = []

    def run(number: int) -> None:
        with slots.hold():
            order.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(20)]
    with slots.hold():
        for number, thread in enumerate(threads):
            thread.start()
            wait_for(lambda number=number: len(slots._waiting) == number + 1)
    for thread in threads:
        thread.join(20)
    assert order == list(range(20))


@pytest.mark.parametrize(("count", "most"), [(3, 3), (None, 12)])
def test_slots_bound_what_runs_at_once(count: int | None, most: int) -> None:
    slots = RunSlots(count)
    lock, may_end = threading.Lock(), threading.Event()
    inside, seen = 0, 0

    def run() -> None:
        nonlocal inside, seen
        with slots.hold():
            with lock:
                inside += 1
                seen = max(seen, inside)
            may_end.wait(20)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    wait_for(lambda: inside + len(slots._waiting) == 12)
    assert inside == most
    may_end.set()
    for thread in threads:
        thread.join(20)
    assert (inside, seen) == (0, most)


def test_a_run_that_breaks_gives_its_slot_back() -> None:
    slots = RunSlots(1)
    with pytest.raises(ZeroDivisionError), slots.hold():
        raise ZeroDivisionError
    with slots.hold():
        pass
