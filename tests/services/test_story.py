"""The story of Ada and Ben, born at 31 weeks and 2 days; their mother is in London, their father in New York."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from babymind.clock import utc_now
from babymind.domain.age import Stage
from babymind.domain.delivery import DeliveryStatus, Hold, Kind, Reason
from babymind.services import ledger, life, receive, triage
from babymind.services.context import Context
from babymind.store.deliveries import Delivery
from babymind.store.families import Infant, LossReason, Pregnancy, PregnancyStatus
from babymind.store.studies import Study
from babymind.store.tasks import Task, TaskKind
from tests.factories import JO, SAM, change, rows
from tests.services.living import Came, Living, Phones, parents, said, slots

MOTHER, FATHER = SAM, JO
LONDON, NEW_YORK = "Europe/London", "America/New_York"
WHERE = {MOTHER: LONDON, FATHER: NEW_YORK}
HOURS = (0, 5, 8, 9, 13, 14, 16, 17, 21, 22)  # UTC: every hour at which one of them may be due, in winter and summer
USUAL = ["09:00", "17:00"]


def live_till(living: Living, last: date, *, hours: Sequence[int] = HOURS) -> None:
    """Live through the days to come, the last one included."""
    while utc_now().date() < last:
        living.days(1, looks=tuple(hours))


def diary(channel: Phones, phone: str) -> dict[date, list[str]]:
    """The hours at which messages came to a phone, day by day, by the clock on the wall."""
    days: dict[date, list[str]] = defaultdict(list)
    for one in _on(channel, phone):
        local = one.local(WHERE[phone])
        days[local.date()].append(f"{local:%H:%M}")
    return days


def _on(channel: Phones, phone: str) -> list[Came]:
    return [one for one in channel.came if one.to == phone]


def test_born_at_31_weeks_twins_one_dies_at_four_weeks_and_the_clocks_change(
    living: Living, ctx: Context, channel: Phones
) -> None:
    change(ctx, Study, 1, condolence=True)

    # Thursday 12 February 2026. The twins are due on 16 April; their parents join in the evening, London time.
    living.frozen.move_to("2026-02-12T18:30Z")
    family = parents(ctx, babies=("Ada", "Ben"), born_on=None, due_on=date(2026, 4, 16))
    mother_id, father_id = (caregiver_id for caregiver_id, _ in family.caregivers)
    living.tick()
    assert [one.to for one in channel.came] == [MOTHER, FATHER]
    assert all("Ada and Ben" in one.text for one in channel.came)
    living.at("2026-02-12T22:00")

    # Friday: each has a fact and a question, by their own clocks. It is weeks 31 of the pregnancy.
    live_till(living, date(2026, 2, 13))
    assert diary(channel, MOTHER)[date(2026, 2, 13)] == USUAL
    assert diary(channel, FATHER)[date(2026, 2, 12)] == [
        "13:30",
        "17:00",
    ]  # the welcome, and the question of that day
    assert diary(channel, FATHER)[date(2026, 2, 13)] == USUAL
    [fact] = slots(ctx, caregiver_id=mother_id, local_day=date(2026, 2, 13), kind=Kind.FACT)
    assert (fact.stage, fact.age_day) == (Stage.ANTENATAL, -62)

    # Saturday: they are born. Their mother texts from the ward at three; the evening's question is an early baby's.
    for hour in (5, 8, 9, 14):
        living.at(datetime(2026, 2, 14, hour, tzinfo=UTC))
    living.frozen.move_to("2026-02-14T15:00Z")
    living.text("Born today 31+2", phone=MOTHER)
    thanks = said(ctx, "weeks", weeks="31+2")
    assert [(one.to, one.local(LONDON).hour) for one in channel.came if one.text == thanks] == [
        (MOTHER, 15), (FATHER, 15),
    ]  # fmt: skip
    for hour in (16, 17, 21, 22):
        living.at(datetime(2026, 2, 14, hour, tzinfo=UTC))
    pregnancy = rows(ctx, Pregnancy)[0]
    assert (pregnancy.born_on, pregnancy.gestation_days, pregnancy.due_on) == (
        date(2026, 2, 14), 219, date(2026, 4, 16),
    )  # fmt: skip
    that_day = [(row.stage, row.age_day) for row in slots(ctx, caregiver_id=mother_id, local_day=date(2026, 2, 14))]
    assert that_day == [(Stage.ANTENATAL, -61), (Stage.EARLY, 0)]

    # Three weeks go by. On Sunday 8 March New York's clocks go forward: their father's messages keep to his wall.
    live_till(living, date(2026, 3, 13))
    for phone in (MOTHER, FATHER):
        days = diary(channel, phone)
        assert all(days[date(2026, 2, 15) + timedelta(days=number)] == USUAL for number in range(27))
    nine = {one.local(NEW_YORK).date(): one.at.hour for one in _on(channel, FATHER) if one.local(NEW_YORK).hour == 9}
    assert (nine[date(2026, 3, 7)], nine[date(2026, 3, 8)]) == (14, 13)
    assert [row.age_day for row in slots(ctx, caregiver_id=father_id, kind=Kind.FACT)][-2:] == [26, 27]
    assert any("Ada and Ben" in text for text in channel.of(FATHER))
    texts = channel.of(MOTHER)
    assert len(texts) == len(set(texts))

    # Saturday 14 March, four weeks old: Ben dies in the night. At eight their mother texts us.
    # In New York it is four.
    living.at("2026-03-14T05:00")
    living.frozen.move_to("2026-03-14T08:00Z")
    channel.clear()
    living.keep("Our baby died this morning", phone=MOTHER)
    living.at("2026-03-14T09:00")  # her fact was due; her words are not read yet
    assert channel.came == []
    receive.process_new(ctx)
    triage.triage_new(ctx)
    living.tick()
    assert [(one.to, one.text) for one in channel.came] == [(MOTHER, said(ctx, "loss"))]
    live_till(living, date(2026, 3, 15))
    assert len(channel.came) == 1  # nothing more, to either
    assert {one.status for one in rows(ctx, Infant)} == {PregnancyStatus.BORN}  # nobody guesses which
    assert rows(ctx, Pregnancy)[0].hold is Hold.AFTER_LOSS
    assert [task.kind for task in rows(ctx, Task)] == [TaskKind.CONFIRM_LOSS]

    # Monday: a person has rung. It was Ben. His father is told once that everything has stopped.
    living.frozen.move_to("2026-03-16T10:00Z")  # six in the morning in New York
    life.tell_loss(ctx, family.study_code, babies=[2], reason=LossReason.DEATH, actor="staff:1")
    living.at("2026-03-16T11:59")
    assert len(channel.came) == 1
    living.at("2026-03-16T12:00")
    live_till(living, date(2026, 3, 22), hours=(5, 9, 13, 17, 21))
    assert [(one.to, one.text, f"{one.local(NEW_YORK):%a %H:%M}") for one in channel.came[1:]] == [
        (FATHER, said(ctx, "condolence"), "Mon 08:00")
    ]
    for phone_id in (mother_id, father_id):
        quiet = [row for row in slots(ctx, caregiver_id=phone_id) if row.local_day > date(2026, 3, 14)]
        assert {(row.status, row.reason) for row in quiet} == {(DeliveryStatus.SKIPPED, Reason.AFTER_LOSS)}
    assert [(one.status, one.loss_reason) for one in rows(ctx, Infant)] == [
        (PregnancyStatus.BORN, None), (PregnancyStatus.LOST, LossReason.DEATH),
    ]  # fmt: skip

    # Monday 23 March: they would like the messages about Ada. A person lets them go on, from the next slot.
    living.at("2026-03-23T05:00")
    living.frozen.move_to("2026-03-23T11:00Z")
    channel.clear()
    life.release(ctx, family.study_code, because="both parents asked for it", actor="staff:1")
    for hour in (13, 14, 16, 17, 21, 22):
        living.at(datetime(2026, 3, 23, hour, tzinfo=UTC))
    assert diary(channel, MOTHER)[date(2026, 3, 23)] == ["17:00"]
    assert diary(channel, FATHER)[date(2026, 3, 23)] == USUAL

    # On Sunday 29 March London's clocks go forward.
    live_till(living, date(2026, 3, 31))
    for phone in (MOTHER, FATHER):
        days = diary(channel, phone)
        assert all(days[date(2026, 3, 24) + timedelta(days=number)] == USUAL for number in range(8))
    nine = {one.local(LONDON).date(): one.at.hour for one in _on(channel, MOTHER) if one.local(LONDON).hour == 9}
    assert (nine[date(2026, 3, 28)], nine[date(2026, 3, 29)]) == (9, 8)
    assert [row.age_day for row in slots(ctx, caregiver_id=mother_id, kind=Kind.FACT)][-1] == 45
    for text in channel.of(MOTHER) + channel.of(FATHER):
        assert "Ben" not in text
        assert "twins" not in text
    assert any("Ada" in text for text in channel.of(MOTHER))

    # Thursday 16 April, the day they were due: from now on Ada's messages go by her corrected age.
    live_till(living, date(2026, 4, 16), hours=(5, 8, 16))
    facts = [(row.stage, row.age_day) for row in slots(ctx, caregiver_id=mother_id, kind=Kind.FACT)]
    assert facts[-2:] == [(Stage.EARLY, 60), (Stage.INFANT, 0)]
    assert all(ledger.of_day(ctx, date(2026, 2, 12) + timedelta(days=number)).ok for number in range(0, 63, 7))
    assert len({row.provider_ref for row in rows(ctx, Delivery) if row.provider_ref}) == len(
        [row for row in rows(ctx, Delivery) if row.provider_ref]
    )
