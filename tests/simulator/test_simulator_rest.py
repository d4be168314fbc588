"""The real Twilio client against the simulated REST surface."""

import base64
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException

from babymind.errors import ConfigurationError
from babymind.simulator.access import is_this_machine
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.records import NewMessage, Status
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange

from .conftest import ACCOUNT, OURS, SAM, SERVICE, TOKEN


def refusal(call: Callable[[], object]) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as caught:
        call()
    return caught.value.status, caught.value.code


def test_a_message_is_created_and_travels_until_it_is_delivered(client: Any, exchange: Exchange) -> None:
    created = client.messages.create(to=SAM, from_=OURS, body="What is on Robin's mind?", validity_period=600)
    assert exchange.settle()
    fetched = client.messages(created.sid).fetch()

    assert created.status == "queued"
    assert created.sid.startswith("SM")
    assert len(created.sid) == 34
    assert created.date_sent is None
    assert (created.num_media, created.num_segments, created.error_code) == ("0", "1", None)
    assert created.direction == "outbound-api"
    assert fetched.status == "delivered"
    assert fetched.body == "What is on Robin's mind?"
    assert fetched.date_sent >= created.date_created
    assert fetched.account_sid == ACCOUNT


def test_a_messaging_service_accepts_first_and_chooses_its_sender_later(client: Any, exchange: Exchange) -> None:
    created = client.messages.create(to=SAM, messaging_service_sid=SERVICE, body="Hello")
    assert exchange.settle()
    fetched = client.messages(created.sid).fetch()

    assert (created.status, created.from_, created.num_segments) == ("accepted", None, "0")
    assert (fetched.status, fetched.from_, fetched.num_segments) == ("delivered", OURS, "1")
    assert fetched.messaging_service_sid == SERVICE


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"to": "+447911123456", "from_": OURS, "body": "x"}, (400, 21211)),
        ({"to": "+447700901000", "from_": OURS, "body": "x"}, (400, 21211)),
        ({"to": "+12025550200", "from_": OURS, "body": "x"}, (400, 21211)),
        ({"to": "whatsapp:+447911123456", "from_": f"whatsapp:{OURS}", "body": "x"}, (400, 21211)),
        ({"to": "", "from_": OURS, "body": "x"}, (400, 21604)),
        ({"to": SAM, "body": "x"}, (400, 21603)),
        ({"to": SAM, "from_": "+447700900998", "body": "x"}, (400, 21606)),
        ({"to": SAM, "messaging_service_sid": "MG" + "0" * 32, "body": "x"}, (400, 21701)),
        ({"to": SAM, "from_": OURS, "body": ""}, (400, 21602)),
        ({"to": SAM, "from_": OURS, "body": "x" * 1601}, (400, 21617)),
        ({"to": SAM, "from_": OURS, "body": "x", "validity_period": 36001}, (400, 90007)),
        ({"to": SAM, "from_": OURS, "body": "x", "media_url": ["http://a/"] * 11}, (400, 21623)),
        ({"to": SAM, "from_": OURS, "body": "x", "status_callback": "https://example.org/x"}, (400, 21609)),
    ],
)
def test_what_the_provider_refuses_at_once(client: Any, request_: dict[str, Any], expected: object) -> None:
    assert refusal(lambda: client.messages.create(**request_)) == expected
    assert client.messages.list() == []


@pytest.mark.parametrize(
    "to", ["+447700900000", "+447700900999", "+12025550100", "+19195550199", "whatsapp:+447700900002"]
)
def test_numbers_reserved_for_fiction_are_accepted(client: Any, to: str) -> None:
    sender = f"whatsapp:{OURS}" if to.startswith("whatsapp:") else OURS

    assert client.messages.create(to=to, from_=sender, body="x").to == to


def test_a_refusal_says_why_a_real_number_is_refused(client: Any) -> None:
    with pytest.raises(TwilioRestException, match="fiction"):
        client.messages.create(to="+447911123456", from_=OURS, body="x")


