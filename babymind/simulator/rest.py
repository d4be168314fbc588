"""Twilio's REST surface for messages and their media, as far as the real client needs it.

Where Twilio's documentation leaves the number of an error open, the one here is from its error dictionary.
A UK sender cannot send pictures: as with the real one, ``MediaUrl`` becomes a link under the text.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import Blueprint, Request, Response, request

from babymind.simulator.connection import cut_off
from babymind.simulator.current import exchange
from babymind.simulator.faults import AFTER_ACCEPTING, BEFORE_ACCEPTING, Fault, FaultName
from babymind.simulator.life import API_VERSION
from babymind.simulator.records import WAITING, Media, Message, NewMessage
from babymind.simulator.refusals import TEXTS, RefusedError
from babymind.simulator.state import MEDIA_LIMIT
from babymind.simulator.storage import Search

rest = Blueprint("twilio", __name__)
_ACCOUNT = f"/{API_VERSION}/Accounts/<account>"
_MESSAGES = f"{_ACCOUNT}/Messages"
_HTML = "<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1><p>Please try again.</p>"


@rest.before_request
def authenticate() -> Response | None:
    """Let in only who knows the account's token; the files on the content network need a signed address."""
    if request.endpoint == "twilio.content":
        return None
    config, given = exchange().config, request.authorization
    known = (
        given is not None
        and given.type == "basic"
        and given.username == config.account_sid
        and hmac.compare_digest((given.password or "").encode(), config.auth_token.encode())
    )
    if not known:
        raise RefusedError(20003)
    if (request.view_args or {}).get("account") != config.account_sid:
        raise RefusedError(20404, f"The requested resource {request.path} was not found")
    if request.endpoint != "twilio.create":
        fault = exchange().faults.take(*BEFORE_ACCEPTING, any_request=True)
        return _strike(fault) if fault else None
    return None


@rest.errorhandler(RefusedError)
def refuse(error: RefusedError) -> Response:
    """Answer with an error in Twilio's form."""
    answer = _json(
        {
            "code": error.number,
            "message": str(error),
            "more_info": f"https://www.twilio.com/docs/errors/{error.number}",
            "status": error.status,
        },
        error.status,
    )
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return answer


@rest.get(f"{_ACCOUNT}.json")
def account(account: str) -> Response:
    """Describe the account: how an application finds out that its credentials are right."""
    return _json(
        {
            "sid": account,
            "friendly_name": "BabyMind phone simulator",
            "status": "active",
            "type": "Trial",
            "owner_account_sid": account,
            "uri": f"/{API_VERSION}/Accounts/{account}.json",
        }
    )


@rest.post(f"{_MESSAGES}.json")
def create(account: str) -> Response:
    """Take a message for sending."""
    to, faults = request.form.get("To", "").replace(" ", ""), exchange().faults
    fault = faults.take(*BEFORE_ACCEPTING, number=to)
    if fault is not None:
        return _strike(fault)
    message = exchange().send(_new_message(request, to))
    fault = faults.take(*AFTER_ACCEPTING, number=to)
    if fault is not None:
        if fault.name is FaultName.ACCEPT_DROP:
            return cut_off(request.environ)
        faults.pause(fault.seconds)
    return _json(_message_json(message), 201)


@rest.get(f"{_MESSAGES}.json")
def index(account: str) -> Response:
    """List messages, newest first, a page at a time."""
    args = request.args
    search = Search(
        to=args.get("To"),
        from_=args.get("From"),
        sent_on=_day("DateSent"),
        sent_on_or_before=_day("DateSent<"),
        sent_on_or_after=_day("DateSent>"),
    )
    size, token = _whole("PageSize", 50, 1, 1000), args.get("PageToken", "")
    before, after = _position(token, "PA"), _position(token, "PB")
    # One more than the page holds tells whether there is another page on that side.
    found = exchange().messages(search, limit=size + 1, before=before, after=after)
    more = len(found) > size
    shown = found[1:] if more and after is not None else found[:size]
    older = more if after is None else True
    newer = more if after is not None else before is not None
    number = _whole("Page", 0, 0, 1_000_000)
    page = {
        "uri": request.full_path.rstrip("?"),
        "first_page_uri": _page_uri(size, 0),
        "next_page_uri": _page_uri(size, number + 1, f"PA{shown[-1].position}") if shown and older else None,
        "previous_page_uri": (
            _page_uri(size, max(number - 1, 0), f"PB{shown[0].position}") if shown and newer else None
        ),
        "page": number,
        "page_size": size,
        "start": number * size,
        "end": number * size + max(len(shown) - 1, 0),
        "messages": [_message_json(message) for message in shown],
    }
    return _json(page)


