"""What the provider keeps: messages, media, phones."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from babymind.simulator.addresses import bare_number, is_whatsapp


class Status(StrEnum):
    """Where a message stands, in the provider's words."""

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    CANCELED = "canceled"
    RECEIVED = "received"


WAITING = frozenset({Status.ACCEPTED, Status.SCHEDULED, Status.QUEUED})
UNFINISHED = WAITING | {Status.SENT}


class Direction(StrEnum):
    """Who wrote: a person on a phone, the application, or the provider by itself."""

    INBOUND = "inbound"
    OUTBOUND_API = "outbound-api"
    OUTBOUND_REPLY = "outbound-reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One text in either direction. ``position`` orders all of them; 0 until it is stored."""

    sid: str
    account_sid: str
    from_: str | None  # a messaging service chooses its sender only when it sends
    to: str
    body: str
    direction: Direction
    status: Status
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    error_code: int | None = None
    num_media: int = 0
    num_segments: int = 1
    status_callback: str | None = None
    messaging_service_sid: str | None = None
    validity_seconds: int = 36000
    send_at: datetime | None = None
    links: str = ""  # media of ours: a UK number turns them into links, one a line
    webhook_status: int | None = None  # what our webhook answered; 0 where nobody answered
    content_sid: str | None = None  # the template that it was made of
    position: int = 0

    @property
    def phone(self) -> str:
        """The number of the simulated phone that shows this message."""
        other = self.from_ if self.direction is Direction.INBOUND else self.to
        return bare_number(other or "")

    @property
    def by_whatsapp(self) -> bool:
        """Whether it goes by WhatsApp, and not as a text message."""
        return is_whatsapp(self.to)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """What somebody asks the provider to send."""

    to: str
    body: str
    from_: str | None = None
    messaging_service_sid: str | None = None
    status_callback: str | None = None
    validity_seconds: int = 36000
    send_at: datetime | None = None
    links: tuple[str, ...] = ()
    content_sid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One file of a message; the bytes are read apart from it."""

    sid: str
    message_sid: str
    content_type: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A phone that somebody may hold in the simulator."""

    number: str
    label: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Came:
    """What came from a sender at one instant: a benchmark checks a limit with it."""

    at: datetime
    sender: str  # a number, or a messaging service
    segments: int


def new_sid(prefix: str) -> str:
    """Return a fresh identifier in the provider's form: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)
