"""Every fault, seen through the real client and a real application."""

import json
import threading
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
from babymind.simulator.config import SimulatorConfig
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


def test_accept_error_keeps_the_message_and_answers_500(client: Any, exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.ACCEPT_ERROR)])

    with pytest.raises(TwilioRestException) as caught:
        create(client)

    assert (caught.value.status, caught.value.code) == (500, 20500)
    assert exchange.settle()
    assert [message.status for message in exchange.messages()] == [Status.DELIVERED]


def test_drip_sends_the_answer_byte_by_byte(server: SimulatorServer, exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.DRIP, seconds=0.3)])
    url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    form = {"To": SAM, "From": OURS, "Body": "x"}
    before = time.monotonic()

    with requests.post(url, form, auth=(ACCOUNT, TOKEN), timeout=5, stream=True) as answer:
        at_head = time.monotonic()
        chunks = list(answer.raw.stream(64))
    at_end = time.monotonic()

    assert answer.status_code == 201
    assert json.loads(b"".join(chunks))["sid"] == exchange.messages()[0].sid
    assert at_end - before >= 0.3
    assert at_head - before > 0.02
    assert at_end - at_head > 0.1


def test_a_drip_outlasts_a_time_out_that_counts_from_byte_to_byte(
    exchange: Exchange, make_client: Callable[..., Any]
) -> None:
    exchange.faults.set([Fault(name=FaultName.DRIP, seconds=0.6)])
    before = time.monotonic()

    created = create(make_client(timeout=0.2))

    assert time.monotonic() - before >= 0.6
    assert exchange.message(created.sid).body == "x"


def test_a_drip_ends_when_nobody_listens_any_more_or_the_server_stops(
    server: SimulatorServer, exchange: Exchange
) -> None:
    exchange.faults.set([Fault(name=FaultName.DRIP, times=None, seconds=3600)])
    url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    with pytest.raises(requests.exceptions.Timeout):
        requests.post(url, {"To": SAM, "From": OURS, "Body": "x"}, auth=(ACCOUNT, TOKEN), timeout=0.1)
    # The fixtures now stop the server; a drip that went on would keep them waiting.


def test_a_list_can_drip_too(client: Any, exchange: Exchange) -> None:
    sid = create(client).sid
    exchange.faults.set([Fault(name=FaultName.DRIP, seconds=0.2, any_request=True)])
    before = time.monotonic()

    listed = client.messages.list()

    assert [message.sid for message in listed] == [sid]
    assert time.monotonic() - before >= 0.2


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
    ("code", "status"), [(21211, 400), (21610, 400), (21611, 400), (20003, 401), (20429, 429), (20503, 503)]
)
def test_any_code_can_be_given_at_once(client: Any, exchange: Exchange, code: int, status: int) -> None:
    exchange.faults.set([Fault(name=FaultName.NUMBER_REFUSED, number=SAM, code=code)])

    with pytest.raises(TwilioRestException) as caught:
        create(client)

    assert (caught.value.status, caught.value.code) == (status, code)
    assert exchange.messages() == []


@pytest.mark.parametrize(
    "name",
    [FaultName.THROTTLE, FaultName.SERVER_ERROR, FaultName.BAD_GATEWAY, FaultName.RESET, FaultName.ACCEPT_DROP],
)
def test_a_fault_of_requests_can_concern_one_number_only(client: Any, exchange: Exchange, name: FaultName) -> None:
    exchange.faults.set([Fault(name=name, times=None, number=SAM)])

    with pytest.raises((TwilioRestException, requests.exceptions.ConnectionError)):
        create(client)

    assert create(client, to="+447700900002").status == "queued"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (30003, ["sent", "undelivered"]),
        (30005, ["sent", "undelivered"]),
        (30007, ["sent", "undelivered"]),
        (30001, ["failed"]),
        (21610, ["failed"]),
    ],
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


def test_a_message_can_wait_in_the_queue(client: Any, exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.QUEUE_LATE, number=SAM, seconds=0.3)])

    late, other = create(client).sid, create(client, to="+447700900002").sid
    assert eventually(lambda: client.messages(other).fetch().status == "delivered")
    waiting = client.messages(late).fetch()
    assert exchange.settle()

    assert (waiting.status, waiting.date_sent) == ("queued", None)
    assert client.messages(late).fetch().status == "delivered"


def test_a_list_can_lag_behind(client: Any, exchange: Exchange) -> None:
    sid = create(client).sid
    exchange.faults.set([Fault(name=FaultName.LIST_LATE, number=SAM, seconds=60)])

    assert [message.sid for message in client.messages.list(to=OURS)] == []
    assert [message.sid for message in client.messages.list(to=SAM)] == []
    assert [message.sid for message in client.messages.list(to=SAM)] == [sid]
    assert exchange.faults.struck(FaultName.LIST_LATE) == 1


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


