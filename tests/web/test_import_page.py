"""Importing families on a page: first what would come of it, then the deed, and a sentence for what cannot be."""

import html
import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from babymind.clock import utc_now
from babymind.services import content, enrol
from babymind.services.context import Context
from babymind.store.families import Family
from babymind.web.importing import LARGEST_FILE
from tests.factories import rows
from tests.web.conftest import token_in

SOON = utc_now().date() + timedelta(days=60)
GOOD = f"study,caregiver,phone,due_date\ndemo,Sam,+447700900101,{SOON}\n"
MIXED = f"{GOOD}demo,Jo,07700 900102,03/04/2026\n"
PAGE = "/staff/families/import"


@pytest.fixture
def team(ctx: Context, reviewer: FlaskClient) -> FlaskClient:
    """A reviewer of an installation with a study."""
    content.load(ctx)
    enrol.add_study(ctx, "demo")
    return reviewer


def upload(client: FlaskClient, content: bytes, **fields: str) -> TestResponse:
    """Send a file as a browser does; made by hand, since the test client would keep a large one open."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    file = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n' + content + b"\r\n--x--\r\n"
    )
    return client.post(PAGE, data="".join(parts).encode() + file, content_type="multipart/form-data; boundary=x")


def check(client: FlaskClient, text: str) -> TestResponse:
    """Have a file checked."""
    return upload(client, text.encode(), csrf_token=token_in(client.get(PAGE)))


def test_the_outcome_is_shown_before_anything_is_written(ctx: Context, team: FlaskClient) -> None:
    shown = check(team, MIXED)

    assert shown.status_code == 200
    assert "<strong>1</strong> of 2 rows can go in" in shown.text
    assert "may be two days" in shown.text
    assert "Enrol this family" in shown.text
    assert rows(ctx, Family) == []


def test_the_second_form_imports_what_was_shown(ctx: Context, team: FlaskClient) -> None:
    shown = check(team, MIXED)
    text = html.unescape(re.search(r'<textarea name="text" hidden>(.*?)</textarea>', shown.text, re.DOTALL)[1])  # type: ignore[index]

    done = team.post(PAGE, data={"csrf_token": token_in(shown), "text": text, "import": "yes"})

    assert done.status_code == 303
    assert len(rows(ctx, Family)) == 1
    assert "Enrolled: 1 caregiver of 1 family. 1 row was left out." in team.get("/staff/families").text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("shoe size\n1\n", "not known"),
        ("", "no column caregiver"),
        ("x" * (LARGEST_FILE + 2), "larger than 2 MB"),
    ],
)
def test_what_cannot_be_read_is_told_and_nothing_is_written(
    ctx: Context, team: FlaskClient, text: str, says: str
) -> None:
    refused = check(team, text)

    assert refused.status_code == 422
    assert says in refused.text
    assert rows(ctx, Family) == []


def test_a_file_that_is_not_text_is_told(team: FlaskClient) -> None:
    token = token_in(team.get(PAGE))

    refused = upload(team, b"\xff\xfe\x00", csrf_token=token)

    assert "UTF-8" in refused.text


def test_only_this_page_takes_a_large_form(team: FlaskClient) -> None:
    token = token_in(team.get("/staff/families/new"))

    refused = team.post("/staff/families/new", data={"csrf_token": token, "name": "x" * 300_000})

    assert refused.status_code == 413


@pytest.mark.fault(49)
def test_what_was_typed_is_shown_as_text_and_never_as_a_page(team: FlaskClient) -> None:
    shown = check(team, "study,caregiver,phone\ndemo,Sam,<script>alert(1)</script>\n")

    assert "<script>alert" not in shown.text


def test_the_file_to_start_from_can_be_fetched_and_read(ctx: Context, team: FlaskClient) -> None:
    fetched = team.get(f"{PAGE}/template.csv")

    assert fetched.headers["Content-Disposition"] == "attachment; filename=families.csv"
    assert check(team, fetched.text.replace("pilot,", "demo,")).status_code == 200
