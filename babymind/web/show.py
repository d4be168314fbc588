"""How things are said on a page: times, states and reasons in a reviewer's words."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from flask import Flask
from flask_bootstrap import Bootstrap5

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Messaging, Reason
from babymind.web.access import ALL_STAFF, TEAM, may

STATES = {
    DeliveryStatus.PLANNED: "planned",
    DeliveryStatus.SENDING: "going now",
    DeliveryStatus.ACCEPTED: "handed to the provider",
    DeliveryStatus.SENT: "sent",
    DeliveryStatus.UNDELIVERED: "not delivered",
    DeliveryStatus.FAILED: "not sent",
    DeliveryStatus.DELIVERED: "delivered",
    DeliveryStatus.READ: "read",
    DeliveryStatus.EXPIRED: "not sent",
    DeliveryStatus.CANCELLED: "not sent",
    DeliveryStatus.SKIPPED: "not sent",
    DeliveryStatus.UNKNOWN: "being checked with the provider",
}
REASONS = {
    Reason.LOSS: "loss",
    Reason.AFTER_LOSS: "waits for a person after a loss",
    Reason.IN_CARE: "baby in care",
    Reason.ADOPTED: "baby adopted",
    Reason.ILL: "baby seriously ill",
    Reason.STAFF_HOLD: "held by the team",
    Reason.STOPPED: "stopped by the caregiver",
    Reason.LEFT: "no longer in the family",
    Reason.NO_CONSENT: "no consent",
    Reason.PAUSED: "paused",
    Reason.ENROLMENT_ENDED: "enrolment ended",
    Reason.CONTROL_ARM: "control arm",
    Reason.NOT_IN_ARM: "not part of this arm",
    Reason.FREQUENCY: "not a day of this arm",
    Reason.SLOT_OFF: "not wanted by the caregiver",
    Reason.WAITING: "before week 28",
    Reason.HELD: "long past the due date, no birth told",
    Reason.SHARED_PHONE: "shares a phone with another caregiver",
    Reason.CHANNEL_CLOSED: "number no longer in use",
    Reason.DAILY_CAP: "the other child's day",
    Reason.CONTENT_MISSING: "no content for this day",
    Reason.ALREADY_SENT: "sent before",
    Reason.SUPERSEDED: "a newer one was due",
    Reason.TOO_LATE: "too late in the day",
    Reason.REFUSED: "refused by the provider",
    Reason.OPTED_OUT: "stopped at the provider",
    Reason.CONFIGURATION: "sender set up wrongly",
    Reason.GAVE_UP: "tried too often",
    Reason.REPLANNED: "planned anew",
    Reason.UNREADABLE: "text could not be made",
}
MESSAGING = {
    Messaging.ACTIVE: "gets messages",
    Messaging.PAUSED: "has paused messages",
    Messaging.STOPPED: "has stopped messages",
    Messaging.NO_CONSENT: "has not agreed to messages",
    Messaging.LEFT: "has left the family",
}
GONE = frozenset({DeliveryStatus.ACCEPTED, DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ})
NOT_SENT = frozenset(
    {
        DeliveryStatus.UNDELIVERED,
        DeliveryStatus.FAILED,
        DeliveryStatus.EXPIRED,
        DeliveryStatus.CANCELLED,
        DeliveryStatus.SKIPPED,
    }
)


def install(app: Flask) -> None:
    """Give the templates their words, and Bootstrap from this machine."""
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(app)
    app.jinja_env.filters.update(ago=ago, local=local, due=due, day=day, outcome=outcome, tone=tone)
    app.jinja_env.globals.update(may=may, TEAM=TEAM, ALL_STAFF=ALL_STAFF, MESSAGING=MESSAGING, utc_now=utc_now)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def ago(instant: datetime) -> str:
    """Return how long ago an instant was: ``3 hours``."""
    minutes = max(0, int((utc_now() - instant).total_seconds() // 60))
    for size, name in ((1440, "day"), (60, "hour")):
        if minutes >= size:
            return _count(minutes // size, name)
    return _count(minutes, "minute") if minutes else "less than a minute"


def local(instant: datetime, zone: str) -> str:
    """Return an instant on the clock of a zone: ``Mon 23 Nov, 15:00``."""
    there = instant.astimezone(ZoneInfo(zone))
    return f"{there:%a} {there.day} {there:%b}, {there:%H:%M}"


def due(instant: datetime, zone: str, on: date) -> str:
    """Return when something is due on a day: ``17:00``; with the day where it was put off to another."""
    there = instant.astimezone(ZoneInfo(zone))
    return f"{there:%H:%M}" if there.date() == on else local(instant, zone)


def day(on: date, *, year: bool = True) -> str:
    """Return a day: ``Mon 23 Nov 2026``."""
    return f"{on:%a} {on.day} {on:%b}" + (f" {on.year}" if year else "")


def outcome(status: DeliveryStatus, reason: str | None = None) -> str:
    """Return what became of a delivery."""
    said = STATES[status]
    return f"{said}: {REASONS[Reason(reason)]}" if reason else said


def tone(status: DeliveryStatus) -> str:
    """Return how much attention an outcome wants: ``good``, ``bad`` or ``calm``."""
    if status in GONE:
        return "good"
    return "bad" if status in (DeliveryStatus.FAILED, DeliveryStatus.UNDELIVERED, DeliveryStatus.UNKNOWN) else "calm"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
