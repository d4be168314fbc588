"""What people do on the pages, in the words of the story."""

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as NotYetError

from babymind.demo import drawing
from tests.browser.installation import EMAIL, PASSWORD, WAIT_SECONDS, Installation

LOOK_MS = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A family as its member of staff knows it: one caregiver, one baby."""

    caregiver: str
    baby: str
    phone: str
    age_days: int
    fact_at: datetime
    prompt_at: datetime


def home_of(at: Installation, caregiver: str, baby: str, phone: str, age_days: int) -> Home:
    """Return a family whose fact is due in a moment, and its prompt half an hour later."""
    fact_at = (at.now() + timedelta(minutes=2)).replace(second=0, microsecond=0)
    prompt_at = fact_at + timedelta(minutes=30)
    at.exchange.add_phone(phone, f"{caregiver}, {baby}'s mother", at.zone.key)
    return Home(caregiver=caregiver, baby=baby, phone=phone, age_days=age_days, fact_at=fact_at, prompt_at=prompt_at)


def sign_in(page: Page, at: Installation) -> None:
    """Sign in; any staff page asks for it."""
    page.goto(f"{at.staff}/staff/")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()


def go_to(page: Page, name: str) -> None:
    """Go to one of the pages that the top of every page leads to."""
    page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def enrol(page: Page, at: Installation, home: Home) -> str:
    """Enrol a family on the page, and return the address of its own page."""
    go_to(page, "Families")
    page.get_by_role("link", name="Enrol a family").click()
    page.get_by_role("group", name="Baby", exact=True).get_by_role("textbox").first.fill(home.baby)
    page.get_by_label("Birth date").fill(str(home.fact_at.date() - timedelta(days=home.age_days)))
    page.get_by_label("Name", exact=True).fill(home.caregiver)
    page.get_by_label("Who they are to the baby").select_option("mother")
    page.get_by_label("Mobile number").fill(home.phone)
    page.get_by_label("Time zone").fill(at.zone.key)
    page.get_by_label("Time of the fact").fill(f"{home.fact_at:%H:%M}")
    page.get_by_label("Time of the prompt").fill(f"{home.prompt_at:%H:%M}")
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Enrol the family").click()
    expect(page.get_by_text("The family is enrolled")).to_be_visible()
    return page.url


def open_phone(page: Page, at: Installation, home: Home) -> None:
    """Take the family's phone."""
    page.goto(at.phones)
    page.get_by_role("link", name=home.caregiver).click()
    expect(page.get_by_role("heading", level=1, name=home.caregiver)).to_be_visible()


def texts(phone: Page) -> Locator:
    """Return what BabyMind has texted to a phone, the oldest first."""
    return phone.get_by_role("region", name="Texts").get_by_role("listitem").filter(has_text="BabyMind:")


def sent(phone: Page) -> Locator:
    """Return what a phone has texted to BabyMind, the oldest first."""
    return phone.get_by_role("region", name="Texts").get_by_role("listitem").filter(has_text="This phone:")


def answer(phone: Page, words: str) -> None:
    """Answer with words and a drawn photo."""
    photo = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": drawing(1)}
    phone.get_by_label("Add pictures").set_input_files(photo)  # type: ignore[arg-type]  # a dict is its FilePayload
    phone.get_by_label("Text to BabyMind").fill(words)
    phone.get_by_role("button", name="Send").click()
    expect(sent(phone).last).to_contain_text(words)


def comment_box(page: Page) -> Locator:
    """Return where a comment is written on the page of a thread."""
    return page.get_by_role("textbox", name=re.compile("comment", re.IGNORECASE))


def comment(page: Page, words: str) -> None:
    """Write a comment and send it."""
    comment_box(page).fill(words)
    page.get_by_role("button", name="Send the comment").click()
    expect(page.get_by_role("status")).to_contain_text("Your comment")


def queued(page: Page, words: str) -> Locator:
    """Return the entry of a reply in the queue."""
    return page.get_by_role("main").get_by_role("listitem").filter(has_text=words)


def see(page: Page, wanted: Locator) -> None:
    """Load a page again until something is on it, but not for ever."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            wanted.first.wait_for(timeout=LOOK_MS)
        except NotYetError:
            if time.monotonic() > deadline:
                raise
            page.reload()
        else:
            return
