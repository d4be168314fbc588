"""Caregivers: stop and start, pauses, times, the number, joining and leaving; the others' messages go on."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from babymind.domain.delivery import SLOTS, DeliveryStatus, Kind, Messaging, Reason
from babymind.domain.schedule import decent_time, instant_of, local_day, require_decent, zone_named
from babymind.engine.base import Work
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services.context import Context
from babymind.services.enrol import (
    NewCaregiver,
    begin_with,
    check_caregiver,
    join_family,
    new_address,
    parse_phone,
    taken_meanwhile,
)
from babymind.services.life import Change, change_by, few_words, record
from babymind.services.plan import plan_family, replan_family
from babymind.store import deliveries, families, tasks
from babymind.store.families import Address, Caregiver, ChannelName, ClosedWhy, Consent, ConsentKind, caregiver_at
from babymind.store.studies import Study
from babymind.store.tasks import TaskKind

LONGEST_PAUSE_DAYS = 90


def locked(session: Session, caregiver_id: int) -> Caregiver:
    """Return a caregiver for changing; the family is locked.

    Raises:
        NotFoundError: There is no such caregiver.
    """
    caregiver = session.get(Caregiver, caregiver_id)
    if caregiver is None:
        raise NotFoundError("There is no such caregiver.")
    families.lock_family_of(session, caregiver_id)
    session.refresh(caregiver)
    return caregiver


# Stop and start


def stop(session: Session, caregiver: Caregiver, change: Change) -> None:
    """Stop every message to a caregiver, and to whoever shares the phone; what was planned is cancelled."""
    _silence(session, caregiver, change)
    record(session, caregiver.family, change, "stop", caregiver_id=caregiver.id)


def opted_out_at_provider(session: Session, caregiver_id: int, now: datetime) -> bool:
    """Take it as a STOP that the provider holds one of this caregiver; False when we knew.

    All that a STOP by text does is done, in the caller's transaction, but for the answer: the provider has given it.
    No lock is taken, so that it may be called for many, and it may be called again.
    """
    caregiver = session.get(Caregiver, caregiver_id)
    if caregiver is None:
        raise NotFoundError("There is no such caregiver.")
    change = Change(actor="provider", now=now)
    stopped = _silence(session, caregiver, change)
    if stopped:
        record(session, caregiver.family, change, "stop", caregiver_id=caregiver_id)
    return stopped


def _silence(session: Session, caregiver: Caregiver, change: Change) -> bool:
    """Stop a caregiver and whoever shares the phone; False when they had all stopped."""
    sharing = [one for one in families.sharing_with(session, caregiver.id) if one.messaging is not Messaging.LEFT]
    changed = [one for one in sharing if families.set_messaging(session, one.id, Messaging.STOPPED, change.now)]
    for one in changed:
        _consent(session, one, change, given=False, words="STOP")
    deliveries.cancel_planned(session, [one.id for one in sharing], Reason.STOPPED)
    return bool(changed)


def start(session: Session, caregiver: Caregiver, change: Change, *, words: str = "START") -> bool:
    """Begin again after a STOP or a pause, with the next slot; False when messages were coming already."""
    sharing = families.sharing_with(session, caregiver.id)
    changed = [one for one in sharing if families.set_messaging(session, one.id, Messaging.ACTIVE, change.now)]
    if not changed:
        return False
    mind = families.bereaved(caregiver.family) or families.held(caregiver.family)
    for one in changed:
        session.refresh(one)
        _consent(session, one, change, given=True, words=words)
        if not mind:  # a comment that waited may be from before anybody knew
            deliveries.revive(session, one.id, change.now, reasons=[Reason.STOPPED])
    replan_family(session, caregiver.family, change.now)
    record(session, caregiver.family, change, "start", caregiver_id=caregiver.id)
    return True


def _consent(session: Session, one: Caregiver, change: Change, *, given: bool, words: str) -> None:
    how = "text" if change.caregiver_id is not None else "provider" if change.actor == "provider" else "staff"
    session.add(
        Consent(
            caregiver_id=one.id, kind=ConsentKind.MESSAGING, given=given, at=change.now, how=how, text_shown=words
        )
    )


def stop_by_staff(ctx: Context, caregiver_id: int, *, actor: str) -> None:
    """Stop a caregiver's messages because they asked a person."""
    with ctx.sessions.begin() as session:
        stop(session, locked(session, caregiver_id), change_by(actor))


