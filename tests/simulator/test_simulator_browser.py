"""The page with the phones in a real browser: it lives, it can be used by keyboard, and axe finds nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

from babymind.simulator.records import NewMessage
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange

from .conftest import OURS, SAM, Receiver

CHROMIUM = Path("/usr/bin/chromium")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium at /usr/bin/chromium"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        yield browser
        browser.close()


@pytest.fixture(params=[(390, 844, "light"), (1280, 900, "dark")], ids=["phone", "desktop"])
def page(chromium: Any, server: SimulatorServer, request: pytest.FixtureRequest) -> Iterator[Page]:
    # Depends on the server so that it goes first: a page that polls a dead server complains.
    width, height, scheme = request.param
    # Without motion, so that no colour is judged halfway through a fade.
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "net::ERR_FAILED" not in message.text:  # what a test cuts on purpose
            complaints.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def assert_accessible(page: Page) -> None:
    violations = Axe().run(page).response["violations"]
    assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_parent_reads_and_answers(
    page: Page, server: SimulatorServer, exchange: Exchange, receiver: Receiver, tmp_path: Path
) -> None:
    exchange.add_phone(SAM, "Sam, Robin's mother")
    exchange.send(NewMessage(to=SAM, from_=OURS, body="What is on Robin's mind?"))
    photo = tmp_path / "photo.png"
    photo.write_bytes(PNG)

    page.goto(server.url)
    assert_accessible(page)
    page.get_by_role("link", name="Sam, Robin's mother").click()
    expect(page.get_by_text("What is on Robin's mind?").last).to_be_visible()

    page.get_by_label("Add pictures").set_input_files([photo])
    page.get_by_label("Text to BabyMind").fill("Her feet!")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("img", name="Picture 1 of 1")).to_be_visible()
    expect(page.get_by_label("Text to BabyMind")).to_have_value("")
    assert receiver.wait_for(1)[0].form["NumMedia"] == "1"

    exchange.send(NewMessage(to=SAM, from_=OURS, body="Thank you, Sam."))  # arrives without a reload
    expect(page.locator(".theirs .bubble", has_text="Thank you, Sam.")).to_be_visible()
    expect(page.locator("#news")).to_contain_text("Thank you, Sam.")
    expect(page.locator(".theirs .meta").last).to_contain_text("Delivered")

    page.get_by_role("button", name="STOP").click()
    expect(page.get_by_text("STOP is in force")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="START").click()
    expect(page.get_by_text("STOP is in force")).to_be_hidden()


def test_the_keyboard_is_enough(page: Page, server: SimulatorServer, exchange: Exchange) -> None:
    exchange.add_phone(SAM, "Sam")
    page.goto(f"{server.url}/phones/447700900001")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the phone")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_label("Text to BabyMind").focus()
    page.keyboard.type("By keyboard")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Send")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator(".mine .bubble", has_text="By keyboard")).to_be_visible()


def test_an_error_is_told_where_it_happened(page: Page, server: SimulatorServer, exchange: Exchange) -> None:
    exchange.add_phone(SAM, "Sam")
    page.goto(f"{server.url}/phones/447700900001")

    page.route("**/messages", lambda route: route.abort())
    page.get_by_role("button", name="HELP").click()

    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    page.unroute("**/messages")
    page.get_by_role("button", name="HELP").click()
    expect(page.locator(".mine .bubble", has_text="HELP")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()
