"""The one adapter around Twilio's client, over HTTP to the phone simulator: what each answer means for us."""

from collections.abc import Iterator

import pytest
import requests
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from babymind.channels.base import OutgoingMessage
from babymind.channels.twilio import TwilioAccount, TwilioChannel
from babymind.domain.delivery import DeliveryStatus
from babymind.errors import (
    ChannelConfigurationError,
    ChannelError,
    ChannelOptedOutError,
    ChannelRefusedError,
    ChannelThrottledError,
    ChannelUnknownError,
    MediaRefusedError,
    NotFoundError,
)
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.faults import Fault, FaultName
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange

SID, TOKEN = "AC" + "a" * 32, "token"
SENDER, SAM = "+447700900999", "+447700900101"
PUBLIC = "http://127.0.0.1:9"  # nobody listens there: receipts go nowhere


def config(*, media_redirect: bool = False) -> SimulatorConfig:
    return SimulatorConfig(
        account_sid=SID, auth_token=TOKEN, number=SENDER, callback_attempts=1, callback_delay_seconds=0,
        messages_webhook_url=f"{PUBLIC}/webhooks/twilio/messages", media_redirect=media_redirect,
    )  # fmt: skip


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(config()) as made, SimulatorServer(made):
        yield made


def channel(exchange: Exchange, **changes: str) -> TwilioChannel:
    fields = {"account_sid": SID, "auth_token": TOKEN, "public_url": PUBLIC, "from_number": SENDER,
              "api_base_url": exchange.base_url} | changes  # fmt: skip
    return TwilioChannel(TwilioAccount(simulated=True, **fields))


def message(to: str = SAM, text: str = "hello") -> OutgoingMessage:
    return OutgoingMessage(delivery_id=17, to=to, text=text, valid_seconds=600)


def test_a_message_is_handed_over_with_our_id_in_its_receipts_address(exchange: Exchange) -> None:
    sid = channel(exchange).send(message())

    sent = exchange.message(sid)
    assert (sent.to, sent.body, sent.from_) == (SAM, "hello", SENDER)
    assert sent.status_callback == f"{PUBLIC}/webhooks/twilio/status/17"
    assert sent.validity_seconds == 600


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (FaultName.THROTTLE, ChannelThrottledError),
        (FaultName.SERVER_ERROR, ChannelUnknownError),
        (FaultName.BAD_GATEWAY, ChannelUnknownError),
        (FaultName.HTML_OK, ChannelUnknownError),
        (FaultName.RESET, ChannelUnknownError),
        (FaultName.ACCEPT_DROP, ChannelUnknownError),
    ],
)
def test_what_goes_wrong_at_the_provider_has_its_meaning(
    exchange: Exchange, fault: FaultName, error: type[ChannelError]
) -> None:
    exchange.faults.set([Fault(name=fault, times=1)])

    with pytest.raises(error):
        channel(exchange).send(message())


@pytest.mark.parametrize(
    ("changes", "to", "error"),
    [
        ({}, "+447911123456", ChannelRefusedError),
        ({"auth_token": "wrong"}, SAM, ChannelConfigurationError),
        ({"from_number": "+447700900998"}, SAM, ChannelConfigurationError),
    ],
)
def test_a_refusal_is_the_numbers_or_ours(
    exchange: Exchange, changes: dict[str, str], to: str, error: type[ChannelError]
) -> None:
    with pytest.raises(error) as told:
        channel(exchange, **changes).send(message(to))
    assert told.value.provider_code
    assert to not in str(told.value)


def test_a_number_that_said_stop_to_the_provider_is_told_apart(exchange: Exchange) -> None:
    exchange.receive(SAM, SENDER, "STOP")

    with pytest.raises(ChannelOptedOutError) as told:
        channel(exchange).send(message())
    assert told.value.provider_code == 21610


def test_nobody_there_is_an_unknown_outcome(exchange: Exchange) -> None:
    with pytest.raises(ChannelUnknownError):
        channel(exchange, api_base_url="http://127.0.0.1:9").send(message())


FORM = {"MessageSid": ["SM1"], "AccountSid": [SID], "Body": ["hé"], "Twice": ["b", "a"]}


def signed(path: str, form: dict[str, list[str]], token: str = TOKEN) -> str:
    return str(
        RequestValidator(token).compute_signature(
            PUBLIC + path, MultiDict((name, value) for name, values in form.items() for value in values)
        )
    )


def test_only_the_providers_own_signature_is_authentic(exchange: Exchange) -> None:
    ours = channel(exchange)
    path = "/webhooks/twilio/messages?x=1%20"
    good = signed(path, FORM)

    assert ours.authentic(path, FORM, [good])
    for signatures in ([], [good, good], ["wrong"], [""], ["é" * 8], [signed(path, FORM, "other")]):
        assert not ours.authentic(path, FORM, signatures)
    assert not ours.authentic("/elsewhere", FORM, [good])
    assert not ours.authentic(path, FORM | {"Body": ["other"]}, [good])
    other = FORM | {"AccountSid": ["AC" + "b" * 32]}
    assert not ours.authentic(path, other, [signed(path, other)])


@pytest.mark.parametrize(
    ("told", "status"),
    [("queued", DeliveryStatus.ACCEPTED), ("sent", DeliveryStatus.SENT), ("delivered", DeliveryStatus.DELIVERED),
     ("read", DeliveryStatus.READ), ("undelivered", DeliveryStatus.UNDELIVERED), ("failed", DeliveryStatus.FAILED),
     ("a new word", None)],
)  # fmt: skip
def test_a_receipt_is_read_in_our_words(exchange: Exchange, told: str, status: DeliveryStatus | None) -> None:
    receipt = channel(exchange).read_receipt({"MessageSid": "SM1", "MessageStatus": told, "ErrorCode": "30003"})

    assert (receipt.provider_ref, receipt.status, receipt.error_code) == ("SM1", status, 30003)


@pytest.mark.parametrize("redirect", [False, True])
def test_a_picture_is_fetched_with_credentials_for_the_provider_only(redirect: bool) -> None:
    with Exchange(config(media_redirect=redirect)) as exchange, SimulatorServer(exchange):
        received = exchange.receive(SAM, SENDER, "look", [("image/jpeg", b"a picture")])
        media = exchange.media_of(received.sid)[0]
        url = f"{exchange.base_url}/2010-04-01/Accounts/{SID}/Messages/{received.sid}/Media/{media.sid}"
        ours = channel(exchange)

        assert b"".join(ours.fetch_media(url, 100)) == b"a picture"
        assert requests.get(url, timeout=5, allow_redirects=False).status_code == 401
        with pytest.raises(MediaRefusedError, match="larger"):
            b"".join(ours.fetch_media(url, 3))
        with pytest.raises(NotFoundError):
            b"".join(ours.fetch_media(url[:-2] + "00", 100))


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:9/2010-04-01/Accounts/{sid}/Messages/MM1/Media/ME1",
        "{base}/2010-04-01/Accounts/AC00/Messages/MM1/Media/ME1",
        "{base}/2010-04-01/Accounts/{sid}/Messages/../Media/ME1",
        "{base}/2010-04-01/Accounts/{sid}/Messages/MM1/Media/ME1?x=1",
        "{base}@evil.example/2010-04-01/Accounts/{sid}/Messages/MM1/Media/ME1",
        "file:///etc/passwd",
        "",
    ],
)
def test_any_other_address_is_never_opened(exchange: Exchange, url: str) -> None:
    with pytest.raises(MediaRefusedError, match="not one of the provider's"):
        b"".join(channel(exchange).fetch_media(url.format(base=exchange.base_url, sid=SID), 100))