def test_a_wrong_token_is_turned_away(make_client: Callable[..., Any], server: SimulatorServer) -> None:
    wrong = make_client(token="guess")

    assert refusal(lambda: wrong.messages.create(to=SAM, from_=OURS, body="x")) == (401, 20003)
    answer = requests.get(f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json", timeout=5)
    assert answer.status_code == 401
    assert answer.json()["code"] == 20003
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_another_account_is_not_found(server: SimulatorServer) -> None:
    url = f"{server.url}/2010-04-01/Accounts/AC{'0' * 32}/Messages.json"

    assert requests.get(url, auth=(ACCOUNT, TOKEN), timeout=5).json()["code"] == 20404


def test_the_account_can_be_fetched(client: Any) -> None:
    assert client.api.v2010.accounts(ACCOUNT).fetch().status == "active"


def test_an_unknown_message_is_not_found(client: Any) -> None:
    assert refusal(lambda: client.messages("SM" + "0" * 32).fetch()) == (404, 20404)
    assert refusal(lambda: client.messages("SM" + "0" * 32).delete()) == (404, 20404)


def test_a_list_is_newest_first_and_pages_both_ways(client: Any, exchange: Exchange) -> None:
    sids = [client.messages.create(to=SAM, from_=OURS, body=str(n)).sid for n in range(7)]
    assert exchange.settle()

    listed = [message.sid for message in client.messages.list(page_size=3)]
    first = client.messages.page(page_size=3)
    second = first.next_page()
    third = second.next_page()
    back = third.previous_page()

    assert listed == sids[::-1]
    assert [m.body for m in first] == ["6", "5", "4"]
    assert [m.body for m in third] == ["0"]
    assert third.next_page() is None
    assert [m.body for m in back] == ["3", "2", "1"]
    assert [m.body for m in back.previous_page()] == ["6", "5", "4"]
    assert back.previous_page().previous_page() is None
    assert first.previous_page() is None


def test_a_page_is_not_shifted_by_newer_messages(client: Any) -> None:
    for n in range(4):
        client.messages.create(to=SAM, from_=OURS, body=str(n))
    first = client.messages.page(page_size=2)

    client.messages.create(to=SAM, from_=OURS, body="newer")

    assert [m.body for m in first.next_page()] == ["1", "0"]


def test_a_list_is_filtered_by_who_and_by_day(config: SimulatorConfig) -> None:
    instant = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    with (
        Exchange(config, now=lambda: instant) as exchange,
        SimulatorServer(exchange) as server,
        requests.Session() as session,
    ):
        session.auth = (ACCOUNT, TOKEN)
        url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        session.post(url, data={"To": SAM, "From": OURS, "Body": "monday"}, timeout=5)
        assert exchange.settle()
        instant += timedelta(hours=1)
        session.post(url, data={"To": "+447700900002", "From": OURS, "Body": "tuesday"}, timeout=5)
        exchange.receive(SAM, OURS, "an answer")
        assert exchange.settle()

        def bodies(**asked: str) -> list[str]:
            params = {name.replace("_lt", "<").replace("_gt", ">"): value for name, value in asked.items()}
            answer = session.get(url, params=params, timeout=5)
            return [message["body"] for message in answer.json()["messages"]]

        assert bodies() == ["an answer", "tuesday", "monday"]
        assert bodies(To=SAM) == ["monday"]
        assert bodies(To=OURS) == ["an answer"]
        assert bodies(From=SAM) == ["an answer"]
        assert bodies(DateSent="2026-11-23") == ["monday"]
        assert bodies(DateSent_gt="2026-11-24T12:00:00Z") == ["an answer", "tuesday"]
        assert bodies(DateSent_lt="2026-11-23") == ["monday"]
        assert bodies(DateSent_lt="2026-11-24", DateSent_gt="2026-11-24", From=OURS) == ["tuesday"]
        assert session.get(url, params={"DateSent": "soon"}, timeout=5).status_code == 400


def test_the_real_clients_date_filters_work(client: Any, exchange: Exchange) -> None:
    client.messages.create(to=SAM, from_=OURS, body="today")
    assert exchange.settle()
    now = datetime.now(UTC)

    assert [m.body for m in client.messages.list(date_sent_after=now - timedelta(days=1))] == ["today"]
    assert client.messages.list(date_sent_before=now - timedelta(days=1)) == []
    assert client.messages.list(date_sent_after=now + timedelta(days=1)) == []


def test_a_message_not_yet_sent_has_no_day(config: SimulatorConfig) -> None:
    with Exchange(replace(config, callback_delay_seconds=60)) as exchange, SimulatorServer(exchange) as server:
        url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        sid = requests.post(
            url, data={"To": SAM, "From": OURS, "Body": "x"}, auth=(ACCOUNT, TOKEN), timeout=5
        ).json()["sid"]

        def listed(**params: str) -> int:
            answer = requests.get(url, params=params, auth=(ACCOUNT, TOKEN), timeout=5)
            return len(answer.json()["messages"])

        assert listed() == 1
        assert listed(**{"DateSent>": "2020-01-01"}) == 0
        one = url.replace(".json", f"/{sid}.json")
        assert requests.delete(one, auth=(ACCOUNT, TOKEN), timeout=5).status_code == 409
        assert requests.post(one, data={"Body": ""}, auth=(ACCOUNT, TOKEN), timeout=5).status_code == 409
        assert not exchange.settle(0.01)


def test_a_delivered_message_can_be_redacted_and_deleted(client: Any, exchange: Exchange) -> None:
    sid = client.messages.create(to=SAM, from_=OURS, body="private").sid
    assert exchange.settle()

    assert client.messages(sid).update(body="").body == ""
    assert client.messages(sid).fetch().body == ""
    assert refusal(lambda: client.messages(sid).update(body="other")) == (400, 20001)
    assert client.messages(sid).delete()
    assert refusal(lambda: client.messages(sid).fetch()) == (404, 20404)


def test_only_a_scheduled_message_can_be_cancelled(client: Any, exchange: Exchange) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    scheduled = client.messages.create(
        to=SAM, messaging_service_sid=SERVICE, body="x", schedule_type="fixed", send_at=soon
    )
    sent = client.messages.create(to=SAM, from_=OURS, body="x")

    assert scheduled.status == "scheduled"
    assert client.messages(scheduled.sid).update(status="canceled").status == "canceled"
    assert refusal(lambda: client.messages(sent.sid).update(status="canceled")) == (409, 30409)
    assert refusal(
        lambda: client.messages.create(
            to=SAM,
            messaging_service_sid=SERVICE,
            body="x",
            schedule_type="fixed",
            send_at=datetime.now(UTC) + timedelta(seconds=10),
        )
    ) == (400, 35114)


def test_a_schedule_without_a_messaging_service_is_ignored(client: Any) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)

    created = client.messages.create(to=SAM, from_=OURS, body="x", schedule_type="fixed", send_at=later)

    assert created.status == "queued"


