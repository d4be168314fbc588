"""Every page, for everybody: axe finds nothing, it fits a narrow screen, and neither mouse nor script is needed."""

import re
from collections.abc import Mapping
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Locator, Page, StorageState, expect

from babymind.clock import utc_now
from babymind.demo import drawing
from babymind.domain.delivery import DeliveryStatus, Hold, Reason
from babymind.engine.base import Work
from babymind.services import caregivers, comment, enrol, life, review
from babymind.services.context import Context
from babymind.services.enrol import Enrolled, NewCaregiver, NewFamily
from babymind.store import tasks
from babymind.store.deliveries import Delivery
from babymind.store.families import LossReason
from babymind.store.studies import Arm
from babymind.store.tasks import TaskKind
from tests.browser import steps
from tests.browser.installation import EMAIL, PASSWORD, Installation, until
from tests.browser.windows import DESKTOP, PHONE, Scheme, Size, Windows, decoded_width, tab_to, violations, width_of
from tests.services import watched

pytestmark = pytest.mark.browser

ROSALIND, THEODORA, SILENT, STRANGER, GRACE, BUSY = (f"+4477009001{digits}" for digits in (61, 62, 63, 64, 81, 82))
NOBODY_ELSE = "+447700900183"
LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"  # one word, which has to break somewhere
PAGES = (
    "sign in", "today", "waiting", "all", "photo", "comment", "stopped", "stranger", "families", "family", "twins",
    "enrol", "missing", "phones", "phone", "stopped phone", "tasks", "ledger", "ledger of today", "loss told",
    "answer after a loss", "busy family", "one twin died", "birth", "dates", "pregnancies/new", "caregivers/new",
    "loss", "hold", "release", "move", "withdraw", "undo-loss", "preferences", "pause", "resume", "stop", "start",
    "number", "wrong-number", "leave", "nothing to release", "deliveries", "deliveries of yesterday",
)  # fmt: skip


@pytest.fixture(scope="module")
def signed_in(browser: Browser, installation: Installation) -> StorageState:
    """The cookies of a window in which a member of the team has signed in."""
    with browser.new_context() as context:
        steps.sign_in(context.new_page(), installation)
        return context.storage_state()


