"""Asking the provider: what became of a message, and what came in, over HTTP to the phone simulator."""

import itertools
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from babymind.channels import twilio
from babymind.channels.base import Channel, Found, OutgoingMessage, Sought, Template
from babymind.channels.memory import MemoryChannel
from babymind.channels.twilio import TwilioChannel
from babymind.domain.contact import ChannelName
from babymind.domain.delivery import DeliveryStatus
from babymind.errors import (
    ChannelConfigurationError,
    ChannelError,
    ChannelThrottledError,
    ChannelUnknownError,
    NotFoundError,
)
from babymind.simulator.faults import Fault, FaultName
from babymind.simulator.life import incoming_fields
from babymind.simulator.records import NewMessage
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange

from .conftest import JO, ON_WHATSAPP, PUBLIC, SAM, SECOND, SENDER, SERVICE, TEMPLATE, TOKEN, channel, config, message

NO_SID = "SM" + "0" * 32
NOW = datetime(2026, 11, 26, 0, 30, tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


def sought(
    to: str = SAM, text: str = "hello", since: datetime | None = None, provider_ref: str | None = None, **more: Any
) -> Sought:
    return Sought(delivery_id=17, to=to, text=text, since=since or now(), provider_ref=provider_ref, **more)


def take(exchange: Exchange, text: str = "hello", to: str = SAM) -> str:
    return exchange.send(NewMessage(to=to, from_=SENDER, body=text)).sid


def requests_for_lists(exchange: Exchange) -> int:
    return exchange.faults.struck(FaultName.LIST_LATE)


def count_lists(exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.LIST_LATE, times=None, seconds=0)])


# One message by its SID


def test_a_message_is_found_by_its_sid_whatever_it_says(exchange: Exchange) -> None:
    sid = take(exchange, "one text")
    assert exchange.settle()

    found = channel(exchange).look_up(sought(text="another", provider_ref=sid, since=now() + timedelta(days=3)))

    assert found is not None
    assert (found.provider_ref, found.status, found.error_code) == (sid, DeliveryStatus.DELIVERED, None)
    assert abs(found.at - now()) < timedelta(minutes=1)


def test_a_message_that_failed_is_found_with_its_code(exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.NUMBER_ERROR, number=SAM, code=30005)])
    sid = take(exchange)
    assert exchange.settle()
    ours = channel(exchange)

    for found in (ours.look_up(sought(provider_ref=sid)), ours.look_up(sought())):
        assert found is not None
        assert (found.provider_ref, found.status, found.error_code) == (sid, DeliveryStatus.UNDELIVERED, 30005)
    receipt = ours.status_of(sid)
    assert (receipt.told, receipt.status, receipt.error_code) == ("undelivered", DeliveryStatus.UNDELIVERED, 30005)


def test_where_a_message_stands_is_told_like_a_receipt(exchange: Exchange) -> None:
    sid = take(exchange)
    assert exchange.settle()

    receipt = channel(exchange).status_of(sid)

    assert (receipt.provider_ref, receipt.told, receipt.error_code) == (sid, "delivered", None)
    assert receipt.status is DeliveryStatus.DELIVERED


@pytest.mark.parametrize("ref", [NO_SID, "", "../../Accounts", "SM1/Media", "SM1?x=1", "SMé"])
def test_a_message_that_was_deleted_or_never_was_is_not_found(exchange: Exchange, ref: str) -> None:
    take(exchange)

    assert channel(exchange).look_up(sought(provider_ref=ref)) is None
    with pytest.raises(NotFoundError):
        channel(exchange).status_of(ref)


# One message in the list


@pytest.mark.parametrize(
    "fault", [FaultName.ACCEPT_LATE, FaultName.ACCEPT_DROP, FaultName.ACCEPT_ERROR, FaultName.DRIP]
)
def test_a_message_whose_answer_was_lost_is_found_in_the_list(exchange: Exchange, fault: FaultName) -> None:
    exchange.faults.set([Fault(name=fault, seconds=30)])
    ours, since = channel(exchange, answer_seconds=0.3), now()
    with pytest.raises(ChannelUnknownError):
        ours.send(message())
    assert exchange.settle()

    found = ours.look_up(sought(since=since))

    assert found is not None
    assert exchange.message(found.provider_ref).body == "hello"
    assert found.status is DeliveryStatus.DELIVERED
    assert len(exchange.messages()) == 1


