"""A loss told at 08:59:59, with both phones due at 09:00: neither gets it, however the threads run."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from datetime import time as clock
from functools import partial
from random import Random

import pytest
from sqlalchemy import update

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Kind, Reason
from babymind.services import deliver, enrol, life, plan, receive, triage
from babymind.services.context import Context
from babymind.services.enrol import NewCaregiver, NewFamily
from babymind.store import studies
from babymind.store.deliveries import Delivery
from tests.factories import JO, SAM, rows, utc
from tests.services.living import Living, Phones, said

SEED = 31
TOLD_BY_TEXT = 200
TOLD_BY_STAFF = 25
EVERY_NTH_TELLS_NOTHING = 20  # and gets its messages: the race is a real one
LONGEST_WAIT = 0.004


@dataclass(frozen=True, slots=True)
class Couple:
    """A family of two, both due at the same minute."""

    code: str
    phones: tuple[str, str]
    ids: tuple[int, ...]


def couples(ctx: Context, number: int) -> list[Couple]:
    """Families of two, each due a minute after the one before, from 08:00 on."""
    made: list[Couple] = []
    both = [NewCaregiver(name=name, phone=phone, prompt_time="20:00") for name, phone in (("Sam", SAM), ("Jo", JO))]
    new = NewFamily(study="demo", caregivers=both, babies=("Robin",), born_on=date(2026, 2, 1))
    with ctx.sessions.begin() as session:
        study = studies.study_by_slug(session, "demo")
        assert study is not None
        pattern = enrol.prepare(ctx, new, study, utc_now())
        for index in range(number):
            phones = f"+447700900{2 * index:03d}", f"+447700900{2 * index + 1:03d}"
            due = clock(8 + index // 60, index % 60)
            checked = [
                replace(one, phone=phone, fact_time=due) for one, phone in zip(pattern.checked, phones, strict=True)
            ]
            (family,) = enrol.write(ctx, session, [replace(pattern, checked=checked)], utc_now())
            made.append(Couple(family.study_code, phones, tuple(one.id for one in family.caregivers)))
        plan.plan_caregivers(session, [one for couple in made for one in couple.ids], {"Europe/London"}, utc_now())
        welcomes = update(Delivery).where(Delivery.kind == Kind.WELCOME)
        session.execute(welcomes.values(status=DeliveryStatus.CANCELLED, reason=Reason.REPLANNED))
    return made


def race(random: Random, *works: Sequence[Callable[[], object]]) -> None:
    """Start some threads at the same moment; each does its work piece by piece, with a tiny wait before each."""
    start, failed = threading.Barrier(len(works)), list[BaseException]()
    waits = [[random.random() * LONGEST_WAIT * random.choice((0, 0, 1)) for _ in pieces] for pieces in works]

    def run(pieces: Sequence[Callable[[], object]], pauses: Sequence[float]) -> None:
        try:
            start.wait(10)
            for piece, pause in zip(pieces, pauses, strict=True):
                time.sleep(pause)
                piece()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in zip(works, waits, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failed, failed


@pytest.fixture
def random() -> Random:
    return Random(SEED)  # noqa: S311 - the same waits every time


@pytest.mark.fault(69)
def test_a_loss_told_by_text_in_the_last_second_reaches_the_phones_before_the_message_does(
    living: Living, ctx: Context, channel: Phones, random: Random
) -> None:
    for index, couple in enumerate(couples(ctx, TOLD_BY_TEXT + TOLD_BY_TEXT // EVERY_NTH_TELLS_NOTHING)):
        nine = utc("2026-03-02T08:00") + timedelta(minutes=index)
        living.frozen.move_to(nine - timedelta(seconds=1))
        tells = index % (EVERY_NTH_TELLS_NOTHING + 1) != EVERY_NTH_TELLS_NOTHING
        living.keep("LOSS" if tells else "She looked at the cat", phone=couple.phones[index % 2])
        living.frozen.move_to(nine)
        channel.clear()

        senders = [[lambda: deliver.deliver_due(ctx)]] * random.choice((1, 1, 2))
        race(random, [lambda: receive.process_new(ctx), lambda: triage.triage_new(ctx)], *senders)
        deliver.deliver_due(ctx)

        came = sorted((one.to, one.text) for one in channel.came)
        if tells:
            assert came == [(couple.phones[index % 2], said(ctx, "loss"))], index
        else:
            assert [to for to, _ in came] == sorted(couple.phones), index

    facts = rows(ctx, Delivery, kind=Kind.FACT)
    told = [row for row in facts if row.reason is Reason.LOSS]
    assert len(told) == 2 * TOLD_BY_TEXT
    assert not [row for row in facts if row.status in (DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN)]


def test_a_loss_told_by_staff_in_the_last_second_is_before_every_claim_whatever_is_planned_meanwhile(
    living: Living, ctx: Context, channel: Phones, random: Random
) -> None:
    for index, couple in enumerate(couples(ctx, TOLD_BY_STAFF)):
        nine = utc("2026-03-02T08:00") + timedelta(minutes=index)
        living.frozen.move_to(nine - timedelta(seconds=1))
        life.tell_loss(ctx, couple.code, actor="staff:1")
        living.frozen.move_to(nine)
        channel.clear()

        sender, planner = [lambda: deliver.deliver_due(ctx)], [lambda: plan.plan_due(ctx, everything=True)]
        race(random, sender, sender, *([planner] if index % 8 == 0 else []))
        deliver.deliver_due(ctx)

        assert channel.came == [], index


def test_a_loss_told_at_the_very_moment_of_the_claim_stops_all_that_had_not_left_yet(
    living: Living, ctx: Context, channel: Phones, random: Random
) -> None:
    for index, couple in enumerate(couples(ctx, TOLD_BY_STAFF)):
        living.frozen.move_to(utc("2026-03-02T08:00") + timedelta(minutes=index))
        channel.clear()
        tell = partial(life.tell_loss, ctx, couple.code, actor="staff:1")

        race(random, [lambda: deliver.deliver_due(ctx)], [tell])
        left_before = len(channel.came)
        deliver.deliver_due(ctx)

        assert len(channel.came) == left_before, index
        sent = {one.delivery_id for one in channel.came}
        mine = [row for row in rows(ctx, Delivery, kind=Kind.FACT) if row.caregiver_id in couple.ids]
        assert {row.id for row in mine if row.status is DeliveryStatus.ACCEPTED} == sent
        assert {row.reason for row in mine if row.id not in sent} <= {Reason.LOSS}
