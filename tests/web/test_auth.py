"""Signing in and out: cookies, tokens, limits, and where one lands."""

import re
import time
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_security import hash_password as by_the_library
from freezegun import freeze_time

from babymind.app import create_app
from babymind.services import accounts
from babymind.services.context import Context
from babymind.web.auth import hash_password
from tests.web.conftest import PASSWORD, add_staff, browser, log_in, settings_for, token_in

EMAIL = "ada@team.test"


@pytest.fixture(autouse=True)
def account(ctx: Context) -> None:
    """Ada, a reviewer."""
    add_staff(ctx, EMAIL, "reviewer")


def test_the_right_password_leads_to_the_first_page(client: FlaskClient) -> None:
    answer = log_in(client, EMAIL)

    assert (answer.status_code, answer.location) == (302, "/staff/")
    assert client.get("/staff/").status_code == 200


@pytest.mark.parametrize("typed", ["ADA@team.test", "  ada@TEAM.test "])
def test_an_address_is_read_forgivingly(client: FlaskClient, typed: str) -> None:
    assert log_in(client, typed).status_code == 302


@pytest.mark.parametrize(("email", "password"), [
    (EMAIL, "not the password"), ("nobody@team.test", PASSWORD), (EMAIL, ""), ("", PASSWORD), ("ada", PASSWORD),
    ("ada\x00@team.test", PASSWORD), (EMAIL, PASSWORD + "\x00"), ("a@" + "b" * 500, PASSWORD), (EMAIL, "x" * 2000),
])  # fmt: skip
def test_anything_else_is_refused(client: FlaskClient, email: str, password: str) -> None:
    answer = log_in(client, email, password)

    assert answer.status_code == 200
    assert 'role="alert"' in answer.text
    assert client.get("/staff/").status_code == 302


@pytest.mark.fault(52)
def test_a_wrong_password_and_an_unknown_address_are_answered_alike(app: Flask) -> None:
    answers = [log_in(browser(app), email, "wrong").text for email in (EMAIL, "nobody@team.test")]

    said = [text[text.index('role="alert"') : text.index("</p>", text.index('role="alert"'))] for text in answers]
    assert said[0] == said[1]
    assert "do not belong together" in said[0]


def test_the_cookie_is_for_this_site_only_and_not_for_scripts(client: FlaskClient) -> None:
    cookies = log_in(client, EMAIL).headers.getlist("Set-Cookie")

    assert len(cookies) == 1
    name, *flags = cookies[0].split("; ")
    assert name.startswith("__Host-babymind=")
    assert set(flags) == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}  # no Expires: it ends with the browser


def test_without_https_the_cookie_still_works(ctx: Context) -> None:
    client = create_app(ctx, settings_for("http://127.0.0.1:8000")).test_client()

    cookie = log_in(client, EMAIL).headers["Set-Cookie"]

    assert cookie.startswith("babymind=")
    assert "Secure" not in cookie
    assert client.get("/staff/").status_code == 200


@pytest.mark.fault(50)
def test_signing_in_changes_the_form_token(client: FlaskClient) -> None:
    before = client.get("/staff/login")
    log_in(client, EMAIL)
    with client.session_transaction() as session:
        assert "csrf_token" not in session

    old = client.post("/staff/logout", data={"csrf_token": token_in(before)})

    assert old.status_code == 400


@pytest.mark.fault(51)
def test_a_session_ends_after_twelve_hours(client: FlaskClient) -> None:
    with freeze_time("2026-11-25T08:00Z"):
        log_in(client, EMAIL)
    with freeze_time("2026-11-25T19:59Z"):
        assert client.get("/staff/").status_code == 200
    with freeze_time("2026-11-25T20:01Z"):
        assert client.get("/staff/").status_code == 302


@pytest.mark.fault(51)
def test_work_does_not_make_a_session_longer(client: FlaskClient) -> None:
    with freeze_time("2026-11-25T08:00Z"):
        log_in(client, EMAIL)
    with freeze_time("2026-11-25T19:00Z"), client.session_transaction() as session:
        session["touched"] = True  # the cookie is written, and signed, anew
    with freeze_time("2026-11-25T20:01Z"):
        assert client.get("/staff/").status_code == 302


@pytest.mark.fault(51)
def test_a_session_taken_to_another_browser_is_worth_nothing(client: FlaskClient) -> None:
    log_in(client, EMAIL)

    assert client.get("/staff/", headers={"User-Agent": "another"}).location.startswith("/staff/login")
    assert client.get("/staff/").status_code == 302  # and it is over for both


@pytest.mark.fault(51)
def test_a_changed_password_ends_every_session(client: FlaskClient, ctx: Context) -> None:
    from babymind.store.staff import staff_by_email

    log_in(client, EMAIL)
    with ctx.sessions.begin() as session:
        row = staff_by_email(session, EMAIL)
        assert row
        row.fs_uniquifier = "something else"

    assert client.get("/staff/").status_code == 302