@pytest.fixture(scope="module")
def places(installation: Installation) -> Mapping[str, str]:
    """The address of every page, with something to see on each."""
    at, ctx = installation, installation.ctx
    homes = {
        phone: enrol_family(at, phone, name, babies)
        for phone, name, babies in (
            (ROSALIND, "Rosalind", ("Wilfred",)),
            (THEODORA, "Theodora", ("Beatrix", "Barnaby")),
            (SILENT, LONG, (LONG,)),
            (GRACE, "Grace", ("Ada",)),
            (BUSY, "Mina", (LONG, "")),
        )
    }
    codes = {phone: home.study_code for phone, home in homes.items()}
    ctx.engine.hint(Work.DELIVER)
    until(
        lambda: all(len(at.exchange.thread(phone)) == 2 for phone in codes)
    )  # the welcome, and of what was due the newest
    assert at.exchange.settle()
    at.exchange.receive(ROSALIND, None, "She hears the rain before I do.", [("image/jpeg", drawing(1))])
    at.exchange.receive(THEODORA, None, "Each seems to wonder where the other one went.")
    at.exchange.receive(SILENT, None, f"{LONG} {LONG * 2} https://example.org/{LONG}")
    at.exchange.receive(STRANGER, None, "Is this the baby thing?")
    at.exchange.receive(GRACE, None, "Thank you for everything.")
    until(lambda: {"She", "Each", LONG, "Is", "Thank"} <= waiting(at).keys())
    replies = waiting(at)
    comment.write(ctx, reply_id=replies["Each"], reviewer_id=1, text=f"Together! {LONG}", token="t" * 20)
    at.exchange.receive(SILENT, None, "STOP")
    until(lambda: review.thread(ctx, replies["Each"], viewer_id=1).comments[0].state is DeliveryStatus.DELIVERED)
    until(lambda: review.thread(ctx, replies[LONG], viewer_id=1).reply.stopped)
    live(at, homes)
    staff, phones = f"{at.staff}/staff", f"{at.phones}/phones"
    busy, stopped = (f"{staff}/families/{codes[phone]}" for phone in (BUSY, SILENT))
    mina, silent = (homes[phone].caregivers[0][0] for phone in (BUSY, SILENT))
    return {
        **{name: f"{busy}/{name}" for name in ("birth", "dates", "pregnancies/new", "caregivers/new", "loss", "hold",
                                               "release", "move", "withdraw")},
        **{name: f"{busy}/caregivers/{mina}/{name}" for name in ("preferences", "pause", "resume", "stop", "number",
                                                                 "wrong-number", "leave")},
        "start": f"{stopped}/caregivers/{silent}/start",
        "undo-loss": f"{staff}/families/{codes[GRACE]}/undo-loss",
        "nothing to release": f"{stopped}/release",
        "tasks": f"{staff}/tasks",
        "ledger": f"{staff}/ledger?day={at.now().date()}",
        "ledger of today": f"{staff}/ledger",
        "deliveries": f"{staff}/deliveries",
        "deliveries of yesterday": f"{staff}/deliveries?day={utc_now().date() - timedelta(days=1)}",
        "loss told": f"{staff}/families/{codes[GRACE]}",
        "answer after a loss": f"{staff}/replies/{replies['Thank']}",
        "busy family": busy,
        "one twin died": f"{staff}/families/{codes[THEODORA]}",
        "sign in": f"{staff}/login",
        "today": f"{staff}/",
        "waiting": f"{staff}/replies",
        "all": f"{staff}/replies?show=all",
        "photo": f"{staff}/replies/{replies['She']}",
        "comment": f"{staff}/replies/{replies['Each']}",
        "stopped": f"{staff}/replies/{replies[LONG]}",
        "stranger": f"{staff}/replies/{replies['Is']}",
        "families": f"{staff}/families",
        "family": f"{staff}/families/{codes[SILENT]}",
        "twins": f"{staff}/families/{codes[THEODORA]}",
        "enrol": f"{staff}/families/new",
        "missing": f"{staff}/nowhere",
        "phones": at.phones,
        "phone": f"{phones}/{ROSALIND.removeprefix('+')}",
        "stopped phone": f"{phones}/{SILENT.removeprefix('+')}",
    }  # fmt: skip


def live(at: Installation, homes: Mapping[str, Enrolled]) -> None:
    """Let life happen to some families."""
    ctx, today = at.ctx, at.now().date()
    life.tell_loss(ctx, homes[GRACE].study_code, reason=LossReason.STILLBIRTH, actor="staff:1")
    life.tell_loss(ctx, homes[THEODORA].study_code, babies=[2], actor="staff:1")
    code, mina = homes[BUSY].study_code, homes[BUSY].caregivers[0][0]
    unborn = life.add_pregnancy(ctx, code, babies=["Bean"], due_on=today + timedelta(days=30), actor="staff:1")
    life.add_pregnancy(ctx, code, babies=["Pip"], due_on=today + timedelta(days=40), actor="staff:1")
    life.hold(ctx, code, why=Hold.ILL, pregnancy_id=unborn, actor="staff:1")
    other = NewCaregiver(name=LONG, phone=NOBODY_ELSE, role="grandparent", zone=at.zone.key)
    caregivers.wrong_number_by_staff(
        ctx, caregivers.add_caregiver(ctx, code, other, actor="staff:1"), actor="staff:1"
    )
    caregivers.pause_by_staff(ctx, mina, days=5, actor="staff:1")
    watch(ctx, homes[ROSALIND].caregivers[0][0])
    with ctx.sessions.begin() as session:
        session.add(Arm(study_id=1, slug="control", name="Control", gets_facts=False, gets_prompts=False))
        for kind in TaskKind:
            family_id = None if kind is TaskKind.LEDGER else homes[BUSY].family_id
            tasks.ask(session, kind, f"page:{kind}", now=utc_now(), family_id=family_id, day=str(today), study="demo",
                      zone=at.zone.key, missing=1, stuck=0)  # fmt: skip
        # So that the ledger of the day does not add up.
        caregiver_id = homes[ROSALIND].caregivers[0][0]
        session.delete(
            session.query(Delivery).filter_by(caregiver_id=caregiver_id, kind="fact", local_day=today).one()
        )


