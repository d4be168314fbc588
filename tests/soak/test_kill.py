"""Real processes are killed, and every phone gets what it ought to, once; `make soak` is the same at full length."""

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.soak import __main__ as command
from bench.soak.cases import CASES, EVERYTHING, Case
from bench.soak.mortal import ACCEPTED, POINTS
from bench.soak.oracle import Finding
from bench.soak.run import Report, soak

INSTALLATIONS = [("sqlite", "inline"), ("postgresql", "dbos")]


def small(name: str, database: str, engine: str, **more: object) -> Case:
    return Case(name=name, database=database, engine=engine, answer_seconds=1, workers=2, deadline_seconds=150,
                **{"messages": 52, "kills": 16, **more})  # type: ignore[arg-type]  # fmt: skip


def broken(report: Report) -> list[object]:
    return [(one.name, one.violations, one.examples) for one in report.findings if one.violations]


@pytest.mark.fault(1, 2, 3, 4, 5)
@pytest.mark.parametrize(("database", "engine"), INSTALLATIONS)
def test_killed_at_every_point_and_at_random_nothing_is_doubled_or_lost(database: str, engine: str) -> None:
    report = soak(small("kill", database, engine))

    assert broken(report) == []
    assert set(POINTS) <= {where for where, count in report.deaths.items() if count}


@pytest.mark.fault(9, 74)
def test_with_everything_going_wrong_at_once_nothing_is_doubled_or_lost() -> None:
    report = soak(small("faults", "sqlite", "inline", faults=EVERYTHING, refuses=True, kills=6, points=[ACCEPTED]))

    assert broken(report) == []


@pytest.mark.fault(4)
def test_without_asking_the_provider_some_come_twice() -> None:
    report = soak(small("control", "sqlite", "inline", reconciles=False, kills=4, points=[ACCEPTED],
                        faults=CASES["control-sqlite"].faults))  # fmt: skip

    assert broken(report) == []
    [found] = report.findings
    assert found.name == "without asking the provider, some come twice"


@pytest.mark.fault(59)
def test_the_database_may_be_away_for_a_while() -> None:
    report = soak(small("away", "postgresql", "inline", kills=0, database_away_seconds=4))

    assert broken(report) == []


def test_the_command_writes_what_was_checked_and_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names, broke = [name for name in CASES if name.startswith("control-")], [1]

    def run(case: Case, *_: object, **__: object) -> Report:
        return Report([Finding("nothing comes twice", case.messages, broke.pop() if broke else 0)], Counter(), 1.0)

    monkeypatch.setattr(command, "soak", run)
    chosen = [word for name in names for word in ("--case", name)]

    first = CliRunner().invoke(command.main, [*chosen, "--messages", "30"])
    again = CliRunner().invoke(command.main, ["--case", names[0]])

    assert (first.exit_code, again.exit_code) == (1, 0)
    assert json.loads((tmp_path / "var" / "soak.json").read_text()) == [
        {"name": f"{names[1]}: nothing comes twice", "checked": 30, "violations": 0},
        {"name": f"{names[0]}: nothing comes twice", "checked": CASES[names[0]].messages, "violations": 0},
    ]
