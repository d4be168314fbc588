"""The simulator as an application, and as a server on this machine."""

from datetime import datetime
from types import TracebackType
from typing import Self

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

from babymind.errors import ConfigurationError, InvalidInputError
from babymind.listener import Listener
from babymind.simulator import current
from babymind.simulator.access import is_this_machine
from babymind.simulator.config import is_loopback
from babymind.simulator.creation import Creation
from babymind.simulator.faults import Fault
from babymind.simulator.pages import pages
from babymind.simulator.rates import by_sender
from babymind.simulator.rest import rest
from babymind.simulator.state import Exchange

UPLOAD_LIMIT_BYTES = 32 * 1024 * 1024


def create_simulator(exchange: Exchange) -> Flask:
    """Make the application: the REST surface, the page with the phones, and the faults."""
    app = Flask("babymind.simulator")
    app.config["MAX_CONTENT_LENGTH"] = UPLOAD_LIMIT_BYTES
    app.extensions["exchange"] = exchange
    app.register_blueprint(rest)
    app.register_blueprint(pages)
    app.before_request(_only_this_machine)
    app.add_url_rule("/simulator/faults", view_func=faults, methods=["GET", "POST", "DELETE"])
    app.add_url_rule("/simulator/senders", view_func=senders)
    app.wsgi_app = Creation(app.wsgi_app, exchange)  # type: ignore[method-assign]  # as Flask documents it
    return app


def _only_this_machine() -> Response | None:
    """Refuse a request under another name, or from another site's page: both come through a browser's back."""
    if not is_this_machine(request.host):
        return Response("The simulator answers on this machine only", 403, content_type="text/plain")
    origin = request.headers.get("Origin")
    if request.method not in {"GET", "HEAD"} and origin is not None and origin != request.host_url.rstrip("/"):
        return Response("This came from another site", 403, content_type="text/plain")
    return None


def faults() -> ResponseReturnValue:
    """Show, set or clear the plan of what goes wrong; JSON ``{"faults": [{"name": …}], "seed": 1}``."""
    plan = current.exchange().faults
    if request.method == "POST":
        data = request.get_json(silent=True)
        if not isinstance(data, dict) or not isinstance(data.get("faults"), list):
            return {"error": 'Send JSON: {"faults": [{"name": "throttle", "times": 3}]}'}, 400
        seed = data.get("seed", 1)
        if type(seed) is not int:
            return {"error": "seed is a whole number"}, 400
        try:
            plan.set([Fault.from_json(entry) for entry in data["faults"]], seed=seed)
        except InvalidInputError as error:
            return {"error": str(error)}, 400
    elif request.method == "DELETE":
        plan.clear()
    return {"faults": plan.report()}


def senders() -> ResponseReturnValue:
    """Tell how much came from each sender, and the most in any one second; since ``?since=`` an instant, if given."""
    since = request.args.get("since")
    try:
        came = current.exchange().came(datetime.fromisoformat(since) if since else None)
    except (ValueError, TypeError):
        return {"error": "since is an instant such as 2026-11-26T09:00:00+00:00"}, 400
    return {"senders": by_sender(came)}


class SimulatorServer:
    """The simulator on a port of this machine, in threads of its own; also a context manager."""

    def __init__(self, exchange: Exchange, *, host: str = "127.0.0.1", port: int = 0, threads: int = 8) -> None:
        """Prepare; port 0 takes any free one.

        Raises:
            ConfigurationError: The host is not a loopback address.
        """
        if not is_loopback(host):
            raise ConfigurationError("The simulator listens on a loopback address only, such as 127.0.0.1")
        self._exchange = exchange
        self._bind = ("127.0.0.1" if host == "localhost" else host, port, threads)
        self._listener: Listener | None = None

    def start(self) -> Self:
        """Listen and answer, until ``stop``."""
        host, port, threads = self._bind
        self._listener = Listener(
            create_simulator(self._exchange), host=host, port=port, threads=threads,
            max_body_bytes=4 * UPLOAD_LIMIT_BYTES,  # Flask refuses earlier, in words for a person
        )  # fmt: skip
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self._listener.port}"
        self._exchange.base_url = self.url
        self._exchange.faults.interrupt(on=False)
        self._listener.start()
        return self

    def stop(self) -> None:
        """Stop answering and close every connection; the exchange goes on living."""
        if self._listener is None:
            return
        self._exchange.faults.interrupt()
        self._listener.stop()
        self._listener = None
        self._exchange.faults.interrupt(on=False)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()
