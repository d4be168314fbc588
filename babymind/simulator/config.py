"""What the simulated provider is told when it starts."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from babymind.domain.contact import ChannelName, told_address
from babymind.errors import ConfigurationError
from babymind.simulator.addresses import bare_number, is_fiction, is_whatsapp


def is_loopback(host: str | None) -> bool:
    """Say whether a host name or address is this machine and nothing else."""
    if host is None:
        return False
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class SimulatorConfig:
    """One provider account with its senders, and the application that it serves.

    ``messages_webhook_url`` is the public address, as the application knows it: signatures are made over it.
    Where that is not a loopback address, ``connect_to`` names the loopback origin that is really called.
    The messaging service has all numbers in its pool. ``templates`` are the approved ones of WhatsApp, their words by
    their ids, with blanks such as ``{{1}}``; where none is given, any id is one that is a single blank.
    """

    account_sid: str
    auth_token: str = field(repr=False)
    number: str
    messages_webhook_url: str
    more_numbers: tuple[str, ...] = ()
    whatsapp_number: str | None = None  # the first number, if not said
    templates: Mapping[str, str] = field(default_factory=dict)
    messaging_service_sid: str | None = None
    connect_to: str | None = None
    callback_delay_seconds: float = 0.6  # between one status and the next; 0 in tests
    callback_attempts: int = 3
    webhook_timeout_seconds: float = 15.0
    workers: int = 4  # threads that call webhooks
    provider_answers_optout: bool = True
    media_redirect: bool = False  # media answer with a redirect to a content network, as the real ones do

    def __post_init__(self) -> None:
        """Refuse what would reach beyond this machine, or would not look like an account."""
        if not (self.account_sid.startswith("AC") and len(self.account_sid) == 34 and self.auth_token):
            raise ConfigurationError("The simulator needs an account SID (AC and 32 hex digits) and a token")
        if not all(map(is_fiction, (*self.numbers, self.whatsapp_number or self.number))):
            raise ConfigurationError("The simulator's own numbers must be ones reserved for fiction")
        if self.connect_to is not None and not _is_loopback_origin(self.connect_to):
            raise ConfigurationError("The simulator connects to http:// on a loopback address only")
        if not self.can_reach(self.messages_webhook_url):
            raise ConfigurationError(
                "The messages webhook is not on a loopback address; say with connect_to where it is reached"
            )

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers that text."""
        return (self.number, *self.more_numbers)

    def is_ours(self, address: str) -> bool:
        """Say whether an address is a sender of this account, on either channel."""
        if is_whatsapp(address):
            return bare_number(address) == (self.whatsapp_number or self.number)
        return address in self.numbers

    def sender_to(self, address: str) -> str:
        """Return the sender that writes to an address if nobody names one: always the same for the same phone."""
        if is_whatsapp(address):
            return told_address(ChannelName.WHATSAPP, self.whatsapp_number or self.number)
        return self.numbers[zlib.crc32(address.encode()) % len(self.numbers)] if self.more_numbers else self.number

    def can_reach(self, url: str) -> bool:
        """Say whether a webhook at this address can be called without leaving the machine."""
        if self.connect_to is not None:
            return urlsplit(url).scheme in {"http", "https"}
        return _is_loopback_origin(url)


def _is_loopback_origin(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and is_loopback(parts.hostname) and parts.port != 0
    except ValueError:
        return False
