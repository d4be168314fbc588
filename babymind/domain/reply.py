"""What a caregiver's words ask for: the exact keywords, read forgivingly; anything else goes to a person."""

import re
import unicodedata
from collections.abc import Mapping
from enum import StrEnum


class Keyword(StrEnum):
    """A word that steers instead of answering."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    PAUSE = "pause"
    RESUME = "resume"
    TIME = "time"
    BORN = "born"
    LOSS = "loss"
    LINK = "link"
    UNCLEAR = "unclear"


class ReplyStatus(StrEnum):
    """Where a reply stands in the queue."""

    NEW = "new"  # not triaged yet
    WAITING = "waiting"  # for a person
    ANSWERED = "answered"
    HANDLED = "handled"  # a keyword that was carried out; nobody needs to answer


# Letters of other alphabets that look like Latin ones: a phone keyboard, or a trick, writes STOP with them.
# Source: Unicode Technical Standard 39, confusables, cut down to single capitals and small letters.
_LOOKALIKES = str.maketrans(
    "АВСЕНІЈКМОРЅТУХаесіјорѕухΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",  # noqa: RUF001 - look-alikes are the point
    "ABCEHIJKMOPSTYXaecijopsyxABEZHIKMNOPTYXo",
)
_SPACES = re.compile(r"\s+")
LONGEST_KEYWORD = 40  # characters; nothing longer is a keyword, whatever it says


def folded(text: str) -> str:
    """Return text as keywords are compared: plain small letters and digits, single spaces, nothing unseen."""
    plain = unicodedata.normalize("NFKC", text[: LONGEST_KEYWORD * 4]).translate(_LOOKALIKES).casefold()
    kept = "".join(
        letter if letter.isalnum() else " " if letter in " \t\n\r-/" else ""
        for letter in plain
        if unicodedata.category(letter) != "Cf"  # zero-width characters and direction marks
    )
    return _SPACES.sub(" ", kept).strip()


def read_keyword(text: str, words: Mapping[str, str]) -> Keyword | None:
    """Return the keyword that a whole message is, or None.

    Args:
        text: The message.
        words: Folded phrase to keyword, from ``content/triage/keywords.yaml``.
    """
    said = folded(text)
    if not said or len(said) > LONGEST_KEYWORD:
        return None
    found = words.get(said)
    return Keyword(found) if found else None
