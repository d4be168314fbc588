"""What may go wrong at a provider, as data: each fault has a name, and a plan says when it strikes.

| Name | What happens |
| --- | --- |
| `accept-late` | the message is accepted and travels; the answer comes only after `seconds` |
| `accept-drop` | the message is accepted and travels; the connection closes without an answer |
| `accept-error` | the message is accepted and travels; the answer is 500 |
| `drip` | the message is accepted and travels; the answer comes a byte at a time, over `seconds` |
| `throttle` | 429 with code 20429; nothing was processed |
| `server-error` | 500 with a JSON error; nothing was processed |
| `bad-gateway` | 502 with a page in HTML; nothing was processed |
| `html-ok` | 200 with a page in HTML, as from a captive portal; nothing was processed |
| `reset` | the connection is reset before anything is processed |
| `hang` | silence for `seconds`, then the connection closes; nothing was processed |
| `number-refused` | the message is refused at once with error `code` |
| `number-error` | the message is accepted and fails later with error `code` |
| `queue-late` | the message is accepted and waits in the queue for `seconds` before it travels |
| `list-late` | a list does not yet name the messages of the last `seconds` |
| `callback-duplicate` | a status callback is posted twice |
| `callback-reorder` | the callback for `sent` arrives after the one for `delivered` |
| `callback-lost` | a status callback is never posted |
| `callback-forged` | a callback with a wrong signature, saying `failed`, precedes the true one |
| `webhook-duplicate` | the webhook for an incoming message is posted twice |
| `webhook-lost` | an incoming message is only listed, never posted |
| `webhook-album` | pictures that were sent together come as a message each, posted at once; their text comes last |
| `media-missing` | a file is 404, as in the first seconds after its webhook |

A fault strikes `times` times (`null`: until the plan changes), at every `every`-th occasion, at a `share` of
these, and only for `number` where one is given. Which occasions make up the share follows from the plan's seed:
the same ones every time. Faults of requests concern the creation of messages; with `any_request`, all of
the provider's REST surface, where `number` does not apply. The first fault in the plan that fits wins.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from random import Random
from typing import Any, Self

from babymind.errors import InvalidInputError
from babymind.simulator.addresses import bare_number


class FaultName(StrEnum):
    """The names in the table above."""

    ACCEPT_LATE = "accept-late"
    ACCEPT_DROP = "accept-drop"
    ACCEPT_ERROR = "accept-error"
    DRIP = "drip"
    THROTTLE = "throttle"
    SERVER_ERROR = "server-error"
    BAD_GATEWAY = "bad-gateway"
    HTML_OK = "html-ok"
    RESET = "reset"
    HANG = "hang"
    NUMBER_REFUSED = "number-refused"
    NUMBER_ERROR = "number-error"
    QUEUE_LATE = "queue-late"
    LIST_LATE = "list-late"
    CALLBACK_DUPLICATE = "callback-duplicate"
    CALLBACK_REORDER = "callback-reorder"
    CALLBACK_LOST = "callback-lost"
    CALLBACK_FORGED = "callback-forged"
    WEBHOOK_DUPLICATE = "webhook-duplicate"
    WEBHOOK_LOST = "webhook-lost"
    WEBHOOK_ALBUM = "webhook-album"
    MEDIA_MISSING = "media-missing"


BEFORE_ACCEPTING = frozenset(
    {
        FaultName.THROTTLE,
        FaultName.SERVER_ERROR,
        FaultName.BAD_GATEWAY,
        FaultName.HTML_OK,
        FaultName.RESET,
        FaultName.HANG,
    }
)
AFTER_ACCEPTING = frozenset({FaultName.ACCEPT_LATE, FaultName.ACCEPT_DROP, FaultName.ACCEPT_ERROR, FaultName.DRIP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong; see the table in the module."""

    name: FaultName
    times: int | None = 1
    every: int = 1
    share: float = 1.0
    seconds: float = 5.0
    code: int = 30008
    number: str | None = None
    any_request: bool = False

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read a fault from JSON.

        Raises:
            InvalidInputError: It is not an object, or has an unknown name, member or value.
        """
        if not isinstance(data, Mapping):
            raise InvalidInputError("A fault is an object with a name")
        unknown = set(data) - {f.name for f in fields(cls)}
        if unknown or "name" not in data:
            raise InvalidInputError(f"A fault has a name, and nothing called {', '.join(sorted(unknown)) or '?'}")
        try:
            fault = cls(**{**data, "name": FaultName(data["name"])})
        except ValueError:
            raise InvalidInputError(f"There is no fault called {data['name']}") from None
        fault.check()
        return fault

    def check(self) -> None:
        """Refuse values that mean nothing."""
        whole = [self.every, self.code, *([] if self.times is None else [self.times])]
        if any(type(value) is not int or value < 1 for value in whole):
            raise InvalidInputError("times, every and code are whole numbers from 1")
        if type(self.share) not in {int, float} or not 0 < self.share <= 1:
            raise InvalidInputError("share is a number above 0, up to 1")
        if type(self.seconds) not in {int, float} or not 0 <= self.seconds <= 3600:
            raise InvalidInputError("seconds is a number from 0 to 3600")
        if not (self.number is None or isinstance(self.number, str)):
            raise InvalidInputError("number is text")
        if type(self.any_request) is not bool:
            raise InvalidInputError("any_request is true or false")


@dataclass(slots=True)
class _Standing:
    """A fault of the plan, and how often it was met."""

    fault: Fault
    seed: str
    occasions: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        """Count one more occasion, and say whether the fault strikes at it."""
        self.occasions += 1
        if self.occasions % self.fault.every:
            return False
        if self.fault.share < 1:
            lot = Random(f"{self.seed}/{self.occasions}").random()  # noqa: S311 - a plan, not a secret
            if lot >= self.fault.share:
                return False
        self.struck += 1
        return True


class FaultPlan:
    """The faults that are in force; safe to read and change from any thread."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 1) -> None:
        self._lock = threading.Lock()
        self._interrupt = threading.Event()
        self._standing: list[_Standing] = []
        self.set(faults, seed=seed)

    def set(self, faults: Iterable[Fault], *, seed: int = 1) -> None:
        """Put these faults in the place of whatever was planned; the seed chooses the occasions of a share."""
        standing = [_Standing(fault, f"{seed}/{index}") for index, fault in enumerate(faults)]
        for entry in standing:
            entry.fault.check()
        with self._lock:
            self._standing = standing

    def clear(self) -> None:
        """Let everything work again."""
        self.set(())

    def take(self, *names: FaultName, number: str | None = None, any_request: bool = False) -> Fault | None:
        """Return the fault that strikes now, if one of these does, and count it."""
        if not self._standing:  # the usual case, kept free of the lock
            return None
        bare = bare_number(number) if number else None
        with self._lock:
            for entry in self._standing:
                fault = entry.fault
                if fault.name not in names or (any_request and not fault.any_request):
                    continue
                if not any_request and fault.number is not None and fault.number != bare:
                    continue
                if fault.times is not None and entry.struck >= fault.times:
                    continue
                if entry.strikes():
                    return fault
        return None

    def report(self) -> list[dict[str, Any]]:
        """Return the plan, and how often each fault struck."""
        with self._lock:
            return [{**asdict(entry.fault), "struck": entry.struck} for entry in self._standing]

    def struck(self, name: FaultName) -> int:
        """Return how often a fault struck."""
        with self._lock:
            return sum(entry.struck for entry in self._standing if entry.fault.name is name)

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the server."""
        self._interrupt.wait(seconds)

    def interrupt(self, on: bool = True) -> None:
        """End every pause, so that the server can stop; or allow them again."""
        (self._interrupt.set if on else self._interrupt.clear)()


def named_plan(name: str) -> tuple[Fault, ...]:
    """Return a standing plan for a long run: ``none``, the name of one fault, or ``everything``.

    Raises:
        InvalidInputError: There is no such plan.
    """
    if name == "none":
        return ()
    if name != "everything" and name not in set(FaultName):
        raise InvalidInputError(f"There is no fault plan {name}; there are: none, everything, {', '.join(FaultName)}")
    chosen = tuple(FaultName) if name == "everything" else (FaultName(name),)
    # Different primes, so that over a long run the faults meet in every combination.
    primes = (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)
    return tuple(
        Fault(name=fault, times=None, every=every, seconds=0.2) for fault, every in zip(chosen, primes, strict=False)
    )
