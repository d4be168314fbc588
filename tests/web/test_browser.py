"""The staff pages in a real browser: nothing that the policy refuses, nothing that somebody cannot use."""

import logging
import threading
from collections.abc import Iterator

import pytest
import waitress
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from babymind.app import create_app
from babymind.services.context import Context
from babymind.services.enrol import Enrolled
from tests.web.conftest import PASSWORD, add_staff, receive_reply, settings_for, store_picture

pytestmark = pytest.mark.browser
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
EMAIL = "ada@team.test"


@pytest.fixture(scope="module")
def chrome(chromium: str) -> Iterator[Browser]:
    """The system's browser, started once."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def site(ctx: Context) -> Iterator[str]:
    """The application behind the WSGI server; its address."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    app = create_app(ctx, settings_for("http://127.0.0.1"))
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=8)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.task_dispatcher.shutdown()
    server.trigger.pull_trigger(lambda: [channel.handle_close() for channel in list(server.active_channels.values())])
    server.trigger.pull_trigger(server.close)
    thread.join(10)


def sign_in(page: Page, site: str) -> None:
    """Sign in by hand, and land where one wanted to go."""
    page.goto(f"{site}/staff/replies")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site}/staff/replies")


@pytest.mark.parametrize(("width", "height", "scheme"), [(390, 844, "dark"), (1280, 900, "light")])
def test_every_page_is_usable_and_within_its_policy(
    chrome: Browser, site: str, ctx: Context, family: Enrolled, width: int, height: int, scheme: str
) -> None:
    add_staff(ctx, EMAIL, "reviewer")
    reply_id = receive_reply(ctx)
    store_picture(ctx, reply_id)
    context = chrome.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(f"{site}/staff/login")
    found = {"login": Axe().run(page).response["violations"]}
    sign_in(page, site)
    for path in ("", "replies", "replies?show=all", f"replies/{reply_id}", "families", "families/new",
                 f"families/{family.study_code}"):  # fmt: skip
        page.goto(f"{site}/staff/{path}", wait_until="load")
        found[path] = Axe().run(page).response["violations"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate("getComputedStyle(document.body).colorScheme") == scheme
    context.close()

    assert {path: rules for path, rules in found.items() if rules} == {}
    assert complaints == []


@pytest.mark.parametrize("script", [True, False])
def test_a_reviewer_answers_with_and_without_script(
    chrome: Browser, site: str, ctx: Context, family: Enrolled, script: bool
) -> None:
    add_staff(ctx, EMAIL, "reviewer")
    receive_reply(ctx, "<script>document.title='broken in'</script>")
    context = chrome.new_context(java_script_enabled=script)
    page = context.new_page()

    sign_in(page, site)
    page.get_by_role("link", name="Sam").click()
    page.get_by_label("Your comment").fill("You noticed that — lovely.")
    counted = page.locator("#length").inner_text()
    page.get_by_role("button", name="Send the comment").click()
    page.get_by_text("Your comment is saved").wait_for()

    assert counted == ("26 of 480 characters, one text message." if script else
                       "At most 480 characters. The family gets it as a text message.")  # fmt: skip
    assert page.locator("#comments").get_by_text("You noticed that — lovely.").is_visible()
    assert page.title() == "Sam · BabyMind"
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/staff/login")
    context.close()