def watch(ctx: Context, caregiver_id: int) -> None:
    """Let something be the matter with some deliveries, and with a sender that nobody is written to from."""
    now = utc_now()
    for attempts in (1, 3):
        watched.park(ctx, caregiver_id, now=now, attempts=attempts, error_code=30003)
    watched.park(ctx, caregiver_id, now=now, window_ends_at=now)
    for reason, number in ((Reason.GAVE_UP, None), (Reason.REFUSED, 21617), (Reason.CONTENT_MISSING, None)):
        watched.delivery(ctx, caregiver_id, now=now, status=DeliveryStatus.FAILED, reason=reason, error_code=number)
    watched.stop_sender(ctx, until=now + timedelta(days=1))


@pytest.mark.parametrize(
    ("size", "scheme"), [(DESKTOP, "light"), (PHONE, "light"), (PHONE, "dark")], ids=["desktop", "phone", "dark"]
)
def test_axe_finds_nothing_on_any_page(
    windows: Windows, places: Mapping[str, str], signed_in: StorageState, size: Size, scheme: Scheme
) -> None:
    team = windows.open(size, scheme=scheme, signed_in=signed_in, refusals=(404,))
    anybody = windows.open(size, scheme=scheme)
    found = {}

    for name in PAGES:
        page = anybody if name == "sign in" else team
        page.goto(places[name])
        assert width_of(page) <= size[0], f"{name} scrolls sideways"
        found[name] = violations(page)

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_axe_finds_nothing_on_a_page_that_refuses(
    windows: Windows, places: Mapping[str, str], signed_in: StorageState
) -> None:
    team, anybody = windows.open(PHONE, signed_in=signed_in, refusals=(422,)), windows.open(PHONE)
    found = {}

    team.goto(places["enrol"])
    send_nothing(team)
    found["answers missing"] = violations(team)
    team.goto(places["enrol"])
    for label, typed in (("Name", "Sam"), ("Mobile number", "12"), ("Birth date", "2020-02-20")):
        team.get_by_label(label, exact=True).fill(typed)
    team.get_by_role("checkbox").first.check()
    team.get_by_role("button", name="Enrol the family").click()
    expect(team.get_by_role("alert")).to_contain_text("Nothing has been saved")
    found["a number that is none"] = violations(team)
    anybody.goto(places["sign in"])
    anybody.get_by_label("E-mail address").fill(EMAIL)
    anybody.get_by_label("Password").fill("not this one, surely")
    anybody.get_by_role("button", name="Sign in").click()
    expect(anybody.get_by_role("alert")).to_contain_text("do not belong together")
    found["another password"] = violations(anybody)

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_axe_finds_nothing_on_a_refusal_about_a_family(
    windows: Windows, places: Mapping[str, str], signed_in: StorageState
) -> None:
    page = windows.open(PHONE, signed_in=signed_in, refusals=(409, 422))
    found = {}

    for name, button, sentence in (
        ("loss", "Save", "Mark which baby it is about."),
        ("birth", "Record the birth", "Give the day of the birth."),
        ("caregivers/new", "Add the caregiver", "Give the caregiver's name."),
        ("undo-loss", "Undo the loss", "why the loss is undone."),
        ("withdraw", "Withdraw the family", "Ask the family, and choose one of these."),
        ("tasks", "Done: Erase what a family gave us", "Say in a few words, without names, what was done."),
    ):
        page.goto(places[name])
        send(page, button)
        expect(page.get_by_text(sentence)).to_be_visible()
        found[name] = violations(page)
    page.goto(places["pause"])
    page.get_by_label("For how many days").fill("91")
    send(page, "Pause messages")
    expect(page.get_by_role("alert")).to_contain_text("A pause lasts 1 to 90 days")
    found["pause"] = violations(page)
    page.goto(places["answer after a loss"])
    steps.comment_box(page).fill("Thinking of you.")
    send(page, "Send the comment")
    expect(page.get_by_role("alert")).to_contain_text("This family has told us that a baby died.")
    expect(page.get_by_label("I know that this family")).to_have_accessible_description(re.compile("a baby died"))
    found["comment"] = violations(page)

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_no_page_breaks_its_policy_while_our_own_styles_are_on_their_way(
    windows: Windows, places: Mapping[str, str], signed_in: StorageState
) -> None:
    page = windows.open(signed_in=signed_in, refusals=(404, 422))
    page.route("**/babymind.css", lambda route: route.fulfill(body="", content_type="text/css"))

    for name in PAGES:
        page.goto(places[name])
    page.goto(places["enrol"])
    page.get_by_role("checkbox").first.check()
    send_nothing(page)

    assert windows.complaints == []  # Bootstrap's own styles draw with data: images, which the policy refuses