def start_by_staff(ctx: Context, caregiver_id: int, *, because: str, actor: str) -> None:
    """Begin again with the caregiver's word to a person; a stop at the provider ends only with their own START."""
    said = few_words(
        because, missing="Say how the caregiver asked for messages again, such as: by telephone on Monday."
    )
    with ctx.sessions.begin() as session:
        caregiver = locked(session, caregiver_id)
        if caregiver.messaging is Messaging.LEFT:
            raise ConflictError("This caregiver has left the family; add them anew.")
        if not start(session, caregiver, change_by(actor), words=f"staff: {said[:150]}"):
            raise ConflictError("This caregiver gets messages already.")
    ctx.engine.hint(Work.DELIVER)


# Pauses


def pause(session: Session, caregiver: Caregiver, change: Change, *, days: int | None) -> date | None:
    """Pause the daily messages, and return the first local day with messages again; None: until they say so."""
    if days is not None and not 1 <= days <= LONGEST_PAUSE_DAYS:
        raise InvalidInputError(f"A pause lasts 1 to {LONGEST_PAUSE_DAYS} days, or until it is ended; not {days}.")
    today = local_day(change.now, ZoneInfo(caregiver.zone))
    until = None if days is None else today + timedelta(days=days)
    if caregiver.messaging in (Messaging.ACTIVE, Messaging.PAUSED):
        families.set_messaging(session, caregiver.id, Messaging.PAUSED, change.now, until=until)
        session.refresh(caregiver)
        deliveries.cancel_planned(session, [caregiver.id], Reason.PAUSED, kinds=(*SLOTS, Kind.NOTICE))
        replan_family(session, caregiver.family, change.now)
        record(session, caregiver.family, change, "pause", caregiver_id=caregiver.id,
               until=until.isoformat() if until else None)  # fmt: skip
    return until


def resume(session: Session, caregiver: Caregiver, change: Change) -> bool:
    """End a pause, with the next slot; False where there is none. A STOP is not ended by this."""
    if caregiver.messaging is not Messaging.PAUSED:
        return False
    families.set_messaging(session, caregiver.id, Messaging.ACTIVE, change.now)
    session.refresh(caregiver)
    replan_family(session, caregiver.family, change.now)
    record(session, caregiver.family, change, "resume", caregiver_id=caregiver.id)
    return True


def pause_by_staff(ctx: Context, caregiver_id: int, *, days: int | None, actor: str) -> date | None:
    """Pause a caregiver's messages for them."""
    with ctx.sessions.begin() as session:
        caregiver = locked(session, caregiver_id)
        if caregiver.messaging not in (Messaging.ACTIVE, Messaging.PAUSED):
            raise ConflictError("This caregiver gets no messages, so there is nothing to pause.")
        return pause(session, caregiver, change_by(actor), days=days)


def resume_by_staff(ctx: Context, caregiver_id: int, *, actor: str) -> None:
    """End a caregiver's pause for them."""
    with ctx.sessions.begin() as session:
        if not resume(session, locked(session, caregiver_id), change_by(actor)):
            raise ConflictError("This caregiver has no pause to end.")
    ctx.engine.hint(Work.DELIVER)


# Times, zone, language, slots