@rest.get(f"{_MESSAGES}/<sid>.json")
def fetch(account: str, sid: str) -> Response:
    """Show one message."""
    return _json(_message_json(exchange().message(sid)))


@rest.post(f"{_MESSAGES}/<sid>.json")
def update(account: str, sid: str) -> Response:
    """Empty the text of a message, or cancel one that is scheduled."""
    if request.form.get("Status") == "canceled":
        return _json(_message_json(exchange().cancel(sid)))
    if request.form.get("Body") != "":
        raise RefusedError(20001, "A message can only have its Body emptied or its Status set to canceled")
    return _json(_message_json(exchange().redact(sid)))


@rest.delete(f"{_MESSAGES}/<sid>.json")
def delete(account: str, sid: str) -> Response:
    """Delete a message with its files."""
    exchange().delete(sid)
    return Response(status=204)


@rest.get(f"{_MESSAGES}/<sid>/Media.json")
def media_index(account: str, sid: str) -> Response:
    """List the files of a message."""
    uri = request.full_path.rstrip("?")
    files = [_media_json(media) for media in exchange().media_of(sid)]
    return _json(
        {
            "uri": uri,
            "first_page_uri": uri,
            "next_page_uri": None,
            "previous_page_uri": None,
            "page": 0,
            "page_size": 50,
            "start": 0,
            "end": max(len(files) - 1, 0),
            "media_list": files,
        }
    )


@rest.get(f"{_MESSAGES}/<sid>/Media/<media_sid>.json")
def media_fetch(account: str, sid: str, media_sid: str) -> Response:
    """Describe one file."""
    return _json(_media_json(exchange().media(media_sid, message_sid=sid)[0]))


@rest.delete(f"{_MESSAGES}/<sid>/Media/<media_sid>")
@rest.delete(f"{_MESSAGES}/<sid>/Media/<media_sid>.json")
def media_delete(account: str, sid: str, media_sid: str) -> Response:
    """Delete one file."""
    exchange().delete_media(media_sid, message_sid=sid)
    return Response(status=204)


@rest.get(f"{_MESSAGES}/<sid>/Media/<media_sid>")
def media_content(account: str, sid: str, media_sid: str) -> Response:
    """Give the bytes of a file, or the address on the content network where they are."""
    if exchange().faults.take(FaultName.MEDIA_MISSING):
        raise RefusedError(20404, f"The requested resource {request.path} was not found")
    media, content = exchange().media(media_sid, message_sid=sid)
    if not exchange().config.media_redirect:
        return _file(media, content)
    # Another host name of this machine, as the content network is another host than the API.
    base = urlsplit(exchange().base_url)
    host = "localhost" if base.hostname != "localhost" else "127.0.0.1"
    path = f"/cdn/{media.sid}/{_content_signature(media.sid)}"
    location = urlunsplit(base._replace(netloc=f"{host}:{base.port}", path=path))
    return Response(status=307, headers={"Location": location})


@rest.get("/cdn/<media_sid>/<signature>")
def content(media_sid: str, signature: str) -> Response:
    """Give the bytes of a file to whoever has its signed address, and refuse credentials sent by mistake."""
    if not hmac.compare_digest(signature, _content_signature(media_sid)):
        return Response("Forbidden", 403, content_type="text/plain")
    if "Authorization" in request.headers:
        return Response("Only one way to authenticate is allowed", 400, content_type="text/plain")
    return _file(*exchange().media(media_sid))


