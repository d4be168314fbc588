"""What a person has to do, what became of a day, and words to a family that has told us of a loss."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from freezegun import freeze_time

from babymind.domain.delivery import DeliveryStatus, Hold, Kind, Reason
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services import caregivers, content, enrol, life, tasks
from babymind.services.context import Context
from babymind.services.enrol import Enrolled, NewCaregiver, NewFamily
from babymind.services.ledger import Ledger, LedgerLine
from babymind.store.deliveries import Delivery
from babymind.store.families import ClosedWhy, LossReason
from babymind.store.reviews import Comment
from babymind.store.staff import AuditEvent
from babymind.store.tasks import Task, TaskKind
from babymind.web import ledger as ledger_page
from babymind.web.history import ACTIONS
from babymind.web.show import CLOSED, HOLDS, LOSSES, REASONS, STATES, TASKS
from tests.factories import at_once, change, rows
from tests.web.conftest import add_task, receive_reply, shown, token_in

DONE = "Rang them; born on Friday"


# Tasks


def test_each_kind_of_task_says_what_to_do_and_leads_to_the_family(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    for kind in TaskKind:
        about = None if kind is TaskKind.LEDGER else family
        details = {} if about else {"day": "2026-11-20", "study": "demo", "zone": "Europe/London", "missing": 3,
                                    "stuck": 1}  # fmt: skip
        task_id = add_task(ctx, about, kind, **details)
        change(ctx, Task, task_id, created_at=datetime.now(UTC) - timedelta(hours=30 - task_id))

    page = reviewer.get("/staff/tasks")

    words = shown(page.text)
    places = [words.index(TASKS[kind.value].title) for kind in TaskKind]
    assert places == sorted(places)  # who has waited longest comes first
    for kind in TaskKind:
        assert TASKS[kind.value].why in words
    assert page.text.count(f'href="/staff/families/{family.study_code}"') == len(TaskKind) - 1
    assert "waits 1 day" in words
    assert 'href="/staff/ledger?day=2026-11-20"' in page.text
    assert "demo, Europe/London: 3 missing, 1 still open" in words


def test_a_task_is_done_with_a_word_of_what_was_done(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    task_id = add_task(ctx, family)
    assert "1 task for a person" in shown(reviewer.get("/staff/").text)

    answer = finish(reviewer, task_id, f"  {DONE} ")

    assert (answer[0], answer[1]) == (303, "/staff/tasks")
    words = shown(reviewer.get("/staff/tasks").text)
    assert "The task is done" in words
    assert "There is nothing to do." in words
    assert "0 tasks for a person" in shown(reviewer.get("/staff/").text)
    task = rows(ctx, Task)[0]
    assert (task.outcome, task.done_by) == (DONE, "staff:1")
    history = shown(reviewer.get(f"/staff/families/{family.study_code}").text)
    assert f"task done: Ask whether the baby has arrived. {DONE}" in history


def test_a_task_about_the_service_is_done_too(reviewer: FlaskClient, ctx: Context) -> None:
    task_id = add_task(ctx, None, TaskKind.LEDGER, day="2026-11-20", study="demo", zone="Europe/London")

    assert finish(reviewer, task_id, DONE)[0] == 303
    event = rows(ctx, AuditEvent, action="task_done")[0]
    assert (event.subject, event.subject_id, event.actor) == ("task", task_id, "staff:1")


@pytest.mark.parametrize(("outcome", "said"), [
    ("", "Say in a few words, without names, what was done."), ("  \n ", "Say in a few words"),
    ("x" * 401, "at most 400 plain characters"), ("a\x00b", "at most 400 plain characters"),
])  # fmt: skip
def test_a_task_without_a_word_of_what_was_done_stays(
    reviewer: FlaskClient, ctx: Context, family: Enrolled, outcome: str, said: str
) -> None:
    task_id = add_task(ctx, family)
    other = add_task(ctx, family, TaskKind.WRONG_NUMBER)

    status, words, page = finish(reviewer, task_id, outcome)

    assert status == 422
    assert words.count(said) == 1
    assert f'id="wrong-{task_id}"' in page
    assert f'id="wrong-{other}"' not in page
    assert [task.done_at for task in rows(ctx, Task)] == [None, None]


def test_a_task_is_done_once(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    task_id = add_task(ctx, family)
    finish(reviewer, task_id, DONE)

    status, words, _ = finish(reviewer, task_id, "Something else")

    assert status == 409
    assert "Somebody has done this task already; it is no longer on the list." in words
    assert rows(ctx, Task)[0].outcome == DONE
    assert finish(reviewer, 12345, DONE)[0] == 404


def test_of_many_who_do_a_task_one_is_first(ctx: Context, family: Enrolled) -> None:
    task_id = add_task(ctx, family)

    def do() -> str:
        try:
            tasks.finish(ctx, task_id, DONE, "staff:1")
        except ConflictError:
            return "late"
        return "first"

    assert sorted(at_once(do, 6)) == ["first"] + ["late"] * 5
    assert len(rows(ctx, AuditEvent, action="task_done")) == 1
    with pytest.raises(NotFoundError, match="There is no such task"):
        tasks.finish(ctx, 99, DONE, "staff:1")
    with pytest.raises(InvalidInputError):
        tasks.finish(ctx, task_id, "", "staff:1")


def finish(client: FlaskClient, task_id: int, outcome: str) -> tuple[int, str, str]:
    """Say what was done about a task."""
    form = {"csrf_token": token_in(client.get("/staff/")), "outcome": outcome}
    answer = client.post(f"/staff/tasks/{task_id}/done", data=form)
    return answer.status_code, answer.location or shown(answer.text), answer.text


# The ledger


def test_a_ledger_says_that_it_adds_up(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    words = shown(reviewer.get("/staff/ledger").text)

    assert "It adds up" in words or "Nothing is due on this day" in words
    assert "does not add up" not in words


@freeze_time("2026-11-20T12:00Z")
def test_what_does_not_add_up_comes_first_and_says_why(sign_in: Callable[..., FlaskClient], ctx: Context) -> None:
    enrol.add_study(ctx, "demo")
    content.load(ctx)
    for number, zone in enumerate(("Africa/Abidjan", "Europe/London", "Europe/Paris")):
        caregiver = NewCaregiver(name="Sam", phone=f"+44770090000{number}", zone=zone)
        new = NewFamily(study="demo", caregivers=[caregiver], babies=["Robin"], born_on=date(2026, 11, 1),
                        starts_at=datetime(2026, 11, 15, tzinfo=UTC))  # fmt: skip
        enrol.enrol(ctx, new)
    caregivers.pause_by_staff(ctx, 2, days=None, actor="command")
    with ctx.sessions.begin() as session:
        session.delete(session.query(Delivery).filter_by(caregiver_id=3, kind=Kind.FACT).one())
        delivered = session.query(Delivery).filter_by(caregiver_id=1, kind=Kind.FACT).one()
        delivered.status = DeliveryStatus.DELIVERED

    page = sign_in("researcher").get("/staff/ledger?day=2026-11-20")

    words = shown(page.text)
    assert "Ledger of Fri 20 Nov 2026" in words
    assert "It does not add up in 1 of 3 places." in words
    places = [words.index(f"demo , {zone}") for zone in ("Europe/Paris", "Africa/Abidjan", "Europe/London")]
    assert places == sorted(places)
    paris, abidjan, london = (words[start:] for start in places)
    assert "2 due, 1 accounted for. 1 missing: nothing says what became of it." in paris
    assert "2 due, 2 accounted for." in abidjan
    assert "delivered 1 planned 1" in abidjan
    assert "not sent: paused 2" in london
    assert 'href="/staff/ledger?day=2026-11-19"' in page.text
    assert 'href="/staff/ledger?day=2026-11-21"' in page.text
    assert " style=" not in page.text


LINES = [
    LedgerLine(study="demo", zone="Europe/London", expected=12, actual=12, missing=0, stuck=0,
               outcomes={"delivered": 8, "skipped: paused": 3, "planned": 1}),
    LedgerLine(study="demo", zone="Europe/Paris", expected=10, actual=7, missing=3, stuck=2,
               outcomes={"planned": 2, "sent": 4, "failed: refused": 1, "expired: too_late": 0}),
    LedgerLine(study="later", zone="UTC", expected=0, actual=0, missing=0, stuck=0, outcomes={}),
]  # fmt: skip


def test_the_parts_of_a_bar_fill_it() -> None:
    for line in ledger_page.lines(Ledger(day=date(2026, 11, 20), lines=LINES)):
        assert sum(part.count for part in line.parts) == line.line.actual + line.line.missing
        ends = [0, *(part.start + part.width for part in line.parts)]
        assert [part.start for part in line.parts] == ends[:-1]
        assert ends[-1] in (0, ledger_page.BAR)
        assert all(part.count for part in line.parts)


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "0001-01-01", "9999-12-31", "1899-12-31", "%00", "20261"])
def test_a_day_that_is_none_has_no_ledger(reviewer: FlaskClient, day: str) -> None:
    assert reviewer.get(f"/staff/ledger?day={day}").status_code == 404


@pytest.mark.parametrize("day", ["1900-01-02", "2999-12-30"])
def test_a_day_far_away_has_an_empty_one(reviewer: FlaskClient, family: Enrolled, day: str) -> None:
    page = reviewer.get(f"/staff/ledger?day={day}")

    assert page.status_code == 200
    assert "Nothing is due on this day" in page.text
    assert ("Day after" in page.text) == day.startswith("1900")


def test_a_researcher_sees_counts_and_no_way_to_a_name(
    sign_in: Callable[..., FlaskClient], ctx: Context, family: Enrolled
) -> None:
    client = sign_in("researcher")
    add_task(ctx, family)

    for path in ("/staff/", "/staff/ledger"):
        page = client.get(path).text
        assert "Ledger" in page
        for word in ("Sam", "Robin", family.study_code, "/staff/tasks", "/staff/families"):
            assert word not in page, (path, word)
    assert "1 task for a person" in shown(client.get("/staff/").text)


# Words for everything


def test_there_are_words_for_everything_that_a_page_may_show() -> None:
    assert set(TASKS) == set(TaskKind)
    assert set(LOSSES) == set(LossReason)
    assert set(CLOSED) == set(ClosedWhy)
    assert set(HOLDS) == set(Hold)
    assert set(REASONS) == set(Reason)
    assert set(STATES) == set(DeliveryStatus)


def test_there_are_words_for_every_event_that_the_services_record() -> None:
    import inspect

    from babymind.services import enrolments, triage

    recorded = {
        action
        for module in (life, caregivers, enrolments, triage)
        for action in re.findall(r"record\(session, [^\"]*?change, \"(\w+)\"", inspect.getsource(module))
    }

    assert len(recorded) > 15
    assert recorded <= set(ACTIONS)


# After a loss


def test_a_comment_after_a_loss_needs_a_word_that_one_knows(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    reply_id = receive_reply(ctx)
    before = reviewer.get(f"/staff/replies/{reply_id}")
    assert "knows_of_loss" not in before.text
    life.tell_loss(ctx, family.study_code, actor="command")

    page = reviewer.get(f"/staff/replies/{reply_id}")
    refused = write(reviewer, reply_id, text="Thinking of you.")

    assert "This family has told us of a loss." in shown(page.text)
    assert "I know that this family has told us of a loss" in shown(page.text)
    assert "days old" not in page.text
    assert refused.status_code == 409
    assert "This family has told us that a baby died. Read what they wrote" in shown(refused.text)
    assert ">Thinking of you.</textarea>" in refused.text
    assert 'aria-describedby="wrong"' in refused.text
    assert rows(ctx, Comment) == []

    sent = write(reviewer, reply_id, text="Thinking of you.", knows_of_loss="yes")

    assert sent.status_code == 303
    assert [ctx.vault.open(row.text_sealed or "") for row in rows(ctx, Delivery, kind=Kind.COMMENT)] == [
        "Thinking of you."
    ]


def test_the_word_that_one_knows_is_kept_when_something_else_is_wrong(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    reply_id = receive_reply(ctx)
    life.tell_loss(ctx, family.study_code, actor="command")

    page = write(reviewer, reply_id, text="", knows_of_loss="yes")

    assert page.status_code == 422
    assert re.search(r'name="knows_of_loss" value="yes" checked', page.text)


def write(client: FlaskClient, reply_id: int, **form: str) -> Any:
    """Write a comment."""
    page = client.get(f"/staff/replies/{reply_id}")
    found = re.search(r'name="token" value="([^"]+)"', page.text)
    assert found
    return client.post(f"/staff/replies/{reply_id}/comments", data={"csrf_token": token_in(page),
                                                                    "token": found.group(1), **form})  # fmt: skip


def test_a_family_that_told_of_a_loss_by_text_is_not_counted_either(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    assert "1 family" in shown(reviewer.get("/staff/").text)
    receive_reply(ctx, "LOSS")

    assert "0 families" in shown(reviewer.get("/staff/").text)
    assert "loss" in shown(reviewer.get("/staff/replies").text)
