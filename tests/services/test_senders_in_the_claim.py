"""Messages leave by the sender of their family, at its pace and by the way that is open, whichever process sends."""

import time
from collections import Counter
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from freezegun import freeze_time

from babymind.channels.base import Receipt
from babymind.channels.memory import MemoryChannel
from babymind.domain.contact import ChannelName
from babymind.domain.delivery import DeliveryStatus, Reason
from babymind.errors import ChannelConfigurationError, ChannelUnknownError
from babymind.services import alerts, deliver, plan, receipts, receive, reconcile, triage
from babymind.services.claim import claim
from babymind.services.context import Context
from babymind.store import senders
from babymind.store.deliveries import Delivery
from babymind.store.families import Address
from babymind.store.senders import Configured, Sender
from babymind.store.tasks import Task, TaskKind
from tests.factories import SAM, change, daily, enrol_family, rows, utc

NINE = utc("2026-03-08T09:00")
OURS, SECOND, CHAT = "+447700900900", "+447700900901", "+447700900902"
OUTSIDE_WINDOW, NOT_ON_WHATSAPP, PAUSED, BAD_TOKEN = 63016, 63003, 63041, 20003


@pytest.fixture(autouse=True)
def family(ctx: Context, channel: MemoryChannel) -> None:
    """Thirty families, whose welcomes have gone."""
    with freeze_time("2026-03-07T18:00Z"):
        for number in range(30):
            enrol_family(ctx, phone=f"+4477009003{number:02d}")
        deliver.deliver_due(ctx)
    with freeze_time("2026-03-08T00:05Z"):
        plan.plan_due(ctx)
    channel.sent.clear()


def settle(ctx: Context, *configured: Configured) -> None:
    with ctx.sessions.begin() as session:
        senders.settle(session, configured, NINE)


def at(ctx: Context, instant: datetime, *, limit: int | None = None) -> None:
    with freeze_time(instant):
        deliver.sweep(ctx)
        reconcile.ask_about_unknown(ctx)
        deliver.deliver_due(ctx, limit=limit)


def facts(ctx: Context) -> list[Delivery]:
    return [row for row in daily(ctx) if row.kind.value == "fact"]


def test_of_several_numbers_a_family_always_has_the_same(ctx: Context, channel: MemoryChannel) -> None:
    settle(ctx, *(Configured(channel=ChannelName.SMS, address=one) for one in (OURS, SECOND)))

    at(ctx, NINE)
    first = {message.to: message.sender for message in channel.sent}
    channel.sent.clear()
    at(ctx, utc("2026-03-08T17:00"))

    assert {message.to: message.sender for message in channel.sent} == first
    assert set(Counter(first.values())) == {OURS, SECOND}
    assert {row.sender_id for row in facts(ctx)} == {1, 2}


