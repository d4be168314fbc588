"""Enrol: a family joins a study with its caregivers, babies and consents; all of it is written, or nothing."""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import PhoneNumberType
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain import contact
from babymind.domain.age import PROGRAMME_LAST_DAY, Dates, Stage, dates, stage_on
from babymind.domain.delivery import Kind, Messaging
from babymind.domain.schedule import decent_instant, decent_time, local_day, zone_named
from babymind.engine.base import Work
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services.context import Context
from babymind.services.plan import plan_family, write_stages
from babymind.services.texts import message_text
from babymind.store import content, deliveries, studies
from babymind.store.deliveries import Delivery
from babymind.store.families import (
    Address,
    Caregiver,
    ChannelName,
    Consent,
    ConsentKind,
    Family,
    Infant,
    Pregnancy,
    PregnancyStatus,
    Role,
    caregiver_at,
)  # fmt: skip
from babymind.store.staff import audit
from babymind.store.studies import Arm, Enrolment, Study

STUDY_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
LONGEST_NAME = 60
MOST_BABIES = 5
MOST_CAREGIVERS = 8
WELCOME_DAYS = 3  # for how long a welcome is still worth sending
MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that is read as another


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCaregiver:
    """A caregiver as somebody typed it."""

    name: str = field(repr=False)
    phone: str = field(repr=False)
    role: str = Role.OTHER.value
    zone: str = "Europe/London"
    fact_time: str = "09:00"
    prompt_time: str = "17:00"
    locale: str | None = None  # the study's, if not said
    research_consent: bool = False
    shares_phone: bool = False  # with a caregiver before this one, who gets the messages


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFamily:
    """A family as somebody typed it. One baby per name; an empty name is a baby without one."""

    study: str
    caregivers: Sequence[NewCaregiver]
    babies: Sequence[str] = ("",)
    due_on: date | None = None
    born_on: date | None = None
    gestation_days: int | None = None
    starts_at: datetime | None = None  # now, if not said; nothing before it is due
    how: str = "staff"  # by which way the consent was given


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What came of it."""

    family_id: int
    study_code: str
    caregivers: Sequence[tuple[int, str]] = field(repr=False)  # (id, phone in E.164)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A caregiver who has been checked."""

    name: str
    phone: str
    role: Role
    zone: ZoneInfo
    fact_time: time
    prompt_time: time
    locale: str
    research_consent: bool
    shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A family that has been checked and may be written."""

    new: NewFamily
    study: Study
    checked: Sequence[Checked] = field(repr=False)
    names: Sequence[str | None] = field(repr=False)
    known: Dates


def add_study(ctx: Context, slug: str, name: str | None = None) -> None:
    """Add a study with one arm, ``intervention``, that gets facts and prompts daily."""
    if not STUDY_SLUG.fullmatch(slug):
        raise InvalidInputError(f"'{slug}' cannot name a study; use small letters, digits and hyphens.")
    with ctx.sessions.begin() as session:
        if studies.study_by_slug(session, slug):
            raise ConflictError(f"There is a study '{slug}' already.")
        arm = Arm(slug="intervention", name="Intervention", gets_facts=True, gets_prompts=True)
        session.add(Study(slug=slug, name=name or slug, created_at=utc_now(), arms=[arm]))


def enrol(ctx: Context, new: NewFamily, *, actor: str = "command") -> Enrolled:
    """Enrol a family.

    Raises:
        InvalidInputError: Something given cannot be right; the text says what would be.
        NotFoundError: There is no such study.
        ConflictError: One of the numbers is somebody's already.
    """
    now = utc_now()
    try:
        with ctx.sessions.begin() as session:
            study = studies.study_by_slug(session, new.study)
            if study is None:
                raise NotFoundError(f"There is no study '{new.study}'; add it with: babymind study add {new.study}")
            prepared = prepare(ctx, new, study, now)
            _refuse_known_numbers(ctx, session, prepared.checked)
            (family,) = write(ctx, session, [prepared], now)
            plan_family(session, family.id, {one.zone.key for one in prepared.checked}, now)
            audit(session, at=now, actor=actor, action="enrol", subject="family", subject_id=family.id,
                  study=study.slug)  # fmt: skip
            enrolled = Enrolled(
                family_id=family.id,
                study_code=family.study_code,
                caregivers=[
                    (row.id, one.phone) for row, one in zip(family.caregivers, prepared.checked, strict=True)
                ],
            )
    except IntegrityError as error:
        raise taken_meanwhile(ctx, [one.phone for one in new.caregivers]) from error
    ctx.engine.hint(Work.DELIVER)
    return enrolled


def taken_meanwhile(ctx: Context, phones: Iterable[str]) -> ConflictError:
    """Return the refusal of numbers of which one was given to somebody else while they were being written."""
    with ctx.readers.begin() as session:
        for phone in phones:
            number = parse_phone(phone, simulated=ctx.channel.simulated)
            if caregiver_at(session, ChannelName.SMS, ctx.vault.look_up(number)):
                return _known(number)
    return ConflictError("Somebody else was given one of these numbers at this moment. Try again.")


def _known(number: str) -> ConflictError:
    return ConflictError(f"The number ending in {number[-2:]} is enrolled already; change that family instead.")


def prepare(ctx: Context, new: NewFamily, study: Study, now: datetime) -> Prepared:
    """Check a family without touching the database.

    Raises:
        InvalidInputError: Something given cannot be right; the text says what would be.
    """
    checked = _check_caregivers(ctx, new, study)
    names = check_babies(new.babies)
    today = max(local_day(now, one.zone) for one in checked)
    known = dates(due_on=new.due_on, born_on=new.born_on, gestation_days=new.gestation_days, today=today)
    require_open(known, today)
    return Prepared(new=new, study=study, checked=checked, names=names, known=known)


def require_open(known: Dates, today: date) -> None:
    """Refuse a pregnancy whose programme is over: nothing would ever be sent."""
    if stage_on(known, today)[0] is Stage.COMPLETED:
        born_on = known.birth.born_on if known.birth else known.due_on
        raise InvalidInputError(
            f"The programme ends with day {PROGRAMME_LAST_DAY} of a baby's life (from the due date for a baby born "
            f"early); a baby born on {born_on} is past it. Check the year."
        )


def parse_phone(text: str, *, simulated: bool) -> str:
    """Return a mobile number in E.164; refuse what is none, and real ones where only fiction is allowed."""
    none = InvalidInputError(
        f"'{text}' is not an international telephone number; write it with + and the country, such as +447700900123."
    )
    if any(one.isalpha() for one in text):  # the library takes a letter for a key of a telephone: O would be 6
        raise none
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        raise none from None
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if contact.is_fiction(written) or simulated:
        contact.require_reachable(written, simulated=simulated)
        return written
    if not phonenumbers.is_valid_number(number):
        raise InvalidInputError(f"'{text}' is not a number that exists; check its digits.")
    if phonenumbers.number_type(number) not in MOBILE:
        raise InvalidInputError(f"'{text}' is not a mobile number; give one that can receive texts.")
    return written


def _check_caregivers(ctx: Context, new: NewFamily, study: Study) -> list[Checked]:
    if not 1 <= len(new.caregivers) <= MOST_CAREGIVERS:
        raise InvalidInputError(
            f"A family has 1 to {MOST_CAREGIVERS} caregivers here; {len(new.caregivers)} are given."
        )
    checked = [check_caregiver(ctx, one, study) for one in new.caregivers]
    owners = [one.phone for one in checked if not one.shared]
    if len(set(owners)) < len(owners):
        raise InvalidInputError(
            "Two caregivers have the same number; give each their own, or say that they share a phone."
        )
    if any(one.shared and one.phone not in owners for one in checked):
        raise InvalidInputError(
            "A caregiver who shares a phone needs the number of another caregiver of the same family."
        )
    return checked


def check_caregiver(ctx: Context, one: NewCaregiver, study: Study) -> Checked:
    """Check one caregiver without touching the database.

    Raises:
        InvalidInputError: Something given cannot be right; the text says what would be.
    """
    locale = one.locale or study.locale
    if locale not in ctx.library.locales:
        raise InvalidInputError(
            f"There are no texts in '{locale}'; there are some in {', '.join(sorted(ctx.library.locales))}."
        )
    return Checked(
        name=check_name(one.name, "a caregiver"),
        phone=parse_phone(one.phone, simulated=ctx.channel.simulated),
        role=_role(one.role),
        zone=zone_named(one.zone),
        fact_time=decent_time(one.fact_time, study.quiet),
        prompt_time=decent_time(one.prompt_time, study.quiet),
        locale=locale,
        research_consent=one.research_consent,
        shared=one.shares_phone,
    )


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise InvalidInputError(f"'{text}' is not a role; choose one of {', '.join(Role)}.") from None


def check_name(text: str, whose: str) -> str:
    """Return a name without stray spaces; refuse none, and odd ones."""
    name = " ".join(text.split())
    if not name:
        raise InvalidInputError(f"The name of {whose} is missing; a first name or a nickname is enough.")
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidInputError(f"The name of {whose} is too long or holds odd characters; a first name is enough.")
    return name


def check_babies(names: Sequence[str]) -> list[str | None]:
    """Return the babies' names, None for one without a name."""
    if not 1 <= len(names) <= MOST_BABIES:
        raise InvalidInputError(f"A pregnancy has 1 to {MOST_BABIES} babies here; {len(names)} are given.")
    return [check_name(name, "a baby") if name.strip() else None for name in names]


