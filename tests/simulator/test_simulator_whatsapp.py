"""WhatsApp as the provider has it: a window of a day, templates outside it, a page that says so. Pools of numbers."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from twilio.base.exceptions import TwilioRestException

from babymind.errors import ConfigurationError, InvalidInputError
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.rates import by_sender, most_in
from babymind.simulator.records import Came, NewMessage, Status
from babymind.simulator.refusals import TEXTS
from babymind.simulator.server import SimulatorServer, create_simulator
from babymind.simulator.state import Exchange
from babymind.simulator.storage import Storage

from .conftest import OURS, SAM, SERVICE, Receiver

SECOND, THIRD, ON_WHATSAPP = "+447700900998", "+447700900997", "+447700900996"
TEMPLATE = "HX" + "c" * 32
SAMS_WHATSAPP, OUR_WHATSAPP = f"whatsapp:{SAM}", f"whatsapp:{ON_WHATSAPP}"
NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)


class Clock:
    """An instant that a test moves."""

    instant = NOW

    def __call__(self) -> datetime:
        return self.instant


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def config(config: SimulatorConfig) -> SimulatorConfig:
    return replace(config, more_numbers=(SECOND, THIRD), whatsapp_number=ON_WHATSAPP,
                   templates={TEMPLATE: "A note: {{1}}"})  # fmt: skip


@pytest.fixture
def exchange(config: SimulatorConfig, clock: Clock) -> Iterator[Exchange]:
    with Exchange(config, now=clock) as exchange:
        yield exchange


def on_whatsapp(receiver: Receiver, **more: Any) -> NewMessage:
    callback = f"{receiver.url}/webhooks/twilio/status/1"
    return NewMessage(**{"to": SAMS_WHATSAPP, "from_": OUR_WHATSAPP, "body": "hello", "status_callback": callback,
                         **more})  # fmt: skip


def refusal(call: Callable[[], object]) -> int:
    with pytest.raises(TwilioRestException) as caught:
        call()
    return int(caught.value.code)


# The window


def test_our_own_words_to_somebody_who_never_wrote_are_accepted_and_then_fail(
    exchange: Exchange, receiver: Receiver
) -> None:
    sent = exchange.send(on_whatsapp(receiver))
    assert sent.status is Status.QUEUED
    assert exchange.settle()

    (call,) = receiver.calls
    assert (call.form["MessageStatus"], call.form["ErrorCode"]) == ("failed", "63016")
    assert exchange.message(sent.sid).error_code == 63016


@pytest.mark.parametrize(
    ("ago", "status"), [(timedelta(hours=23, minutes=59), Status.DELIVERED), (timedelta(hours=24), Status.FAILED)]
)
def test_within_a_day_of_a_message_our_own_words_arrive(
    exchange: Exchange, clock: Clock, receiver: Receiver, ago: timedelta, status: Status
) -> None:
    came = exchange.receive(SAMS_WHATSAPP, None, "hello")
    assert exchange.settle()
    exchange.delete(came.sid)  # what the application deletes, the window remembers
    clock.instant += ago

    sent = exchange.send(on_whatsapp(receiver))
    assert exchange.settle()

    assert exchange.message(sent.sid).status is status


def test_a_text_message_opens_no_window_and_needs_none(exchange: Exchange, receiver: Receiver) -> None:
    exchange.receive(SAM, OURS, "by text")

    by_whatsapp = exchange.send(on_whatsapp(receiver))
    by_text = exchange.send(on_whatsapp(receiver, to=SAM, from_=OURS))
    assert exchange.settle()

    assert exchange.message(by_whatsapp.sid).status is Status.FAILED
    assert exchange.message(by_text.sid).status is Status.DELIVERED


def test_a_template_arrives_at_any_time_with_its_blank_filled(server: SimulatorServer, client: Any,
                                                              exchange: Exchange) -> None:  # fmt: skip
    sent = client.messages.create(to=SAMS_WHATSAPP, from_=OUR_WHATSAPP, content_sid=TEMPLATE,
                                  content_variables='{"1": "She smiles."}')  # fmt: skip
    assert exchange.settle()

    fetched = client.messages(sent.sid).fetch()
    assert (fetched.body, fetched.status, fetched.num_segments) == ("A note: She smiles.", "delivered", "1")


def test_a_template_beside_words_of_our_own_is_words_of_our_own(client: Any, exchange: Exchange) -> None:
    sent = client.messages.create(to=SAMS_WHATSAPP, from_=OUR_WHATSAPP, content_sid=TEMPLATE, body="hello")
    assert exchange.settle()

    assert client.messages(sent.sid).fetch().error_code == 63016


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"content_sid": "HX" + "0" * 32}, 21655),
        ({"content_sid": TEMPLATE, "content_variables": "She smiles."}, 21656),
        ({"content_sid": TEMPLATE, "content_variables": '["She smiles."]'}, 21656),
        ({"content_sid": TEMPLATE, "content_variables": '{"1": 1}'}, 21656),
        ({"content_sid": TEMPLATE, "content_variables": '{"1": "two\\nlines"}'}, 21656),
        ({"body": "x", "from_": OURS}, 21910),
        ({"body": "x", "from_": f"whatsapp:{OURS}"}, 21606),
        ({"body": "x", "to": SAM}, 21910),
    ],
)
def test_what_whatsapp_refuses_at_once(client: Any, request_: dict[str, Any], code: int) -> None:
    asked = {"to": SAMS_WHATSAPP, "from_": OUR_WHATSAPP} | request_

    assert refusal(lambda: client.messages.create(**asked)) == code


def test_without_templates_of_its_own_any_is_a_single_blank(config: SimulatorConfig, receiver: Receiver) -> None:
    with Exchange(replace(config, templates={})) as exchange, SimulatorServer(exchange) as server:
        from twilio.rest import Client

        client = Client(config.account_sid, config.auth_token)
        client.api.base_url = server.url
        sent = client.messages.create(to=SAMS_WHATSAPP, from_=OUR_WHATSAPP, content_sid="HX1",
                                      content_variables='{"1": "She smiles."}')  # fmt: skip
        client.http_client.session.close()

    assert sent.body == "She smiles."


def test_a_file_of_an_earlier_version_is_taken_up(
    config: SimulatorConfig, tmp_path: Path, receiver: Receiver
) -> None:
    file = str(tmp_path / "phones.db")
    Storage(file).close()
    with sqlite3.connect(file) as connection:
        connection.execute("ALTER TABLE message DROP COLUMN content_sid")
        connection.execute("DROP TABLE heard")
    connection.close()

    with Exchange(config, file) as exchange:
        sent = exchange.send(on_whatsapp(receiver, content_sid=TEMPLATE))
        assert exchange.settle()
        assert exchange.message(sent.sid).content_sid == TEMPLATE


# The page


def test_the_phone_says_what_came_by_whatsapp_and_what_was_a_template(exchange: Exchange, receiver: Receiver) -> None:
    exchange.add_phone(SAM, "Sam")
    exchange.send(on_whatsapp(receiver, to=SAM, from_=OURS))
    exchange.send(on_whatsapp(receiver, content_sid=TEMPLATE))
    exchange.send(on_whatsapp(receiver))
    assert exchange.settle()
    browser = create_simulator(exchange).test_client()

    page = browser.get("/phones/447700900001").text

    metas = [re.sub(r"<[^>]+>", "", meta).strip() for meta in re.findall(r'<p class="meta">(.*?)</p>', page, re.S)]
    assert metas == [
        "09:00 · Delivered",
        "WhatsApp template · 09:00 · Delivered",
        f"WhatsApp · 09:00 · Not sent: {TEXTS[63016].lower()} (63016)",
    ]
    assert '<option value="whatsapp" selected>WhatsApp</option>' in page


def write(browser: FlaskClient, **form: str) -> int:
    return browser.post("/phones/447700900001/messages", data=form).status_code


def test_a_parent_chooses_by_what_to_answer_or_answers_as_they_were_written_to(
    exchange: Exchange, receiver: Receiver
) -> None:
    exchange.add_phone(SAM, "Sam")
    browser = create_simulator(exchange).test_client()

    assert write(browser, body="one") == 303
    assert write(browser, body="two", channel="whatsapp") == 303
    assert write(browser, body="three") == 303
    assert write(browser, body="four", channel="sms") == 303
    assert write(browser, body="five", channel="pigeon") == 303
    assert exchange.settle()

    froms = {call.form["Body"]: call.form["From"] for call in receiver.calls}
    assert froms == {"one": SAM, "two": SAMS_WHATSAPP, "three": SAMS_WHATSAPP, "four": SAM, "five": SAM}


# A pool of numbers


def test_a_phone_is_always_written_to_by_the_same_number_of_a_service(exchange: Exchange, receiver: Receiver) -> None:
    phones = [f"+4477009001{n:02d}" for n in range(20)]

    def senders() -> dict[str, str | None]:
        sent = {to: exchange.send(NewMessage(to=to, messaging_service_sid=SERVICE, body="x")).sid for to in phones}
        assert exchange.settle()
        return {to: exchange.message(sid).from_ for to, sid in sent.items()}

    first = senders()

    assert senders() == first
    assert set(first.values()) == {OURS, SECOND, THIRD}


def test_a_phone_answers_the_number_that_wrote_last_and_stops_that_one_only(
    exchange: Exchange, receiver: Receiver, client: Any
) -> None:
    exchange.send(NewMessage(to=SAM, from_=SECOND, body="hello"))
    assert exchange.settle()

    assert exchange.receive(SAM, None, "STOP").to == SECOND

    assert exchange.is_opted_out(SAM)
    assert refusal(lambda: client.messages.create(to=SAM, from_=SECOND, body="x")) == 21610
    assert refusal(lambda: client.messages.create(to=SAM, messaging_service_sid=SERVICE, body="x")) == 21610
    assert client.messages.create(to=SAM, from_=OURS, body="x").status == "queued"


def test_a_service_names_all_its_numbers(client: Any, server: SimulatorServer) -> None:
    client.messaging.base_url = server.url

    listed = client.messaging.v1.services(SERVICE).phone_numbers.list()

    assert [one.phone_number for one in listed] == [OURS, SECOND, THIRD]
    assert len({one.sid for one in listed}) == 3


def test_real_numbers_are_refused_as_senders_too(config: SimulatorConfig) -> None:
    for changes in ({"more_numbers": ("+447911123456",)}, {"whatsapp_number": "+447911123456"}):
        with pytest.raises(ConfigurationError, match="fiction"):
            replace(config, **changes)
    with Exchange(config) as exchange, pytest.raises(InvalidInputError):
        exchange.receive(SAM, OUR_WHATSAPP, "by text to a WhatsApp number")


# How fast


def came(*milliseconds: int, segments: int = 1, sender: str = OURS) -> list[Came]:
    return [Came(NOW + timedelta(milliseconds=one), sender, segments) for one in milliseconds]


def test_the_most_in_any_second_is_found_wherever_that_second_begins() -> None:
    assert most_in(came(0, 999, 1000, 1001, 1998, 2500)) == 4
    assert most_in(came(0, 1000, 2000)) == 1
    assert most_in(came(0, 500, segments=3)) == 6
    assert most_in([]) == 0


def test_it_is_known_when_each_segment_came_from_whom(exchange: Exchange, clock: Clock, client: Any) -> None:
    client.messages.create(to=SAM, from_=OURS, body="x" * 161)
    clock.instant += timedelta(milliseconds=400)
    client.messages.create(to=SAM, messaging_service_sid=SERVICE, body="x")
    client.messages.create(to=SAM, from_=OURS, body="x")
    client.messages.create(to=SAMS_WHATSAPP, from_=OUR_WHATSAPP, body="x" * 161)
    exchange.receive(SAM, OURS, "hello")
    assert exchange.settle()

    assert exchange.came() == [
        Came(NOW, OURS, 2), Came(clock.instant, SERVICE, 1), Came(clock.instant, OURS, 1),
        Came(clock.instant, OUR_WHATSAPP, 1),
    ]  # fmt: skip
    assert [one.segments for one in exchange.came(clock.instant)] == [1, 1, 1]
    browser = create_simulator(exchange).test_client()
    shown = browser.get("/simulator/senders").get_json()["senders"]
    assert shown == by_sender(exchange.came())
    assert {one["sender"]: (one["messages"], one["segments"], one["most_in_a_second"]) for one in shown} == {
        OURS: (2, 3, 3), SERVICE: (1, 1, 1), OUR_WHATSAPP: (1, 1, 1),
    }  # fmt: skip
    later = browser.get("/simulator/senders", query_string={"since": clock.instant.isoformat()}).get_json()["senders"]
    assert sum(one["segments"] for one in later) == 3
    for odd in ("soon", "2026-11-26T09:00:00"):
        assert browser.get("/simulator/senders", query_string={"since": odd}).status_code == 400
