"""An installation of real parts on this machine, put together as in the demo, with a clock that tests move on."""

import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog
from cryptography.fernet import Fernet
from flask import Flask

from babymind import bootstrap
from babymind.app import create_app
from babymind.clock import utc_now
from babymind.config import Settings
from babymind.demo import SENDER, awake_zones
from babymind.engine.base import Work
from babymind.services import accounts, plan
from babymind.services.context import Context
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange
from babymind.web.auth import hash_password
from babymind.web.server import WebServer
from babymind.worker import Worker

EMAIL = "team@example.org"
PASSWORD = "a-long-enough-password"
WAIT_SECONDS = 15


class MovableClock:
    """Stands where ``babymind.clock`` reads the time: the real time, and what a test has moved it on by."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self, zone: tzinfo | None = None) -> datetime:
        """Return the present instant, as ``datetime.now`` does."""
        return datetime.now(zone) + self._ahead

    def move_to(self, instant: datetime) -> None:
        """Go on from another instant."""
        self._ahead = instant - datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What runs, and where."""

    ctx: Context
    exchange: Exchange
    staff: str  # address of the web server
    phones: str  # address of the phone simulator
    zone: ZoneInfo  # where it is day, at whatever hour the test runs
    clock: MovableClock

    def now(self) -> datetime:
        """Return the time on a clock on the wall of a family."""
        return utc_now().astimezone(self.zone)

    def move_to(self, instant: datetime) -> None:
        """Let a time come, once all that is under way has arrived."""
        assert self.exchange.settle(WAIT_SECONDS)
        self.clock.move_to(instant)
        self.tick()

    def tick(self) -> None:
        """Plan, and look at what is due, as the worker's clock does within a minute."""
        plan.plan_due(self.ctx)
        self.ctx.engine.hint(Work.DELIVER)


def until(true: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Wait until something is true, but not for ever."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


@contextmanager
def short_log() -> Iterator[None]:
    """Log a failure in a few lines: with all that its frames hold, a page that fails takes many seconds to say so."""
    before = structlog.get_config()
    structlog.configure([structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])
    yield
    structlog.configure(**before)


@contextmanager
def running(folder: Path, template: Path) -> Iterator[Installation]:
    """Start web server, phone simulator, clock and engine over an SQLite file, with one account for the team."""
    shutil.copy(template, folder / "babymind.db")
    clock, shell = MovableClock(), Flask("shell")
    web = WebServer(shell)  # takes its port first: everything else is told its address
    staff = f"http://127.0.0.1:{web.port}"
    account = SimulatorConfig(
        account_sid=f"AC{secrets.token_hex(16)}",
        auth_token=secrets.token_hex(16),
        number=SENDER,
        messages_webhook_url=f"{staff}/webhooks/twilio/messages",
        callback_delay_seconds=0,
    )
    with pytest.MonkeyPatch.context() as patch, short_log(), web, Exchange(account, str(folder / "p.db")) as exchange:
        patch.setattr("babymind.clock.datetime", clock)
        with SimulatorServer(exchange) as simulator:
            settings = Settings(
                database_url=f"sqlite:///{folder / 'babymind.db'}",
                secret_key=secrets.token_urlsafe(48),
                data_keys=(Fernet.generate_key().decode(),),
                public_url=staff,
                channel="simulator",
                twilio_account_sid=account.account_sid,
                twilio_auth_token=account.auth_token,
                twilio_from=account.number,
                twilio_api_base_url=simulator.url,
                media_url=(folder / "media").as_uri(),
            )
            ctx = bootstrap.build(settings)
            accounts.add_staff(
                ctx, EMAIL, PASSWORD, roles=["reviewer", "lead"], name="Ines", hash_password=hash_password
            )
            shell.wsgi_app = create_app(ctx, settings)  # type: ignore[method-assign]  # the door is there: open it
            worker = Worker(ctx)
            worker.start()
            zone = ZoneInfo(awake_zones(utc_now())[0])
            try:
                yield Installation(
                    ctx=ctx, exchange=exchange, staff=staff, phones=simulator.url, zone=zone, clock=clock
                )
                failures = ctx.engine.health()["failures"]
            finally:
                exchange.settle()
                worker.stop()
    ctx.database.dispose()
    assert failures == 0, "work failed in the background; the log says which"
