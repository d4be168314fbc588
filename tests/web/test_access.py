"""Who may enter: every route of the application, asked by everybody."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from babymind.services import health
from babymind.services.context import Context
from babymind.services.enrol import Enrolled
from tests.services.watched import stop_sender
from tests.web.conftest import add_staff, add_task, browser, log_in, receive_reply, store_picture, token_in

EVERYBODY = "everybody"
PROVIDER = "provider"  # by signature; a browser gets 403, signed in or not
TEAM = frozenset({"reviewer", "lead", "admin"})
LEADS = frozenset({"lead", "admin"})
STAFF = TEAM | {"editor", "researcher"}
FAMILY = ("birth", "dates", "pregnancies/new", "caregivers/new", "loss", "loss-reason", "hold", "release", "move",
          "withdraw")  # fmt: skip
CAREGIVER = ("preferences", "pause", "resume", "stop", "start", "number", "wrong-number", "leave")

# Each route with its methods, and whom it is open to. A route that is not here fails the test: say who may enter.
ROUTES: dict[tuple[str, str], object] = {
    ("/", "GET"): EVERYBODY,
    ("/healthz", "GET"): EVERYBODY,
    ("/readyz", "GET"): EVERYBODY,
    ("/metrics", "GET"): EVERYBODY,
    ("/static/<path:filename>", "GET"): EVERYBODY,
    ("/bootstrap/static/<path:filename>", "GET"): EVERYBODY,
    ("/staff/login", "GET"): EVERYBODY,
    ("/staff/login", "POST"): EVERYBODY,
    ("/staff/logout", "POST"): EVERYBODY,
    ("/webhooks/twilio/messages", "POST"): PROVIDER,
    ("/webhooks/twilio/status/<key:delivery_id>", "POST"): PROVIDER,
    ("/staff/", "GET"): STAFF,
    ("/staff/replies", "GET"): TEAM,
    ("/staff/replies/<key:reply_id>", "GET"): TEAM,
    ("/staff/replies/<key:reply_id>/comments", "POST"): TEAM,
    ("/staff/replies/<key:reply_id>/close", "POST"): TEAM,
    ("/staff/pictures/<token>", "GET"): TEAM,
    ("/staff/families", "GET"): TEAM,
    ("/staff/families/new", "GET"): TEAM,
    ("/staff/families/new", "POST"): TEAM,
    ("/staff/families/import", "GET"): TEAM,
    ("/staff/families/import", "POST"): TEAM,
    ("/staff/families/import/template.csv", "GET"): TEAM,
    ("/staff/families/<study_code>", "GET"): TEAM,
    **{(f"/staff/families/<study_code>/{name}", method): TEAM for name in FAMILY for method in ("GET", "POST")},
    ("/staff/families/<study_code>/undo-loss", "GET"): LEADS,
    ("/staff/families/<study_code>/undo-loss", "POST"): LEADS,
    **{
        (f"/staff/families/<study_code>/caregivers/<key:caregiver_id>/{name}", method): TEAM
        for name in CAREGIVER
        for method in ("GET", "POST")
    },
    ("/staff/tasks", "GET"): TEAM,
    ("/staff/tasks/<key:task_id>/done", "POST"): TEAM,
    ("/staff/ledger", "GET"): STAFF,
    ("/staff/deliveries", "GET"): STAFF,
    **{(f"/staff/deliveries/<key:delivery_id>/{name}", "POST"): TEAM for name in ("ask", "send", "give-up")},
    ("/staff/deliveries/senders/<key:sender_id>/try", "POST"): TEAM,
}
WHOLE_TEAM = ("reviewer", "lead", "editor", "researcher", "admin")


def routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every route with each of its methods that is not answered by Flask itself."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method


@pytest.fixture
def address(app: Flask, ctx: Context, family: Enrolled) -> Callable[[Rule], str]:
    """Fill in an address with things that there are, so that a refusal is never a 404 by chance."""
    reply_id = receive_reply(ctx)
    values: dict[str, Any] = {
        "reply_id": reply_id,
        "token": store_picture(ctx, reply_id),
        "study_code": family.study_code,
        "delivery_id": 1,
        "caregiver_id": family.caregivers[0][0],
        "task_id": add_task(ctx, family),
        "sender_id": stop_sender(ctx),
    }
    for name in ("look", "plan"):  # a clock that stands still is a health of 503
        health.ticked(ctx, name)
    files = {"static": "babymind.css", "bootstrap.static": "css/bootstrap.min.css"}

    def fill(rule: Rule) -> str:
        known = {**values, "filename": files.get(rule.endpoint)}
        with app.test_request_context():
            return app.url_map.bind("babymind.test").build(rule.endpoint, {n: known[n] for n in rule.arguments})

    return fill


def ask(client: FlaskClient, path: str, method: str, token: str) -> int:
    """Ask for an address with a good form token, so that only the right to enter decides."""
    data = {"csrf_token": token} if method == "POST" else None
    return client.open(path, method=method, data=data, buffered=True).status_code


@pytest.mark.fault(53)
def test_every_route_says_who_may_enter(app: Flask) -> None:
    found = {(rule.rule, method) for rule, method in routes(app)}

    assert found == set(ROUTES)


@pytest.mark.fault(53)
def test_nobody_enters_without_signing_in(app: Flask, address: Callable[[Rule], str]) -> None:
    for rule, method in routes(app):
        client = browser(app)
        token = token_in(client.get("/staff/login"))
        form = {"csrf_token": token} if method == "POST" else None
        answer = client.open(address(rule), method=method, data=form, buffered=True)

        match ROUTES[rule.rule, method]:
            case "everybody":
                assert answer.status_code in (200, 302), (rule, method, answer.status_code)
            case "provider":
                assert answer.status_code == 403, (rule, method, answer.status_code)
            case _:
                assert answer.status_code == 302, (rule, method, answer.status_code)
                assert answer.location.startswith("/staff/login"), (rule, answer.location)
                assert not answer.text or "Robin" not in answer.text


@pytest.mark.fault(53)
@pytest.mark.parametrize("role", WHOLE_TEAM)
def test_a_role_enters_its_pages_only(
    app: Flask, address: Callable[[Rule], str], sign_in: Callable[..., FlaskClient], role: str
) -> None:
    client = sign_in(role)
    token = token_in(client.get("/staff/"))
    for rule, method in sorted(routes(app), key=lambda entry: entry[0].endpoint == "security.logout"):
        status = ask(client, address(rule), method, token)

        allowed = ROUTES[rule.rule, method]
        if allowed in (EVERYBODY, PROVIDER):
            continue
        assert isinstance(allowed, frozenset)
        if role in allowed:
            assert status in (200, 303, 409, 422), (role, rule, method, status)
        else:
            assert status == 403, (role, rule, method, status)


def test_a_researcher_sees_no_name_and_no_way_to_one(sign_in: Callable[..., FlaskClient], family: Enrolled) -> None:
    page = sign_in("researcher").get("/staff/")

    assert page.status_code == 200
    assert "Sam" not in page.text
    assert "Robin" not in page.text
    assert "/staff/replies" not in page.text
    assert "/staff/families" not in page.text


@pytest.mark.fault(53)
def test_a_role_in_one_study_opens_no_page_of_all_studies(
    sign_in: Callable[..., FlaskClient], family: Enrolled
) -> None:
    client = sign_in("reviewer", study="demo")

    assert [client.get(path).status_code for path in ("/staff/", "/staff/replies", "/staff/families")] == [403] * 3


def test_a_view_that_names_no_role_is_open_to_nobody(app: Flask, sign_in: Callable[..., FlaskClient]) -> None:
    client = sign_in("admin")
    app.view_functions["admin.replies"] = lambda: "forgotten"

    assert client.get("/staff/replies").status_code == 403


@pytest.mark.fault(51)
def test_an_account_that_was_switched_off_is_out_at_once(
    app: Flask, ctx: Context, sign_in: Callable[..., FlaskClient]
) -> None:
    from babymind.store.staff import staff_by_email

    client = sign_in("reviewer")
    with ctx.sessions.begin() as session:
        account = staff_by_email(session, "reviewer@team.test")
        assert account
        account.active = False

    assert client.get("/staff/replies").location.startswith("/staff/login")
    assert log_in(browser(app), "reviewer@team.test").status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/staff/nothing", "/staff/replies/999", "/staff/replies/0x1",
                                  "/staff/replies/99999999999999999999", "/staff/replies/-1", "/staff/pictures/none",
                                  "/staff/pictures/%00", "/staff/families/NOBDY-NOBDY", "/staff/families/a%00b",
                                  "/staff/replies?after=1", "/staff/replies?after=1.000000_99999999999999999999",
                                  "/staff/replies?after=nan_1"])  # fmt: skip
def test_what_is_not_there_is_a_page_that_says_so(reviewer: FlaskClient, path: str) -> None:
    answer = reviewer.get(path)

    assert answer.status_code == 404
    assert "There is no such" in answer.text or "There is no family" in answer.text


def test_somebody_with_two_roles_has_the_rights_of_both(app: Flask, ctx: Context) -> None:
    add_staff(ctx, "both@team.test", "researcher", "lead")
    client = browser(app)
    log_in(client, "both@team.test")

    assert client.get("/staff/replies").status_code == 200
