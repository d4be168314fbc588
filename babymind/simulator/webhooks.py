"""Signed posts to the application, as the provider makes them."""

import http.client
import threading
from collections.abc import Mapping
from socket import MSG_PEEK
from urllib.parse import urlencode, urlsplit

from twilio.request_validator import RequestValidator

from babymind.errors import BabyMindError
from babymind.simulator.config import SimulatorConfig


class WebhookFailedError(BabyMindError):
    """The application could not be reached, or did not answer in time."""

    code = "webhook-failed"


class Poster:
    """Posts forms with the provider's signature. Each thread keeps a connection, as the provider does."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._config = config
        self._own = threading.local()
        self._all: set[http.client.HTTPConnection] = set()
        self._lock = threading.Lock()

    def post(self, url: str, fields: Mapping[str, str], *, token: str, forged: bool = False) -> int:
        """Post a form once; returns the HTTP status.

        Args:
            url: The public address, over which the signature is made.
            fields: The form.
            token: What the provider sends as its idempotency token: the same for every try of one event.
            forged: Sign with another account's secret, as somebody would who does not know ours.

        Raises:
            WebhookFailedError: Nobody answered.
        """
        secret = "somebody-elses-token" if forged else self._config.auth_token
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            "I-Twilio-Idempotency-Token": token,
            "X-Twilio-Signature": RequestValidator(secret).compute_signature(url, dict(fields)),
        }
        public, reached = urlsplit(url), urlsplit(self._config.connect_to or url)
        path = (public.path or "/") + (f"?{public.query}" if public.query else "")
        headers["Host"] = public.netloc
        connection = self._connection(reached.hostname or "", reached.port or 80)
        try:
            connection.request("POST", path, urlencode(fields), headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise WebhookFailedError(f"The webhook did not answer: {type(error).__name__}") from error
        return answer.status

    def close(self) -> None:
        """Close every connection; to be called when no thread posts any more."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()

    def _connection(self, host: str, port: int) -> http.client.HTTPConnection:
        kept: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if kept is not None and (kept.host, kept.port) == (host, port):
            if kept.sock is not None and _was_closed(kept):
                kept.close()  # it opens again by itself
            return kept
        fresh = http.client.HTTPConnection(host, port, timeout=self._config.webhook_timeout_seconds)
        with self._lock:
            self._all.add(fresh)
            if kept is not None:
                kept.close()
                self._all.discard(kept)
        self._own.connection = fresh
        return fresh


def _was_closed(connection: http.client.HTTPConnection) -> bool:
    """Say whether the other side has hung up: found out beforehand, so that no post is ever sent twice."""
    timeout = connection.sock.gettimeout()
    try:
        connection.sock.settimeout(0)
        connection.sock.recv(1, MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    else:
        return True
    finally:
        connection.sock.settimeout(timeout)
