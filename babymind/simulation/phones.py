"""The phones of a simulated country: what each got and sent, and a provider that fails in the ways it is told to."""

import itertools
from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from random import Random

from babymind.channels.base import Found, OutgoingMessage, Receipt, Sought
from babymind.channels.memory import MemoryChannel
from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus
from babymind.errors import (
    ChannelError,
    ChannelOptedOutError,
    ChannelRefusedError,
    ChannelThrottledError,
    ChannelUnknownError,
)

OPTED_OUT = 21610  # Twilio: attempt to send to unsubscribed recipient
NO_SUCH_NUMBER = 21211
LISTED = 50  # of the messages to one number, how many can be looked through
STATUSES = {"sent": DeliveryStatus.SENT, "delivered": DeliveryStatus.DELIVERED}


class FaultName(StrEnum):
    """What may go wrong in a simulated year."""

    OUTAGE = "outage"  # nothing of ours runs for hours, or for days
    CLOCKS = "clocks"  # two clocks at once, and now and then one that has been set back
    WEBHOOKS = "webhooks"  # receipts and messages that come twice, out of order, or never
    PROVIDER = "provider"  # throttled, refused for a moment, taken without an answer, never to be taken


@dataclass(frozen=True, slots=True)
class Received:
    """A text on a phone."""

    at: datetime
    number: str = field(repr=False)
    text: str = field(repr=False)
    delivery_id: int


class Phones(MemoryChannel):
    """Takes messages for every number, and keeps what each got, and when."""

    provider = "simulation"

    def __init__(self, random: Random, faults: Collection[FaultName]) -> None:
        super().__init__()
        self.received: list[Received] = []
        self.to_tell: list[tuple[int, str]] = []  # (delivery, provider's id): receipts that are still to come
        self.blocked: set[str] = set()  # numbers that the provider has a STOP of
        self.dead: set[str] = set()  # numbers that cannot get anything
        self._random, self._faulty = random, FaultName.PROVIDER in faults
        self._receipts = 0.10 if FaultName.WEBHOOKS in faults else 0.02  # the share that is told of
        self._ids = itertools.count(1)
        self.errors: dict[str, int] = defaultdict(int)
        self._listed: dict[str, deque[tuple[datetime, str, str]]] = defaultdict(lambda: deque(maxlen=LISTED))

    def send(self, message: OutgoingMessage) -> str:
        """Take a message, or fail as the year's faults have it; see `Channel.send`."""
        if message.to in self.blocked:
            self._fail("opted out", ChannelOptedOutError("This number has said STOP.", provider_code=OPTED_OUT))
        if message.to in self.dead:
            self._fail("refused", ChannelRefusedError("There is no such number.", provider_code=NO_SUCH_NUMBER))
        lot = self._random.random() if self._faulty else 1.0
        if lot < 0.01:
            self._fail("throttled", ChannelThrottledError("Too many requests."))
        if lot < 0.02:
            self._fail("not taken", ChannelError("Not taken; try again."))
        if lot < 0.025:
            self._fail("not taken, no answer", ChannelUnknownError("The answer never came."))
        ref = f"SM{next(self._ids):032x}"
        self.received.append(Received(utc_now(), message.to, message.text, message.delivery_id))
        self._listed[message.to].append((utc_now(), ref, message.text))
        if lot < 0.035:
            if lot < 0.03:  # of the others nothing is ever told, so the provider has to be asked
                self.to_tell.append((message.delivery_id, ref))
            self._fail("no answer", ChannelUnknownError("The answer never came."))
        if self._random.random() < self._receipts:
            self.to_tell.append((message.delivery_id, ref))
        return ref

    def look_up(self, message: Sought, taken: Collection[str] = ()) -> Found | None:
        """Look through the newest messages to a number; see `Channel.look_up`."""
        for at, ref, text in self._listed[message.to]:
            if text == message.text and at >= message.since and ref not in taken:
                return Found(provider_ref=ref, status=DeliveryStatus.SENT, error_code=None, at=at)
        return None

    def _fail(self, name: str, error: ChannelError) -> None:
        self.errors[name] += 1
        raise error

    def read_receipt(self, form: Mapping[str, str]) -> Receipt:
        """Read a receipt in Twilio's field names."""
        told = form["MessageStatus"]
        return Receipt(form["MessageSid"], told, STATUSES.get(told), None)
