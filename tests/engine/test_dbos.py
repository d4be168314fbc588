"""The engine of several processes: who hears a hint, what is kept of it, and what happens without a database."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import make_url, text

from babymind.bootstrap import hints_url
from babymind.engine.base import Work
from babymind.engine.dbos import BELL, NAME, QUEUE, VERSION, DbosEngine
from babymind.errors import ConfigurationError
from babymind.store.base import make_engine
from tests.conftest import drop_postgres, fresh_postgres
from tests.engine.conftest import POLL_SECONDS, tables, until

MakeDbos = Callable[[], DbosEngine]


class Process:
    """A process with an engine, and what it has said."""

    def __init__(self, url: str) -> None:
        """Start it and wait until it listens."""
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._popen = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "tests.engine.process", hints_url(url)], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        assert self.said.get(timeout=30) == "ready"

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self.said.put(line.strip())

    def kill(self) -> None:
        """End it as a power cut would."""
        self._popen.send_signal(signal.SIGKILL)

    def end(self, seconds: float = 10) -> int:
        """Let it stop, and return its exit code."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        try:
            self._popen.stdin.close()
            return self._popen.wait(seconds)
        finally:
            self._popen.kill()
            self._popen.wait()
            self._reader.join()
            self._popen.stdout.close()


def drop(address: str) -> None:
    """Take a PostgreSQL database away, whoever is connected."""
    drop_postgres(make_url(address).set(database="postgres").render_as_string(hide_password=False), address)


# Who hears it


def test_two_processes_on_one_database_both_serve_and_one_goes_on_alone(home: str, make_dbos: MakeDbos) -> None:
    teller, first, second = make_dbos(), Process(home), Process(home)
    try:
        heard: dict[Process, int] = {first: 0, second: 0}
        deadline = time.monotonic() + 20
        while not all(heard.values()) and time.monotonic() < deadline:
            teller.hint(Work.RECEIVE)
            time.sleep(0.1)
            for process in heard:
                while not process.said.empty():
                    assert process.said.get() == "receive"
                    heard[process] += 1
        assert all(heard.values())

        first.kill()
        time.sleep(0.3)
        while not second.said.empty():
            second.said.get()
        for work in Work:
            teller.hint(work)

        assert {second.said.get(timeout=10) for _ in Work} == {work.value for work in Work}
    finally:
        first.end()
        assert second.end() == 0
    assert teller.health() == {"alive": {}, "failures": 0, "not_carried": 0}


def test_a_command_that_hints_and_ends_is_heard(home: str, make_dbos: MakeDbos) -> None:
    engine, heard = make_dbos(), threading.Event()
    engine.start({Work.RECEIVE: heard.set})

    command = "import sys; from babymind.engine.dbos import *; DbosEngine(sys.argv[1]).hint(Work.RECEIVE)"
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", command, hints_url(home)], capture_output=True, text=True, timeout=30, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert heard.wait(10)


def test_what_a_killed_process_took_is_heard_when_its_executor_id_comes_back(home: str, make_dbos: MakeDbos) -> None:
    first = make_dbos()
    first.start({})
    first.stop()
    teller = make_dbos()
    teller.hint(Work.RECEIVE)
    with tables(home) as (database, schema):
        taken = f"UPDATE {schema}workflow_status SET status = 'PENDING', executor_id = :me, recovery_attempts = 1"
        waits = "WHERE status = 'ENQUEUED' AND workflow_uuid LIKE 'receive:%'"
        until(lambda: _rows(database, f"SELECT 1 FROM {schema}workflow_status {waits}"))
        with database.begin() as connection:
            connection.execute(text(f"{taken} {waits}"), {"me": socket.gethostname()})
    second, heard = make_dbos(), threading.Event()

    second.start({Work.RECEIVE: heard.set})

    assert heard.wait(10)


