"""Status callbacks, incoming messages and their webhook, and the provider's own STOP."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from babymind.errors import InvalidInputError
from babymind.simulator import addresses
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.records import NewMessage, Status
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import REPLIES, Exchange
from babymind.simulator.storage import Search
from babymind.simulator.tasks import Tasks

from .conftest import ACCOUNT, OURS, SAM, SERVICE, TOKEN, Call, Receiver, eventually


def text(receiver: Receiver, **changes: Any) -> NewMessage:
    callback = f"{receiver.url}/webhooks/twilio/status/17?a=b"
    return NewMessage(**{"to": SAM, "from_": OURS, "body": "x", "status_callback": callback, **changes})


def is_signed(call: Call, origin: str) -> bool:
    signature = call.headers["X-Twilio-Signature"]
    return bool(RequestValidator(TOKEN).validate(origin + call.path, call.form, signature))


def test_every_status_after_the_first_is_called_back_signed(
    client: Any, exchange: Exchange, receiver: Receiver
) -> None:
    callback = f"{receiver.url}/webhooks/twilio/status/17?attempt=1"

    sid = client.messages.create(to=SAM, from_=OURS, body="x", status_callback=callback).sid
    assert exchange.settle()

    assert [call.form["MessageStatus"] for call in receiver.calls] == ["sent", "delivered"]
    for call in receiver.calls:
        assert is_signed(call, receiver.url)
        assert call.path == "/webhooks/twilio/status/17?attempt=1"
        assert call.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
        assert len(call.headers["I-Twilio-Idempotency-Token"]) == 32
        assert call.form["MessageSid"] == call.form["SmsSid"] == sid
        assert call.form["SmsStatus"] == call.form["MessageStatus"]
        assert (call.form["AccountSid"], call.form["To"], call.form["From"]) == (ACCOUNT, SAM, OURS)
        assert "ErrorCode" not in call.form
    assert len(receiver.calls[1].form["RawDlrDoneDate"]) == 10


def test_a_messaging_service_is_named_in_its_callbacks(exchange: Exchange, receiver: Receiver) -> None:
    exchange.send(text(receiver, from_=None, messaging_service_sid=SERVICE))
    assert exchange.settle()

    assert [call.form["MessagingServiceSid"] for call in receiver.calls] == [SERVICE, SERVICE]
    assert [call.form["From"] for call in receiver.calls] == [OURS, OURS]


@pytest.mark.parametrize("answer", [0, 500])
def test_a_failing_callback_is_tried_a_few_times_and_then_given_up(
    exchange: Exchange, receiver: Receiver, answer: int
) -> None:
    receiver.answers = [answer] * 50

    sid = exchange.send(text(receiver)).sid
    assert exchange.settle()

    assert len(receiver.calls) == 2 * exchange.config.callback_attempts
    tokens = {call.headers["I-Twilio-Idempotency-Token"] for call in receiver.calls}
    assert len(tokens) == 2
    assert exchange.message(sid).status is Status.DELIVERED


def test_a_callback_that_is_refused_is_not_tried_again(exchange: Exchange, receiver: Receiver) -> None:
    receiver.answers = [403, 404]

    exchange.send(text(receiver))
    assert exchange.settle()

    assert len(receiver.calls) == 2


def test_a_connection_that_was_hung_up_is_opened_again(config: SimulatorConfig, receiver: Receiver) -> None:
    receiver.hangs_up = True

    with Exchange(replace(config, workers=1)) as exchange:
        for _ in range(5):
            exchange.receive(SAM, OURS, "hello")
            assert exchange.settle()
            time.sleep(0.02)  # for the hanging up to arrive

    assert len(receiver.calls) == 5


def test_callbacks_may_go_to_several_places(config: SimulatorConfig, receiver: Receiver) -> None:
    other = Receiver()

    with Exchange(replace(config, workers=1)) as exchange:
        for address in (receiver.url, other.url, receiver.url):
            exchange.send(text(receiver, status_callback=address))
            assert exchange.settle()
    other.stop()

    assert [call.path for call in receiver.calls] == ["/"] * 4
    assert [call.path for call in other.calls] == ["/"] * 2


def test_nobody_at_the_callback_address_stops_nothing(exchange: Exchange) -> None:
    sid = exchange.send(NewMessage(to=SAM, from_=OURS, body="x", status_callback="http://127.0.0.1:1/x")).sid
    assert exchange.settle()

    assert exchange.message(sid).status is Status.DELIVERED


def test_what_was_sent_before_a_restart_arrives_after_it(config: SimulatorConfig, tmp_path: Path) -> None:
    file = str(tmp_path / "provider.sqlite")
    with Exchange(replace(config, callback_delay_seconds=0.05), file) as exchange:
        sid = exchange.send(NewMessage(to=SAM, from_=OURS, body="x")).sid
        assert eventually(lambda: exchange.message(sid).status is Status.SENT)

    with Exchange(config, file) as exchange:
        assert exchange.settle()
        assert exchange.message(sid).status is Status.DELIVERED


def test_a_message_cancelled_meanwhile_is_not_sent(config: SimulatorConfig, receiver: Receiver) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    nearly = now + timedelta(seconds=300.9)
    instants = iter([now, now])  # for the check and the record; then it is nearly time
    scheduled = text(receiver, from_=None, messaging_service_sid=SERVICE, send_at=now + timedelta(seconds=301))

    with Exchange(config, now=lambda: next(instants, nearly)) as exchange:
        sid = exchange.send(scheduled).sid
        exchange.cancel(sid)
        assert exchange.settle()

        assert exchange.message(sid).status is Status.CANCELED
    assert receiver.calls == []


def test_a_message_whose_validity_ran_out_fails(config: SimulatorConfig, receiver: Receiver) -> None:
    instant = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def later() -> datetime:
        nonlocal instant
        instant += timedelta(seconds=61)
        return instant

    with Exchange(config, now=later) as exchange:
        sid = exchange.send(text(receiver, validity_seconds=60)).sid
        assert exchange.settle()

        assert exchange.message(sid).status is Status.FAILED
        assert exchange.message(sid).error_code == 30036
    assert [call.form["MessageStatus"] for call in receiver.calls] == ["failed"]
    assert receiver.calls[0].form["ErrorCode"] == "30036"


def test_a_text_from_a_phone_reaches_the_webhook_signed(
    exchange: Exchange, receiver: Receiver, server: SimulatorServer
) -> None:
    message = exchange.receive(SAM, OURS, "He smiled 😊", [("image/png", b"one"), ("image/jpeg", b"two")])
    assert exchange.settle()

    (call,) = receiver.calls
    form = call.form
    assert is_signed(call, receiver.url)
    assert call.path == "/webhooks/twilio/messages"
    assert form["MessageSid"] == form["SmsSid"] == form["SmsMessageSid"] == message.sid
    assert (form["From"], form["To"], form["Body"]) == (SAM, OURS, "He smiled 😊")
    assert (form["NumMedia"], form["NumSegments"], form["SmsStatus"]) == ("2", "1", "received")
    assert (form["AccountSid"], form["MessagingServiceSid"]) == (ACCOUNT, SERVICE)
    assert (form["FromCountry"], form["ToCountry"], form["FromCity"]) == ("GB", "GB", "")
    assert (form["MediaContentType0"], form["MediaContentType1"]) == ("image/png", "image/jpeg")
    assert "OptOutType" not in form
    assert form["MediaUrl1"].startswith(f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages/{message.sid}/")
    assert requests.get(form["MediaUrl1"], auth=(ACCOUNT, TOKEN), timeout=5).content == b"two"
    assert exchange.message(message.sid).webhook_status == 204


@pytest.mark.parametrize("answer", [0, 503])
def test_a_failing_webhook_is_tried_once_more_with_the_same_token(
    exchange: Exchange, receiver: Receiver, answer: int
) -> None:
    receiver.answers = [answer, 200]

    sid = exchange.receive(SAM, OURS, "hello").sid
    assert exchange.settle()

    assert [call.form["MessageSid"] for call in receiver.calls] == [sid, sid]
    assert len({call.headers["I-Twilio-Idempotency-Token"] for call in receiver.calls}) == 1
    assert exchange.message(sid).webhook_status == 200


@pytest.mark.parametrize(("answer", "kept"), [(0, 0), (500, 500)])
def test_after_the_second_failure_a_message_is_only_listed(
    exchange: Exchange, receiver: Receiver, answer: int, kept: int
) -> None:
    receiver.answers = [answer, answer]

    sid = exchange.receive(SAM, OURS, "hello").sid
    assert exchange.settle()

    assert len(receiver.calls) == 2
    assert exchange.message(sid).webhook_status == kept
    assert [message.sid for message in exchange.messages(Search(to=OURS))] == [sid]


def test_whatsapp_says_who_writes_and_has_no_stop_of_its_own(exchange: Exchange, receiver: Receiver) -> None:
    exchange.add_phone(SAM, "Sam, Robin's mother")

    exchange.receive(f"whatsapp:{SAM}", None, "STOP")
    assert exchange.settle()

    form = receiver.calls[0].form
    assert (form["From"], form["To"]) == (f"whatsapp:{SAM}", f"whatsapp:{OURS}")
    assert (form["ProfileName"], form["WaId"]) == ("Sam, Robin's mother", "447700900001")
    assert "OptOutType" not in form
    assert not exchange.is_opted_out(SAM)


@pytest.mark.parametrize("word", ["STOP", "unsubscribe", " End ", "QUIT", "StopAll", "REVOKE", "OPTOUT", "cancel\n"])
def test_a_stop_word_blocks_the_number_until_start(
    client: Any, exchange: Exchange, receiver: Receiver, word: str
) -> None:
    exchange.receive(SAM, OURS, word)
    assert exchange.settle()

    with pytest.raises(TwilioRestException) as caught:
        client.messages.create(to=SAM, from_=OURS, body="x")
    assert (caught.value.status, caught.value.code) == (400, 21610)
    assert client.messages.create(to="+447700900002", from_=OURS, body="x").status == "queued"

    exchange.receive(SAM, OURS, "Start")
    assert exchange.settle()

    assert client.messages.create(to=SAM, from_=OURS, body="x").status == "queued"
    assert [call.form["OptOutType"] for call in receiver.calls] == ["STOP", "START"]
    assert receiver.calls[0].form["Body"] == word


def test_a_messaging_service_respects_a_stop_too(client: Any, exchange: Exchange) -> None:
    exchange.receive(SAM, OURS, "STOP")

    with pytest.raises(TwilioRestException, match="unsubscribed"):
        client.messages.create(to=SAM, messaging_service_sid=SERVICE, body="x")


@pytest.mark.parametrize("body", ["STOP please", "don't stop", "Stop.", "please cancel", "yes"])
def test_other_words_block_nothing(exchange: Exchange, receiver: Receiver, body: str) -> None:
    exchange.receive(SAM, OURS, body)
    assert exchange.settle()

    assert not exchange.is_opted_out(SAM)
    assert "OptOutType" not in receiver.calls[0].form


def test_yes_resubscribes_somebody_who_had_stopped(exchange: Exchange, receiver: Receiver) -> None:
    exchange.receive(SAM, OURS, "STOP")
    assert exchange.settle()

    exchange.receive(SAM, OURS, "yes")
    assert exchange.settle()

    assert not exchange.is_opted_out(SAM)
    assert receiver.calls[1].form["OptOutType"] == "START"


def test_the_provider_answers_by_itself_and_does_not_list_it(client: Any, exchange: Exchange) -> None:
    for word in ("STOP", "STOP", "START", "HELP", "info"):
        exchange.receive(SAM, OURS, word)
    shown = [message.body for message, _ in exchange.thread(SAM)]

    stop, start, help_ = REPLIES.values()
    assert shown == ["STOP", stop, "STOP", "START", start, "HELP", help_, "info", help_]
    assert [message.body for message in client.messages.list(from_=OURS)] == []
    assert len(client.messages.list()) == 5


def test_the_providers_answers_can_be_switched_off(config: SimulatorConfig) -> None:
    with Exchange(replace(config, provider_answers_optout=False)) as exchange:
        exchange.receive(SAM, OURS, "STOP")

        assert [message.body for message, _ in exchange.thread(SAM)] == ["STOP"]
        assert exchange.is_opted_out(SAM)


def test_signatures_are_made_over_the_public_address(config: SimulatorConfig, receiver: Receiver) -> None:
    public = replace(
        config,
        messages_webhook_url="https://babymind.example/webhooks/twilio/messages",
        connect_to=receiver.url,
    )
    with Exchange(public) as exchange:
        exchange.receive(SAM, None, "hello")
        assert exchange.settle()
        exchange.send(text(receiver, status_callback="https://babymind.example/webhooks/twilio/status/1?x=y"))
        assert exchange.settle()

    assert len(receiver.calls) == 3
    assert receiver.calls[1].path == "/webhooks/twilio/status/1?x=y"
    for call in receiver.calls:
        assert call.headers["Host"] == "babymind.example"
        assert is_signed(call, "https://babymind.example")


@pytest.mark.parametrize(
    ("from_", "to", "body", "media"),
    [
        ("+447911123456", OURS, "x", 0),
        (SAM, "+447700900998", "x", 0),
        (SAM, OURS, "", 0),
        (SAM, OURS, " \n", 0),
        (SAM, OURS, "x" * 1601, 0),
        (SAM, OURS, "x", 11),
    ],
)
def test_what_no_phone_could_send_is_refused(exchange: Exchange, from_: str, to: str, body: str, media: int) -> None:
    with pytest.raises(InvalidInputError):
        exchange.receive(from_, to, body, [("image/png", b"x")] * media)

    assert exchange.messages() == []


def test_an_odd_content_type_cannot_reach_a_header(exchange: Exchange) -> None:
    sid = exchange.receive(SAM, OURS, "", [("image/png\r\nX-Evil: 1", b"x"), ("Image/JPEG; a=b", b"x")]).sid

    assert [m.content_type for m in exchange.media_of(sid)] == ["application/octet-stream", "image/jpeg"]


@pytest.mark.parametrize(
    ("number", "label", "zone"),
    [
        ("+447911123456", "A", "Europe/London"),
        (f"whatsapp:{SAM}", "A", "Europe/London"),
        (SAM, "", "Europe/London"),
        (SAM, "A" * 81, "Europe/London"),
        (SAM, "A", "Europe/Atlantis"),
        (SAM, "A", "../etc/passwd"),
    ],
)
def test_an_odd_phone_is_refused(exchange: Exchange, number: str, label: str, zone: str) -> None:
    with pytest.raises(InvalidInputError):
        exchange.add_phone(number, label, zone)


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ŵ" * 70, 1),
        ("ŵ" * 71, 2),
        ("😊" * 36, 2),
    ],
)
def test_segments_are_counted_as_the_networks_do(body: str, segments: int) -> None:
    assert addresses.segments(body) == segments


def test_work_that_fails_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    tasks, done = Tasks(1), []

    def fail() -> None:
        raise ZeroDivisionError

    tasks.run(0.01, lambda: done.append("later"))
    tasks.run(0, fail)
    tasks.run(0, lambda: done.append("now"))
    assert tasks.settle(5)
    tasks.close()
    tasks.run(0, fail)

    assert done == ["now", "later"]
    assert "failed" in caplog.text


def test_many_texts_all_arrive_once(exchange: Exchange, receiver: Receiver) -> None:
    sids = [exchange.send(text(receiver, body=str(n))).sid for n in range(500)]
    assert exchange.settle(20)

    delivered = [c.form["MessageSid"] for c in receiver.calls if c.form["MessageStatus"] == "delivered"]
    assert sorted(delivered) == sorted(sids)