def _refuse_known_numbers(ctx: Context, session: Session, checked: Sequence[Checked]) -> None:
    for one in checked:
        if not one.shared and caregiver_at(session, ChannelName.SMS, ctx.vault.look_up(one.phone)):
            raise _known(one.phone)


def write(ctx: Context, session: Session, prepared: Sequence[Prepared], now: datetime) -> list[Family]:
    """Write families that were prepared, with consents, stages and welcomes; their day is not planned yet.

    However many they are, the statements are few.
    """
    written = [_family(ctx, one, now) for one in prepared]
    session.add_all(written)
    session.flush()
    write_stages(session, written)
    welcomes = []
    for family, one in zip(written, prepared, strict=True):
        for row, checked in zip(family.caregivers, one.checked, strict=True):
            session.add_all(_consents(ctx, row, checked, study=one.study, how=one.new.how, now=now))
            if not checked.shared:
                welcomes.append(_welcome(ctx, row, checked, study=one.study, names=one.names, now=now))
    _add_welcomes(session, welcomes)
    return written


def _family(ctx: Context, prepared: Prepared, now: datetime) -> Family:
    starts_at = prepared.new.starts_at or now
    # The part begins where the day is earliest; before ``starts_at`` nothing is due to anybody.
    from_day = min(local_day(starts_at, one.zone) for one in prepared.checked)
    return Family(
        study_code=_new_code(),
        created_at=now,
        pregnancies=[new_pregnancy(ctx, prepared.known, prepared.names, starts_at)],
        caregivers=[_new_caregiver(ctx, one, now, starts_at) for one in prepared.checked],
        enrolments=[Enrolment(arm=prepared.study.arms[0], from_day=from_day)],
    )


