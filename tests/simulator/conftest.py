"""A simulated provider on a free port, the real client pointed at it, and an application that it calls."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from babymind.simulator.config import SimulatorConfig
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange

ACCOUNT = "AC" + "5" * 32
TOKEN = "the-accounts-token"
SERVICE = "MG" + "7" * 32
OURS = "+447700900999"
SAM = "+447700900001"


class Call(NamedTuple):
    """One request that the provider made to the application."""

    path: str
    form: dict[str, str]
    headers: dict[str, str]


class Receiver:
    """The application's side: keeps every call, and answers with the next of ``answers``, else 204."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: list[int] = []  # 0 hangs up without an answer
        self.hangs_up = False  # after every answer, without saying so
        self.together: threading.Barrier | None = None  # answers only when so many calls are under way at once
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_POST(self) -> None:
                receiver.take(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        """Keep one call and answer it."""
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        with self._changed:
            form = dict(parse_qsl(body, keep_blank_values=True, strict_parsing=bool(body)))
            self.calls.append(Call(handler.path, form, dict(handler.headers.items())))
            answer = self.answers.pop(0) if self.answers else 204
            self._changed.notify_all()
        if self.together is not None:
            self.together.wait(5)
        if answer == 0:
            handler.close_connection = True
            return
        handler.send_response(answer)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        handler.close_connection = handler.close_connection or self.hangs_up

    def wait_for(self, count: int) -> list[Call]:
        """Wait until there were so many calls."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.calls) >= count, 5), self.calls
            return list(self.calls)

    def stop(self) -> None:
        """Close."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def config(receiver: Receiver) -> SimulatorConfig:
    return SimulatorConfig(
        account_sid=ACCOUNT,
        auth_token=TOKEN,
        number=OURS,
        messages_webhook_url=f"{receiver.url}/webhooks/twilio/messages",
        messaging_service_sid=SERVICE,
        callback_delay_seconds=0,
        workers=2,
    )


@pytest.fixture
def exchange(config: SimulatorConfig) -> Iterator[Exchange]:
    with Exchange(config) as exchange:
        yield exchange


@pytest.fixture
def server(exchange: Exchange) -> Iterator[SimulatorServer]:
    with SimulatorServer(exchange) as server:
        yield server


@pytest.fixture
def make_client(server: SimulatorServer) -> Iterator[Callable[..., Any]]:
    made: list[TwilioHttpClient] = []

    def make(*, token: str = TOKEN, timeout: float = 5) -> Any:
        http = TwilioHttpClient(timeout=timeout)
        made.append(http)
        client = Client(ACCOUNT, token, http_client=http)
        client.api.base_url = server.url
        return client

    yield make
    for http in made:
        http.session.close()


@pytest.fixture
def client(make_client: Callable[..., Any]) -> Any:
    return make_client()


def eventually(true: Callable[[], bool], seconds: float = 5) -> bool:
    """Wait until something is true, but not for ever."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
