"""The phones of a simulated country: what each got and sent, and a provider that fails in the ways it is told to."""

import itertools
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from random import Random

from babymind.channels.base import OutgoingMessage, Receipt
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
        ref = f"SM{next(self._ids):032x}"
        self.received.append(Received(utc_now(), message.to, message.text, message.delivery_id))
        if lot < 0.03:
            self.to_tell.append((message.delivery_id, ref))
            self._fail("no answer", ChannelUnknownError("The answer never came."))
        if self._random.random() < self._receipts:
            self.to_tell.append((message.delivery_id, ref))
        return ref

    def _fail(self, name: str, error: ChannelError) -> None:
        self.errors[name] += 1
        raise error

    def read_receipt(self, form: Mapping[str, str]) -> Receipt:
        """Read a receipt in Twilio's field names."""
        told = form["MessageStatus"]
        return Receipt(form["MessageSid"], told, STATUSES.get(told), None)
