"""The servers of the benchmarks, each a process: ``python -m bench.served full|bare|provider …`` prints its port."""

import itertools
import sys
import threading
import time
from pathlib import Path

from flask import Flask, Response, abort, request
from sqlalchemy import Column, MetaData, String, Table, insert
from twilio.request_validator import RequestValidator

from babymind.app import create_app
from babymind.bootstrap import build
from babymind.config import Settings
from babymind.library.sms import segments
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange
from babymind.store.base import make_engine
from babymind.web.server import THREADS, WebServer
from bench.crowd import ANSWER_SECONDS
from bench.parts import KEY
from bench.webhooks import ACCOUNT, PATH, PUBLIC_URL, TOKEN

PROVIDER_THREADS = 80  # more than may ever call at once


def full(url: str, folder: str) -> Flask:
    """Our application, as ``gunicorn wsgi:app`` would serve it."""
    settings = Settings(
        database_url=url, secret_key="x" * 40, data_keys=(KEY,), public_url=PUBLIC_URL, channel="twilio",
        twilio_account_sid=ACCOUNT, twilio_auth_token=TOKEN, twilio_from="+447700900999",
        media_url=(Path(folder) / "media").as_uri(),
    )  # fmt: skip
    return create_app(build(settings), settings)


def bare(url: str, _folder: str) -> Flask:
    """One route that checks the signature and writes one row durably."""
    engine = make_engine(url)
    table = Table("bare", MetaData(), Column("sid", String, primary_key=True), Column("body", String))
    table.create(engine, checkfirst=True)
    app, validator = Flask("bare"), RequestValidator(TOKEN)

    @app.post(PATH)
    def message() -> Response:
        form = request.form
        if not validator.validate(PUBLIC_URL + PATH, form, request.headers["X-Twilio-Signature"]):
            abort(403)
        with engine.begin() as connection:
            connection.execute(insert(table).values(sid=form["MessageSid"], body=request.get_data(as_text=True)))
        return Response("<Response/>", content_type="text/xml")

    return app


def slow() -> Flask:
    """A provider that takes each message, answers after a moment, and remembers when it came."""
    app, came, numbers = Flask("slow"), list[tuple[float, str, int]](), itertools.count(1)

    @app.post("/2010-04-01/Accounts/<account>/Messages.json")
    def create(account: str) -> tuple[dict[str, object], int]:
        at, form = time.time(), request.form
        time.sleep(ANSWER_SECONDS)
        came.append((at, form["StatusCallback"].rpartition("/")[2], segments(form["Body"])))
        return {"sid": f"SM{next(numbers):032x}", "account_sid": account, "status": "queued", "to": form["To"]}, 201

    @app.get("/arrivals")
    def arrivals() -> list[tuple[float, str, int]]:
        return came

    return app


def main(what: str, *arguments: str) -> None:
    """Serve until the process is ended."""
    if what == "provider":
        config = SimulatorConfig(account_sid=ACCOUNT, auth_token=TOKEN, number="+447700900999",
                                 messages_webhook_url="http://127.0.0.1:9/none")  # fmt: skip
        with Exchange(config) as exchange, SimulatorServer(exchange) as server:
            print(server.url.rpartition(":")[2], flush=True)
            threading.Event().wait()
    threads = PROVIDER_THREADS if what == "slow" else THREADS
    app = slow() if what == "slow" else {"full": full, "bare": bare}[what](*arguments)
    with WebServer(app, threads=threads) as served:
        print(served.port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
