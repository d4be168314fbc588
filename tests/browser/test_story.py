"""One family's day, from end to end, in a browser and on real parts."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from babymind.domain.age import Stage
from babymind.domain.schedule import instant_of
from babymind.library.bank import Library
from babymind.library.values import ContentKind
from babymind.services import deliver, export
from tests.browser.installation import Installation
from tests.browser.steps import (
    answer,
    comment,
    comment_box,
    enrol,
    go_to,
    home_of,
    open_phone,
    queued,
    see,
    sent,
    sign_in,
    texts,
)
from tests.browser.windows import DESKTOP, PHONE, Windows, decoded_width

pytestmark = pytest.mark.browser

SCREENSHOTS = Path(__file__).parents[2] / "var" / "screenshots"
CAREGIVER, BABY, NUMBER = "Rosalind", "Wilfred", "+447700900177"
WORDS = "He frowned at the saucepan as if it had said something rude."
COMMENT = "What a careful listener! I wonder what he expected the saucepan to say."


def test_a_family_s_day(installation: Installation, windows: Windows, library: Library, tmp_path: Path) -> None:
    at = installation
    team, phone = windows.open(), windows.open()

    # A member of the team signs in and enrols a family.
    home = home_of(at, CAREGIVER, BABY, NUMBER, age_days=a_day_with_names(library))
    sign_in(team, at)
    family_page = enrol(team, at, home)

    # The phone shows the welcome, and, when their times have come, the fact and the prompt of the day.
    at.tick()
    open_phone(phone, at, home)
    expect(texts(phone)).to_have_count(1)
    at.move_to(home.fact_at + timedelta(minutes=1))
    expect(texts(phone)).to_have_count(2)
    at.move_to(home.prompt_at + timedelta(minutes=1))
    expect(texts(phone)).to_contain_text([BABY, BABY, BABY])
    expect(texts(phone).filter(has_text="Delivered")).to_have_count(3)
    prompt = texts(phone).last.locator(".text").inner_text()

    # The parent answers with words and a photo.
    answer(phone, WORDS)
    expect(sent(phone).last).to_contain_text("Received")
    keep(phone, "phone")

    # The queue shows the answer, with the baby's age and the prompt.
    go_to(team, "Replies")
    see(team, queued(team, WORDS).get_by_role("img"))
    expect(queued(team, WORDS)).to_contain_text(f"{home.age_days} days old")
    expect(queued(team, WORDS)).to_contain_text(prompt)
    keep(team, "queue")

    # The thread shows the words and the photo; a comment goes back to the phone.
    queued(team, WORDS).get_by_role("link").click()
    expect(team.get_by_role("region", name="The prompt")).to_contain_text(prompt)
    reply = team.get_by_role("region", name="The reply")
    expect(reply).to_contain_text(WORDS)
    assert decoded_width(reply.get_by_role("img")) > 0
    comment(team, COMMENT)
    expect(texts(phone).last).to_contain_text(COMMENT)
    thread_page, comments = team.url, team.get_by_role("region", name="Comments")
    expect(comments).to_contain_text(COMMENT)
    see(team, comments.get_by_text("delivered", exact=True))
    keep(team, "thread")

    # Next morning's slots are planned when the parent texts STOP.
    tomorrow = home.fact_at.date() + timedelta(days=1)
    fact_at, prompt_at = (instant_of(tomorrow, slot.time(), at.zone) for slot in (home.fact_at, home.prompt_at))
    at.move_to(fact_at - timedelta(minutes=10))
    team.goto(family_page)
    ledger = (
        team.get_by_role("region", name="Last deliveries")
        .get_by_role("row")
        .filter(has_text=f"{tomorrow.day} {tomorrow:%b}")
    )
    expect(ledger.filter(has_text="planned")).to_have_count(2)
    phone.get_by_role("button", name="STOP").click()
    expect(phone.get_by_text("STOP is in force")).to_be_visible()

    # The team sees it, and can send nothing; nothing more is sent.
    see(team, team.get_by_text("has stopped messages"))
    expect(ledger.filter(has_text="stopped by the caregiver")).to_have_count(2)
    team.goto(f"{at.staff}/staff/replies?show=all")
    expect(queued(team, WORDS)).to_contain_text("has stopped messages")
    team.goto(thread_page)
    expect(team.get_by_role("article")).to_contain_text("has stopped messages")
    expect(comment_box(team)).to_have_count(0)
    at.move_to(fact_at + timedelta(minutes=10))
    assert not deliver.deliver_due(at.ctx)
    expect(texts(phone)).to_have_count(4)

    # START brings it back: what is still to come today is sent, what was missed is not.
    phone.get_by_role("button", name="START").click()
    expect(phone.get_by_text("STOP is in force")).to_be_hidden()
    see(team, comment_box(team))
    at.move_to(prompt_at + timedelta(minutes=1))
    expect(texts(phone)).to_have_count(5)
    expect(texts(phone).last).to_contain_text("Delivered")
    team.goto(family_page)
    expect(ledger.filter(has_text="fact")).to_contain_text("stopped by the caregiver")
    see(team, ledger.filter(has_text="prompt").filter(has_text="delivered"))

    # The export of the study knows what happened, and nothing of who they are and what they said.
    manifest = export.export(at.ctx, "demo", tmp_path / "export")
    assert manifest["rows"] == {"participants": 1, "deliveries": 6, "replies": 3, "comments": 1}
    exported = "\n".join(file.read_text(encoding="utf-8") for file in sorted((tmp_path / "export").iterdir())).lower()
    assert "comment" in exported
    private = (CAREGIVER, BABY, NUMBER, NUMBER.removeprefix("+44"), WORDS, COMMENT, "saucepan", "frowned")
    assert [word for word in private if word.lower() in exported] == []


def a_day_with_names(library: Library) -> int:
    """Return a day after birth on which both the fact and the prompt say the baby's name."""
    return next(
        day
        for day in range(7, 28)
        if all(
            (item := library.item_on("en-GB", kind, Stage.INFANT, day)) and "{baby" in item.text
            for kind in (ContentKind.FACT, ContentKind.PROMPT)
        )
    )


def keep(page: Page, name: str) -> None:
    """Keep a picture of a page as it is on a desk and on a phone."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for suffix, (width, height) in (("phone", PHONE), ("desktop", DESKTOP)):
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=SCREENSHOTS / f"{name}-{suffix}.png", full_page=True, animations="disabled")
