"""Many messages for many phones that are due now, and the processes that send them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import text, update

from babymind.services.context import Context
from babymind.store import months
from babymind.store.studies import Arm
from bench.parts import KEY, add_families, analyse
from bench.webhooks import ACCOUNT, TOKEN

ANSWER_SECONDS = 0.05  # of the provider here
WORDS = "A fact of about the usual length, as it is told to a family of the bench. " * 2
NUMBER = "+447700900999"


def due_now(ctx: Context, families: int, messages: int, now: datetime) -> None:
    """Make so many deliveries due, to each family in turn, where it is noon; nothing else is planned for them."""
    add_families(ctx, families, now, zone=noon_zone(now))
    with ctx.sessions.begin() as session:
        session.execute(update(Arm).values(gets_facts=False, gets_prompts=False))
    more_due(ctx, families, messages, now)
    analyse(ctx.database)


def more_due(ctx: Context, families: int, messages: int, now: datetime, *, first: int = 0) -> None:
    """Make more deliveries due, in one statement."""
    sealed = ctx.vault.seal(WORDS)
    numbers = (
        f"WITH RECURSIVE one(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM one WHERE n < {first + messages - 1})"
        if ctx.database.dialect.name == "sqlite"
        else f"WITH one(n) AS (SELECT * FROM generate_series({first}, {first + messages - 1}))"
    )
    as_text = "CAST(n AS VARCHAR)"
    with ctx.sessions.begin() as session:
        months.have(session, [now.date()])
        session.execute(
            text(
                "INSERT INTO delivery (caregiver_id, kind, occasion, priority, local_day, due_at, window_ends_at, "
                f"status, attempts, failures, text_sealed) {numbers} "
                f"SELECT n % {families} + 1, 'comment', 'bench:' || {as_text}, 1, :day, :due_at, :ends_at, "
                "'planned', 0, 0, :sealed FROM one"
            ),
            {"day": now.date().isoformat() if ctx.database.dialect.name == "sqlite" else now.date(),
             "due_at": _stored(ctx, now - timedelta(minutes=1)), "ends_at": _stored(ctx, now + timedelta(hours=5)),
             "sealed": sealed},
        )  # fmt: skip


def _stored(ctx: Context, instant: datetime) -> object:
    """Return an instant as the column type keeps it."""
    return instant.strftime("%Y-%m-%d %H:%M:%S.%f") if ctx.database.dialect.name == "sqlite" else instant


def noon_zone(now: datetime) -> str:
    """Return a zone in which it is between 12 and 1, whatever the hour: nothing is held back for the night."""
    east = 12 - now.hour
    return f"Etc/GMT{-east:+d}" if east else "Etc/GMT"  # named by how far west they are


@contextlib.contextmanager
def provider() -> Iterator[str]:
    """Run a provider that answers each message after `ANSWER_SECONDS`, and yield its address."""
    with _process([sys.executable, "-m", "bench.served", "slow"], stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().decode().strip()}"


def arrivals(base: str) -> list[tuple[float, str, int]]:
    """Return when each message came to the provider, which delivery it is, and how many segments it has."""
    with urllib.request.urlopen(f"{base}/arrivals", timeout=30) as answer:  # noqa: S310 - our own, on loopback
        return [(at, delivery, segments) for at, delivery, segments in json.load(answer)]


@contextlib.contextmanager
def workers(count: int, url: str, folder: Path, base: str, **more: str) -> Iterator[None]:
    """Run so many ``babymind worker``."""
    settings = {
        "DATABASE_URL": url, "SECRET_KEY": "x" * 40, "DATA_KEYS": KEY, "PUBLIC_URL": "http://127.0.0.1:9",
        "CHANNEL": "simulator", "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_FROM": NUMBER,
        "TWILIO_API_BASE_URL": base, "MEDIA_URL": (folder / "media").as_uri(),
    } | more  # fmt: skip
    env = os.environ | {f"BABYMIND_{name}": value for name, value in settings.items()}
    with contextlib.ExitStack() as stack:
        for number in range(count):
            out = stack.enter_context((folder / f"worker-{number}.log").open("wb"))
            command = [sys.executable, "-m", "babymind", "worker"]
            stack.enter_context(_process(command, env=env, stdout=out, stderr=out))
        yield


@contextlib.contextmanager
def _process(command: list[str], **how: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, **how)  # type: ignore[call-overload]  # noqa: S603 - our own
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(base: str, messages: int, *, at_most_seconds: float) -> list[tuple[float, str, int]]:
    """Wait until so many messages have come to the provider, and return them all."""
    until = time.monotonic() + at_most_seconds
    while time.monotonic() < until:
        came = arrivals(base)
        if len(came) >= messages:
            return came
        time.sleep(0.5)
    raise TimeoutError(f"only {len(arrivals(base))} of {messages} messages came in {at_most_seconds:.0f} s")
