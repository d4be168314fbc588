"""The virtual days: the clock is set forward hour by hour, and everything that runs in earnest runs at each."""

import heapq
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.fernet import Fernet

from babymind.clock import clock_at
from babymind.domain.delivery import Hold
from babymind.domain.schedule import instant_of
from babymind.engine.inline import InlineEngine
from babymind.errors import BabyMindError
from babymind.library.bank import Library
from babymind.media.files import ObjectMediaStore
from babymind.services import (
    caregivers,
    content,
    deliver,
    enrol,
    enrolments,
    ledger,
    life,
    plan,
    receipts,
    receive,
    reconcile,
    triage,
)
from babymind.services.context import Context
from babymind.simulation.draw import Event, Household, draw
from babymind.simulation.phones import FaultName, Phones
from babymind.simulation.truth import Expecting, History, Home, Known, Person, Said
from babymind.store import schema
from babymind.store.base import make_engine, make_readers, make_sessions
from babymind.store.families import LossReason, family_by_code
from babymind.store.sealing import Vault
from babymind.store.studies import DataChoice

STARTS_ON = datetime(2026, 1, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
SWEEP_HOURS = 6
ANSWERS = 0.05  # the share of prompts that are answered
WORDS = (
    "He is wondering where the light comes from",
    "I think she likes the rain",
    "smiling at the dog again :)",
    "fast asleep, dreaming of milk perhaps",
    "She stopped and stared. Again and again!",
    "\u0644\u0627 \u0623\u0639\u0631\u0641 \U0001f642",
    "he can't stop laughing",
)


class Here(Executor):
    """Does at once, in this thread, what it is given: so that a simulation is the same each time."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Do it."""
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args, **named))
        except Exception as error:
            done.set_exception(error)
        return done


