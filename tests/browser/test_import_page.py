"""The page on which a spreadsheet is imported: for everybody, on a desk and on a phone, with the keyboard alone."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from babymind.services.families import list_families
from tests.browser import steps
from tests.browser.installation import Installation
from tests.browser.windows import DESKTOP, PHONE, Scheme, Size, Windows, tab_to, violations, width_of

pytestmark = pytest.mark.browser

PAGE = "/staff/families/import"
LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
HEADING = "study,family,caregiver,phone,role,baby,due_date,timezone,fact_time\n"


@pytest.fixture(scope="module")
def signed_in(browser: Browser, installation: Installation) -> StorageState:
    """The cookies of a window in which a member of the team has signed in."""
    with browser.new_context() as context:
        steps.sign_in(context.new_page(), installation)
        return context.storage_state()


def spreadsheet(at: Installation, *, phones: str) -> str:
    """A file with a family of two and one of one, and rows that cannot go in."""
    due = at.now().date() + timedelta(days=60)
    return (
        f"{HEADING}"
        f"demo,1,Sam,{phones}1,mum,Robin,{due},{at.zone.key},09:00\n"
        f"demo,1,Jo,{phones}2,dad,,,{at.zone.key},\n"
        f"demo,,{LONG},{phones}3,mother,{LONG},{due},{at.zone.key},\n"
        f"demo,,Alex,07700 900199,wizard,,03/04/2027,Europe/Londn,23:00\n"
        f"nowhere,,,{LONG * 3},mother,,{due},{at.zone.key},\n"
    )


def choose(page: Page, text: str) -> None:
    """Choose a file, as a person does."""
    file = {"name": "pilot.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("File", exact=True).set_input_files(file)  # type: ignore[arg-type]  # a dict is its FilePayload


def check(page: Page, text: str) -> None:
    """Have a file checked."""
    choose(page, text)
    page.get_by_role("button", name="Check the file").click()


@pytest.mark.parametrize(
    ("size", "scheme"),
    [(DESKTOP, "light"), (PHONE, "light"), (PHONE, "dark"), ((320, 640), "light")],
    ids=["desktop", "phone", "dark", "narrow"],
)
def test_axe_finds_nothing_at_any_step_of_an_import(
    installation: Installation, windows: Windows, signed_in: StorageState, size: Size, scheme: Scheme
) -> None:
    page = windows.open(size, scheme=scheme, signed_in=signed_in, refusals=(422,))
    found, widths = {}, {}

    def look(name: str) -> None:
        found[name], widths[name] = violations(page), width_of(page)

    page.goto(f"{installation.staff}{PAGE}")
    look("before")
    page.get_by_text("A file to start from").click()
    look("with the template open")
    check(page, "shoe size\n1\n")
    expect(page.get_by_role("alert")).to_contain_text("Nothing has been saved")
    look("a file that cannot be read")
    check(page, spreadsheet(installation, phones="+44770090040"))
    expect(page.get_by_role("heading", name="What would come of it")).to_be_visible()
    look("what would come of it")

    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert {name: width for name, width in widths.items() if width > size[0]} == {}


def test_an_import_needs_neither_mouse_nor_script(
    installation: Installation, windows: Windows, signed_in: StorageState
) -> None:
    at, page = installation, windows.open(signed_in=signed_in, javascript=False)
    before = len(list_families(at.ctx))
    page.goto(f"{at.staff}/staff/families")

    tab_to(page, page.get_by_role("main").get_by_role("link", name="Import from a file"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Import families")).to_be_visible()
    tab_to(page, page.get_by_label("File", exact=True))
    choose(page, spreadsheet(at, phones="+44770090041"))  # what the browser's own window of files does
    tab_to(page, page.get_by_label("Study of rows that name none"))
    tab_to(page, page.get_by_label("Country of numbers without +"))
    page.keyboard.type("GB")
    tab_to(page, page.get_by_role("button", name="Check the file"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What would come of it")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("3 of 5 rows can go in, as 2 families.")
    tab_to(page, page.get_by_role("region", name="What cannot go in"))  # what is wide is scrolled with the keyboard
    expect(page.get_by_role("region", name="What cannot go in")).to_contain_text("'wizard' is not a role")
    assert len(list_families(at.ctx)) == before  # nothing is written before the second button
    page.get_by_role("link", name="Skip to the page").focus()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Enrol these 2 families"))
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_contain_text("Enrolled: 3 caregivers of 2 families. 2 rows were left out.")
    assert len(list_families(at.ctx)) == before + 2
