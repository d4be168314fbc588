"""Sending through a provider that takes 50 ms to answer: by one process, by several, at a pace, and for long."""

import resource
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from babymind.channels.base import OutgoingMessage
from babymind.channels.memory import MemoryChannel
from babymind.channels.twilio import TwilioAccount, TwilioChannel
from babymind.domain.delivery import DeliveryStatus
from babymind.services import deliver
from babymind.services.claim import claim
from bench.crowd import NUMBER, WORDS, arrivals, due_now, more_due, provider, wait_until, workers
from bench.figures import ROUNDS, Figure, alternately
from bench.parts import DATABASES, databases, installation
from bench.webhooks import ACCOUNT, TOKEN

THREADS, MESSAGES = 32, 3_000
RATE, RATED_SECONDS = 100, 60
FEW, MANY, CLAIMS, CLAIM = 10_000, 1_000_000, 40, 100
LASTING, WARM = 100_000, 20_000


def measure() -> list[Figure]:
    """Measure."""
    return [one_process(), two_workers(), *paced(), *(backlog(kind) for kind in DATABASES), memory()]


def one_process() -> Figure:
    """Inline with 32 threads on SQLite, beside a bare loop of as many over the same client."""
    with provider() as base, databases("sqlite") as (url, folder):
        account = TwilioAccount(account_sid=ACCOUNT, auth_token=TOKEN, public_url="http://127.0.0.1:9",
                                from_numbers=(NUMBER,), api_base_url=base, simulated=True)  # fmt: skip
        with installation(url, folder, channel=TwilioChannel(account), threads=THREADS) as ctx:
            now = datetime.now(UTC)
            due_now(ctx, MESSAGES, MESSAGES * ROUNDS, now)

            def ours() -> float:
                began = time.perf_counter()
                outcomes = deliver.deliver_due(ctx, limit=MESSAGES)
                assert outcomes == {DeliveryStatus.ACCEPTED: MESSAGES}, outcomes
                return MESSAGES / (time.perf_counter() - began)

            value, limit = alternately(ours, lambda: _bare(base))
    return Figure(name=f"dispatch at 50 ms, inline, {THREADS} threads, sqlite", value=value, unit="messages/s",
                  limit=limit, ratio=value / limit, at_least=0.8)  # fmt: skip


def two_workers() -> Figure:
    """Two ``babymind worker`` on PostgreSQL, from the first message that came to the provider to the last."""
    with provider() as base, databases("postgresql") as (url, folder):
        with installation(url, folder) as ctx:
            due_now(ctx, MESSAGES, MESSAGES, datetime.now(UTC))
            before = _bare(base)
            since = len(arrivals(base))
            with workers(2, url, folder, base, SEND_THREADS=str(THREADS)):
                came = wait_until(base, since + MESSAGES, at_most_seconds=120)[since:]
            after = _bare(base)
        _each_once(came)
    first, last = min(at for at, _, _ in came), max(at for at, _, _ in came)
    value, limit = (MESSAGES - 1) / (last - first), statistics.mean((before, after))
    return Figure(name="dispatch at 50 ms, two workers, postgresql", value=value, unit="messages/s", limit=limit,
                  ratio=value / limit, at_least=0.8)  # fmt: skip


def paced() -> list[Figure]:
    """Four workers that share one sender of 100 segments a second."""
    seconds = RATED_SECONDS + 15
    with provider() as base, databases("postgresql") as (url, folder), installation(url, folder) as ctx:
        due_now(ctx, MESSAGES, RATE * seconds, datetime.now(UTC))
        with workers(4, url, folder, base, SEGMENTS_PER_SECOND=str(RATE), SEND_THREADS="16"):
            wait_until(base, 1, at_most_seconds=60)
            time.sleep(seconds - 8)
            came = sorted(arrivals(base))
    _each_once(came)
    begins = came[0][0] + 3  # when all four run
    counted = sum(count for at, _, count in came if begins <= at < begins + RATED_SECONDS)
    worst = max(
        sum(count for at, _, count in came[i : i + 2 * RATE] if at < came[i][0] + 1) for i in range(len(came))
    )
    allowed = RATE * RATED_SECONDS
    return [
        Figure(name=f"four workers, {RATE} segments/s allowed: used in a minute", value=counted / RATED_SECONDS,
               unit="segments/s", limit=RATE, ratio=counted / allowed, at_least=0.97),
        Figure(name="in that minute no more than allowed", value=counted, unit="segments", limit=allowed,
               ratio=allowed / counted, at_least=1.0),
        Figure(name="in its fullest second at most 5 % more", value=worst, unit="segments", limit=RATE * 1.05,
               ratio=RATE * 1.05 / worst, at_least=1.0),
    ]  # fmt: skip


