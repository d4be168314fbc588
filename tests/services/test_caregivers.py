"""A caregiver pauses, resumes, stops, starts and chooses times by texting; the answer is true, and comes once."""

from datetime import date, time, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Kind, Messaging, Reason
from babymind.domain.reply import ReplyStatus
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services import caregivers, comment, deliver, enrol, ledger, receive, triage
from babymind.services.context import Context
from babymind.store import families
from babymind.store.deliveries import WENT
from babymind.store.families import Address, Caregiver, Consent, ConsentKind
from babymind.store.replies import Reply
from babymind.store.staff import AuditEvent
from tests.factories import JO, SAM, at_once, change, enrol_family, rows, utc
from tests.services.living import Came, Living, Phones, parents, said, slots

STAFF = "staff:1"


def messaging(ctx: Context) -> list[Messaging]:
    return [row.messaging for row in rows(ctx, Caregiver)]


# Pauses


@pytest.mark.fault(108)
def test_a_pause_of_seven_days_ends_by_itself_with_the_first_slot_of_the_right_local_day(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx, zone="Pacific/Auckland")  # where it is eight in the evening
    living.at("2026-03-02T07:30")
    channel.clear()

    living.text("PAUSE 7")
    assert channel.of(SAM) == [said(ctx, "pause-until", until="9 March")]
    channel.clear()
    living.days(8, looks=(4, 8, 11, 20))

    came = [one.local("Pacific/Auckland").strftime("%d %H:%M") for one in channel.came]
    assert came[:2] == ["09 09:00", "09 17:00"]
    assert {row.reason for row in slots(ctx) if row.local_day < date(2026, 3, 9)} == {Reason.PAUSED}
    assert messaging(ctx) == [Messaging.ACTIVE]
    assert [event.actor for event in rows(ctx, AuditEvent, action="resume")] == ["system"]
    assert all(ledger.of_day(ctx, date(2026, 3, day)).ok for day in range(2, 10))


def test_a_pause_without_an_end_lasts_till_resume_and_the_next_slot_comes(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx)
    living.at("2026-03-02T08:30")
    living.text("pause please")
    assert channel.of(SAM)[-1] == said(ctx, "pause")
    channel.clear()
    living.days(3)
    assert channel.came == []

    living.at("2026-03-06T10:00")
    living.text("RESUME")
    assert channel.of(SAM) == [said(ctx, "resume", ("Robin",))]
    living.at("2026-03-06T17:00")
    assert len(channel.came) == 2  # the answer, and the prompt of the day: not the fact of the morning
    assert messaging(ctx) == [Messaging.ACTIVE]


def test_a_pause_holds_back_no_words_of_a_person(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    enrol_family(ctx)
    living.at("2026-03-02T17:00")
    living.text("She waved")
    comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="How lovely", token="t1")
    living.text("PAUSE")

    living.tick()
    living.at("2026-03-03T09:00")

    assert channel.of(SAM)[-2:] in (["How lovely", said(ctx, "pause")], [said(ctx, "pause"), "How lovely"])


def test_only_whoever_gets_messages_can_pause_them(living: Living, ctx: Context, channel: Phones) -> None:
    parents(ctx, born_on=date(2026, 2, 1))
    change(ctx, Caregiver, 1, messaging=Messaging.NO_CONSENT)
    living.text("PAUSE 1")
    caregivers.stop_by_staff(ctx, 2, actor=STAFF)

    for caregiver_id in (1, 2):
        with pytest.raises(ConflictError, match="nothing to pause"):
            caregivers.pause_by_staff(ctx, caregiver_id, days=3, actor=STAFF)
        with pytest.raises(ConflictError, match="no pause to end"):
            caregivers.resume_by_staff(ctx, caregiver_id, actor=STAFF)
    channel.clear()
    living.days(2)

    assert messaging(ctx) == [Messaging.NO_CONSENT, Messaging.STOPPED]
    assert channel.came == []


