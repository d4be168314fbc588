"""The virtual year: it is the same for the same seed, every promise holds in it, and each would be seen to break."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, select, update

from babymind.cli import cli
from babymind.domain.delivery import SLOTS, DeliveryStatus, Kind
from babymind.library.bank import Library
from babymind.simulation import report
from babymind.simulation.invariants import check_all
from babymind.simulation.phones import FaultName, Received
from babymind.simulation.run import World, simulate
from babymind.store.deliveries import WENT, Delivery
from babymind.store.replies import Media, Reply

FAMILIES, DAYS, SEED = 12, 24, 7


def a_year(library: Library, folder: Path, *, seed: int = SEED, families: int = FAMILIES) -> World:
    return simulate(library, families=families, days=DAYS, seed=seed, faults=list(FaultName), folder=folder)


@pytest.fixture(scope="module")
def lived(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A month of some families with everything going wrong; no test changes it for the others."""
    world = a_year(library, tmp_path_factory.mktemp("simulation"))
    yield world
    world.ctx.database.dispose()


def broken(world: World) -> set[str]:
    return {one.name for one in check_all(world) if one.violations}


def test_every_promise_holds_with_every_fault(lived: World) -> None:
    told = check_all(lived)

    assert {one.name: one.examples for one in told if one.violations} == {}
    assert all(one.checked > 0 for one in told)
    assert len(lived.phones.received) > 200
    assert lived.phones.errors


def test_the_same_seed_makes_the_same_year(lived: World, library: Library, tmp_path: Path) -> None:
    again = a_year(library, tmp_path)

    def told(world: World) -> list[tuple[object, ...]]:
        return [(got.at, got.number, got.text, got.delivery_id) for got in world.phones.received]

    assert told(again) == told(lived)
    assert again.happened == lived.happened
    again.ctx.database.dispose()


def test_another_seed_makes_another_year(lived: World, library: Library, tmp_path: Path) -> None:
    other = a_year(library, tmp_path, seed=8, families=3)

    assert [got.number for got in other.phones.received[:50]] != [got.number for got in lived.phones.received[:50]]
    assert broken(other) == set()
    other.ctx.database.dispose()


