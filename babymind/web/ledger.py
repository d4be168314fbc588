"""The ledger as a page shows it: what does not add up first, and for each line a bar of what became of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from babymind.domain.age import FIRST_DAY, LAST_DAY
from babymind.domain.delivery import DeliveryStatus
from babymind.services.ledger import Ledger, LedgerLine
from babymind.web.show import outcome, tone

BAR = 1000  # the width of a bar, in its own units
MISSING = "missing: nothing says what became of it"


@dataclass(frozen=True, slots=True)
class Part:
    """One outcome of a line, and its place in the bar."""

    words: str
    count: int
    tone: str
    start: int
    width: int


@dataclass(frozen=True, slots=True)
class Line:
    """One study in one zone."""

    line: LedgerLine
    parts: Sequence[Part]


def parse_day(text: str) -> date | None:
    """Return the day of an address, None where it is none that the service counts."""
    try:
        on = date.fromisoformat(text)
    except ValueError:
        return None
    return on if FIRST_DAY < on < LAST_DAY else None


def lines(ledger: Ledger) -> list[Line]:
    """Return the lines, those that do not add up first."""
    ordered = sorted(ledger.lines, key=lambda line: (line.ok, line.study, line.zone))
    return [Line(line, list(_parts(line))) for line in ordered]


def _parts(line: LedgerLine) -> Iterator[Part]:
    total = line.actual + line.missing
    counts: Counter[tuple[str, str]] = Counter()  # cancelled and never planned read alike: not sent
    for key, number in line.outcomes.items():
        counts[_said(key)] += number
    ordered = sorted(counts.items(), key=lambda entry: (TONES.index(entry[0][1]), -entry[1]))
    before = 0
    for (words, shade), number in [((MISSING, "bad"), line.missing), *ordered]:
        if number:
            start, end = BAR * before // total, BAR * (before + number) // total
            yield Part(words, number, shade, start, end - start)
            before += number


TONES = ("bad", "good", "open", "calm")
OPEN = frozenset({DeliveryStatus.PLANNED, DeliveryStatus.SENDING})


def _said(key: str) -> tuple[str, str]:
    """Return an outcome of the ledger in words, and how much attention it wants."""
    state, _, reason = key.partition(": ")
    status = DeliveryStatus(state)
    return outcome(status, reason or None), "open" if status in OPEN else tone(status)