def new_pregnancy(ctx: Context, known: Dates, names: Sequence[str | None], starts_at: datetime) -> Pregnancy:
    """Return a pregnancy with its babies, not added yet; nothing about it is due before ``starts_at``."""
    status = PregnancyStatus.BORN if known.birth else PregnancyStatus.EXPECTED
    return Pregnancy(
        due_on=known.due_on,
        born_on=known.birth.born_on if known.birth else None,
        gestation_days=known.birth.gestation_days if known.birth else None,
        status=status,
        starts_at=starts_at,
        infants=[
            Infant(position=position, name_sealed=ctx.vault.seal_optional(name), status=status)
            for position, name in enumerate(names, 1)
        ],
    )


def join_family(ctx: Context, session: Session, family: Family, study: Study, one: Checked,
                now: datetime) -> Caregiver:  # fmt: skip
    """Write another caregiver of a family that is there, with consents and welcome; their day is not planned yet."""
    open_numbers = {a.look_up for c in family.caregivers for a in c.addresses if a.closed_at is None and not a.shared}
    if one.shared and ctx.vault.look_up(one.phone) not in open_numbers:
        raise InvalidInputError(
            "A caregiver who shares a phone needs the number of another caregiver of the same family."
        )
    _refuse_known_numbers(ctx, session, [one])
    caregiver = _new_caregiver(ctx, one, now, now)
    family.caregivers.append(caregiver)
    begin_with(family, one.zone, now)
    session.flush()
    session.add_all(_consents(ctx, caregiver, one, study=study, how="staff", now=now))
    lost = any(p.status is PregnancyStatus.LOST or p.hold for p in family.pregnancies)
    if not one.shared and not lost:
        names = [ctx.vault.open_optional(i.name_sealed) for p in family.pregnancies for i in p.infants
                 if i.status is not PregnancyStatus.LOST]  # fmt: skip
        _add_welcomes(session, [_welcome(ctx, caregiver, one, study=study, names=names, now=now)])
    return caregiver