@pytest.mark.parametrize(
    "fault", [FaultName.RESET, FaultName.SERVER_ERROR, FaultName.BAD_GATEWAY, FaultName.HTML_OK, FaultName.HANG]
)
def test_a_message_that_was_never_taken_is_not_found(exchange: Exchange, fault: FaultName) -> None:
    exchange.faults.set([Fault(name=fault, seconds=30)])
    ours, since = channel(exchange, answer_seconds=0.3), now()
    with pytest.raises(ChannelUnknownError):
        ours.send(message())

    assert ours.look_up(sought(since=since)) is None


def test_a_message_that_waits_in_the_queue_has_no_day_and_is_found_all_the_same() -> None:
    with Exchange(config(delay_seconds=60)) as exchange, SimulatorServer(exchange):
        since = now()
        sid = channel(exchange).send(message())

        found = channel(exchange).look_up(sought(since=since))

        assert found is not None
        assert (found.provider_ref, found.status) == (sid, DeliveryStatus.ACCEPTED)


def test_what_is_found_is_to_the_same_number_with_the_same_words_and_not_older(exchange: Exchange) -> None:
    take(exchange)
    exchange.receive(SAM, SENDER, "an answer")
    assert exchange.settle()
    ours = channel(exchange)

    assert ours.look_up(sought(JO)) is None
    assert ours.look_up(sought(text="hello again")) is None
    assert ours.look_up(sought(SENDER, "an answer")) is None
    assert ours.look_up(sought(since=now() + timedelta(minutes=6))) is None
    assert ours.look_up(sought(since=now() + timedelta(minutes=4))) is not None  # clocks differ
    assert ours.look_up(sought(since=now() - timedelta(days=3))) is not None


@pytest.mark.parametrize("body", ["Sent from your Twilio trial account - hello\n", " hello"])
def test_what_twilio_puts_around_a_text_does_not_hide_it(exchange: Exchange, body: str) -> None:
    sid = take(exchange, body)
    assert exchange.settle()

    found = channel(exchange).look_up(sought(text="hello"))

    assert found is not None
    assert found.provider_ref == sid


def test_two_texts_that_say_the_same_each_find_their_own_the_earlier_first(exchange: Exchange) -> None:
    first, second = take(exchange), take(exchange)
    assert exchange.settle()
    ours = channel(exchange)

    def found(*taken: str) -> str | None:
        one = ours.look_up(sought(), taken)
        return one.provider_ref if one else None

    assert found() == first
    assert found(first) == second
    assert found(second) == first
    assert found(first, second) is None


def test_the_earlier_of_two_is_told_by_its_instant_before_its_place_in_the_list() -> None:
    instants = itertools.count()
    with (
        Exchange(config(), now=lambda: NOW + timedelta(seconds=next(instants))) as exchange,
        SimulatorServer(exchange),
    ):
        first, _ = take(exchange), take(exchange)
        assert exchange.settle()

        found = channel(exchange).look_up(sought(since=NOW))

    assert found is not None
    assert found.provider_ref == first


def test_a_message_sent_before_midnight_in_greenwich_is_found_by_a_clock_beyond_it() -> None:
    midnight = datetime(2026, 11, 26, tzinfo=UTC)
    with (
        Exchange(config(), now=lambda: midnight - timedelta(minutes=1)) as exchange,
        SimulatorServer(exchange),
    ):
        sid = take(exchange)
        assert exchange.settle()
        since = (midnight + timedelta(minutes=1)).astimezone(timezone(timedelta(hours=13)))

        found = channel(exchange).look_up(sought(since=since))

    assert found is not None
    assert found.provider_ref == sid


def test_a_message_is_found_beyond_the_first_page(exchange: Exchange) -> None:
    sid = take(exchange)
    for n in range(2 * twilio.PAGE + 1):
        take(exchange, str(n))
    assert exchange.settle(20)
    count_lists(exchange)

    found = channel(exchange).look_up(sought())

    assert found is not None
    assert found.provider_ref == sid
    assert requests_for_lists(exchange) == 3


def test_the_list_is_left_where_it_becomes_older_than_the_message(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio, "PAGE", 2)
    for n in range(9):
        take(exchange, str(n))
    assert exchange.settle()
    count_lists(exchange)

    assert channel(exchange).look_up(sought(since=now() + timedelta(minutes=6))) is None

    assert requests_for_lists(exchange) == 2  # the first page by day, and the first of all


