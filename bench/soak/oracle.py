"""What became of a run: the phones, which know what came, against what ought to have come and what we believe."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Kind, Reason
from babymind.domain.reply import ReplyStatus
from babymind.errors import NotFoundError
from babymind.services.context import Context
from babymind.store.deliveries import Attempt, Delivery
from babymind.store.replies import Inbound, InboundStatus, Media, MediaStatus, Reply
from bench.soak.load import Load, Text

EXAMPLES = 5
KINDS = (Kind.PROMPT, Kind.COMMENT)
WENT = frozenset({DeliveryStatus.ACCEPTED, DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ,
                  DeliveryStatus.UNDELIVERED})  # fmt: skip
MAY_HAVE_GONE = WENT | {DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN}
REFUSED = frozenset({DeliveryStatus.FAILED, DeliveryStatus.UNDELIVERED})
DOUBLED = "nothing comes twice"


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise: how often it was checked, how often it was broken, and a few times that it was."""

    name: str
    checked: int
    violations: int
    examples: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, checked: int, broken: Mapping[str, int]) -> "Finding":
        """Return a finding from how often each of some things broke."""
        some = tuple(f"{what}: {count}" for what, count in sorted(broken.items())[:EXAMPLES])
        return cls(name, checked, sum(broken.values()), some)


def by_phone(texts: Counter[Text]) -> Counter[str]:
    """Return how many texts each phone has."""
    found: Counter[str] = Counter()
    for (phone, _), count in texts.items():
        found[phone] += count
    return found


class Phones:
    """What the simulated provider has written down: the truth."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, timeout=30)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def taken(self) -> int:
        """How many messages the provider has taken from us."""
        return int(self._ask("SELECT count(*) FROM message WHERE direction = 'outbound-api'")[0][0])

    def on_their_way(self) -> int:
        """How many of them have not come to their end yet."""
        return int(self._ask("SELECT count(*) FROM message WHERE direction = 'outbound-api'"
                             " AND status IN ('accepted', 'scheduled', 'queued', 'sent')")[0][0])  # fmt: skip

    def shown(self) -> Counter[Text]:
        """What the phones show."""
        return self._texts("status = 'delivered'")

    def taken_for(self) -> Counter[str]:
        """How many messages the provider has taken for each phone, whether they came there or not."""
        return by_phone(self._texts("true"))

    def given_up_for(self) -> Counter[str]:
        """How many of them it could not bring there."""
        return by_phone(self._texts("status IN ('failed', 'undelivered')"))

    def said(self) -> dict[str, str]:
        """What caregivers wrote, by the provider's id."""
        return dict(self._ask("SELECT sid, body FROM message WHERE direction = 'inbound'"))

    def pictures(self) -> int:
        """How many pictures they sent."""
        return int(self._ask("SELECT count(*) FROM media")[0][0])

    def _texts(self, condition: str) -> Counter[Text]:
        rows = self._ask(f"SELECT to_, body, count(*) FROM message WHERE direction = 'outbound-api' AND {condition}"
                         " GROUP BY to_, body")  # fmt: skip
        return Counter({(phone, text): count for phone, text, count in rows})

    def _ask(self, sql: str) -> list[Any]:
        return self._connection.execute(sql).fetchall()


