"""Families drawn by seed: who they are, how early the babies come, and what happens to them in the year."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from random import Random

from babymind.domain.age import TERM_DAYS
from babymind.services.enrol import NewCaregiver, NewFamily

ZONES = (
    "Europe/London", "Europe/London", "Europe/London", "Europe/Berlin", "America/New_York", "America/St_Johns",
    "America/Sao_Paulo", "Asia/Kathmandu", "Asia/Tokyo", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Apia",
    "Pacific/Kiritimati", "Pacific/Pago_Pago",
)  # fmt: skip
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ida", "Jay", "Kit", "Lou", "Mae", "Noa", "Ola")
ADULTS = ("Sam", "Jo", "Alex", "Robin", "Chris", "Kim", "Pat", "Lee")
SECONDS_A_DAY = 86_400


class Happening(StrEnum):
    """What may happen to a family on a day."""

    BIRTH = "birth"
    BIRTH_BY_TEXT = "birth_by_text"
    CORRECTION = "correction"
    PAUSE = "pause"
    STOP = "stop"
    START = "start"
    TIME = "time"
    LOSS = "loss"
    LOSS_BY_TEXT = "loss_by_text"
    LOSS_UNDONE = "loss_undone"
    RELEASE = "release"
    HOLD = "hold"
    TRAVEL = "travel"
    NUMBER = "number"
    WRONG_NUMBER = "wrong_number"
    LEAVE = "leave"
    WITHDRAW = "withdraw"
    SIBLING = "sibling"
    SLOTS = "slots"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happens to one family."""

    at: datetime
    what: Happening
    caregiver: int = 0  # its place in the family


@dataclass(slots=True, kw_only=True)
class Household:
    """A drawn family, before it is enrolled."""

    number: int
    joins_at: datetime
    new: NewFamily = field(repr=False)
    will_be_born_on: date | None  # none for one that is born already, or of whose birth nobody ever tells
    gestation_days: int
    events: list[Event]


class _Numbers:
    """Numbers reserved for fiction: +1, an area code, 555 0100 to 0199."""

    def __init__(self) -> None:
        self._given = (
            f"+1{area}555{line:04d}"
            for area in range(200, 1000)
            if area % 100 != 11
            for line in range(100, 200)
        )  # fmt: skip

    def next(self) -> str:
        """Return a number that nobody has."""
        return next(self._given)


def draw(random: Random, *, families: int, days: int, starts_on: datetime) -> tuple[list[Household], "_Numbers"]:
    """Draw the families of a simulation.

    Args:
        random: Where chance comes from.
        families: How many.
        days: How long the simulation is.
        starts_on: Its first instant.
    """
    numbers = _Numbers()
    return [_household(random, number, days, starts_on, numbers) for number in range(1, families + 1)], numbers


def _household(random: Random, number: int, days: int, starts_on: datetime, numbers: _Numbers) -> Household:
    # Two in three are there at the start, the others join in the first two thirds of the time.
    late = random.random() < 1 / 3
    joins_at = starts_on + timedelta(seconds=random.uniform(0, days * 2 / 3) * SECONDS_A_DAY if late else 0)
    joins_at = joins_at.replace(minute=0, second=0, microsecond=0)
    today = joins_at.date() - timedelta(days=1)  # of yesterday it is certain, wherever they live
    gestation = _gestation(random)
    due_on, born_on, will_be_born_on = _dates(random, today, gestation)
    count = random.choices((1, 2, 3), (85, 13, 2))[0]
    named = random.random() < 0.8
    babies = tuple(random.sample(NAMES, count)) if named else ("",) * count
    new = NewFamily(
        study="simulation", caregivers=_caregivers(random, numbers), babies=babies, due_on=due_on, born_on=born_on,
        gestation_days=gestation if born_on and due_on is None else None,
    )  # fmt: skip
    events = sorted(_events(random, new, joins_at, will_be_born_on, days), key=lambda event: event.at)
    return Household(number=number, joins_at=joins_at, new=new, will_be_born_on=will_be_born_on,
                     gestation_days=gestation, events=events)  # fmt: skip


