"""The commands as real processes, with either engine on either database: they hear, they drain, they end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from babymind.bootstrap import build
from babymind.clock import utc_now
from babymind.config import Settings
from babymind.demo import awake_zones
from babymind.domain.delivery import DeliveryStatus, Kind
from babymind.engine.base import Work
from babymind.engine.dbos import DbosEngine
from babymind.engine.inline import InlineEngine
from babymind.errors import ConfigurationError
from babymind.services.context import Context
from babymind.store.deliveries import Delivery
from tests.engine.conftest import until
from tests.factories import JO, SAM, enrol_family, rows

ENDS_SECONDS = 10


class Provider:
    """Takes messages on a port of this machine, and answers as Twilio does once a test lets it."""

    def __init__(self) -> None:
        """Listen."""
        self.asked: list[str] = []  # to which numbers
        self.answers = threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                provider.asked.append(form["To"][0])
                provider.answers.wait(ENDS_SECONDS)
                body = json.dumps({"sid": f"SM{len(provider.asked):032}", "status": "queued"}).encode()
                self.send_response(201)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Close."""
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.stop()


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, provider: Provider
) -> Callable[[str, str], dict[str, str]]:
    """Set up the environment of an installation with an engine and a database."""

    def set_up(engine: str, database_url: str) -> dict[str, str]:
        monkeypatch.chdir(tmp_path)
        for name in [name for name in os.environ if name.startswith("BABYMIND_")]:
            monkeypatch.delenv(name)
        values = {
            "ENGINE": engine, "DATABASE_URL": database_url, "MEDIA_URL": (tmp_path / "media").as_uri(),
            "SECRET_KEY": "s" * 40, "DATA_KEYS": "PVnlZOCm0cpIkz0f6ZHh7KHy1Lz7KHgvC4mCsRKkmN4=",
            "PUBLIC_URL": "http://127.0.0.1:8000", "CHANNEL": "simulator", "TWILIO_API_BASE_URL": provider.url,
            "TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "t", "TWILIO_FROM": "+447700900999",
        }  # fmt: skip
        for name, value in values.items():
            monkeypatch.setenv(f"BABYMIND_{name}", value)
        path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "error"}

    return set_up


@contextmanager
def running(env: dict[str, str], *command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command until the end of the block."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "babymind", *command], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def opened(*, need_schema: bool = True) -> Iterator[Context]:
    """Open the installation in this process too, as a web server without a worker has it."""
    ctx = build(Settings.read(), need_schema=need_schema)
    try:
        yield ctx
    finally:
        ctx.engine.stop()
        ctx.senders.shutdown()
        ctx.database.dispose()


@pytest.mark.fault(101)
@pytest.mark.parametrize("engine", ["inline", "dbos"])
def test_a_worker_hears_of_others_and_on_sigterm_finishes_what_is_under_way(
    engine: str, database_url: str, environment: Callable[[str, str], dict[str, str]], provider: Provider
) -> None:
    env, zone, last = environment(engine, database_url), awake_zones(utc_now())[0], SAM
    with opened() as ctx:
        enrol_family(ctx, phone=SAM, zone=zone)
        with running(env, "worker") as worker:
            until(lambda: provider.asked == [SAM], 40)  # the worker's first look; the next is in 15 seconds
            if engine == "dbos":
                provider.answers.set()
                until(lambda: [row.status for row in welcomes(ctx)] == [DeliveryStatus.ACCEPTED])
                provider.answers.clear()
                enrol_family(ctx, phone=JO, zone=zone)
                until(lambda: provider.asked == [SAM, JO], 8)
                last = JO

            worker.send_signal(signal.SIGTERM)
            threading.Timer(0.5, provider.answers.set).start()
            _, said = worker.communicate(timeout=ENDS_SECONDS)

        assert (worker.returncode, provider.asked[-1]) == (0, last)
        assert {row.status for row in welcomes(ctx)} == {DeliveryStatus.ACCEPTED}
        # Nothing but our own lines, and nothing that went wrong.
        assert {json.loads(line)["level"] for line in said.splitlines()} <= {"info"}, said


def welcomes(ctx: Context) -> list[Delivery]:
    return rows(ctx, Delivery, kind=Kind.WELCOME)


def test_serve_hears_hints_of_commands_and_ends(
    sqlite_template: Path, environment: Callable[[str, str], dict[str, str]], provider: Provider, tmp_path: Path
) -> None:
    env = environment("dbos", f"sqlite:///{shutil.copy(sqlite_template, tmp_path)}")
    provider.answers.set()
    with opened() as ctx, running(env, "serve", "--port", "8741") as server:
        until(lambda: health() is not None, 40)
        enrol_family(ctx, phone=SAM, zone=awake_zones(utc_now())[0])
        until(lambda: provider.asked == [SAM], 8)

        alive = {f"engine-{work}": True for work in Work}
        assert health() == {"alive": alive, "failures": 0, "not_carried": 0}
        server.send_signal(signal.SIGTERM)
        assert server.wait(ENDS_SECONDS) == 0


def health() -> Any:
    """Return what a server says of its engine; None while it does not answer."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:8741/healthz", timeout=5) as answer:
            return json.load(answer)["engine"]
    except OSError:
        return None


# The choice of the engine


def test_the_engine_is_the_one_of_the_settings(
    environment: Callable[[str, str], dict[str, str]], tmp_path: Path
) -> None:
    for name, kind in (("inline", InlineEngine), ("dbos", DbosEngine)):
        environment(name, f"sqlite:///{tmp_path / 'x.db'}")
        with opened(need_schema=False) as ctx:
            assert type(ctx.engine) is kind


def test_a_missing_extra_is_named(
    environment: Callable[[str, str], dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment("dbos", f"sqlite:///{tmp_path / 'x.db'}")
    monkeypatch.setitem(sys.modules, "dbos", None)
    monkeypatch.delitem(sys.modules, "babymind.engine.dbos")

    with pytest.raises(ConfigurationError) as said:
        build(Settings.read(), need_schema=False)

    assert str(said.value) == (
        "BABYMIND_ENGINE dbos needs the extra 'scale' (dbos is missing); "
        "install it with: pip install 'babymind[scale]'"
    )
