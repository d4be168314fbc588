"""What a caregiver sends is kept once, becomes a reply, and steers when it is a word that steers."""

import io
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import pytest
from freezegun import freeze_time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from babymind.channels.memory import MemoryChannel
from babymind.domain.delivery import DeliveryStatus, Messaging, Reason
from babymind.domain.reply import ReplyStatus
from babymind.errors import ChannelError, NotFoundError
from babymind.services import deliver, plan, receive, triage
from babymind.services.context import Context
from babymind.store.families import Caregiver, Consent
from babymind.store.replies import Inbound, InboundStatus, Media, MediaStatus, Reply
from babymind.store.staff import AuditEvent
from tests.factories import JO, SAM, at_once, change, daily, enrol_family, rows, utc


def form(sid: str, text: str, *, from_: str = SAM, media: int = 0, **more: str) -> dict[str, list[str]]:
    fields = {"MessageSid": sid, "From": from_, "Body": text, "NumMedia": str(media)}
    fields |= {f"MediaUrl{i}": f"https://provider/{sid}/{i}" for i in range(media)}
    return {name: [value] for name, value in (fields | more).items()}


def send(ctx: Context, sid: str, text: str, **more: Any) -> None:
    receive.keep(ctx, sid, form(sid, text, **more))
    receive.process_new(ctx)
    triage.triage_new(ctx)


def jpeg() -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    exif[0x010F] = "SecretCamera"
    Image.new("RGB", (40, 20), "red").save(out, "JPEG", exif=exif)
    return out.getvalue()


@pytest.fixture(autouse=True)
def family(ctx: Context) -> None:
    """A family that had its fact and its prompt of 8 March."""
    with freeze_time("2026-03-08T07:00Z"):
        enrol_family(ctx)
    with freeze_time("2026-03-08T17:00Z"):
        deliver.deliver_due(ctx)


@pytest.mark.fault(17)
@freeze_time("2026-03-08T18:00Z")
def test_the_same_message_kept_twenty_times_at_once_is_one_reply(ctx: Context) -> None:
    kept = at_once(lambda: receive.keep(ctx, "SM1", form("SM1", "She smiled")), 20)
    at_once(lambda: receive.process_new(ctx), 4)

    assert kept.count(True) == 1
    assert len(rows(ctx, Reply)) == 1


@pytest.mark.fault(73)
@freeze_time("2026-03-08T18:00Z")
def test_words_are_kept_sealed_and_tied_to_the_prompt_they_answer(ctx: Context) -> None:
    send(ctx, "SM1", "He is thinking of the cat 🐈")

    reply = rows(ctx, Reply)[0]
    prompt = next(row for row in daily(ctx) if row.kind.value == "prompt")
    assert ctx.vault.open(reply.text_sealed) == "He is thinking of the cat 🐈"
    assert (reply.delivery_id, reply.status, reply.n_words) == (prompt.id, ReplyStatus.WAITING, 7)
    assert "cat" not in reply.text_sealed


@pytest.mark.fault(73)
@pytest.mark.parametrize(("instant", "tied"), [("2026-03-11T16:59Z", True), ("2026-03-12T17:01Z", False)])
def test_a_reply_days_later_is_tied_only_while_it_can_be_about_the_prompt(
    ctx: Context, instant: str, tied: bool
) -> None:
    with freeze_time(instant):
        send(ctx, "SM1", "Sorry, late")

    assert (rows(ctx, Reply)[0].delivery_id is not None) is tied


@pytest.mark.fault(107)
@freeze_time("2026-03-08T18:00Z")
def test_a_number_that_we_do_not_know_waits_for_a_person(ctx: Context) -> None:
    send(ctx, "SM1", "Who is this?", from_="+447700900999")
    send(ctx, "SM2", "STOP", from_="+447700900999")

    assert [(r.caregiver_id, r.status) for r in rows(ctx, Reply)] == [(None, ReplyStatus.WAITING)] * 2
    assert rows(ctx, Caregiver)[0].messaging is Messaging.ACTIVE


@pytest.mark.fault(37)
@freeze_time("2026-03-08T09:30Z")
@pytest.mark.parametrize("text", ["STOP", "stop.", " Stop ", "\u200bSTOP", "unsubscribe"])
def test_stop_stops_everything_for_that_caregiver_only(ctx: Context, text: str) -> None:
    enrol_family(ctx, phone=JO)

    send(ctx, "SM1", text, from_=JO)

    stopped = rows(ctx, Caregiver)[1]
    assert [c.messaging for c in rows(ctx, Caregiver)] == [Messaging.ACTIVE, Messaging.STOPPED]
    assert {(r.status, r.reason) for r in daily(ctx) if r.caregiver_id == stopped.id} == {
        (DeliveryStatus.CANCELLED, Reason.STOPPED)
    }
    assert rows(ctx, Consent)[-1].given is False
    assert rows(ctx, Reply)[0].status is ReplyStatus.HANDLED
    assert [event.action for event in rows(ctx, AuditEvent)][-1] == "stop"