def begin_with(family: Family, zone: ZoneInfo, now: datetime) -> None:
    """Let a family's part begin no later than the day that it is where one of its caregivers is now.

    Whoever joins it or moves in its first hours, far enough west, is still in the day before: the next slot counts.
    """
    starts_at = max(now, min((one.starts_at for one in family.pregnancies), default=now))
    for first in family.enrolments[:1]:
        first.from_day = min(first.from_day, local_day(starts_at, zone))


def new_address(ctx: Context, phone: str, now: datetime, *, shared: bool = False) -> Address:
    """Return an address for a number in E.164, not added yet."""
    return Address(channel=ChannelName.SMS, value_sealed=ctx.vault.seal(phone), look_up=ctx.vault.look_up(phone),
                   opened_at=now, shared=shared)  # fmt: skip


def _new_caregiver(ctx: Context, one: Checked, now: datetime, starts_at: datetime) -> Caregiver:
    return Caregiver(
        name_sealed=ctx.vault.seal(one.name), role=one.role, locale=one.locale, zone=one.zone.key,
        fact_time=one.fact_time, prompt_time=one.prompt_time, messaging=Messaging.ACTIVE,
        messaging_changed_at=now, starts_at=starts_at,
        addresses=[new_address(ctx, one.phone, now, shared=one.shared)],
    )  # fmt: skip


def _consents(ctx: Context, row: Caregiver, one: Checked, *, study: Study, how: str,
              now: datetime) -> list[Consent]:  # fmt: skip
    today = local_day(now, one.zone)
    return [
        Consent(
            caregiver_id=row.id, kind=kind, given=given, at=now, how=how,
            text_shown=message_text(ctx, f"consent-{kind.value}", one.locale, today=today, study=study.name),
        )
        for kind, given in ((ConsentKind.MESSAGING, True), (ConsentKind.RESEARCH, one.research_consent))
    ]  # fmt: skip


def _welcome(ctx: Context, row: Caregiver, one: Checked, *, study: Study, names: Sequence[str | None],
             now: datetime) -> tuple[str, Delivery]:  # fmt: skip
    today = local_day(now, one.zone)
    text = message_text(ctx, "welcome", one.locale, today=today, babies=names, caregiver=one.name)
    due_at = decent_instant(now, one.zone, study.quiet)
    return one.locale, deliveries.new_delivery(
        row.id, Kind.WELCOME, f"welcome:{row.id}", local_day=today, due_at=due_at,
        window_ends_at=due_at + timedelta(days=WELCOME_DAYS), text_sealed=ctx.vault.seal(text),
    )  # fmt: skip


def _add_welcomes(session: Session, welcomes: Sequence[tuple[str, Delivery]]) -> None:
    items = {locale: content.item_id_of(session, "welcome", locale) for locale in {locale for locale, _ in welcomes}}
    for locale, delivery in welcomes:
        delivery.item_id = items[locale]
    deliveries.add_many(session, [delivery for _, delivery in welcomes])


def _new_code() -> str:
    letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(10))
    return f"{letters[:5]}-{letters[5:]}"
