"""The calendar of a family as a page shows it: a row a day, a column a slot, and days that are alike in one row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby

from babymind.domain.delivery import SLOTS, DeliveryStatus, Kind, Reason
from babymind.services import calendar
from babymind.services.calendar import CalendarEntry
from babymind.services.context import Context
from babymind.services.families import CaregiverView, FamilyView
from babymind.web.show import age

PAST_DAYS = 7
COMING_DAYS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One day, or several on which nothing goes out for the same reason."""

    first: date
    last: date
    pregnancy_id: int
    babies: str
    age: str
    slots: Mapping[Kind, CalendarEntry]
    foretold: bool
    reason: Reason | None  # why nothing goes out, where the slots have it in common


@dataclass(frozen=True, slots=True, kw_only=True)
class Weeks:
    """The calendar of one caregiver."""

    caregiver: CaregiverView
    rows: Sequence[Row]


def weeks(ctx: Context, family: FamilyView) -> list[Weeks]:
    """Return the past week and the coming two of each caregiver."""
    days = PAST_DAYS + 1 + COMING_DAYS
    entries = calendar.of_family(ctx, family.study_code, first=family.today - timedelta(days=PAST_DAYS), days=days)
    lost = {one.id for one in family.pregnancies if one.lost}
    return [
        Weeks(caregiver=one, rows=_together(_rows([e for e in entries if e.caregiver_id == one.id], lost)))
        for one in family.caregivers
    ]


def _rows(entries: Iterable[CalendarEntry], lost: set[int]) -> list[Row]:
    def place(entry: CalendarEntry) -> tuple[date, int]:
        return entry.local_day, entry.pregnancy_id

    rows = []
    for (local_day, pregnancy_id), group in groupby(sorted(entries, key=place), key=place):
        slots = {entry.kind: entry for entry in group}
        one = next(iter(slots.values()))
        reasons = {entry.reason for entry in slots.values()}
        silent = len(slots) == len(SLOTS) and all(e.outcome is DeliveryStatus.SKIPPED for e in slots.values())
        rows.append(
            Row(
                first=local_day, last=local_day, pregnancy_id=pregnancy_id, babies=one.babies, slots=slots,
                age="" if pregnancy_id in lost else age(one.stage, one.age_day),  # a baby who died has no age today
                foretold=not any(entry.planned for entry in slots.values()),
                reason=reasons.pop() if silent and len(reasons) == 1 else None,
            )
        )  # fmt: skip
    return rows


def _together(rows: Sequence[Row]) -> list[Row]:
    """Join days that follow each other and on which nothing goes out about the same baby for the same reason."""
    joined: list[Row] = []
    latest: dict[int, int] = {}  # which row is the last one of each pregnancy
    for row in rows:
        before = joined[latest[row.pregnancy_id]] if row.pregnancy_id in latest else None
        alike = before and (before.reason, before.babies, before.foretold) == (row.reason, row.babies, row.foretold)
        if before and alike and row.reason and (row.first - before.last).days == 1:
            joined[latest[row.pregnancy_id]] = replace(before, last=row.last)
        else:
            latest[row.pregnancy_id] = len(joined)
            joined.append(row)
    return joined
