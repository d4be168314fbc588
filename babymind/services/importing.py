"""Importing: many families from a spreadsheet. A row that cannot be taken is explained; the others go in at once."""

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import phonenumbers
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.age import parse_gestation
from babymind.domain.schedule import decent_time, zone_named
from babymind.engine.base import Work
from babymind.errors import BabyMindError, ConflictError, InvalidInputError
from babymind.services import enrol
from babymind.services.context import Context
from babymind.services.enrol import NewCaregiver, NewFamily, Prepared
from babymind.services.plan import plan_caregivers
from babymind.store import families, studies
from babymind.store.families import Role
from babymind.store.staff import audit
from babymind.store.studies import Study

MOST_ROWS = 50_000
FAMILIES_AT_ONCE = 200
LONGEST_FILE = 20_000_000  # characters
MOST_SHOWN = 60  # of a value that is told back

# Each column by the names that people give it, read without spaces, signs and capitals.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "study": ("study", "studyname", "trial"),
    "family": ("family", "familyid", "household", "familynumber"),
    "caregiver": ("caregiver", "name", "firstname", "caregivername", "parent", "parentname", "carer"),
    "phone": ("phone", "mobile", "phonenumber", "mobilenumber", "telephone", "number", "mobilephone", "tel"),
    "role": ("role", "relationship", "relation"),
    "baby": ("baby", "babyname", "babynames", "infant", "child", "childname", "babysname"),
    "babies": ("babies", "numberofbabies", "howmanybabies"),
    "birth_date": ("birthdate", "dateofbirth", "dob", "born", "bornon", "birthday", "babydob"),
    "due_date": ("duedate", "edd", "due", "dueon", "expecteddate", "expecteddateofdelivery", "estimatedduedate"),
    "gestation": ("gestation", "gestationatbirth", "weeks", "gestationalage", "ga"),
    "timezone": ("timezone", "zone", "tz"),
    "fact_time": ("facttime", "timeoffact", "morningtime"),
    "prompt_time": ("prompttime", "timeofprompt", "eveningtime"),
    "locale": ("locale", "language", "lang"),
    "research_consent": ("researchconsent", "consentresearch", "research"),
    "shares_phone": ("sharesphone", "sharedphone", "sharephone"),
}  # fmt: skip
NEEDED = ("caregiver", "phone")
TEMPLATE = (
    "study,family,caregiver,phone,role,baby,birth_date,due_date,gestation,timezone,fact_time,prompt_time,"
    "research_consent\r\n"
    "pilot,1,Sam,+447700900123,mother,Robin,2026-11-01,,39+4,Europe/London,09:00,17:00,yes\r\n"
    "pilot,1,Jo,+447700900124,father,,,,,Europe/London,08:30,18:00,no\r\n"
    "pilot,,Alex,+447700900125,partner,,,2027-02-14,,Europe/London,09:00,17:00,yes\r\n"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ROLES = {
    "mum": "mother",
    "mom": "mother",
    "dad": "father",
    "grandmother": "grandparent",
    "grandfather": "grandparent",
}
YES, NO = frozenset({"yes", "y", "true", "1", "x"}), frozenset({"no", "n", "false", "0", ""})
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]00:00(?::00)?)?")
_WORDS = re.compile(
    r"(?:(\d{1,2})(?:st|nd|rd|th)?[ -]+([A-Za-z]{3,9})|([A-Za-z]{3,9}) +(\d{1,2})(?:st|nd|rd|th)?)[ ,-]+(\d{4})"
)
_FIGURES = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})")
_SERIAL = re.compile(r"[34]\d{4}(?:\.0)?")
_DAMAGED = re.compile(r"\d(?:[.,]\d+)?[Ee]\+?\d+")
_BETWEEN_NAMES = re.compile(r"\s*(?:;|&|\band\b)\s*")
_WEEKS = re.compile(r"(\d{1,2})\s*(?:w|wk|wks|weeks?)?\s*(?:\+|and)?\s*(?:(\d)\s*(?:d|days?)?)?")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing in a file that cannot be taken."""

    line: int  # of the file; the heading is line 1
    column: str
    value: str = field(repr=False)
    message: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A family that can go in."""

    lines: Sequence[int]
    prepared: Prepared = field(repr=False)


