"""What the provider calls. Entered by signature only; a message is stored as it came, and the rest happens after."""

from collections.abc import Mapping

from flask import Blueprint, Response, abort, g, request
from flask.typing import ResponseReturnValue

from babymind.errors import InvalidInputError
from babymind.services import measures, receipts, receive
from babymind.web.current import context
from babymind.web.protection import count_bad_signature, csrf

webhooks = Blueprint("webhooks", __name__, url_prefix="/webhooks/twilio")
csrf.exempt(webhooks)

FORM_TYPE = "application/x-www-form-urlencoded"
NOTHING_TO_SAY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'  # what we answer goes out as deliveries


@webhooks.before_request
def only_the_provider() -> None:
    """Refuse every call that the provider did not sign; nothing is stored of it."""
    if not _signed():
        measures.refused()
        count_bad_signature()
        abort(403)


@webhooks.post("/messages")
def messages() -> ResponseReturnValue:
    """Keep a message; the same one any number of times."""
    form = _form()
    receive.keep(context(), _message_id(form), form)
    measures.heard("message")
    return Response(NOTHING_TO_SAY, content_type="text/xml")


@webhooks.post("/status/<key:delivery_id>")
def status(delivery_id: int) -> ResponseReturnValue:
    """Keep what the provider tells of a delivery."""
    form = _form()
    _message_id(form)
    if any("\0" in value for values in form.values() for value in values):
        abort(400)  # a receipt's words are kept as they are, and PostgreSQL keeps no NUL
    receipts.told(context(), delivery_id, _first(form))
    measures.heard("receipt")
    return Response(status=204)


def _signed() -> bool:
    given = request.headers.getlist("X-Twilio-Signature")
    # WSGI joins a header that came twice with a comma, which base64 never holds.
    if len(given) != 1 or "," in given[0] or request.mimetype != FORM_TYPE:
        return False
    address = _path_and_query()
    return address is not None and context().channel.authentic(address, _form(), given)


def _path_and_query() -> str | None:
    """Return what was asked for, byte for byte as it was signed; never by the Host header."""
    raw: str | None = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    if raw is None:
        return request.full_path.rstrip("?")
    return raw if raw.startswith("/") else None


def _form() -> dict[str, list[str]]:
    if "webhook_form" not in g:
        g.webhook_form = request.form.to_dict(flat=False)
    form: dict[str, list[str]] = g.webhook_form
    return form


def _first(form: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: values[0] for name, values in form.items()}


def _message_id(form: Mapping[str, list[str]]) -> str:
    try:
        return receive.require_message_id(_first(form))
    except InvalidInputError:
        abort(400)