def a_message(world: World, *kinds: Kind) -> Received:
    """A text that somebody got, of some kinds, from the middle of the time."""
    with world.ctx.readers.begin() as session:
        ids = set(session.scalars(select(Delivery.id).where(Delivery.kind.in_(kinds), Delivery.status.in_(WENT))))
    found = [got for got in world.phones.received if got.delivery_id in ids]
    return found[len(found) // 2]


def whose(world: World, got: Received):  # type: ignore[no-untyped-def]  # a home and a person
    with world.ctx.readers.begin() as session:
        row = session.get_one(Delivery, got.delivery_id)
        return next((home, person, row) for home, person in world.people if person.id == row.caregiver_id)


def comes_twice(world: World) -> None:
    world.phones.received.append(a_message(world, *SLOTS))


def is_lost(world: World) -> None:
    world.phones.received.remove(a_message(world, *SLOTS))


def after_a_stop(world: World) -> None:
    got = a_message(world, *SLOTS)
    whose(world, got)[1].silent.change(got.at - timedelta(hours=1), "stopped")


def in_a_pause(world: World) -> None:
    got = a_message(world, *SLOTS)
    whose(world, got)[1].silent.change(got.at - timedelta(hours=1), "paused")


def after_a_loss(world: World) -> None:
    got = a_message(world, *SLOTS)
    home, _, row = whose(world, got)
    next(one for one in home.pregnancies if one.id == row.pregnancy_id).silent.change(got.at, "lost")


def with_a_dead_babys_name(world: World) -> None:
    got = next(one for one in world.phones.received if "Ada" in one.text or "Ben" in one.text)
    home, *_ = whose(world, got)
    home.pregnancies[0].gone_names.append((got.at - timedelta(days=1), "Ada" if "Ada" in got.text else "Ben"))


def at_night(world: World) -> None:
    got = a_message(world, Kind.FACT)
    there = world.phones.received.index(got)
    world.phones.received[there] = replace(got, at=got.at - timedelta(hours=7))


def to_a_strange_number(world: World) -> None:
    got = a_message(world, *SLOTS)
    world.phones.received[world.phones.received.index(got)] = replace(got, number="+12025550199")


def no_row(world: World) -> None:
    with world.ctx.sessions.begin() as session:
        skipped = select(Delivery.id).where(Delivery.status == DeliveryStatus.SKIPPED, Delivery.attempts == 0)
        session.execute(delete(Delivery).where(Delivery.id.in_(skipped)))


def still_open(world: World) -> None:
    with world.ctx.sessions.begin() as session:
        skipped = select(Delivery.id).where(Delivery.status == DeliveryStatus.SKIPPED).limit(1).scalar_subquery()
        session.execute(update(Delivery).where(Delivery.id == skipped).values(status=DeliveryStatus.PLANNED))


def a_wrong_age(world: World) -> None:
    got = a_message(world, *SLOTS)
    with world.ctx.sessions.begin() as session:
        session.execute(update(Delivery).where(Delivery.id == got.delivery_id).values(age_day=Delivery.age_day + 1))


def told_again(world: World) -> None:
    with world.ctx.sessions.begin() as session:
        got = a_message(world, Kind.FACT)
        row = session.get_one(Delivery, got.delivery_id)
        same = (Delivery.caregiver_id == row.caregiver_id) & (Delivery.kind == Kind.FACT)
        session.execute(update(Delivery).where(same).values(item_id=row.item_id))


def a_reply_is_gone(world: World) -> None:
    with world.ctx.sessions.begin() as session:
        last = session.scalars(select(Reply).order_by(Reply.id.desc()).limit(1)).one()
        session.execute(delete(Media).where(Media.reply_id == last.id))
        session.delete(last)


def a_reply_is_other_words(world: World) -> None:
    world.said[next(reversed(world.said))].text += "!"


@pytest.mark.parametrize(
    ("break_it", "promise"),
    [
        (comes_twice, "nothing comes twice"),
        (is_lost, "nothing is lost"),
        (after_a_stop, "nothing after a STOP"),
        (in_a_pause, "nothing daily during a pause"),
        (after_a_loss, "nothing cheerful after a loss"),
        (with_a_dead_babys_name, "nothing cheerful after a loss"),
        (at_night, "nothing at night"),
        (to_a_strange_number, "always the right number"),
        (no_row, "one outcome for every slot"),
        (still_open, "one outcome for every slot"),
        (a_wrong_age, "the right age, corrected where it must be"),
        (told_again, "nothing is told again"),
        (a_reply_is_gone, "every reply is kept"),
        (a_reply_is_other_words, "every reply is kept"),
    ],
)
def test_a_broken_promise_is_seen(
    library: Library, tmp_path: Path, break_it: Callable[[World], None], promise: str
) -> None:
    world = simulate(library, families=6, days=8, seed=3, folder=tmp_path)
    assert broken(world) == set()

    break_it(world)

    assert promise in broken(world)
    world.ctx.database.dispose()


def test_the_report_says_it_in_words_numbers_and_a_picture(lived: World) -> None:
    told = check_all(lived)

    document = report.document(lived, told)
    assert set(document) == {"deliveries", "seconds", "invariants"}
    assert f"{FAMILIES} families, {DAYS} days" in report.table(lived, told)
    assert report.picture(lived).count("<rect") > DAYS
    assert sum(report.by_day(lived)[next(iter(report.by_day(lived)))].values()) > 0


def test_the_command_exits_by_the_outcome_and_prints_one_document(tmp_path: Path) -> None:
    picture = tmp_path / "days.svg"

    ran = CliRunner().invoke(
        cli,
        [
            "simulate",
            "--families",
            "3",
            "--days",
            "4",
            "--faults",
            "outage",
            "--faults",
            "provider",
            "--json",
            "--picture",
            str(picture),
        ],
    )

    assert ran.exit_code == 0, ran.output
    document = json.loads(ran.stdout)
    assert {one["name"]: one["violations"] for one in document["invariants"]} == {
        one["name"]: 0 for one in document["invariants"]
    }
    assert picture.read_text().startswith("<svg")