@pytest.mark.fault(103)
def test_whoever_is_late_for_its_turn_asks_for_another(
    ctx: Context, channel: MemoryChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(ctx, Configured(channel=ChannelName.SMS, address=OURS, segments_per_second=20))
    taken, calls = claim, []

    def slow_at_first(*args, **named):  # type: ignore[no-untyped-def]
        claimed = taken(*args, **named)
        calls.append(claimed)
        if len(calls) == 1:
            time.sleep(0.8)
        return claimed

    monkeypatch.setattr(deliver, "claim", slow_at_first)
    with freeze_time(NINE, tick=True):
        deliver.deliver_due(ctx, limit=20)

    left = sorted(one.at for one in channel.kept[-len(channel.sent) :])
    assert len(left) >= 10
    for one in left:  # facts have two segments, so ten a second
        assert sum(one <= other < one + timedelta(seconds=0.5) for other in left) <= 6


@pytest.mark.fault(103)
def test_no_more_leaves_in_a_second_than_the_sender_may_send(ctx: Context, channel: MemoryChannel) -> None:
    settle(ctx, Configured(channel=ChannelName.SMS, address=OURS, segments_per_second=5))

    with freeze_time(NINE, tick=True):
        deliver.deliver_due(ctx, limit=12)

    left = sorted(one.at for one in channel.kept[-12:])
    assert len(channel.sent) == 12
    for one in left:  # facts have a segment or two each
        assert sum(one <= other < one + timedelta(seconds=1) for other in left) <= 6


@pytest.mark.fault(15)
def test_a_sender_that_is_set_up_wrongly_stops_once_with_one_alert_and_fails_no_family(
    ctx: Context, channel: MemoryChannel
) -> None:
    settle(ctx, Configured(channel=ChannelName.SMS, address=OURS))
    mails: list[str] = []
    object.__setattr__(ctx, "alerts", SimpleNamespace(send=lambda _subject, text: mails.append(text)))
    channel.fail_with = ChannelConfigurationError("the token is wrong", provider_code=BAD_TOKEN)

    at(ctx, NINE)
    at(ctx, NINE + timedelta(minutes=1))
    with freeze_time(NINE + timedelta(minutes=1)):
        alerts.mail_new(ctx)
        alerts.mail_new(ctx)

    assert {row.status for row in facts(ctx)} == {DeliveryStatus.PLANNED}
    assert {row.failures for row in facts(ctx)} == {0}
    assert [(task.kind, task.details) for task in rows(ctx, Task)] == [(TaskKind.PROVIDER, {"code": BAD_TOKEN})]
    assert len(mails) == 1
    assert rows(ctx, Sender)[0].stopped_code == BAD_TOKEN

    channel.fail_with = None
    at(ctx, NINE + timedelta(minutes=7))
    at(ctx, NINE + timedelta(minutes=12))
    assert len(channel.sent) == 30
    assert rows(ctx, Sender)[0].stopped_until is None


@pytest.mark.fault(15)
def test_the_other_senders_go_on_when_one_stands_still(ctx: Context, channel: MemoryChannel) -> None:
    settle(ctx, *(Configured(channel=ChannelName.SMS, address=one) for one in (OURS, SECOND)))
    with ctx.sessions.begin() as session:
        senders.choose(session, [one.id for one in rows(ctx, Address)])
        senders.stop(session, 1, NINE + timedelta(hours=1), BAD_TOKEN)

    at(ctx, NINE)

    assert {message.sender for message in channel.sent} == {SECOND}
    assert len(channel.sent) == sum(one.sender_id == 2 for one in rows(ctx, Address)) > 0


# WhatsApp


@pytest.fixture
def chat(ctx: Context, channel: MemoryChannel) -> Address:
    """One more family, which is reached by WhatsApp, and by text too; the template is approved."""
    with freeze_time("2026-03-07T18:00Z"):
        enrol_family(ctx)
        deliver.deliver_due(ctx)
        plan.plan_due(ctx, everything=True)
    with freeze_time("2026-03-08T00:06Z"):
        plan.plan_due(ctx, everything=True)
    texts = rows(ctx, Address)[-1]
    with ctx.sessions.begin() as session:
        session.add(Address(caregiver_id=texts.caregiver_id, channel=ChannelName.WHATSAPP, opened_at=NINE,
                            value_sealed=texts.value_sealed, look_up=texts.look_up))  # fmt: skip
    settle(
        ctx, Configured(channel=ChannelName.SMS, address=OURS), Configured(channel=ChannelName.WHATSAPP, address=CHAT)
    )
    object.__setattr__(ctx, "whatsapp_template", "HX" + "0" * 32)
    channel.sent.clear()
    return rows(ctx, Address)[-1]


def theirs(channel: MemoryChannel) -> list[tuple[ChannelName, str | None, bool]]:
    return [(one.channel, one.sender, one.template is not None) for one in channel.sent if one.to == SAM]


@pytest.mark.fault(78)
def test_inside_the_day_after_a_reply_words_go_freely_and_outside_by_the_template(
    ctx: Context, channel: MemoryChannel, chat: Address
) -> None:
    change(ctx, Address, chat.id, heard_at=NINE - timedelta(hours=23))

    at(ctx, NINE)
    at(ctx, utc("2026-03-08T17:00"))

    assert theirs(channel) == [(ChannelName.WHATSAPP, CHAT, False), (ChannelName.WHATSAPP, CHAT, True)]


@pytest.mark.fault(78)
def test_a_template_that_is_paused_is_followed_by_a_text_message_once(
    ctx: Context, channel: MemoryChannel, chat: Address
) -> None:
    at(ctx, NINE)
    row = next(one for one in facts(ctx) if one.address_id == chat.id)
    with freeze_time(NINE + timedelta(minutes=1)):
        for _ in range(2):
            receipts.hear(ctx, row.id, Receipt(row.provider_ref or "", "failed", DeliveryStatus.FAILED, PAUSED))
    for minute in range(2, 30):
        at(ctx, NINE + timedelta(minutes=minute))

    assert theirs(channel) == [(ChannelName.WHATSAPP, CHAT, True), (ChannelName.SMS, OURS, False)]


def test_who_is_not_on_whatsapp_gets_text_messages_from_then_on(
    ctx: Context, channel: MemoryChannel, chat: Address
) -> None:
    at(ctx, NINE)
    row = next(one for one in facts(ctx) if one.address_id == chat.id)
    with freeze_time(NINE + timedelta(minutes=1)):
        receipts.hear(ctx, row.id, Receipt(row.provider_ref or "", "failed", DeliveryStatus.FAILED, NOT_ON_WHATSAPP))
    at(ctx, NINE + timedelta(minutes=2))
    at(ctx, utc("2026-03-08T17:00"))

    assert [way for way, _, _ in theirs(channel)] == [ChannelName.WHATSAPP, ChannelName.SMS, ChannelName.SMS]
    assert rows(ctx, Task) == []  # they are still reached


@pytest.mark.fault(78)
def test_with_no_template_and_no_number_for_texts_the_reason_is_told(
    ctx: Context, channel: MemoryChannel, chat: Address
) -> None:
    object.__setattr__(ctx, "whatsapp_template", None)
    change(ctx, Address, chat.id - 1, closed_at=NINE)

    at(ctx, NINE)

    assert theirs(channel) == []
    theirs_today = [row for row in facts(ctx) if row.caregiver_id == chat.caregiver_id]
    assert [(row.status, row.reason) for row in theirs_today] == [(DeliveryStatus.CANCELLED, Reason.WINDOW_CLOSED)]


def test_an_answer_goes_to_where_they_wrote_from_and_opens_the_window(
    ctx: Context, channel: MemoryChannel, chat: Address
) -> None:
    form = {"MessageSid": ["SM1"], "From": [SAM], "Body": ["PAUSE"], "NumMedia": ["0"]}
    with freeze_time(NINE - timedelta(minutes=5)):
        receive.keep(ctx, "SM1", form)
        receive.process_new(ctx)
        triage.triage_new(ctx)
        deliver.deliver_due(ctx)

    assert theirs(channel) == [(ChannelName.SMS, OURS, False)]
    assert [one.heard_at for one in rows(ctx, Address, caregiver_id=chat.caregiver_id)] == [
        NINE - timedelta(minutes=5), None,
    ]  # fmt: skip


def test_a_lost_answer_on_whatsapp_is_looked_for_on_whatsapp(
    ctx: Context, channel: MemoryChannel, chat: Address
) -> None:
    asked: list[ChannelName] = []
    look_up = channel.look_up

    def looked(message, taken=()):  # type: ignore[no-untyped-def]
        asked.append(message.channel)
        return look_up(message, taken)

    channel.look_up = looked  # type: ignore[method-assign]
    channel.fail_after = ChannelUnknownError("no answer")
    at(ctx, NINE)
    channel.fail_after = None
    at(ctx, NINE + timedelta(minutes=1))

    assert Counter(asked) == {ChannelName.SMS: 30, ChannelName.WHATSAPP: 1}
