"""The one adapter around Twilio's client, over HTTP to the phone simulator: what each answer means for us."""

import time
from typing import Any

import pytest
import requests
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from babymind.channels import codes, twilio
from babymind.channels.base import Template
from babymind.domain.contact import ChannelName
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
from babymind.simulator.faults import Fault, FaultName
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange

from .conftest import (
    ON_WHATSAPP,
    PUBLIC,
    SAM,
    SECOND,
    SENDER,
    SERVICE,
    SID,
    TEMPLATE,
    TOKEN,
    channel,
    config,
    message,
)


def test_a_message_is_handed_over_with_our_id_in_its_receipts_address(exchange: Exchange) -> None:
    sid = channel(exchange).send(message())

    sent = exchange.message(sid)
    assert (sent.to, sent.body, sent.from_) == (SAM, "hello", SENDER)
    assert sent.status_callback == f"{PUBLIC}/webhooks/twilio/status/17"
    assert sent.validity_seconds == 600


@pytest.mark.parametrize(
    ("changes", "sender", "service", "from_"),
    [
        ({}, None, None, SENDER),
        ({"from_numbers": (SECOND, SENDER)}, None, None, SECOND),
        ({}, SECOND, None, SECOND),
        ({"messaging_service_sid": SERVICE}, None, SERVICE, None),
        ({"messaging_service_sid": SERVICE}, SENDER, None, SENDER),
        ({}, SERVICE, SERVICE, None),
    ],
)
def test_a_text_leaves_from_the_sender_it_names_or_else_from_the_settings_own(
    changes: dict[str, Any], sender: str | None, service: str | None, from_: str | None
) -> None:
    with Exchange(config(delay_seconds=60)) as exchange, SimulatorServer(exchange):
        sid = channel(exchange, **changes).send(message(sender=sender))

        sent = exchange.message(sid)

    assert (sent.messaging_service_sid, sent.from_, sent.to) == (service, from_, SAM)


def test_without_any_sender_nothing_is_asked_of_the_provider(exchange: Exchange) -> None:
    ours = channel(exchange, from_numbers=())

    for channel_name, code in ((ChannelName.SMS, 21603), (ChannelName.WHATSAPP, 63007)):
        with pytest.raises(ChannelConfigurationError) as told:
            ours.send(message(channel=channel_name))
        assert told.value.provider_code == code
    assert exchange.messages() == []


def test_on_whatsapp_both_ends_are_written_as_the_provider_wants_them(exchange: Exchange) -> None:
    exchange.receive(f"whatsapp:{SAM}", None, "hello yourself")
    ours = channel(exchange, whatsapp_from=ON_WHATSAPP)

    for sender in (None, ON_WHATSAPP):
        sent = exchange.message(ours.send(message(channel=ChannelName.WHATSAPP, sender=sender)))
        assert (sent.to, sent.from_, sent.body) == (f"whatsapp:{SAM}", f"whatsapp:{ON_WHATSAPP}", "hello")
        assert sent.content_sid is None
        assert sent.status_callback == f"{PUBLIC}/webhooks/twilio/status/17"
    assert exchange.settle()

    assert ours.status_of(sent.sid).status is DeliveryStatus.DELIVERED


def test_a_template_goes_with_its_blank_filled_and_no_words_of_ours_beside_it(exchange: Exchange) -> None:
    text = "She turns\nto your voice.  What is on her mind?"
    ours = channel(exchange, whatsapp_from=ON_WHATSAPP)

    sid = ours.send(message(text=text, channel=ChannelName.WHATSAPP, template=Template.saying(TEMPLATE, text)))
    assert exchange.settle()

    sent = exchange.message(sid)
    assert sent.content_sid == TEMPLATE
    assert sent.body == "A note from BabyMind: She turns to your voice. What is on her mind? Write back to talk."
    assert ours.status_of(sid).status is DeliveryStatus.DELIVERED
    assert "She turns" not in repr(Template.saying(TEMPLATE, text))


@pytest.mark.fault(78)
def test_row_78_our_own_words_outside_the_window_are_taken_and_then_fail(exchange: Exchange) -> None:
    ours = channel(exchange, whatsapp_from=ON_WHATSAPP)

    sid = ours.send(message(channel=ChannelName.WHATSAPP))
    assert exchange.settle()

    told = ours.status_of(sid)
    assert (told.status, told.error_code) == (DeliveryStatus.FAILED, 63016)


@pytest.mark.parametrize(
    ("template", "code"),
    [
        (Template.saying("HX" + "0" * 32, "hello"), 21655),
        (Template(content_sid=TEMPLATE, variables={"1": "two\nlines"}), 21656),
    ],
)
def test_a_template_that_does_not_exist_or_does_not_fit_is_refused(
    exchange: Exchange, template: Template, code: int
) -> None:
    ours = channel(exchange, whatsapp_from=ON_WHATSAPP)

    with pytest.raises(ChannelRefusedError) as told:
        ours.send(message(channel=ChannelName.WHATSAPP, template=template))
    assert told.value.provider_code == code


def test_what_comes_by_whatsapp_is_read_with_its_plain_number(exchange: Exchange) -> None:
    read = channel(exchange).read_inbound({"MessageSid": "SM1", "From": f"whatsapp:{SAM}", "Body": "hello"})
    assert (read.channel, read.from_number) == (ChannelName.WHATSAPP, SAM)

    read = channel(exchange).read_inbound({"MessageSid": "SM1", "From": SAM, "Body": "hello"})
    assert (read.channel, read.from_number) == (ChannelName.SMS, SAM)


