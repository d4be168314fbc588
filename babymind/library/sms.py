"""How much of a text message a text fills."""

from smsutil import is_valid_gsm, split


def septets(text: str) -> int:
    """Return the size of a text in GSM-7 septets; a character outside GSM-7 counts as one."""
    if not is_valid_gsm(text):
        text = "".join(letter if is_valid_gsm(letter) else "?" for letter in text)
    return int(split(text).total_bytes)


def segments(text: str) -> int:
    """Return how many SMS segments carry a text."""
    return len(split(text).parts)
