"""What may become of a delivery: its states, the reasons for not sending, and the rank of receipts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a delivery is. A fact and a prompt are the day's two slots."""

    FACT = "fact"
    PROMPT = "prompt"
    WELCOME = "welcome"
    COMMENT = "comment"
    ANSWER = "answer"  # the direct answer to what a caregiver just sent; goes at once, even at night


SLOTS = (Kind.FACT, Kind.PROMPT)
PRIORITY = {Kind.ANSWER: 0, Kind.WELCOME: 1, Kind.COMMENT: 1, Kind.FACT: 2, Kind.PROMPT: 2}


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PLANNED = "planned"
    SENDING = "sending"
    ACCEPTED = "accepted"
    SENT = "sent"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"  # nobody can say whether it went: the provider is asked before anything is sent again


class Reason(StrEnum):
    """Why something was not sent; the closed list of the ledger."""

    WAITING = "waiting"
    HELD = "held"
    COMPLETED = "completed"
    LOSS = "loss"
    STOPPED = "stopped"
    NO_CONSENT = "no_consent"
    PAUSED = "paused"
    ENROLMENT_ENDED = "enrolment_ended"
    CONTROL_ARM = "control_arm"
    CHANNEL_CLOSED = "channel_closed"
    DAILY_CAP = "daily_cap"
    CONTENT_MISSING = "content_missing"
    TOO_LATE = "too_late"
    REFUSED = "refused"
    OPTED_OUT = "opted_out"
    CONFIGURATION = "configuration"
    GAVE_UP = "gave_up"
    REPLANNED = "replanned"
    UNREADABLE = "unreadable"


class Messaging(StrEnum):
    """Whether a caregiver is written to."""

    ACTIVE = "active"
    PAUSED = "paused"
    STOPPED = "stopped"
    NO_CONSENT = "no_consent"


# A receipt may only raise the rank: a late "sent" never overwrites "delivered", and a "delivered" that follows
# an "undelivered" wins (messages do arrive after a carrier gave them up).
RANK = {
    DeliveryStatus.PLANNED: 0,
    DeliveryStatus.SENDING: 0,
    DeliveryStatus.UNKNOWN: 0,
    DeliveryStatus.CANCELLED: 0,
    DeliveryStatus.EXPIRED: 0,
    DeliveryStatus.ACCEPTED: 1,
    DeliveryStatus.SENT: 2,
    DeliveryStatus.FAILED: 3,
    DeliveryStatus.UNDELIVERED: 3,
    DeliveryStatus.DELIVERED: 4,
    DeliveryStatus.READ: 5,
    DeliveryStatus.SKIPPED: 9,  # never handed to anybody: no receipt can be about it
}


def raised(current: DeliveryStatus, told: DeliveryStatus) -> DeliveryStatus:
    """Return the status after hearing another one: the higher of the two by rank, else the one we had."""
    return told if RANK[told] > RANK[current] else current


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All that decides, at the moment of the claim, whether a delivery may go."""

    kind: Kind
    due_at: datetime
    window_ends_at: datetime
    messaging: Messaging
    enrolled: bool
    lost: bool
    address_open: bool
    quiet_until: datetime | None  # set when it is quiet where the caregiver is


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with a claimed delivery: send it (no status), end it with a reason, or put it off."""

    status: DeliveryStatus | None = None
    reason: Reason | None = None
    due_at: datetime | None = None


SEND = Verdict()


def verdict(standing: Standing, now: datetime) -> Verdict:
    """Judge a claimed delivery by what is true now; what was true when it was planned does not count."""
    if standing.lost and standing.kind is not Kind.ANSWER:
        return Verdict(DeliveryStatus.CANCELLED, Reason.LOSS)
    if not standing.address_open:
        return Verdict(DeliveryStatus.CANCELLED, Reason.CHANNEL_CLOSED)
    if standing.kind is not Kind.ANSWER:
        refusal = _refusal(standing)
        if refusal:
            return Verdict(DeliveryStatus.CANCELLED, refusal)
    if now >= standing.window_ends_at:
        return Verdict(DeliveryStatus.EXPIRED, Reason.TOO_LATE)
    if standing.kind is not Kind.ANSWER and standing.quiet_until is not None:
        if standing.quiet_until >= standing.window_ends_at:
            return Verdict(DeliveryStatus.EXPIRED, Reason.TOO_LATE)
        return Verdict(due_at=standing.quiet_until)
    return SEND


def _refusal(standing: Standing) -> Reason | None:
    refusals = {
        Messaging.STOPPED: Reason.STOPPED,
        Messaging.NO_CONSENT: Reason.NO_CONSENT,
        Messaging.PAUSED: Reason.PAUSED,
    }
    if standing.messaging in refusals:
        return refusals[standing.messaging]
    return None if standing.enrolled else Reason.ENROLMENT_ENDED


MAX_ATTEMPTS = 5
RETRY_SECONDS = (30, 120, 300, 900)  # by the number of attempts made


def retry_delay_seconds(attempts: int) -> int | None:
    """Return how long to wait after a failed attempt; None when it is time to give up."""
    return None if attempts >= MAX_ATTEMPTS else RETRY_SECONDS[min(attempts, len(RETRY_SECONDS)) - 1]