def test_a_pause_of_an_odd_length_is_refused(living: Living, ctx: Context) -> None:
    enrol_family(ctx)

    for days in (0, -1, 91):
        with pytest.raises(InvalidInputError, match="A pause lasts 1 to 90 days"):
            caregivers.pause_by_staff(ctx, 1, days=days, actor=STAFF)
    with pytest.raises(NotFoundError, match="no such caregiver"):
        caregivers.pause_by_staff(ctx, 99, days=1, actor=STAFF)
    assert messaging(ctx) == [Messaging.ACTIVE]


# Times and zones


def test_a_new_time_counts_today_if_it_is_still_to_come(living: Living, ctx: Context, channel: Phones) -> None:
    enrol_family(ctx)
    living.at("2026-03-02T10:00")
    channel.clear()

    living.text("TIME 6:30pm")
    assert channel.of(SAM) == [said(ctx, "time-set", fact="09:00", prompt="18:30")]
    living.at("2026-03-02T17:00")
    assert len(channel.came) == 1
    living.at("2026-03-02T18:30")
    assert len(channel.came) == 2


def test_a_new_time_that_is_over_today_counts_from_tomorrow_and_today_stays(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx)
    living.at("2026-03-02T10:00")
    channel.clear()

    living.text("TIME 8am 9:30am")
    living.at("2026-03-02T17:00")
    living.days(1, looks=(0, 8, 9, 10, 17))

    assert channel.of(SAM)[0] == said(ctx, "time-set", fact="08:00", prompt="09:30")
    assert [f"{one.at:%d %H:%M}" for one in channel.came[1:]] == ["02 17:00", "03 08:00", "03 10:00"]
    assert len(slots(ctx, local_day=date(2026, 3, 2))) == 2


@pytest.mark.fault(108)
def test_a_time_at_night_is_refused_with_our_answer_and_changes_nothing(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx)
    living.at("2026-03-02T10:00")
    channel.clear()

    for words in ("TIME 11pm", "TIME 8am 10pm", "TIME midnight", "TIME 21:00", "TIME 7:59am"):
        living.text(words)

    assert channel.of(SAM) == [said(ctx, "time-quiet")] * 5
    assert [(row.fact_time, row.prompt_time) for row in rows(ctx, Caregiver)] == [(time(9), time(17))]
    assert {row.due_at for row in slots(ctx)} == {utc("2026-03-02T09:00"), utc("2026-03-02T17:00")}


def test_time_alone_is_answered_with_how_to_say_it(living: Living, ctx: Context, channel: Phones) -> None:
    enrol_family(ctx)
    living.text("Change the time please")
    living.text("TIME 5")  # in the morning, or in the afternoon?

    assert said(ctx, "time") in channel.of(SAM) or said(ctx, "unclear") in channel.of(SAM)
    assert rows(ctx, Reply)[-1].status is ReplyStatus.WAITING
    assert rows(ctx, Caregiver)[0].fact_time == time(9)


JOURNEYS = (
    ("Pacific/Auckland", "Pacific/Honolulu", "2026-03-03T02:00"),  # a day back
    ("Pacific/Auckland", "Pacific/Honolulu", "2026-03-02T21:00"),
    ("Pacific/Honolulu", "Pacific/Auckland", "2026-03-03T05:00"),  # a day forth
    ("Pacific/Honolulu", "Pacific/Kiritimati", "2026-03-03T09:30"),
    ("Pacific/Pago_Pago", "Pacific/Kiritimati", "2026-03-03T10:30"),  # two days forth, for an hour
    ("Europe/London", "America/New_York", "2026-03-03T12:00"),
    ("Europe/London", "Pacific/Auckland", "2026-03-03T12:00"),
    ("Europe/London", "Pacific/Auckland", "2026-03-03T06:00"),  # nine there is over, today
    ("Europe/London", "Asia/Kathmandu", "2026-03-03T08:59"),
)


