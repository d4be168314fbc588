"""A channel that keeps what it is given, for tests and simulations: nothing leaves the process."""

import itertools
import threading
from collections.abc import Iterator, Mapping

from babymind.channels.base import InboundMessage, OutgoingMessage, Receipt
from babymind.errors import ChannelError, NotFoundError


class MemoryChannel:
    """Takes every message, unless ``fail_with`` is set."""

    provider = "memory"
    simulated = True

    def __init__(self) -> None:
        self.sent: list[OutgoingMessage] = []
        self.fail_with: ChannelError | None = None
        self.media: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def send(self, message: OutgoingMessage) -> str:
        """Keep a message and return an id; see `Channel.send`."""
        if self.fail_with:
            raise self.fail_with
        with self._lock:
            self.sent.append(message)
            return f"MM{next(self._numbers):032d}"

    def authentic(self, path_and_query: str, form: Mapping[str, list[str]], signatures: list[str]) -> bool:
        """Nobody calls our webhooks from memory."""
        return False

    def read_inbound(self, form: Mapping[str, str]) -> InboundMessage:
        """Read a message in Twilio's field names."""
        media = tuple((form[f"MediaUrl{i}"], "image/jpeg") for i in range(int(form.get("NumMedia", "0"))))
        return InboundMessage(provider_ref=form["MessageSid"], from_number=form["From"], text=form.get("Body", ""),
                              media=media, opt_out=form.get("OptOutType"))  # fmt: skip

    def read_receipt(self, form: Mapping[str, str]) -> Receipt:
        """There are no receipts in memory."""
        return Receipt(form.get("MessageSid", ""), form.get("MessageStatus", ""), None, None)

    def fetch_media(self, url: str, max_bytes: int) -> Iterator[bytes]:
        """Yield a picture that the test put into ``media``."""
        if url not in self.media:
            raise NotFoundError("The picture is not at the provider.")
        yield self.media[url]