def test_an_album_can_come_as_parallel_webhooks_with_its_text_last(
    config: SimulatorConfig, receiver: Receiver, make_client: Callable[..., Any]
) -> None:
    receiver.together = threading.Barrier(4)
    with Exchange(replace(config, workers=4)) as exchange:
        exchange.faults.set([Fault(name=FaultName.WEBHOOK_ALBUM, number=SAM)])

        last = exchange.receive(
            SAM, OURS, "three smiles", [("image/png", b"1"), ("image/png", b"2"), ("image/png", b"3")]
        )
        assert exchange.settle()
        receiver.together = None
        whole = exchange.receive(SAM, OURS, "two", [("image/png", b"1"), ("image/png", b"2")])
        assert exchange.settle()

        album = exchange.messages(limit=5)[1:]

    assert [(message.body, message.num_media) for message in album] == [
        ("three smiles", 0),
        ("", 1),
        ("", 1),
        ("", 1),
    ]
    assert album[0].sid == last.sid
    assert {message.webhook_status for message in album} == {204}
    forms = [call.form for call in receiver.calls]
    assert {form["MessageSid"] for form in forms[:4]} == {message.sid for message in album}
    assert sorted(form["NumMedia"] for form in forms[:4]) == ["0", "1", "1", "1"]
    assert (forms[4]["MessageSid"], forms[4]["NumMedia"]) == (whole.sid, "2")


def test_an_album_without_text_ends_with_its_last_picture(exchange: Exchange) -> None:
    exchange.faults.set([Fault(name=FaultName.WEBHOOK_ALBUM, times=None)])

    last = exchange.receive(SAM, OURS, " ", [("image/png", b"1"), ("image/png", b"2")])
    alone = exchange.receive(SAM, OURS, "one", [("image/png", b"1")])

    assert [message.sid for message in exchange.messages()][:2] == [alone.sid, last.sid]
    assert [message.num_media for message in exchange.messages()] == [1, 1, 1]
    assert exchange.faults.struck(FaultName.WEBHOOK_ALBUM) == 1


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
        {"faults": [{"name": "throttle", "share": 0}]},
        {"faults": [{"name": "throttle", "share": 1.5}]},
        {"faults": [{"name": "throttle", "share": "half"}]},
        {"faults": [{"name": "throttle", "share": True}]},
        {"faults": [], "seed": "x"},
        {"faults": [], "seed": 1.0},
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


def strikes(plan: FaultPlan, name: FaultName, occasions: int = 200) -> list[int]:
    return [n for n in range(occasions) if plan.take(name) is not None]


@pytest.mark.parametrize("name", list(FaultName))
def test_every_fault_can_be_set_for_some_messages_for_a_share_and_for_a_number(name: FaultName) -> None:
    next_three = FaultPlan([Fault(name=name, times=3)])
    a_tenth = FaultPlan([Fault(name=name, times=None, share=0.1)])
    of_sam = FaultPlan([Fault(name=name, times=None, number=SAM)])

    assert strikes(next_three, name) == [0, 1, 2]
    assert 8 < len(strikes(a_tenth, name)) < 36
    assert of_sam.take(name, number="+447700900002") is None
    assert of_sam.take(name) is None
    assert of_sam.take(name, number=SAM) is not None
    assert of_sam.take(name, number=f"whatsapp:{SAM}") is not None


def test_a_share_follows_from_the_seed_and_each_fault_has_a_share_of_its_own() -> None:
    faults = [Fault(name=name, times=None, share=0.3) for name in (FaultName.RESET, FaultName.THROTTLE)]
    first, again, other = FaultPlan(faults, seed=7), FaultPlan(faults, seed=7), FaultPlan(faults, seed=8)

    resets, throttles = strikes(first, FaultName.RESET), strikes(first, FaultName.THROTTLE)

    assert strikes(again, FaultName.RESET) == resets
    assert strikes(again, FaultName.THROTTLE) == throttles
    assert throttles != resets
    assert strikes(other, FaultName.RESET) != resets


def test_a_share_is_the_same_over_http(server: SimulatorServer, exchange: Exchange, client: Any) -> None:
    def refused() -> list[int]:
        plan = {"faults": [{"name": "throttle", "times": None, "share": 0.5}], "seed": 42}
        assert requests.post(f"{server.url}/simulator/faults", json=plan, timeout=5).status_code == 200
        found = []
        for n in range(20):
            try:
                create(client)
            except TwilioRestException:
                found.append(n)
        return found

    first = refused()

    assert 2 < len(first) < 18
    assert refused() == first
    assert (
        strikes(FaultPlan([Fault(name=FaultName.THROTTLE, times=None, share=0.5)], seed=42), FaultName.THROTTLE, 20)
        == first
    )


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
