"""What this process has done since its start, counted for Prometheus: calls, claims, waits. Never of whom.

What the tables know is in `babymind.services.health`, and is the same whichever process is asked. These counts are
each process's own, so they are added up over all of them.
"""

import os
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    Summary,
    generate_latest,
    start_http_server,
)
from prometheus_client.multiprocess import MultiProcessCollector

from babymind.domain.codes import CodeClass, code
from babymind.errors import (
    ChannelConfigurationError,
    ChannelError,
    ChannelOptedOutError,
    ChannelRefusedError,
    ChannelThrottledError,
    ChannelUnknownError,
    ConfigurationError,
)

HERE = "127.0.0.1"
NO_ERROR = "none"
ANSWER_SECONDS = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 25.0)  # the last is past every time-out
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # where the processes of one WSGI server count together

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

_sends = Counter(
    "babymind_sends", "Messages handed to the provider, by what came of it and the class of its error",
    ["outcome", "error"], registry=REGISTRY,
)  # fmt: skip
_answers = Histogram(
    "babymind_provider_seconds", "How long the provider took to answer", ["call"], buckets=ANSWER_SECONDS,
    registry=REGISTRY,
)  # fmt: skip
_claims = Counter("babymind_claims", "Looks for due deliveries that took some", registry=REGISTRY)
_claimed = Counter("babymind_claimed", "Deliveries taken for sending", registry=REGISTRY)
_reconciled = Counter(
    "babymind_reconciliations", "Deliveries that the provider was asked about, by what followed", ["outcome"],
    registry=REGISTRY,
)  # fmt: skip
_waits = Summary(
    "babymind_rate_limit_wait_seconds", "How long messages waited for their sender's turn", registry=REGISTRY
)
_inbound = Counter(
    "babymind_inbound",
    "What the provider told us: a message, a receipt, a message that was found by listing, one that came again with "
    "other words (changed), a receipt for none of our messages (stray)",
    ["kind"], registry=REGISTRY,
)  # fmt: skip
_refused = Counter("babymind_webhooks_refused", "Webhook calls without a good signature", registry=REGISTRY)

# The first that fits: what an error is called on the chart, and whether the message will be tried again.
_OUTCOMES: tuple[tuple[type[ChannelError], str, CodeClass | None], ...] = (
    (ChannelUnknownError, "unknown", CodeClass.UNKNOWN),
    (ChannelThrottledError, "again", CodeClass.THROTTLED),
    (ChannelConfigurationError, "again", CodeClass.CONFIGURATION),
    (ChannelOptedOutError, "refused", CodeClass.OPTED_OUT),
    (ChannelRefusedError, "refused", None),
    (ChannelError, "again", None),
)


def sent(outcome: str | ChannelError, seconds: float) -> None:
    """Count a message that was handed to the provider: its id, or the error that came instead."""
    _answers.labels("send").observe(seconds)
    if not isinstance(outcome, ChannelError):
        _sends.labels("accepted", NO_ERROR).inc()
        return
    word, meaning = next((word, meaning) for kind, word, meaning in _OUTCOMES if isinstance(outcome, kind))
    if meaning is None:
        number = outcome.provider_code
        meaning = code(number).meaning if number is not None else CodeClass.TRANSIENT
    _sends.labels(word, meaning.value).inc()


def asked(seconds: float) -> None:
    """Count a question to the provider about a message."""
    _answers.labels("look_up").observe(seconds)


def claimed(number: int) -> None:
    """Count a claim, and what it took."""
    if number:
        _claims.inc()
        _claimed.inc(number)


def reconciled(outcome: str, number: int = 1) -> None:
    """Count deliveries that the provider was asked about, by what followed, such as ``adopt`` or ``park``."""
    _reconciled.labels(outcome).inc(number)


def waited(seconds: float) -> None:
    """Count a message that waited for its sender's turn."""
    _waits.observe(seconds)


def heard(kind: str) -> None:
    """Count what the provider told us: ``message``, ``receipt`` or ``found``."""
    _inbound.labels(kind).inc()


def refused() -> None:
    """Count a webhook call that the provider did not sign."""
    _refused.inc()


def exposition() -> bytes:
    """Return the counts in the format that Prometheus reads: of this process, or of all that count together."""
    return generate_latest(_counts())


def serve(port: int) -> WSGIServer:
    """Answer ``/metrics`` on a port of this machine, for a process that serves no pages.

    Raises:
        ConfigurationError: Somebody else has that port.
    """
    try:
        server, _thread = start_http_server(port, addr=HERE, registry=_counts())
    except OSError as error:
        raise ConfigurationError(
            f"BABYMIND_METRICS_PORT: port {port} cannot be had ({error.strerror}); give each worker its own."
        ) from None
    return server


def _counts() -> CollectorRegistry:
    if SHARED_FOLDER not in os.environ:
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # the library's own lacks a return type
    return together
