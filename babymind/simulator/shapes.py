"""The JSON in which Twilio shows its resources, and its errors."""

import json
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from flask import Response

from babymind.simulator.life import API_VERSION
from babymind.simulator.records import WAITING, Media, Message
from babymind.simulator.refusals import TEXTS, RefusedError

JSON = "application/json; charset=utf-8"


def json_answer(data: dict[str, Any], status: int = 200) -> Response:
    """Answer with a document."""
    return Response(json.dumps(data), status, content_type=JSON)


def refusal_answer(error: RefusedError) -> Response:
    """Answer with an error."""
    answer = json_answer(
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


def message_json(message: Message) -> dict[str, Any]:
    """Show a message."""
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


def media_json(media: Media, account_sid: str) -> dict[str, Any]:
    """Show a file of a message."""
    created = _rfc2822(media.created_at)
    return {
        "sid": media.sid,
        "account_sid": account_sid,
        "parent_sid": media.message_sid,
        "content_type": media.content_type,
        "date_created": created,
        "date_updated": created,
        "uri": f"/{API_VERSION}/Accounts/{account_sid}/Messages/{media.message_sid}/Media/{media.sid}.json",
    }


def _rfc2822(instant: datetime | None) -> str | None:
    return None if instant is None else _second(instant.replace(microsecond=0))


@lru_cache(maxsize=256)
def _second(instant: datetime) -> str:
    return format_datetime(instant)