def _rows(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.begin() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.fault(79)
def test_a_kind_of_a_later_release_is_passed_over_and_the_next_hint_heard(home: str, make_dbos: MakeDbos) -> None:
    worker, teller, heard = make_dbos(), make_dbos(), threading.Event()
    worker.start({Work.RECEIVE: heard.set})

    for number, kind in enumerate(("brew_coffee", Work.RECEIVE.value)):
        teller._carrier.enqueue(
            {"workflow_name": BELL, "queue_name": QUEUE, "app_version": VERSION, "workflow_id": f"later:{number}"},
            kind,
        )

    assert heard.wait(10)
    with tables(home) as (database, s):
        query = f"SELECT DISTINCT status FROM {s}workflow_status WHERE workflow_uuid = 'later:0'"
        until(lambda: _rows(database, query) == [("SUCCESS",)])


# What is kept


@pytest.mark.fault(84)
def test_nothing_is_kept_but_the_kind_as_json(home: str, make_dbos: MakeDbos) -> None:
    worker, teller, heard = make_dbos(), make_dbos(), threading.Event()
    worker.start({Work.FETCH_MEDIA: heard.set})

    teller.hint(Work.FETCH_MEDIA)

    assert heard.wait(10)
    with tables(home) as (database, s):
        query = (
            f"SELECT application_name, application_version, queue_name, serialization, {s}workflow_input.inputs "
            f"FROM {s}workflow_status JOIN {s}workflow_input USING (workflow_uuid) "
            f"WHERE {s}workflow_status.workflow_uuid LIKE 'fetch_media:%'"
        )
        kept = _rows(database, query)
        limits = _rows(database, f"SELECT concurrency, rate_limit_max FROM {s}queues WHERE name = '{QUEUE}'")
    inputs = '{"namedArgs":{},"positionalArgs":["fetch_media"]}'
    assert set(kept) == {(NAME, VERSION, QUEUE, "portable_json", inputs)}
    assert limits == [(None, None)]  # a cap over all processes would be used up by what killed ones left behind


@pytest.mark.fault(79)
def test_old_hints_are_removed_whatever_became_of_them(home: str, make_dbos: MakeDbos) -> None:
    worker, teller, heard = make_dbos(), make_dbos(), threading.Event()
    worker.start({Work.DELIVER: heard.set})
    teller.hint(Work.DELIVER)
    assert heard.wait(10)
    with tables(home) as (database, s):
        until(lambda: not _rows(database, f"SELECT 1 FROM {s}workflow_status WHERE status <> 'SUCCESS'"))
        old = [str(row[0]) for row in _rows(database, f"SELECT workflow_uuid FROM {s}workflow_status ORDER BY 1")]
        with database.begin() as connection:
            connection.execute(text(f"UPDATE {s}workflow_status SET created_at = created_at - 3700000"))
            broken = text(f"UPDATE {s}workflow_status SET status = 'PENDING' WHERE workflow_uuid = :one")
            connection.execute(broken, {"one": old[0]})

        worker.hint(Work.DELIVER)  # a tick

        for table in ("workflow_status", "workflow_input", "workflow_output"):
            left = f"SELECT workflow_uuid FROM {s}{table}"
            until(lambda left=left: not {row[0] for row in _rows(database, left)} & set(old))  # type: ignore[misc]  # bound


def test_the_tables_stand_apart_from_ours(tmp_path: Path) -> None:
    assert hints_url("sqlite:////var/lib/babymind/babymind.db") == "sqlite:////var/lib/babymind/babymind-hints.db"
    assert hints_url("postgresql://me:pw@db/babymind") == "postgresql://me:pw@db/babymind?connect_timeout=3"
    assert hints_url("postgresql://db/babymind?connect_timeout=9").endswith("?connect_timeout=9")
    for nowhere in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(ConfigurationError, match="other processes can open"):
            hints_url(nowhere)


# Without a database


@pytest.mark.parametrize("what", ["no server", "a server that says nothing", "no tables"])
def test_a_hint_that_cannot_be_carried_costs_its_caller_nothing(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        engine = DbosEngine(
            {
                "no server": "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=3",
                "a server that says nothing": f"postgresql://nobody@127.0.0.1:{port}/nothing?connect_timeout=2",
                "no tables": f"sqlite:///{tmp_path / 'x-hints.db'}",
            }[what]
        )

        began = time.monotonic()
        for _ in range(100):
            for work in Work:
                engine.hint(work)
        took = time.monotonic() - began

        until(lambda: engine.health()["not_carried"])
        engine.stop()
    assert took < 0.5
    engine.hint(Work.DELIVER)  # even now
    assert "nobody" not in "".join(capsys.readouterr())


def test_a_process_goes_on_by_its_own_ticks_when_the_database_goes_away_and_still_ends(postgres: str) -> None:
    home = fresh_postgres(postgres, template="template1")
    engine, looks = DbosEngine(hints_url(home), poll_seconds=POLL_SECONDS), threading.Semaphore(0)
    process = Process(home)
    engine.start({Work.DELIVER: looks.release})
    drop(home)
    time.sleep(0.2)

    engine.hint(Work.DELIVER)

    assert looks.acquire(timeout=5)
    began = time.monotonic()
    engine.stop(3)
    assert time.monotonic() - began < 4
    assert process.end() == 0


def test_hints_are_heard_again_when_the_database_is_back(postgres: str) -> None:
    home, heard = fresh_postgres(postgres, template="template1"), threading.Event()
    engine, teller = (DbosEngine(hints_url(home), poll_seconds=POLL_SECONDS) for _ in range(2))
    engine.start({Work.DELIVER: heard.set})
    for _ in range(2):
        with tables(home) as (database, _schema):
            _rows(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip

        deadline = time.monotonic() + 20
        while not heard.wait(0.3):
            teller.hint(Work.DELIVER)
            assert time.monotonic() < deadline
        heard.clear()
    for one in (teller, engine):
        one.stop()
    drop(home)


def test_a_start_without_the_right_to_make_tables_says_what_to_do(postgres: str, tmp_path: Path) -> None:
    home = fresh_postgres(postgres, template="template1")
    database = make_engine(home)
    with database.begin() as connection:
        connection.execute(text(f"CREATE ROLE guest_{os.getpid()} LOGIN"))
    database.dispose()
    guest = make_url(home).set(username=f"guest_{os.getpid()}").render_as_string(hide_password=False)

    for url in (guest, f"sqlite:///{tmp_path / 'no such folder' / 'x.db'}"):
        engine = DbosEngine(hints_url(url))
        with pytest.raises(ConfigurationError, match="create the schema dbos, or set BABYMIND_ENGINE to inline"):
            engine.start({})
        engine.stop()
    drop(home)