class Oracle:
    """Compares the three: what ought to be, what the phones know, and what our tables say."""

    def __init__(self, ctx: Context, load: Load, phones: Phones) -> None:
        self._ctx, self.load, self.phones = ctx, load, phones
        self.posted: dict[str, str] = {}  # what was posted past the provider, by its id

    def grow(self) -> None:
        """Add to the load."""
        self.load.grow(self._ctx, utc_now())

    def open(self) -> Counter[str]:
        """Return what is still to be done, by what it is; empty when all is done."""
        looked_for = Delivery.look_at.is_not(None)
        stands = (
            select(Delivery.status, looked_for, func.count())
            .where(Delivery.kind.in_(KINDS), Delivery.status != DeliveryStatus.SKIPPED)
            .group_by(Delivery.status, looked_for)
        )
        waiting = {
            "unread": select(func.count()).where(Inbound.status == InboundStatus.NEW),
            "untriaged": select(func.count()).where(Reply.status == ReplyStatus.NEW),
            "pictures": select(func.count()).where(Media.status == MediaStatus.WAITING),
        }
        with self._ctx.readers.begin() as session:
            rows = [(status, bool(asked), int(count)) for status, asked, count in session.execute(stands)]
            heard = set(session.scalars(select(Inbound.provider_ref)))
            found = Counter({name: session.scalar(query) or 0 for name, query in waiting.items()})
        for status, asked, count in rows:
            if status in (DeliveryStatus.PLANNED, DeliveryStatus.SENDING) or asked:
                found[status.value] += count
        found["not planned"] = self.load.expected.total() - sum(count for _, _, count in rows)
        found["not heard"] = len(self._said().keys() - heard)
        found["on their way"] = self.phones.on_their_way()
        return +found

    def findings(self, *, refuses: bool) -> list[Finding]:
        """Return what was kept and what was broken."""
        return [*self._of_phones(refuses=refuses), *self._of_replies()]

    def _of_phones(self, *, refuses: bool) -> list[Finding]:
        expected, shown = self.load.expected, self.phones.shown()
        taken, ledger = self.phones.taken_for(), self._ledger()
        missing = Counter({text: count - shown[text] for text, count in expected.items()})
        lost, doubled, at_phone = by_phone(+missing), by_phone(+(shown - expected)), by_phone(shown)
        denied, claimed, parked = Counter[str](), Counter[str](), Counter[str]()
        given_up = self.phones.given_up_for()
        for phone in self.load.phones.values():
            told = ledger.get(phone, Counter())
            if refuses:  # by the provider, at once or later; the receipt that tells so may be lost
                refused = sum(told[status] for status in REFUSED) + told[DeliveryStatus.CANCELLED]
                lost[phone] -= max(refused, given_up[phone])
            denied[phone] = at_phone[phone] - doubled[phone] - sum(told[status] for status in MAY_HAVE_GONE)
            claimed[phone] = sum(told[status] for status in WENT) - taken[phone]
            parked[phone] = told[DeliveryStatus.UNKNOWN]
        deliveries = expected.total()
        return [
            Finding(name, checked, broken.total(), self._examples(+broken))
            for name, checked, broken in (
                (DOUBLED, shown.total(), +doubled),
                ("nothing due is lost", deliveries, +lost),
                ("what came is in the ledger", shown.total(), +denied),
                ("what the ledger says went, the provider has", deliveries, +claimed),
                ("nothing is left for a person to decide", deliveries, +parked),
            )
        ]

    def _examples(self, broken: Counter[str]) -> tuple[str, ...]:
        """Say of some phones where what was due to them stands: the number of a delivery, its state and its tries."""
        some = sorted(broken)[:EXAMPLES]
        whose = {caregiver_id: phone for caregiver_id, phone in self.load.phones.items() if phone in some}
        told: dict[str, list[str]] = {phone: [] for phone in some}
        query = (
            select(Delivery)
            .where(Delivery.caregiver_id.in_(whose), Delivery.status != DeliveryStatus.SKIPPED)
            .order_by(Delivery.id)
        )
        with self._ctx.readers.begin() as session:
            for row in session.scalars(query):
                tries = session.scalars(select(Attempt).filter_by(delivery_id=row.id).order_by(Attempt.number))
                why = f" ({row.reason})" if row.reason else ""
                tried = ", ".join(f"{one.outcome or 'nothing'} {one.error_code or ''}".strip() for one in tries)
                told[whose[row.caregiver_id]].append(
                    f"{row.kind} {row.id} {row.status}{why} after {tried or 'no try'}"
                )
        return tuple(f"{phone}: {broken[phone]}; {'; '.join(told[phone])}" for phone in some)

    def _ledger(self) -> dict[str, Counter[DeliveryStatus]]:
        """Return where the deliveries to each phone stand; an address that was closed cancels what was to come."""
        query = select(Delivery.caregiver_id, Delivery.status).where(
            Delivery.kind.in_(KINDS),
            (Delivery.status != DeliveryStatus.CANCELLED) | (Delivery.reason == Reason.CHANNEL_CLOSED),
        )
        stands: dict[str, Counter[DeliveryStatus]] = {}
        with self._ctx.readers.begin() as session:
            for caregiver_id, status in session.execute(query):
                stands.setdefault(self.load.phones[caregiver_id], Counter())[status] += 1
        return stands

    def _of_replies(self) -> list[Finding]:
        said = self._said()
        query = select(Inbound.provider_ref, Reply.text_sealed).join(Reply, Reply.inbound_id == Inbound.id)
        with self._ctx.readers.begin() as session:
            kept = [(ref, self._ctx.vault.open(text)) for ref, text in session.execute(query)]
            media = session.scalars(select(Media)).all()
        times = Counter(ref for ref, _ in kept)
        lost = Counter({ref: 1 for ref in said if not times[ref]})
        doubled = Counter({ref: count - 1 for ref, count in times.items()})
        changed = Counter({ref: 1 for ref, text in kept if said.get(ref) != text})
        shown = [one for one in media if one.status is MediaStatus.STORED and one.key and self._is_kept(one.key)]
        pictures = self.phones.pictures()
        return [
            Finding.of("no reply is lost", len(said), lost),
            Finding.of("each reply is there once, as it was written", len(kept), doubled + changed),
            Finding.of("each picture is kept once", pictures, {"of all": abs(pictures - len(shown))}),
        ]

    def _said(self) -> dict[str, str]:
        return {**self.phones.said(), **self.posted}

    def _is_kept(self, key: str) -> bool:
        try:
            return bool(self._ctx.media.get(key))
        except NotFoundError:
            return False