def test_a_list_without_an_end_is_no_answer(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilio, "PAGE", 1)
    monkeypatch.setattr(twilio, "PAGES_TO_ONE", 3)
    for n in range(5):
        take(exchange, str(n))
    assert exchange.settle()

    with pytest.raises(ChannelUnknownError, match="more messages"):
        channel(exchange).look_up(sought())


def test_a_list_that_lags_behind_does_not_name_a_message_until_later(exchange: Exchange) -> None:
    sid = take(exchange)
    assert exchange.settle()
    exchange.faults.set([Fault(name=FaultName.LIST_LATE, times=2, seconds=60)])
    ours = channel(exchange)

    assert ours.look_up(sought()) is None
    found = ours.look_up(sought())

    assert found is not None
    assert found.provider_ref == sid


# On WhatsApp

LONG = "She turns to your voice.\nWhat is on her mind?"


def whatsapp(exchange: Exchange) -> TwilioChannel:
    return channel(exchange, whatsapp_from=ON_WHATSAPP)


def found_on_whatsapp(exchange: Exchange, text: str, *taken: str) -> str | None:
    one = whatsapp(exchange).look_up(sought(text=text, channel=ChannelName.WHATSAPP), taken)
    return one.provider_ref if one else None


def by_template(exchange: Exchange, text: str) -> str:
    filled = Template.saying(TEMPLATE, text)
    return whatsapp(exchange).send(message(text=text, channel=ChannelName.WHATSAPP, template=filled))


def test_a_template_is_found_by_the_text_that_it_was_filled_with(exchange: Exchange) -> None:
    by_template(exchange, "something else")
    sid = by_template(exchange, LONG)

    assert found_on_whatsapp(exchange, LONG) == sid
    assert exchange.settle()
    assert found_on_whatsapp(exchange, LONG) == sid
    assert found_on_whatsapp(exchange, LONG, sid) is None
    assert channel(exchange).look_up(sought(text=LONG)) is None  # not as a text message


def test_our_own_words_on_whatsapp_are_found_before_a_template_that_holds_them(exchange: Exchange) -> None:
    template = by_template(exchange, LONG)
    exchange.receive(f"whatsapp:{SAM}", None, "hello")
    ours = whatsapp(exchange).send(message(text=LONG, channel=ChannelName.WHATSAPP))
    assert exchange.settle()

    assert found_on_whatsapp(exchange, LONG) == ours
    assert found_on_whatsapp(exchange, LONG, ours) == template
    assert found_on_whatsapp(exchange, LONG, ours, template) is None


def test_a_template_whose_words_are_not_listed_yet_is_found_by_whom_it_went_to_and_when(exchange: Exchange) -> None:
    sid = by_template(exchange, LONG)
    assert exchange.settle()
    exchange.redact(sid)

    assert found_on_whatsapp(exchange, LONG) == sid
    assert found_on_whatsapp(exchange, LONG, sid) is None
    later = sought(text=LONG, channel=ChannelName.WHATSAPP, since=now() + timedelta(minutes=6))
    assert whatsapp(exchange).look_up(later) is None


def test_what_came_by_whatsapp_is_listed_too(exchange: Exchange) -> None:
    exchange.receive(SAM, SENDER, "by text")
    exchange.receive(f"whatsapp:{JO}", None, "by whatsapp")
    ours = whatsapp(exchange)

    came = [ours.read_inbound(form) for form in ours.inbound_since(now())]

    assert sorted((one.channel, one.from_number, one.text) for one in came) == [
        (ChannelName.SMS, SAM, "by text"), (ChannelName.WHATSAPP, JO, "by whatsapp"),
    ]  # fmt: skip


# What goes wrong while asking

Ask = Callable[[TwilioChannel], object]
ASKING: dict[str, Ask] = {
    "by sid": lambda ours: ours.look_up(sought(provider_ref=NO_SID)),
    "by list": lambda ours: ours.look_up(sought()),
    "status": lambda ours: ours.status_of(NO_SID),
    "inbound": lambda ours: list(ours.inbound_since(now())),
}


@pytest.mark.parametrize("asking", ASKING)
@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (FaultName.THROTTLE, ChannelThrottledError, 20429),
        (FaultName.SERVER_ERROR, ChannelUnknownError, 20500),
        (FaultName.BAD_GATEWAY, ChannelUnknownError, None),
        (FaultName.HTML_OK, ChannelUnknownError, None),
        (FaultName.RESET, ChannelUnknownError, None),
        (FaultName.HANG, ChannelUnknownError, None),
        (FaultName.DRIP, ChannelUnknownError, None),
    ],
)
def test_an_answer_that_is_none_is_told_as_for_sending(
    exchange: Exchange, asking: str, fault: FaultName, error: type[ChannelError], code: int | None
) -> None:
    exchange.faults.set([Fault(name=fault, seconds=30, any_request=True)])

    with pytest.raises(error) as told:
        ASKING[asking](channel(exchange, answer_seconds=0.3))

    assert type(told.value) is error
    assert told.value.provider_code == code


