"""The page with the phones, without a browser."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from babymind.simulator.config import SimulatorConfig
from babymind.simulator.faults import Fault, FaultName
from babymind.simulator.records import NewMessage
from babymind.simulator.server import create_simulator
from babymind.simulator.state import Exchange

from .conftest import OURS, SAM, Receiver

SAMS_PAGE = "/phones/447700900001"
WRITE = f"{SAMS_PAGE}/messages"
NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


class Clock:
    """An instant that a test moves."""

    def __init__(self) -> None:
        self.instant = NOW

    def __call__(self) -> datetime:
        return self.instant


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def exchange(config: SimulatorConfig, clock: Clock) -> Iterator[Exchange]:
    with Exchange(config, now=clock) as exchange:
        exchange.add_phone(SAM, "Sam, Robin's mother")
        yield exchange


@pytest.fixture
def browser(exchange: Exchange) -> FlaskClient:
    return create_simulator(exchange).test_client()


def bubbles(page: str) -> list[tuple[str, str, str]]:
    """Return kind, text and state of every bubble."""
    found = []
    for kind, item in re.findall(r'<li class="([a-z ]+)" id="m-[SM]M[0-9a-f]{32}">(.*?)</li>', page, re.S):
        words = " ".join(re.findall(r'<p class="text"[^>]*>(.*?)</p>', item, re.S))
        meta = re.search(r'<p class="meta">(.*?)</p>', item, re.S)
        assert meta is not None
        found.append((kind, words, re.sub(r"<[^>]+>", "", meta[1]).strip()))
    return found


def test_the_list_shows_each_phone_with_its_last_text(browser: FlaskClient, exchange: Exchange) -> None:
    exchange.add_phone("+12025550147", "Jordan", "America/New_York")
    exchange.send(NewMessage(to=SAM, from_=OURS, body="What is on Robin's mind?"))
    exchange.receive("+447700900005", None, "", [("image/png", b"x")])

    page = browser.get("/").text

    assert "Sam, Robin&#39;s mother" in page
    assert "What is on Robin&#39;s mind?" in page
    assert "+1 202 555 0147" in page
    assert page.index("+447700900005") < page.index("Sam, Robin") < page.index("Jordan")
    assert '<span class="last" dir="auto">Photo</span>' in page
    assert "nothing leaves this machine" in page


def test_an_empty_simulator_says_what_to_do(config: SimulatorConfig) -> None:
    with Exchange(config) as exchange:
        page = create_simulator(exchange).test_client().get("/").text

    assert "No phone yet" in page
    assert '<details class="add" open>' in page


def test_a_phone_shows_both_sides_in_order_with_time_and_state(
    browser: FlaskClient, exchange: Exchange, clock: Clock, receiver: Receiver
) -> None:
    exchange.send(NewMessage(to=SAM, from_=OURS, body="Hello"))
    assert exchange.settle()
    clock.instant += timedelta(minutes=5)
    exchange.receive(SAM, None, "She smiled\nat the dog")
    assert exchange.settle()
    exchange.faults.set([Fault(name=FaultName.NUMBER_ERROR, code=30003)])
    exchange.send(NewMessage(to=SAM, from_=OURS, body="Are you there?"))
    assert exchange.settle()
    receiver.answers = [403]
    exchange.receive(SAM, None, "Hm")
    assert exchange.settle()
    receiver.answers = [0, 0]
    exchange.receive(SAM, None, "Hello?")
    assert exchange.settle()
    exchange.receive(SAM, None, "STOP")
    assert exchange.settle()

    shown = bubbles(browser.get(SAMS_PAGE).text)

    assert [entry[:2] for entry in shown[:5]] == [
        ("theirs", "Hello"),
        ("mine", "She smiled\nat the dog"),
        ("theirs failed", "Are you there?"),
        ("mine failed", "Hm"),
        ("mine failed", "Hello?"),
    ]
    assert [state for _, _, state in shown] == [
        "09:30 · Delivered",
        "09:35 · Received",
        "09:35 · Not delivered: unreachable destination handset (30003)",
        "09:35 · BabyMind refused it (403)",
        "09:35 · BabyMind did not answer",
        "09:35 · Received",
        "The network · 09:35 · Delivered",
    ]
    assert "STOP is in force" in browser.get(SAMS_PAGE).text


def test_days_and_hours_are_the_phones_own(browser: FlaskClient, exchange: Exchange, clock: Clock) -> None:
    exchange.add_phone(SAM, "Sam", "Pacific/Auckland")
    for days_ago in (400, 3, 1, 0):
        clock.instant = NOW - timedelta(days=days_ago)
        exchange.receive(SAM, None, f"{days_ago} days ago")
    assert exchange.settle()

    page = browser.get(SAMS_PAGE).text

    days = re.findall(r'<h2 class="day">(.*?)</h2>', page)
    assert days == ["Tuesday 21 October 2025", "Sunday 22 November", "Yesterday", "Today"]
    assert [state for _, _, state in bubbles(page)][-1] == "22:30 · Received"
    assert "22:30</time>" in browser.get("/phones").text
    clock.instant = NOW + timedelta(days=3)
    assert ">Wed</time>" in browser.get("/phones").text
    clock.instant = NOW + timedelta(days=30)
    assert ">25 Nov</time>" in browser.get("/phones").text


def test_an_answer_is_written_with_pictures_without_any_script(
    browser: FlaskClient, exchange: Exchange, receiver: Receiver
) -> None:
    answer = browser.post(
        WRITE,
        data={
            "body": "Her feet!\r\nLook",
            "photos": [(io.BytesIO(b"jpeg"), "IMG_1.jpg"), (io.BytesIO(b"bytes"), "notes.bin")],
        },
    )
    assert exchange.settle()
    page = browser.get(SAMS_PAGE).text

    assert (answer.status_code, answer.headers["Location"]) == (303, f"{SAMS_PAGE}#end")
    assert receiver.calls[0].form["Body"] == "Her feet!\nLook"
    assert receiver.calls[0].form["MediaContentType0"] == "image/jpeg"
    picture = re.search(r'<img src="(/phones/447700900001/media/ME[0-9a-f]{32})" alt="Picture 1 of 1"', page)
    assert picture is not None
    shown = browser.get(picture[1])
    assert (shown.data, shown.content_type) == (b"jpeg", "image/jpeg")
    assert shown.headers["Content-Disposition"] == "inline"
    file = re.search(r'<a class="file" href="([^"]+)">', page)
    assert file is not None
    assert browser.get(file[1]).headers["Content-Disposition"] == "attachment"


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml"])
def test_what_could_act_like_our_page_is_only_a_download(browser: FlaskClient, exchange: Exchange, kind: str) -> None:
    media = exchange.media_of(exchange.receive(SAM, None, "", [(kind, b"<script>")]).sid)[0]

    answer = browser.get(f"{SAMS_PAGE}/media/{media.sid}")

    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_video_can_be_watched(browser: FlaskClient, exchange: Exchange) -> None:
    exchange.receive(SAM, None, "", [("video/mp4", b"x")])

    assert "<video controls" in browser.get(SAMS_PAGE).text


def test_a_quick_word_is_one_press(browser: FlaskClient, exchange: Exchange) -> None:
    browser.post(WRITE, data={"quick": "STOP"})
    assert exchange.is_opted_out(SAM)

    browser.post(WRITE, data={"quick": "START"})
    assert not exchange.is_opted_out(SAM)


def test_an_empty_text_is_refused_with_the_reason(browser: FlaskClient, exchange: Exchange) -> None:
    page = browser.post(WRITE, data={"body": " "})
    fragment = browser.post(WRITE, data={"body": "x" * 1601}, headers={"X-Fragment": "1"})

    assert page.status_code == fragment.status_code == 422
    assert "at least one of either" in page.text
    assert "<html" not in fragment.text
    assert exchange.messages() == []


def test_a_refused_text_is_not_lost(browser: FlaskClient) -> None:
    page = browser.post(WRITE, data={"body": "<b>" + "x" * 1600})

    assert "&lt;b&gt;xxx" in page.text


def test_too_large_pictures_are_refused_with_the_reason(browser: FlaskClient) -> None:
    answer = browser.post(
        WRITE,
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(33 * 1024 * 1024)},
        headers={"X-Fragment": "1"},
    )

    assert answer.status_code == 413
    assert "32 MB" in answer.text


def test_a_script_gets_the_bubbles_alone(browser: FlaskClient) -> None:
    answer = browser.post(WRITE, data={"body": "Hello"}, headers={"X-Fragment": "1"})

    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert [entry[:2] for entry in bubbles(answer.text)] == [("mine", "Hello")]


@pytest.mark.parametrize("address", ["/phones", f"{SAMS_PAGE}/thread"])
def test_nothing_is_sent_again_while_nothing_is_new(browser: FlaskClient, exchange: Exchange, address: str) -> None:
    first = browser.get(address)
    same = browser.get(address, headers={"If-None-Match": first.headers["ETag"]})
    exchange.receive(SAM, None, "Hello")
    changed = browser.get(address, headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, same.status_code, changed.status_code) == (200, 304, 200)
    assert same.data == b""
    assert "Hello" in changed.text


def test_long_threads_begin_with_the_newest(browser: FlaskClient, exchange: Exchange) -> None:
    for n in range(105):
        exchange.receive(SAM, None, f"text {n}")

    short = browser.get(SAMS_PAGE).text
    more = re.search(r'<p class="more"><a href="([^"]+)">', short)
    assert more is not None
    long = browser.get(more[1]).text

    assert bubbles(short)[0][1] == "text 5"
    assert bubbles(long)[0][1] == "text 0"
    assert 'class="more"' not in long


def test_a_phone_can_be_added(browser: FlaskClient, exchange: Exchange) -> None:
    answer = browser.post("/phones", data={"number": "+44 7700 900-123", "label": "Nan"})

    assert answer.headers["Location"] == "/phones/447700900123"
    phone = exchange.phone("+447700900123")
    assert phone is not None
    assert phone.label == "Nan"


def test_a_real_number_is_never_a_phone_here(browser: FlaskClient, exchange: Exchange) -> None:
    answer = browser.post("/phones", data={"number": "+447911123456", "label": "Me"})

    assert answer.status_code == 422
    assert "reserved for fiction" in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert len(exchange.phones()) == 1


@pytest.mark.parametrize(
    "address", ["/phones/1", f"{SAMS_PAGE}/media/ME0", "/phones/447700900099/thread", "/phones/%2B1"]
)
def test_what_is_not_there_is_404(browser: FlaskClient, address: str) -> None:
    answer = browser.get(address)

    assert answer.status_code == 404
    assert "no such phone or picture" in answer.text


def test_a_picture_of_another_phone_is_not_shown(browser: FlaskClient, exchange: Exchange) -> None:
    message = exchange.receive("+447700900002", None, "", [("image/png", b"x")])

    assert browser.get(f"{SAMS_PAGE}/media/{exchange.media_of(message.sid)[0].sid}").status_code == 404


def test_hostile_texts_are_only_text(browser: FlaskClient, exchange: Exchange) -> None:
    exchange.add_phone("+447700900003", "<script>alert(1)</script>")
    exchange.receive(SAM, None, "<img src=x onerror=alert(1)> javascript:alert(1) \u202egnp.exe\x00")

    page = browser.get(SAMS_PAGE).text

    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert 'href="javascript:' not in page
    assert 'dir="auto"' in page


def test_links_in_texts_can_be_followed(browser: FlaskClient, exchange: Exchange) -> None:
    exchange.send(
        NewMessage(to=SAM, from_=OURS, body="See http://127.0.0.1:8000/f/abc.", links=("http://a.example/p.jpg",))
    )

    page = browser.get(SAMS_PAGE).text

    assert '<a href="http://127.0.0.1:8000/f/abc" rel="noopener" target="_blank">' in page
    assert '<a href="http://a.example/p.jpg"' in page


@pytest.mark.parametrize("address", ["/", SAMS_PAGE, "/phones", f"{SAMS_PAGE}/thread"])
def test_a_page_loads_nothing_but_what_is_ours(browser: FlaskClient, address: str) -> None:
    answer = browser.get(address)

    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
    assert not re.search(r" on[a-z]+=", answer.text)
    assert not re.search(r'(?:src|href)="https?:', answer.text)


def test_another_site_cannot_write_for_a_phone(browser: FlaskClient, exchange: Exchange) -> None:
    foreign = browser.post(WRITE, data={"body": "x"}, headers={"Origin": "https://evil.example"})
    opaque = browser.post(WRITE, data={"body": "x"}, headers={"Origin": "null"})
    own = browser.post(WRITE, data={"body": "x"}, headers={"Origin": "http://localhost"})
    rebound = browser.get("/", headers={"Host": "evil.example"})

    assert (foreign.status_code, opaque.status_code, own.status_code) == (403, 403, 303)
    assert rebound.status_code == 403
    assert len(exchange.messages()) == 1


def test_cut_connections_are_errors_under_a_server_that_cannot_cut(
    config: SimulatorConfig, browser: FlaskClient, exchange: Exchange
) -> None:
    exchange.faults.set([Fault(name=FaultName.RESET)])
    path = f"/2010-04-01/Accounts/{config.account_sid}/Messages.json"

    with pytest.raises(ConnectionResetError):
        browser.post(path, data={"To": SAM}, auth=(config.account_sid, config.auth_token))


def test_a_restart_makes_every_kept_page_stale(config: SimulatorConfig) -> None:
    versions = set()
    for _ in range(2):
        with Exchange(replace(config, workers=1)) as exchange:
            versions.add(exchange.version)

    assert len(versions) == 2