@pytest.mark.fault(51)
def test_signing_out_is_a_post_and_ends_the_session(client: FlaskClient) -> None:
    log_in(client, EMAIL)
    token = token_in(client.get("/staff/"))

    assert client.get("/staff/logout").status_code == 405
    assert client.get("/staff/").status_code == 200
    assert client.post("/staff/logout", data={"csrf_token": token}).location == "/staff/login"
    assert client.get("/staff/").status_code == 302


@pytest.mark.parametrize("wanted", ["/staff/replies", "/staff/replies?show=all", "/staff/families/new"])
def test_one_lands_where_one_wanted_to_go(client: FlaskClient, wanted: str) -> None:
    to_sign_in = client.get(wanted)
    page = client.get(to_sign_in.location)

    answer = client.post(
        to_sign_in.location, data={"email": EMAIL, "password": PASSWORD, "csrf_token": token_in(page)}
    )

    assert answer.location == wanted


@pytest.mark.fault(117)
@pytest.mark.parametrize("wanted", [
    "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "/\t/evil.example", "https:evil.example", "javascript:alert(1)", "https://babymind.test@evil.example",
    "https://babymind.test.evil.example/", "%2F%2Fevil.example", "\x19//evil.example", "http://evil.example#/staff/",
])  # fmt: skip
def test_nobody_is_led_elsewhere(app: Flask, wanted: str) -> None:
    in_address = log_in(browser(app), EMAIL, next=wanted)
    client = browser(app)
    form = {"email": EMAIL, "password": PASSWORD, "next": wanted, "csrf_token": token_in(client.get("/staff/login"))}
    in_form = client.post("/staff/login", data=form)

    for answer in (in_address, in_form):
        assert answer.status_code == 302
        assert re.match(
            r"/[^/\\]|[%A-Za-z0-9]+[^:]*$", answer.location
        )  # a path here, whatever a browser makes of it


@pytest.mark.fault(52)
def test_guessing_a_password_is_stopped(app: Flask) -> None:
    answers = [log_in(browser(app), EMAIL, f"guess {n}").status_code for n in range(12)]

    assert answers == [200] * 10 + [429] * 2
    assert log_in(browser(app), EMAIL).status_code == 429  # even the right one, for a while


def test_signing_in_rightly_is_never_limited(app: Flask) -> None:
    assert {log_in(browser(app), EMAIL).status_code for _ in range(15)} == {302}


@pytest.mark.fault(52)
def test_guessing_many_accounts_from_one_address_is_stopped(app: Flask) -> None:
    statuses = []
    client = browser(app)
    token = token_in(client.get("/staff/login"))
    for n in range(62):  # an empty password is refused without being hashed, and counts
        form = {"email": f"a{n}@team.test", "password": "", "csrf_token": token}
        statuses.append(client.post("/staff/login", data=form).status_code)

    assert statuses == [200] * 60 + [429] * 2


def test_there_is_no_other_way_in(client: FlaskClient, app: Flask, ctx: Context) -> None:
    from babymind.store.staff import staff_by_email

    with ctx.readers.begin() as session, app.test_request_context():
        account = staff_by_email(session, EMAIL)
        assert account
        token = account.get_auth_token()

    assert client.get("/staff/", headers={"Authentication-Token": token}).status_code == 302
    assert client.get("/staff/", query_string={"auth_token": token}).status_code == 302
    for path in ("/register", "/reset", "/verify", "/login", "/us-signin", "/staff/register", "/staff/verify"):
        assert client.get(path).status_code == 404


def test_a_password_is_kept_as_the_library_keeps_it(app: Flask, ctx: Context) -> None:
    composed, decomposed = "p\u00e4ssword of s\u00f6me length", "pa\u0308ssword of so\u0308me length"
    kept = hash_password(composed)
    accounts.add_staff(ctx, "other@team.test", composed, roles=["lead"], hash_password=lambda _: kept)

    with app.test_request_context():
        assert by_the_library("x").split("$")[1:4] == kept.split("$")[1:4]  # the same cost
        assert not app.extensions["security"].pwd_context.needs_update(kept)
    for typed in (composed, decomposed):
        assert log_in(browser(app), "other@team.test", typed).status_code == 302


@pytest.mark.fault(52)
def test_the_time_of_an_answer_does_not_tell_whether_there_is_an_account(app: Flask) -> None:
    def seconds(email: str) -> float:
        client = browser(app)
        form = {"email": email, "password": "wrong", "csrf_token": token_in(client.get("/staff/login"))}
        start = time.perf_counter()
        client.post("/staff/login", data=form)
        return time.perf_counter() - start

    known, unknown = min(seconds(EMAIL) for _ in range(3)), min(seconds("nobody@team.test") for _ in range(3))

    assert 0.4 < known / unknown < 2.5


@pytest.mark.fault(58)
def test_signing_in_takes_no_write_lock(ctx: Context, app: Flask) -> None:
    with ctx.sessions.begin():  # somebody is writing all the while
        started = time.monotonic()
        assert log_in(browser(app), EMAIL).status_code == 302
        assert time.monotonic() - started < 5


def test_someone_signed_in_who_opens_the_sign_in_page_is_led_on(sign_in: Callable[..., FlaskClient]) -> None:
    assert sign_in("lead").get("/staff/login").location == "/staff/"
