"""Importing a spreadsheet: what can go in goes in, what cannot is explained by line and column, nothing is halved."""

import csv
import io
import itertools
from collections.abc import Iterator
from datetime import date

import pytest
from freezegun import freeze_time

from babymind.errors import ConflictError, InvalidInputError
from babymind.services import importing
from babymind.services.context import Context
from babymind.services.importing import parse_date
from babymind.store.deliveries import Delivery
from babymind.store.families import Address, Caregiver, Consent, Family, Pregnancy
from babymind.store.staff import AuditEvent
from tests.factories import SAM, daily, enrol_family, rows

HEADING = ("study", "family", "caregiver", "phone", "role", "baby", "birth_date", "due_date", "gestation", "timezone",
           "fact_time", "prompt_time", "locale", "research_consent", "shares_phone")  # fmt: skip


@pytest.fixture
def ctx(ctx: Context) -> Iterator[Context]:
    """An installation at noon of a day in March."""
    with freeze_time("2026-03-08T12:00Z"):
        yield ctx


def numbers() -> Iterator[str]:
    """Numbers that can belong to nobody."""
    return (f"+1{area}555{line:04d}" for area in range(200, 1000) if area % 100 != 11 for line in range(100, 200))


def row(phone: str, **changes: str) -> dict[str, str]:
    """A row that can go in, but for what is changed."""
    fine = {"study": "demo", "caregiver": "Sam", "phone": phone, "role": "mother", "baby": "Robin",
            "birth_date": "2026-02-01", "timezone": "Europe/London", "research_consent": "yes"}  # fmt: skip
    return fine | changes


def sheet(*lines: dict[str, str], delimiter: str = ",") -> str:
    """A file of some rows."""
    file = io.StringIO()
    writer = csv.DictWriter(file, HEADING, delimiter=delimiter, restval="")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


# Twenty ways in which a row cannot be, and the column that is told.
BAD: tuple[tuple[dict[str, str], str], ...] = (
    ({"study": "no-such"}, "study"),
    ({"caregiver": ""}, "caregiver"),
    ({"caregiver": "x" * 61}, "caregiver"),
    ({"phone": ""}, "phone"),
    ({"phone": "4.47701E+11"}, "phone"),
    ({"phone": "07700 900123"}, "phone"),
    ({"phone": "+441632960960"}, "phone"),
    ({"phone": "hello"}, "phone"),
    ({"role": "aunt by marriage"}, "role"),
    ({"birth_date": "03/04/2026"}, "birth_date"),
    ({"birth_date": "45992"}, "birth_date"),
    ({"birth_date": "2026-02-30"}, "birth_date"),
    ({"birth_date": "2027-01-01"}, "birth_date"),
    ({"birth_date": "2024-01-01"}, "birth_date"),
    ({"birth_date": "", "due_date": "soon"}, "due_date"),
    ({"birth_date": "", "due_date": "2029-01-01"}, "due_date"),
    ({"gestation": "39+9"}, "gestation"),
    ({"timezone": "London"}, "timezone"),
    ({"fact_time": "22:00"}, "fact_time"),
    ({"research_consent": "maybe"}, "research_consent"),
)


def thousands(good: int, bad: int) -> tuple[str, dict[int, str]]:
    """A file, and the column that is told of each line that cannot go in, spread over it."""
    phones, kinds = numbers(), itertools.cycle(BAD)
    every = (good + bad) // bad
    lines: list[dict[str, str]] = []
    told: dict[int, str] = {}
    for number in range(good + bad):
        change: dict[str, str] = {}
        if number % every == 0 and len(told) < bad:
            change, told[number + 2] = next(kinds)
        lines.append(row(**{"phone": next(phones), **change}))
    return sheet(*lines), told


