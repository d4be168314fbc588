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
    WRONG_NUMBER = "wrong_number"
    UNCLEAR = "unclear"  # may steer, but not surely: never carried out, a person looks; it is no phrase of its own


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
LONGEST_READ = 160  # characters as sent; more is not looked at, so that a hostile text costs nothing


def plain(text: str) -> str:
    """Return the first `LONGEST_READ` characters in small letters, with look-alikes told and nothing unseen.

    Full-width and other forms of a letter are that letter; punctuation and spaces stay.
    """
    small = unicodedata.normalize("NFKC", text[:LONGEST_READ]).translate(_LOOKALIKES).casefold()
    # Cf: zero-width characters and direction marks
    return "".join(letter for letter in small if unicodedata.category(letter) != "Cf")


def folded(text: str) -> str:
    """Return text as keywords are compared: plain small letters and digits, single spaces, nothing unseen.

    Hyphens and slashes part words, all other punctuation is left out; only `LONGEST_READ` characters are looked at.
    """
    kept = "".join(letter if letter.isalnum() else " " if letter in " \t\n\r-/" else "" for letter in plain(text))
    return _SPACES.sub(" ", kept).strip()


def too_long(text: str, most: int) -> bool:
    """Tell whether a message says more than ``most`` folded characters, or goes on after what is looked at."""
    return len(folded(text)) > most or any(map(str.isalnum, text[LONGEST_READ:]))


def read_keyword(text: str, words: Mapping[str, str]) -> Keyword | None:
    """Return the keyword that a whole message is, or None.

    Args:
        text: The message.
        words: Folded phrase to keyword, from ``content/triage/keywords.yaml``.
    """
    said = folded(text)
    found = words.get(said) if said and not too_long(text, LONGEST_KEYWORD) else None
    return Keyword(found) if found else None
