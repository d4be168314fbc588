"""What the bank covers: days by slots by themes, its gaps, and a picture of both."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

from babymind.domain.age import Stage
from babymind.library.bank import Library, Place, gaps
from babymind.library.values import DAILY, STAGE_DAYS, THEMES, ContentKind, Item, counted

DAY_PX = 2
ROW_PX = 16
LABEL_PX = 128
STAGE_GAP_PX = 34
TOP_PX = 96
COLOURS = {ContentKind.FACT: "#1f5f99", ContentKind.PROMPT: "#d98324"}
GAP_COLOUR = "#b3123a"
INK, SOFT, GRID, BAND = "#22303c", "#5b6873", "#cfd6dc", "#f3f5f7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The days of the programme in one locale, what is sent on each, and what is missing."""

    locale: str
    days: int  # of the programme, over all stages
    gaps: tuple[Place, ...]
    placed: dict[tuple[ContentKind, Stage, int], Item]

    def document(self) -> dict[str, object]:
        """Return the coverage as ``--json`` prints it."""
        missing = [
            {"locale": locale, "slot": kind.value, "stage": stage.value, "day": day}
            for locale, kind, stage, day in self.gaps
        ]
        return {"gaps": missing, "days": self.days}

    def table(self) -> str:
        """Return the days covered by stage and slot, and how often each theme comes, as lines of text."""
        lines = [f"{'':<18}" + "".join(f"{stage.value:>12}" for stage in STAGE_DAYS) + f"{'all':>12}"]
        lines += [self._line(f"{kind}s", [kind], None) for kind in DAILY]
        lines += ["", "Themes (facts and prompts)"]
        lines += [self._line(theme, DAILY, theme) for theme in sorted(THEMES)]
        return "\n".join(line.rstrip() for line in lines)

    def _line(self, name: str, kinds: Iterable[ContentKind], theme: str | None) -> str:
        wanted = {*kinds}
        count = Counter(
            stage
            for (kind, stage, _), item in self.placed.items()
            if kind in wanted and (theme is None or theme in item.themes)
        )
        cells = [
            str(count[stage]) if theme else f"{count[stage]} of {last - first + 1}"
            for stage, (first, last) in STAGE_DAYS.items()
        ]
        total = str(count.total()) if theme else f"{count.total()} of {self.days}"
        return f"{name:<18}" + "".join(f"{cell:>12}" for cell in [*cells, total])


def cover(library: Library, locale: str) -> Coverage:
    """Return what the bank covers in a locale."""
    places = ((kind, stage, day) for where, kind, stage, day, _ in library.calendar() if where == locale)
    found = {place: library.item_on(locale, *place) for place in places}
    return Coverage(
        locale=locale,
        days=sum(last - first + 1 for first, last in STAGE_DAYS.values()),
        gaps=tuple(gaps(library, [locale])),
        placed={place: item for place, item in found.items() if item is not None},
    )


def picture(coverage: Coverage) -> str:
    """Return the coverage as an SVG: a row for each slot and theme, a column for each day, gaps in red."""
    rows = [*(f"{kind}s" for kind in DAILY), *sorted(THEMES)]
    height = TOP_PX + ROW_PX * (len(rows) + 1) + 64
    width = _left(None) + 24
    parts = [*_head(coverage, width, height), *_bands(rows)]
    for stage in STAGE_DAYS:
        parts += _axis(stage, len(rows))
    for index, row in enumerate(rows):
        parts += _marks(coverage, row, _row_y(index))
    parts += _legend(height - 26)
    return "\n".join([*parts, "</svg>", ""])


def _head(coverage: Coverage, width: int, height: int) -> list[str]:
    told = "no gap" if not coverage.gaps else counted(len(coverage.gaps), "gap")
    title = f"What the content bank covers, {escape(coverage.locale)}: {coverage.days} days, {told}"
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    reads = 'role="img" aria-labelledby="title" font-family="system-ui, Helvetica, Arial, sans-serif"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {reads}>',
        f'<title id="title">{title}</title>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="16" y="34" font-size="20" font-weight="600" fill="{INK}">{title}</text>',
    ]


