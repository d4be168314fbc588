"""The statement that plans a whole zone and the rule for one slot say the same of every family there can be."""

from datetime import date, datetime, timedelta
from random import Random

from freezegun import freeze_time

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Hold, Kind, Messaging, Reason
from babymind.errors import BabyMindError
from babymind.services import calendar, deliver, enrol, life, plan
from babymind.services.calendar import CalendarEntry
from babymind.services.context import Context
from babymind.services.enrol import NewCaregiver, NewFamily
from babymind.store import studies
from babymind.store.content import ContentItem
from babymind.store.families import Caregiver, Family, Pregnancy, PregnancyStatus
from tests.factories import daily, rows, utc

START = "2026-03-27T11:00"  # two days before Europe's clocks change
ZONES = ("Europe/London", "America/New_York", "Pacific/Apia", "Asia/Kathmandu", "Pacific/Pago_Pago")
FAMILIES = 30
ROUNDS = 6
SEED = 4
Key = tuple[int, int, date, Kind]
Told = tuple[str, int, str | None, datetime, DeliveryStatus, Reason | None]


def make_studies(ctx: Context, random: Random) -> list[str]:
    """Studies of every kind, each with one arm."""
    kinds = [(True, True), (True, True), (True, False), (False, True), (False, False)]
    for number, (facts, prompts) in enumerate(kinds):
        enrol.add_study(ctx, f"study-{number}")
        with ctx.sessions.begin() as session:
            study = studies.study_by_slug(session, f"study-{number}")
            assert study is not None
            study.daily_cap = 1 + number % 2
            study.arms[0].gets_facts, study.arms[0].gets_prompts = facts, prompts
            study.arms[0].weekdays = random.choice([0b1111111, 0b0010101, 0b0000001, 0b1011111])
    return [f"study-{number}" for number in range(len(kinds))]


def make_family(ctx: Context, random: Random, number: int, study: str) -> None:
    """A family of any kind: as it joined, and then with whatever may have happened to it."""
    phones = [f"+447700900{number * 3 + place:03d}" for place in range(3)]
    shares = random.random() < 0.3
    caregivers = [
        NewCaregiver(
            name="Sam", phone=phones[0 if place and shares else place], zone=random.choice(ZONES),
            fact_time=f"{random.randrange(8, 20):02d}:{random.choice((0, 30)):02d}",
            prompt_time=f"{random.randrange(8, 21):02d}:15", shares_phone=bool(place) and shares,
        )
        for place in range(random.choice((1, 1, 2, 3)))
    ]  # fmt: skip
    today = utc_now().date()
    enrolled = enrol.enrol(
        ctx,
        NewFamily(study=study, caregivers=caregivers, due_on=today + timedelta(days=random.randrange(-20, 95)),
                  babies=("Ada", "Ben") if random.random() < 0.2 else ("",)),
    )  # fmt: skip
    for _ in range(random.choice((0, 0, 1, 2))):
        try:
            born_on = today - timedelta(days=random.randrange(0, 420))
            life.add_pregnancy(ctx, enrolled.study_code, born_on=born_on, actor="command",
                               gestation_days=random.choice((None, 200, 245, 280)))  # fmt: skip
        except BabyMindError:  # its programme is over
            continue
    with ctx.sessions.begin() as session:
        family = session.get_one(Family, enrolled.family_id)
        for caregiver in family.caregivers:
            upset_caregiver(random, caregiver, today)
        for pregnancy in family.pregnancies:
            if random.random() < 0.15:
                pregnancy.status = PregnancyStatus.LOST
            pregnancy.hold = random.choice([*Hold, *[None] * 20])
        if random.random() < 0.15:
            family.enrolments[0].to_day = today + timedelta(days=random.randrange(0, 4))
        plan.replan_family(session, family, utc_now())


def upset_caregiver(random: Random, caregiver: Caregiver, today: date) -> None:
    """What may have happened to one caregiver."""
    caregiver.messaging = random.choice([*Messaging, Messaging.PAUSED, *[Messaging.ACTIVE] * 8])
    if caregiver.messaging is Messaging.PAUSED and random.random() < 0.7:
        caregiver.paused_until = today + timedelta(days=random.randrange(1, 5))
    caregiver.wants_facts, caregiver.wants_prompts = random.random() < 0.9, random.random() < 0.9
    if random.random() < 0.1:
        caregiver.locale = "cy-GB"  # in which nothing is written yet
    if random.random() < 0.1:
        for address in caregiver.addresses:
            address.closed_at = utc_now()


