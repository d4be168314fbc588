"""The seam of the engine: coarse hints in, one handler called for each kind of work."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol


class Work(StrEnum):
    """What there may be to do. A hint names the kind only, never a row: the handler looks for itself."""

    DELIVER = "deliver"
    RECEIVE = "receive"
    FETCH_MEDIA = "fetch_media"
    RECONCILE = "reconcile"


Handlers = Mapping[Work, Callable[[], None]]


class Engine(Protocol):
    """Carries hints to handlers. Losing or repeating one is harmless: a tick hints everything again."""

    def hint(self, work: Work) -> None:
        """Say that there may be something to do; returns at once."""
        ...

    def start(self, handlers: Handlers) -> None:
        """Begin to call handlers, each by one thread at a time."""
        ...

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Finish what is under way and call nothing more."""
        ...

    def health(self) -> Mapping[str, object]:
        """Return what a health page shows."""
        ...