@pytest.mark.fault(105)
@freeze_time("2026-03-08T18:00Z")
def test_the_providers_own_reading_of_stop_counts(ctx: Context) -> None:
    send(ctx, "SM1", "ARRET", OptOutType="STOP")

    assert rows(ctx, Caregiver)[0].messaging is Messaging.STOPPED


@pytest.mark.fault(37)
def test_start_brings_the_messages_back_with_the_next_slot(ctx: Context, channel: MemoryChannel) -> None:
    with freeze_time("2026-03-09T00:05Z"):
        plan.plan_due(ctx)
    with freeze_time("2026-03-09T08:30Z"):
        send(ctx, "SM1", "STOP")
    channel.sent.clear()
    with freeze_time("2026-03-09T10:00Z"):
        assert deliver.deliver_due(ctx) == {}
        send(ctx, "SM2", "start")
    with freeze_time("2026-03-09T17:00Z"):
        deliver.deliver_due(ctx)

    assert rows(ctx, Caregiver)[0].messaging is Messaging.ACTIVE
    assert len(channel.sent) == 1  # the prompt at five; the fact of nine o'clock was missed
    assert rows(ctx, Consent)[-1].given is True


@freeze_time("2026-03-08T18:00Z")
def test_help_is_answered_by_us_only_where_the_provider_does_not(ctx: Context, channel: MemoryChannel) -> None:
    channel.sent.clear()
    send(ctx, "SM1", "HELP")
    deliver.deliver_due(ctx)
    assert channel.sent == []

    object.__setattr__(ctx, "provider_answers", False)
    send(ctx, "SM2", "help")
    deliver.deliver_due(ctx)
    assert len(channel.sent) == 1
    assert "999" in channel.sent[0].text


@pytest.mark.fault(106)
@freeze_time("2026-03-08T23:30Z")
def test_our_own_answer_to_a_stop_goes_at_once_even_at_night(ctx: Context, channel: MemoryChannel) -> None:
    object.__setattr__(ctx, "provider_answers", False)
    channel.sent.clear()

    send(ctx, "SM1", "STOP")
    deliver.deliver_due(ctx)

    assert len(channel.sent) == 1


@pytest.mark.fault(34)
@freeze_time("2026-03-08T18:00Z")
@pytest.mark.parametrize("text", ["please don't stop", "she can't stop laughing", "born today", "link"])
def test_what_is_unclear_or_not_ours_to_carry_out_goes_to_a_person(ctx: Context, text: str) -> None:
    send(ctx, "SM1", text)

    assert rows(ctx, Reply)[0].status is ReplyStatus.WAITING
    assert rows(ctx, Caregiver)[0].messaging is Messaging.ACTIVE


@pytest.mark.fault(80)
@freeze_time("2026-03-08T18:00Z")
def test_an_odd_message_holds_up_no_other_and_stays_for_a_person(ctx: Context) -> None:
    receive.keep(ctx, "SM1", {"MessageSid": ["SM1"]})  # no sender
    receive.keep(ctx, "SM2", form("SM2", "hello"))
    for _ in range(5):
        receive.process_new(ctx)

    assert [(row.provider_ref, row.status) for row in rows(ctx, Inbound)] == [
        ("SM1", InboundStatus.FAILED),
        ("SM2", InboundStatus.DONE),
    ]


@pytest.mark.fault(32)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(), max_size=400))
def test_any_text_is_kept_exactly(ctx: Context, text: str) -> None:
    sid = f"SM{len(rows(ctx, Inbound))}"
    with freeze_time("2026-03-08T18:00Z"):
        send(ctx, sid, text)

    assert ctx.vault.open(rows(ctx, Reply)[-1].text_sealed) == text


@pytest.mark.fault(43)
@freeze_time("2026-03-08T18:00Z")
def test_a_photo_is_fetched_turned_upright_and_bared_of_its_metadata(ctx: Context, channel: MemoryChannel) -> None:
    channel.media["https://provider/SM1/0"] = jpeg()
    send(ctx, "SM1", "look", media=1)

    assert receive.fetch_media(ctx) == 1

    media = rows(ctx, Media)[0]
    data, kind = receive.picture(ctx, media.token)
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.size, len(picture.getexif()), kind) == ((20, 40), 0, "image/jpeg")
    assert b"SecretCamera" not in data
    assert (media.status, media.width, media.height) == (MediaStatus.STORED, 20, 40)


