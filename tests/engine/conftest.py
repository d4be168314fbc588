"""Both engines on both databases; DBOS keeps its tables from one test of a module to the next, as it does in life."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from babymind.bootstrap import hints_url
from babymind.engine.dbos import DbosEngine
from tests.conftest import DATABASES, drop_postgres, fresh_postgres

SOON = 10.0
POLL_SECONDS = 0.05


@pytest.fixture(scope="module", params=DATABASES)
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('engine') / 'babymind.db'}"
        return
    uri = request.getfixturevalue("postgres")
    address = fresh_postgres(uri, template="template1")
    yield address
    drop_postgres(uri, address)


@pytest.fixture
def make_dbos(home: str) -> Iterator[Callable[[], DbosEngine]]:
    """Make engines over that database; they are stopped, and the hints that nobody took are removed."""
    made: list[DbosEngine] = []

    def make() -> DbosEngine:
        made.append(DbosEngine(hints_url(home), poll_seconds=POLL_SECONDS))
        return made[-1]

    yield make
    for engine in made:
        engine.stop()
    with tables(home) as (database, schema), suppress(DBAPIError), database.begin() as connection:
        connection.execute(text(f"DELETE FROM {schema}workflow_status"))  # there are none before the first start


@contextmanager
def tables(home: str) -> Iterator[tuple[Database, str]]:
    """Open the tables of DBOS; also how their names begin."""
    url = make_url(hints_url(home))
    if url.get_backend_name() == "sqlite":  # as DBOS opens it: ours would turn its journal into another kind
        database = create_engine(url, connect_args={"timeout": 30})
    else:
        database = create_engine(url.set(drivername="postgresql+psycopg"))
    yield database, "dbos." if database.dialect.name == "postgresql" else ""
    database.dispose()


def until(true: Callable[[], object], seconds: float = SOON) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to be so"
        time.sleep(0.005)
