"""The one adapter around the Twilio client: sending, signatures, webhooks and media. No other module knows Twilio."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from babymind.channels.base import InboundMessage, OutgoingMessage, Receipt
from babymind.domain.delivery import DeliveryStatus
from babymind.errors import (
    ChannelConfigurationError,
    ChannelError,
    ChannelOptedOutError,
    ChannelRefusedError,
    ChannelThrottledError,
    ChannelUnknownError,
    MediaRefusedError,
    NotFoundError,
)

SEND_SECONDS = 20.0  # the client's own default is to wait for ever
FETCH_SECONDS = (5, 20)
LONGEST_VALIDITY_SECONDS = 36_000  # Twilio's own maximum
OPTED_OUT = 21610
THROTTLED = frozenset({20429, 21611, 14107})
# Twilio error codes by what they mean for us. Source: Twilio's error and warning dictionary.
CONFIGURATION = frozenset({20003, 20005, 21408, 21603, 21606, 21703, 21704, 21705, 21212, 30002, 30034})
TOLD = {
    "accepted": DeliveryStatus.ACCEPTED,
    "scheduled": DeliveryStatus.ACCEPTED,
    "queued": DeliveryStatus.ACCEPTED,
    "sending": DeliveryStatus.ACCEPTED,
    "sent": DeliveryStatus.SENT,
    "partially_delivered": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
    "undelivered": DeliveryStatus.UNDELIVERED,
    "failed": DeliveryStatus.FAILED,
    "canceled": DeliveryStatus.FAILED,
}
MEDIA_PER_MESSAGE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioAccount:
    """What the adapter needs to know of an installation."""

    account_sid: str
    auth_token: str = field(repr=False)
    public_url: str  # as Twilio reaches us, without a slash at the end
    messaging_service_sid: str | None = None
    from_number: str | None = None
    api_base_url: str | None = None  # elsewhere than Twilio: the phone simulator, or a proxy
    simulated: bool = False


class TwilioChannel:
    """Twilio's Programmable Messaging."""

    provider = "twilio"

    def __init__(self, account: TwilioAccount) -> None:
        self.simulated = account.simulated
        self._account = account
        self._local = threading.local()  # neither the client nor its session claims to be thread-safe
        self._validator = RequestValidator(account.auth_token)

    def send(self, message: OutgoingMessage) -> str:
        """Hand over one message and return its SID; see `Channel.send`."""
        account = self._account
        sender: dict[str, str] = (
            {"messaging_service_sid": account.messaging_service_sid}
            if account.messaging_service_sid
            else {"from_": account.from_number or ""}
        )
        try:
            sent = self._client().messages.create(
                to=message.to,
                body=message.text,
                status_callback=f"{account.public_url}/webhooks/twilio/status/{message.delivery_id}",
                validity_period=max(1, min(LONGEST_VALIDITY_SECONDS, message.valid_seconds)),
                **sender,
            )
        except TwilioRestException as error:
            raise _meaning(error) from error
        except (TwilioException, requests.RequestException, ValueError) as error:
            # Time-outs, resets, and answers that are not JSON (ValueError): the message may have been taken.
            raise ChannelUnknownError(f"No clear answer from the provider ({type(error).__name__}).") from error
        if not sent.sid:
            raise ChannelUnknownError("The provider's answer holds no message id.")
        return str(sent.sid)

    def authentic(self, path_and_query: str, form: Mapping[str, list[str]], signatures: list[str]) -> bool:
        """Check ``X-Twilio-Signature`` over the configured public address; anything doubtful is False."""
        if len(signatures) != 1 or not signatures[0].isascii():
            return False
        url = f"{self._account.public_url}{path_and_query}"
        try:
            good = self._validator.validate(url, _MultiForm(form), signatures[0])
        except Exception:  # the validator raises on odd input, and odd input is not authentic
            return False
        return bool(good) and form.get("AccountSid") == [self._account.account_sid]

    def read_inbound(self, form: Mapping[str, str]) -> InboundMessage:
        """Read Twilio's request to the message webhook."""
        count = min(int(form.get("NumMedia") or 0), MEDIA_PER_MESSAGE)
        media = tuple(
            (form[f"MediaUrl{i}"], form.get(f"MediaContentType{i}", ""))
            for i in range(count)
            if form.get(f"MediaUrl{i}")
        )
        return InboundMessage(
            provider_ref=form["MessageSid"],
            from_number=form["From"],
            text=form.get("Body", ""),
            media=media,
            opt_out=form.get("OptOutType") or None,
        )

    def read_receipt(self, form: Mapping[str, str]) -> Receipt:
        """Read Twilio's request to the status webhook."""
        told = form.get("MessageStatus") or form.get("SmsStatus") or ""
        code = form.get("ErrorCode", "")
        return Receipt(
            provider_ref=form.get("MessageSid", ""),
            told=told[:32],
            status=TOLD.get(told),
            error_code=int(code) if code.isdecimal() and len(code) < 8 else None,
        )

    def fetch_media(self, url: str, max_bytes: int) -> Iterator[bytes]:
        """Yield a picture; the account's credentials go to Twilio's own media path only."""
        self._require_media_address(url)
        try:
            with requests.get(url, auth=self._credentials(), timeout=FETCH_SECONDS, stream=True,
                              allow_redirects=False) as first:  # fmt: skip
                if not first.is_redirect:
                    yield from _body(first, max_bytes)
                    return
                target = first.headers["Location"]
            if urlsplit(target).scheme != urlsplit(url).scheme:
                raise MediaRefusedError("The provider sent us to an address of another kind for a picture.")
            with requests.get(target, timeout=FETCH_SECONDS, stream=True, allow_redirects=False) as second:
                yield from _body(second, max_bytes)
        except requests.RequestException as error:
            raise ChannelError(f"A picture could not be fetched ({type(error).__name__}).") from error

    def _require_media_address(self, url: str) -> None:
        base = urlsplit(self._account.api_base_url or "https://api.twilio.com")
        parts = urlsplit(url)
        path = parts.path.split("/")
        mine = ["", "2010-04-01", "Accounts", self._account.account_sid, "Messages"]
        good = (
            (parts.scheme, parts.netloc) == (base.scheme, base.netloc)
            and path[:5] == mine
            and len(path) == 8
            and path[6] == "Media"
            and path[5].isalnum()
            and path[7].isalnum()
            and not parts.query
        )
        if not good:
            raise MediaRefusedError("The address of a picture is not one of the provider's; it was not opened.")

    def _credentials(self) -> HTTPBasicAuth:
        return HTTPBasicAuth(self._account.account_sid, self._account.auth_token)

    def _client(self) -> Client:
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            http = TwilioHttpClient(timeout=SEND_SECONDS)
            client = Client(self._account.account_sid, self._account.auth_token, http_client=http)
            if self._account.api_base_url:
                client.api.base_url = self._account.api_base_url
            self._local.client = client
        return client


