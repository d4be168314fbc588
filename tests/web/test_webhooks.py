"""The provider's way in: by signature only, once per message, and quick."""

from flask.testing import FlaskClient

from babymind.services.context import Context
from babymind.store.replies import Inbound
from tests.factories import rows
from tests.web.conftest import message, signed

PATH = "/webhooks/twilio/messages"


def test_a_signed_message_is_kept_and_answered_with_empty_twiml(client: FlaskClient, ctx: Context) -> None:
    answer = client.open(**signed(PATH, message()))

    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    assert answer.text == '<?xml version="1.0" encoding="UTF-8"?><Response/>'
    assert [row.provider_ref for row in rows(ctx, Inbound)] == ["SM" + "1" * 32]