def _gestation(random: Random) -> int:
    if random.random() < 0.15:
        return random.randint(160, 258)
    return min(max(round(random.gauss(277, 9)), 259), 294)


def _dates(random: Random, today: date, gestation: int) -> tuple[date | None, date | None, date | None]:
    """Return the due date, the birth date so far, and the birth date to come."""
    lot = random.random()
    if lot < 0.55:  # expecting
        due_on = today + timedelta(days=random.randint(-10, 130))
        born_on = due_on + timedelta(days=gestation - TERM_DAYS)
        tells = random.random() < 0.92
        return due_on, None, max(born_on, today + timedelta(days=2)) if tells else None
    lived = random.randint(0, 340) if lot < 0.9 else random.randint(0, 5)
    return None, today - timedelta(days=lived), None


def _caregivers(random: Random, numbers: _Numbers) -> list[NewCaregiver]:
    zone = random.choice(ZONES)
    count = random.choices((1, 2, 3), (75, 23, 2))[0]
    shares = count > 1 and random.random() < 0.15
    found: list[NewCaregiver] = []
    for place in range(count):
        shared = shares and place == 1
        found.append(
            NewCaregiver(
                name=random.choice(ADULTS), phone=found[0].phone if shared else numbers.next(),
                role=random.choice(("mother", "father", "partner", "grandparent")),
                zone=zone if random.random() < 0.85 else random.choice(ZONES), shares_phone=shared,
                fact_time=f"{random.randint(8, 12):02d}:{random.choice(('00', '30'))}",
                prompt_time=f"{random.randint(13, 19):02d}:{random.choice(('00', '30'))}",
            )
        )  # fmt: skip
    return found


def _events(random: Random, new: NewFamily, joins_at: datetime, birth: date | None, days: int) -> Iterator[Event]:
    end = days * SECONDS_A_DAY

    def sometime(after: datetime = joins_at) -> datetime:
        return after + timedelta(seconds=random.uniform(0.1, 0.8) * end)

    def event(what: Happening, at: datetime | None = None) -> Event:
        return Event(at=at or sometime(), what=what, caregiver=random.randrange(len(new.caregivers)))

    if birth:
        told_at = datetime(birth.year, birth.month, birth.day, random.randint(0, 23), tzinfo=joins_at.tzinfo)
        told_at += timedelta(days=1 + random.choice((0, 0, 0, 1, 2, 5)))
        yield event(random.choice((Happening.BIRTH, Happening.BIRTH_BY_TEXT)), told_at)
    chances = (
        (Happening.CORRECTION, 0.15), (Happening.PAUSE, 0.15), (Happening.TIME, 0.15), (Happening.TRAVEL, 0.08),
        (Happening.NUMBER, 0.08), (Happening.WRONG_NUMBER, 0.03), (Happening.LEAVE, 0.03), (Happening.WITHDRAW, 0.03),
        (Happening.SIBLING, 0.06), (Happening.SLOTS, 0.05), (Happening.HOLD, 0.04),
    )  # fmt: skip
    yield from (event(what) for what, chance in chances if random.random() < chance)
    if random.random() < 0.12:
        stop = event(Happening.STOP)
        yield stop
        if random.random() < 0.5:
            yield Event(at=stop.at + timedelta(days=random.randint(1, 20)), what=Happening.START,
                        caregiver=stop.caregiver)  # fmt: skip
    if random.random() < 0.06:
        loss = event(random.choice((Happening.LOSS, Happening.LOSS_BY_TEXT)))
        yield loss
        if random.random() < 0.2:
            yield event(Happening.LOSS_UNDONE, loss.at + timedelta(days=random.randint(1, 5)))
        if random.random() < 0.5:
            yield event(Happening.RELEASE, loss.at + timedelta(days=random.randint(7, 30)))