@pytest.mark.fault(9, 10, 11, 12, 13)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (FaultName.THROTTLE, ChannelThrottledError),
        (FaultName.SERVER_ERROR, ChannelUnknownError),
        (FaultName.BAD_GATEWAY, ChannelUnknownError),
        (FaultName.HTML_OK, ChannelUnknownError),
        (FaultName.RESET, ChannelUnknownError),
        (FaultName.ACCEPT_DROP, ChannelUnknownError),
        (FaultName.ACCEPT_ERROR, ChannelUnknownError),
        (FaultName.HANG, ChannelUnknownError),
        (FaultName.ACCEPT_LATE, ChannelUnknownError),
        (FaultName.DRIP, ChannelUnknownError),
    ],
)
def test_what_goes_wrong_at_the_provider_has_its_meaning(
    exchange: Exchange, fault: FaultName, error: type[ChannelError]
) -> None:
    exchange.faults.set([Fault(name=fault, seconds=30)])
    began_at = time.monotonic()

    with pytest.raises(error) as told:
        channel(exchange, answer_seconds=0.3).send(message())

    assert time.monotonic() - began_at < 5
    assert told.value.provider_code in {None, 20429, 20500}  # a status is not one of the provider's own numbers
    assert type(told.value) is error


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (21614, ChannelRefusedError),
        (21617, ChannelRefusedError),
        (30007, ChannelRefusedError),
        (21610, ChannelOptedOutError),
        (21611, ChannelThrottledError),
        (20429, ChannelThrottledError),
        (20003, ChannelConfigurationError),
        (21408, ChannelConfigurationError),
        (30410, ChannelError),
        (20503, ChannelUnknownError),
        (29999, ChannelRefusedError),
    ],
)
def test_each_class_of_code_has_its_error_with_words_for_staff(
    exchange: Exchange, number: int, error: type[ChannelError]
) -> None:
    exchange.faults.set([Fault(name=FaultName.NUMBER_REFUSED, number=SAM, code=number)])

    with pytest.raises(error) as told:
        channel(exchange).send(message())

    assert type(told.value) is error
    assert told.value.provider_code == number
    assert str(told.value).startswith(codes.code(number, 400).staff)
    assert len(str(told.value)) < 400


def test_an_answer_that_drips_in_within_its_time_is_an_answer(exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.DRIP, seconds=0.2)])

    sid = channel(exchange).send(message())

    assert exchange.message(sid).body == "hello"


@pytest.mark.parametrize(
    ("changes", "to", "error"),
    [
        ({}, "+447911123456", ChannelRefusedError),
        ({"auth_token": "wrong"}, SAM, ChannelConfigurationError),
        ({"from_numbers": ("+447700900996",)}, SAM, ChannelConfigurationError),
    ],
)
def test_a_refusal_is_the_numbers_or_ours(
    exchange: Exchange, changes: dict[str, Any], to: str, error: type[ChannelError]
) -> None:
    with pytest.raises(error) as told:
        channel(exchange, **changes).send(message(to))
    assert told.value.provider_code
    assert to not in str(told.value)


@pytest.mark.fault(105)
def test_a_number_that_said_stop_to_the_provider_is_told_apart(exchange: Exchange) -> None:
    exchange.receive(SAM, SENDER, "STOP")

    with pytest.raises(ChannelOptedOutError) as told:
        channel(exchange).send(message())
    assert told.value.provider_code == 21610


@pytest.mark.fault(12)
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


@pytest.mark.fault(25)
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


@pytest.mark.fault(23)
@pytest.mark.parametrize(
    ("told", "status"),
    [("queued", DeliveryStatus.ACCEPTED), ("sent", DeliveryStatus.SENT), ("delivered", DeliveryStatus.DELIVERED),
     ("read", DeliveryStatus.READ), ("undelivered", DeliveryStatus.UNDELIVERED), ("failed", DeliveryStatus.FAILED),
     ("a new word", None)],
)  # fmt: skip
def test_a_receipt_is_read_in_our_words(exchange: Exchange, told: str, status: DeliveryStatus | None) -> None:
    receipt = channel(exchange).read_receipt({"MessageSid": "SM1", "MessageStatus": told, "ErrorCode": "30003"})

    assert (receipt.provider_ref, receipt.status, receipt.error_code) == ("SM1", status, 30003)


@pytest.mark.fault(38, 40)
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
            b"".join(ours.fetch_media(url[:-32] + "0" * 32, 100))


@pytest.mark.fault(39)
def test_a_picture_that_drips_in_too_slowly_is_given_up(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilio, "FETCH_SECONDS", (5, 0.3))
    received = exchange.receive(SAM, SENDER, "look", [("image/jpeg", b"a picture")])
    media = exchange.media_of(received.sid)[0]
    url = f"{exchange.base_url}/2010-04-01/Accounts/{SID}/Messages/{received.sid}/Media/{media.sid}"
    exchange.faults.set([Fault(name=FaultName.DRIP, seconds=30, any_request=True)])

    with pytest.raises(ChannelError):
        b"".join(channel(exchange).fetch_media(url, 100))


@pytest.mark.fault(38)
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