def _bands(rows: list[str]) -> list[str]:
    parts = []
    for index, row in enumerate(rows):
        y = _row_y(index)
        weight = 600 if index < len(DAILY) else 400
        if index % 2 == 0:
            for stage in STAGE_DAYS:
                box = f'x="{_left(stage) - 2}" y="{y - 2}" width="{_width(stage) + 4}" height="{ROW_PX}"'
                parts.append(f'<rect {box} fill="{BAND}"/>')
        parts.append(
            f'<text x="{LABEL_PX - 10}" y="{y + 10}" font-size="12" font-weight="{weight}" text-anchor="end" '
            f'fill="{INK}">{row}</text>'
        )
    return parts


def _axis(stage: Stage, rows: int) -> list[str]:
    first, last = STAGE_DAYS[stage]
    left, top, bottom = _left(stage), TOP_PX - 6, _row_y(rows - 1) + ROW_PX
    step = 28 if stage in (Stage.ANTENATAL, Stage.EARLY) else 61 if stage is Stage.INFANT else 22
    parts = [
        f'<text x="{left}" y="{top - 24}" font-size="13" font-weight="600" fill="{INK}">{stage}</text>',
    ]
    for day in range(first, last + 1, step):
        x = left + (day - first) * DAY_PX
        parts += [
            f'<path d="M{x} {top}V{bottom}" stroke="{GRID}" stroke-width="1"/>',
            f'<text x="{x}" y="{top - 5}" font-size="10" fill="{SOFT}">{_tick(stage, day)}</text>',
        ]
    return parts


def _tick(stage: Stage, day: int) -> str:
    if stage is Stage.ANTENATAL:
        return f"{(280 + day) // 7} wk"
    return f"{round(day / 30.4)} mo" if stage is Stage.INFANT else f"day {day}"


def _marks(coverage: Coverage, row: str, y: int) -> list[str]:
    slot = row.removesuffix("s") if row in {f"{kind}s" for kind in DAILY} else None
    if slot is not None:
        kind = ContentKind(slot)
        there = [(stage, day) for (what, stage, day) in coverage.placed if what is kind]
        missing = [(stage, day) for _, what, stage, day in coverage.gaps if what is kind]
        return [_path(there, y, 12, COLOURS[kind]), _path(missing, y, 12, GAP_COLOUR)]
    marks = []
    for kind, top in zip(DAILY, (y, y + 6), strict=True):
        days = [
            (stage, day)
            for (what, stage, day), item in coverage.placed.items()
            if what is kind and row in item.themes
        ]
        marks.append(_path(days, top, 6, COLOURS[kind]))
    return marks


def _path(days: Iterable[tuple[Stage, int]], y: int, height: int, colour: str) -> str:
    drawn = "".join(
        f"M{_left(stage) + (day - STAGE_DAYS[stage][0]) * DAY_PX} {y}h{DAY_PX}v{height}h-{DAY_PX}z"
        for stage, day in days
        if STAGE_DAYS[stage][0] <= day <= STAGE_DAYS[stage][1]
    )
    return f'<path d="{drawn}" fill="{colour}"/>' if drawn else ""


def _legend(y: int) -> list[str]:
    entries = (
        (COLOURS[ContentKind.FACT], "a fact"),
        (COLOURS[ContentKind.PROMPT], "a prompt"),
        (GAP_COLOUR, "a day with nothing"),
    )
    parts, x = [], LABEL_PX
    for colour, told in entries:
        parts += [
            f'<rect x="{x}" y="{y - 10}" width="14" height="12" fill="{colour}"/>',
            f'<text x="{x + 20}" y="{y}" font-size="12" fill="{INK}">{told}</text>',
        ]
        x += 44 + 7 * len(told)
    parts.append(
        f'<text x="{x + 16}" y="{y}" font-size="12" fill="{SOFT}">Each column is one day; in a theme\'s row facts '
        "stand above prompts.</text>"
    )
    return parts


def _row_y(index: int) -> int:
    apart = 12 if index >= len(DAILY) else 0  # the themes stand a little below the slots
    return TOP_PX + index * ROW_PX + apart


def _left(stage: Stage | None) -> int:
    """Where a stage begins; with None, where the last one ends."""
    x = LABEL_PX
    for other in STAGE_DAYS:
        if other is stage:
            return x
        x += _width(other) + STAGE_GAP_PX
    return x - STAGE_GAP_PX


def _width(stage: Stage) -> int:
    first, last = STAGE_DAYS[stage]
    return (last - first + 1) * DAY_PX
