"""The commands of a family's life: each does what it says, and refuses with a sentence."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from freezegun import freeze_time

from babymind.cli import cli
from babymind.errors import BabyMindError, ConflictError, NotFoundError
from babymind.services import importing
from tests.test_config_and_cli import document, environment, run  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("study")


@pytest.fixture
def study(environment: dict[str, str], sqlite_template: Path, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    """A database with content and a study, and the settings that lead to it; what is beneath is tested on both."""
    shutil.copy(sqlite_template, tmp_path / "x.db")


@pytest.fixture
def family(study: None) -> dict[str, Any]:
    """A family of twins born three weeks ago, with one caregiver."""
    with freeze_time("2026-03-08T07:00Z"):
        found: dict[str, Any] = document(
            "enrol", "--study", "demo", "--phone", "+447700900101", "--caregiver", "Sam", "--baby", "Ada", "--baby",
            "Ben", "--birth-date", "2026-02-15",
        )  # fmt: skip
    return found


def of(family: dict[str, Any], command: str, *more: str) -> Result:
    with freeze_time("2026-03-08T07:05Z"):
        ran = run("families", command, family["study_code"], *more)
    assert ran.exit_code == 0, ran.output
    return ran


def reasons(family: dict[str, Any], **more: str) -> set[str | None]:
    with freeze_time("2026-03-08T07:06Z"):
        return {one["reason"] for one in document("calendar", family["study_code"], "--days", "2")}


def caregiver(family: dict[str, Any]) -> tuple[str, str]:
    return "--caregiver", str(family["caregivers"][0]["id"])


@pytest.mark.parametrize(
    ("command", "more", "reason"),
    [
        ("loss", (), "loss"), ("loss", ("--baby", "1", "--reason", "death"), "after_loss"),
        ("hold", ("--why", "ill"), "ill"), ("withdraw", ("--data", "keep"), "enrolment_ended"),
    ],
)  # fmt: skip
def test_what_stops_a_family_shows_in_its_calendar(
    family: dict[str, Any], command: str, more: tuple[str, ...], reason: str
) -> None:
    of(family, command, *more)

    assert reasons(family) == {reason}


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        ([("stop", ())], "stopped"), ([("pause", ("--days", "7"))], "paused"),
        ([("wrong-number", ())], "channel_closed"),
        ([("leave", ())], "left"), ([("stop", ()), ("start", ("--because", "asked by telephone"))], None),
        ([("pause", ()), ("resume", ())], None),
    ],
)  # fmt: skip
def test_what_stops_a_caregiver_and_what_begins_again(
    family: dict[str, Any], commands: list[tuple[str, tuple[str, ...]]], reason: str | None
) -> None:
    for command, more in commands:
        of(family, command, *caregiver(family), *more)

    assert reasons(family) == {reason}


def test_a_loss_is_undone_with_both_confirmations_only(family: dict[str, Any]) -> None:
    of(family, "loss")
    with pytest.raises(ConflictError, match="confirm both"):
        of(family, "undo-loss", "--because", "a mistake", "--spoken-with-parent", "--confirm", "wrong")

    of(family, "undo-loss", "--because", "a mistake", "--spoken-with-parent", "--confirm", family["study_code"])

    assert reasons(family) == {None}


def test_what_is_on_record_of_a_loss_is_corrected_and_a_hold_does_not_take_its_place(family: dict[str, Any]) -> None:
    of(family, "loss", "--baby", "1")

    said = of(family, "loss-reason", "--reason", "stillbirth")
    with pytest.raises(ConflictError, match="on record already"):
        of(family, "loss-reason", "--reason", "stillbirth", "--baby", "1")
    with pytest.raises(ConflictError, match="end that hold first"):
        of(family, "hold", "--why", "ill")
    refused = run("families", "hold", family["study_code"], "--why", "after_loss")

    assert said.output.strip() == "What happened is corrected."
    assert refused.exit_code == 2
    assert reasons(family) == {"after_loss"}


def test_times_a_number_another_caregiver_and_another_pregnancy(family: dict[str, Any]) -> None:
    of(family, "times", *caregiver(family), "--fact-time", "10:30", "--no-prompts")
    of(family, "number", *caregiver(family), "+447700900109")
    of(family, "add-caregiver", "--phone", "+447700900102", "--caregiver", "Jo", "--role", "father")
    of(family, "pregnancy", "--due-date", "2026-04-01")

    with freeze_time("2026-03-08T07:06Z"):
        days = document("calendar", family["study_code"], "--days", "4")
    first = [one for one in days if one["caregiver_id"] == family["caregivers"][0]["id"]]
    others = [one for one in days if one not in first]
    assert {one["due_at"][11:16] for one in first if one["slot"] == "fact"} == {"10:30"}
    assert {one["reason"] for one in first if one["slot"] == "prompt"} == {"slot_off"}
    assert {one["reason"] for one in others} == {None, "daily_cap"}


def test_a_birth_and_corrected_dates_are_said_back() -> None:
    with freeze_time("2026-03-08T07:00Z"):
        expecting = document("enrol", "--study", "demo", "--phone", "+447700900101", "--caregiver", "Sam",
                             "--due-date", "2026-03-12")  # fmt: skip

    corrected = of(expecting, "dates", "--due-date", "2026-03-20")
    born = of(expecting, "birth", "--date", "2026-03-07", "--gestation", "38+1")

    assert "38+2 weeks of pregnancy" in corrected.stdout
    assert "1 day old" in born.stdout


def test_a_caregiver_of_another_family_is_not_reached_by_a_wrong_figure(family: dict[str, Any]) -> None:
    with freeze_time("2026-03-08T07:01Z"):
        other = document("enrol", "--study", "demo", "--phone", "+447700900103", "--caregiver", "Kim",
                         "--birth-date", "2026-02-15")  # fmt: skip

    with pytest.raises(NotFoundError, match="no such caregiver"):
        of(family, "stop", *caregiver(other))
    assert reasons(other) == {None}


def test_a_family_moves_to_an_arm_with_another_frequency(family: dict[str, Any]) -> None:
    with freeze_time("2026-03-08T07:02Z"):
        run("study", "arm", "demo", "weekly", "--frequency", "weekly", "--no-prompts")
    of(family, "move", "--study", "demo", "--arm", "weekly")

    with freeze_time("2026-03-08T07:06Z"):
        days = document("calendar", family["study_code"], "--days", "8")
    told = {(one["local_day"], one["slot"]): one["reason"] for one in days}
    assert told["2026-03-08", "fact"] is None
    assert told["2026-03-09", "fact"] is None  # a Monday
    assert told["2026-03-10", "fact"] == "frequency"
    assert told["2026-03-09", "prompt"] == "not_in_arm"


def test_families_are_listed_without_a_name_or_a_number(family: dict[str, Any]) -> None:
    with freeze_time("2026-03-08T07:06Z"):
        listed = run("families", "list")
        found = document("families", "list", "--study", "demo")

    assert family["study_code"] in listed.stdout
    assert found == [
        {"study_code": family["study_code"], "study": "demo", "caregivers": 1,
         "pregnancies": [{"stage": "infant", "age": "21 days old"}]}
    ]  # fmt: skip
    assert not {"Sam", "Ada", "0101"} & set(listed.stdout.split())


def imported(*arguments: str) -> tuple[int, dict[str, Any]]:
    with freeze_time("2026-03-08T07:00Z"):
        ran = CliRunner().invoke(cli, ["families", "import", *arguments, "--json"], catch_exceptions=False)
    return ran.exit_code, json.loads(ran.stdout)


def test_a_file_is_imported_and_what_is_refused_is_told(tmp_path: Path) -> None:
    file = tmp_path / "families.csv"
    template = run("families", "template").stdout
    assert next(iter(csv.DictReader(io.StringIO(template))))["caregiver"] == "Sam"
    file.write_text(
        "study,caregiver,phone,due_date\ndemo,Sam,+447700900101,2026-05-01\ndemo,Jo,07700 900102,2026-05-01\n"
    )

    refused = [{"line": 3, "column": "phone", "value": "07700 900102"}]

    def told(code: int, found: dict[str, Any]) -> tuple[int, int, list[dict[str, Any]]]:
        return code, found["imported"], [{k: one[k] for k in ("line", "column", "value")} for one in found["refused"]]

    assert told(*imported(str(file), "--dry-run")) == (0, 0, refused)
    assert told(*imported(str(file), "--all-or-nothing")) == (1, 0, refused)
    assert told(*imported(str(file))) == (0, 1, refused)
    assert told(*imported(str(file), "--country", "GB"))[1:] == (
        1, [{"line": 2, "column": "phone", "value": "+447700900101"}],
    )  # fmt: skip
    assert importing.TEMPLATE.splitlines()[0] == template.splitlines()[0]


def test_a_file_that_is_no_table_is_refused_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "families.csv"
    file.write_bytes(b"\xff\xfe\x00rubbish")

    with pytest.raises(BabyMindError, match="UTF-8"):
        run("families", "import", str(file))


def test_every_command_has_an_example() -> None:
    group = cli.commands["families"]

    assert all("Example: babymind families" in (one.help or "") for one in group.commands.values())  # type: ignore[attr-defined]