@dataclass(slots=True)
class World:
    """A simulated country: what is true in it, and the system that serves it."""

    ctx: Context
    phones: Phones
    random: Random
    faults: Collection[FaultName]
    starts_on: datetime
    ends_at: datetime
    homes: dict[int, Home] = field(default_factory=dict)  # by family id
    said: dict[str, Said] = field(default_factory=dict)  # by the provider's id
    happened: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    ledgers: list[tuple[date, str, int, int]] = field(default_factory=list)  # day, zone, missing, stuck
    outages: list[tuple[datetime, datetime]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def people(self) -> Iterator[tuple[Home, Person]]:
        """Everybody, each with their family."""
        return ((home, person) for home in self.homes.values() for person in home.people)


def simulate(
    library: Library, *, families: int, days: int, seed: int = 1, faults: Collection[FaultName] = (),
    url: str | None = None, progress: Callable[[int], None] = lambda _day: None, folder: Path | None = None,
) -> World:  # fmt: skip
    """Let families live through virtual days over the real services, and return what happened.

    Args:
        library: The content bank.
        families: How many.
        days: How long.
        seed: The same one makes the same year.
        faults: What goes wrong.
        url: An empty database; an SQLite file of its own that is gone afterwards, if not said.
        progress: Called with the number of each day that has passed.
        folder: Where the database of its own is made.
    """
    began = time.monotonic()
    folder = folder or Path(tempfile.mkdtemp(prefix="babymind-simulation-"))
    random = Random(seed)  # noqa: S311 - a simulation, not a secret
    phones = Phones(Random(seed + 1), faults)  # noqa: S311
    ctx = _installation(url or f"sqlite:///{folder / 'simulation.db'}", folder, phones, library)
    households, numbers = draw(random, families=families, days=days, starts_on=STARTS_ON)
    world = World(ctx=ctx, phones=phones, random=random, faults=faults, starts_on=STARTS_ON,
                  ends_at=STARTS_ON + timedelta(days=days))  # fmt: skip
    world.outages = _outages(random, days) if FaultName.OUTAGE in faults else []
    with clock_at(STARTS_ON):
        content.load(ctx)
        enrol.add_study(ctx, "simulation")
    _Days(world, households, numbers.next).run(days, progress)
    world.seconds = time.monotonic() - began
    return world


def _installation(url: str, folder: Path, phones: Phones, library: Library) -> Context:
    engine = make_engine(url, durable=False)
    schema.upgrade(engine)
    return Context(
        database=engine, sessions=make_sessions(engine), readers=make_readers(engine),
        vault=Vault([Fernet.generate_key().decode()]), channel=phones, engine=InlineEngine(),
        media=ObjectMediaStore((folder / "media").as_uri()), library=library, senders=Here(), send_threads=1,
        provider_answers=True,
    )  # fmt: skip


def _outages(random: Random, days: int) -> list[tuple[datetime, datetime]]:
    found = []
    for _ in range(max(1, days // 40)):
        begins = STARTS_ON + timedelta(hours=random.randrange(24, days * 24))
        found.append((begins, begins + timedelta(hours=random.choice((2, 5, 9, 20, 60)))))
    return found


class _Days:
    """Lets the days pass."""

    def __init__(self, world: World, households: list[Household], next_number: Callable[[], str]) -> None:
        self.world, self.ctx, self.next_number = world, world.ctx, next_number
        self.queue: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self.order = itertools.count()
        self.messages = itertools.count(1)
        self.seen = 0
        self.heard = False
        self.clocks = [self.ctx]
        if FaultName.CLOCKS in world.faults:
            self.clocks.append(replace(self.ctx, engine=InlineEngine()))
        for household in households:
            self.at(household.joins_at, partial(self.join, household))

    def at(self, instant: datetime, what: Callable[[datetime], None]) -> None:
        """Have something happen at the first full hour that is not before an instant."""
        heapq.heappush(self.queue, (instant, next(self.order), what))

    def run(self, days: int, progress: Callable[[int], None]) -> None:
        for hour in range(days * 24 + 1):
            now = STARTS_ON + hour * HOUR
            if not any(begins <= now < ends for begins, ends in self.world.outages):
                self.hour(now)
            if hour % 24 == 0 and hour:
                progress(hour // 24)

    def hour(self, now: datetime) -> None:
        with clock_at(now):
            while self.queue and self.queue[0][0] <= now:
                heapq.heappop(self.queue)[2](now)
            self.listen()
            for number, ctx in enumerate(self.clocks):
                back = number and self.world.random.random() < 0.02
                with clock_at(now - 3 * HOUR if back else now):  # a clock that was set back sees the past again
                    plan.plan_due(ctx, everything=bool(number) and now.hour == 12)
                    if now.hour % SWEEP_HOURS == 0:
                        deliver.sweep(ctx)
                    reconcile.ask_about_unknown(ctx)
                    deliver.deliver_due(ctx)
            self.reactions(now)
            self.balance(now)

    def listen(self) -> None:
        """Have what came in read and carried out."""
        if not self.heard:
            return
        self.heard = False
        receive.process_new(self.ctx)
        triage.triage_new(self.ctx)

    def reactions(self, now: datetime) -> None:
        """Let phones answer what they just got, and the provider tell what became of it."""
        random, phones = self.world.random, self.world.phones
        for one in phones.received[self.seen :]:
            if one.text.endswith("?") and random.random() < ANSWERS:
                wait = timedelta(minutes=random.randint(1, 600))
                self.at(now + wait, partial(self.say, one.number, random.choice(WORDS)))
        self.seen = len(phones.received)
        told, phones.to_tell = phones.to_tell, []
        for delivery_id, ref in told:
            self.tell(delivery_id, ref, now)

    def tell(self, delivery_id: int, ref: str, now: datetime) -> None:
        """Have receipts come, now and then twice, out of order, or not at all."""
        random = self.world.random
        words = ["sent", "delivered"]
        if FaultName.WEBHOOKS in self.world.faults:
            words *= random.choice((1, 1, 2))
            random.shuffle(words)
            words = [word for word in words if random.random() > 0.1]
        for word in words:
            form = {"MessageSid": ref, "MessageStatus": word}
            self.at(now + HOUR * random.randint(0, 2), partial(self.receipt, delivery_id, form))

    def receipt(self, delivery_id: int, form: dict[str, str], _now: datetime) -> None:
        """Have the provider tell what became of a message."""
        receipts.told(self.ctx, delivery_id, form)

    def balance(self, now: datetime) -> None:
        """Compare expected with actual for each zone's day that has just ended."""
        for zone in sorted({person.zone.now for _, person in self.world.people}):
            there = now.astimezone(ZoneInfo(zone))
            if there.hour == 23:
                for line in ledger.of_day(self.ctx, there.date(), zone=zone).lines:
                    self.world.ledgers.append((there.date(), zone, line.missing, line.stuck))

    # What happens to families

    def join(self, household: Household, now: datetime) -> None:
        try:
            enrolled = enrol.enrol(self.ctx, household.new, actor="simulation")
        except BabyMindError as error:
            self.world.refused[f"join: {error.code}"] += 1
            return
        home = self.home(enrolled.family_id, enrolled.study_code, household, now)
        self.world.homes[home.id] = home
        self.world.happened["join"] += 1
        for event in household.events:
            self.at(event.at, partial(self.happen, home, household, event))

    def home(self, family_id: int, code: str, household: Household, now: datetime) -> Home:
        with self.ctx.readers.begin() as session:
            family = family_by_code(session, code)
            assert family is not None  # noqa: S101 - it was just enrolled
            people = [
                Person(
                    id=row.id, joined_at=now, zone=History(now, row.zone), number=History(now, new.phone),
                    shares=new.shares_phone, silent=History(now, ""),
                )
                for row, new in zip(family.caregivers, household.new.caregivers, strict=True)
            ]  # fmt: skip
            pregnancies = [
                Expecting(id=one.id, joined_at=now, silent=History(now, ""),
                          known=History(now, Known(one.due_on, one.born_on, one.gestation_days)))
                for one in family.pregnancies
            ]  # fmt: skip
        return Home(id=family_id, code=code, joined_at=now, people=people, pregnancies=pregnancies,
                    enrolled=History(now, True), names=list(household.new.babies))  # fmt: skip

    def happen(self, home: Home, household: Household, event: Event, now: datetime) -> None:
        person = home.people[event.caregiver]
        before = len(self.world.phones.received)
        try:
            getattr(self, f"_{event.what.value}")(home, household, person, now)
            self.world.happened[event.what.value] += 1
        except BabyMindError as error:
            self.world.refused[f"{event.what.value}: {error.code}"] += 1
        assert len(self.world.phones.received) == before  # noqa: S101 - only the sender sends
        self.learn(home, now)

    def learn(self, home: Home, now: datetime) -> None:
        """Note when a pregnancy's dates are other ones, after something changed them."""
        with self.ctx.readers.begin() as session:
            family = family_by_code(session, home.code)
            assert family is not None  # noqa: S101
            for row, truth in zip(family.pregnancies, home.pregnancies, strict=True):
                known = Known(row.due_on, row.born_on, row.gestation_days)
                if known != truth.known.now:
                    truth.known.change(now, known)

    def say(self, number: str, text: str, now: datetime) -> None:
        """Have a phone send a text; the provider's call may come twice."""
        ref = f"IM{next(self.messages):032x}"
        form = {"MessageSid": [ref], "From": [number], "To": ["+15005550006"], "Body": [text], "NumMedia": ["0"]}
        self.world.said[ref] = Said(now, number, text)
        self.heard = True
        twice = FaultName.WEBHOOKS in self.world.faults and self.world.random.random() < 0.2
        for _ in range(2 if twice else 1):
            receive.keep(self.ctx, ref, form)

    def text(self, home: Home, person: Person, words: str, now: datetime) -> bool:
        """Have a caregiver steer by text; False without a phone."""
        if not person.number.now:
            return False
        self.say(person.number.now, words, now)
        self.listen()
        self.learn(home, now)
        return True

    def _birth(self, home: Home, household: Household, _person: Person, now: datetime) -> None:
        assert household.will_be_born_on is not None  # noqa: S101
        given = self.world.random.random() < 0.5
        life.tell_birth(
            self.ctx, home.code, born_on=household.will_be_born_on, pregnancy_id=home.pregnancies[0].id,
            gestation_days=household.gestation_days if given else None, actor="simulation",
        )  # fmt: skip

    def _birth_by_text(self, home: Home, household: Household, person: Person, now: datetime) -> None:
        assert household.will_be_born_on is not None  # noqa: S101
        self.text(home, person, f"Born {household.will_be_born_on.day} {household.will_be_born_on:%B}!", now)

    def _correction(self, home: Home, _household: Household, _person: Person, now: datetime) -> None:
        known, days = home.pregnancies[0].known.now, self.world.random.choice((-9, -3, -1, 1, 2, 5, 12))
        shift = timedelta(days=days)
        if known.born_on is None:
            life.correct_dates(self.ctx, home.code, due_on=known.due_on + shift, pregnancy_id=home.pregnancies[0].id,
                               actor="simulation")  # fmt: skip
        else:
            life.correct_dates(self.ctx, home.code, born_on=known.born_on + shift,
                               pregnancy_id=home.pregnancies[0].id, actor="simulation")  # fmt: skip

    def _pause(self, home: Home, _household: Household, person: Person, now: datetime) -> None:
        days = self.world.random.choice((3, 7, 14, 40))
        if person.silent.now or not self.text(home, person, f"pause {days}", now):
            return
        zone = ZoneInfo(person.zone.now)
        until = instant_of(person.day(now) + timedelta(days=days), datetime.min.time(), zone)
        person.silent.change(now, "paused")
        self.at(until, partial(self.pause_over, person))

    def pause_over(self, person: Person, now: datetime) -> None:
        """A pause has come to its end."""
        if person.silent.now == "paused":
            person.silent.change(now, "")

    def at_phone(self, home: Home, person: Person) -> list[Person]:
        """Return everybody who is reached on this phone."""
        return [one for one in home.people if one.number.now == person.number.now]

    def _stop(self, home: Home, _household: Household, person: Person, now: datetime) -> None:
        number = person.number.now
        if self.text(home, person, self.world.random.choice(("STOP", "stop", "Please stop", "Stop.")), now):
            for one in self.at_phone(home, person):
                one.silent.change(now, "stopped")
            if self.world.said and list(self.world.said.values())[-1].text.strip(" .").upper() == "STOP":
                self.world.phones.blocked.add(number)

    def _start(self, home: Home, _household: Household, person: Person, now: datetime) -> None:
        if person.silent.now == "stopped" and person.number.now:
            self.world.phones.blocked.discard(person.number.now)
            self.text(home, person, "START", now)
            for one in self.at_phone(home, person):
                one.silent.change(now, "")

    def _time(self, home: Home, _household: Household, person: Person, now: datetime) -> None:
        self.text(home, person, self.world.random.choice(("TIME 8am", "time 10:30 7pm", "TIME 6pm")), now)

    def _slots(self, _home: Home, _household: Household, person: Person, _now: datetime) -> None:
        caregivers.set_preferences(self.ctx, person.id, wants_facts=self.world.random.random() < 0.5,
                                   actor="simulation")  # fmt: skip

    def _loss(self, home: Home, household: Household, _person: Person, now: datetime) -> None:
        pregnancy = home.pregnancies[0]
        several = len(household.new.babies) > 1
        one_of_them = several and self.world.random.random() < 0.7
        life.tell_loss(self.ctx, home.code, reason=LossReason.DEATH, pregnancy_id=pregnancy.id,
                       babies=(1,) if one_of_them else (), actor="simulation")  # fmt: skip
        for other in home.pregnancies:
            other.silent.change(now, "held")
        if not one_of_them:
            pregnancy.silent.change(now, "lost")
        elif household.new.babies[0]:
            pregnancy.gone_names.append((now, household.new.babies[0]))

    def _loss_by_text(self, home: Home, household: Household, person: Person, now: datetime) -> None:
        words = self.world.random.choice(("LOSS", "our baby died", "We lost the baby on Friday"))
        if self.text(home, person, words, now):
            for one in home.pregnancies:
                if one.silent.now != "lost":
                    one.silent.change(now, "held")
            only = len(home.pregnancies) == 1 and len(household.new.babies) == 1
            if only and "Friday" not in words:
                home.pregnancies[0].silent.change(now, "lost")

    def _loss_undone(self, home: Home, _household: Household, _person: Person, now: datetime) -> None:
        life.undo_loss(self.ctx, home.code, because="told by mistake", confirmations=2,
                       pregnancy_id=home.pregnancies[0].id, actor="staff:1")  # fmt: skip
        for one in home.pregnancies:
            one.silent.change(now, "")
            one.gone_names.clear()

    def _release(self, home: Home, _household: Household, _person: Person, now: datetime) -> None:
        held = [one for one in home.pregnancies if one.silent.now == "held"]
        if held:
            life.release(self.ctx, home.code, pregnancy_id=held[0].id, because="spoken with the family",
                         actor="staff:1")  # fmt: skip
            held[0].silent.change(now, "")

    def _hold(self, home: Home, _household: Household, _person: Person, now: datetime) -> None:
        pregnancy = home.pregnancies[0]
        if pregnancy.silent.now:
            return
        life.hold(self.ctx, home.code, why=self.world.random.choice((Hold.IN_CARE, Hold.ILL)),
                  pregnancy_id=pregnancy.id, actor="staff:1")  # fmt: skip
        pregnancy.silent.change(now, "held")

    def _travel(self, _home: Home, _household: Household, person: Person, now: datetime) -> None:
        zone = self.world.random.choice(("Pacific/Auckland", "Pacific/Pago_Pago", "America/New_York", "Asia/Tokyo"))
        caregivers.set_preferences(self.ctx, person.id, zone=zone, actor="simulation")
        person.zone.change(now, zone)

    def _number(self, home: Home, _household: Household, person: Person, now: datetime) -> None:
        if person.shares or person.silent.now == "left" or any(one.shares for one in home.people):
            return
        number = self.next_number()
        caregivers.change_number(self.ctx, person.id, number, actor="staff:1")
        person.number.change(now, number)

    def _wrong_number(self, home: Home, _household: Household, person: Person, now: datetime) -> None:
        sharing = self.at_phone(home, person)
        if self.text(home, person, "You have the wrong number", now):
            for one in sharing:
                one.number.change(now, "")

    def _leave(self, home: Home, _household: Household, person: Person, now: datetime) -> None:
        if any(one.shares for one in home.people):
            return
        caregivers.leave(self.ctx, person.id, actor="staff:1")
        person.silent.change(now, "left")
        person.number.change(now, "")

    def _withdraw(self, home: Home, _household: Household, _person: Person, now: datetime) -> None:
        enrolments.withdraw(self.ctx, home.code, data=DataChoice.KEEP, actor="staff:1")
        home.enrolled.change(now, False)

    def _sibling(self, home: Home, _household: Household, person: Person, now: datetime) -> None:
        due_on = person.day(now) + timedelta(days=self.world.random.randint(10, 100))
        added = life.add_pregnancy(self.ctx, home.code, babies=("",), due_on=due_on, actor="staff:1")
        known = Known(due_on, None, None)
        home.pregnancies.append(
            Expecting(id=added, joined_at=now, known=History(now, known), silent=History(now, ""))
        )
