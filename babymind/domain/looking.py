"""Asking the provider what became of a message of which we do not know it: when, how often, and what follows.

All times are counted in *answers*: how long the provider may take to answer one request (20 s, if not set otherwise).
"""

from datetime import timedelta
from enum import StrEnum

LEASE_ANSWERS = 6.0  # longer than any call may take: connecting, sending and reading have an answer's time each
WAITS = (0.25, 0.75, 2.0, 6.0, 15.0, 45.0, 90.0, 180.0)  # before each look at an unknown one; after these, a person
RECEIPT_WAITS = (180.0, 720.0, 2160.0)  # before each look at an accepted one of which no receipt came: 1 h, 4 h, 12 h
LOOKS_TO_BELIEVE = 3  # a list may lag behind: not there is believed when it was said so often…
ANSWERS_TO_BELIEVE = 2.75  # …and so long after we began to hand it over


class Answer(StrEnum):
    """What a look brought."""

    FOUND = "found"
    ABSENT = "absent"
    UNCLEAR = "unclear"  # the provider did not say


class Step(StrEnum):
    """What follows from a look."""

    ADOPT = "adopt"  # it went: the provider's id is ours
    SEND_AGAIN = "send_again"  # it was never taken
    LOOK_AGAIN = "look_again"
    PARK = "park"  # nobody can tell; a person decides


def step(answer: Answer, looks: int, answers_since: float) -> Step:
    """Say what follows from a look.

    Args:
        answer: What it brought.
        looks: How many there were, this one included.
        answers_since: The time since we began to hand the message over, in answers.
    """
    if answer is Answer.FOUND:
        return Step.ADOPT
    if answer is Answer.ABSENT and looks >= LOOKS_TO_BELIEVE and answers_since >= ANSWERS_TO_BELIEVE:
        return Step.SEND_AGAIN
    return Step.LOOK_AGAIN if looks < len(WAITS) else Step.PARK


def wait(looks: int, answer_seconds: float) -> timedelta:
    """Return how long to wait before the next look at an unknown one, after so many."""
    return timedelta(seconds=WAITS[min(looks, len(WAITS) - 1)] * answer_seconds)


def wait_for_receipt(looks: int, answer_seconds: float) -> timedelta | None:
    """Return how long a receipt may be missing before the provider is asked; None when it was asked often enough."""
    return timedelta(seconds=RECEIPT_WAITS[looks] * answer_seconds) if looks < len(RECEIPT_WAITS) else None
