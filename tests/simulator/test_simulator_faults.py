"""Every fault, seen through the real client and a real application."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from babymind.errors import InvalidInputError
from babymind.simulator import faults as faults_module
from babymind.simulator.faults import Fault, FaultName, FaultPlan, named_plan
from babymind.simulator.records import Status
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange

from .conftest import ACCOUNT, OURS, SAM, TOKEN, Receiver, eventually


def create(client: Any, **changes: Any) -> Any:
    return client.messages.create(**{"to": SAM, "from_": OURS, "body": "x", **changes})


def statuses(receiver: Receiver) -> list[str]:
    return [call.form["MessageStatus"] for call in receiver.calls]


def test_accept_late_travels_before_it_answers(client: Any, exchange: Exchange, make_client: Any) -> None:
    exchange.faults.set([Fault(name=FaultName.ACCEPT_LATE, seconds=30)])

    with pytest.raises(requests.exceptions.ReadTimeout):
        create(make_client(timeout=0.2))

    assert exchange.settle()
    (message,) = exchange.messages()
    assert message.status is Status.DELIVERED
    assert create(client).status == "queued"


def test_accept_late_answers_in_the_end(client: Any, exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.ACCEPT_LATE, seconds=0.1)])
    before = time.monotonic()

    created = create(client)

    assert time.monotonic() - before >= 0.1
    assert [message.sid for message in exchange.messages()] == [created.sid]


def test_accept_drop_keeps_the_message_and_loses_the_answer(client: Any, exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.ACCEPT_DROP)])

    with pytest.raises(requests.exceptions.ConnectionError):
        create(client)

    assert len(exchange.messages()) == 1
    assert create(client).status == "queued"


def test_throttle_refuses_a_burst_and_then_recovers(client: Any, exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.THROTTLE, times=3)])

    for _ in range(3):
        with pytest.raises(TwilioRestException) as caught:
            create(client)
        assert (caught.value.status, caught.value.code) == (429, 20429)

    assert create(client).status == "queued"
    assert len(exchange.messages()) == 1
    assert exchange.faults.struck(FaultName.THROTTLE) == 3


@pytest.mark.parametrize(
    ("name", "status", "code"), [(FaultName.SERVER_ERROR, 500, 20500), (FaultName.BAD_GATEWAY, 502, 502)]
)
def test_a_server_that_fails_processed_nothing(
    client: Any, exchange: Exchange, name: FaultName, status: int, code: int
) -> None:
    exchange.faults.set([Fault(name=name)])

    with pytest.raises(TwilioRestException) as caught:
        create(client)

    assert (caught.value.status, caught.value.code) == (status, code)
    assert exchange.messages() == []


def test_html_with_a_good_status_is_no_answer(client: Any, exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.HTML_OK)])

    with pytest.raises(json.JSONDecodeError):
        create(client)

    assert exchange.messages() == []


def test_reset_processes_nothing(client: Any, exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.RESET)])

    with pytest.raises(requests.exceptions.ConnectionError) as caught:
        create(client)

    assert "reset" in str(caught.value).lower()
    assert exchange.messages() == []
    assert create(client).status == "queued"


def test_hang_says_nothing_and_processes_nothing(exchange: Exchange, make_client: Callable[..., Any]) -> None:
    exchange.faults.set([Fault(name=FaultName.HANG, seconds=30), Fault(name=FaultName.HANG, seconds=0.05)])

    with pytest.raises(requests.exceptions.ReadTimeout):
        create(make_client(timeout=0.1))
    with pytest.raises(requests.exceptions.ConnectionError):
        create(make_client())

    assert exchange.messages() == []


def test_a_server_that_hangs_can_still_be_stopped(exchange: Exchange, make_client: Callable[..., Any]) -> None:
    exchange.faults.set([Fault(name=FaultName.HANG, seconds=3600)])
    with pytest.raises(requests.exceptions.ReadTimeout):
        create(make_client(timeout=0.1))
    # The fixtures now stop the server; a pause that went on would keep them waiting.


def test_faults_of_requests_can_concern_reading_too(client: Any, exchange: Exchange) -> None:
    sid = create(client).sid
    exchange.faults.set([Fault(name=FaultName.SERVER_ERROR, any_request=True)])

    with pytest.raises(TwilioRestException) as caught:
        client.messages(sid).fetch()

    assert caught.value.status == 500
    assert client.messages(sid).fetch().sid == sid


def test_faults_of_creating_leave_reading_alone(client: Any, exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.SERVER_ERROR, times=None)])

    assert client.messages.list() == []


def test_a_number_can_be_refused_at_once(client: Any, exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.NUMBER_REFUSED, times=None, number=SAM, code=21614)])

    with pytest.raises(TwilioRestException) as caught:
        create(client)

    assert (caught.value.status, caught.value.code) == (400, 21614)
    assert create(client, to="+447700900002").status == "queued"


@pytest.mark.parametrize(
    ("code", "expected"), [(30003, ["sent", "undelivered"]), (30007, ["sent", "undelivered"]), (30001, ["failed"])]
)
def test_a_number_can_fail_later(
    client: Any, exchange: Exchange, receiver: Receiver, code: int, expected: list[str]
) -> None:
    exchange.faults.set([Fault(name=FaultName.NUMBER_ERROR, number=SAM, code=code)])

    sid = create(client, status_callback=f"{receiver.url}/s").sid
    assert exchange.settle()

    assert statuses(receiver) == expected
    assert receiver.calls[-1].form["ErrorCode"] == str(code)
    fetched = client.messages(sid).fetch()
    assert (fetched.status, fetched.error_code) == (expected[-1], code)
    assert fetched.error_message


def test_callbacks_can_be_doubled(client: Any, exchange: Exchange, receiver: Receiver) -> None:
    exchange.faults.set([Fault(name=FaultName.CALLBACK_DUPLICATE, times=None)])

    create(client, status_callback=f"{receiver.url}/s")
    assert exchange.settle()

    assert statuses(receiver) == ["sent", "sent", "delivered", "delivered"]
    assert receiver.calls[0].form == receiver.calls[1].form


def test_callbacks_can_arrive_in_the_wrong_order(client: Any, exchange: Exchange, receiver: Receiver) -> None:
    exchange.faults.set([Fault(name=FaultName.CALLBACK_REORDER)])

    create(client, status_callback=f"{receiver.url}/s")
    assert exchange.settle()

    assert statuses(receiver) == ["delivered", "sent"]


def test_callbacks_can_be_lost(client: Any, exchange: Exchange, receiver: Receiver) -> None:
    exchange.faults.set([Fault(name=FaultName.CALLBACK_LOST)])

    create(client, status_callback=f"{receiver.url}/s")
    assert exchange.settle()

    assert statuses(receiver) == ["delivered"]


def test_callbacks_can_be_forged(client: Any, exchange: Exchange, receiver: Receiver) -> None:
    exchange.faults.set([Fault(name=FaultName.CALLBACK_FORGED)])

    create(client, status_callback=f"{receiver.url}/s")
    assert exchange.settle()

    assert statuses(receiver) == ["failed", "sent", "delivered"]
    valid = [
        RequestValidator(TOKEN).validate(receiver.url + c.path, c.form, c.headers["X-Twilio-Signature"])
        for c in receiver.calls
    ]
    assert valid == [False, True, True]


def test_an_incoming_message_can_be_posted_twice(exchange: Exchange, receiver: Receiver) -> None:
    exchange.faults.set([Fault(name=FaultName.WEBHOOK_DUPLICATE)])

    sid = exchange.receive(SAM, OURS, "hello").sid
    assert exchange.settle()

    assert [call.form["MessageSid"] for call in receiver.calls] == [sid, sid]


def test_an_incoming_message_can_be_listed_only(client: Any, exchange: Exchange, receiver: Receiver) -> None:
    exchange.faults.set([Fault(name=FaultName.WEBHOOK_LOST)])

    sid = exchange.receive(SAM, OURS, "hello").sid
    assert exchange.settle()

    assert receiver.calls == []
    assert [message.sid for message in client.messages.list(to=OURS)] == [sid]


def test_a_file_can_be_missing_at_first(server: SimulatorServer, exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.MEDIA_MISSING, times=2)])
    message = exchange.receive(SAM, OURS, "", [("image/png", b"bytes")])
    media = exchange.media_of(message.sid)[0]
    url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages/{message.sid}/Media/{media.sid}"

    answers = [requests.get(url, auth=(ACCOUNT, TOKEN), timeout=5).status_code for _ in range(3)]

    assert answers == [404, 404, 200]


def test_faults_are_set_shown_and_cleared_over_http(server: SimulatorServer) -> None:
    url = f"{server.url}/simulator/faults"

    posted = requests.post(url, json={"faults": [{"name": "throttle", "times": 2, "number": SAM}]}, timeout=5)
    shown = requests.get(url, timeout=5).json()
    cleared = requests.delete(url, timeout=5).json()

    assert posted.status_code == 200
    assert shown["faults"][0]["name"] == "throttle"
    assert shown["faults"][0]["number"] == SAM
    assert shown["faults"][0]["struck"] == 0
    assert cleared == {"faults": []}


@pytest.mark.parametrize(
    "sent",
    [
        {"faults": "all"},
        {"faults": ["throttle"]},
        {"faults": [{}]},
        {"faults": [{"name": "boredom"}]},
        {"faults": [{"name": ["throttle"]}]},
        {"faults": [{"name": "throttle", "colour": "red"}]},
        {"faults": [{"name": "throttle", "times": 0}]},
        {"faults": [{"name": "throttle", "times": True}]},
        {"faults": [{"name": "throttle", "every": "2"}]},
        {"faults": [{"name": "throttle", "code": 1.5}]},
        {"faults": [{"name": "hang", "seconds": -1}]},
        {"faults": [{"name": "hang", "seconds": "1"}]},
        {"faults": [{"name": "throttle", "number": 7}]},
        {"faults": [{"name": "throttle", "any_request": 1}]},
        [],
    ],
)
def test_a_plan_that_means_nothing_is_refused(server: SimulatorServer, exchange: Exchange, sent: Any) -> None:
    exchange.faults.set([Fault(name=FaultName.RESET)])

    answer = requests.post(f"{server.url}/simulator/faults", json=sent, timeout=5)

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert [fault["name"] for fault in exchange.faults.report()] == ["reset"]


def test_a_form_of_another_site_cannot_set_faults(server: SimulatorServer) -> None:
    url = f"{server.url}/simulator/faults"

    plain = requests.post(url, data='{"faults": []}', headers={"Content-Type": "text/plain"}, timeout=5)
    foreign = requests.post(url, json={"faults": []}, headers={"Origin": "https://evil.example"}, timeout=5)
    rebound = requests.get(url, headers={"Host": "evil.example"}, timeout=5)

    assert (plain.status_code, foreign.status_code, rebound.status_code) == (400, 403, 403)


def test_a_fault_strikes_at_every_nth_occasion() -> None:
    plan = FaultPlan([Fault(name=FaultName.THROTTLE, times=2, every=3)])

    struck = [plan.take(FaultName.THROTTLE) is not None for _ in range(10)]

    assert struck == [False, False, True, False, False, True, False, False, False, False]
    assert plan.take(FaultName.RESET) is None


def test_named_plans_are_standing_ones() -> None:
    assert named_plan("none") == ()
    assert [fault.name for fault in named_plan("hang")] == ["hang"]
    assert [fault.name for fault in named_plan("everything")] == list(FaultName)
    assert all(fault.times is None for fault in named_plan("everything"))
    with pytest.raises(InvalidInputError, match="everything"):
        named_plan("boredom")


def test_every_fault_is_in_the_table() -> None:
    assert all(f"| `{name}` |" in (faults_module.__doc__ or "") for name in FaultName)


def test_with_everything_going_wrong_the_provider_itself_stays_true(
    exchange: Exchange, receiver: Receiver, make_client: Callable[..., Any]
) -> None:
    plan = [fault for fault in named_plan("everything") if fault.name is not FaultName.HANG]
    exchange.faults.set([replace(fault, seconds=0.01) for fault in plan])
    client, answered = make_client(), set()

    for n in range(120):
        try:
            answered.add(create(client, body=str(n), status_callback=f"{receiver.url}/s").sid)
        except (TwilioRestException, requests.exceptions.RequestException, json.JSONDecodeError):
            continue
    assert exchange.settle(20)

    kept = exchange.messages(limit=1000)
    assert answered <= {message.sid for message in kept}
    assert len(kept) > len(answered)
    assert {message.status for message in kept} <= {Status.DELIVERED, Status.UNDELIVERED}
    assert eventually(lambda: len(receiver.calls) > len(kept))