def test_media_are_listed_fetched_and_deleted(client: Any, exchange: Exchange) -> None:
    sid = exchange.receive(SAM, OURS, "look", [("image/png", b"one"), ("image/jpeg", b"two")]).sid

    assert sid.startswith("MM")
    assert client.messages(sid).fetch().num_media == "2"
    first, second = client.messages(sid).media.list()
    assert (first.content_type, second.content_type) == ("image/png", "image/jpeg")
    assert first.sid.startswith("ME")
    assert client.messages(sid).media(first.sid).fetch().parent_sid == sid
    assert client.messages(sid).media(first.sid).delete()
    assert [media.sid for media in client.messages(sid).media.list()] == [second.sid]
    assert client.messages(sid).fetch().num_media == "1"
    assert client.messages(sid).delete()
    assert refusal(lambda: client.messages(sid).media(second.sid).fetch()) == (404, 20404)


def test_the_bytes_of_a_file_need_the_token(server: SimulatorServer, exchange: Exchange) -> None:
    message = exchange.receive(SAM, OURS, "", [("image/png", b"\x89PNG bytes")])
    media = exchange.media_of(message.sid)[0]
    url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages/{message.sid}/Media/{media.sid}"

    assert requests.get(url, timeout=5).status_code == 401
    answer = requests.get(url, auth=(ACCOUNT, TOKEN), timeout=5)
    assert answer.content == b"\x89PNG bytes"
    assert answer.headers["Content-Type"] == "image/png"
    assert (
        requests.get(url.replace(message.sid, "MM" + "0" * 32), auth=(ACCOUNT, TOKEN), timeout=5).status_code == 404
    )


def test_a_messaging_service_names_its_number(client: Any, server: SimulatorServer) -> None:
    client.messaging.base_url = server.url

    listed = client.messaging.v1.services(SERVICE).phone_numbers.list()

    assert [(one.phone_number, one.country_code, one.service_sid) for one in listed] == [(OURS, "GB", SERVICE)]
    with pytest.raises(TwilioException):
        client.messaging.v1.services("MG" + "0" * 32).phone_numbers.list()
    assert requests.get(f"{server.url}/v1/Services/{SERVICE}/PhoneNumbers", timeout=5).status_code == 401


