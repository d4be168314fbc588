"""STOP against a claim, a thousand times: whichever way the threads run, a STOP that was there first has won."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, update

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Kind, Messaging, Reason
from babymind.services import caregivers, plan, receive, triage
from babymind.services.claim import claim
from babymind.services.context import Context
from babymind.store.deliveries import Attempt, Delivery
from babymind.store.families import Caregiver
from tests.factories import SAM, enrol_family, rows
from tests.services.living import Living

TIMES = 1000
EVERY_NTH_BY_TEXT = 8
PAUSES = (0.0, 0.0, 0.0, 0.0, 0.0005)  # before each statement
HEAD_STARTS = (0.0, 0.0, 0.0, 0.004, 0.03)


@pytest.fixture
def random() -> Random:
    return Random(36)  # noqa: S311 - the same pauses every time


@pytest.fixture
def shaken(ctx: Context, random: Random) -> Iterator[Engine]:
    """A database before each statement of which the thread may have to wait a little."""

    def pause(*_: Any) -> None:
        time.sleep(random.choice(PAUSES))

    event.listen(ctx.database, "before_cursor_execute", pause)
    yield ctx.database
    event.remove(ctx.database, "before_cursor_execute", pause)


class Stop(threading.Thread):
    """One STOP, as a caregiver texts it or as a person does it for them."""

    def __init__(self, ctx: Context, number: int, *, after: float) -> None:
        super().__init__()
        self.ctx, self.number, self.after = ctx, number, after
        self.both = threading.Barrier(2)
        self.committed = False
        self.failed: Exception | None = None

    def run(self) -> None:
        self.both.wait(10)
        time.sleep(self.after)
        try:
            if self.number % EVERY_NTH_BY_TEXT == 0:
                form = {"MessageSid": f"SM{self.number}", "From": SAM, "Body": "STOP", "NumMedia": "0"}
                receive.keep(self.ctx, form["MessageSid"], {name: [value] for name, value in form.items()})
                self.committed = True  # nobody has read it yet
                receive.process_new(self.ctx)
                triage.triage_new(self.ctx)
            else:
                caregivers.stop_by_staff(self.ctx, 1, actor="staff:1")
                self.committed = True
        except Exception as error:
            self.failed = error


@pytest.mark.fault(36)
def test_a_stop_that_was_committed_before_a_claim_began_wins_over_it_a_thousand_times(
    living: Living, ctx: Context, random: Random, shaken: Engine
) -> None:
    enrol_family(ctx)
    plan.plan_due(ctx)
    living.frozen.move_to(utc_now() + timedelta(hours=3))
    seen: Counter[tuple[bool, bool]] = Counter()

    for number in range(TIMES):
        fact_id = begin_again(ctx)
        mine = random.choice(HEAD_STARTS)
        stop = Stop(ctx, number, after=random.choice(HEAD_STARTS))
        stop.start()
        stop.both.wait(10)
        time.sleep(mine)
        was_first = stop.committed
        taken = [one.claim.id for one in claim(ctx, lease="worker", size=10).ready]
        stop.join(30)

        assert stop.failed is None
        assert taken in (([],) if was_first else ([], [fact_id])), number
        [fact] = rows(ctx, Delivery, kind=Kind.FACT)
        stands = (DeliveryStatus.SENDING, None) if taken else (DeliveryStatus.CANCELLED, Reason.STOPPED)
        assert (fact.status, fact.reason) == stands, number
        assert claim(ctx, lease="another", size=10).ready == []
        seen[was_first, bool(taken)] += 1

    assert seen[True, False] > TIMES / 50  # the STOP was there first
    assert seen[False, True] > TIMES / 50  # the claim was
    assert seen[False, False] > TIMES / 50  # both were under way, and the STOP was faster


def begin_again(ctx: Context) -> int:
    """Let a caregiver get messages, of whom one is due; its id."""
    others = Delivery.kind != Kind.FACT
    with ctx.sessions.begin() as session:
        session.execute(update(Caregiver).values(messaging=Messaging.ACTIVE))
        session.execute(update(Delivery).where(others).values(status=DeliveryStatus.CANCELLED))
        planned = update(Delivery).where(~others).values(
            status=DeliveryStatus.PLANNED, reason=None, lease=None, lease_ends_at=None, attempts=0
        )  # fmt: skip
        fact_id = session.scalars(planned.returning(Delivery.id)).one()
        session.execute(delete(Attempt))
    return int(fact_id)