@pytest.mark.parametrize("asking", ASKING)
def test_a_provider_that_is_away_says_nothing(exchange: Exchange, asking: str) -> None:
    with pytest.raises(ChannelUnknownError, match="no answer"):
        ASKING[asking](channel(exchange, api_base_url=PUBLIC))


@pytest.mark.fault(15)
@pytest.mark.parametrize("asking", ASKING)
def test_wrong_credentials_are_not_taken_for_a_message_that_is_not_there(exchange: Exchange, asking: str) -> None:
    with pytest.raises(ChannelConfigurationError) as told:
        ASKING[asking](channel(exchange, auth_token=f"not {TOKEN}"))

    assert told.value.provider_code == 20003


@pytest.mark.fault(13)
@pytest.mark.parametrize("asking", ASKING)
def test_another_server_at_the_address_is_not_taken_for_a_message_that_is_not_there(
    exchange: Exchange, asking: str
) -> None:
    with pytest.raises(ChannelConfigurationError):
        ASKING[asking](channel(exchange, api_base_url=f"{exchange.base_url}/elsewhere"))


@pytest.mark.fault(84)
def test_no_number_and_no_text_is_logged_or_told(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ours = channel(exchange)
    take(exchange)

    ours.send(message())
    ours.look_up(sought())
    exchange.faults.set([Fault(name=FaultName.BAD_GATEWAY, any_request=True)])
    with pytest.raises(ChannelError) as told:
        ours.look_up(sought())

    assert "7700900101" not in caplog.text + str(told.value) + repr(sought())
    assert "hello" not in caplog.text + str(told.value) + repr(sought())


# What came in


def test_a_message_whose_webhook_was_lost_is_listed_as_it_would_have_been_posted(exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.WEBHOOK_LOST)])
    came = exchange.receive(SAM, SENDER, "look 😊", [("image/png", b"one"), ("image/jpeg", b"two")])
    posted = incoming_fields(came, exchange.media_of(came.sid), base_url=exchange.base_url, label="Sam", opt_out=None)
    ours = channel(exchange)

    (form,) = ours.inbound_since(now() - timedelta(hours=1))

    assert {name: value for name, value in form.items() if name != "DateCreated"}.items() <= posted.items()
    assert abs(datetime.fromisoformat(form["DateCreated"]) - now()) < timedelta(minutes=1)
    read = ours.read_inbound(form)
    assert (read.provider_ref, read.from_number, read.text) == (came.sid, SAM, "look 😊")
    assert [kind for _, kind in read.media] == ["image/png", "image/jpeg"]
    assert [b"".join(ours.fetch_media(url, 100)) for url, _ in read.media] == [b"one", b"two"]


def test_only_what_came_to_us_since_then_is_listed_the_newest_first() -> None:
    instant = NOW - timedelta(days=2)
    with Exchange(config(), now=lambda: instant) as exchange, SimulatorServer(exchange):
        exchange.receive(SAM, SENDER, "two days ago")
        instant = NOW - timedelta(hours=1)
        exchange.receive(SAM, SENDER, "an hour ago")
        take(exchange)
        instant = NOW
        exchange.receive(JO, SENDER, "now")
        assert exchange.settle()

        listed = [form["Body"] for form in channel(exchange).inbound_since(NOW - timedelta(hours=2))]

    assert listed == ["now", "an hour ago"]


def test_a_long_list_is_read_page_by_page_as_it_is_asked_for(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio, "PAGE", 3)
    for n in range(8):
        exchange.receive(SAM, SENDER, str(n))
    count_lists(exchange)

    listed = channel(exchange).inbound_since(now())
    first = next(listed)["Body"]
    asked_at_first = requests_for_lists(exchange)
    others = [form["Body"] for form in listed]

    assert (first, asked_at_first) == ("7", 1)
    assert others == ["6", "5", "4", "3", "2", "1", "0"]
    assert requests_for_lists(exchange) == 3


