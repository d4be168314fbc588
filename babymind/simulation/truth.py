"""What truly happened in a simulated year, kept apart from the system under trial: the yardstick of the promises."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

Value = TypeVar("Value")


class History(Generic[Value]):
    """A value and when it changed."""

    def __init__(self, at: datetime, value: Value) -> None:
        self._at, self._values = [at], [value]

    def change(self, at: datetime, value: Value) -> None:
        """From an instant on it is another one."""
        self._at.append(at)
        self._values.append(value)

    def on(self, at: datetime) -> Value:
        """Return what it was at an instant."""
        return self._values[max(bisect_right(self._at, at) - 1, 0)]

    @property
    def now(self) -> Value:
        """What it is at last."""
        return self._values[-1]

    def __iter__(self) -> Iterator[tuple[datetime, Value]]:
        return iter(zip(self._at, self._values, strict=True))


@dataclass(frozen=True, slots=True)
class Known:
    """The dates of a pregnancy."""

    due_on: date
    born_on: date | None
    gestation_days: int | None


@dataclass(slots=True)
class Person:
    """A caregiver."""

    id: int
    joined_at: datetime
    zone: History[str]
    number: History[str]  # empty: none
    shares: bool
    silent: History[str]  # why nothing may come: stopped, paused, left; empty: it may

    def day(self, at: datetime) -> date:
        """Return the local day at an instant."""
        return at.astimezone(ZoneInfo(self.zone.on(at))).date()


@dataclass(slots=True)
class Expecting:
    """A pregnancy."""

    id: int
    joined_at: datetime
    known: History[Known]
    silent: History[str]  # lost, held; empty: neither
    gone_names: list[tuple[datetime, str]] = field(default_factory=list)


@dataclass(slots=True)
class Home:
    """A family."""

    id: int
    code: str
    joined_at: datetime
    people: list[Person]
    pregnancies: list[Expecting]
    enrolled: History[bool]
    names: list[str]


@dataclass(slots=True)
class Said:
    """A text that a phone sent."""

    at: datetime
    number: str
    text: str
