"""The provider's way in: by signature only, once per message, and never a 500."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import quote, urlencode

import pytest
import waitress
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from babymind.services import receive
from babymind.services.context import Context
from babymind.services.enrol import Enrolled
from babymind.store.deliveries import Delivery, Receipt
from babymind.store.replies import Inbound, Reply
from tests.factories import rows
from tests.web.conftest import ACCOUNT, AUTH_TOKEN, PUBLIC_URL, message, signed

MESSAGES = "/webhooks/twilio/messages"
FORM = "application/x-www-form-urlencoded"


def signature_of(form: Mapping[str, str | list[str]]) -> str:
    """Sign a form in which names may come twice."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in form.items()}
    fields: MultiDict[str, str] = MultiDict([(name, value) for name, values in lists.items() for value in values])
    return str(RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + MESSAGES, fields))


def test_a_signed_message_is_kept_and_answered_with_empty_twiml(client: FlaskClient, ctx: Context) -> None:
    answer = client.open(**signed(MESSAGES, message()))

    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    assert answer.text == '<?xml version="1.0" encoding="UTF-8"?><Response/>'
    assert [row.provider_ref for row in rows(ctx, Inbound)] == ["SM" + "1" * 32]
    assert "Set-Cookie" not in answer.headers


@pytest.mark.fault(17, 18, 26)
def test_a_message_that_comes_again_is_answered_and_not_kept_again(client: FlaskClient, ctx: Context) -> None:
    answers = [client.open(**signed(MESSAGES, message(body=body))).status_code for body in ("one", "one", "another")]

    assert answers == [200, 200, 200]
    assert len(rows(ctx, Inbound)) == 1
    receive.process_new(ctx)
    assert [ctx.vault.open(reply.text_sealed) for reply in rows(ctx, Reply)] == ["one"]


