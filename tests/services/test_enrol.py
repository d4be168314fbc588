"""A family is enrolled whole, or refused with a sentence and nothing written."""

import threading
from datetime import date

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from babymind.errors import BabyMindError, ConflictError, InvalidInputError, NotFoundError
from babymind.services import caregivers, enrol
from babymind.services.context import Context
from babymind.services.enrol import NewCaregiver, NewFamily
from babymind.store.families import Caregiver, Consent, ConsentKind, Family, Infant, PregnancyStage
from babymind.store.studies import Enrolment
from tests.factories import JO, SAM, at_once, daily, enrol_family, rows, utc


@freeze_time("2026-03-08T07:00Z")
def test_a_family_gets_a_code_consents_a_welcome_and_its_day(ctx: Context) -> None:
    enrolled = enrol_family(ctx, babies=("Ada", ""), research_consent=True)

    assert len(enrolled.study_code) == 11
    assert enrolled.caregivers[0][1] == SAM
    assert [(c.kind, c.given) for c in rows(ctx, Consent)] == [
        (ConsentKind.MESSAGING, True),
        (ConsentKind.RESEARCH, True),
    ]
    assert all(consent.text_shown for consent in rows(ctx, Consent))
    assert [infant.name_sealed is None for infant in rows(ctx, Infant)] == [False, True]
    assert [(row.kind.value, row.due_at) for row in daily(ctx)] == [
        ("fact", utc("2026-03-08T09:00")),
        ("prompt", utc("2026-03-08T17:00")),
    ]


@freeze_time("2026-03-08T12:00Z")
def test_a_family_that_joins_at_noon_starts_with_the_next_slot(ctx: Context) -> None:
    enrol_family(ctx)

    assert [row.kind.value for row in daily(ctx)] == ["prompt"]


def far_apart(first: str, second: str) -> NewFamily:
    """A family of two whose days differ."""
    couple = [NewCaregiver(name=zone[:1], phone=phone, zone=zone) for zone, phone in ((first, SAM), (second, JO))]
    return NewFamily(study="demo", caregivers=couple, babies=("Robin",), born_on=date(2026, 2, 1))


@freeze_time("2026-03-08T11:30Z")  # half past midnight on the 9th in Auckland, half past noon on the 8th in Berlin
@pytest.mark.parametrize("zones", [("Pacific/Auckland", "Europe/Berlin"), ("Europe/Berlin", "Pacific/Auckland")])
def test_each_caregiver_starts_with_their_own_next_slot_wherever_the_first_one_is(
    ctx: Context, zones: tuple[str, str]
) -> None:
    enrolled = enrol.enrol(ctx, far_apart(*zones))

    of = dict(zip(zones, (caregiver_id for caregiver_id, _ in enrolled.caregivers), strict=True))
    due = sorted((row.caregiver_id, row.local_day, row.kind.value) for row in daily(ctx))
    assert due == sorted([
        (of["Europe/Berlin"], date(2026, 3, 8), "prompt"),
        (of["Pacific/Auckland"], date(2026, 3, 9), "fact"),
        (of["Pacific/Auckland"], date(2026, 3, 9), "prompt"),
    ])  # fmt: skip
    assert [row.from_day for row in rows(ctx, Enrolment)] == [date(2026, 3, 8)]


@freeze_time("2026-03-08T11:30Z")
def test_a_caregiver_who_joins_on_the_first_day_from_further_west_misses_nothing(ctx: Context) -> None:
    family = enrol_family(ctx, zone="Pacific/Auckland")

    caregivers.add_caregiver(
        ctx, family.study_code, NewCaregiver(name="Jo", phone=JO, zone="Europe/Berlin"), actor="command"
    )

    assert [(row.local_day, row.kind.value) for row in daily(ctx) if row.caregiver_id == 2] == [
        (date(2026, 3, 8), "prompt")
    ]


@freeze_time("2026-03-08T11:30Z")
def test_who_joins_a_family_that_has_long_been_there_does_not_change_when_it_began(ctx: Context) -> None:
    with freeze_time("2026-03-01T11:30Z"):
        family = enrol_family(ctx, zone="Europe/London")

    caregivers.add_caregiver(
        ctx, family.study_code, NewCaregiver(name="Jo", phone=JO, zone="Pacific/Honolulu"), actor="command"
    )

    assert [row.from_day for row in rows(ctx, Enrolment)] == [date(2026, 3, 1)]