def set_times(session: Session, caregiver: Caregiver, change: Change, *, fact: time | None, prompt: time | None,
              zone: str | None = None) -> None:  # fmt: skip
    """Change when the day's messages come; today's too, unless the new time is over.

    Raises:
        InvalidInputError: A time lies in the quiet hours, or there is no such zone.
    """
    study = families.study_of(session, caregiver.family_id)
    for at in (fact, prompt):
        if at is not None and study is not None:
            require_decent(at, study.quiet)
    if zone is not None:
        caregiver.zone = zone_named(zone).key
        begin_with(caregiver.family, ZoneInfo(zone), change.now)
    caregiver.fact_time = fact or caregiver.fact_time
    caregiver.prompt_time = prompt or caregiver.prompt_time
    session.flush()
    _move_slots(session, caregiver, study, change.now)
    plan_family(session, caregiver.family_id, {caregiver.zone}, change.now)
    record(session, caregiver.family, change, "times", caregiver_id=caregiver.id, zone=caregiver.zone,
           fact=f"{caregiver.fact_time:%H:%M}", prompt=f"{caregiver.prompt_time:%H:%M}")  # fmt: skip


def _move_slots(session: Session, caregiver: Caregiver, study: Study | None, now: datetime) -> None:
    """Move what is still to go to its new time; a local day that is over in the new zone gets nothing more."""
    zone = ZoneInfo(caregiver.zone)
    today = local_day(now, zone)
    for row in deliveries.open_slots(session, caregiver.id, now):
        at = caregiver.fact_time if row.kind is Kind.FACT else caregiver.prompt_time
        due_at = instant_of(row.local_day, at, zone)
        if study is not None:
            row.window_ends_at = instant_of(row.local_day, study.quiet_from, zone)
        if due_at > now:
            row.due_at = due_at
        elif row.status is DeliveryStatus.PLANNED and (row.local_day < today or row.due_at >= row.window_ends_at):
            row.status, row.reason = DeliveryStatus.CANCELLED, Reason.REPLANNED
    session.flush()


def set_preferences(ctx: Context, caregiver_id: int, *, fact_time: str | None = None, prompt_time: str | None = None,
                    zone: str | None = None, locale: str | None = None, wants_facts: bool | None = None,
                    wants_prompts: bool | None = None, actor: str) -> None:  # fmt: skip
    """Change a caregiver's times, zone, language and slots; what is not given stays."""
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        caregiver = locked(session, caregiver_id)
        study = families.study_of(session, caregiver.family_id)
        if study is None:
            raise ConflictError("This family is in no study.")
        if locale is not None and locale not in ctx.library.locales:
            raise InvalidInputError(
                f"There are no texts in '{locale}'; there are some in {', '.join(sorted(ctx.library.locales))}."
            )
        if fact_time or prompt_time or zone:
            set_times(
                session, caregiver, change, zone=zone,
                fact=decent_time(fact_time, study.quiet) if fact_time else None,
                prompt=decent_time(prompt_time, study.quiet) if prompt_time else None,
            )  # fmt: skip
        given = {"locale": locale, "wants_facts": wants_facts, "wants_prompts": wants_prompts}
        changed = {name: value for name, value in given.items() if value is not None}
        if changed:
            for name, value in changed.items():
                setattr(caregiver, name, value)
            replan_family(session, caregiver.family, change.now)
            record(session, caregiver.family, change, "preferences", caregiver_id=caregiver.id, **changed)
    ctx.engine.hint(Work.DELIVER)


# The number, and who belongs to the family


def change_number(ctx: Context, caregiver_id: int, phone: str, *, actor: str) -> None:
    """Give a caregiver another number; the old one is closed and stays in the history."""
    number = parse_phone(phone, simulated=ctx.channel.simulated)
    change = change_by(actor)
    anothers = f"The number ending in {number[-2:]} is another caregiver's; change that one first."
    try:
        with ctx.sessions.begin() as session:
            caregiver = locked(session, caregiver_id)
            holder = caregiver_at(session, ChannelName.SMS, ctx.vault.look_up(number))
            if holder is not None:
                own = holder.id == caregiver_id
                raise ConflictError("This caregiver has this number already." if own else anothers)
            _give_number(ctx, session, caregiver, number, change.now)
            replan_family(session, caregiver.family, change.now)
            record(session, caregiver.family, change, "number", caregiver_id=caregiver.id)
    except IntegrityError as error:  # somebody else was given it at this very moment
        raise ConflictError(anothers) from error
    ctx.engine.hint(Work.DELIVER)


