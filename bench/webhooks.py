"""Webhook intake through the WSGI server, beside a bare route that checks the signature and writes one row."""

import http.client
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from bench.figures import Figure, alternately
from bench.parts import databases, installation

REQUESTS = 3000
CONNECTIONS = 8
PUBLIC_URL = "https://babymind.example.org"
PATH = "/webhooks/twilio/messages"
ACCOUNT, TOKEN = "AC" + "0" * 32, "bench-token"


def measure() -> list[Figure]:
    """Measure on each database."""
    return [_measure(kind) for kind in ("sqlite", "postgresql")]


def _measure(kind: str) -> Figure:
    with databases(kind) as (url, folder):
        with installation(url, folder):
            pass  # tables and content
        with Served("full", url, folder) as full, Served("bare", url, folder) as bare:
            ours, limit = alternately(full.rate, bare.rate)
    return Figure(name=f"webhook intake, {kind}", value=ours, unit="requests/s", limit=limit, ratio=ours / limit,
                  at_least=0.5)  # fmt: skip


class Served:
    """A server in a process of its own, and what asks it."""

    def __init__(self, what: str, url: str, folder: Path) -> None:
        self._command = [sys.executable, "-m", "bench.served", what, url, str(folder)]
        self._first = 0
        self._what = what

    def __enter__(self) -> "Served":
        """Start, and learn the port."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        self.rate(300)  # warm
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._process.terminate()
        self._process.wait()

    def rate(self, count: int = REQUESTS) -> float:
        """Return requests per second, all answered with 2xx."""
        calls = [_call(f"SM{self._what}{self._first + n:026d}") for n in range(count)]
        self._first += count
        began = time.perf_counter()
        errors: list[int] = []
        threads = [
            threading.Thread(target=_ask, args=(self.port, calls[n::CONNECTIONS], errors)) for n in range(CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors[:5]
        return count / (time.perf_counter() - began)


def _call(sid: str) -> tuple[bytes, str]:
    form = {
        "MessageSid": sid, "SmsSid": sid, "AccountSid": ACCOUNT, "From": "+447700900123", "To": "+447700900999",
        "Body": "She looked at the light for a long time and then at me", "NumMedia": "0", "NumSegments": "1",
        "FromCountry": "GB", "ToCountry": "GB", "ApiVersion": "2010-04-01", "SmsStatus": "received",
    }  # fmt: skip
    return urlencode(form).encode(), RequestValidator(TOKEN).compute_signature(PUBLIC_URL + PATH, form)


def _ask(port: int, calls: list[tuple[bytes, str]], errors: list[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for body, signature in calls:
        connection.request("POST", PATH, body, {
            "Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature,
        })  # fmt: skip
        answer = connection.getresponse()
        answer.read()
        if not 200 <= answer.status < 300:
            errors.append(answer.status)
    connection.close()
