"""The calendar of one family: what was sent and what will be, day by day, with the reason for each gap."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.age import Span, Stage, share_days, stages
from babymind.domain.delivery import SLOTS, DeliveryStatus, Kind, Reason
from babymind.domain.schedule import instant_of, local_day
from babymind.domain.slot import Phone, Slot, messaging_on, reason_for
from babymind.domain.wording import babies_called
from babymind.errors import InvalidInputError, NotFoundError
from babymind.services.context import Context
from babymind.store import content, deliveries, families
from babymind.store.deliveries import Delivery
from babymind.store.families import Caregiver, Family, Infant, Pregnancy, PregnancyStatus
from babymind.store.plan import PROMPT_REST_DAYS
from babymind.store.studies import Enrolment

MOST_DAYS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEntry:
    """One slot of one caregiver's day about one pregnancy."""

    caregiver_id: int
    caregiver: str = field(repr=False)
    pregnancy_id: int
    babies: str = field(repr=False)
    local_day: date
    kind: Kind
    stage: Stage
    age_day: int
    item: str | None
    due_at: datetime
    zone: str
    outcome: DeliveryStatus
    reason: Reason | None
    planned: bool  # False: foretold by what is known now, and not written yet


def of_family(ctx: Context, study_code: str, *, first: date | None = None, days: int = 14) -> list[CalendarEntry]:
    """Return the slots of a family from a day on, in order.

    Args:
        ctx: The installation.
        study_code: Which family.
        first: The first local day; each caregiver's today, if not said.
        days: How many days.

    Raises:
        NotFoundError: There is no family with this code.
    """
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInputError(f"A calendar shows 1 to {MOST_DAYS} days; not {days}.")
    now = utc_now()
    with ctx.readers.begin() as session:
        family = families.family_by_code(session, study_code)
        if family is None:
            raise NotFoundError("There is no family with this code; check its letters.")
        foreteller = _Foreteller(session, family, now)
        entries = [
            entry
            for caregiver in family.caregivers
            for entry in _of_caregiver(ctx, session, foreteller, caregiver, first, days)
        ]
    return sorted(entries, key=lambda e: (e.local_day, e.due_at, e.caregiver_id, e.pregnancy_id))


def _of_caregiver(ctx: Context, session: Session, foreteller: "_Foreteller", caregiver: Caregiver,
                  first: date | None, days: int) -> Iterator[CalendarEntry]:  # fmt: skip
    begin = first or local_day(foreteller.now, ZoneInfo(caregiver.zone))
    name = ctx.vault.open(caregiver.name_sealed)
    babies = {
        one.id: babies_called([ctx.vault.open_optional(infant.name_sealed) for infant in _spoken_of(one)])
        for one in foreteller.family.pregnancies
    }
    written = {
        (row.pregnancy_id, row.local_day, row.kind): (row, key)
        for row, key in deliveries.slots_between(session, caregiver.id, begin, begin + timedelta(days=days - 1))
    }
    for day in (begin + timedelta(days=number) for number in range(days)):
        for pregnancy in foreteller.family.pregnancies:
            for kind in SLOTS:
                row, key = written.get((pregnancy.id, day, kind), (None, None))
                told = foreteller.slot(caregiver, pregnancy, day, kind) if row is None else _told(row, key)
                if told is None:
                    continue
                yield CalendarEntry(
                    caregiver_id=caregiver.id, caregiver=name, pregnancy_id=pregnancy.id, babies=babies[pregnancy.id],
                    local_day=day, kind=kind, zone=caregiver.zone, stage=told.stage, age_day=told.age_day,
                    item=told.item, due_at=told.due_at, outcome=told.outcome, reason=told.reason,
                    planned=row is not None,
                )  # fmt: skip


def _spoken_of(pregnancy: Pregnancy) -> list[Infant]:
    """Return the babies whom the messages name: the living ones; where there is none, those whom they named."""
    living = [one for one in pregnancy.infants if one.status is not PregnancyStatus.LOST]
    return living or pregnancy.infants


@dataclass(frozen=True, slots=True)
class _Told:
    stage: Stage
    age_day: int
    item: str | None
    due_at: datetime
    outcome: DeliveryStatus
    reason: Reason | None


