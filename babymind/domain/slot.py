"""Whether a slot is sent, by the rules alone: the ones that planning applies to a whole zone in one statement."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from babymind.domain.age import Span, Stage, has_turn
from babymind.domain.delivery import Hold, Kind, Messaging, Reason


class Phone(StrEnum):
    """How a caregiver can be reached."""

    OWN = "own"
    SHARED = "shared"  # with another caregiver of the family, who gets the messages
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One slot of one caregiver's day about one pregnancy, with all that decides whether it is sent."""

    kind: Kind
    day: date
    span: Span  # in which the pregnancy is on that day
    lost: bool
    hold: Hold | None
    messaging: Messaging
    gets_facts: bool  # in this arm
    gets_prompts: bool
    weekdays: int  # of this arm; bit 0 is Monday
    wants: bool  # this slot, the caregiver
    phone: Phone
    daily_cap: int
    has_item: bool
    sent_before: bool  # this very item, to this caregiver


def messaging_on(messaging: Messaging, paused_until: date | None, day: date) -> Messaging:
    """Return whether a caregiver is written to on a day, as far as can be told now."""
    over = messaging is Messaging.PAUSED and paused_until is not None and paused_until <= day
    return Messaging.ACTIVE if over else messaging


_MESSAGING = {
    Messaging.STOPPED: Reason.STOPPED,
    Messaging.LEFT: Reason.LEFT,
    Messaging.NO_CONSENT: Reason.NO_CONSENT,
    Messaging.PAUSED: Reason.PAUSED,
}


def reason_for(slot: Slot) -> Reason | None:
    """Return why a slot is not sent, the gravest reason first; None if it is."""
    wanted = slot.gets_facts if slot.kind is Kind.FACT else slot.gets_prompts
    reasons = (
        (slot.lost, Reason.LOSS),
        (slot.hold is not None, Reason(slot.hold.value) if slot.hold else None),
        (slot.messaging in _MESSAGING, _MESSAGING.get(slot.messaging)),
        (not (slot.gets_facts or slot.gets_prompts), Reason.CONTROL_ARM),
        (not wanted, Reason.NOT_IN_ARM),
        (not slot.weekdays >> slot.day.weekday() & 1, Reason.FREQUENCY),
        (not slot.wants, Reason.SLOT_OFF),
        (slot.span.stage is Stage.WAITING, Reason.WAITING),
        (slot.span.stage is Stage.HELD, Reason.HELD),
        (slot.phone is Phone.NONE, Reason.CHANNEL_CLOSED),
        (slot.phone is Phone.SHARED, Reason.SHARED_PHONE),
        (not has_turn(slot.span, slot.day, slot.daily_cap), Reason.DAILY_CAP),
        (not slot.has_item, Reason.CONTENT_MISSING),
        (slot.sent_before, Reason.ALREADY_SENT),
    )
    return next((reason for holds, reason in reasons if holds), None)
