"""What a channel is: it takes one message and says what became of it, or raises one of four errors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from babymind.domain.delivery import DeliveryStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """One message for one address."""

    delivery_id: int  # travels in the address that receipts come back to
    to: str = field(repr=False)  # E.164
    text: str = field(repr=False)
    valid_seconds: int  # after that the provider drops it


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider told of a message, in our words; ``status`` is None for a word that we do not know."""

    provider_ref: str
    told: str
    status: DeliveryStatus | None
    error_code: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """A message from a caregiver, read from what the provider posted."""

    provider_ref: str
    from_number: str = field(repr=False)
    text: str = field(repr=False)
    media: tuple[tuple[str, str], ...] = ()  # (address at the provider, type that it told)
    opt_out: str | None = None  # STOP, START or HELP when the provider has handled it


class Channel(Protocol):
    """A provider of messages. Safe to call from several threads."""

    provider: str
    simulated: bool

    def send(self, message: OutgoingMessage) -> str:
        """Hand over one message and return the provider's id of it.

        Raises:
            ChannelRefusedError: It will never be taken (``ChannelOptedOutError``: the person said STOP).
            ChannelThrottledError: Too many at once; certainly not processed.
            ChannelConfigurationError: Our account is set up wrongly.
            ChannelUnknownError: It may or may not have been taken.
            ChannelError: It was not taken and may be tried again.
        """
        ...

    def authentic(self, path_and_query: str, form: Mapping[str, list[str]], signatures: list[str]) -> bool:
        """Tell whether a webhook call was made by the provider."""
        ...

    def read_inbound(self, form: Mapping[str, str]) -> InboundMessage:
        """Read a message webhook."""
        ...

    def read_receipt(self, form: Mapping[str, str]) -> Receipt:
        """Read a status webhook."""
        ...

    def fetch_media(self, url: str, max_bytes: int) -> Iterator[bytes]:
        """Yield the bytes of a picture at the provider, at most ``max_bytes`` of them.

        Raises:
            NotFoundError: It is not there (yet).
            MediaRefusedError: It is too large, or the address is not one of the provider's media.
            ChannelError: It could not be had now.
        """
        ...
