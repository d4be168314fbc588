"""What may become of a delivery: its states, the reasons for not sending, and the rank of receipts."""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """What a delivery is. A fact and a prompt are the day's two slots."""

    FACT = "fact"
    PROMPT = "prompt"
    WELCOME = "welcome"
    COMMENT = "comment"
    NOTICE = "notice"  # ours, now and then: has your baby arrived?, congratulations, the programme's end
    CONDOLENCE = "condolence"  # the one message after a loss, where the study has approved it
    ANSWER = "answer"  # the direct answer to what a caregiver just sent; goes at once, even at night


SLOTS = (Kind.FACT, Kind.PROMPT)
PRIORITY = {
    Kind.ANSWER: 0,
    Kind.WELCOME: 1,
    Kind.COMMENT: 1,
    Kind.NOTICE: 1,
    Kind.CONDOLENCE: 1,
    Kind.FACT: 2,
    Kind.PROMPT: 2,
}
AFTER_A_LOSS = frozenset({Kind.ANSWER, Kind.CONDOLENCE})  # all else about that baby stays unsent
WHILE_PAUSED = frozenset(
    {Kind.ANSWER, Kind.CONDOLENCE, Kind.COMMENT}
)  # a pause is from our messages, not from people


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

    LOSS = "loss"
    AFTER_LOSS = "after_loss"
    IN_CARE = "in_care"
    ADOPTED = "adopted"
    ILL = "ill"
    STAFF_HOLD = "staff_hold"
    STOPPED = "stopped"
    LEFT = "left"
    NO_CONSENT = "no_consent"
    PAUSED = "paused"
    ENROLMENT_ENDED = "enrolment_ended"
    CONTROL_ARM = "control_arm"
    NOT_IN_ARM = "not_in_arm"
    FREQUENCY = "frequency"
    SLOT_OFF = "slot_off"
    WAITING = "waiting"
    HELD = "held"
    SHARED_PHONE = "shared_phone"
    CHANNEL_CLOSED = "channel_closed"
    WINDOW_CLOSED = "window_closed"  # on WhatsApp, where we may write for a day after they did, and by no other way
    DAILY_CAP = "daily_cap"
    CONTENT_MISSING = "content_missing"
    ALREADY_SENT = "already_sent"
    SUPERSEDED = "superseded"
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
    LEFT = "left"  # no longer part of the family


class Hold(StrEnum):
    """Why a person has to decide before anything more is said about a pregnancy. Each is a `Reason` too."""

    AFTER_LOSS = "after_loss"  # a twin, or another child of the family, has died
    IN_CARE = "in_care"
    ADOPTED = "adopted"
    ILL = "ill"
    STAFF_HOLD = "staff_hold"


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
    hold: Hold | None
    superseded: bool  # a newer slot of the same day is due too
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
    refusal = _refusal(standing)
    if refusal:
        return Verdict(DeliveryStatus.CANCELLED, refusal)
    if now >= standing.window_ends_at:
        return Verdict(DeliveryStatus.EXPIRED, Reason.TOO_LATE)
    if standing.superseded:
        return Verdict(DeliveryStatus.EXPIRED, Reason.SUPERSEDED)
    if standing.kind is not Kind.ANSWER and standing.quiet_until is not None:
        if standing.quiet_until >= standing.window_ends_at:
            return Verdict(DeliveryStatus.EXPIRED, Reason.TOO_LATE)
        return Verdict(due_at=standing.quiet_until)
    return SEND


_MESSAGING = {
    Messaging.STOPPED: Reason.STOPPED,
    Messaging.LEFT: Reason.LEFT,
    Messaging.NO_CONSENT: Reason.NO_CONSENT,
    Messaging.PAUSED: Reason.PAUSED,
}


def _refusal(standing: Standing) -> Reason | None:
    """Return why nothing may go, the gravest reason first."""
    if standing.kind not in AFTER_A_LOSS:
        if standing.lost:
            return Reason.LOSS
        if standing.hold:
            return Reason(standing.hold.value)
    if not standing.address_open:
        return Reason.CHANNEL_CLOSED
    if standing.kind is Kind.ANSWER:
        return None
    refusal = _MESSAGING.get(standing.messaging)
    if refusal and not (refusal is Reason.PAUSED and standing.kind in WHILE_PAUSED):
        return refusal
    return None if standing.enrolled else Reason.ENROLMENT_ENDED


MOST_FAILURES = 5
AGAIN_SECONDS = (30, 120, 300, 900)  # after so many failures; the provider would not take it
AGAIN_LATER_SECONDS = (300, 900, 1800, 3600)  # it was taken and did not arrive: the phone is off, or the network full
MOST_WAITS = 6  # of the first wait, after the provider said again and again that it was too many
JITTER = 0.25  # so much earlier or later, so that what failed together does not come back together


def again_after(failures: int, key: str, *, taken: bool = False) -> timedelta | None:
    """Return how long to wait after a failure; None when it is time to give up.

    Args:
        failures: How many there were, this one included.
        key: Whatever differs from one delivery to the next; the same key waits the same time.
        taken: Whether the provider had taken the message and could not bring it to the phone.
    """
    if failures >= MOST_FAILURES:
        return None
    steps = AGAIN_LATER_SECONDS if taken else AGAIN_SECONDS
    return _jittered(steps[min(failures, len(steps)) - 1], f"{key}:{failures}")


def throttled_after(seconds: float, attempts: int, key: str) -> timedelta:
    """Return how long to wait after the provider said that it was too many: longer each time, up to a point.

    Args:
        seconds: The wait after the first attempt.
        attempts: How many there were, this one included.
        key: As for `again_after`.
    """
    return _jittered(seconds * min(attempts, MOST_WAITS), f"{key}:{attempts}")


def _jittered(seconds: float, key: str) -> timedelta:
    share = zlib.crc32(key.encode()) / 2**32
    return timedelta(seconds=seconds * (1 - JITTER + 2 * JITTER * share))
