"""The enrolment form: what it takes, what it refuses, and in which words."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from babymind.services.context import Context
from babymind.services.enrol import Enrolled
from babymind.store.families import Caregiver, Consent, Family, Infant, Pregnancy
from babymind.store.staff import AuditEvent
from tests.factories import rows
from tests.web.conftest import shown, token_in


def test_without_a_study_there_is_no_form(reviewer: FlaskClient) -> None:
    assert "There is no study yet." in reviewer.get("/staff/families/new").text


GOOD: dict[str, str | None] = {
    "study": "demo", "name": "Alex", "role": "mother", "phone": "+447700900555", "zone": "Europe/London",
    "fact_time": "09:00", "prompt_time": "17:00", "babies": "1", "baby_1": "Wren", "messaging_consent": "y",
    "gestation_weeks": "", "gestation_days": "",
}  # fmt: skip


def enrol_by_form(client: FlaskClient, **changed: str | None) -> tuple[int, str]:
    """Fill in the enrolment form; a birth date of ten days ago unless dates are given."""
    born = {"born_on": str((datetime.now(UTC) - timedelta(days=10)).date())}
    form = GOOD | ({} if "due_on" in changed or "born_on" in changed else born) | changed
    form["csrf_token"] = token_in(client.get("/staff/families/new"))
    answer = client.post("/staff/families/new", data={key: value for key, value in form.items() if value is not None})
    return answer.status_code, answer.location or shown(answer.text)


def test_a_family_is_enrolled_by_the_form(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    status, where = enrol_by_form(reviewer, babies="2", baby_2="Ash", gestation_weeks="36", gestation_days="4",
                                  research_consent="y", zone=" Europe/Paris ")  # fmt: skip

    assert status == 303
    enrolled = rows(ctx, Family)[1]
    assert where.endswith(f"/staff/families/{enrolled.study_code}")
    assert [ctx.vault.open(i.name_sealed or "") for i in rows(ctx, Infant, pregnancy_id=2)] == ["Wren", "Ash"]
    assert rows(ctx, Pregnancy)[1].gestation_days == 36 * 7 + 4
    caregiver = rows(ctx, Caregiver)[1]
    assert (ctx.vault.open(caregiver.name_sealed), caregiver.zone) == ("Alex", "Europe/Paris")
    assert [consent.given for consent in rows(ctx, Consent, caregiver_id=caregiver.id)] == [True, True]
    assert rows(ctx, AuditEvent, action="enrol")[1].actor == "staff:1"
    assert "its study code is" in shown(reviewer.get(where).text)


def test_a_name_typed_is_a_baby_whatever_the_number_says(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    enrol_by_form(reviewer, babies="1", baby_2="Ash")

    assert len(rows(ctx, Infant, pregnancy_id=2)) == 2


@pytest.mark.parametrize(("changed", "status", "said"), [
    ({"phone": "07700 900555"}, 422, "write it with + and the country"),
    ({"phone": "+447911123456"}, 422, "With the phone simulator only numbers reserved for fiction"),
    ({"phone": "+447700900001"}, 409, "is enrolled already"),
    ({"zone": "London"}, 422, "'London' is not a time zone"),
    ({"fact_time": "22:00"}, 422, "22:00 lies in the quiet hours"),
    ({"prompt_time": "noon"}, 422, "'noon' is not a time of day"),
    ({"born_on": "2099-01-01"}, 422, "is in the future"),
    ({"born_on": ""}, 422, "A due date or a birth date is needed"),
    ({"born_on": "31/12/2026"}, 422, "Give the day as year-month-day"),
    ({"due_on": "2099-01-01"}, 422, "more than 40 weeks away"),
    ({"gestation_weeks": "12"}, 422, "a birth is between 22+0 and 44+0 weeks"),
    ({"gestation_days": "3"}, 422, "is not a gestation"),
    ({"gestation_days": "9"}, 422, "Give 0 to 6 days."),
    ({"messaging_consent": None}, 422, "Without this agreement nothing may be sent"),
    ({"name": ""}, 422, "Give the caregiver's name."),
    ({"name": "x" * 61}, 422, "Field cannot be longer than 60 characters."),
    ({"study": "another"}, 422, "Not a valid choice."),
    ({"role": "president"}, 422, "Not a valid choice."),
    ({"babies": "9"}, 422, "Not a valid choice."),
])  # fmt: skip
def test_what_cannot_be_is_said_beside_the_form_and_nothing_is_saved(
    reviewer: FlaskClient, ctx: Context, family: Enrolled, changed: dict[str, str | None], status: int, said: str
) -> None:
    answered, words = enrol_by_form(reviewer, **changed)

    assert answered == status
    assert said in words
    assert "Nothing has been saved." in words
    assert len(rows(ctx, Family)) == 1


def test_what_was_typed_is_kept(reviewer: FlaskClient, family: Enrolled) -> None:
    form = GOOD | {"name": 'Al"ex', "phone": "1", "csrf_token": token_in(reviewer.get("/staff/families/new"))}

    page = reviewer.post("/staff/families/new", data=form).text

    assert 'value="Al&#34;ex"' in page
    assert 'value="Wren"' in page
    assert "checked" in page


def test_the_exact_words_of_the_consent_are_on_the_form(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    page = shown(reviewer.get("/staff/families/new").text)

    assert "I agree that BabyMind sends me text messages" in page
    assert "I agree that The demo study uses what I send" in page
    assert "{" not in page