def test_a_file_can_be_behind_a_redirect_to_another_host(config: SimulatorConfig) -> None:
    with Exchange(replace(config, media_redirect=True)) as exchange, SimulatorServer(exchange) as server:
        message = exchange.receive(SAM, OURS, "", [("image/png", b"bytes")])
        media = exchange.media_of(message.sid)[0]
        url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages/{message.sid}/Media/{media.sid}"

        redirect = requests.get(url, auth=(ACCOUNT, TOKEN), timeout=5, allow_redirects=False)
        location = redirect.headers["Location"]

        assert redirect.status_code == 307
        assert location.startswith("http://localhost:")
        assert requests.get(location, timeout=5).content == b"bytes"
        basic = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        leaked = requests.get(location, headers={"Authorization": f"Basic {basic}"}, timeout=5)
        assert leaked.status_code == 400
        assert requests.get(location[:-1] + "x", timeout=5).status_code == 403


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 21604),
        (b"To=%2B447700900001&From=%2B447700900999&Body=%FF%00", None),
        (b"To=%2B447700900001&From=%2B447700900999&Body=%ED%A0%80", None),
        (b"&".join(b"Field%d=1" % n for n in range(101)), 20001),
        (b"Body=" + b"x" * 300_000, 21617),
        (b"To=%2B447700900001&From=%2B447700900999&ContentSid=HX1&ContentVariables=%7B%7D", None),
        (b"To=%2B447700900001&From=%2B447700900999&Body=x&ValidityPeriod=soon", 90007),
        (
            f"To=%2B447700900001&MessagingServiceSid={SERVICE}&Body=x&ScheduleType=fixed&SendAt=soon".encode(),
            35114,
        ),
    ],
)
def test_odd_forms_are_refused_or_kept_safely(
    server: SimulatorServer, exchange: Exchange, body: bytes, code: int | None
) -> None:
    url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = requests.post(url, data=body, headers=headers, auth=(ACCOUNT, TOKEN), timeout=5)

    assert answer.json().get("code") == code
    assert answer.status_code == (201 if code is None else 400)
    assert len(exchange.messages()) == (1 if code is None else 0)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[", ""])
def test_another_name_for_this_machine_is_a_trap(server: SimulatorServer, host: str) -> None:
    for path in (f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", "/phones"):
        answer = requests.post(server.url + path, data={}, headers={"Host": host}, auth=(ACCOUNT, TOKEN), timeout=5)
        assert answer.status_code in {400, 403}


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost", "[::1]:8000", "LOCALHOST:1"])
def test_the_names_of_this_machine_are_known(host: str) -> None:
    assert is_this_machine(host)


def test_a_file_that_is_not_there_cannot_be_deleted(client: Any, exchange: Exchange) -> None:
    sid = exchange.receive(SAM, OURS, "x").sid

    assert refusal(lambda: client.messages(sid).media("ME" + "0" * 32).delete()) == (404, 20404)


def test_a_message_is_kept_with_its_files_or_not_at_all(exchange: Exchange) -> None:
    with pytest.raises(sqlite3.Error):
        exchange.receive(SAM, OURS, "x", [("image/png", b"ok"), ("image/png", cast("bytes", object()))])

    assert exchange.messages() == []
    assert exchange.receive(SAM, OURS, "x").num_media == 0


def test_nothing_is_forgotten_over_a_restart(config: SimulatorConfig, tmp_path: Any) -> None:
    file = str(tmp_path / "provider.sqlite")
    with Exchange(config, file) as exchange:
        exchange.add_phone(SAM, "Sam")
        sid = exchange.receive(SAM, OURS, "STOP", [("image/png", b"bytes")]).sid
        assert exchange.settle()

    with Exchange(config, file) as exchange:
        assert exchange.message(sid).body == "STOP"
        assert exchange.media(exchange.media_of(sid)[0].sid)[1] == b"bytes"
        assert exchange.is_opted_out(SAM)
        assert [phone.label for phone, _ in exchange.phones()] == ["Sam"]


def test_what_was_on_its_way_goes_on_after_a_restart(config: SimulatorConfig, tmp_path: Any) -> None:
    file = str(tmp_path / "provider.sqlite")
    with Exchange(replace(config, callback_delay_seconds=60), file) as exchange:
        sid = exchange.send(NewMessage(to=SAM, from_=OURS, body="x")).sid

    with Exchange(config, file) as exchange:
        assert exchange.settle()
        assert exchange.message(sid).status is Status.DELIVERED


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "+447911123456"},
        {"account_sid": "AC1"},
        {"auth_token": ""},
        {"messages_webhook_url": "https://babymind.example/webhooks"},
        {"messages_webhook_url": "http://192.0.2.1/webhooks"},
        {"connect_to": "http://192.0.2.1"},
        {"connect_to": "https://127.0.0.1"},
        {"connect_to": "http://[::1"},
        {"connect_to": "http:///path"},
    ],
)
def test_an_odd_configuration_is_refused(config: SimulatorConfig, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        replace(config, **changes)


def test_the_token_is_not_shown(config: SimulatorConfig) -> None:
    assert TOKEN not in repr(config)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "babymind.example", "::"])  # noqa: S104 - refused
def test_only_a_loopback_address_is_listened_on(exchange: Exchange, host: str) -> None:
    with pytest.raises(ConfigurationError):
        SimulatorServer(exchange, host=host)


def test_a_server_can_stop_and_start_again(exchange: Exchange) -> None:
    server = SimulatorServer(exchange, host="localhost")
    for _ in range(2):
        with server:
            assert requests.get(server.url, timeout=5).status_code == 200
    server.stop()