def _give_number(ctx: Context, session: Session, caregiver: Caregiver, number: str, now: datetime) -> None:
    """Close the number that a caregiver has, and open another; whoever shares the phone moves with it."""
    sharing = [one for one in families.sharing_with(session, caregiver.id) if one.id != caregiver.id]
    others = [one for one in sharing if all(address.shared for address in _open(one.addresses))]
    moving = others if any(not address.shared for address in _open(caregiver.addresses)) else []
    for one in moving:  # it is their phone too
        _close_addresses(session, one, now, ClosedWhy.CHANGED)
        one.addresses.append(new_address(ctx, number, now, shared=True))
    _close_addresses(session, caregiver, now, ClosedWhy.CHANGED)
    caregiver.addresses.append(new_address(ctx, number, now))


def wrong_number(session: Session, caregiver: Caregiver, change: Change) -> None:
    """The number is somebody else's: nothing goes to it any more, and a person asks the family for the right one."""
    sharing = families.sharing_with(session, caregiver.id)
    for one in sharing:
        _close_addresses(session, one, change.now, ClosedWhy.WRONG_NUMBER)
    deliveries.cancel_planned(session, [one.id for one in sharing], Reason.CHANNEL_CLOSED)
    replan_family(session, caregiver.family, change.now)
    tasks.ask(session, TaskKind.WRONG_NUMBER, f"wrong-number:{caregiver.id}:{change.now.date()}", now=change.now,
              family_id=caregiver.family_id, caregiver_id=caregiver.id)  # fmt: skip
    record(session, caregiver.family, change, "wrong_number", caregiver_id=caregiver.id)


def wrong_number_by_staff(ctx: Context, caregiver_id: int, *, actor: str) -> None:
    """Close a number that is not the caregiver's."""
    with ctx.sessions.begin() as session:
        wrong_number(session, locked(session, caregiver_id), change_by(actor))


def leave(ctx: Context, caregiver_id: int, *, actor: str) -> None:
    """A caregiver no longer belongs to the family: nothing more goes to them, the others go on."""
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        caregiver = locked(session, caregiver_id)
        others = [one for one in families.sharing_with(session, caregiver_id) if one.id != caregiver_id]
        families.set_messaging(session, caregiver_id, Messaging.LEFT, change.now)
        deliveries.cancel_planned(session, [caregiver_id], Reason.LEFT)
        shared = [address for one in others for address in one.addresses if address.shared and not address.closed_at]
        owned = any(not address.shared for address in caregiver.addresses if address.closed_at is None)
        _close_addresses(session, caregiver, change.now, ClosedWhy.LEFT)
        if owned and shared:
            shared[0].shared = False  # the phone is now theirs
        session.refresh(caregiver)
        replan_family(session, caregiver.family, change.now)
        record(session, caregiver.family, change, "left", caregiver_id=caregiver_id)
    ctx.engine.hint(Work.DELIVER)


def add_caregiver(ctx: Context, study_code: str, new: NewCaregiver, *, actor: str) -> int:
    """Add a caregiver to a family, with a welcome, and return the id; messages start with the next slot."""
    change = change_by(actor)
    try:
        with ctx.sessions.begin() as session:
            family = families.lock_family(session, study_code)
            study = families.study_of(session, family.id) if family else None
            if family is None or study is None:
                raise NotFoundError("There is no family with this code; check its letters.")
            caregiver = join_family(ctx, session, family, study, check_caregiver(ctx, new, study), change.now)
            replan_family(session, family, change.now)
            record(session, family, change, "caregiver_added", caregiver_id=caregiver.id)
            added = caregiver.id
    except IntegrityError as error:
        raise taken_meanwhile(ctx, [new.phone]) from error
    ctx.engine.hint(Work.DELIVER)
    return added


def _close_addresses(session: Session, caregiver: Caregiver, now: datetime, why: ClosedWhy) -> None:
    for address in _open(caregiver.addresses):
        address.closed_at, address.closed_why = now, why
    session.flush()


def _open(addresses: Sequence[Address]) -> list[Address]:
    return [address for address in addresses if address.closed_at is None]
