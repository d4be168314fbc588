"""What a person does for a family on its pages: each action does it, and a refusal says why and changes nothing."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from babymind.domain.delivery import DeliveryStatus, Hold, Messaging, Reason
from babymind.services import caregivers, content, enrol, enrolments, life
from babymind.services.context import Context
from babymind.services.enrol import Enrolled, NewCaregiver, NewFamily
from babymind.store.base import Base
from babymind.store.deliveries import Delivery
from babymind.store.families import (
    Address,
    Caregiver,
    ClosedWhy,
    Consent,
    Infant,
    LossReason,
    Pregnancy,
    PregnancyStage,
    PregnancyStatus,
)
from babymind.store.staff import AuditEvent
from babymind.store.studies import Arm, DataChoice, Enrolment, EnrolmentStatus
from babymind.store.tasks import Task, TaskKind
from babymind.web.family_actions import CAREGIVER_ACTIONS, FAMILY_ACTIONS
from tests.factories import change, daily, rows
from tests.web.conftest import enrol_family, receive_reply, shown, token_in

TABLES: tuple[type[Base], ...] = (Caregiver, Address, Pregnancy, PregnancyStage, Infant, Consent, Enrolment, Delivery,
                                  Task)  # fmt: skip


@pytest.fixture
def expecting(ctx: Context, family: Enrolled) -> Enrolled:
    """A family whose baby is due in ten days."""
    caregiver = NewCaregiver(name="Jo", phone="+447700900002", role="mother")
    return enrol.enrol(ctx, NewFamily(study="demo", caregivers=[caregiver], babies=["Bean"], due_on=in_days(10)))


@pytest.fixture
def twins(ctx: Context, family: Enrolled) -> Enrolled:
    """A family with twins of seventy days."""
    caregiver = NewCaregiver(name="Alex", phone="+447700900003", role="mother")
    new = NewFamily(study="demo", caregivers=[caregiver], babies=["Ivy", "Ben"], born_on=in_days(-70))
    return enrol.enrol(ctx, new)


@pytest.fixture
def lead(sign_in: Callable[..., FlaskClient]) -> FlaskClient:
    """A browser in which a lead is signed in."""
    return sign_in("lead")


def in_days(number: int) -> date:
    """Return a day by its distance from today."""
    return datetime.now(UTC).date() + timedelta(days=number)


def of(family: Enrolled, action: str) -> str:
    """Return the address of a page on which something is done for a family, or for its first caregiver."""
    base = f"/staff/families/{family.study_code}"
    return f"{base}/{action}" if action in FAMILY_ACTIONS else f"{base}/caregivers/{family.caregivers[0][0]}/{action}"


def send(client: FlaskClient, path: str, **form: Any) -> tuple[int, str]:
    """Send the form of a page; return the status, and the words of the page on which one ends up."""
    page = client.get(path)
    answer = client.post(path, data={"csrf_token": token_in(page), **form})
    if answer.status_code == 303:
        return 303, shown(client.get(answer.location).text)
    return answer.status_code, shown(answer.text)


def everything(ctx: Context) -> list[tuple[Any, ...]]:
    """Return all that an action could change; who looked at what does not count."""
    found: list[tuple[Any, ...]] = []
    with ctx.readers.begin() as session:
        for table in TABLES:
            columns = table.__table__.columns
            found += [(table.__tablename__, *row) for row in session.execute(select(*columns).order_by(*columns))]
        seen = select(AuditEvent.id, AuditEvent.action).where(AuditEvent.action != "view")
        return found + [tuple(row) for row in session.execute(seen)]


def told(ctx: Context, action: str) -> dict[str, object]:
    """Return what the record says of the last event of a kind, and that a person of the team did it."""
    event = rows(ctx, AuditEvent, action=action)[-1]
    assert event.actor == "staff:1"
    return event.details


# Each does it


def test_a_birth_is_recorded(reviewer: FlaskClient, ctx: Context, expecting: Enrolled) -> None:
    status, words = send(reviewer, of(expecting, "birth"), pregnancy=2, born_on=in_days(-1), gestation="38+2")

    assert status == 303
    assert "The birth is recorded: 1 day old." in words
    assert f"Born {in_days(-1):%a} {in_days(-1).day}" in words
    assert "birth recorded" in words
    pregnancy = rows(ctx, Pregnancy)[1]
    assert (pregnancy.status, pregnancy.gestation_days) == (PregnancyStatus.BORN, 38 * 7 + 2)


def test_dates_are_corrected(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    status, words = send(reviewer, of(family, "dates"), pregnancy=1, born_on=in_days(-22), gestation="39+4")

    assert status == 303
    assert "The dates are corrected: 22 days old." in words
    assert "Robin : dates corrected: birth date" in words
    assert "39+4 weeks at birth" in words
    assert rows(ctx, Pregnancy)[0].born_on == in_days(-22)


def test_a_pregnancy_is_added(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    form = {"babies": 2, "baby_1": "Wren", "due_on": in_days(60)}

    status, words = send(reviewer, of(family, "pregnancies/new"), **form)

    assert status == 303
    assert "Wren and one without a name" in words
    assert [len(one.infants) for one in in_session(ctx, Pregnancy)] == [1, 2]


def test_a_caregiver_is_added_with_what_they_agreed_to(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    page = shown(reviewer.get(of(family, "caregivers/new")).text)
    assert "I agree that BabyMind sends me text messages" in page
    assert "I agree that The demo study uses what I send" in page

    status, words = send(reviewer, of(family, "caregivers/new"), **JOINING)

    assert status == 303
    assert "The caregiver is added to the family." in words
    assert "Kim : joined the family" in words
    added = rows(ctx, Caregiver)[-1]
    assert (added.family_id, added.zone) == (family.family_id, "Europe/Paris")
    assert [one.given for one in rows(ctx, Consent, caregiver_id=added.id)] == [True, False]


JOINING: dict[str, Any] = {
    "name": "Kim", "role": "partner", "phone": "+447700900044", "zone": "Europe/Paris", "fact_time": "10:00",
    "prompt_time": "18:00", "messaging_consent": "y",
}  # fmt: skip


def test_a_caregiver_who_shares_a_phone_is_added(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    status, words = send(
        reviewer, of(family, "caregivers/new"), **JOINING | {"phone": "+447700900001", "shares_phone": "y"}
    )

    assert status == 303
    assert "***01, shared with another caregiver" in words
    assert rows(ctx, Address)[-1].shared


@pytest.mark.parametrize("reason", LossReason)
def test_a_loss_is_told_and_everything_stops_with_one_send(
    reviewer: FlaskClient, ctx: Context, family: Enrolled, reason: LossReason
) -> None:
    receive_reply(ctx)

    status, words = send(reviewer, of(family, "loss"), babies="1-1", reason=reason.value)

    assert status == 303
    assert "The loss is recorded. Everything has stopped, for every caregiver of this family." in words
    assert "!" not in words
    assert "days old" not in words
    infant = rows(ctx, Infant)[0]
    assert (infant.status, infant.loss_reason) == (PregnancyStatus.LOST, reason)
    assert told(ctx, "loss")["reason"] == reason.value
    open_ones = [row for row in rows(ctx, Delivery) if row.status is DeliveryStatus.PLANNED]
    assert open_ones == []
    for path in ("/staff/families", "/staff/replies", f"/staff/families/{family.study_code}"):
        page = shown(reviewer.get(path).text)
        assert " loss " in page, path
        assert "days old" not in page, path
    assert "0 families" in shown(reviewer.get("/staff/").text)


def test_the_loss_of_one_twin_holds_the_other(reviewer: FlaskClient, ctx: Context, twins: Enrolled) -> None:
    status, words = send(reviewer, of(twins, "loss"), babies="2-2", reason="death")

    assert status == 303
    assert "Loss · Ben The baby died after birth. Nothing goes out about this baby." in words
    assert "On hold · Ivy After the loss nothing more goes out until one of us has spoken" in words
    assert "Ben : loss recorded: the baby died after birth" in words
    assert [one.status for one in rows(ctx, Infant, pregnancy_id=2)] == [PregnancyStatus.BORN, PregnancyStatus.LOST]
    assert [one.kind for one in rows(ctx, Task)] == [TaskKind.TALK_AFTER_LOSS]


def test_a_loss_is_undone_with_both_confirmations(lead: FlaskClient, ctx: Context, family: Enrolled) -> None:
    life.tell_loss(ctx, family.study_code, actor="command")

    status, words = send(lead, of(family, "undo-loss"), pregnancy=1, because="told by mistake", spoken="y",
                         code=family.study_code.lower())  # fmt: skip

    assert status == 303
    assert "The loss is undone." in words
    assert "Robin : loss undone. told by mistake" in words
    assert rows(ctx, Infant)[0].status is PregnancyStatus.BORN
    assert "1 family" in shown(lead.get("/staff/").text)


def test_only_a_lead_sees_the_way_to_undo_a_loss(
    reviewer: FlaskClient, lead: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    life.tell_loss(ctx, family.study_code, actor="command")

    pages = [client.get(f"/staff/families/{family.study_code}").text for client in (reviewer, lead)]

    assert ["/undo-loss" in page for page in pages] == [False, True]


def test_messages_are_held_and_go_on(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    status, words = send(reviewer, of(family, "hold"), pregnancy=1, why="in_care")

    assert status == 303
    assert "On hold · Robin Nothing goes out, for the baby is in care, until one of us ends the hold." in words
    assert rows(ctx, Pregnancy)[0].hold is Hold.IN_CARE

    status, words = send(reviewer, of(family, "release"), pregnancy=1, because="home again")

    assert status == 303
    assert "The hold is ended." in words
    assert "Robin : hold ended. home again" in words
    assert rows(ctx, Pregnancy)[0].hold is None


def test_a_family_moves_to_another_arm(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    add_arm(ctx)

    status, words = send(reviewer, of(family, "move"), arm="demo control")

    assert status == 303
    assert "The family moves tomorrow; today stays as it is." in words
    assert "on the family is in the arm Control." in words
    assert [one.arm_id for one in rows(ctx, Enrolment)] == [1, 2]


@pytest.mark.parametrize("choice", DataChoice)
def test_a_family_withdraws(reviewer: FlaskClient, ctx: Context, family: Enrolled, choice: DataChoice) -> None:
    status, words = send(reviewer, of(family, "withdraw"), gave=choice.value)

    assert status == 303
    assert "The family has withdrawn; nothing more is sent." in words
    assert "Their part in the study ended on" in words
    assert ("They want what they gave erased." in words) == (choice is DataChoice.ERASE)
    enrolment = rows(ctx, Enrolment)[0]
    assert (enrolment.status, enrolment.data_choice) == (EnrolmentStatus.WITHDRAWN, choice)
    assert [task.kind for task in rows(ctx, Task)] == ([TaskKind.ERASE] if choice is DataChoice.ERASE else [])


WISHES = {"fact_time": "09:00", "prompt_time": "17:00", "zone": "Europe/London", "locale": "en-GB"}


def test_times_and_wishes_are_changed(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    page = reviewer.get(of(family, "preferences")).text
    assert all(f'value="{value}"' in page for value in WISHES.values())

    status, words = send(reviewer, of(family, "preferences"), **WISHES | {"fact_time": "10:30", "wants_prompts": "y"})

    assert status == 303
    assert "The wishes are saved" in words
    assert "Sam : times set: fact 10:30, prompt 17:00, Europe/London" in words
    assert "Sam : wishes changed: wants no facts" in words
    caregiver = rows(ctx, Caregiver)[0]
    assert (f"{caregiver.fact_time:%H:%M}", caregiver.wants_facts, caregiver.wants_prompts) == ("10:30", False, True)


def test_wishes_that_are_as_they_were_change_nothing(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    before = everything(ctx)

    status, words = send(reviewer, of(family, "preferences"), **WISHES, wants_facts="y", wants_prompts="y")

    assert status == 303
    assert "Nothing was changed." in words
    assert everything(ctx) == before


@pytest.mark.parametrize(("days", "says"), [("5", "Messages are paused until"), ("", "paused until they say so")])
def test_messages_are_paused_and_go_on(
    reviewer: FlaskClient, ctx: Context, family: Enrolled, days: str, says: str
) -> None:
    status, words = send(reviewer, of(family, "pause"), days=days)

    assert status == 303
    assert says in words
    assert "Paused · Sam Daily messages wait until" in words
    caregiver = rows(ctx, Caregiver)[0]
    assert caregiver.messaging is Messaging.PAUSED
    assert (caregiver.paused_until is None) == (not days)

    status, words = send(reviewer, of(family, "resume"))

    assert status == 303
    assert "The pause is ended." in words
    assert rows(ctx, Caregiver)[0].messaging is Messaging.ACTIVE


def test_messages_stop_and_start(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    status, words = send(reviewer, of(family, "stop"))

    assert status == 303
    assert "Stopped · Sam They want no more messages" in words
    assert rows(ctx, Caregiver)[0].messaging is Messaging.STOPPED

    status, words = send(reviewer, of(family, "start"), because="by telephone on Monday")

    assert status == 303
    assert "Messages start again with the next slot." in words
    assert rows(ctx, Caregiver)[0].messaging is Messaging.ACTIVE
    assert rows(ctx, Consent)[-1].text_shown == "staff: by telephone on Monday"


def test_the_number_is_changed_and_the_old_one_stays_in_the_history(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    status, words = send(reviewer, of(family, "number"), phone="+447700900077")

    assert status == 303
    assert "Number ***77" in words
    assert "Before ***01, until" in words
    assert "another number took its place" in words
    assert "7700900" not in words
    assert [one.closed_why for one in rows(ctx, Address)] == [ClosedWhy.CHANGED, None]


def test_a_wrong_number_is_closed(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    status, words = send(reviewer, of(family, "wrong-number"))

    assert status == 303
    assert "Wrong number · Sam The number ***01 is closed: it belongs to somebody else." in words
    assert rows(ctx, Address)[0].closed_why is ClosedWhy.WRONG_NUMBER
    assert [task.kind for task in rows(ctx, Task)] == [TaskKind.WRONG_NUMBER]


def test_a_caregiver_leaves(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    status, words = send(reviewer, of(family, "leave"))

    assert status == 303
    assert "Left · Sam They no longer belong to the family" in words
    assert rows(ctx, Caregiver)[0].messaging is Messaging.LEFT


# A refusal


REFUSALS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("expecting", "birth", {"pregnancy": 2}, 422, "Give the day of the birth."),
    ("expecting", "birth", {"pregnancy": 2, "born_on": "soon"}, 422, "Give the day as year-month-day"),
    ("expecting", "birth", {"pregnancy": 2, "born_on": in_days(3)}, 422, "is in the future"),
    ("expecting", "birth", {"pregnancy": 2, "born_on": in_days(-1), "gestation": "9 mon"}, 422, "is not a gestation"),
    ("expecting", "birth", {"pregnancy": 1, "born_on": in_days(-1)}, 422, "Not a valid choice."),
    ("expecting", "birth", {"pregnancy": "9" * 30, "born_on": in_days(-1)}, 422, "Not a valid choice."),
    ("family", "birth", {"pregnancy": 1, "born_on": in_days(-1)}, 409, "No baby of this family is still to be born."),
    ("family", "dates", {"pregnancy": 1}, 422, "Give the date that is to be corrected"),
    ("family", "dates", {"pregnancy": 1, "born_on": in_days(1)}, 422, "is in the future"),
    ("expecting", "dates", {"pregnancy": 2, "born_on": in_days(-1)}, 409, "record the birth instead"),
    ("family", "pregnancies/new", {"babies": 1}, 422, "A due date or a birth date is needed"),
    ("family", "pregnancies/new", {"babies": 9, "due_on": in_days(9)}, 422, "Not a valid choice."),
    ("family", "caregivers/new", JOINING | {"messaging_consent": ""}, 422, "Without this agreement nothing may be"),
    ("family", "caregivers/new", JOINING | {"phone": "07700 900044"}, 422, "write it with + and the country"),
    ("family", "caregivers/new", JOINING | {"phone": "+447700900001"}, 409, "is enrolled already"),
    ("family", "caregivers/new", JOINING | {"fact_time": "23:00"}, 422, "23:00 lies in the quiet hours"),
    ("family", "caregivers/new", JOINING | {"shares_phone": "y"}, 422, "needs the number of another caregiver"),
    ("twins", "loss", {"reason": "death"}, 422, "Mark which baby it is about."),
    ("twins", "loss", {"babies": "1-1", "reason": "death"}, 422, "not a valid choice"),
    ("twins", "loss", {"babies": "2-1", "reason": "bad luck"}, 422, "Not a valid choice."),
    ("family", "hold", {"pregnancy": 1}, 422, "Choose one of these."),
    ("family", "hold", {"pregnancy": 1, "why": "after_loss"}, 422, "Not a valid choice."),
    ("family", "release", {"pregnancy": 1, "because": "well"}, 409, "Nothing about this family is held."),
    ("family", "move", {"arm": "demo control"}, 409, "There is no other study or arm"),
    ("family", "withdraw", {}, 422, "Ask the family, and choose one of these."),
    ("family", "preferences", WISHES | {"fact_time": "22:00"}, 422, "22:00 lies in the quiet hours"),
    ("family", "preferences", WISHES | {"zone": "London"}, 422, "'London' is not a time zone"),
    ("family", "preferences", WISHES | {"locale": "tlh"}, 422, "Not a valid choice."),
    ("family", "preferences", WISHES | {"prompt_time": ""}, 422, "Give a time."),
    ("family", "pause", {"days": 91}, 422, "A pause lasts 1 to 90 days"),
    ("family", "pause", {"days": "a week"}, 422, "Not a valid integer value."),
    ("family", "resume", {}, 409, "This caregiver has no pause to end."),
    ("family", "start", {"because": "she asked"}, 409, "This caregiver gets messages already"),
    ("family", "number", {"phone": ""}, 422, "Give a mobile number."),
    ("family", "number", {"phone": "12"}, 422, "write it with + and the country"),
    ("family", "number", {"phone": "+447700900001"}, 409, "This caregiver has this number already."),
    ("twins", "number", {"phone": "+447700900001"}, 409, "is another caregiver's; change that one first."),
]  # fmt: skip


@pytest.mark.parametrize(("whose", "action", "form", "status", "sentence"), REFUSALS)
def test_a_refusal_says_why_and_changes_nothing(
    reviewer: FlaskClient, ctx: Context, family: Enrolled, request: pytest.FixtureRequest, whose: str, action: str,
    form: dict[str, Any], status: int, sentence: str,
) -> None:  # fmt: skip
    path, token = of(request.getfixturevalue(whose), action), token_in(reviewer.get("/staff/"))
    before = everything(ctx)

    answer = reviewer.post(path, data={"csrf_token": token, **form})

    assert answer.status_code == status
    assert sentence in shown(answer.text)
    assert 'role="alert"' in answer.text
    assert everything(ctx) == before


AFTERWARDS: list[tuple[Callable[[Context, Enrolled], Any], str, dict[str, Any], int, str]] = [
    (lambda ctx, at: caregivers.stop_by_staff(ctx, at.caregivers[0][0], actor="command"), "stop", {}, 409,
     "This caregiver gets no messages."),
    (lambda ctx, at: caregivers.stop_by_staff(ctx, at.caregivers[0][0], actor="command"), "pause", {}, 409,
     "there is nothing to pause"),
    (lambda ctx, at: caregivers.stop_by_staff(ctx, at.caregivers[0][0], actor="command"), "start", {"because": " "},
     422, "Say how the caregiver asked for messages again"),
    (lambda ctx, at: caregivers.leave(ctx, at.caregivers[0][0], actor="command"), "leave", {}, 409,
     "add them anew"),
    (lambda ctx, at: caregivers.leave(ctx, at.caregivers[0][0], actor="command"), "preferences", WISHES, 409,
     "add them anew"),
    (lambda ctx, at: caregivers.leave(ctx, at.caregivers[0][0], actor="command"), "number",
     {"phone": "+447700900077"}, 409, "add them anew"),
    (lambda ctx, at: caregivers.wrong_number_by_staff(ctx, at.caregivers[0][0], actor="command"), "wrong-number", {},
     409, "no number that could be closed"),
    (lambda ctx, at: life.tell_loss(ctx, at.study_code, actor="command"), "loss",
     {"babies": "1-1", "reason": "death"}, 409, "There is no living or expected baby in this family"),
    (lambda ctx, at: life.tell_loss(ctx, at.study_code, actor="command"), "dates",
     {"pregnancy": 1, "born_on": "2026-01-01"}, 409, "There are no dates to correct."),
    (lambda ctx, at: life.tell_loss(ctx, at.study_code, actor="command"), "hold",
     {"pregnancy": 1, "why": "ill"}, 409, "There is no baby in this family about whom messages go out."),
    (lambda ctx, at: life.hold(ctx, at.study_code, why=Hold.ILL, actor="command"), "release",
     {"pregnancy": 1, "because": " "}, 422, "Say in a few words, without names, why messages go on."),
    (lambda ctx, at: life.hold(ctx, at.study_code, why=Hold.ILL, actor="command"), "release",
     {"pregnancy": 1, "because": "a\x00b"}, 422, "type it anew"),
    *[
        (lambda ctx, at: enrolments.withdraw(ctx, at.study_code, data=DataChoice.KEEP, actor="command"), action,
         {"gave": "keep", "arm": "demo control"}, 409, sentence)
        for action, sentence in (
            ("withdraw", "takes part in no study"), ("move", "no other study or arm"),
            ("caregivers/new", "takes part in no study"), ("pregnancies/new", "takes part in no study"),
        )
    ],
]  # fmt: skip


@pytest.mark.parametrize(("first", "action", "form", "status", "sentence"), AFTERWARDS)
def test_what_no_longer_fits_is_refused_and_changes_nothing(
    reviewer: FlaskClient, ctx: Context, family: Enrolled, first: Callable[[Context, Enrolled], Any], action: str,
    form: dict[str, Any], status: int, sentence: str,
) -> None:  # fmt: skip
    add_arm(ctx)
    token = token_in(reviewer.get("/staff/"))
    first(ctx, family)
    before = everything(ctx)

    looked = reviewer.get(of(family, action))
    answer = reviewer.post(of(family, action), data={"csrf_token": token, **form})

    assert looked.status_code == 200
    assert (sentence in shown(looked.text)) == (status == 409)
    assert answer.status_code == status
    assert sentence in shown(answer.text)
    assert everything(ctx) == before


@pytest.mark.parametrize(("form", "status", "sentence"), [
    ({"because": "a mistake"}, 409, "confirm both: that you have spoken with the parent, and the family's study"),
    ({"because": "a mistake", "spoken": "y"}, 409, "confirm both"),
    ({"because": "a mistake", "code": "right"}, 409, "confirm both"),
    ({"because": "a mistake", "spoken": "y", "code": "ABCDE-FGHIJ"}, 409, "confirm both"),
    ({"spoken": "y", "code": "right"}, 422, "Say in a few words, without names, why the loss is undone."),
])  # fmt: skip
def test_a_loss_is_not_undone_without_both_confirmations_and_a_reason(
    lead: FlaskClient, ctx: Context, family: Enrolled, form: dict[str, str], status: int, sentence: str
) -> None:
    life.tell_loss(ctx, family.study_code, actor="command")
    before = everything(ctx)
    given = {name: family.study_code if value == "right" else value for name, value in form.items()}

    answered, words = send(lead, of(family, "undo-loss"), pregnancy=1, **given)

    assert answered == status
    assert sentence in words
    assert everything(ctx) == before


def test_the_losses_of_two_pregnancies_are_recorded_one_by_one(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    life.add_pregnancy(ctx, family.study_code, due_on=in_days(60), actor="command")
    before = everything(ctx)

    status, words = send(reviewer, of(family, "loss"), babies=["1-1", "2-1"], reason="not_said")

    assert status == 422
    assert "Record this for one pregnancy at a time; everything stops with the first already." in words
    assert everything(ctx) == before


@pytest.mark.fault(53)
@pytest.mark.parametrize("action", CAREGIVER_ACTIONS)
def test_a_caregiver_of_another_family_is_none_here(
    reviewer: FlaskClient, ctx: Context, family: Enrolled, action: str
) -> None:
    other = enrol_family(ctx, "+447700900009", name="Kit")
    path = f"/staff/families/{family.study_code}/caregivers/{other.caregivers[0][0]}/{action}"
    token = token_in(reviewer.get("/staff/"))
    before = everything(ctx)

    assert reviewer.get(path).status_code == 404
    assert reviewer.post(path, data={"csrf_token": token}).status_code == 404
    assert everything(ctx) == before


@pytest.mark.parametrize("action", [*FAMILY_ACTIONS, *CAREGIVER_ACTIONS])
def test_there_is_nothing_to_do_for_a_family_that_is_not_there(
    lead: FlaskClient, family: Enrolled, action: str
) -> None:
    path = of(family, action).replace(family.study_code, "ABCDE-FGHJK")

    assert lead.get(path).status_code == 404
    assert lead.get(path.replace("ABCDE-FGHJK", "%00")).status_code == 404


def test_names_are_in_no_cookie(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    for action in ("pause", "resume", "stop"):
        page = reviewer.get(of(family, action))
        answer = reviewer.post(of(family, action), data={"csrf_token": token_in(page)})

        cookie = answer.headers["Set-Cookie"]
        assert "Sam" not in plain(cookie), action
        assert "Robin" not in plain(cookie), action


def test_a_form_keeps_what_was_typed(reviewer: FlaskClient, family: Enrolled) -> None:
    page = reviewer.get(of(family, "caregivers/new"))

    answer = reviewer.post(of(family, "caregivers/new"), data=JOINING | {"phone": "12", "csrf_token": token_in(page)})

    assert 'value="Kim"' in answer.text
    assert 'value="12"' in answer.text


# The page


def test_a_page_offers_what_can_be_done_now(reviewer: FlaskClient, ctx: Context, expecting: Enrolled) -> None:
    def offered() -> set[str]:
        page = reviewer.get(f"/staff/families/{expecting.study_code}").text
        return {name for name in (*FAMILY_ACTIONS, *CAREGIVER_ACTIONS) if f'/{name}"' in page}

    always = {"dates", "pregnancies/new", "caregivers/new", "loss", "withdraw", "preferences", "number", "leave"}
    assert offered() == always | {"birth", "hold", "pause", "stop", "wrong-number"}

    caregivers.pause_by_staff(ctx, expecting.caregivers[0][0], days=None, actor="command")
    life.hold(ctx, expecting.study_code, why=Hold.ILL, actor="command")
    assert offered() == always | {"birth", "release", "pause", "resume", "stop", "wrong-number"}

    caregivers.leave(ctx, expecting.caregivers[0][0], actor="command")
    assert offered() == always - {"preferences", "number", "leave"} | {"birth", "release"}


def test_a_loss_told_by_text_of_nobody_knows_whom_is_said_so(
    reviewer: FlaskClient, ctx: Context, twins: Enrolled
) -> None:
    receive_reply(ctx, "LOSS", "+447700900003")

    page = shown(reviewer.get(f"/staff/families/{twins.study_code}").text)

    assert "A loss was told · Ivy and Ben" in page
    assert "we do not know yet of whom they speak" in page
    assert "a loss was told by text" in page


def test_the_calendar_says_what_was_and_what_will_be(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    content.load(ctx)
    caregiver = NewCaregiver(name="Kit", phone="+447700900009")
    new = NewFamily(study="demo", caregivers=[caregiver], babies=["Wren"], born_on=in_days(-20),
                    starts_at=datetime.now(UTC) - timedelta(days=3))  # fmt: skip
    code = enrol.enrol(ctx, new).study_code
    row = daily(ctx)[-1]
    yesterday = row.local_day - timedelta(days=1)
    change(ctx, Delivery, row.id, local_day=yesterday, status=DeliveryStatus.SKIPPED, reason=Reason.PAUSED)

    calendar = reviewer.get(f"/staff/families/{code}").text.split('id="calendar"')[1].split('id="history"')[0]

    words = shown(calendar)
    assert f"{yesterday:%a} {yesterday.day} {yesterday:%b}" in words
    assert "not sent: paused" in words
    assert "day 21, foretold" in words
    assert words.count("foretold") == 15  # the sentence above the table, and fourteen days
    assert "17:00" in words
    assert "prompt-infant-" in words


def test_days_on_which_nothing_goes_out_are_one_row(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    caregivers.stop_by_staff(ctx, family.caregivers[0][0], actor="command")

    words = shown(reviewer.get(f"/staff/families/{family.study_code}").text.split('id="calendar"')[1])

    assert words.count("foretold") == 2  # the sentence above the table, and the row
    assert "not sent: stopped by the caregiver" in words


def test_a_history_names_who_did_it_and_leaves_out_who_looked(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    caregiver_id = family.caregivers[0][0]
    life.correct_dates(ctx, family.study_code, born_on=in_days(-19), actor=f"caregiver:{caregiver_id}")
    reviewer.get(f"/staff/families/{family.study_code}")
    send(reviewer, of(family, "pause"), days=3)

    history = reviewer.get(f"/staff/families/{family.study_code}").text.split('id="history"')[1]
    history = shown(history.split('id="deliveries"')[0])

    assert " view " not in history
    assert (
        history.index("messages paused until") < history.index("dates corrected") < history.index("family enrolled")
    )
    assert "Sam : messages paused until" in history
    for who in ("reviewer", "Sam", "from the command line"):
        assert who in history


def test_every_event_of_a_family_is_told_in_words(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    from babymind.store.staff import audit

    with ctx.sessions.begin() as session:
        for action, details in (("something_new", {}), ("hold", {"why": "after_loss"}), ("dates", {"due_on": "?"}),
                                ("task_done", {"kind": "odd"}), ("pause", {})):  # fmt: skip
            audit(session, at=datetime.now(UTC), actor="staff:99", action=action, subject="family",
                  subject_id=family.family_id, **details)  # fmt: skip
        audit(session, at=datetime.now(UTC), actor="system", action="resume", subject="caregiver",
              subject_id=family.caregivers[0][0])  # fmt: skip

    words = shown(reviewer.get(f"/staff/families/{family.study_code}").text)

    for part in ("something new", "messages held: waits for a person after a loss", "dates corrected: due date ?",
                 "task done", "until they say so", "Sam : pause ended", "by itself", "somebody"):  # fmt: skip
        assert part in words, part


def add_arm(ctx: Context) -> None:
    """Add an arm that gets nothing."""
    with ctx.sessions.begin() as session:
        session.add(Arm(study_id=1, slug="control", name="Control", gets_facts=False, gets_prompts=False))


def in_session(ctx: Context, table: type[Any]) -> list[Any]:
    """Return rows whose relations have been looked at."""
    with ctx.readers.begin() as session:
        found = list(session.scalars(select(table).order_by(table.id)))
        for row in found:
            assert row.infants is not None
        return found


def plain(cookie: str) -> str:
    """Return what a session cookie holds, for anybody to read."""
    import base64
    import zlib

    value = cookie.partition("=")[2].partition(";")[0]
    packed, payload = value.startswith("."), value.lstrip(".").split(".")[0]
    raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    return (zlib.decompress(raw) if packed else raw).decode()
