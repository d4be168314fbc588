"""How fast messages came, by sender: a benchmark or a test compares it with the limit that ought to hold."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from babymind.simulator.records import Came

SECOND = timedelta(seconds=1)


def by_sender(came: Iterable[Came]) -> list[dict[str, Any]]:
    """Return for each sender how much came, from when until when, and the most segments in any one second."""
    lists: dict[str, list[Came]] = {}
    for one in came:
        lists.setdefault(one.sender, []).append(one)
    return [
        {
            "sender": sender,
            "messages": len(of_one),
            "segments": sum(one.segments for one in of_one),
            "first_at": of_one[0].at.isoformat(),
            "last_at": of_one[-1].at.isoformat(),
            "most_in_a_second": most_in(of_one),
        }
        for sender, of_one in sorted(lists.items())
    ]


def most_in(came: Sequence[Came], span: timedelta = SECOND) -> int:
    """Return the most segments that came within a span, wherever it begins; what came is in the order of time."""
    most = held = first = 0
    for one in came:
        held += one.segments
        while one.at - came[first].at >= span:
            held -= came[first].segments
            first += 1
        most = max(most, held)
    return most
