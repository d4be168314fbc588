"""The one adapter around the Twilio client: sending, asking, webhooks and media. No other module knows Twilio."""

import contextlib
import json
import logging
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from babymind.channels.base import SKEW, Found, InboundMessage, OutgoingMessage, Receipt, Sought
from babymind.channels.bounded import bound
from babymind.channels.codes import code, error_for
from babymind.domain.contact import ChannelName, read_address, told_address
from babymind.domain.delivery import DeliveryStatus
from babymind.errors import ChannelError, ChannelUnknownError, MediaRefusedError, NotFoundError

ANSWER_SECONDS = 20.0  # for connecting, and again for the whole answer; the client's own default is to wait for ever
FETCH_SECONDS = (5, 30)
LONGEST_VALIDITY_SECONDS = 36_000  # Twilio's own maximum
PAGE = 100
PAGES_TO_ONE = 20  # to one number within two days or so: a list that goes on for longer is no answer
PAGES_NEWEST = 2  # where a message that was not sent yet, and so has no day, is looked for
PAGES_INBOUND = 1000
MOST_NUMBERS = 1000  # of one messaging service; Twilio allows fewer
NO_SUCH_RESOURCE = 20404
SERVICE_WITHOUT_NUMBERS = 21704
NO_SENDER = 21603
NO_WHATSAPP_SENDER = 63007
TRIAL = "Sent from your Twilio trial account - "  # put before every text while the account is on trial
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
_SILENT = logging.getLogger("babymind.twilio")  # the client's own would write addresses, with numbers in them
_SILENT.disabled = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioAccount:
    """What the adapter needs to know of an installation."""

    account_sid: str
    auth_token: str = field(repr=False)
    public_url: str  # as Twilio reaches us, without a slash at the end
    messaging_service_sid: str | None = None  # used for texts, where there is one
    from_numbers: tuple[str, ...] = ()
    whatsapp_from: str | None = None
    api_base_url: str | None = None  # elsewhere than Twilio: the phone simulator, or a proxy
    simulated: bool = False


