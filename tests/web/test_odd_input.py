"""What no form of ours sends, on a PostgreSQL that refuses NUL and numbers without end: never an error of ours."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from babymind.services.context import Context
from babymind.services.enrol import Enrolled
from tests.conftest import drop_postgres, fresh_postgres
from tests.web.conftest import add_task, browser, log_in, message, receive_reply, signed, token_in
from tests.web.test_access import CAREGIVER, FAMILY

ODD = (
    "replies/99999999999999999999",
    "replies/9223372036854775807",
    "replies?after=1.000000_99999999999999999999",
    "replies?after=%00",
    "pictures/%00",
    "families/%00",
    "families/" + "a" * 5000,
    "families/%00/loss",
    "families/ABCDE-FGHJK/caregivers/9223372036854775807/pause",
    "families/ABCDE-FGHJK/caregivers/99999999999999999999/pause",
    "ledger?day=%00",
    "ledger?day=99999-01-01",
)


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """PostgreSQL, with the study called demo in it."""
    address = fresh_postgres(postgres)
    yield address
    drop_postgres(postgres, address)


@pytest.mark.fault(32, 55)
def test_odd_addresses_are_not_found(reviewer: FlaskClient) -> None:
    for path in ODD:
        assert reviewer.get(f"/staff/{path}").status_code == 404, path


@pytest.mark.fault(32, 55)
def test_odd_words_in_forms_are_refused_or_kept(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    reply_id = receive_reply(ctx, "a\x00b \ufffe")
    token = token_in(reviewer.get("/staff/"))

    for text, form in (("a\x00b", "t\x00"), ("a\x00b", "good"), ("\x00", "other"), ("\ud7ff\ufdd0", "third")):
        data = {"csrf_token": token, "text": text, "token": form}
        assert reviewer.post(f"/staff/replies/{reply_id}/comments", data=data).status_code in (303, 422)
    assert reviewer.get(f"/staff/replies/{reply_id}").status_code == 200
    fields = ("study", "name", "role", "phone", "zone", "fact_time", "babies", "baby_1", "born_on", "gestation_weeks")
    enrolment = dict.fromkeys((*fields, "messaging_consent"), "a\x00b")
    assert reviewer.post("/staff/families/new", data=enrolment | {"csrf_token": token}).status_code == 422


def test_odd_words_about_a_family_are_refused(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    token, base = token_in(reviewer.get("/staff/")), f"/staff/families/{family.study_code}"
    every = ("pregnancy", "born_on", "due_on", "gestation", "babies", "baby_1", "reason", "why", "because", "name",
             "role", "phone", "zone", "fact_time", "prompt_time", "locale", "days", "arm", "gave")  # fmt: skip

    for path in (*FAMILY, *(f"caregivers/{family.caregivers[0][0]}/{action}" for action in CAREGIVER)):
        if path.endswith(("stop", "leave", "wrong-number")):  # which ask nothing
            continue
        for odd in ("a\x00b", "\ud7ff\ufdd0", "9" * 400, "1-1-1", "-"):
            answer = reviewer.post(f"{base}/{path}", data={"csrf_token": token, **dict.fromkeys(every, odd)})
            assert answer.status_code in (409, 422), (path, odd)
    task_id = add_task(ctx, family)
    for odd in ("a\x00b", "x" * 5000):
        form = {"csrf_token": token, "outcome": odd}
        assert reviewer.post(f"/staff/tasks/{task_id}/done", data=form).status_code == 422


def test_odd_sign_ins_are_refused(app: Flask) -> None:
    for email in ("a\x00b@c", "\x00", "@", "a@b" * 2000):
        assert log_in(browser(app), email, "\x00").status_code == 200


@pytest.mark.fault(32)
def test_odd_messages_are_kept(client: FlaskClient) -> None:
    form = message(body="a\x00b", more="\x00") | {"\x00": "\x00"}

    assert client.open(**signed("/webhooks/twilio/messages", form)).status_code == 200
    long = {"MessageStatus": "b" * 500, "ErrorCode": "1" * 50}
    for odd, status in (({"MessageStatus": "a\x00b"}, 400), (long, 204)):
        answer = client.open(**signed("/webhooks/twilio/status/9223372036854775807", message() | odd))
        assert answer.status_code == status
