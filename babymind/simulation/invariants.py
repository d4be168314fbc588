"""The promises, each as a question to what truly happened: how often was it asked, and how often was it broken."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from babymind.domain.delivery import SLOTS, DeliveryStatus, Kind
from babymind.simulation.phones import Received
from babymind.simulation.run import World
from babymind.simulation.truth import Expecting, Home, Known, Person
from babymind.store.content import ContentItem
from babymind.store.deliveries import WENT, Delivery
from babymind.store.replies import Inbound, Reply

NIGHT_FROM, NIGHT_UNTIL = time(21, 0), time(8, 0)
PROMPT_REST_DAYS = 90
MOST_EXAMPLES = 5
AT = "delivery {} ({}) at {:%Y-%m-%d %H:%M}Z"
ANSWERS = (Kind.ANSWER,)  # go at once, whatever the hour
AFTER_A_LOSS = (Kind.ANSWER, Kind.CONDOLENCE)


@dataclass(slots=True)
class Invariant:
    """One promise."""

    name: str
    checked: int = 0
    violations: int = 0
    examples: list[str] = field(default_factory=list)  # ids and days only

    def check(self, holds: bool, example: str, *values: object) -> None:
        """Ask once; ``example`` is filled in with the values only where it is broken."""
        self.checked += 1
        if not holds:
            self.violations += 1
            if len(self.examples) < MOST_EXAMPLES:
                self.examples.append(example.format(*values))


@dataclass(frozen=True, slots=True)
class _Row:
    """A delivery as it ended."""

    id: int
    caregiver_id: int
    pregnancy_id: int | None
    kind: Kind
    local_day: date
    stage: str | None
    age_day: int | None
    item: str | None
    status: DeliveryStatus
    occasion: str | None


def _row(values: Any) -> _Row:
    return _Row(*values)


class Evidence:
    """What the database says, beside what is true."""

    def __init__(self, world: World) -> None:
        self.world = world
        query = select(
            Delivery.id, Delivery.caregiver_id, Delivery.pregnancy_id, Delivery.kind, Delivery.local_day,
            Delivery.stage, Delivery.age_day, ContentItem.key, Delivery.status, Delivery.occasion,
        ).outerjoin(ContentItem, ContentItem.id == Delivery.item_id)  # fmt: skip
        with world.ctx.readers.begin() as session:
            found = session.execute(query.execution_options(yield_per=5000))
            self.rows = {row.id: row for row in map(_row, found)}
            said = select(Inbound.provider_ref, Reply.text_sealed).outerjoin(Reply, Reply.inbound_id == Inbound.id)
            self.kept = [(ref, sealed) for ref, sealed in session.execute(said)]
        self.people = {person.id: (home, person) for home, person in world.people}
        self.pregnancies = {one.id: (home, one) for home in world.homes.values() for one in home.pregnancies}

    def messages(self) -> Iterator[tuple[Received, _Row, Home, Person]]:
        """Every text that a phone got, with the delivery that it was, and whose."""
        for got in self.world.phones.received:
            row = self.rows[got.delivery_id]
            yield got, row, *self.people[row.caregiver_id]


def check_all(world: World) -> list[Invariant]:
    """Ask every promise, and return them in the order in which families would."""
    evidence = Evidence(world)
    return [ask(evidence) for ask in INVARIANTS]


def no_double(evidence: Evidence) -> Invariant:
    """No phone gets the same message twice, nor two facts or two prompts on one local day."""
    found = Invariant("nothing comes twice")
    for delivery_id, times in Counter(got.delivery_id for got in evidence.world.phones.received).items():
        found.check(times == 1, "delivery {}", delivery_id)
    slots = Counter(
        (got.number, row.kind, row.local_day) for got, row, *_ in evidence.messages() if row.kind in SLOTS
    )
    for (_, kind, day), times in slots.items():
        found.check(times == 1, "{} on {}", kind, day)
    return found


def none_lost(evidence: Evidence) -> Invariant:
    """What our rows say has gone is on a phone, and what is on a phone our rows say has gone."""
    found = Invariant("nothing is lost")
    arrived = {got.delivery_id for got in evidence.world.phones.received}
    for row in evidence.rows.values():
        found.check((row.status in WENT) == (row.id in arrived), "delivery {}: {}", row.id, row.status)
    return found


def none_after_stop(evidence: Evidence) -> Invariant:
    """Nothing comes after a STOP, or to somebody who has left, until they say START."""
    found = Invariant("nothing after a STOP")
    for got, row, _home, person in evidence.messages():
        if row.kind not in ANSWERS:
            found.check(person.silent.on(got.at) not in ("stopped", "left"), AT, row.id, row.kind, got.at)
    return found


def none_while_paused(evidence: Evidence) -> Invariant:
    """No fact, prompt or notice comes during a pause."""
    found = Invariant("nothing daily during a pause")
    for got, row, _home, person in evidence.messages():
        if row.kind in (*SLOTS, Kind.NOTICE):
            found.check(person.silent.on(got.at) != "paused", AT, row.id, row.kind, got.at)
    return found


def none_after_loss(evidence: Evidence) -> Invariant:
    """Nothing cheerful comes after a loss, nor about a baby who is held, nor with the name of one who died."""
    found = Invariant("nothing cheerful after a loss")
    for got, row, home, _person in evidence.messages():
        if row.kind in AFTER_A_LOSS:
            continue
        about = [one for one in home.pregnancies if row.pregnancy_id in (None, one.id)]
        silent = [one.silent.on(got.at) for one in about]
        named = any(at <= got.at and name in got.text for one in about for at, name in one.gone_names)
        found.check(not any(silent) and not named, AT, row.id, row.kind, got.at)
    return found


def none_at_night(evidence: Evidence) -> Invariant:
    """Nothing that we start comes between nine in the evening and eight in the morning where the person is."""
    found = Invariant("nothing at night")
    for got, row, _home, person in evidence.messages():
        if row.kind in ANSWERS:
            continue
        there = got.at.astimezone(ZoneInfo(person.zone.on(got.at))).time()
        found.check(NIGHT_UNTIL <= there < NIGHT_FROM, AT, row.id, row.kind, got.at)
    return found


def right_number(evidence: Evidence) -> Invariant:
    """Every message goes to the number that is the caregiver's at that moment, and to no closed one."""
    found = Invariant("always the right number")
    for got, row, _home, person in evidence.messages():
        found.check(got.number == person.number.on(got.at), AT, row.id, row.kind, got.at)
    return found


