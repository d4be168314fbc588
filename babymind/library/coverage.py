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
STAGE_GAP_PX = 52
TOTAL_PX = 92
TOP_PX = 112
# Each at least 3:1 against white; a gap stands out by its height too, for those to whom red and orange look alike.
COLOURS = {ContentKind.FACT: "#1f5f99", ContentKind.PROMPT: "#b8650f"}
GAP_COLOUR = "#b3123a"
INK, SOFT, GRID, BAND = "#22303c", "#5b6873", "#cfd6dc", "#f3f5f7"

# What the numbers above a stage count, and the days that get one.
AXES = {
    Stage.ANTENATAL: ("weeks of pregnancy", {-84: "28", -56: "32", -28: "36"}),
    Stage.OVERDUE: ("days past due", {0: "0", 21: "21"}),
    Stage.EARLY: ("days since an early birth", {day: str(day) for day in (0, 28, 56, 84, 112)}),
    Stage.INFANT: ("months old", {0: "0", 61: "2", 122: "4", 183: "6", 243: "8", 304: "10", 365: "12"}),
}


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

    def days_of(self, kinds: Iterable[ContentKind], theme: str | None) -> list[tuple[ContentKind, Stage, int]]:
        """Return the days that have a text of some kinds, on a theme or on any."""
        wanted = {*kinds}
        return [
            place
            for place, item in self.placed.items()
            if place[0] in wanted and (theme is None or theme in item.themes)
        ]

    def _line(self, name: str, kinds: Iterable[ContentKind], theme: str | None) -> str:
        count = Counter(stage for _, stage, _ in self.days_of(kinds, theme))
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
    rows: list[tuple[str, tuple[ContentKind, ...], str | None]] = [
        *((f"{kind}s", (kind,), None) for kind in DAILY),
        *((theme, DAILY, theme) for theme in sorted(THEMES)),
    ]
    height = _row_y(len(rows)) + 48
    width = _left(None) + TOTAL_PX
    parts = [*_head(coverage, width, height), *_bands([name for name, _, _ in rows])]
    for stage in STAGE_DAYS:
        parts += _axis(stage, len(rows))
    for index, (_, kinds, theme) in enumerate(rows):
        y = _row_y(index)
        parts += _marks(coverage, kinds, theme, y)
        parts.append(_total(len(coverage.days_of(kinds, theme)), None if theme else coverage.days, y))
    parts += _legend(height - 18)
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
        _words(title, 16, 34, size=20, weight=600),
    ]


def _bands(names: list[str]) -> list[str]:
    parts = []
    for index, name in enumerate(names):
        y = _row_y(index)
        if index % 2 == 0:
            for stage in STAGE_DAYS:
                box = f'x="{_left(stage) - 2}" y="{y - 2}" width="{_width(stage) + 4}" height="{ROW_PX}"'
                parts.append(f'<rect {box} fill="{BAND}"/>')
        weight = 600 if index < len(DAILY) else 400
        parts.append(_words(name, LABEL_PX - 10, y + 10, weight=weight, anchor="end"))
    return parts


def _axis(stage: Stage, rows: int) -> list[str]:
    left, top, bottom = _left(stage), TOP_PX - 6, _row_y(rows - 1) + ROW_PX
    counts, ticks = AXES[stage]
    parts = [
        _words(stage, left, top - 38, size=13, weight=600),
        _words(counts, left, top - 22, size=11, colour=SOFT),
    ]
    for day, number in ticks.items():
        x = left + (day - STAGE_DAYS[stage][0]) * DAY_PX
        parts += [
            f'<path d="M{x} {top}V{bottom}" stroke="{GRID}" stroke-width="1"/>',
            _words(number, x, top - 5, size=11, colour=SOFT),
        ]
    return parts


def _marks(coverage: Coverage, kinds: tuple[ContentKind, ...], theme: str | None, y: int) -> list[str]:
    """The days of one row: of one slot with its gaps, or of a theme, where facts stand above prompts."""
    height = 12 // len(kinds)
    parts = []
    for kind in kinds:
        there = [(stage, day) for _, stage, day in coverage.days_of([kind], theme)]
        parts.append(_path(there, y + height * kinds.index(kind), height, COLOURS[kind]))
        if theme is None:
            missing = [(stage, day) for _, what, stage, day in coverage.gaps if what is kind]
            parts.append(_path(missing, y - 2, ROW_PX, GAP_COLOUR))
    return parts


def _total(count: int, of: int | None, y: int) -> str:
    told = str(count) if of is None else f"{count} of {of}"
    return _words(told, _left(None) + 12, y + 10, size=11, colour=SOFT if of is None else INK)


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
            _words(told, x + 20, y),
        ]
        x += 44 + 7 * len(told)
    how = (
        "Each column is one day. In a theme's row facts stand above prompts. "
        "On the right: how many days have one, how many texts have the theme."
    )
    parts.append(_words(how, x + 16, y, colour=SOFT))
    return parts


def _words(
    text: str, x: int, y: int, *, size: int = 12, weight: int = 400, anchor: str = "start", colour: str = INK
) -> str:
    how = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{colour}"'
    return f'<text x="{x}" y="{y}" {how}>{text}</text>'


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
