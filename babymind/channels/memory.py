"""A channel that keeps what it is given, for tests and simulations: nothing leaves the process."""

import itertools
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from babymind.channels.base import SKEW, Found, InboundMessage, OutgoingMessage, Receipt, Sought
from babymind.clock import utc_now
from babymind.domain.contact import read_address
from babymind.domain.delivery import DeliveryStatus
from babymind.errors import ChannelError, NotFoundError


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that was taken."""

    provider_ref: str
    message: OutgoingMessage
    at: datetime


class MemoryChannel:
    """Takes every message, unless ``fail_with`` is set.

    With ``fail_after`` a message is taken, and then this is told. ``fail_look_up`` is for the three ways of asking.
    """

    provider = "memory"
    simulated = True
    tells = False

    def __init__(self) -> None:
        self.sent: list[OutgoingMessage] = []
        self.kept: list[Kept] = []  # what a look-up finds
        self.fail_with: ChannelError | None = None
        self.fail_after: ChannelError | None = None
        self.fail_look_up: ChannelError | None = None
        self.told: dict[str, tuple[DeliveryStatus, int | None]] = {}  # where a message stands; else it is accepted
        self.inbound: list[tuple[datetime, dict[str, str]]] = []  # what came, whether its webhook did or not
        self.media: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def send(self, message: OutgoingMessage) -> str:
        """Keep a message and return an id; see `Channel.send`."""
        if self.fail_with:
            raise self.fail_with
        with self._lock:
            self.sent.append(message)
            provider_ref = f"MM{next(self._numbers):032d}"
            self.kept.append(Kept(provider_ref, message, utc_now()))
        if self.fail_after:
            raise self.fail_after
        return provider_ref

    def look_up(self, message: Sought, taken: Collection[str] = ()) -> Found | None:
        """Return what was kept of a message; see `Channel.look_up`."""
        if self.fail_look_up:
            raise self.fail_look_up
        with self._lock:
            kept = list(self.kept)
        for one in kept:
            if one.provider_ref == message.provider_ref or (
                message.provider_ref is None
                and one.message.channel is message.channel
                and (one.message.to, one.message.text) == (message.to, message.text)
                and one.at >= message.since - SKEW
                and one.provider_ref not in taken
            ):
                status, error_code = self.told.get(one.provider_ref, (DeliveryStatus.ACCEPTED, None))
                return Found(provider_ref=one.provider_ref, status=status, error_code=error_code, at=one.at)
        return None

    def status_of(self, provider_ref: str) -> Receipt:
        """Return what ``told`` says of a message; see `Channel.status_of`."""
        if self.fail_look_up:
            raise self.fail_look_up
        if all(one.provider_ref != provider_ref for one in self.kept):
            raise NotFoundError("The provider has no such message.")
        status, error_code = self.told.get(provider_ref, (DeliveryStatus.ACCEPTED, None))
        return Receipt(provider_ref, status.value, status, error_code)

    def inbound_since(self, since: datetime) -> Iterator[Mapping[str, str]]:
        """Yield from ``inbound``, the newest first; see `Channel.inbound_since`."""
        if self.fail_look_up:
            raise self.fail_look_up
        for at, form in sorted(self.inbound, key=lambda one: one[0], reverse=True):
            if at >= since:
                yield form | {"DateCreated": at.isoformat()}

    def authentic(self, path_and_query: str, form: Mapping[str, list[str]], signatures: list[str]) -> bool:
        """Nobody calls our webhooks from memory."""
        return False

    def read_inbound(self, form: Mapping[str, str]) -> InboundMessage:
        """Read a message in Twilio's field names."""
        media = tuple((form[f"MediaUrl{i}"], "image/jpeg") for i in range(int(form.get("NumMedia", "0"))))
        channel, number = read_address(form["From"])
        return InboundMessage(provider_ref=form["MessageSid"], channel=channel, from_number=number,
                              text=form.get("Body", ""), media=media, opt_out=form.get("OptOutType"))  # fmt: skip

    def read_receipt(self, form: Mapping[str, str]) -> Receipt:
        """There are no receipts in memory."""
        return Receipt(form.get("MessageSid", ""), form.get("MessageStatus", ""), None, None)

    def fetch_media(self, url: str, max_bytes: int) -> Iterator[bytes]:
        """Yield a picture that the test put into ``media``."""
        if url not in self.media:
            raise NotFoundError("The picture is not at the provider.")
        yield self.media[url]
