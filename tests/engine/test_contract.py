"""What every engine keeps to, on every database: hints may be lost, repeated or late, and nothing else may be."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from babymind.engine.base import Engine, Handlers, Work
from babymind.engine.inline import InlineEngine
from babymind.store.base import make_engine
from tests.engine.conftest import SOON, until

ENGINES = ("inline", "dbos", "dbos from another process")


@dataclass
class Pair:
    """An engine with handlers, and the engine to which hints are given: the same, or one of another process."""

    worker: Engine
    teller: Engine

    def start(self, handlers: Handlers) -> None:
        """Begin."""
        self.worker.start(handlers)

    def hint(self, work: Work = Work.DELIVER) -> None:
        """Give a hint."""
        self.teller.hint(work)


@dataclass
class Look:
    """A handler that keeps when it was called, and that a test can hold up or let fail."""

    at: list[float] = field(default_factory=list)
    ended: int = 0
    seconds: float = 0.0
    failures: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)
    at_work: int = 0
    most_at_work: int = 0

    def __post_init__(self) -> None:
        """Let it go, unless told otherwise."""
        self.go_on.set()

    def __call__(self) -> None:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        self.at.append(time.monotonic())
        time.sleep(self.seconds)
        assert self.go_on.wait(SOON)
        self.at_work -= 1
        self.ended += 1
        if self.failures:
            self.failures -= 1
            raise RuntimeError("broken once")


@pytest.fixture(params=ENGINES)
def make_pair(request: pytest.FixtureRequest, home: str) -> Iterator[Callable[[], Pair]]:
    """Make an engine with handlers and the one that is hinted to; what a test leaves is stopped."""
    made: list[Engine] = []

    def make() -> Pair:
        if request.param == "inline":
            worker: Engine = InlineEngine()
            pair = Pair(worker, worker)
        else:
            make_dbos = request.getfixturevalue("make_dbos")
            worker = make_dbos()
            pair = Pair(worker, worker if request.param == "dbos" else make_dbos())
        made.append(worker)
        return pair

    yield make
    for engine in made:
        engine.stop()


@pytest.fixture
def pair(make_pair: Callable[[], Pair]) -> Pair:
    return make_pair()


def test_a_hint_calls_its_handler_and_no_other(pair: Pair) -> None:
    deliver, receive = Look(), Look()
    pair.start({Work.DELIVER: deliver, Work.RECEIVE: receive})

    pair.hint(Work.RECEIVE)

    until(lambda: receive.at)
    assert deliver.at == []


@pytest.mark.fault(79)
def test_a_thousand_hints_at_once_are_few_looks_and_one_after_the_last(pair: Pair) -> None:
    look = Look(seconds=0.05)
    pair.start({Work.DELIVER: look})

    for _ in range(999):
        pair.hint()
    last = time.monotonic()
    pair.hint()

    until(lambda: look.at and look.at[-1] >= last)
    time.sleep(0.4)
    assert len(look.at) <= 10
    assert look.most_at_work == 1


def test_a_handler_that_fails_is_called_again_at_the_next_hint(pair: Pair) -> None:
    look = Look(failures=1)
    pair.start({Work.DELIVER: look})
    pair.hint()
    until(lambda: pair.worker.health()["failures"] == 1)

    pair.hint()

    until(lambda: look.ended == 2)
    assert pair.worker.health()["failures"] == 1
    assert pair.worker.health()["alive"] == {"engine-deliver": True}


def test_hints_that_come_during_a_look_are_one_more_look(pair: Pair) -> None:
    look = Look()
    look.go_on.clear()
    pair.start({Work.DELIVER: look})
    pair.hint()
    until(lambda: look.at)

    for _ in range(100):
        pair.hint()
    time.sleep(0.4)  # however long they are on their way, they find it at work
    assert len(look.at) == 1
    look.go_on.set()

    until(lambda: look.ended == 2)
    time.sleep(0.2)
    assert look.ended == 2
    assert look.most_at_work == 1


@pytest.mark.fault(2, 79)
def test_hints_that_are_lost_or_come_again_harm_nothing(pair: Pair, home: str) -> None:
    database = make_engine(home)
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE job (id INTEGER PRIMARY KEY, done INTEGER NOT NULL)"))

    def add(first: int, last: int) -> None:
        with database.begin() as connection:
            for number in range(first, last):
                connection.execute(text("INSERT INTO job VALUES (:id, 0)"), {"id": number})

    def do() -> None:
        with database.begin() as connection:
            connection.execute(text("UPDATE job SET done = done + 1 WHERE done = 0"))

    def done() -> list[int]:
        with database.begin() as connection:
            return list(connection.execute(text("SELECT done FROM job")).scalars())

    try:
        pair.start({Work.DELIVER: do})
        add(0, 10)  # of these nobody says anything
        add(10, 20)
        for _ in range(5):
            pair.hint()
        until(lambda: done() == [1] * 20)
        pair.hint()
        pair.hint()
        time.sleep(0.4)
        assert done() == [1] * 20
    finally:
        pair.worker.stop()
        with database.begin() as connection:
            connection.execute(text("DROP TABLE job"))
        database.dispose()


def test_a_slow_kind_does_not_delay_another(pair: Pair) -> None:
    fetch, deliver = Look(), Look()
    fetch.go_on.clear()
    pair.start({Work.FETCH_MEDIA: fetch, Work.DELIVER: deliver})
    pair.hint(Work.FETCH_MEDIA)
    until(lambda: fetch.at)

    for number in range(1, 4):
        pair.hint(Work.DELIVER)
        until(lambda number=number: deliver.ended >= number)  # type: ignore[misc]  # a default binds the number

    assert fetch.ended == 0
    fetch.go_on.set()


def test_stopping_finishes_what_is_under_way_and_calls_nothing_more(pair: Pair) -> None:
    look = Look()
    look.go_on.clear()
    pair.start({Work.DELIVER: look})
    pair.hint()
    until(lambda: look.at)

    threading.Timer(0.2, look.go_on.set).start()
    pair.worker.stop()
    ended = look.ended
    for _ in range(3):
        pair.hint()
        time.sleep(0.1)

    assert ended == 1
    assert len(look.at) == 1
    assert pair.worker.health()["alive"] == {}


def test_stopping_waits_no_longer_than_it_was_told(pair: Pair) -> None:
    looks = {work: Look() for work in Work}
    for look in looks.values():
        look.go_on.clear()
    pair.start(looks)
    for work in Work:
        pair.hint(work)
    until(lambda: all(look.at for look in looks.values()))

    began = time.monotonic()
    pair.worker.stop(0.5)

    assert time.monotonic() - began < 1.5
    for look in looks.values():
        look.go_on.set()


def test_another_begins_where_one_has_stopped(make_pair: Callable[[], Pair]) -> None:
    for _ in range(3):
        pair, look = make_pair(), Look()
        pair.start({Work.DELIVER: look})
        pair.hint()
        until(lambda look=look: look.ended)  # type: ignore[misc]  # a default binds this turn's handler
        pair.worker.stop()
