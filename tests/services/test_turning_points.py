"""What a day of the age makes due besides the slots, when the clock stood still on that day."""

from datetime import date, datetime

from babymind.domain.delivery import DeliveryStatus, Reason
from babymind.services import life
from babymind.services.context import Context
from babymind.store.studies import Enrolment, EnrolmentStatus
from babymind.store.tasks import Task, TaskKind
from tests.factories import JO, SAM, enrol_family, rows, utc
from tests.services.living import Living, Phones, occasions, parents, said, slots

STAFF = "staff:1"


def came(ctx: Context, channel: Phones, key: str) -> list[tuple[str, datetime]]:
    """To which phones one of our messages came, and when."""
    return [(one.to, one.at) for one in channel.came if one.text == said(ctx, key, ("Robin",))]


def test_the_end_of_the_programme_that_fell_into_an_outage_is_told_late_and_once(
    living: Living, ctx: Context, channel: Phones
) -> None:
    parents(ctx, born_on=date(2025, 3, 5))  # its end is told on 6 March
    living.at("2026-03-05T20:00")

    living.at("2026-03-10T10:00")  # the clock goes again; it is six in the morning in New York
    living.at("2026-03-10T12:00")
    living.days(4, looks=(0, 9, 14))

    assert came(ctx, channel, "programme-end") == [(SAM, utc("2026-03-10T10:00")), (JO, utc("2026-03-10T12:00"))]
    assert max(row.local_day for row in slots(ctx)) == date(2026, 3, 5)
    assert rows(ctx, Enrolment)[0].status is EnrolmentStatus.ACTIVE  # they may still write, and be answered
    living.days(4, looks=(0, 9, 14))
    assert rows(ctx, Enrolment)[0].status is EnrolmentStatus.COMPLETED
    assert len(came(ctx, channel, "programme-end")) == 2


def test_the_end_is_told_three_weeks_late_and_the_enrolment_waits_for_it(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx, born_on=date(2025, 3, 5))
    living.at("2026-03-05T20:00")

    living.at("2026-03-27T10:00")
    assert came(ctx, channel, "programme-end") == [(SAM, utc("2026-03-27T10:00"))]
    living.days(9, looks=(0, 9))

    assert len(came(ctx, channel, "programme-end")) == 1
    assert rows(ctx, Enrolment)[0].status is EnrolmentStatus.COMPLETED


def test_after_five_weeks_the_end_is_no_longer_told_and_the_enrolment_ends_all_the_same(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx, born_on=date(2025, 3, 5))
    living.at("2026-03-05T20:00")

    living.at("2026-04-09T10:00")
    living.days(2, looks=(0, 9))

    assert came(ctx, channel, "programme-end") == []
    assert [(row.status, row.reason) for row in occasions(ctx, begin="programme-end")] == [
        (DeliveryStatus.EXPIRED, Reason.TOO_LATE)
    ]
    assert rows(ctx, Enrolment)[0].status is EnrolmentStatus.COMPLETED


def test_of_the_questions_that_an_outage_kept_back_only_the_newest_is_asked(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx, born_on=None, due_on=date(2026, 3, 10))  # asked about on 13, 20 and 27 March
    living.at("2026-03-12T20:00")

    living.at("2026-03-24T10:00")
    living.days(5, looks=(0, 9))

    assert came(ctx, channel, "arrived") == [(SAM, utc("2026-03-24T10:00")), (SAM, utc("2026-03-27T09:00"))]


def test_a_question_is_not_asked_late_once_a_person_is_to_ask(living: Living, ctx: Context, channel: Phones) -> None:
    enrol_family(ctx, born_on=None, due_on=date(2026, 3, 10))
    living.at("2026-03-26T20:00")
    channel.clear()

    living.at("2026-04-02T10:00")  # day 23 past the due date
    living.days(2, looks=(0, 9))

    assert channel.came == []
    assert [task.kind for task in rows(ctx, Task)] == [TaskKind.ASK_ABOUT_BIRTH]


def test_a_birth_that_is_told_before_the_clock_goes_again_is_not_asked_about(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = enrol_family(ctx, born_on=None, due_on=date(2026, 3, 10))
    living.at("2026-03-12T20:00")
    living.frozen.move_to("2026-03-15T08:00Z")
    life.tell_birth(ctx, family.study_code, born_on=date(2026, 3, 14), actor=STAFF)

    living.at("2026-03-15T10:00")
    living.days(7, looks=(0, 9))

    assert came(ctx, channel, "arrived") == []
