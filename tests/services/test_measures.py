"""What a process counts of its own work, as Prometheus reads it; never of whom."""

import socket
import urllib.request

import pytest
from freezegun import freeze_time

from babymind.channels.memory import MemoryChannel
from babymind.domain.codes import CodeClass
from babymind.domain.delivery import DeliveryStatus
from babymind.errors import (
    ChannelConfigurationError,
    ChannelError,
    ChannelOptedOutError,
    ChannelRefusedError,
    ChannelThrottledError,
    ChannelUnknownError,
    ConfigurationError,
)
from babymind.services import deliver, measures, receive, reconcile
from babymind.services.context import Context
from babymind.store.deliveries import Delivery
from tests.factories import SAM, change, enrol_family, rows
from tests.services.watched import NOW


def value(name: str, **labels: str) -> float:
    """One count, as it is now."""
    return measures.REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("outcome", "word", "error"),
    [
        ("SM1", "accepted", "none"),
        (ChannelUnknownError("no answer"), "unknown", CodeClass.UNKNOWN),
        (ChannelThrottledError("slower", provider_code=20429), "again", CodeClass.THROTTLED),
        (ChannelConfigurationError("who?", provider_code=20003), "again", CodeClass.CONFIGURATION),
        (ChannelOptedOutError("STOP", provider_code=21610), "refused", CodeClass.OPTED_OUT),
        (ChannelRefusedError("no such number", provider_code=21211), "refused", CodeClass.NO_SUCH_NUMBER),
        (ChannelRefusedError("too long", provider_code=21617), "refused", CodeClass.OURS),
        (ChannelError("later", provider_code=21611), "again", CodeClass.THROTTLED),
        (ChannelError("later"), "again", CodeClass.TRANSIENT),
    ],
)
def test_what_is_sent_is_counted_by_outcome_and_class_of_error(
    outcome: str | ChannelError, word: str, error: str
) -> None:
    labels = {"outcome": word, "error": str(error)}
    before = value("babymind_sends_total", **labels)
    slow = value("babymind_provider_seconds_bucket", call="send", le="0.4")

    measures.sent(outcome, 0.3)

    assert value("babymind_sends_total", **labels) == before + 1
    assert value("babymind_provider_seconds_bucket", call="send", le="0.4") == slow + 1


def test_claims_questions_waits_and_calls_are_counted() -> None:
    names = ("babymind_claims_total", "babymind_claimed_total", "babymind_rate_limit_wait_seconds_sum",
             "babymind_rate_limit_wait_seconds_count", "babymind_webhooks_refused_total")  # fmt: skip
    before = [value(name) for name in names]
    heard, adopted = (
        value("babymind_inbound_total", kind="receipt"),
        value("babymind_reconciliations_total", outcome="adopt"),
    )

    measures.claimed(0)
    measures.claimed(40)
    measures.waited(1.5)
    measures.refused()
    measures.heard("receipt")
    measures.reconciled("adopt", 3)
    measures.asked(0.1)

    assert [value(name) - old for name, old in zip(names, before, strict=True)] == pytest.approx([1, 40, 1.5, 1, 1])
    assert value("babymind_inbound_total", kind="receipt") == heard + 1
    assert value("babymind_reconciliations_total", outcome="adopt") == adopted + 3
    assert value("babymind_provider_seconds_count", call="look_up") >= 1


def test_a_process_without_pages_answers_on_a_port_of_its_own_on_this_machine_only() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    server = measures.serve(port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            told = answer.read().decode()
        with pytest.raises(ConfigurationError, match="BABYMIND_METRICS_PORT: port"):
            measures.serve(port)
    finally:
        server.shutdown()
        server.server_close()

    assert server.server_address[0] == "127.0.0.1"
    assert "babymind_claims_total" in told
    assert "process_resident_memory_bytes" in told


@freeze_time(NOW)
def test_sending_asking_and_listening_are_counted_where_they_happen(ctx: Context, channel: MemoryChannel) -> None:
    names: dict[str, dict[str, str]] = {
        "babymind_claimed_total": {},
        "babymind_sends_total": {"outcome": "unknown", "error": "unknown"},
        "babymind_provider_seconds_count": {"call": "look_up"},
        "babymind_reconciliations_total": {"outcome": "adopt"},
        "babymind_inbound_total": {"kind": "found"},
    }
    enrol_family(ctx)
    before = {name: value(name, **labels) for name, labels in names.items()}

    channel.fail_after = ChannelUnknownError("The answer was lost.")
    deliver.deliver_due(ctx)  # the welcome: it goes, and we do not know it
    change(ctx, Delivery, rows(ctx, Delivery, status=DeliveryStatus.UNKNOWN)[0].id, look_at=NOW)
    reconcile.ask_about_unknown(ctx)
    form = {"MessageSid": "SM1", "From": SAM, "Body": "Hello", "NumMedia": "0"}
    channel.inbound.append((NOW, form))
    receive.listen(ctx)

    assert {name: value(name, **labels) - before[name] for name, labels in names.items()} == dict.fromkeys(names, 1)
