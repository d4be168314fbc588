"""Delivering against an instant local provider, beside a bare loop over the real client with as many threads."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy import update
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from babymind.channels.twilio import TwilioAccount, TwilioChannel
from babymind.clock import clock_at
from babymind.domain.delivery import DeliveryStatus
from babymind.services import deliver, plan
from babymind.store.studies import Arm
from bench.figures import ROUNDS, Figure, alternately
from bench.parts import DATABASES, add_families, analyse, databases, installation
from bench.webhooks import ACCOUNT, TOKEN

THREADS = 8
MESSAGES = 2000
MORNING = datetime(2026, 3, 8, 0, 5, tzinfo=UTC)
EVENING = datetime(2026, 3, 8, 20, 55, tzinfo=UTC)


def measure() -> list[Figure]:
    """Measure on both databases."""
    return [_measure(kind) for kind in DATABASES]


def _measure(kind: str) -> Figure:
    provider = subprocess.Popen([sys.executable, "-m", "bench.served", "provider"], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    assert provider.stdout
    base = f"http://127.0.0.1:{provider.stdout.readline().strip()}"
    account = TwilioAccount(account_sid=ACCOUNT, auth_token=TOKEN, public_url="http://127.0.0.1:9",
                            from_numbers=("+447700900999",), api_base_url=base, simulated=True)  # fmt: skip
    try:
        with (
            databases(kind) as (url, folder),
            installation(url, folder, channel=TwilioChannel(account), threads=THREADS) as ctx,
        ):
            with ctx.sessions.begin() as session:  # facts only: late in the day a prompt would take their place
                session.execute(update(Arm).values(gets_prompts=False))
            add_families(ctx, MESSAGES * ROUNDS, MORNING)
            with clock_at(MORNING):
                plan.plan_due(ctx)
            analyse(ctx.database)

            def ours() -> float:
                began = time.perf_counter()
                with clock_at(EVENING):
                    outcomes = deliver.deliver_due(ctx, limit=MESSAGES)
                assert outcomes == {DeliveryStatus.ACCEPTED: MESSAGES}, outcomes
                return MESSAGES / (time.perf_counter() - began)

            value, limit = alternately(ours, lambda: _bare(base))
    finally:
        provider.terminate()
        provider.wait()
    return Figure(name=f"delivering, {THREADS} threads, {kind}", value=value, unit="messages/s", limit=limit,
                  ratio=value / limit, at_least=0.7)  # fmt: skip


def _bare(base: str) -> float:
    local = threading.local()

    def send(number: int) -> None:
        if not hasattr(local, "client"):
            local.client = Client(ACCOUNT, TOKEN, http_client=TwilioHttpClient(timeout=20.0))
            local.client.api.base_url = base
        sent = local.client.messages.create(
            to="+447700900123", from_="+447700900999",
            body=f"A fact of about the usual length, number {number}. " * 4,
            status_callback=f"http://127.0.0.1:9/webhooks/twilio/status/{number}", validity_period=600,
        )  # fmt: skip
        assert sent.sid

    with ThreadPoolExecutor(THREADS) as pool:
        began = time.perf_counter()
        list(pool.map(send, range(MESSAGES)))
        return MESSAGES / (time.perf_counter() - began)