def foretold(ctx: Context, *, days: int = 1) -> dict[Key, Told]:
    """What the calendars of all families foretell."""
    return {
        (entry.caregiver_id, entry.pregnancy_id, entry.local_day, entry.kind): as_told(entry)
        for family in rows(ctx, Family)
        for entry in calendar.of_family(ctx, family.study_code, days=days)
        if not entry.planned
    }


def as_told(entry: CalendarEntry) -> Told:
    return entry.stage.value, entry.age_day, entry.item, entry.due_at, entry.outcome, entry.reason


def written(ctx: Context) -> dict[Key, Told]:
    """The ledger, and that no slot is in it twice."""
    keys = {item.id: item.key for item in rows(ctx, ContentItem)}
    ledger = daily(ctx)
    found = {
        (row.caregiver_id, row.pregnancy_id or 0, row.local_day, row.kind): (
            row.stage.value if row.stage else "", row.age_day or 0, keys.get(row.item_id or 0), row.due_at,
            row.status, row.reason,
        )
        for row in ledger
    }  # fmt: skip
    assert len(found) == len(ledger)
    return found


def correct_some(ctx: Context, random: Random) -> None:
    """A few birth and due dates turn out to have been others."""
    for pregnancy in rows(ctx, Pregnancy):
        family = next(one for one in rows(ctx, Family) if one.id == pregnancy.family_id)
        if random.random() > 0.4 or pregnancy.status is PregnancyStatus.LOST:
            continue
        shift = timedelta(days=random.choice((1, 1, 2, 3, -3)))
        try:
            if pregnancy.born_on:
                life.correct_dates(ctx, family.study_code, pregnancy_id=pregnancy.id, actor="command",
                                   born_on=pregnancy.born_on + shift, due_on=pregnancy.due_on + shift)  # fmt: skip
            else:
                life.correct_dates(ctx, family.study_code, pregnancy_id=pregnancy.id, actor="command",
                                   due_on=pregnancy.due_on + shift)  # fmt: skip
        except BabyMindError:
            continue


def test_what_the_calendar_foretells_is_what_planning_writes(ctx: Context) -> None:
    random = Random(SEED)  # noqa: S311 - the same families every time
    seen: set[Reason | None] = set()
    with freeze_time(START) as clock:
        slugs = make_studies(ctx, random)
        for number in range(FAMILIES):
            make_family(ctx, random, number, random.choice(slugs))

        for number in range(ROUNDS):
            clock.move_to(utc(START) + timedelta(days=number, hours=number))
            promised, before = foretold(ctx), written(ctx)
            plan.plan_due(ctx, everything=True)
            new = {key: told for key, told in written(ctx).items() if key not in before}
            assert new == promised
            seen |= {told[-1] for told in new.values()}
            deliver.deliver_due(ctx)
            correct_some(ctx, random)

    assert len(seen) > 15, seen
    assert {None, Reason.DAILY_CAP, Reason.ALREADY_SENT, Reason.PAUSED, Reason.CONTENT_MISSING} <= seen


def test_the_calendar_of_the_coming_weeks_comes_true_day_by_day(ctx: Context) -> None:
    random = Random(SEED)  # noqa: S311 - the same families every time
    with freeze_time(START) as clock:
        slugs = make_studies(ctx, random)
        for number in range(8):
            make_family(ctx, random, number, slugs[number % 2])
        promised = foretold(ctx, days=12)

        for hour in range(11 * 24):
            if hour % 6 == 0:
                clock.move_to(utc(START) + timedelta(hours=hour))
                plan.plan_due(ctx)
        came = written(ctx)

    last = {}
    for caregiver in rows(ctx, Caregiver):
        last[caregiver.id] = max((key[2] for key in came if key[0] == caregiver.id), default=date(2026, 4, 5))
    due = {key: told for key, told in promised.items() if key[2] <= last[key[0]]}
    assert {key: came.get(key) for key in due} == due
    assert len(due) > 100