def backlog(kind: str) -> Figure:
    """What a claim costs where a million messages are due, beside ten thousand."""
    with databases(kind) as (url, folder), installation(url, folder) as ctx:
        now = datetime.now(UTC)
        due_now(ctx, FEW, FEW, now)

        def seconds() -> float:
            took = []
            for number in range(CLAIMS):
                began = time.perf_counter()
                claimed = claim(ctx, lease=f"bench-{number}", size=CLAIM)
                took.append(time.perf_counter() - began)
                assert len(claimed.ready) == CLAIM, claimed
            return statistics.median(took) / CLAIM

        few = seconds()
        more_due(ctx, FEW, MANY - FEW + CLAIMS * CLAIM, now, first=FEW)
        with ctx.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
        many = seconds()
    return Figure(name=f"claim per row with {MANY:,} due beside {FEW:,}, {kind}", value=many * 1e6, unit="us",
                  limit=few * 1e6 * 1.5, ratio=few * 1.5 / many, at_least=1.0)  # fmt: skip


def memory() -> Figure:
    """Memory after 100,000 deliveries, beside that after the first 20,000; in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "bench.dispatching"], stdout=subprocess.PIPE, text=True, check=True,
                          stderr=subprocess.DEVNULL)  # fmt: skip
    warm, last = map(float, done.stdout.split())
    return Figure(name=f"memory after {LASTING:,} deliveries beside {WARM:,}", value=last, unit="MB",
                  limit=warm * 1.1, ratio=warm * 1.1 / last, at_least=1.0)  # fmt: skip


def _each_once(came: list[tuple[float, str, int]]) -> None:
    twice = {delivery: count for delivery, count in Counter(delivery for _, delivery, _ in came).items() if count > 1}
    assert not twice, f"{len(twice)} of {len(came)} messages came more than once, such as {list(twice.items())[:5]}"


class _Nowhere(MemoryChannel):
    """Takes everything and keeps nothing."""

    def send(self, message: OutgoingMessage) -> str:
        return f"SM{message.delivery_id:032x}"


@dataclass(frozen=True, slots=True)
class _Size:
    megabytes: float

    @classmethod
    def now(cls) -> "_Size":
        """What this process holds in memory at this moment."""
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return cls(pages * resource.getpagesize() / 1e6)


def main() -> None:
    """Deliver for long, and print the memory in between and at the end."""
    with TemporaryDirectory(prefix="babymind-bench-") as name:
        folder = Path(name)
        with installation(f"sqlite:///{folder / 'bench.db'}", folder, channel=_Nowhere()) as ctx:
            due_now(ctx, FEW, LASTING, datetime.now(UTC))
            deliver.deliver_due(ctx, limit=WARM)
            print(_Size.now().megabytes)
            deliver.deliver_due(ctx)
            print(_Size.now().megabytes)


def _bare(base: str) -> float:
    local = threading.local()

    def send(number: int) -> None:
        if not hasattr(local, "client"):
            local.client = Client(ACCOUNT, TOKEN, http_client=TwilioHttpClient(timeout=20.0))
            local.client.api.base_url = base
        sent = local.client.messages.create(
            to="+447700900123", from_=NUMBER, body=WORDS, validity_period=600,
            status_callback=f"http://127.0.0.1:9/webhooks/twilio/status/bare-{number}",
        )  # fmt: skip
        assert sent.sid

    with ThreadPoolExecutor(THREADS) as pool:
        began = time.perf_counter()
        list(pool.map(send, range(MESSAGES)))
        return MESSAGES / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
