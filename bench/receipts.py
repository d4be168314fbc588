"""Receipts at 500 a second into two web processes on PostgreSQL: how long each takes, and whether any is lost."""

import http.client
import queue
import statistics
import threading
import time
from datetime import UTC, datetime
from urllib.parse import urlencode

from sqlalchemy import func, select, text
from twilio.request_validator import RequestValidator

from babymind.store.deliveries import Receipt
from bench.crowd import due_now
from bench.figures import Figure
from bench.parts import databases, installation
from bench.webhooks import ACCOUNT, PUBLIC_URL, TOKEN, Served

RATE, SECONDS, WARM_SECONDS = 500, 20, 3
CALLERS = 24
DELIVERIES = 2_000
P99_SECONDS = 0.1


def measure() -> list[Figure]:
    """Measure."""
    with databases("postgresql") as (url, folder), installation(url, folder) as ctx:
        due_now(ctx, DELIVERIES, DELIVERIES, datetime.now(UTC))
        with ctx.sessions.begin() as session:  # all were taken by the provider a moment ago
            session.execute(text("UPDATE delivery SET status = 'accepted', provider_ref = 'SMd' || id, attempts = 1"))
        with Served("full", url, folder) as first, Served("full", url, folder) as second:
            took = _load([first.port, second.port])
        with ctx.readers.begin() as session:
            kept = session.scalar(select(func.count()).select_from(Receipt)) or 0
    counted = [seconds for at, seconds in took if at >= WARM_SECONDS]
    p99 = statistics.quantiles(counted, n=100)[98]
    sent = RATE * SECONDS
    last = max(at + seconds for at, seconds in took)
    return [
        Figure(name=f"receipts at {RATE}/s, 2 web processes, postgresql: answered", value=sent / last,
               unit="receipts/s", limit=RATE, ratio=sent / last / RATE, at_least=0.98),
        Figure(name="the slowest in a hundred of them", value=p99 * 1000, unit="ms", limit=P99_SECONDS * 1000,
               ratio=P99_SECONDS / p99, at_least=1.0),
        Figure(name="kept of those that were sent", value=kept, unit="receipts", limit=sent, ratio=kept / sent,
               at_least=1.0),
    ]  # fmt: skip


def _load(ports: list[int]) -> list[tuple[float, float]]:
    """Post receipts at an even pace, whatever the answers take; return when each was due and how long it took."""
    calls: queue.SimpleQueue[tuple[float, str, bytes, str] | None] = queue.SimpleQueue()
    took: list[tuple[float, float]] = []
    errors: list[int] = []
    begin = time.perf_counter() + 1.0
    threads = [threading.Thread(target=_caller, args=(ports[n % len(ports)], calls, begin, took, errors))
               for n in range(CALLERS)]  # fmt: skip
    for thread in threads:
        thread.start()
    for number in range(RATE * SECONDS):
        due = number / RATE
        path, body, signature = _call(number % DELIVERIES + 1, ("sent", "delivered")[number // DELIVERIES % 2])
        time.sleep(max(0.0, begin + due - time.perf_counter()))
        calls.put((due, path, body, signature))
    for _ in threads:
        calls.put(None)
    for thread in threads:
        thread.join()
    assert not errors, errors[:5]
    return took


def _call(delivery_id: int, told: str) -> tuple[str, bytes, str]:
    path = f"/webhooks/twilio/status/{delivery_id}"
    form = {
        "MessageSid": f"SMd{delivery_id}", "SmsSid": f"SMd{delivery_id}", "AccountSid": ACCOUNT,
        "MessageStatus": told, "SmsStatus": told, "From": "+447700900999", "To": "+447700900123",
        "ApiVersion": "2010-04-01",
    }  # fmt: skip
    return path, urlencode(form).encode(), RequestValidator(TOKEN).compute_signature(PUBLIC_URL + path, form)


def _caller(port: int, calls: "queue.SimpleQueue[tuple[float, str, bytes, str] | None]", begin: float,
            took: list[tuple[float, float]], errors: list[int]) -> None:  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while (call := calls.get()) is not None:
        due, path, body, signature = call
        connection.request("POST", path, body, {
            "Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature,
        })  # fmt: skip
        answer = connection.getresponse()
        answer.read()
        took.append((due, time.perf_counter() - begin - due))
        if not 200 <= answer.status < 300:
            errors.append(answer.status)
    connection.close()
