"""How things are said on a page: times, states and reasons in a reviewer's words."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flask import Flask
from flask_bootstrap import Bootstrap5

from babymind.clock import utc_now
from babymind.domain.age import Stage
from babymind.domain.delivery import SLOTS, DeliveryStatus, Hold, Messaging, Reason
from babymind.web.access import ALL_STAFF, TEAM, may


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDo:
    """What a task asks of a person."""

    title: str
    why: str


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
    Reason.WINDOW_CLOSED: "over a day since their last message on WhatsApp, and no other way",
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
HOLDS = {
    Hold.AFTER_LOSS: "waits for a person after a loss",
    Hold.IN_CARE: "the baby is in care",
    Hold.ADOPTED: "the baby was adopted",
    Hold.ILL: "the baby is seriously ill",
    Hold.STAFF_HOLD: "the team decided so",
}
LOSSES = {
    "miscarriage": "a miscarriage",
    "stillbirth": "the baby was stillborn",
    "termination": "the pregnancy was ended",
    "death": "the baby died after birth",
    "not_said": "they did not say what happened",
}
CLOSED = {
    "changed": "another number took its place",
    "wrong_number": "it belongs to somebody else",
    "left": "the caregiver left the family",
    "refused": "the provider says that it cannot be reached, or does not exist",
    "blocked": "the person or their network takes no messages from us",
    "unreachable": "the phone has been out of reach for a week or more",
}
# By the kind of a task.
TASKS = {
    "ask_about_birth": ToDo(
        title="Ask whether the baby has arrived",
        why="The due date is long past and nobody has told us of a birth. Nothing is sent, for we do not "
        "guess. Ask the family gently, then record the birth or the loss, or correct the due date.",
    ),
    "check_gestation": ToDo(
        title="Ask how early the baby came",
        why="By the due date that we have, this was an early birth. The weeks of pregnancy at birth decide "
        "which messages fit the baby. Ask the family, and correct the dates if ours are wrong.",
    ),
    "wrong_number": ToDo(
        title="Find the right number",
        why="Whoever has this number told us that it is not the caregiver's. Nothing goes to it any more. Ask "
        "the family for the right one, then change it.",
    ),
    "talk_after_loss": ToDo(
        title="Speak with the family after a loss",
        why="Messages about a surviving twin, or another child, wait. Ask the family whether and when they "
        "want them again, then end the hold; or leave it.",
    ),
    "confirm_loss": ToDo(
        title="Find out what a family has told us by text",
        why="A caregiver wrote of a loss, and everything has stopped. Read what they wrote and answer it. If we "
        "do not know yet which baby it is, record the loss; if it was a mistake, end the hold or let a lead undo "
        "the loss.",
    ),
    "erase": ToDo(
        title="Erase what a family gave us",
        why="The family has withdrawn and wants everything erased. Whoever runs this service does it; say here "
        "when it is done.",
    ),
    "number_failed": ToDo(
        title="Ask for another number",
        why="Messages no longer reach this caregiver's number, so nothing goes to it. Ask the family in another way "
        "whether they want our messages, and for the right number; then change it.",
    ),
    "parked": ToDo(
        title="Decide about messages of which nobody can tell whether they went",
        why="The provider did not say what became of them, however often it was asked. They are not sent again by "
        "themselves. Look at them on the page Deliveries, and decide there.",
    ),
    "provider": ToDo(
        title="See what the provider says",
        why="The provider turns our messages away, or gives an error that is new to us. Whoever runs this service "
        "should look at once: families may wait for messages.",
    ),
    "ledger": ToDo(
        title="Find out why a day does not add up",
        why="What was due on this day and what became of it do not match. Whoever runs this service should "
        "look at once: families may wait for messages.",
    ),
}
AGES = {
    Stage.WAITING: "before week 28",
    Stage.HELD: "long past the due date",
    Stage.COMPLETED: "after the programme",
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
    app.jinja_env.filters.update(
        ago=ago, local=local, moment=moment, due=due, clock=clock, day=day, outcome=outcome, tone=tone
    )
    app.jinja_env.globals.update(
        may=may, TEAM=TEAM, ALL_STAFF=ALL_STAFF, MESSAGING=MESSAGING, LOSSES=LOSSES, HOLDS=HOLDS, CLOSED=CLOSED,
        NOT_SENT=NOT_SENT, REASONS=REASONS, SLOTS=SLOTS, TASKS=TASKS, utc_now=utc_now,
    )  # fmt: skip
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


def moment(instant: datetime, zone: str) -> str:
    """Return an instant on the clock of a zone, with its year: ``Mon 23 Nov 2026, 15:00``."""
    there = instant.astimezone(ZoneInfo(zone))
    return f"{day(there.date())}, {there:%H:%M}"


def clock(instant: datetime, zone: str) -> str:
    """Return the time of day of an instant on the clock of a zone: ``15:00``."""
    return f"{instant.astimezone(ZoneInfo(zone)):%H:%M}"


def due(instant: datetime, zone: str, on: date) -> str:
    """Return when something is due on a day: ``17:00``; with the day where it was put off to another."""
    there = instant.astimezone(ZoneInfo(zone))
    return f"{there:%H:%M}" if there.date() == on else local(instant, zone)


def day(on: date, *, year: bool = True) -> str:
    """Return a day: ``Mon 23 Nov 2026``."""
    return f"{on:%a} {on.day} {on:%b}" + (f" {on.year}" if year else "")


def age(stage: Stage, number: int) -> str:
    """Return where a pregnancy stands on a day of the calendar: ``day 20``, ``4 days to go``."""
    if stage in AGES:
        return AGES[stage]
    if stage is Stage.ANTENATAL:
        return f"{_count(-number, 'day')} to go"
    if stage is Stage.OVERDUE:
        return f"{_count(number, 'day')} past the due date" if number else "due"
    return f"day {number}" + (", born early" if stage is Stage.EARLY else "")


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
