"""By which way a message goes, decided as it is sent: on WhatsApp we may write freely for a day after a reply."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from babymind.domain.contact import ChannelName

# Source: Twilio, "Send WhatsApp notification messages with templates" and error 63016.
WINDOW = timedelta(hours=24)  # since the person's last message
MARGIN = timedelta(minutes=5)  # it still has to get there, and clocks differ
MOST_TRIES = 3  # on WhatsApp

OUTSIDE_WINDOW = 63016
# This person gets nothing of ours there, or not now; the template is missing, unfit, rejected or paused.
_NOT_ON_WHATSAPP = frozenset({63003, 63024, 63032, 63033, 63049})
_NOT_BY_TEMPLATE = frozenset({21655, 21656, 63027, 63028, 63029, 63040, 63041})
# What the provider told of a message that may still go by another way.
ANOTHER_WAY = frozenset({OUTSIDE_WINDOW}) | _NOT_ON_WHATSAPP | _NOT_BY_TEMPLATE


class Way(StrEnum):
    """How a message is handed over."""

    SMS = "sms"
    WHATSAPP = "whatsapp"  # in our own words
    TEMPLATE = "template"  # on WhatsApp, in a template that was approved, filled with our words
    CLOSED = "window_closed"  # not at all: the reason is told by this word


def way(channel: ChannelName, heard_at: datetime | None, now: datetime, *, has_template: bool, has_sms: bool,
        told: Sequence[int] = ()) -> Way:  # fmt: skip
    """Decide how a message goes, at the moment of sending.

    Args:
        channel: What the caregiver is reached by.
        heard_at: When the last message from them on that channel came; None if none ever did.
        now: The present instant.
        has_template: There is an approved template for WhatsApp.
        has_sms: The caregiver may be texted too.
        told: The provider's error numbers of the earlier tries of this very message. Each of `ANOTHER_WAY` takes a
            way away, so there is an end.

    Returns:
        The best way left: free words inside the window, else the template, else a text message.
    """
    refused = sum(code in ANOTHER_WAY for code in told)
    if channel is ChannelName.WHATSAPP and refused < MOST_TRIES and not _NOT_ON_WHATSAPP.intersection(told):
        outside = told.count(OUTSIDE_WINDOW)
        if not outside and heard_at is not None and now < heard_at + WINDOW - MARGIN:
            return Way.WHATSAPP
        # Told twice, it was told of the template too.
        if has_template and outside < 2 and not _NOT_BY_TEMPLATE.intersection(told):
            return Way.TEMPLATE
    return Way.SMS if has_sms else Way.CLOSED