def test_five_thousand_rows_with_three_hundred_bad_ones(ctx: Context) -> None:
    large = ctx.database.dialect.name == "sqlite"
    good, bad = (4700, 300) if large else (188, 12)
    text, told = thousands(good, bad)

    found = importing.read(ctx, text)
    with pytest.raises(ConflictError, match=f"{bad} rows are refused"):
        importing.load(ctx, found, all_or_nothing=True)
    assert rows(ctx, Family) == []
    imported = importing.load(ctx, found)

    assert (imported.caregivers, imported.families) == (good, good)
    assert {refusal.line: refusal.column for refusal in imported.refusals} == told
    assert len(imported.refusals) == bad
    assert all(len(refusal.message) > 20 for refusal in imported.refusals)
    assert len(rows(ctx, Caregiver)) == good
    assert len(daily(ctx)) == good  # the prompt of today; the fact's time is over


def test_there_are_twenty_kinds_of_bad_rows_and_each_says_what_would_be_right(ctx: Context) -> None:
    assert len(BAD) == 20
    phones = numbers()
    text = sheet(*(row(**{"phone": next(phones), **change}) for change, _ in BAD))

    found = importing.read(ctx, text)

    assert [(refusal.line, refusal.column) for refusal in found.refusals] == [
        (line, column) for line, (_, column) in enumerate(BAD, 2)
    ]
    assert found.families == []


def test_every_fault_of_a_row_is_told(ctx: Context) -> None:
    found = importing.read(ctx, sheet(row("nonsense", birth_date="03/04/2026", timezone="Mars")))

    assert {refusal.column for refusal in found.refusals} == {"phone", "birth_date", "timezone"}


def test_rows_of_one_family_are_its_caregivers_and_twins_are_named_in_one_field(ctx: Context) -> None:
    text = sheet(
        row("+12025550101", family="7", caregiver="Sam", baby="Ada and Ben"),
        row("+12025550102", family="7", caregiver="Jo", role="Dad", birth_date="", baby="",
            timezone="America/New_York", research_consent=""),
        row("+12025550103", caregiver="Alex", birth_date="", due_date="12 May 2026", baby=""),
    )  # fmt: skip

    importing.load(ctx, importing.read(ctx, text))

    families = rows(ctx, Family)
    assert len(families) == 2
    assert [(c.family_id, c.role.value, c.zone) for c in rows(ctx, Caregiver)] == [
        (1, "mother", "Europe/London"), (1, "father", "America/New_York"), (2, "mother", "Europe/London"),
    ]  # fmt: skip
    assert [(p.due_on, p.born_on) for p in rows(ctx, Pregnancy)] == [
        (date(2026, 2, 1), date(2026, 2, 1)), (date(2026, 5, 12), None),
    ]  # fmt: skip
    assert [one.given for one in rows(ctx, Consent) if one.kind.value == "research"] == [True, False, True]
    assert {row.occasion for row in rows(ctx, Delivery) if row.occasion} == {f"welcome:{n}" for n in (1, 2, 3)}


def test_a_family_waits_for_the_row_of_it_that_cannot_go_in(ctx: Context) -> None:
    text = sheet(
        row("+12025550101", family="7"), row("oh no", family="7", caregiver="Jo"), row("+12025550103", family="8")
    )

    found = importing.read(ctx, text)
    importing.load(ctx, found)

    assert [(refusal.line, refusal.column) for refusal in found.refusals] == [(2, "family"), (3, "phone")]
    assert "line 3" in found.refusals[0].message
    assert len(rows(ctx, Family)) == 1


def test_a_number_comes_once_in_the_file_and_once_in_the_database(ctx: Context) -> None:
    enrol_family(ctx, phone=SAM)
    text = sheet(row("+12025550101"), row("+1 202 555 0101"), row(SAM))

    found = importing.read(ctx, text)

    assert [(refusal.line, refusal.column) for refusal in found.refusals] == [(3, "phone"), (4, "phone")]
    assert "line 2" in found.refusals[0].message
    assert "enrolled already" in found.refusals[1].message