@pytest.mark.fault(64)
def test_who_flies_round_the_world_and_back_gets_no_slot_twice_and_none_at_night(
    living: Living, ctx: Context, channel: Phones
) -> None:
    phones = [f"+44770090030{number}" for number, _ in enumerate(JOURNEYS)]
    where = {phone: first for phone, (first, _, _) in zip(phones, JOURNEYS, strict=True)}
    for phone, zone in where.items():
        enrol_family(ctx, phone=phone, zone=zone)
    moves = {(utc(at), number, second) for number, (_, second, at) in enumerate(JOURNEYS)}
    moves |= {(utc(at) + timedelta(days=1), number, first) for number, (first, _, at) in enumerate(JOURNEYS)}
    looks = {utc("2026-03-02T08:00") + timedelta(hours=number) for number in range(0, 80, 2)}
    came: list[tuple[Came, str]] = []

    for instant in sorted(looks | {at for at, _, _ in moves}):
        living.at(instant)
        came += [(one, where[one.to]) for one in channel.came]
        channel.clear()
        for _, number, zone in sorted(move for move in moves if move[0] == instant):
            caregivers.set_preferences(ctx, number + 1, zone=zone, actor=STAFF)
            where[phones[number]] = zone
        living.tick()
        came += [(one, where[one.to]) for one in channel.came]
        channel.clear()

    for one, zone in came:
        assert time(8) <= one.local(zone).time() < time(21), (one.local(zone), zone)
    for number, phone in enumerate(phones):
        sent = [(row.local_day, row.kind) for row in slots(ctx, caregiver_id=number + 1) if row.status in WENT]
        assert len(sent) == len(set(sent)) >= 3
        texts = [one.text for one, _ in came if one.to == phone]
        assert len(texts) == len(set(texts)) == len(sent) + 1
    assert [row for row in slots(ctx, status=DeliveryStatus.PLANNED) if row.window_ends_at < utc_now()] == []


def test_preferences_that_cannot_be_are_refused(living: Living, ctx: Context) -> None:
    enrol_family(ctx)
    for given, says in (
        ({"zone": "Europe/Londn"}, "not a time zone"),
        ({"fact_time": "07:00"}, "quiet hours"),
        ({"prompt_time": "five"}, "not a time of day"),
        ({"locale": "xx-XX"}, "no texts in 'xx-XX'"),
    ):
        with pytest.raises(InvalidInputError, match=says):
            caregivers.set_preferences(ctx, 1, actor=STAFF, **given)  # type: ignore[arg-type]  # the test's own names

    [row] = rows(ctx, Caregiver)
    assert (row.zone, row.fact_time, row.locale) == ("Europe/London", time(9), "en-GB")


def test_a_caregiver_may_want_facts_only(living: Living, ctx: Context, channel: Phones) -> None:
    enrol_family(ctx)
    caregivers.set_preferences(ctx, 1, wants_prompts=False, actor=STAFF)
    living.days(1)

    today = slots(ctx, local_day=date(2026, 3, 3))
    assert [(row.kind, row.reason) for row in today] == [(Kind.FACT, None), (Kind.PROMPT, Reason.SLOT_OFF)]


# Stop and start


@pytest.mark.fault(37)
def test_a_stop_on_a_shared_phone_stops_both_and_a_start_brings_both_back(
    living: Living, ctx: Context, channel: Phones
) -> None:
    couple = [enrol.NewCaregiver(name="Sam", phone=SAM), enrol.NewCaregiver(name="Jo", phone=SAM, shares_phone=True)]
    enrol.enrol(ctx, enrol.NewFamily(study="demo", babies=("Robin",), born_on=date(2026, 2, 1), caregivers=couple))
    living.at("2026-03-02T08:00")
    channel.clear()

    living.text("STOP")
    assert messaging(ctx) == [Messaging.STOPPED] * 2
    living.at("2026-03-02T09:00")
    living.text("START")
    living.at("2026-03-02T17:00")

    assert messaging(ctx) == [Messaging.ACTIVE] * 2
    assert [(row.given, row.how, row.text_shown) for row in rows(ctx, Consent)][4:] == [
        (False, "text", "STOP"), (False, "text", "STOP"), (True, "text", "START"), (True, "text", "START"),
    ]  # fmt: skip
    assert len(channel.came) == 1  # the prompt of the owner


