"""What a channel is: it takes one message and says what became of it, or raises one of a few errors."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, Self

from babymind.domain.contact import ChannelName
from babymind.domain.delivery import DeliveryStatus

SKEW = timedelta(minutes=5)  # the provider's clock and ours may differ by so much


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """An approved message at the provider, by its id, and what its blanks are filled with."""

    content_sid: str
    variables: Mapping[str, str] = field(repr=False)

    @classmethod
    def saying(cls, content_sid: str, text: str) -> Self:
        """Return a template whose only blank holds a whole text; on one line, for WhatsApp takes no other there."""
        return cls(content_sid=content_sid, variables={"1": " ".join(text.split())})


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """One message for one address."""

    delivery_id: int  # travels in the address that receipts come back to
    to: str = field(repr=False)  # E.164
    text: str = field(repr=False)
    valid_seconds: int  # after that the provider drops it
    channel: ChannelName = ChannelName.SMS
    sender: str | None = None  # a number or messaging service of ours; None: what the settings say
    template: Template | None = None  # sent in the place of the text


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider told of a message, in our words; ``status`` is None for a word that we do not know."""

    provider_ref: str
    told: str
    status: DeliveryStatus | None
    error_code: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A message of which we do not know what became."""

    delivery_id: int
    to: str = field(repr=False)
    text: str = field(repr=False)
    since: datetime  # when we began to hand it over for the first time
    channel: ChannelName = ChannelName.SMS
    provider_ref: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the provider has of it; ``status`` is None for a word that we do not know."""

    provider_ref: str
    status: DeliveryStatus | None
    error_code: int | None
    at: datetime  # when the provider took it


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """A message from a caregiver, read from what the provider posted."""

    provider_ref: str
    from_number: str = field(repr=False)  # E.164, whatever the channel
    text: str = field(repr=False)
    channel: ChannelName = ChannelName.SMS
    media: tuple[tuple[str, str], ...] = ()  # (address at the provider, type that it told)
    opt_out: str | None = None  # STOP, START or HELP when the provider has handled it


class Channel(Protocol):
    """A provider of messages. Safe to call from several threads."""

    provider: str
    simulated: bool
    tells: bool  # receipts come, so one that is missing is asked for

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

    def look_up(self, message: Sought, taken: Collection[str] = ()) -> Found | None:
        """Ask the provider whether it has a message, before anything is sent again.

        Args:
            message: What we tried to hand over. With a ``provider_ref`` that very message is asked for; without one
                the provider's list is searched for the recipient and the exact text; on WhatsApp also for a text
                that holds it, as a template does.
            taken: The provider's ids that belong to other deliveries, so that of two texts that say the same each
                finds its own.

        Returns:
            The message, of several that fit the earliest; None when it is not there: either it was never taken, or,
            with a ``provider_ref``, it has been deleted since. A list may lag behind, by minutes and sometimes more:
            ask more than once before believing that it was never taken.

        Raises:
            ChannelUnknownError: No clear answer; nothing follows from it.
            ChannelThrottledError, ChannelConfigurationError, ChannelError: As for ``send``; nothing follows either.
        """
        ...

    def status_of(self, provider_ref: str) -> Receipt:
        """Ask where an accepted message stands: what its receipts would have told.

        Raises:
            NotFoundError: The provider has no such message.
            ChannelError: As for ``look_up``.
        """
        ...

    def inbound_since(self, since: datetime) -> Iterator[Mapping[str, str]]:
        """Yield the messages that came to our numbers since an instant, and perhaps a few before it.

        Each is a form as the message webhook posts it, with ``DateCreated`` (ISO 8601) beside the usual names, but
        without ``OptOutType``, which no list tells; for each of our numbers the newest comes first. They are read
        page by page while this is iterated.

        Raises:
            ChannelError: As for ``look_up``; while iterating.
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
