"""The phone simulator on a free port, and our adapter with the real Twilio client pointed at it."""

from collections.abc import Iterator
from typing import Any

import pytest

from babymind.channels.base import OutgoingMessage
from babymind.channels.twilio import TwilioAccount, TwilioChannel
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange

SID, TOKEN, SERVICE = "AC" + "a" * 32, "token", "MG" + "b" * 32
SENDER, SAM, JO = "+447700900999", "+447700900101", "+447700900102"
SECOND, ON_WHATSAPP = "+447700900998", "+447700900997"
TEMPLATE = "HX" + "c" * 32
TEMPLATES = {TEMPLATE: "A note from BabyMind: {{1}} Write back to talk."}
PUBLIC = "http://127.0.0.1:9"  # nobody listens there: receipts go nowhere


def config(*, media_redirect: bool = False, delay_seconds: float = 0, **more: Any) -> SimulatorConfig:
    return SimulatorConfig(
        account_sid=SID, auth_token=TOKEN, number=SENDER, callback_attempts=1, callback_delay_seconds=delay_seconds,
        messages_webhook_url=f"{PUBLIC}/webhooks/twilio/messages", media_redirect=media_redirect,
        messaging_service_sid=SERVICE, more_numbers=(SECOND,), whatsapp_number=ON_WHATSAPP, templates=TEMPLATES,
        **more,
    )  # fmt: skip


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(config()) as made, SimulatorServer(made):
        yield made


def channel(exchange: Exchange, *, answer_seconds: float = 5, **changes: Any) -> TwilioChannel:
    fields: dict[str, Any] = {"account_sid": SID, "auth_token": TOKEN, "public_url": PUBLIC, "simulated": True,
                              "from_numbers": (SENDER,), "api_base_url": exchange.base_url}  # fmt: skip
    return TwilioChannel(TwilioAccount(**fields | changes), answer_seconds=answer_seconds)


def message(to: str = SAM, text: str = "hello", **more: Any) -> OutgoingMessage:
    return OutgoingMessage(delivery_id=17, to=to, text=text, valid_seconds=600, **more)
