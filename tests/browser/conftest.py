"""A browser, an installation for it to visit, and windows that a test need not close."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.installation import Installation, running
from tests.browser.windows import Windows

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


# One for each module: two at once in a process are more than Playwright's synchronous interface allows.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Installation]:
    """All parts of BabyMind and the phone simulator, running."""
    with running(tmp_path_factory.mktemp("installation"), sqlite_template) as installation:
        yield installation


@pytest.fixture
def windows(browser: Browser, installation: Installation) -> Iterator[Windows]:
    """Windows on the installation; the test fails if a page in one of them did something wrong."""
    own = frozenset(urlsplit(url).netloc for url in (installation.staff, installation.phones))
    windows = Windows(browser, own)
    yield windows
    windows.close()
    assert windows.complaints == []