def test_no_page_scrolls_sideways_at_320_pixels(
    windows: Windows, places: Mapping[str, str], signed_in: StorageState
) -> None:
    team = windows.open((320, 640), signed_in=signed_in, refusals=(404,))
    anybody = windows.open((320, 640))
    widths = {}

    for name in PAGES:
        page = anybody if name == "sign in" else team
        page.goto(places[name])
        widths[name] = width_of(page)

    assert {name: width for name, width in widths.items() if width > 320} == {}


def test_the_keyboard_is_enough(installation: Installation, windows: Windows, places: Mapping[str, str]) -> None:
    page, words = windows.open(), "He likes the click of the keys."
    installation.exchange.receive(ROSALIND, None, words)

    page.goto(places["today"])
    tab_to(page, page.get_by_label("E-mail address"))
    page.keyboard.type(EMAIL)
    tab_to(page, page.get_by_label("Password"))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()
    tab_to(page, page.get_by_role("navigation").get_by_role("link", name="Replies"))
    page.keyboard.press("Enter")
    steps.see(page, steps.queued(page, words))
    tab_to(page, steps.queued(page, words).get_by_role("link"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="The reply")).to_contain_text(words)
    tab_to(page, page.get_by_role("link", name="Skip to the page"))
    page.keyboard.press("Enter")
    tab_to(page, steps.comment_box(page))
    page.keyboard.type("Without a mouse.")
    tab_to(page, page.get_by_role("button", name="Send the comment"))
    page.keyboard.press("Enter")

    expect(page.get_by_role("region", name="Comments")).to_contain_text("Without a mouse.")