class _MultiForm(dict[str, list[str]]):
    """A form in which names may come twice, as Twilio's validator asks for it."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def _meaning(error: TwilioRestException) -> ChannelError:
    code = error.code or None
    said = f"Twilio {error.status}" + (f", code {code}" if code else "")
    if code == OPTED_OUT:
        return ChannelOptedOutError(f"{said}: this person said STOP to the provider.", provider_code=code)
    if error.status == 429 or code in THROTTLED:
        return ChannelThrottledError(f"{said}: too many at once.", provider_code=code)
    if error.status >= 500:
        return ChannelUnknownError(f"{said}: nobody knows whether it was taken.", provider_code=code)
    if error.status in (401, 403) or code in CONFIGURATION:
        return ChannelConfigurationError(f"{said}: the account or the sender is set up wrongly.", provider_code=code)
    return ChannelRefusedError(f"{said}: the provider will not take this message.", provider_code=code)


def _body(response: requests.Response, max_bytes: int) -> Iterator[bytes]:
    if response.status_code in (404, 410):
        raise NotFoundError("The picture is not at the provider.")
    if response.status_code != 200:
        raise ChannelError(f"The provider answered {response.status_code} for a picture.")
    total = 0
    for chunk in response.iter_content(65536):
        total += len(chunk)
        if total > max_bytes:
            raise MediaRefusedError(f"The picture is larger than {max_bytes // 1_000_000} MB.")
        yield chunk
