"""What a simulated year comes to: a table of promises, a document for a program, a picture of messages by day."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import func, select

from babymind.domain.delivery import SLOTS, DeliveryStatus
from babymind.simulation.invariants import Invariant
from babymind.simulation.run import World
from babymind.store.deliveries import Delivery

# From the good to the bad, as the picture stacks them; each at least 3:1 against white.
GROUPS = {
    "on a phone": ("#1f6f5c", (DeliveryStatus.ACCEPTED, DeliveryStatus.SENT, DeliveryStatus.DELIVERED,
                               DeliveryStatus.READ)),
    "not to be sent": ("#7a8794", (DeliveryStatus.SKIPPED, DeliveryStatus.CANCELLED)),
    "too late": ("#b8650f", (DeliveryStatus.EXPIRED,)),
    "refused": ("#b3123a", (DeliveryStatus.FAILED, DeliveryStatus.UNDELIVERED)),
    "not known yet": ("#5b3f99", (DeliveryStatus.UNKNOWN, DeliveryStatus.PLANNED, DeliveryStatus.SENDING)),
}  # fmt: skip
WIDTH, LEFT, TOP, PLOT, FOOT = 960, 64, 64, 260, 76
INK, SOFT, GRID = "#22303c", "#5b6873", "#cfd6dc"


def document(world: World, invariants: Sequence[Invariant]) -> dict[str, object]:
    """Return what ``--json`` prints."""
    return {
        "deliveries": len(world.phones.received),
        "seconds": round(world.seconds, 2),
        "invariants": [
            {"name": one.name, "checked": one.checked, "violations": one.violations} for one in invariants
        ],
    }


def table(world: World, invariants: Sequence[Invariant]) -> str:
    """Return the promises as lines of text, with examples of what broke."""
    days = (world.ends_at - world.starts_on).days
    happened = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in sorted(world.happened.items()))
    refused = ", ".join(f"{name} {count}" for name, count in sorted(world.refused.items())) or "none"
    errors = ", ".join(f"{name} {count}" for name, count in sorted(world.phones.errors.items())) or "none"
    counted = f"{len(world.homes)} families, {days} days, {len(world.phones.received)} messages"
    lines = [
        f"{counted}, {len(world.said)} replies, {world.seconds:.0f} s",
        f"What happened: {happened}",
        f"Asked for and refused with a reason: {refused}",
        f"Errors of the provider: {errors}",
        "",
        f"{'Promise':<44}{'checked':>12}{'broken':>9}",
    ]
    for one in invariants:
        lines.append(f"{one.name:<44}{one.checked:>12}{one.violations:>9}")
        lines += [f"    {example}" for example in one.examples]
    return "\n".join(lines)


def by_day(world: World) -> dict[date, Counter[DeliveryStatus]]:
    """Return how the slots of each local day ended."""
    query = (
        select(Delivery.local_day, Delivery.status, func.count())
        .where(Delivery.kind.in_(SLOTS), Delivery.occasion.is_(None))
        .group_by(Delivery.local_day, Delivery.status)
    )
    days: dict[date, Counter[DeliveryStatus]] = defaultdict(Counter)
    with world.ctx.readers.begin() as session:
        for day, status, count in session.execute(query):
            days[day][status] += count
    return dict(sorted(days.items()))


def picture(world: World) -> str:
    """Return the messages of each day by outcome, as an SVG of stacked bars."""
    days = by_day(world)
    first, last = min(days, default=world.starts_on.date()), max(days, default=world.ends_at.date())
    span = (last - first).days + 1
    most = max((sum(counts.values()) for counts in days.values()), default=1)
    step = (WIDTH - LEFT - 24) / span
    title = f"Facts and prompts due each day: {len(world.homes)} simulated families"
    box = f'viewBox="0 0 {WIDTH} {TOP + PLOT + FOOT}" role="img" aria-labelledby="title"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="system-ui, Helvetica, Arial, sans-serif">',
        f'<title id="title">{title}, by local day and outcome</title>',
        f'<rect width="{WIDTH}" height="{TOP + PLOT + FOOT}" fill="#fff"/>',
        _words(LEFT, 32, title, 18, INK),
    ]
    for share in (0.0, 0.5, 1.0):
        y = TOP + PLOT * (1 - share)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 24}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>')
        parts.append(_words(LEFT - 8, y + 4, str(round(most * share)), 12, SOFT, anchor="end"))
    for day, counts in days.items():
        x, y = LEFT + (day - first).days * step, float(TOP + PLOT)
        for colour, statuses in GROUPS.values():
            height = PLOT * sum(counts[status] for status in statuses) / most
            if height:
                y -= height
                at = f'x="{x:.2f}" y="{y:.2f}" width="{max(step, 0.8):.2f}" height="{height:.2f}"'
                parts.append(f'<rect {at} fill="{colour}"/>')
    for day in _months(first, last):
        x = LEFT + (day - first).days * step
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP + PLOT}" y2="{TOP + PLOT + 5}" stroke="{SOFT}"/>')
        parts.append(_words(x, TOP + PLOT + 20, f"{day:%b}", 12, SOFT))
    x = float(LEFT)
    for name, (colour, _) in GROUPS.items():
        parts.append(f'<rect x="{x:.0f}" y="{TOP + PLOT + 42}" width="14" height="14" fill="{colour}"/>')
        parts.append(_words(x + 20, TOP + PLOT + 54, name, 13, INK))
        x += 40 + 8 * len(name)
    return "\n".join([*parts, "</svg>", ""])


def _words(x: float, y: float, text: str, size: int, colour: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{text}</text>'


def _months(first: date, last: date) -> list[date]:
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [day for day in days if day.day == 1]
