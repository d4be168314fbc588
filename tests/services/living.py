"""An installation that a test lives through, instant by instant, with phones that remember what came and when."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory, StepTickTimeFactory, TickingDateTimeFactory

from babymind.channels.base import OutgoingMessage
from babymind.channels.memory import MemoryChannel
from babymind.clock import utc_now
from babymind.services import deliver, enrol, plan, receive, triage
from babymind.services.context import Context
from babymind.services.enrol import Enrolled, NewCaregiver, NewFamily
from babymind.services.texts import message_text
from babymind.store.deliveries import Delivery
from tests.factories import JO, SAM, daily, rows, utc

LOOKS = (0, 8, 9, 12, 17, 20, 21)  # hours of a day at which something may happen to a family with the usual times


@dataclass(frozen=True, slots=True)
class Came:
    """One message that reached a phone."""

    at: datetime
    to: str
    text: str
    delivery_id: int

    def local(self, zone: str) -> datetime:
        """When it came, by the clock on the wall."""
        return self.at.astimezone(ZoneInfo(zone))


class Phones(MemoryChannel):
    """A channel whose phones remember the instant at which each message came."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[Came] = []

    def send(self, message: OutgoingMessage) -> str:
        """Keep a message with its instant; see `Channel.send`."""
        reference = super().send(message)
        self.came.append(Came(utc_now(), message.to, message.text, message.delivery_id))
        return reference

    def of(self, number: str) -> list[str]:
        """The texts that came to one phone, in order."""
        return [one.text for one in self.came if one.to == number]

    def clear(self) -> None:
        """Forget what came so far."""
        self.came.clear()
        self.sent.clear()


@dataclass(slots=True)
class Living:
    """The services of one installation, and the clock by which they are called."""

    ctx: Context
    phones: Phones
    frozen: StepTickTimeFactory | TickingDateTimeFactory | FrozenDateTimeFactory
    texts: int = field(default=0)

    def at(self, instant: str | datetime) -> None:
        """Move the clock to ``2026-03-08T09:00`` UTC, and do what a worker does then."""
        self.frozen.move_to(instant if isinstance(instant, datetime) else utc(instant))
        self.tick()

    def tick(self) -> None:
        """Do what a worker does when it looks."""
        plan.plan_due(self.ctx)
        deliver.deliver_due(self.ctx)
        if utc_now().hour >= 21:
            deliver.sweep(self.ctx)

    def days(self, number: int, *, looks: tuple[int, ...] = LOOKS) -> None:
        """Live through some UTC days from the next midnight on, looking at some hours of each."""
        day = utc_now().date()
        for _ in range(number):
            day += timedelta(days=1)
            for hour in looks:
                self.at(datetime.combine(day, time(hour), tzinfo=UTC))

    def text(self, words: str, *, phone: str = SAM, **more: str) -> None:
        """A caregiver sends a text now, and it is triaged; what is to be answered goes."""
        self.keep(words, phone=phone, **more)
        receive.process_new(self.ctx)
        triage.triage_new(self.ctx)
        deliver.deliver_due(self.ctx)

    def keep(self, words: str, *, phone: str = SAM, **more: str) -> None:
        """A text comes in, and nobody has looked at it yet."""
        self.texts += 1
        sid = f"SM{self.texts}"
        fields = {"MessageSid": sid, "From": phone, "Body": words, "NumMedia": "0"} | more
        receive.keep(self.ctx, sid, {name: [value] for name, value in fields.items()})


def slots(ctx: Context, **where: Any) -> list[Delivery]:
    """The facts and prompts of the ledger, by when they are due."""
    there = [row for row in daily(ctx) if all(getattr(row, name) == value for name, value in where.items())]
    return sorted(there, key=lambda row: (row.due_at, row.id))


def occasions(ctx: Context, *, begin: str) -> list[Delivery]:
    """The deliveries outside the slots whose occasion begins with a word."""
    return [row for row in rows(ctx, Delivery) if (row.occasion or "").startswith(begin)]


def parents(ctx: Context, *, babies: tuple[str, ...] = ("Robin",), **more: Any) -> Enrolled:
    """A mother in London and a father in New York, both at 09:00 and 17:00 of their own day."""
    couple = [
        NewCaregiver(name="Sam", phone=SAM, role="mother"),
        NewCaregiver(name="Jo", phone=JO, role="father", zone="America/New_York"),
    ]
    return enrol.enrol(ctx, NewFamily(**({"study": "demo", "caregivers": couple, "babies": babies} | more)))


def said(ctx: Context, key: str, babies: tuple[str, ...] = (), **values: str) -> str:
    """One of our own messages, as it is sent today."""
    return message_text(ctx, key, "en-GB", today=utc_now().date(), babies=babies, **values)
