"""Creating a message: the one request that comes by the thousand, so it is answered before Flask looks at it.

Measured with waitress on one core of a shared machine, Flask's own routing, request and response halve the rate.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from flask import Response

from babymind.simulator.access import is_this_machine, knows_token
from babymind.simulator.connection import cut_off, drip
from babymind.simulator.faults import AFTER_ACCEPTING, BEFORE_ACCEPTING, Fault, FaultName, FaultPlan
from babymind.simulator.life import API_VERSION
from babymind.simulator.records import Message, NewMessage
from babymind.simulator.refusals import TEXTS, RefusedError
from babymind.simulator.shapes import JSON, json_answer, message_json, refusal_answer
from babymind.simulator.state import MEDIA_LIMIT, Exchange

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LONGEST_FORM = 256 * 1024
_MOST_FIELDS = 100
_ONE_BLANK = "{{1}}"
_BLANK = re.compile(r"\{\{(\w+)\}\}")
_BROKEN = re.compile(r"[\n\r\t]| {5}")
_HTML = "<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1><p>Please try again.</p>"

Form = dict[str, list[str]]


class Creation:
    """WSGI: answers ``POST …/Messages.json`` of our account; hands everything else on."""

    def __init__(self, application: "WSGIApplication", exchange: Exchange) -> None:
        self._application = application
        self._exchange = exchange
        self._path = f"/{API_VERSION}/Accounts/{exchange.config.account_sid}/Messages.json"

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] != self._path:
            return self._application(environ, start_response)
        try:
            answer = self._create(environ)
        except RefusedError as error:
            answer = refusal_answer(error)
        if isinstance(answer, Response):
            return answer(environ, start_response)
        body = json.dumps(message_json(answer)).encode()
        start_response("201 Created", [("Content-Type", JSON), ("Content-Length", str(len(body)))])
        return [body]

    def _create(self, environ: "WSGIEnvironment") -> Message | Response:
        """Take a message for sending, unless something goes wrong."""
        if not is_this_machine(environ.get("HTTP_HOST", "")):
            return Response("The simulator answers on this machine only", 403, content_type="text/plain")
        if not knows_token(self._exchange.config, environ.get("HTTP_AUTHORIZATION")):
            raise RefusedError(20003)
        form, faults = _read_form(environ), self._exchange.faults
        to = _one(form, "To").replace(" ", "")
        fault = faults.take(*BEFORE_ACCEPTING, number=to)
        if fault is not None:
            return strike(fault, faults, environ)
        message = self._exchange.send(_new_message(form, to, self._exchange.config.templates))
        fault = faults.take(*AFTER_ACCEPTING, number=to)
        return message if fault is None else spoil(fault, faults, environ, message)


def spoil(fault: Fault, faults: FaultPlan, environ: "WSGIEnvironment", message: Message) -> Message | Response:
    """Go wrong after the message was accepted."""
    match fault.name:
        case FaultName.ACCEPT_DROP:
            return cut_off(environ)
        case FaultName.ACCEPT_ERROR:
            return refusal_answer(RefusedError(20500, TEXTS[20500]))
        case FaultName.DRIP:
            return drip(environ, json_answer(message_json(message), 201), fault.seconds, faults.pause)
        case _:
            faults.pause(fault.seconds)
            return message


def strike(fault: Fault, faults: FaultPlan, environ: "WSGIEnvironment") -> Response:
    """Go wrong before anything was processed."""
    match fault.name:
        case FaultName.THROTTLE:
            return refusal_answer(RefusedError(20429))
        case FaultName.SERVER_ERROR:
            return refusal_answer(RefusedError(20500, TEXTS[20500]))
        case FaultName.BAD_GATEWAY:
            return Response(_HTML, 502, content_type="text/html")
        case FaultName.HTML_OK:
            return Response(_HTML, 200, content_type="text/html")
        case FaultName.HANG:
            faults.pause(fault.seconds)
            return cut_off(environ)
        case _:
            return cut_off(environ, reset=True)


def _read_form(environ: "WSGIEnvironment") -> Form:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > _LONGEST_FORM:
        raise RefusedError(21617, "The request is too long")
    raw = environ["wsgi.input"].read(int(length))
    try:
        return parse_qs(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise RefusedError(20001, "The request has too many fields") from None


def _one(form: Form, name: str, otherwise: str = "") -> str:
    return form[name][0] if name in form else otherwise


def _new_message(form: Form, to: str, templates: Mapping[str, str]) -> NewMessage:
    if not to:
        raise RefusedError(21604, "A 'To' phone number is required")
    links = form.get("MediaUrl", [])
    if len(links) > MEDIA_LIMIT:
        raise RefusedError(21623, f"Number of media files exceeds allowed limit of {MEDIA_LIMIT}")
    service, body = _one(form, "MessagingServiceSid") or None, _one(form, "Body")
    content_sid = None
    if not body and "ContentSid" in form:  # with a body too, it is the body that counts
        content_sid = _one(form, "ContentSid")
        body = _filled(templates, content_sid, _one(form, "ContentVariables", "{}"))
    validity = _one(form, "ValidityPeriod", "36000")
    # Without a messaging service the real one ignores a schedule, and sends at once.
    scheduled = service is not None and _one(form, "ScheduleType") == "fixed"
    return NewMessage(
        to=to,
        body=body,
        from_=_one(form, "From") or None,
        messaging_service_sid=service,
        status_callback=_one(form, "StatusCallback") or None,
        validity_seconds=int(validity) if validity.isascii() and validity.isdecimal() else 0,
        send_at=_instant(_one(form, "SendAt")) if scheduled else None,
        links=tuple(links),
        content_sid=content_sid,
    )


def _filled(templates: Mapping[str, str], content_sid: str, variables: str) -> str:
    """Return the words of a template with its blanks filled."""
    text = templates.get(content_sid) if templates else _ONE_BLANK
    if text is None:
        raise RefusedError(21655, f"The ContentSid {content_sid} is invalid")
    try:
        given = json.loads(variables or "{}")
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise RefusedError(21656, "The ContentVariables are invalid: they are a JSON object of texts")
    if any(_BROKEN.search(value) for value in given.values()):
        raise RefusedError(21656, "The ContentVariables are invalid: no line break, tab or more than four spaces")
    return _BLANK.sub(lambda blank: given.get(blank[1], blank[0]), text)


def _instant(text: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(35114, "'SendAt' is not a time in ISO 8601") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
