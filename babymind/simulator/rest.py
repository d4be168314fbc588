"""Twilio's REST surface for messages and their media, as far as the real client needs it.

Only the creation of a message is elsewhere: see ``creation``.

Where Twilio's documentation leaves the number of an error open, the one here is from its error dictionary.
A UK sender cannot send pictures: as with the real one, ``MediaUrl`` becomes a link under the text.
"""

import hashlib
import hmac
from datetime import date, timedelta
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import Blueprint, Response, request

from babymind.simulator.access import knows_token
from babymind.simulator.addresses import country
from babymind.simulator.connection import drip
from babymind.simulator.creation import strike
from babymind.simulator.current import exchange
from babymind.simulator.faults import BEFORE_ACCEPTING, FaultName
from babymind.simulator.life import API_VERSION
from babymind.simulator.records import Media
from babymind.simulator.refusals import RefusedError
from babymind.simulator.shapes import json_answer, media_json, message_json, refusal_answer
from babymind.simulator.storage import Search

rest = Blueprint("twilio", __name__)
_ACCOUNT = f"/{API_VERSION}/Accounts/<account>"
_MESSAGES = f"{_ACCOUNT}/Messages"


@rest.before_request
def authenticate() -> Response | None:
    """Let in only who knows the account's token; the files on the content network need a signed address."""
    if request.endpoint == "twilio.content":
        return None
    config, faults = exchange().config, exchange().faults
    if not knows_token(config, request.headers.get("Authorization")):
        raise RefusedError(20003)
    if (request.view_args or {}).get("account", config.account_sid) != config.account_sid:
        raise RefusedError(20404, f"The requested resource {request.path} was not found")
    fault = faults.take(*BEFORE_ACCEPTING, any_request=True)
    return strike(fault, faults, request.environ) if fault else None


@rest.after_request
def drip_away(response: Response) -> Response:
    """Let an answer drip, where the plan has it so for any request."""
    faults = exchange().faults
    fault = faults.take(FaultName.DRIP, any_request=True)
    return drip(request.environ, response, fault.seconds, faults.pause) if fault else response


rest.register_error_handler(RefusedError, refusal_answer)


@rest.get(f"{_ACCOUNT}.json")
def account(account: str) -> Response:
    """Describe the account: how an application finds out that its credentials are right."""
    return json_answer(
        {
            "sid": account,
            "friendly_name": "BabyMind phone simulator",
            "status": "active",
            "type": "Trial",
            "owner_account_sid": account,
            "uri": f"/{API_VERSION}/Accounts/{account}.json",
        }
    )


@rest.get(f"{_MESSAGES}.json")
def index(account: str) -> Response:
    """List messages, newest first, a page at a time."""
    args = request.args
    late = exchange().faults.take(FaultName.LIST_LATE, number=args.get("To"))
    search = Search(
        to=args.get("To"),
        from_=args.get("From"),
        sent_on=_day("DateSent"),
        sent_on_or_before=_day("DateSent<"),
        sent_on_or_after=_day("DateSent>"),
        created_until=exchange().now() - timedelta(seconds=late.seconds) if late else None,
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
        "messages": [message_json(message) for message in shown],
    }
    return json_answer(page)


@rest.get(f"{_MESSAGES}/<sid>.json")
def fetch(account: str, sid: str) -> Response:
    """Show one message."""
    return json_answer(message_json(exchange().message(sid)))


@rest.post(f"{_MESSAGES}/<sid>.json")
def update(account: str, sid: str) -> Response:
    """Empty the text of a message, or cancel one that is scheduled."""
    if request.form.get("Status") == "canceled":
        return json_answer(message_json(exchange().cancel(sid)))
    if request.form.get("Body") != "":
        raise RefusedError(20001, "A message can only have its Body emptied or its Status set to canceled")
    return json_answer(message_json(exchange().redact(sid)))


@rest.delete(f"{_MESSAGES}/<sid>.json")
def delete(account: str, sid: str) -> Response:
    """Delete a message with its files."""
    exchange().delete(sid)
    return Response(status=204)


@rest.get(f"{_MESSAGES}/<sid>/Media.json")
def media_index(account: str, sid: str) -> Response:
    """List the files of a message."""
    uri = request.full_path.rstrip("?")
    files = [media_json(media, account) for media in exchange().media_of(sid)]
    return json_answer(
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
    return json_answer(media_json(exchange().media(media_sid, message_sid=sid)[0], account))


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


@rest.get("/v1/Services/<service>/PhoneNumbers")
def service_numbers(service: str) -> Response:
    """List the numbers of the messaging service; the real list is on another host, messaging.twilio.com."""
    config = exchange().config
    if service != config.messaging_service_sid:
        raise RefusedError(20404, f"The requested resource {request.path} was not found")
    numbers = [
        {
            "sid": f"PN{index:032x}",
            "account_sid": config.account_sid,
            "service_sid": service,
            "phone_number": number,
            "country_code": country(number),
            "capabilities": ["SMS"],
            "date_created": None,
            "date_updated": None,
            "url": f"{request.base_url}/PN{index:032x}",
        }
        for index, number in enumerate(config.numbers, 1)
    ]
    meta = {
        "key": "phone_numbers",
        "url": request.url,
        "first_page_url": request.url,
        "next_page_url": None,
        "previous_page_url": None,
        "page": 0,
        "page_size": 50,
    }
    return json_answer({"meta": meta, "phone_numbers": numbers})


@rest.get("/cdn/<media_sid>/<signature>")
def content(media_sid: str, signature: str) -> Response:
    """Give the bytes of a file to whoever has its signed address, and refuse credentials sent by mistake."""
    if not hmac.compare_digest(signature, _content_signature(media_sid)):
        return Response("Forbidden", 403, content_type="text/plain")
    if "Authorization" in request.headers:
        return Response("Only one way to authenticate is allowed", 400, content_type="text/plain")
    return _file(*exchange().media(media_sid))


def _file(media: Media, content: bytes) -> Response:
    headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment"}
    return Response(content, 200, headers, content_type=media.content_type)


def _content_signature(media_sid: str) -> str:
    token = exchange().config.auth_token.encode()
    return hmac.new(token, media_sid.encode(), hashlib.sha256).hexdigest()


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