def test_a_number_that_is_given_away_while_a_family_is_enrolled_is_refused_as_any_other(ctx: Context) -> None:
    refused: list[str] = []

    def enrol_jo() -> None:
        with pytest.raises(ConflictError) as error:
            enrol_family(ctx, phone=JO)
        refused.append(str(error.value))

    with freeze_time("2026-03-08T12:00Z"):
        enrol_family(ctx)
        other = threading.Thread(target=enrol_jo)
        with ctx.sessions.begin() as session:
            sam = session.get_one(Caregiver, 1)
            sam.addresses.append(enrol.new_address(ctx, JO, utc("2026-03-08T12:00")))
            session.flush()
            other.start()  # finds the number free, or waits to look
            other.join(0.3)
        other.join(20)

    assert refused == ["The number ending in 02 is enrolled already; change that family instead."]
    assert len(rows(ctx, Family)) == 1


@pytest.mark.fault(84)
@freeze_time("2026-03-08T07:00Z")
def test_names_and_numbers_are_unreadable_in_the_database(ctx: Context) -> None:
    enrol_family(ctx, name="Persephone", babies=("Thaddeus",))

    dump: list[str] = []
    with ctx.database.connect() as connection:
        for table in Family.metadata.sorted_tables:
            dump.extend(str(tuple(row)) for row in connection.execute(text(f"SELECT * FROM {table.name}")))
    everything = "\n".join(dump)
    assert "caregiver" in Family.metadata.tables
    for secret in ("Persephone", "Thaddeus", "7700900101"):
        assert secret not in everything


@pytest.mark.fault(67)
@freeze_time("2026-03-08T12:00Z")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"phone": "07700900101"}, "international telephone number"),
        ({"phone": "hello"}, "international telephone number"),
        ({"phone": "+447911123456"}, "only numbers reserved for fiction"),
        ({"name": "  "}, "name of a caregiver is missing"),
        ({"name": "x" * 61}, "too long"),
        ({"name": "Sam\x07"}, "odd characters"),
        ({"zone": "Europe/Londn"}, "not a time zone"),
        ({"fact_time": "06:00"}, "quiet hours"),
        ({"prompt_time": "noon"}, "not a time of day"),
        ({"role": "wizard"}, "not a role"),
        ({"born_on": date(2026, 3, 9)}, "in the future"),
        ({"born_on": None}, "A due date or a birth date is needed"),
        ({"born_on": None, "due_on": date(2028, 1, 1)}, "more than 40 weeks away"),
        ({"gestation_days": 100}, "between 22\\+0 and 44\\+0"),
        ({"babies": ("a",) * 6}, "1 to 5 babies"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    ctx: Context, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(InvalidInputError, match=says):
        enrol_family(ctx, **changes)  # type: ignore[arg-type]  # the test's own names

    assert rows(ctx, Family) == []
    assert rows(ctx, Caregiver) == []


@pytest.mark.fault(72)
@freeze_time("2026-03-08T12:00Z")
def test_an_unknown_study_and_a_known_number_are_refused(ctx: Context) -> None:
    enrol_family(ctx)

    with pytest.raises(ConflictError, match="ending in 01 is enrolled already"):
        enrol_family(ctx)
    with pytest.raises(NotFoundError, match="babymind study add nowhere"):
        enrol.enrol(ctx, NewFamily(study="nowhere", caregivers=[NewCaregiver(name="A", phone=JO)]))
    twice = [NewCaregiver(name=name, phone=JO) for name in ("A", "B")]
    with pytest.raises(InvalidInputError, match="the same number"):
        enrol.enrol(ctx, NewFamily(study="demo", caregivers=twice, born_on=date(2026, 3, 1)))
    assert len(rows(ctx, Family)) == 1


@pytest.mark.fault(71)
@pytest.mark.parametrize("number", ["+442079460000", "+44791112345", "+447911123456789"])
def test_without_the_simulator_only_real_mobile_numbers_are_taken(number: str) -> None:
    with pytest.raises(InvalidInputError, match=r"not a mobile|not a number"):
        enrol.parse_phone(number, simulated=False)


def test_a_real_mobile_number_is_written_in_e164() -> None:
    assert enrol.parse_phone("+44 7911 123456", simulated=False) == "+447911123456"


@pytest.mark.fault(72)
@freeze_time("2026-03-08T12:00Z")
def test_the_same_number_enrolled_eight_times_at_once_is_one_family(ctx: Context) -> None:
    def try_it() -> str:
        try:
            return enrol_family(ctx).study_code
        except BabyMindError as error:
            return type(error).__name__

    outcomes = at_once(try_it, 8)

    assert outcomes.count("ConflictError") == 7
    assert len(rows(ctx, Family)) == 1


@freeze_time("2026-03-08T12:00Z")
def test_the_stages_of_a_preterm_baby_are_written_down(ctx: Context) -> None:
    enrol_family(ctx, gestation_days=217)

    assert [stage.stage.value for stage in rows(ctx, PregnancyStage)] == [
        "waiting", "antenatal", "early", "infant", "completed",
    ]  # fmt: skip