def one_outcome(evidence: Evidence) -> Invariant:
    """Every slot of every lived day has exactly one row with one outcome; the ledger balances on every day."""
    found = Invariant("one outcome for every slot")
    world = evidence.world
    written = Counter((r.caregiver_id, r.pregnancy_id, r.local_day, r.kind) for r in evidence.rows.values()
                      if r.occasion is None)  # fmt: skip
    for home, person, pregnancy, day, at in _lived_days(world):
        if _stage(pregnancy.known.on(at), day)[0] == "completed" or not home.enrolled.on(at):
            continue
        for kind in SLOTS:
            times = written[person.id, pregnancy.id, day, kind]
            found.check(times == 1, "caregiver {}, {} {}: {} rows", person.id, kind, day, times)
    for day, zone, missing, stuck in world.ledgers:
        found.check(not missing and not stuck, "{} {}: {} missing, {} open", day, zone, missing, stuck)
    ended = world.ends_at - timedelta(days=2)
    for row in evidence.rows.values():
        still_open = row.status in (DeliveryStatus.PLANNED, DeliveryStatus.SENDING)
        found.check(not (still_open and row.local_day < ended.date()), "delivery {} is open", row.id)
    return found


def _lived_days(world: World) -> Iterator[tuple[Home, Person, Expecting, date, datetime]]:
    """Yield each whole local day of each caregiver and pregnancy, with an instant near its end."""
    for home in world.homes.values():
        for person in home.people:
            for pregnancy in home.pregnancies:
                begin = max(person.joined_at, pregnancy.joined_at)
                if len(list(person.zone)) > 1:
                    continue  # of a traveller's days some are longer and some are missing; the ledger counts them
                zone = ZoneInfo(person.zone.now)
                day = begin.astimezone(zone).date() + timedelta(days=1)
                while (at := datetime.combine(day, time(21, 30), tzinfo=zone)) < world.ends_at:
                    yield home, person, pregnancy, day, at
                    day += timedelta(days=1)


def right_age(evidence: Evidence) -> Invariant:
    """Every fact and prompt is of the age that the baby has on that day, corrected for a baby born early."""
    found = Invariant("the right age, corrected where it must be")
    for got, row, _home, person in evidence.messages():
        if row.kind not in SLOTS or row.pregnancy_id is None:
            continue
        _, pregnancy = evidence.pregnancies[row.pregnancy_id]
        truth = {_stage(pregnancy.known.on(at), row.local_day) for at in (got.at, got.at - timedelta(hours=1))}
        found.check(
            (row.stage, row.age_day) in truth,
            "delivery {}: {} {}, not {}",
            row.id,
            row.stage,
            row.age_day,
            truth,
        )
        found.check(person.day(got.at) == row.local_day or len(list(person.zone)) > 1, AT, row.id, row.kind, got.at)
    return found


def _stage(known: Known, day: date) -> tuple[str, int]:
    """Return stage and day number, worked out here once more and on purpose without the age engine."""
    if known.born_on is None:
        left = (day - known.due_on).days
        if left < -84:
            return "waiting", left
        return ("antenatal" if left < 0 else "overdue" if left <= 21 else "held"), left
    if day < known.born_on:
        return _stage(Known(known.due_on, None, None), day)
    age = (day - known.born_on).days
    missing = 280 - (known.gestation_days or 280)
    if missing > 21:  # before 37+0
        if age < missing:
            return "early", age
        age -= missing
    return ("infant" if age <= 365 else "completed"), age


def no_repeat(evidence: Evidence) -> Invariant:
    """No fact comes twice about one baby, and no prompt within ninety days."""
    found = Invariant("nothing is told again")
    last: dict[tuple[int, int | None, str | None], date] = {}
    for _got, row, _home, _person in sorted(evidence.messages(), key=lambda one: (one[1].local_day, one[1].id)):
        if row.kind not in SLOTS:
            continue
        key = (row.caregiver_id, row.pregnancy_id, row.item)
        rested = key not in last or (row.kind is Kind.PROMPT and (row.local_day - last[key]).days >= PROMPT_REST_DAYS)
        found.check(rested, "delivery {}: {}", row.id, row.item)
        last[key] = row.local_day
    return found


def replies_kept(evidence: Evidence) -> Invariant:
    """Every text that a phone sent is kept once, and reads as it was written."""
    found = Invariant("every reply is kept")
    kept: dict[str, list[str | None]] = defaultdict(list)
    for ref, sealed in evidence.kept:
        kept[ref].append(sealed)
    vault = evidence.world.ctx.vault
    for ref, said in evidence.world.said.items():
        there = kept[ref]
        same = len(there) == 1 and there[0] is not None and vault.open(there[0]) == said.text
        found.check(same, "{}", ref)
    return found


INVARIANTS: tuple[Callable[[Evidence], Invariant], ...] = (
    no_double, none_lost, none_after_stop, none_while_paused, none_after_loss, none_at_night, right_number,
    one_outcome, right_age, no_repeat, replies_kept,
)  # fmt: skip