def counted(client: FlaskClient, kind: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(
        (float(one.split()[-1]) for one in lines if one.startswith(f'babymind_inbound_total{{kind="{kind}"}}')), 0
    )


@pytest.mark.fault(18)
def test_the_same_id_with_other_words_is_counted_and_logged_without_them(
    client: FlaskClient, ctx: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    before = counted(client, "changed")

    for body in ("one", "one", "another"):
        client.open(**signed(MESSAGES, message(body=body)))

    assert counted(client, "changed") == before + 1
    logged = "".join(capsys.readouterr())
    assert "came again with other words" in logged
    assert "another" not in logged


def without_header(call: dict[str, object]) -> None:
    call["headers"] = {}


def wrong_token(call: dict[str, object]) -> None:
    call["headers"] = signed(MESSAGES, message(), token="another")["headers"]


def empty(call: dict[str, object]) -> None:
    call["headers"] = {"X-Twilio-Signature": ""}


def not_ascii(call: dict[str, object]) -> None:
    call["headers"] = {"X-Twilio-Signature": "ÄÖÜ"}


def two_of_them(call: dict[str, object]) -> None:
    good = signed(MESSAGES, message())["headers"]["X-Twilio-Signature"]
    call["headers"] = [("X-Twilio-Signature", good), ("X-Twilio-Signature", good)]


def joined_by_the_server(call: dict[str, object]) -> None:
    good = signed(MESSAGES, message())["headers"]["X-Twilio-Signature"]
    call["headers"] = {"X-Twilio-Signature": f"{good},{good}"}


def changed_on_the_way(call: dict[str, object]) -> None:
    call["data"] = urlencode(message(body="changed"))


def another_field(call: dict[str, object]) -> None:
    call["data"] = urlencode(message() | {"More": "1"})


def another_query(call: dict[str, object]) -> None:
    call["path"] = f"{MESSAGES}?more=1"


def for_another_host(call: dict[str, object]) -> None:
    call["headers"] = signed(MESSAGES, message(), public_url="https://evil.example")["headers"]
    call["base_url"] = "https://evil.example"


def another_account(call: dict[str, object]) -> None:
    call.update(signed(MESSAGES, message() | {"AccountSid": "AC" + "6" * 32}))


def two_accounts(call: dict[str, object]) -> None:
    form: dict[str, str | list[str]] = {**message(), "AccountSid": [ACCOUNT, "AC" + "6" * 32]}
    signature = signature_of(form)
    call["data"] = urlencode(form, doseq=True)
    call["headers"] = {"X-Twilio-Signature": signature}


def without_an_account(call: dict[str, object]) -> None:
    call.update(signed(MESSAGES, {key: value for key, value in message().items() if key != "AccountSid"}))


def json_body(call: dict[str, object]) -> None:
    call["headers"] = signed(f"{MESSAGES}?bodySHA256=00", {})["headers"]
    call.update(path=f"{MESSAGES}?bodySHA256=00", data='{"MessageSid": "SM1"}', content_type="application/json")


def multipart(call: dict[str, object]) -> None:
    call.update(data=message(), content_type="multipart/form-data")


def without_a_type(call: dict[str, object]) -> None:
    call["content_type"] = ""


def weaker_algorithm(call: dict[str, object]) -> None:
    call["headers"] = {"X-Twilio-Signature": "", "X-Twilio-Webhooks-Signature-Settings": "key=x,algorithm=NONE"}


FORGERIES = (without_header, wrong_token, empty, not_ascii, two_of_them, joined_by_the_server, changed_on_the_way,
             another_field, another_query, for_another_host, another_account, two_accounts, without_an_account,
             json_body, multipart, without_a_type, weaker_algorithm)  # fmt: skip


@pytest.mark.fault(24, 25, 27, 28, 30)
@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_what_the_provider_did_not_sign_is_refused_and_not_kept(client: FlaskClient, ctx: Context, forge) -> None:  # type: ignore[no-untyped-def]  # one of the functions above
    call = signed(MESSAGES, message())
    forge(call)

    answer = client.open(**call)

    assert (answer.status_code, answer.mimetype) == (403, "text/plain")
    assert rows(ctx, Inbound) == []


@pytest.mark.fault(24)
@pytest.mark.parametrize("forge", [without_header, empty, wrong_token, two_of_them])
def test_a_receipt_that_the_provider_did_not_sign_is_refused(client: FlaskClient, ctx: Context, forge) -> None:  # type: ignore[no-untyped-def]
    call = signed("/webhooks/twilio/status/1", message() | {"MessageStatus": "delivered"})
    forge(call)

    assert client.open(**call).status_code == 403
    assert rows(ctx, Receipt) == []


@pytest.mark.fault(28)
@pytest.mark.parametrize("query", ["", "?", "?a=1&b=2", "?b=2&a=1", "?q=%C3%A4%20%2F", "?q=a+b", "?q=1&q=2"])
def test_the_address_is_checked_as_it_was_signed(client: FlaskClient, query: str) -> None:
    call = signed(MESSAGES + query.rstrip("?"), message())
    call["path"] = MESSAGES + query

    assert client.open(**call).status_code == 200


@pytest.mark.fault(29)
def test_the_host_that_was_asked_for_does_not_matter(client: FlaskClient) -> None:
    call = signed(MESSAGES, message())

    assert client.open(**call, base_url="http://10.0.0.1:8000").status_code == 200


def test_fields_that_come_twice_are_kept(client: FlaskClient, ctx: Context) -> None:
    form: dict[str, str | list[str]] = {**message(), "Extra": ["a", "b"]}
    signature = signature_of(form)

    answer = client.post(MESSAGES, data=urlencode(form, doseq=True), content_type=FORM,
                         headers={"X-Twilio-Signature": signature})  # fmt: skip

    assert answer.status_code == 200
    assert '"Extra": ["a", "b"]' in ctx.vault.open(rows(ctx, Inbound)[0].payload_sealed)


@pytest.mark.parametrize("sid", [None, "", "SM 1", "SM\x00", "SM" + "1" * 70, "ÄÖ"])
def test_a_signed_message_without_its_id_is_refused(client: FlaskClient, ctx: Context, sid: str | None) -> None:
    form = message()
    form.pop("MessageSid") if sid is None else form.update(MessageSid=sid)

    assert client.open(**signed(MESSAGES, form)).status_code == 400
    assert client.open(**signed("/webhooks/twilio/status/1", form)).status_code == 400
    assert rows(ctx, Inbound) == []
    assert rows(ctx, Receipt) == []


@pytest.mark.fault(23, 26)
def test_a_receipt_raises_the_status_of_its_delivery(client: FlaskClient, ctx: Context, family: Enrolled) -> None:
    delivery = rows(ctx, Delivery)[0]
    path = f"/webhooks/twilio/status/{delivery.id}"

    answers = [client.open(**signed(path, message() | {"MessageStatus": told})).status_code
               for told in ("delivered", "sent", "delivered", "a new word")]  # fmt: skip

    assert answers == [204] * 4
    assert rows(ctx, Delivery)[0].status.value == "delivered"
    assert [receipt.applied for receipt in rows(ctx, Receipt)] == [True, False, False, False]


@pytest.mark.fault(22)
def test_a_receipt_of_a_delivery_that_is_not_ours_is_kept(client: FlaskClient, ctx: Context) -> None:
    path = f"/webhooks/twilio/status/{2**63 - 1}"

    assert client.open(**signed(path, message() | {"MessageStatus": "sent"})).status_code == 204
    assert rows(ctx, Receipt)[0].delivery_id is None
    assert counted(client, "stray") > 0


@pytest.mark.fault(22)
def test_a_delivery_number_that_no_database_holds_is_no_address(client: FlaskClient) -> None:
    assert client.open(**signed(f"/webhooks/twilio/status/{2**63}", message())).status_code == 404


@pytest.mark.fault(24)
def test_a_flood_of_forgeries_is_answered_shortly_and_real_calls_go_through(client: FlaskClient) -> None:
    statuses = [client.post(MESSAGES, data="a=1", content_type=FORM).status_code for _ in range(125)]

    assert statuses == [403] * 120 + [429] * 5
    assert client.open(**signed(MESSAGES, message())).status_code == 200


@pytest.mark.fault(33, 55)
@pytest.mark.parametrize("body", ["\x00", "a\x00b", "😀" * 400, "\u202egnp.exe", "A" + "\u0301" * 300, "\ufffe\uffff",
                                  "' OR 1=1 --", "=cmd|' /C calc'!A0", "\r\nSet-Cookie: a=b", "{baby}",
                                  "<script>alert(1)</script>"])  # fmt: skip
def test_odd_words_are_kept_as_they_came(client: FlaskClient, ctx: Context, family: Enrolled, body: str) -> None:
    assert client.open(**signed(MESSAGES, message(body=body))).status_code == 200

    receive.process_new(ctx)

    assert ctx.vault.open(rows(ctx, Reply)[0].text_sealed) == body


@pytest.mark.fault(32)
@pytest.mark.parametrize("raw", [b"Body=%ff%fe", b"Body=%ED%A0%80", b"Body=\xff\xfe", b"%00=%00", b"&&&&", b"a=1;b=2",
                                 b"=", b"Body=%", b"MessageSid=SM1&MessageSid=SM2"])  # fmt: skip
def test_bytes_that_are_no_text_are_never_an_error_of_ours(client: FlaskClient, ctx: Context, raw: bytes) -> None:
    whole = raw + b"&AccountSid=" + ACCOUNT.encode() + b"&MessageSid=SM3"
    with client.application.test_request_context(MESSAGES, method="POST", data=whole, content_type=FORM) as asked:
        form = asked.request.form.to_dict(flat=False)
    signature = signature_of(form)

    forged = client.post(MESSAGES, data=whole, content_type=FORM, headers={"X-Twilio-Signature": "nonsense"})
    real = client.post(MESSAGES, data=whole, content_type=FORM, headers={"X-Twilio-Signature": signature})

    assert forged.status_code == 403
    assert real.status_code == (200 if form else 403)  # what cannot be read at all is as good as unsigned
    assert len(rows(ctx, Inbound)) == int(bool(form))


@pytest.mark.fault(24)
@settings(max_examples=150)
@given(path=st.text(max_size=40), signature=st.text(max_size=60), body=st.binary(max_size=200))
def test_nothing_unsigned_is_ever_kept_or_an_error_of_ours(path: str, signature: str, body: bytes) -> None:
    client = HYPOTHESIS["client"]
    header = signature.replace("\r", "").replace("\n", "").encode("utf-8", "ignore").decode("latin-1")

    answer = client.post(
        f"{MESSAGES}?{quote(path)}", data=body, content_type=FORM, headers={"X-Twilio-Signature": header}
    )

    assert answer.status_code in (403, 429)


HYPOTHESIS: dict[str, FlaskClient] = {}


@pytest.fixture(autouse=True)
def for_hypothesis(client: FlaskClient) -> Iterator[None]:
    """Hypothesis calls a test many times with one set of fixtures, so it is handed the client here."""
    HYPOTHESIS["client"] = client
    yield
    HYPOTHESIS.clear()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(client: FlaskClient, method: str) -> None:
    assert client.open(MESSAGES, method=method).status_code == 405


@pytest.mark.fault(31)
def test_what_is_too_large_is_refused_early(client: FlaskClient, ctx: Context) -> None:
    call = signed(MESSAGES, message(body="x" * 300_000))

    assert client.open(**call).status_code == 413
    assert rows(ctx, Inbound) == []


@pytest.fixture
def served(app: Flask) -> Iterator[int]:
    """The application behind the WSGI server, on a port."""
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=8)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server.effective_port
    server.task_dispatcher.shutdown()
    server.trigger.pull_trigger(server.close)
    thread.join(10)


def post(port: int, call: dict[str, object]) -> tuple[int, bytes]:
    """Call over HTTP, as the provider does."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Content-Type": str(call["content_type"]), "Host": "elsewhere.example"}
    headers.update(call["headers"])  # type: ignore[call-overload]  # a dict of headers here
    connection.request("POST", str(call["path"]), str(call["data"]), headers)
    answer = connection.getresponse()
    result = answer.status, answer.read()
    connection.close()
    return result


@pytest.mark.fault(17)
def test_the_same_message_twenty_times_at_once_is_one_reply(served: int, ctx: Context, family: Enrolled) -> None:
    call = signed(f"{MESSAGES}?q=%C3%A4", message())
    start = threading.Barrier(20)

    def one(_: int) -> tuple[int, bytes]:
        start.wait()
        return post(served, call)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(20)))

    assert {status for status, _ in answers} == {200}
    receive.process_new(ctx)
    assert len(rows(ctx, Inbound)) == len(rows(ctx, Reply)) == 1


@pytest.mark.fault(24)
def test_a_signature_sent_twice_is_refused_behind_the_server_too(served: int, ctx: Context) -> None:
    call = signed(MESSAGES, message())
    connection = HTTPConnection("127.0.0.1", served, timeout=20)
    body = str(call["data"]).encode()
    connection.putrequest("POST", MESSAGES)
    for name, value in (("Content-Type", FORM), ("Content-Length", str(len(body)))):
        connection.putheader(name, value)
    for _ in range(2):
        connection.putheader("X-Twilio-Signature", call["headers"]["X-Twilio-Signature"])
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()

    assert status == 403
    assert rows(ctx, Inbound) == []