def _new_message(asked: Request, to: str) -> NewMessage:
    form = asked.form
    if not to:
        raise RefusedError(21604, "A 'To' phone number is required")
    links = form.getlist("MediaUrl")
    if len(links) > MEDIA_LIMIT:
        raise RefusedError(21623, f"Number of media files exceeds allowed limit of {MEDIA_LIMIT}")
    service, body = form.get("MessagingServiceSid") or None, form.get("Body", "")
    if not body and form.get("ContentSid"):
        body = f"[template {form['ContentSid']}] {form.get('ContentVariables', '')}".strip()
    validity = form.get("ValidityPeriod", "36000")
    # Without a messaging service the real one ignores a schedule, and sends at once.
    scheduled = service is not None and form.get("ScheduleType") == "fixed"
    return NewMessage(
        to=to,
        body=body,
        from_=form.get("From") or None,
        messaging_service_sid=service,
        status_callback=form.get("StatusCallback") or None,
        validity_seconds=int(validity) if validity.isascii() and validity.isdecimal() else 0,
        send_at=_instant(form.get("SendAt", "")) if scheduled else None,
        links=tuple(links),
    )


def _strike(fault: Fault) -> Response:
    """Go wrong, before anything was processed."""
    html: Callable[[int], Response] = lambda status: Response(_HTML, status, content_type="text/html")  # noqa: E731
    match fault.name:
        case FaultName.THROTTLE:
            return refuse(RefusedError(20429))
        case FaultName.SERVER_ERROR:
            return refuse(RefusedError(20500, TEXTS[20500]))
        case FaultName.BAD_GATEWAY:
            return html(502)
        case FaultName.HTML_OK:
            return html(200)
        case FaultName.HANG:
            exchange().faults.pause(fault.seconds)
            return cut_off(request.environ)
        case _:
            return cut_off(request.environ, reset=True)


def _message_json(message: Message) -> dict[str, Any]:
    uri = f"/{API_VERSION}/Accounts/{message.account_sid}/Messages/{message.sid}"
    # A sender, and with it the number of segments, is settled only when a messaging service sends.
    pending = message.messaging_service_sid is not None and message.status in WAITING
    code = message.error_code
    return {
        "account_sid": message.account_sid,
        "api_version": API_VERSION,
        "body": message.body,
        "date_created": _rfc2822(message.created_at),
        "date_sent": _rfc2822(message.sent_at),
        "date_updated": _rfc2822(message.updated_at),
        "direction": message.direction.value,
        "error_code": code,
        "error_message": None if code is None else TEXTS.get(code, "Unknown error"),
        "from": message.from_,
        "messaging_service_sid": message.messaging_service_sid,
        "num_media": str(message.num_media),
        "num_segments": "0" if pending else str(message.num_segments),
        "price": None,
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status.value,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }


def _media_json(media: Media) -> dict[str, Any]:
    sid = exchange().config.account_sid
    created = _rfc2822(media.created_at)
    return {
        "sid": media.sid,
        "account_sid": sid,
        "parent_sid": media.message_sid,
        "content_type": media.content_type,
        "date_created": created,
        "date_updated": created,
        "uri": f"/{API_VERSION}/Accounts/{sid}/Messages/{media.message_sid}/Media/{media.sid}.json",
    }


def _json(data: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(data), status, content_type="application/json; charset=utf-8")


def _file(media: Media, content: bytes) -> Response:
    headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment"}
    return Response(content, 200, headers, content_type=media.content_type)


def _content_signature(media_sid: str) -> str:
    token = exchange().config.auth_token.encode()
    return hmac.new(token, media_sid.encode(), hashlib.sha256).hexdigest()


def _rfc2822(instant: datetime | None) -> str | None:
    return None if instant is None else format_datetime(instant)


def _instant(text: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(35114, "'SendAt' is not a time in ISO 8601") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _day(name: str) -> date | None:
    """Return a day of GMT from a date or a time: the list knows no finer steps."""
    text = request.args.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise RefusedError(20001, f"{name} is a date, YYYY-MM-DD") from None


def _whole(name: str, otherwise: int, least: int, most: int) -> int:
    text = request.args.get(name, "")
    return min(max(int(text), least), most) if text.isascii() and text.isdecimal() else otherwise


def _position(token: str, prefix: str) -> int | None:
    rest_of_token = token.removeprefix(prefix)
    if rest_of_token == token or not (rest_of_token.isascii() and rest_of_token.isdecimal()):
        return None
    return int(rest_of_token)


def _page_uri(size: int, number: int, token: str | None = None) -> str:
    asked = [(k, v) for k, v in request.args.items() if k not in {"PageSize", "Page", "PageToken"}]
    asked += [("PageSize", str(size)), ("Page", str(number))]
    return f"{request.path}?{urlencode(asked + ([('PageToken', token)] if token else []))}"