def test_we_answer_only_what_the_provider_does_not(living: Living, ctx: Context, channel: Phones) -> None:
    enrol_family(ctx)
    living.at("2026-03-02T10:00")

    for words, opt_out, answer in (
        ("STOP", None, None), ("STOP", "STOP", None), ("please stop", None, "stop"), ("please stop", "STOP", None),
        ("HELP", None, None), ("help info", None, "help"), ("START", "START", None), ("start again", None, "start"),
    ):  # fmt: skip
        channel.clear()
        living.text(words, **({"OptOutType": opt_out} if opt_out else {}))
        assert channel.of(SAM) == ([said(ctx, answer)] if answer else []), words

    assert {reply.status for reply in rows(ctx, Reply)} == {ReplyStatus.HANDLED}


def test_where_the_provider_answers_nothing_we_do_even_at_night(
    living: Living, ctx: Context, channel: Phones
) -> None:
    object.__setattr__(ctx, "provider_answers", False)
    enrol_family(ctx)
    living.at("2026-03-02T23:00")
    channel.clear()

    for words in ("STOP", "HELP", "START"):
        living.text(words)

    assert channel.of(SAM) == [said(ctx, "stop"), said(ctx, "help"), said(ctx, "start")]


def test_whoever_stopped_is_told_so_and_how_to_start_and_nothing_comes(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx)
    living.text("STOP")
    channel.clear()

    for words in ("PAUSE", "PAUSE 3", "RESUME", "TIME 10am"):
        living.text(words)
    living.days(5, looks=(10,))

    assert channel.of(SAM) == [said(ctx, "stop")] * 4
    assert messaging(ctx) == [Messaging.STOPPED]


def test_staff_start_messages_again_with_the_caregivers_word_which_is_kept_as_consent(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx)
    living.text("STOP")
    channel.clear()

    with pytest.raises(InvalidInputError, match="Say how the caregiver asked"):
        caregivers.start_by_staff(ctx, 1, because=" \n ", actor=STAFF)
    assert messaging(ctx) == [Messaging.STOPPED]
    caregivers.start_by_staff(ctx, 1, because="by telephone\non Monday", actor=STAFF)
    with pytest.raises(ConflictError, match="gets messages already"):
        caregivers.start_by_staff(ctx, 1, because="again", actor=STAFF)
    living.at("2026-03-02T09:00")

    consent = rows(ctx, Consent)[-1]
    assert (consent.given, consent.how, consent.text_shown) == (True, "staff", "staff: by telephone on Monday")
    assert len(channel.came) == 1


def test_a_comment_that_waited_goes_after_a_start(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    enrol_family(ctx)
    living.at("2026-03-02T22:00")
    living.text("She waved")
    comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="How lovely", token="t1")
    living.text("STOP")
    living.text("START")
    channel.clear()

    living.days(1, looks=(0, 8))

    assert channel.of(SAM) == ["How lovely"]


# What has come in, and nobody has looked at yet


@pytest.mark.fault(36)
def test_words_that_came_and_were_not_read_yet_hold_back_the_whole_family(
    living: Living, ctx: Context, channel: Phones
) -> None:
    words = ("STOP", "LOSS", "our baby died on Friday", "wrong number")
    couples = [(f"+44770090030{number}", f"+44770090031{number}") for number, _ in enumerate(words)]
    for couple in couples:
        parents(ctx, born_on=date(2026, 2, 1),
                caregivers=[enrol.NewCaregiver(name="Sam", phone=phone) for phone in couple])  # fmt: skip
    enrol_family(ctx, phone=JO, name="Alex")
    living.at("2026-03-02T08:59")
    channel.clear()

    for (teller, _), told in zip(couples, words, strict=True):
        living.keep(told, phone=teller)
    living.at("2026-03-02T09:00")
    assert {one.to for one in channel.came} == {JO}
    receive.process_new(ctx)  # read, and not looked at
    deliver.deliver_due(ctx)
    assert {one.to for one in channel.came} == {JO}
    channel.clear()

    triage.triage_new(ctx)
    living.tick()
    loss = said(ctx, "loss")
    assert sorted((one.to, one.text == loss) for one in channel.came) == [
        (couples[1][0], True),  # the answer to the one word that was clear
        (couples[0][1], False), (couples[3][1], False),  # who goes on gets the fact, a little later
    ]  # fmt: skip