def test_the_numbers_of_a_messaging_service_are_asked_for(exchange: Exchange) -> None:
    exchange.receive(SAM, SENDER, "hello")
    ours = channel(exchange, from_numbers=(), messaging_service_sid=SERVICE)
    both = channel(exchange, messaging_service_sid=SERVICE)

    assert [form["Body"] for form in ours.inbound_since(now())] == ["hello"]
    assert [form["Body"] for form in both.inbound_since(now())] == ["hello"]


def test_without_any_number_of_ours_nothing_is_silently_missed(exchange: Exchange) -> None:
    for changes in ({"messaging_service_sid": "MG" + "0" * 32}, {"messaging_service_sid": None}):
        with pytest.raises(ChannelConfigurationError):
            list(channel(exchange, from_numbers=(), **changes).inbound_since(now()))


def test_every_number_of_a_pool_is_asked_for(exchange: Exchange) -> None:
    exchange.receive(SAM, SENDER, "to one")
    exchange.receive(JO, SECOND, "to the other")

    listed = channel(exchange, from_numbers=(SENDER, SECOND)).inbound_since(now())

    assert sorted(form["Body"] for form in listed) == ["to one", "to the other"]


# The channel in memory does the same


@pytest.fixture
def memory() -> MemoryChannel:
    return MemoryChannel()


def test_in_memory_a_message_is_found_as_at_the_provider(memory: MemoryChannel) -> None:
    since = now()
    memory.fail_after = ChannelUnknownError("The answer was lost.")
    for _ in range(2):
        with pytest.raises(ChannelUnknownError):
            memory.send(message())
    first, second = (kept.provider_ref for kept in memory.kept)

    def found(one: Sought, *taken: str) -> str | None:
        there = memory.look_up(one, taken)
        return there.provider_ref if there else None

    assert memory.sent == [message(), message()]
    assert found(sought(since=since)) == first
    assert found(sought(since=since), first) == second
    assert found(sought(since=since), first, second) is None
    assert found(sought(text="another", provider_ref=second)) == second
    assert found(sought(provider_ref=NO_SID)) is None
    assert found(sought(text="another")) is None
    assert found(sought(JO)) is None
    assert found(sought(since=now() + timedelta(minutes=6))) is None


def test_in_memory_a_text_message_is_not_taken_for_one_on_whatsapp(memory: MemoryChannel) -> None:
    sid = memory.send(message(channel=ChannelName.WHATSAPP))

    assert memory.look_up(sought()) is None
    found = memory.look_up(sought(channel=ChannelName.WHATSAPP))
    assert found is not None
    assert found.provider_ref == sid
    came = memory.read_inbound({"MessageSid": "SM1", "From": f"whatsapp:{SAM}"})
    assert (came.channel, came.from_number) == (ChannelName.WHATSAPP, SAM)


def test_in_memory_a_message_stands_where_the_test_says(memory: MemoryChannel) -> None:
    sid = memory.send(message())
    assert memory.status_of(sid).status is DeliveryStatus.ACCEPTED

    memory.told[sid] = (DeliveryStatus.UNDELIVERED, 30003)

    receipt = memory.status_of(sid)
    assert (receipt.told, receipt.status, receipt.error_code) == ("undelivered", DeliveryStatus.UNDELIVERED, 30003)
    found = memory.look_up(sought(provider_ref=sid))
    assert isinstance(found, Found)
    assert (found.status, found.error_code) == (DeliveryStatus.UNDELIVERED, 30003)
    with pytest.raises(NotFoundError):
        memory.status_of(NO_SID)


def test_in_memory_what_came_is_listed_and_asking_can_fail(memory: MemoryChannel) -> None:
    memory.inbound = [(NOW - timedelta(hours=hours), {"MessageSid": f"SM{hours}"}) for hours in (3, 1, 2)]

    assert [form["MessageSid"] for form in memory.inbound_since(NOW - timedelta(hours=2))] == ["SM1", "SM2"]

    memory.fail_look_up = ChannelThrottledError("Too many at once.")
    asked: Channel = memory
    for ask in (
        lambda: asked.look_up(sought()),
        lambda: asked.status_of(NO_SID),
        lambda: list(asked.inbound_since(NOW)),
    ):
        with pytest.raises(ChannelThrottledError):
            ask()


def test_in_memory_what_is_refused_is_not_found(memory: MemoryChannel) -> None:
    memory.fail_with = ChannelError("Not taken.")
    with pytest.raises(ChannelError):
        memory.send(OutgoingMessage(delivery_id=1, to=SAM, text="hello", valid_seconds=60))

    assert memory.look_up(sought()) is None