@pytest.mark.fault(72)
def test_a_phone_may_be_shared_within_a_family(ctx: Context) -> None:
    text = sheet(row("+12025550101", family="7"), row("+12025550101", family="7", caregiver="Jo", shares_phone="yes"))

    imported = importing.load(ctx, importing.read(ctx, text))

    assert imported.refusals == []
    assert [address.shared for address in rows(ctx, Address)] == [False, True]


def test_a_number_enrolled_meanwhile_leaves_nothing_half_written(ctx: Context) -> None:
    found = importing.read(ctx, sheet(row("+12025550101"), row(SAM)))
    enrol_family(ctx, phone=SAM)

    with pytest.raises(ConflictError, match="nothing was imported"):
        importing.load(ctx, found)

    assert len(rows(ctx, Family)) == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_separator_and_the_names_of_columns_are_read_forgivingly(ctx: Context, delimiter: str) -> None:
    heading = delimiter.join(("Study", "First name", "Mobile Number", "EDD", "Research consent"))
    body = delimiter.join(("demo", "Sam", "+12025550101", "2026-05-01", "Yes"))

    found = importing.read(ctx, f"\ufeff{heading}\r\n{body}\r\n\r\n")

    assert found.refusals == []
    assert found.caregivers == 1


@pytest.mark.parametrize(
    ("heading", "says"),
    [
        ("caregiver,phone,shoe size", "shoe size"),
        ("caregiver,phone,mobile", "twice"),
        ("caregiver,role", "no column phone"),
        ("", "no column caregiver"),
    ],
)
def test_a_heading_that_cannot_be_used_is_refused(ctx: Context, heading: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        importing.read(ctx, f"{heading}\nSam,+12025550101,x\n")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-12", date(2026, 3, 12)), ("12 March 2026", date(2026, 3, 12)), ("12 Mar 2026", date(2026, 3, 12)),
        ("March 12, 2026", date(2026, 3, 12)), ("12th March 2026", date(2026, 3, 12)),
        ("13/03/2026", date(2026, 3, 13)),
        ("03/13/2026", date(2026, 3, 13)), ("03/03/2026", date(2026, 3, 3)), ("12-Mar-2026", date(2026, 3, 12)),
        ("2026-03-12 00:00:00", date(2026, 3, 12)), ("", None),
    ],
)  # fmt: skip
def test_a_day_is_read_where_it_can_be_only_one(text: str, day: date | None) -> None:
    assert parse_date(text) == day


def test_numbers_without_a_country_are_read_when_it_is_named(ctx: Context) -> None:
    text = sheet(row("07700 900123"))

    assert importing.read(ctx, text).caregivers == 0
    assert importing.read(ctx, text, country="gb").caregivers == 1


def test_the_template_can_be_imported_as_it_is(ctx: Context) -> None:
    found = importing.read(ctx, importing.TEMPLATE.replace("pilot", "demo").replace("2026-11-01", "2026-02-01")
                           .replace("2027-02-14", "2026-05-14"))  # fmt: skip

    assert [(refusal.line, refusal.column, refusal.message) for refusal in found.refusals] == []
    assert len(found.families) == 2


def test_an_import_is_recorded_by_counts_only(ctx: Context) -> None:
    importing.load(ctx, importing.read(ctx, sheet(row("+12025550101"), row("oh no"))), actor="staff:1")

    event = next(one for one in rows(ctx, AuditEvent) if one.action == "import")
    assert (event.actor, event.details) == ("staff:1", {"families": {"demo": 1}, "refused": 1})


@pytest.mark.fault(32)
@pytest.mark.parametrize("column", [one for one in HEADING if one not in ("family", "phone")])
def test_characters_that_a_database_cannot_keep_are_refused_in_every_column(ctx: Context, column: str) -> None:
    read = importing.read(ctx, sheet(row(SAM, **{column: "a\x00b"})))

    assert [one.column for one in read.refusals] == [column]
    assert read.families == []