def _told(row: Delivery, key: str | None) -> _Told:
    return _Told(row.stage or Stage.WAITING, row.age_day or 0, key, row.due_at, row.status, row.reason)


class _Foreteller:
    """Tells what planning will write, by the rules and what is known now."""

    def __init__(self, session: Session, family: Family, now: datetime) -> None:
        self.session, self.family, self.now = session, family, now
        pregnancies = family.pregnancies
        sending = [one.status is not PregnancyStatus.LOST and one.hold is None for one in pregnancies]
        shared = share_days([stages(one.dates) for one in pregnancies], sending)
        self.spans = {one.id: spans for one, spans in zip(pregnancies, shared, strict=True)}
        self.sent: dict[tuple[int, int], dict[int, date]] = {}

    def slot(self, caregiver: Caregiver, pregnancy: Pregnancy, day: date, kind: Kind) -> _Told | None:
        """Return what becomes of a slot that is not written; None where there is none."""
        span = next(one for one in self.spans[pregnancy.id] if one.first <= day <= one.last)
        zone = ZoneInfo(caregiver.zone)
        due_at = instant_of(day, caregiver.fact_time if kind is Kind.FACT else caregiver.prompt_time, zone)
        enrolment = self._enrolment(day)
        if span.stage is Stage.COMPLETED or enrolment is None or day < local_day(self.now, zone):
            return None  # of a day that is over only what is written tells
        if due_at < max(caregiver.starts_at, pregnancy.starts_at):
            return None
        item_id, key = self._item(caregiver, span, day, kind, enrolment)
        reason = reason_for(self._standing(caregiver, pregnancy, span, day, kind, enrolment, item_id))
        outcome = DeliveryStatus.PLANNED if reason is None else DeliveryStatus.SKIPPED
        return _Told(span.stage, (day - span.zero).days, key, due_at, outcome, reason)

    def _enrolment(self, day: date) -> Enrolment | None:
        there = [one for one in self.family.enrolments if one.from_day <= day and (one.to_day or day) >= day]
        return there[-1] if there else None

    def _item(self, caregiver: Caregiver, span: Span, day: date, kind: Kind,
              enrolment: Enrolment) -> tuple[int | None, str | None]:  # fmt: skip
        found = content.item_on(
            self.session, enrolment.arm.study.programme, caregiver.locale, kind.value, span.stage,
            (day - span.zero).days,
        )  # fmt: skip
        return found or (None, None)

    def _standing(self, caregiver: Caregiver, pregnancy: Pregnancy, span: Span, day: date, kind: Kind,
                  enrolment: Enrolment, item_id: int | None) -> Slot:  # fmt: skip
        arm = enrolment.arm
        open_ones = [address for address in caregiver.addresses if address.closed_at is None]
        owned = any(not address.shared for address in open_ones)
        return Slot(
            kind=kind, day=day, span=span, lost=pregnancy.status is PregnancyStatus.LOST, hold=pregnancy.hold,
            messaging=messaging_on(caregiver.messaging, caregiver.paused_until, day), gets_facts=arm.gets_facts,
            gets_prompts=arm.gets_prompts, weekdays=arm.weekdays,
            wants=caregiver.wants_facts if kind is Kind.FACT else caregiver.wants_prompts,
            phone=Phone.OWN if owned else Phone.SHARED if open_ones else Phone.NONE,
            daily_cap=arm.study.daily_cap, has_item=item_id is not None,
            sent_before=pregnancy.dates_changed and self._sent_before(caregiver, pregnancy, item_id, day, kind),
        )  # fmt: skip

    def _sent_before(self, caregiver: Caregiver, pregnancy: Pregnancy, item_id: int | None, day: date,
                     kind: Kind) -> bool:  # fmt: skip
        whose = (caregiver.id, pregnancy.id)
        if whose not in self.sent:
            self.sent[whose] = deliveries.items_sent(self.session, *whose)
        last = self.sent[whose].get(item_id or 0)
        if last is None or last >= day:
            return False
        return kind is Kind.FACT or last > day - timedelta(days=PROMPT_REST_DAYS)