def test_deciding_about_deliveries_needs_neither_mouse_nor_script(
    installation: Installation, windows: Windows, places: Mapping[str, str], signed_in: StorageState
) -> None:
    at, phone = installation, "+447700900167"
    home = enrol_family(at, phone, "Nell", ("Kit",))
    asked, kept, dropped = (watched.park(at.ctx, home.caregivers[0][0], now=utc_now()) for _ in range(3))
    page = windows.open(signed_in=signed_in, javascript=False)
    page.goto(places["today"])
    tab_to(page, page.get_by_role("navigation").get_by_role("link", name="Deliveries"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Deliveries")).to_be_visible()

    def entry(number: int) -> Locator:
        return page.get_by_role("listitem").filter(has=page.locator(f"form[action*='/{number}/']"))

    def press(number: int, words: str, says: str) -> None:
        tab_to(page, entry(number).get_by_role("button", name=words))
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(says)

    tab_to(page, entry(kept).locator("summary"))
    page.keyboard.press("Enter")
    expect(entry(kept).get_by_text(watched.NOT_SAID)).to_be_visible()
    press(asked, "Ask the provider again", "asked again within a minute")
    press(kept, "It did not arrive: send it again", "goes within a minute")
    press(dropped, "Give up", "given up")
    until(lambda: "Guess who?" in [one.body for one, _ in at.exchange.thread(phone)])


def test_family_life_needs_neither_mouse_nor_script(
    installation: Installation, windows: Windows, places: Mapping[str, str], signed_in: StorageState
) -> None:
    at, phone = installation, "+447700900169"
    home = enrol_family(at, phone, "Ottilie", ("Ida", "Otto"))
    page = windows.open(signed_in=signed_in, javascript=False, refusals=(422,))
    page.goto(f"{at.staff}/staff/families/{home.study_code}")

    def follow(name: str) -> None:
        tab_to(page, page.get_by_role("main").get_by_role("link", name=name, exact=True))
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()

    def press(name: str, says: str) -> None:
        tab_to(page, page.get_by_role("button", name=name))
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(says)

    follow("Pause messages")
    tab_to(page, page.get_by_label("For how many days"))
    page.keyboard.type("3")
    press("Pause messages", "Messages are paused until")
    follow("Change times and wishes")
    tab_to(page, page.get_by_label("Wants the fact of the day"))
    page.keyboard.press("Space")
    press("Save", "The wishes are saved")
    expect(page.get_by_role("main")).to_contain_text("not wanted")
    follow("Record a loss")
    tab_to(page, page.get_by_label("Otto"))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_label("they did not say what happened"))
    page.keyboard.press("ArrowUp")
    press("Save", "Everything has stopped, for every caregiver")
    expect(page.get_by_role("region", name="How it stands")).to_contain_text("The baby died after birth.")
    follow("End a hold")
    tab_to(page, page.get_by_label("Why messages go on"))
    page.keyboard.type("spoke with the mother")
    press("End the hold", "The hold is ended.")
    tab_to(page, page.get_by_role("region", name="History"))  # what is wide is scrolled with the keyboard too
    expect(page.get_by_role("region", name="History")).to_contain_text("spoke with the mother")

    page.goto(places["tasks"])
    done = page.get_by_role("listitem").filter(has_text=home.study_code)
    tab_to(page, done.get_by_label("What was done"))
    page.keyboard.type("Spoke with the mother")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The task is done")
    expect(done).to_have_count(0)
    assert len(at.exchange.thread(phone)) <= 2  # the welcome and the prompt, and nothing of all this


def test_the_story_needs_no_script(installation: Installation, windows: Windows) -> None:
    at, team, phone = installation, windows.open(javascript=False), windows.open(PHONE, javascript=False)
    home = steps.home_of(at, "Philippa", "Cuthbert", "+447700900165", age_days=20)

    steps.sign_in(team, at)
    family_page = steps.enrol(team, at, home)
    steps.open_phone(phone, at, home)
    for number, moment in enumerate((home.fact_at, home.prompt_at), 1):  # the welcome is there before them
        at.move_to(moment + timedelta(minutes=1))
        steps.see(phone, steps.texts(phone).nth(number))
    steps.answer(phone, "No script at all.")
    assert decoded_width(steps.sent(phone).get_by_role("img")) > 0

    steps.go_to(team, "Replies")
    steps.see(team, steps.queued(team, "No script at all.").get_by_role("img"))
    steps.queued(team, "No script at all.").get_by_role("link").click()
    assert decoded_width(team.get_by_role("region", name="The reply").get_by_role("img")) > 0
    steps.comment(team, "None here either.")
    steps.see(team, team.get_by_role("region", name="Comments").get_by_text("delivered", exact=True))
    steps.see(phone, steps.texts(phone).filter(has_text="None here either."))

    phone.get_by_role("button", name="STOP").click()
    expect(phone.get_by_text("STOP is in force")).to_be_visible()
    steps.see(team, team.get_by_text(re.compile("has stopped messages, so nothing can be sent")))
    expect(steps.comment_box(team)).to_have_count(0)
    phone.get_by_role("button", name="START").click()
    expect(phone.get_by_text("STOP is in force")).to_be_hidden()
    team.goto(family_page)
    steps.see(team, team.get_by_text("gets messages"))


def enrol_family(at: Installation, phone: str, name: str, babies: tuple[str, ...]) -> Enrolled:
    """Enrol a family whose fact and prompt are due already."""
    times = [f"{at.now() - timedelta(minutes=minutes):%H:%M}" for minutes in (30, 5)]
    caregiver = NewCaregiver(
        name=name, phone=phone, role="mother", zone=at.zone.key, fact_time=times[0], prompt_time=times[1]
    )
    at.exchange.add_phone(phone, name, at.zone.key)
    family = NewFamily(
        study="demo", caregivers=[caregiver], babies=babies, born_on=at.now().date() - timedelta(days=20),
        starts_at=utc_now() - timedelta(days=1),
    )  # fmt: skip
    return enrol.enrol(at.ctx, family)


def send(page: Page, button: str) -> None:
    """Send a form as it is, past the browser's own checks."""
    page.get_by_role("main").locator("form").evaluate_all("all => all.forEach(form => { form.noValidate = true; })")
    page.get_by_role("button", name=button).click()


def send_nothing(page: Page) -> None:
    """Send the form of a new family as it is."""
    send(page, "Enrol the family")
    expect(page.get_by_role("alert")).to_contain_text("Nothing has been saved")


def waiting(at: Installation) -> dict[str, int]:
    """Return the replies that wait with all their pictures, by their first word."""
    return {
        reply.text.split()[0]: reply.id
        for reply in review.queue(at.ctx).replies
        if all(picture.token for picture in reply.pictures)
    }
