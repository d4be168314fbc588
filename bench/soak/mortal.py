"""The processes of a soak, and the places at which one dies: nothing of this is in the program itself.

Each is forked from a server that has this module loaded, so that a death costs a fraction of a second of loading.
"""

import itertools
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from babymind import worker
from babymind.app import create_app
from babymind.bootstrap import build, set_up_logging
from babymind.channels.twilio import TwilioChannel
from babymind.cli import main as command
from babymind.clock import utc_now
from babymind.config import Settings
from babymind.domain import delivery, looking
from babymind.engine.dbos import DbosEngine
from babymind.engine.inline import InlineEngine
from babymind.library.bank import Library
from babymind.library.commands import default_root
from babymind.media.files import ObjectMediaStore
from babymind.services import deliver, receipts, receive
from babymind.services import plan as planning
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange
from babymind.store import deliveries, looks, replies
from babymind.store import plan as plan_store
from babymind.web.server import serve_forever

SENDER = "+447700900999"
PROVIDER_THREADS = 64  # some of them hang
LIBRARY = Library.load(default_root(), utc_now().date())
DEATHS, ARMED = "deaths", "armed"  # files in the folder of a run: who died where; whether anybody still may


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the code at which a process may be killed: before a function does its work, or after it."""

    role: str
    owners: tuple[Any, ...]
    function: str
    after: bool = True
    often: bool = False  # comes with every message: not always killed at the first few


POINTS: Mapping[str, Point] = {
    "planning, before the commit": Point("worker", (plan_store,), "plan_chunk"),
    "planned, before the hint": Point("worker", (planning,), "plan_due"),
    "claimed, before the request": Point("worker", (TwilioChannel,), "send", after=False, often=True),
    "accepted, before our commit": Point("worker", (TwilioChannel,), "send", often=True),
    "recording, before the commit": Point("worker", (deliveries,), "record"),
    "looked up, before our commit": Point("worker", (TwilioChannel,), "look_up"),
    "reconciling, before the commit": Point("worker", (looks,), "write"),
    "picture copied, before its row": Point("worker", (ObjectMediaStore,), "put"),
    "reading a reply, before the commit": Point("worker", (deliveries,), "latest_prompt"),
    "keeping a reply, before the commit": Point("web", (replies,), "store_raw"),
    "reply kept, before the hint": Point("web", (InlineEngine, DbosEngine), "hint", after=False),
    "receipt, before the commit": Point("web", (deliveries,), "apply_receipt", often=True),
}
PLANNING, PLANNED = FIRST = tuple(POINTS)[:2]  # there is but one plan in a run: they come before all others start
ACCEPTED = "accepted, before our commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a process is to be."""

    role: str  # worker, web or provider
    name: str
    environment: Mapping[str, str]
    folder: Path
    port: int = 0
    point: str | None = None  # where it dies…
    nth: int = 1  # …when it comes there so often
    reconciles: bool = True


def live(orders: Orders) -> None:
    """Be a process of the installation, or its provider, until told to end or killed."""
    _become(orders)
    if orders.role == "provider":
        _provide(orders)
    _hurry()
    if orders.point:
        _die_at(orders.point, orders.nth, orders.folder)
    if not orders.reconciles:
        TwilioChannel.look_up = lambda *_: None  # type: ignore[method-assign]  # "it is not there", whatever is true
    if orders.role == "worker":
        sys.argv = ["babymind", "worker"]
        command()
        return
    settings = Settings.read()
    set_up_logging(settings.log_format)
    serve_forever(create_app(build(settings), settings), host="127.0.0.1", port=orders.port)


def _become(orders: Orders) -> None:
    for name in [name for name in os.environ if name.startswith("BABYMIND_")]:
        del os.environ[name]
    os.environ.update(orders.environment)
    log = os.open(orders.folder / f"{orders.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    # Reading the bank takes longer than all else, and every process reads the same.
    Library.load = staticmethod(lambda *_: LIBRARY)  # type: ignore[method-assign,assignment]


def _provide(orders: Orders) -> None:
    environment = orders.environment
    config = SimulatorConfig(
        account_sid=environment["BABYMIND_TWILIO_ACCOUNT_SID"], auth_token=environment["BABYMIND_TWILIO_AUTH_TOKEN"],
        number=SENDER, messages_webhook_url=f"{environment['BABYMIND_PUBLIC_URL']}/webhooks/twilio/messages",
        callback_delay_seconds=0.1, workers=8,
    )  # fmt: skip
    with (
        Exchange(config, str(orders.folder / "phones.db")) as exchange,
        SimulatorServer(exchange, port=orders.port, threads=PROVIDER_THREADS),
    ):
        threading.Event().wait()


def _hurry() -> None:
    """Look often and wait shortly, so that a run takes minutes: how long we wait is no part of the promise."""
    worker.LOOK_SECONDS, worker.PLAN_SECONDS, worker.LISTEN_SECONDS = 1, 5, 2
    receive.LISTEN_EVERY, receive.LISTEN_AGAIN = timedelta(seconds=4), timedelta(seconds=30)
    receive.FETCH_HOLD_SECONDS = 6
    looking.RECEIPT_WAITS = (4.0, 6.0, 8.0)
    deliver.THROTTLED_SECONDS, deliver.CONFIGURATION_SECONDS, receipts.THROTTLED_SECONDS = 1, 2, 1
    delivery.AGAIN_SECONDS = delivery.AGAIN_LATER_SECONDS = (1, 1, 2, 2)
    planning.CHUNK_CAREGIVERS = 500


def _die_at(name: str, nth: int, folder: Path) -> None:
    point, count, only_once = POINTS[name], itertools.count(1), threading.Lock()

    def die() -> None:
        only_once.acquire()  # for good
        with (folder / DEATHS).open("a", encoding="utf-8") as deaths:
            deaths.write(f"{name}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    for owner in point.owners:
        original = getattr(owner, point.function)

        def deadly(*args: Any, _original: Any = original, **named: Any) -> Any:
            result = _original(*args, **named) if point.after else None
            empty = name == PLANNED and not result  # a look that planned nothing
            if not empty and next(count) >= nth and (folder / ARMED).exists():
                die()
            return result if point.after else _original(*args, **named)

        setattr(owner, point.function, deadly)
