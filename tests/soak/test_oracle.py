"""The oracle of a soak sees every promise that is broken, and none where all are kept."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import delete, update

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus
from babymind.services import plan, receive, triage
from babymind.services.context import Context
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.records import Direction, NewMessage
from babymind.simulator.state import Exchange
from babymind.store.deliveries import Delivery
from babymind.store.replies import Reply
from bench.parts import databases, installation
from bench.soak.load import add, picture
from bench.soak.mortal import SENDER
from bench.soak.oracle import DOUBLED, Oracle, Phones
from bench.soak.run import ACCOUNT, TOKEN

LOST = "nothing due is lost"
DENIED = "what came is in the ledger"
CLAIMED = "what the ledger says went, the provider has"
PARKED = "nothing is left for a person to decide"
UNHEARD = "no reply is lost"
CHANGED = "each reply is there once, as it was written"
UNSEEN = "each picture is kept once"


@dataclass(frozen=True, slots=True)
class Soaked:
    """A run in which all went well."""

    ctx: Context
    oracle: Oracle
    exchange: Exchange

    def broken(self, *, refuses: bool = False) -> set[str]:
        return {one.name for one in self.oracle.findings(refuses=refuses) if one.violations}

    def stand(self, status: DeliveryStatus, *, caregiver_id: int | None = None) -> None:
        """Say in our ledger where deliveries stand."""
        change = update(Delivery).where(Delivery.status != DeliveryStatus.SKIPPED).values(status=status)
        with self.ctx.sessions.begin() as session:
            session.execute(change if caregiver_id is None else change.where(Delivery.caregiver_id == caregiver_id))

    def vanish(self) -> int:
        """Let one text never have come, and return whose it was."""
        message = next(one for one in self.exchange.messages() if one.direction is not Direction.INBOUND)
        self.exchange.delete(message.sid)
        return next(n for n, phone in self.oracle.load.phones.items() if phone == message.phone)

    def come(self, phone: str, text: str) -> None:
        """Bring a text to a phone."""
        self.exchange.send(NewMessage(to=phone, from_=SENDER, body=text))
        assert self.exchange.settle()


@pytest.fixture
def soaked() -> Iterator[Soaked]:
    with databases("sqlite") as (url, folder), installation(url, folder) as ctx:
        load = add(ctx, 26, utc_now())
        plan.plan_due(ctx)
        config = SimulatorConfig(account_sid=ACCOUNT, auth_token=TOKEN, number=SENDER,
                                 messages_webhook_url="http://127.0.0.1:9/", callback_delay_seconds=0)  # fmt: skip
        with Exchange(config, str(folder / "phones.db")) as exchange:
            phones = Phones(folder / "phones.db")
            oracle = Oracle(ctx, load, phones)
            soaked = Soaked(ctx, oracle, exchange)
            for (phone, text), count in load.expected.items():
                for _ in range(count):
                    exchange.send(NewMessage(to=phone, from_=SENDER, body=text))
            soaked.stand(DeliveryStatus.DELIVERED)
            said = load.replies[0]
            heard = exchange.receive(said.phone, None, said.text)
            form = {"MessageSid": [heard.sid], "From": [said.phone], "To": [SENDER], "Body": [said.text]}
            receive.keep(ctx, heard.sid, form)
            receive.process_new(ctx)
            triage.triage_new(ctx)
            assert exchange.settle()
            yield soaked
            phones.close()


def test_where_all_is_well_nothing_is_broken_or_left_to_do(soaked: Soaked) -> None:
    assert soaked.broken() == set()
    assert soaked.oracle.open() == {}
    assert {one.name: one.checked for one in soaked.oracle.findings(refuses=False)} == {
        DOUBLED: 26, LOST: 26, DENIED: 26, CLAIMED: 26, PARKED: 26, UNHEARD: 1, CHANGED: 1, UNSEEN: 0,
    }  # fmt: skip


def test_a_text_that_comes_twice_is_seen(soaked: Soaked) -> None:
    soaked.come(*next(iter(soaked.oracle.load.expected)))

    assert soaked.broken() == {DOUBLED}


def test_a_text_for_somebody_else_is_seen(soaked: Soaked) -> None:
    soaked.come(soaked.oracle.load.phones[1], "This is about another baby.")

    assert soaked.broken() == {DOUBLED}


def test_a_text_that_never_came_is_seen(soaked: Soaked) -> None:
    soaked.vanish()

    assert soaked.broken() == {LOST, CLAIMED}


def test_a_refused_text_is_not_lost_where_the_provider_refuses_some(soaked: Soaked) -> None:
    soaked.stand(DeliveryStatus.FAILED, caregiver_id=soaked.vanish())

    assert LOST in soaked.broken()
    assert LOST not in soaked.broken(refuses=True)


def test_a_ledger_that_denies_what_came_is_seen(soaked: Soaked) -> None:
    soaked.stand(DeliveryStatus.EXPIRED, caregiver_id=1)

    assert soaked.broken() == {DENIED}


def test_what_waits_for_a_person_is_seen(soaked: Soaked) -> None:
    soaked.stand(DeliveryStatus.UNKNOWN, caregiver_id=1)

    assert soaked.broken() == {PARKED}
    assert soaked.oracle.open() == {}


@pytest.mark.parametrize("status", [DeliveryStatus.PLANNED, DeliveryStatus.SENDING])
def test_what_is_still_to_be_done_is_open(soaked: Soaked, status: DeliveryStatus) -> None:
    soaked.stand(status, caregiver_id=1)

    assert soaked.oracle.open() == {status.value: 1}


def test_a_reply_that_is_lost_is_seen(soaked: Soaked) -> None:
    with soaked.ctx.sessions.begin() as session:
        session.execute(delete(Reply))

    assert soaked.broken() == {UNHEARD}


def test_a_reply_with_other_words_is_seen(soaked: Soaked) -> None:
    with soaked.ctx.sessions.begin() as session:
        session.execute(update(Reply).values(text_sealed=soaked.ctx.vault.seal("Something else.")))

    assert soaked.broken() == {CHANGED}


def test_a_picture_that_was_never_heard_of_is_seen(soaked: Soaked) -> None:
    soaked.exchange.receive(soaked.oracle.load.phones[2], None, "", [("image/jpeg", picture(1))])

    assert soaked.broken() == {UNHEARD, UNSEEN}
    assert soaked.oracle.open() == {"not heard": 1}