def test_an_ordinary_answer_holds_its_family_back_only_till_it_was_looked_at(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx)
    living.at("2026-03-02T08:59")
    channel.clear()
    living.keep("He looked at the cat")

    living.at("2026-03-02T09:00")
    assert channel.came == []
    receive.process_new(ctx)
    triage.triage_new(ctx)
    living.at("2026-03-02T09:01")

    assert len(channel.came) == 1


@pytest.mark.fault(58)
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one lock for everything
def test_a_database_that_is_busy_loses_no_stop(living: Living, ctx: Context) -> None:
    enrol_family(ctx)
    living.keep("STOP")
    receive.process_new(ctx)
    with ctx.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER DATABASE {ctx.database.url.database} SET lock_timeout = '150ms'"))
    ctx.database.dispose()
    with ctx.sessions.begin() as session:
        families.lock_family_of(session, 1)
        with pytest.raises(OperationalError):
            triage.triage_new(ctx)

    triage.triage_new(ctx)

    assert messaging(ctx) == [Messaging.STOPPED]


@pytest.mark.fault(72)
def test_one_number_given_to_two_caregivers_at_once_is_one_ones(living: Living, ctx: Context) -> None:
    parents(ctx, born_on=date(2026, 2, 1))
    ids = iter((1, 2, 1, 2))

    def give() -> str:
        try:
            caregivers.change_number(ctx, next(ids), "+447700900177", actor=STAFF)
        except ConflictError as error:
            return str(error)
        return "given"

    assert at_once(give, 4).count("given") == 1
    assert len([row for row in rows(ctx, Address) if row.closed_at is None]) == 2


# What the provider knows before us


def test_a_stop_that_only_the_provider_has_heard_counts_as_one_that_we_have(
    living: Living, ctx: Context, channel: Phones
) -> None:
    couple = [
        enrol.NewCaregiver(name="Sam", phone=SAM),
        enrol.NewCaregiver(name="Jo", phone=SAM, shares_phone=True),
        enrol.NewCaregiver(name="Alex", phone=JO),
    ]
    enrol.enrol(ctx, enrol.NewFamily(study="demo", babies=("Robin",), born_on=date(2026, 2, 1), caregivers=couple))
    living.at("2026-03-02T08:30")
    channel.clear()

    with ctx.sessions.begin() as session:
        heard = [caregivers.opted_out_at_provider(session, 1, utc_now()) for _ in range(2)]
    living.at("2026-03-02T09:00")
    living.days(1)

    assert heard == [True, False]
    assert messaging(ctx) == [Messaging.STOPPED, Messaging.STOPPED, Messaging.ACTIVE]
    assert channel.of(SAM) == []
    assert len(channel.of(JO)) == 4 - 1  # the prompt of the first day was in the evening, when nobody looked
    withdrawn = [one for one in rows(ctx, Consent) if one.how == "provider"]
    assert [(one.caregiver_id, one.kind, one.given, one.text_shown) for one in withdrawn] == [
        (caregiver_id, ConsentKind.MESSAGING, False, "STOP") for caregiver_id in (1, 2)
    ]
    [event] = rows(ctx, AuditEvent, action="stop")
    assert (event.actor, event.details) == ("provider", {"caregiver_id": 1})
    assert {row.reason for row in slots(ctx, local_day=date(2026, 3, 2), caregiver_id=1)} == {Reason.STOPPED}

    channel.clear()
    living.text("START")
    living.days(1)
    assert len(channel.of(SAM)) >= 2
