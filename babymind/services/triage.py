"""Triage: the automatic first look at a reply. Words that steer are carried out; everything else goes to a person."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.age import weeks
from babymind.domain.delivery import Hold, Kind, Messaging
from babymind.domain.reply import Keyword, ReplyStatus
from babymind.domain.schedule import local_day
from babymind.domain.words import Steering, read_steering
from babymind.engine.base import Work
from babymind.errors import BabyMindError, InvalidInputError
from babymind.services import caregivers, life
from babymind.services.context import Context
from babymind.services.life import Change
from babymind.services.texts import message_text
from babymind.store import deliveries, replies, tasks
from babymind.store.families import Caregiver, LossReason, PregnancyStatus
from babymind.store.replies import Reply
from babymind.store.tasks import TaskKind

log = structlog.get_logger()

ANSWER_HOURS = 1  # a direct answer that is later than this answers nothing
Answer = tuple[str, dict[str, str]]  # which message, and its values
STOPPED: Answer = ("stop", {})
# Their answers speak of messages to come.
OF_MESSAGES = frozenset({Keyword.START, Keyword.PAUSE, Keyword.RESUME, Keyword.TIME, Keyword.BORN})


def triage_new(ctx: Context) -> int:
    """Look at the replies that nobody has looked at, each in a transaction of its own, and return how many."""
    looked = 0
    while not ctx.stopping.is_set():
        with ctx.sessions.begin() as session:
            reply = replies.next_untriaged(session)
            if reply is None:
                break
            try:
                with session.begin_nested():
                    reply.status = _look(ctx, session, reply, utc_now())
            except OperationalError:  # the database was busy: it stays new, and its family unheard, till next time
                raise
            except Exception:  # whatever it was: a person reads it
                log.exception("a reply could not be triaged", reply_id=reply.id)
                reply.status = ReplyStatus.WAITING
        looked += 1
    if looked:
        ctx.engine.hint(Work.DELIVER)
    return looked


def _look(ctx: Context, session: Session, reply: Reply, now: datetime) -> ReplyStatus:
    if reply.caregiver_id is None or reply.keyword is None:
        return ReplyStatus.WAITING
    caregiver = caregivers.locked(session, reply.caregiver_id)
    steering = _steering(ctx, reply, caregiver)
    change = Change(actor=f"caregiver:{caregiver.id}", now=now)
    act, status = ACTIONS[steering.keyword]
    answer: Answer | None
    try:
        with session.begin_nested():
            answer = act(ctx, session, caregiver, steering, change)
    except BabyMindError as error:  # it cannot be done as it was asked: a person looks
        log.info("a keyword could not be carried out", reply_id=reply.id, keyword=steering.keyword, why=error.code)
        answer, status = None, ReplyStatus.WAITING
    if answer and steering.keyword in OF_MESSAGES and not life.goes_on(caregiver.family):
        answer, status = None, ReplyStatus.WAITING  # nothing that these answers promise would come: a person writes
    if answer and not reply.provider_answered:
        _answer(ctx, session, reply, caregiver, answer, now)
    return status


def _steering(ctx: Context, reply: Reply, caregiver: Caregiver) -> Steering:
    """Return what a reply asks for; what the provider says that it was counts more than its words."""
    today = local_day(reply.received_at, ZoneInfo(caregiver.zone))
    read = read_steering(ctx.vault.open(reply.text_sealed), ctx.library.keywords, today=today)
    keyword = reply.keyword or Keyword.UNCLEAR
    return read if read and read.keyword is keyword else Steering(keyword=keyword)


def _stop(_ctx: Context, session: Session, caregiver: Caregiver, _steering: Steering, change: Change) -> Answer:
    caregivers.stop(session, caregiver, change)
    return STOPPED


def _start(_ctx: Context, session: Session, caregiver: Caregiver, _steering: Steering, change: Change) -> Answer:
    caregivers.start(session, caregiver, change)
    return "start", {}


def _help(*_: object) -> Answer:
    return "help", {}


def _pause(_ctx: Context, session: Session, caregiver: Caregiver, steering: Steering, change: Change) -> Answer:
    if caregiver.messaging is Messaging.STOPPED:
        return STOPPED
    until = caregivers.pause(session, caregiver, change, days=steering.pause_days)
    return ("pause-until", {"until": _day(until)}) if until else ("pause", {})


def _resume(_ctx: Context, session: Session, caregiver: Caregiver, _steering: Steering, change: Change) -> Answer:
    if caregiver.messaging is Messaging.STOPPED:
        return STOPPED  # which says that START brings them back
    caregivers.resume(session, caregiver, change)
    return "resume", {}


def _time(_ctx: Context, session: Session, caregiver: Caregiver, steering: Steering, change: Change) -> Answer:
    if not steering.times:
        return "time", {}
    fact, prompt = (*steering.times, None)[:2]
    if prompt is None and fact is not None and _nearer(fact.hour * 60 + fact.minute, caregiver):
        fact, prompt = None, fact
    try:
        with session.begin_nested():
            caregivers.set_times(session, caregiver, change, fact=fact, prompt=prompt)
    except InvalidInputError:
        return "time-quiet", {}
    if caregiver.messaging is Messaging.STOPPED:
        return STOPPED
    return "time-set", {"fact": f"{caregiver.fact_time:%H:%M}", "prompt": f"{caregiver.prompt_time:%H:%M}"}


def _nearer(minutes: int, caregiver: Caregiver) -> bool:
    """Tell whether a time of day is nearer to the prompt's than to the fact's: one time alone means that one."""
    fact, prompt = ((at.hour * 60 + at.minute) for at in (caregiver.fact_time, caregiver.prompt_time))
    return abs(minutes - prompt) < abs(minutes - fact)


def _born(ctx: Context, session: Session, caregiver: Caregiver, steering: Steering, change: Change) -> Answer | None:
    told = [one for one in caregiver.family.pregnancies if one.born_on and one.born_on == steering.born_on]
    if len(told) == 1 and steering.gestation_days is not None and told[0].status is PregnancyStatus.BORN:
        life.gestation_told(session, told[0], change, steering.gestation_days)
        return "weeks", {"weeks": weeks(steering.gestation_days)}
    pregnancy = life.chosen(caregiver.family, None, {PregnancyStatus.EXPECTED}, "is still to be born")
    if steering.born_on is None:
        return "born", {}
    life.birth(ctx, session, pregnancy, change, born_on=steering.born_on, gestation_days=steering.gestation_days)
    return None  # the congratulations are the answer


def _loss(ctx: Context, session: Session, caregiver: Caregiver, _steering: Steering, change: Change) -> Answer:
    family = caregiver.family
    about = [one for one in family.pregnancies if one.status is not PregnancyStatus.LOST]
    told_before = any(len(life.living(one)) < len(one.infants) for one in family.pregnancies)
    if len(about) == 1 and len(life.living(about[0])) == 1 and not told_before:
        life.loss(ctx, session, about[0], change, reason=LossReason.NOT_SAID)
        _ask_about_loss(session, caregiver, change)
    else:  # nobody can tell of whom they speak
        _hold_for_a_person(session, caregiver, change, answered=True)
    return "loss", {}


def _hold_for_a_person(session: Session, caregiver: Caregiver, change: Change, *, answered: bool) -> None:
    """Let everything wait until a person has asked of whom a caregiver speaks."""
    if any(
        one.status is not PregnancyStatus.LOST and one.hold is not Hold.AFTER_LOSS
        for one in caregiver.family.pregnancies
    ):  # else it was told before: what is on its way now was written in the knowledge of it
        life.hold_everything(session, caregiver.family, change.now)
    life.record(session, caregiver.family, change, "loss_told", answered=answered)
    _ask_about_loss(session, caregiver, change)


def _ask_about_loss(session: Session, caregiver: Caregiver, change: Change) -> None:
    tasks.ask(session, TaskKind.CONFIRM_LOSS, f"loss:{caregiver.family_id}:{change.now.date()}", now=change.now,
              family_id=caregiver.family_id)  # fmt: skip


def _wrong_number(_ctx: Context, session: Session, caregiver: Caregiver, _steering: Steering, change: Change) -> None:
    caregivers.wrong_number(session, caregiver, change)


def _unclear(
    ctx: Context, session: Session, caregiver: Caregiver, steering: Steering, change: Change
) -> Answer | None:
    if steering.perhaps is not Keyword.LOSS:
        return "unclear", {}
    # "Our baby died on Friday": a hold too many is undone in a minute; a person answers, not we.
    _hold_for_a_person(session, caregiver, change, answered=False)
    return None


def _nothing(*_: object) -> None:
    return None


# What each word does, and where the reply goes then.
Action = Callable[[Context, Session, Caregiver, Steering, Change], Answer | None]
ACTIONS: dict[Keyword, tuple[Action, ReplyStatus]] = {
    Keyword.STOP: (_stop, ReplyStatus.HANDLED),
    Keyword.START: (_start, ReplyStatus.HANDLED),
    Keyword.HELP: (_help, ReplyStatus.HANDLED),
    Keyword.PAUSE: (_pause, ReplyStatus.HANDLED),
    Keyword.RESUME: (_resume, ReplyStatus.HANDLED),
    Keyword.TIME: (_time, ReplyStatus.HANDLED),
    Keyword.BORN: (_born, ReplyStatus.WAITING),  # a person is glad with them
    Keyword.LOSS: (_loss, ReplyStatus.WAITING),
    Keyword.WRONG_NUMBER: (_wrong_number, ReplyStatus.HANDLED),
    Keyword.LINK: (_nothing, ReplyStatus.WAITING),
    Keyword.UNCLEAR: (_unclear, ReplyStatus.WAITING),
}


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"


def _answer(ctx: Context, session: Session, reply: Reply, caregiver: Caregiver, answer: Answer,
            now: datetime) -> None:  # fmt: skip
    key, values = answer
    today = local_day(now, ZoneInfo(caregiver.zone))
    names = [
        ctx.vault.open_optional(infant.name_sealed)
        for pregnancy in caregiver.family.pregnancies
        for infant in life.living(pregnancy)
    ]
    text = message_text(ctx, key, caregiver.locale, today=today, babies=names, **values)
    deliveries.add(
        session,
        deliveries.new_delivery(
            caregiver.id, Kind.ANSWER, f"answer:{reply.id}", local_day=today, due_at=now,
            window_ends_at=now + timedelta(hours=ANSWER_HOURS), text_sealed=ctx.vault.seal(text),
        ),
    )  # fmt: skip