@pytest.mark.fault(39)
def test_a_photo_that_is_not_there_yet_is_looked_for_again_and_at_last_given_up(
    ctx: Context, channel: MemoryChannel
) -> None:
    with freeze_time("2026-03-08T18:00Z"):
        send(ctx, "SM1", "look", media=1)
        receive.fetch_media(ctx)
    assert (rows(ctx, Media)[0].status, rows(ctx, Media)[0].next_look_at) == (
        MediaStatus.WAITING, utc("2026-03-08T18:00:01"),
    )  # fmt: skip
    for hour in range(19, 24):
        for minute in (0, 30):
            with freeze_time(f"2026-03-08T{hour}:{minute:02d}Z"):
                receive.fetch_media(ctx)
    assert rows(ctx, Media)[0].status is MediaStatus.LOST
    with pytest.raises(NotFoundError):
        receive.picture(ctx, rows(ctx, Media)[0].token)


@pytest.mark.fault(39)
@freeze_time("2026-03-08T18:00Z")
def test_a_broken_photo_never_stops_the_words_beside_it(ctx: Context, channel: MemoryChannel) -> None:
    channel.media["https://provider/SM1/0"] = b"<svg onload=alert(1)>"
    send(ctx, "SM1", "look at him", media=1)
    receive.fetch_media(ctx)

    assert rows(ctx, Media)[0].status is MediaStatus.REFUSED
    assert rows(ctx, Reply)[0].status is ReplyStatus.WAITING


@pytest.mark.fault(107)
@freeze_time("2026-03-08T18:00Z")
def test_a_closed_address_is_nobodys(ctx: Context) -> None:
    from babymind.store.families import Address

    change(ctx, Address, 1, closed_at=utc("2026-03-08T17:30"))

    send(ctx, "SM1", "hello")

    assert rows(ctx, Reply)[0].caregiver_id is None
    assert date(2026, 3, 8) == daily(ctx)[0].local_day


def lost_webhook(channel: MemoryChannel, sid: str, text: str, at: str) -> None:
    """A message that the provider got, and whose webhook never reached us."""
    channel.inbound.append((utc(at), {name: values[0] for name, values in form(sid, text).items()}))


def listened(ctx: Context, at: str) -> int:
    with freeze_time(at):
        found = receive.listen(ctx)
        receive.process_new(ctx)
        triage.triage_new(ctx)
        return found


@pytest.mark.fault(19)
def test_a_message_whose_webhook_was_lost_is_found_by_listing_with_the_time_it_was_sent(
    ctx: Context, channel: MemoryChannel
) -> None:
    with freeze_time("2026-03-08T18:00Z"):
        send(ctx, "SM1", "She smiled")
    channel.inbound.append((utc("2026-03-08T18:00"), {n: v[0] for n, v in form("SM1", "She smiled").items()}))
    lost_webhook(channel, "SM2", "He laughed", "2026-03-08T18:02")

    assert listened(ctx, "2026-03-08T18:03Z") == 1

    assert [(row.received_at, ctx.vault.open(row.text_sealed)) for row in rows(ctx, Reply)][1:] == [
        (utc("2026-03-08T18:02"), "He laughed")
    ]
    assert rows(ctx, Reply)[1].delivery_id == rows(ctx, Reply)[0].delivery_id is not None


@pytest.mark.fault(19)
def test_a_stop_whose_webhook_was_lost_is_honoured(ctx: Context, channel: MemoryChannel) -> None:
    lost_webhook(channel, "SM1", "STOP", "2026-03-08T18:02")

    listened(ctx, "2026-03-08T18:03Z")

    assert rows(ctx, Caregiver)[0].messaging is Messaging.STOPPED


@pytest.mark.fault(8)
def test_all_processes_together_list_once_in_a_while(ctx: Context, channel: MemoryChannel) -> None:
    listings: list[object] = []
    inbound_since = channel.inbound_since

    def listed(since: datetime) -> Iterator[Mapping[str, str]]:
        listings.append(since)
        return inbound_since(since)

    channel.inbound_since = listed  # type: ignore[method-assign]

    with freeze_time("2026-03-08T18:00Z"):
        at_once(lambda: receive.listen(ctx), 4)
    listened(ctx, "2026-03-08T18:04Z")
    listened(ctx, "2026-03-08T18:05Z")

    assert listings == [utc("2026-03-08T17:00"), utc("2026-03-08T17:45")]


@pytest.mark.fault(19)
def test_a_listing_that_broke_off_is_done_again_from_where_it_began(ctx: Context, channel: MemoryChannel) -> None:
    listened(ctx, "2026-03-08T18:00Z")
    lost_webhook(channel, "SM2", "He laughed", "2026-03-08T18:02")
    channel.fail_look_up = ChannelError("not now")
    for minute in ("05", "30", "55"):
        with pytest.raises(ChannelError):
            listened(ctx, f"2026-03-08T18:{minute}Z")
    channel.fail_look_up = None

    assert listened(ctx, "2026-03-08T19:30Z") == 1
