"""Telephone numbers in E.164: which are reserved for fiction, how they are shown, on what channel they are used."""

import re
from enum import StrEnum

from babymind.errors import InvalidInputError

# Ofcom, "Telephone numbers for use in TV and radio drama programmes": 07700 900000 to 900999.
# NANPA, 555 line numbers: 555-0100 to 555-0199 in every area code.
_FICTION = re.compile(r"\+447700900[0-9]{3}|\+1[2-9][0-9]{2}55501[0-9]{2}")
_WHATSAPP = "whatsapp:"


class ChannelName(StrEnum):
    """By what a caregiver is reached."""

    SMS = "sms"
    WHATSAPP = "whatsapp"
    APP = "app"


def is_fiction(number: str) -> bool:
    """Tell whether an E.164 number can belong to nobody."""
    return _FICTION.fullmatch(number) is not None


def require_reachable(number: str, *, simulated: bool) -> None:
    """Refuse a real number with the simulator, and a fictional one without it: a demo can text nobody."""
    if simulated and not is_fiction(number):
        raise InvalidInputError(
            "With the phone simulator only numbers reserved for fiction are taken: +447700900000 to "
            "+447700900999, or +1 (any area) 555 0100 to 0199."
        )
    if not simulated and is_fiction(number):
        raise InvalidInputError("This number is reserved for fiction; give the caregiver's own mobile number.")


def masked(number: str) -> str:
    """Return a number for people who may not see it: its last two digits."""
    return f"***{number[-2:]}"


def told_address(channel: ChannelName, number: str) -> str:
    """Return a number as the provider writes it: with ``whatsapp:`` before it where it is one on WhatsApp."""
    return f"{_WHATSAPP}{number}" if channel is ChannelName.WHATSAPP else number


def read_address(told: str) -> tuple[ChannelName, str]:
    """Return the channel and the number of an address that the provider told; the reverse of `told_address`."""
    number = told.removeprefix(_WHATSAPP)
    return (ChannelName.SMS if number == told else ChannelName.WHATSAPP), number
