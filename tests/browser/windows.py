"""Browser windows that note whatever a page does wrong, and what a test asks of every page."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, StorageState, expect

Size = tuple[int, int]
Scheme = Literal["light", "dark"]
DESKTOP: Size = (1280, 900)
PHONE: Size = (390, 844)
MOST_TABS = 60


@dataclass(slots=True)
class Windows:
    """Opens windows; an error in the console, a broken policy and a request to elsewhere are complaints."""

    browser: Browser
    own: frozenset[str]  # host and port of each server of ours
    complaints: list[str] = field(default_factory=list)
    _open: list[BrowserContext] = field(default_factory=list)

    def open(
        self,
        size: Size = DESKTOP,
        *,
        scheme: Scheme = "light",
        javascript: bool = True,
        signed_in: StorageState | None = None,
        refusals: tuple[int, ...] = (),
    ) -> Page:
        """Open a window with cookies of its own; of the HTTP codes in ``refusals`` it does not complain."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            reduced_motion="reduce",  # so that no colour is judged halfway through a fade
            java_script_enabled=javascript,
            storage_state=signed_in,
        )
        context.set_default_timeout(10_000)
        self._open.append(context)
        page = context.new_page()

        def listen(message: ConsoleMessage) -> None:  # broken content policies are told here too
            if message.type == "error" and not any(f"status of {code} " in message.text for code in refusals):
                self.complaints.append(f"{page.url}: {message.text}")

        def ask(url: str) -> None:
            parts = urlsplit(url)
            if parts.scheme not in {"data", "blob"} and parts.netloc not in self.own:
                self.complaints.append(f"{page.url} asked for {url}")

        page.on("console", listen)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        context.on("request", lambda request: ask(request.url))
        return page

    def close(self) -> None:
        """Close them all."""
        for context in self._open:
            context.close()


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with a page."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]


def width_of(page: Page) -> int:
    """Return how wide a page wants to be, in CSS pixels."""
    return int(page.evaluate("document.documentElement.scrollWidth"))


def decoded_width(picture: Locator) -> int:
    """Return how many pixels wide a picture is once it is really decoded; fails where it cannot be."""
    picture.scroll_into_view_if_needed()
    return int(picture.evaluate("image => image.decode().then(() => image.naturalWidth)"))


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the focus is on something, and see that it shows."""
    expect(target).to_be_visible()
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            assert target.evaluate(SHOWS_FOCUS), f"the focus on {target} cannot be seen"
            return
    raise AssertionError(f"{MOST_TABS} times Tab does not lead to {target}")


SHOWS_FOCUS = """element => [null, "::after"].some(part => {
    const style = getComputedStyle(element, part);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
})"""