@dataclass(slots=True)
class Sheet:
    """A file that has been read: the families that can go in, and what is refused, by line."""

    rows: int
    families: list[Draft]
    refusals: list[Refusal]

    @property
    def caregivers(self) -> int:
        """How many rows can go in."""
        return sum(len(draft.lines) for draft in self.families)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of an import."""

    families: int
    caregivers: int
    refusals: Sequence[Refusal]


@dataclass(slots=True)
class _Row:
    """A row as it was typed, and what was wrong with it."""

    line: int
    given: dict[str, str]
    refusals: list[Refusal] = field(default_factory=list)

    def get(self, column: str) -> str:
        return self.given.get(column, "")

    def refuse(self, column: str, message: str) -> None:
        self.refusals.append(Refusal(self.line, column, self.get(column)[:MOST_SHOWN], message))

    def take(self, column: str, read: Callable[[str], object]) -> None:
        """Check one field; what cannot be is noted."""
        try:
            read(self.get(column))
        except BabyMindError as error:
            self.refuse(column, str(error))


def read(ctx: Context, text: str, *, study: str | None = None, country: str | None = None,
         progress: Callable[[int], None] = lambda _rows: None) -> Sheet:  # fmt: skip
    """Read a file of caregivers, one a row, and check it without writing anything.

    Args:
        ctx: The installation.
        text: The file: comma, semicolon or tab between the fields, a heading first.
        study: For rows that name none.
        country: Two letters such as GB, by which numbers without + are read; none are, if not said.
        progress: Called with the number of rows that have been read.

    Raises:
        InvalidInputError: The heading cannot be used, or the file is too large.
    """
    rows = list(_rows(text))
    now = utc_now()
    with ctx.readers.begin() as session:
        known = {one.slug: one for one in studies.all_studies(session)}
        for count, row in enumerate(rows, 1):
            _check(ctx, row, known, study, country)
            if count % 200 == 0:
                progress(count)
        _refuse_twins(rows)
        _refuse_known(ctx, session, rows)
        drafts = [draft for group in _groups(rows) if (draft := _draft(ctx, group, known, now)) is not None]
    refusals = sorted((r for row in rows for r in row.refusals), key=lambda r: (r.line, r.column))
    progress(len(rows))
    return Sheet(rows=len(rows), families=drafts, refusals=refusals)


def load(ctx: Context, sheet: Sheet, *, all_or_nothing: bool = False, actor: str = "command",
         progress: Callable[[int], None] = lambda _families: None) -> Imported:  # fmt: skip
    """Write the families of a file in one transaction: all that can go in, or none if it breaks.

    Raises:
        ConflictError: Something is refused and it was to be all or nothing, or a number was enrolled meanwhile.
    """
    if all_or_nothing and sheet.refusals:
        lines = len({refusal.line for refusal in sheet.refusals})
        raise ConflictError(f"{lines} rows are refused, so none was imported; mend them, or import without them.")
    now = utc_now()
    by_zone: dict[str, list[int]] = defaultdict(list)
    try:
        with ctx.sessions.begin() as session:
            known = {one.slug: one for one in studies.all_studies(session)}
            for first in range(0, len(sheet.families), FAMILIES_AT_ONCE):
                some = [draft.prepared for draft in sheet.families[first : first + FAMILIES_AT_ONCE]]
                written = enrol.write(ctx, session, [replace(one, study=known[one.study.slug]) for one in some], now)
                for family in written:
                    for caregiver in family.caregivers:
                        by_zone[caregiver.zone].append(caregiver.id)
                progress(first + len(some))
            for zone, ids in by_zone.items():
                plan_caregivers(session, ids, {zone}, now)
            counts = Counter(draft.prepared.study.slug for draft in sheet.families)
            audit(session, at=now, actor=actor, action="import", subject="study", subject_id=None,
                  families=dict(counts), refused=len(sheet.refusals))  # fmt: skip
    except IntegrityError as error:
        raise ConflictError(
            "One of these numbers was enrolled by somebody else at this moment; nothing was imported. Try again."
        ) from error
    progress(len(sheet.families))
    ctx.engine.hint(Work.DELIVER)
    return Imported(families=len(sheet.families), caregivers=sheet.caregivers, refusals=sheet.refusals)


# Reading the file


def _rows(text: str) -> Iterator[_Row]:
    if len(text) > LONGEST_FILE:
        raise InvalidInputError("The file is too large; split it into files of 50,000 rows at most.")
    body = text.removeprefix("\ufeff")
    heading = body.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter)
    try:
        columns = _columns(next(reader, []))
        line = reader.line_num + 1
        for count, cells in enumerate(reader, 1):
            if count > MOST_ROWS:
                raise InvalidInputError(f"The file has more than {MOST_ROWS} rows; split it.")
            values = [cell.strip() for cell in cells]
            if any(values):
                row = _Row(line, dict(zip(columns, values, strict=False)))
                if len(values) > len(columns) and any(values[len(columns) :]):
                    row.refuse("", f"The row has {len(values)} fields and the heading {len(columns)}; "
                               "put a field that holds the separator in quotation marks.")  # fmt: skip
                yield row
            line = reader.line_num + 1
    except csv.Error as error:
        raise InvalidInputError(
            f"The file is not a table that can be read near line {reader.line_num}: {error}."
        ) from error


def _columns(heading: Sequence[str]) -> list[str]:
    by_name = {name: column for column, names in COLUMNS.items() for name in names}
    found = [by_name.get(re.sub(r"[^a-z]", "", cell.lower()), "") for cell in heading]
    unknown = [cell for cell, column in zip(heading, found, strict=True) if not column]
    if unknown:
        odd, there = unknown[0][:MOST_SHOWN], ", ".join(COLUMNS)
        raise InvalidInputError(f"The heading has a column '{odd}', which is not known; there are: {there}.")
    twice = [column for column, count in Counter(found).items() if count > 1]
    if twice:
        raise InvalidInputError(f"The heading has the column {twice[0]} twice; leave one out.")
    missing = [column for column in NEEDED if column not in found]
    if missing:
        raise InvalidInputError(
            f"The heading has no column {missing[0]}; the first line of the file names the columns, such as: "
            f"{', '.join(COLUMNS)}."
        )
    return found


# Checking each field


def _check(ctx: Context, row: _Row, known: Mapping[str, Study], study: str | None, country: str | None) -> None:
    row.given["study"] = row.get("study") or study or ""
    chosen = known.get(row.get("study"))
    if chosen is None:
        there = ", ".join(known) or "none"
        row.refuse("study", "There is no such study." if row.get("study") else f"Name the study; there are: {there}.")
    row.take("caregiver", lambda text: enrol.check_name(text, "the caregiver"))
    row.take("phone", lambda text: row.given.__setitem__("phone_read", _phone(ctx, text, country)))
    row.take("role", lambda text: row.given.__setitem__("role_read", _role(text)))
    for column in ("birth_date", "due_date"):
        row.take(column, parse_date)
    row.take("gestation", _gestation)
    row.take("timezone", lambda text: zone_named(text) if text else None)
    for column in ("research_consent", "shares_phone"):
        row.take(column, _yes)
    row.take("babies", _count)
    row.take("baby", lambda text: enrol.check_babies(_names(text)) if text else None)
    if chosen is not None:
        for column in ("fact_time", "prompt_time"):
            row.take(column, lambda text: decent_time(text, chosen.quiet) if text else None)
    if row.get("locale") and row.get("locale") not in ctx.library.locales:
        there = ", ".join(sorted(ctx.library.locales))
        row.refuse("locale", f"There are no texts in this language; there are in {there}.")


def _phone(ctx: Context, text: str, country: str | None) -> str:
    if not text:
        raise InvalidInputError("The number is missing; write it with + and the country, such as +447700900123.")
    if _DAMAGED.fullmatch(text):
        raise InvalidInputError(
            "The spreadsheet has turned the number into a figure and lost its digits; format the column as text and "
            "type the number anew, such as +447700900123."
        )
    plain = re.sub(r"[\s().-]", "", text)
    if plain.startswith("00"):
        plain = f"+{plain[2:]}"
    if not plain.startswith("+"):
        if country is None:
            raise InvalidInputError(
                "The number does not begin with + and its country; write it such as +447700900123, or say of which "
                "country such numbers are."
            )
        plain = _national(plain, country)
    return enrol.parse_phone(plain, simulated=ctx.channel.simulated)


def _national(plain: str, country: str) -> str:
    try:
        number = phonenumbers.parse(plain, country.upper())
    except phonenumbers.NumberParseException:
        raise InvalidInputError(f"'{plain}' is not a number of {country.upper()}; check its digits.") from None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def parse_date(text: str) -> date | None:
    """Return a day from what people write in spreadsheets; refuse what could be two days.

    Raises:
        InvalidInputError: It is no day, or not certainly one.
    """
    if not text:
        return None
    if _SERIAL.fullmatch(text):
        raise InvalidInputError(
            "The spreadsheet has turned the date into a number; format the column as text, and write 2026-03-12."
        )
    if found := _ISO.fullmatch(text):
        year, month, day = map(int, found.groups())
    elif found := _WORDS.fullmatch(text):
        first, name, other, second, written = found.groups()
        year, day = int(written), int(first or second)
        month = _month(name or other)
    elif found := _FIGURES.fullmatch(text):
        one, two, year = map(int, found.groups())
        if one <= 12 and two <= 12 and one != two:
            raise InvalidInputError(f"'{text}' may be two days; write it such as {year}-{two:02d}-{one:02d}.")
        day, month = (two, one) if two > 12 else (one, two)
    else:
        raise InvalidInputError(f"'{text[:MOST_SHOWN]}' is not a date; write it such as 2026-03-12.")
    try:
        return date(year, month, day)
    except ValueError:
        raise InvalidInputError(f"There is no such day as '{text}'; write it such as 2026-03-12.") from None


def _month(name: str) -> int:
    short = name[:3].lower()
    return MONTHS.index(short) + 1 if short in MONTHS else 0


def _gestation(text: str) -> int | None:
    if not text:
        return None
    found = _WEEKS.fullmatch(text.strip().lower())
    if found is None:
        raise InvalidInputError(f"'{text}' is not a gestation; write weeks+days such as 39+4 (days 0 to 6).")
    return parse_gestation(f"{found[1]}+{found[2] or 0}")


def _role(text: str) -> str:
    plain = re.sub(r"[\s-]+", "_", text.strip().lower())
    role = ROLES.get(plain, plain or Role.OTHER.value)
    if role not in set(Role):
        raise InvalidInputError(f"'{text}' is not a role; choose one of {', '.join(Role)}.")
    return role


def _yes(text: str) -> bool:
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    raise InvalidInputError(f"'{text}' is neither yes nor no; write yes or no.")


def _count(text: str) -> int:
    if text and not (text.isdecimal() and 1 <= int(text) <= enrol.MOST_BABIES):
        raise InvalidInputError(f"'{text}' is not a number of babies; write 1 to {enrol.MOST_BABIES}.")
    return int(text or 1)


def _names(text: str) -> list[str]:
    return [name for name in _BETWEEN_NAMES.split(text) if name]


# Rows together


def _refuse_twins(rows: Sequence[_Row]) -> None:
    """Refuse a number that is in the file twice, but for a phone that a family shares."""
    first: dict[str, _Row] = {}
    for row in rows:
        number = row.get("phone_read")
        if not number:
            continue
        earlier = first.setdefault(number, row)
        shared = row.get("shares_phone").lower() in YES and row.get("family") == earlier.get("family") != ""
        if earlier is not row and not shared:
            row.refuse("phone", f"The same number is in line {earlier.line}; give each caregiver their own.")


def _refuse_known(ctx: Context, session: Session, rows: Sequence[_Row]) -> None:
    hashes = {ctx.vault.look_up(row.get("phone_read")): row for row in rows if row.get("phone_read")}
    for found in families.owned_among(session, list(hashes)):
        row = hashes[found]
        row.refuse("phone", "This number is enrolled already; change that family instead, or leave out the row.")


def _groups(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Return the rows of each family: those with the same family and study, and each row that names none."""
    groups: dict[tuple[str, ...], list[_Row]] = {}
    for row in rows:
        named = row.get("family")
        groups.setdefault((row.get("study"), named) if named else ("", "", str(row.line)), []).append(row)
    return list(groups.values())


