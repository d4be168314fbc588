"""Telephone numbers that nobody has, and the words a provider itself listens for."""

from enum import StrEnum

from babymind.domain import contact

_GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TWICE = frozenset("^{}\\[~]|€\f")  # these cost an escape character
_SINGLE_OR_TWICE = _GSM_7 | _TWICE


class OptOut(StrEnum):
    """What the provider understood in a text, as it says in ``OptOutType``."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


_STOP_WORDS = frozenset({"STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"})
_START_WORDS = frozenset({"START", "UNSTOP"})
_HELP_WORDS = frozenset({"HELP", "INFO"})


def bare_number(address: str) -> str:
    """Return the number of an address: ``whatsapp:+447700900001`` gives ``+447700900001``."""
    return address.removeprefix("whatsapp:")


def is_whatsapp(address: str) -> bool:
    """Say whether an address is one on WhatsApp."""
    return address.startswith("whatsapp:")


def is_fiction(address: str) -> bool:
    """Say whether the number is reserved for fiction, so that no real phone can be meant."""
    return address.isascii() and contact.is_fiction(bare_number(address))


def country(address: str) -> str:
    """Return the two letters of the country that the number belongs to."""
    return "GB" if bare_number(address).startswith("+44") else "US"


def keyword(body: str, *, opted_out: bool) -> OptOut | None:
    """Return what the provider makes of a text that is one of its words and nothing else.

    YES resubscribes on some senders only, so it counts for somebody who had stopped: to anybody else it
    is an ordinary answer.
    """
    word = body.strip().upper()
    if word in _STOP_WORDS:
        return OptOut.STOP
    if word in _START_WORDS or (word == "YES" and opted_out):
        return OptOut.START
    return OptOut.HELP if word in _HELP_WORDS else None


def segments(body: str) -> int:
    """Return how many segments a text takes: 160 or 153 each in GSM-7, 70 or 67 each in UCS-2."""
    if _SINGLE_OR_TWICE.issuperset(body):
        units, one, several = len(body) + sum(map(_TWICE.__contains__, body)), 160, 153
    else:
        units, one, several = len(body.encode("utf-16-le", "surrogatepass")) // 2, 70, 67
    return 1 if units <= one else -(-units // several)