class TwilioChannel:
    """Twilio's Programmable Messaging."""

    provider = "twilio"
    tells = True

    def __init__(self, account: TwilioAccount, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self.simulated = account.simulated
        self._account = account
        self._answer_seconds = answer_seconds
        self._local = threading.local()  # neither the client nor its session claims to be thread-safe
        self._validator = RequestValidator(account.auth_token)

    def send(self, message: OutgoingMessage) -> str:
        """Hand over one message and return its SID; see `Channel.send`."""
        asked: dict[str, str] = self._sender(message)
        if message.template is None:
            asked["body"] = message.text
        else:
            asked["content_sid"] = message.template.content_sid
            asked["content_variables"] = json.dumps(dict(message.template.variables))
        with _errors_of_ours():
            sent = self._client().messages.create(
                to=told_address(message.channel, message.to),
                status_callback=f"{self._account.public_url}/webhooks/twilio/status/{message.delivery_id}",
                validity_period=max(1, min(LONGEST_VALIDITY_SECONDS, message.valid_seconds)),
                **asked,
            )
        if not sent.sid:
            raise ChannelUnknownError("The provider's answer holds no message id.")
        return str(sent.sid)

    def look_up(self, message: Sought, taken: Collection[str] = ()) -> Found | None:
        """Find a message by its SID or else in Twilio's list; see `Channel.look_up`.

        The list is filtered by the day on which messages were sent, in GMT, and one that waits in a queue was not
        sent on any: so it is looked for once more among the newest of all.
        """
        if message.provider_ref is not None:
            try:
                return _found(self._fetch(message.provider_ref))
            except NotFoundError:
                return None
        oldest = message.since - SKEW
        to, blank = told_address(message.channel, message.to), []
        dated = self._listed(oldest, PAGES_TO_ONE, to=to, date_sent_after=_day_before(message.since))
        newest = self._listed(oldest, PAGES_NEWEST, to=to)
        for records in (dated, newest):
            ours = [
                record for record in records
                if record.direction == "outbound-api" and record.date_created and record.date_created >= oldest
                and record.sid not in taken
            ]  # fmt: skip
            fitting = [record for record in ours if _says(record, message.text)]
            if message.channel is ChannelName.WHATSAPP:
                fitting = fitting or [record for record in ours if _holds(record, message.text)]
                blank += [record for record in ours if not record.body]
            if fitting:
                return _found(_earliest(fitting))
        # Of a template that is still on its way the list may not tell the words yet; nobody else's can it be.
        return _found(_earliest(blank)) if blank else None

    def status_of(self, provider_ref: str) -> Receipt:
        """Fetch a message by its SID; see `Channel.status_of`."""
        record = self._fetch(provider_ref)
        told = str(record.status or "")
        return Receipt(provider_ref, told[:32], TOLD.get(told), _number(record.error_code))

    def inbound_since(self, since: datetime) -> Iterator[Mapping[str, str]]:
        """List what came to our numbers; see `Channel.inbound_since`."""
        oldest = since - SKEW
        for number in self._numbers():
            for record in self._listed(oldest, PAGES_INBOUND, to=number, date_sent_after=_day_before(since)):
                if record.direction == "inbound" and record.date_created and record.date_created >= oldest:
                    yield self._form(record)

    def _sender(self, message: OutgoingMessage) -> dict[str, str]:
        """Return what a message is sent from, as the client takes it."""
        account = self._account
        if message.channel is ChannelName.WHATSAPP:
            number = message.sender or account.whatsapp_from
            if number is None:
                raise error_for(NO_WHATSAPP_SENDER, 400)
            return {"from_": told_address(message.channel, number)}
        sender = message.sender or account.messaging_service_sid or next(iter(account.from_numbers), None)
        if sender is None:
            raise error_for(NO_SENDER, 400)
        return {"messaging_service_sid" if sender.startswith("MG") else "from_": sender}

    def _fetch(self, provider_ref: str) -> Any:
        if not (provider_ref.isascii() and provider_ref.isalnum()):  # it becomes part of an address
            raise NotFoundError("The provider has no such message.")
        with _errors_of_ours():
            try:
                return self._client().messages(provider_ref).fetch()
            except TwilioRestException as error:
                if error.code == NO_SUCH_RESOURCE:
                    raise NotFoundError("The provider has no such message.") from error
                raise

    def _listed(self, oldest: datetime, pages: int, **asked: str) -> Iterator[Any]:
        """Yield messages page by page, newest first, until a whole page was sent before an instant.

        A list filtered by day has an end, and is no answer without it; of an unfiltered one the newest are enough.
        """
        with _errors_of_ours():
            page = self._client().messages.page(page_size=PAGE, **asked)
        for _ in range(pages):
            with _errors_of_ours():
                records = list(page)
            yield from records
            instants = [record.date_sent or record.date_created for record in records]
            if all(instant is not None and instant < oldest for instant in instants):
                return  # an empty page too
            with _errors_of_ours():
                page = page.next_page()
            if page is None:
                return
        if "date_sent_after" in asked:
            raise ChannelUnknownError("The provider lists more messages than can be looked through.")

    def _numbers(self) -> list[str]:
        """Return the numbers that families write to, as the provider writes them."""
        account = self._account
        numbers = list(account.from_numbers)
        if account.messaging_service_sid:
            with _errors_of_ours():
                service = self._client().messaging.v1.services(account.messaging_service_sid)
                listed = service.phone_numbers.list(limit=MOST_NUMBERS, page_size=MOST_NUMBERS)
            numbers += [one.phone_number for one in listed if one.phone_number not in numbers]
        if not numbers:
            raise error_for(SERVICE_WITHOUT_NUMBERS, 400)
        if account.whatsapp_from:
            numbers.append(told_address(ChannelName.WHATSAPP, account.whatsapp_from))
        return numbers

    def _form(self, record: Any) -> dict[str, str]:
        """Return a listed message as its webhook would have posted it."""
        form = {
            "MessageSid": record.sid,
            "SmsSid": record.sid,
            "SmsStatus": "received",
            "AccountSid": self._account.account_sid,
            "From": record.from_ or "",
            "To": record.to or "",
            "Body": record.body or "",
            "NumMedia": "0",
            "NumSegments": record.num_segments or "1",
            "DateCreated": record.date_created.isoformat(),
        }
        if record.messaging_service_sid:
            form["MessagingServiceSid"] = record.messaging_service_sid
        if (_number(record.num_media) or 0) > 0:
            with _errors_of_ours():
                media = self._client().messages(record.sid).media.list(limit=MEDIA_PER_MESSAGE)
            folder = f"{self._api}/2010-04-01/Accounts/{self._account.account_sid}/Messages/{record.sid}/Media"
            form["NumMedia"] = str(len(media))
            for index, one in enumerate(media):
                form[f"MediaUrl{index}"] = f"{folder}/{one.sid}"
                form[f"MediaContentType{index}"] = one.content_type or ""
        return form

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
        channel, number = read_address(form["From"])
        return InboundMessage(
            provider_ref=form["MessageSid"],
            channel=channel,
            from_number=number,
            text=form.get("Body", ""),
            media=media,
            opt_out=form.get("OptOutType") or None,
        )

    def read_receipt(self, form: Mapping[str, str]) -> Receipt:
        """Read Twilio's request to the status webhook."""
        told = form.get("MessageStatus") or form.get("SmsStatus") or ""
        return Receipt(
            provider_ref=form.get("MessageSid", ""),
            told=told[:32],
            status=TOLD.get(told),
            error_code=_number(form.get("ErrorCode")),
        )

    def fetch_media(self, url: str, max_bytes: int) -> Iterator[bytes]:
        """Yield a picture; the account's credentials go to Twilio's own media path only."""
        self._require_media_address(url)
        options: dict[str, Any] = {"timeout": FETCH_SECONDS, "stream": True, "allow_redirects": False}
        try:
            with bound(requests.Session()) as session:
                with session.get(url, auth=self._credentials(), **options) as first:
                    if not first.is_redirect:
                        yield from _body(first, max_bytes)
                        return
                    target = first.headers["Location"]
                if urlsplit(target).scheme != urlsplit(url).scheme:
                    raise MediaRefusedError("The provider sent us to an address of another kind for a picture.")
                with session.get(target, **options) as second:
                    yield from _body(second, max_bytes)
        except requests.RequestException as error:
            raise ChannelError(f"A picture could not be fetched ({type(error).__name__}).") from error

    def _require_media_address(self, url: str) -> None:
        base = urlsplit(self._api)
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

    @property
    def _api(self) -> str:
        return (self._account.api_base_url or "https://api.twilio.com").rstrip("/")

    def _credentials(self) -> HTTPBasicAuth:
        return HTTPBasicAuth(self._account.account_sid, self._account.auth_token)

    def _client(self) -> Client:
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            http = TwilioHttpClient(timeout=self._answer_seconds, logger=_SILENT)
            bound(http.session)
            client = Client(self._account.account_sid, self._account.auth_token, http_client=http)
            client.api.base_url = self._api
            if self._account.simulated:  # it answers for messaging services too; a proxy in between need not
                client.messaging.base_url = self._api
            self._local.client = client
        return client


class _MultiForm(dict[str, list[str]]):
    """A form in which names may come twice, as Twilio's validator asks for it."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


@contextlib.contextmanager
def _errors_of_ours() -> Iterator[None]:
    """Say in our errors what goes wrong while Twilio is called."""
    try:
        yield
    except (TwilioException, requests.RequestException, ValueError, AttributeError, TypeError) as error:
        # The last three are of answers that are no JSON, or not of a message: it may have been taken all the same.
        raise _meaning(error) from error


def _meaning(error: Exception) -> ChannelError:
    match error:
        case TwilioRestException() | TwilioServiceException():
            status, number = error.status, error.code
        case TwilioException(args=(_, Response() as page)):  # of a list
            status, number = page.status_code, _told_number(page.text)
        case _:
            return ChannelUnknownError(f"{code(None, 504).staff} (no answer: {type(error).__name__})")
    # Where an answer names no number, the client gives the status for it.
    return error_for(number if isinstance(number, int) and number != status else None, status)


def _told_number(text: str) -> int | None:
    try:
        return _number(json.loads(text)["code"])
    except (ValueError, TypeError, KeyError):
        return None


def _number(told: object) -> int | None:
    text = str(told or "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else None


def _found(record: Any) -> Found:
    told = str(record.status or "")
    return Found(
        provider_ref=record.sid,
        status=TOLD.get(told),
        error_code=_number(record.error_code),
        at=record.date_created,
    )


def _says(record: Any, text: str) -> bool:
    body = str(record.body or "").removeprefix(TRIAL)
    return body.strip() == text.strip()


def _holds(record: Any, text: str) -> bool:
    """Tell whether a text stands in a message, as in a template: there it is on one line, with words around it."""
    return " ".join(text.split()) in " ".join(str(record.body or "").split())


def _earliest(records: list[Any]) -> Any:
    # They are listed newest first: of those of the same second the last is the earliest.
    return min(reversed(records), key=lambda record: record.date_created)


def _day_before(instant: datetime) -> str:
    return (instant.astimezone(UTC) - timedelta(days=1)).date().isoformat()


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