def _draft(ctx: Context, group: Sequence[_Row], known: Mapping[str, Study], now: datetime) -> Draft | None:
    """Return a family, or None and the reason in each of its rows."""
    about = {column: _agreed(group, column) for column in ("birth_date", "due_date", "gestation", "baby", "babies")}
    broken = [row for row in group if row.refusals]
    if not broken:
        try:
            new = _new_family(group, about)
            return Draft([row.line for row in group], enrol.prepare(ctx, new, known[new.study], now))
        except BabyMindError as error:
            column = next((name for name in ("birth_date", "due_date") if about[name]), "caregiver")
            group[0].refuse(column, str(error))
            broken = [group[0]]
    for row in group:
        if row not in broken:
            row.refuse("family", f"This family waits for line {broken[0].line} to be mended.")
    return None


def _agreed(group: Sequence[_Row], column: str) -> str:
    """Return what the rows of a family say of their baby; they may leave it out, but not disagree."""
    said = [row for row in group if row.get(column)]
    for row in said[1:]:
        if row.get(column) != said[0].get(column):
            row.refuse(column, f"Line {said[0].line} of the same family says {said[0].get(column)}; make them agree.")
    return said[0].get(column) if said else ""


def _new_family(group: Sequence[_Row], about: Mapping[str, str]) -> NewFamily:
    names = _names(about["baby"])
    babies = [*names, *[""] * (max(_count(about["babies"]), 1) - len(names))]
    return NewFamily(
        study=group[0].get("study"),
        caregivers=[
            NewCaregiver(
                name=row.get("caregiver"), phone=row.get("phone_read"), role=row.get("role_read"),
                zone=row.get("timezone") or "Europe/London", fact_time=row.get("fact_time") or "09:00",
                prompt_time=row.get("prompt_time") or "17:00", locale=row.get("locale") or None,
                research_consent=_yes(row.get("research_consent")), shares_phone=_yes(row.get("shares_phone")),
            )
            for row in group
        ],
        babies=babies, due_on=parse_date(about["due_date"]), born_on=parse_date(about["birth_date"]),
        gestation_days=_gestation(about["gestation"]), how="import",
    )  # fmt: skip
