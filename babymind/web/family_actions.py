"""What a person can do for a family or a caregiver: one table, from which the pages, links and rights are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from babymind.domain.delivery import Hold, Messaging
from babymind.services import caregivers, enrolments, life
from babymind.services.context import Context
from babymind.services.families import DATA_CHOICES, LOSS_REASONS, CaregiverView, PregnancyView
from babymind.web import family_forms as forms
from babymind.web.access import LEADS, TEAM, Roles
from babymind.web.family_forms import FamilyForm, Given
from babymind.web.show import day


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A form that was sent."""

    ctx: Context
    given: Given
    form: Any
    actor: str

    @property
    def code(self) -> str:
        """The family's study code."""
        return self.given.family.study_code

    @property
    def caregiver(self) -> CaregiverView:
        """The caregiver whom it is about."""
        assert self.given.caregiver  # noqa: S101 - for the type checker; the page of a caregiver has one
        return self.given.caregiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that a person does, on one page with one form."""

    title: str
    says: str  # what will happen; a line is a paragraph
    button: str
    do: Callable[[Asked], str]  # does it, and returns what happened
    form: type[FamilyForm] = FamilyForm
    filled: Callable[[Given], Mapping[str, object]] = lambda _: {}  # what stands in the form at first
    about: Callable[[PregnancyView], bool] = lambda _: False  # which pregnancies it can be about
    fits: Callable[[Given], bool]
    otherwise: str  # the sentence where it does not fit
    roles: Roles = TEAM
    calm: bool = False  # nothing to be glad of: no green when it is done


def _some_baby(given: Given) -> bool:
    return bool(given.pregnancies)


def _takes_part(given: Given) -> bool:
    return given.family.enrolled


def _may_move(given: Given) -> bool:
    return given.family.enrolled and bool(forms.other_arms(given))


def _is(*states: Messaging) -> Callable[[Given], bool]:
    return lambda given: given.caregiver is not None and given.caregiver.messaging in states


def _has_a_number(given: Given) -> bool:
    return given.caregiver is not None and given.caregiver.number is not None


# What each does. A flash lies in a cookie, so none of these sentences names anybody.


def _birth(asked: Asked) -> str:
    age = life.tell_birth(
        asked.ctx, asked.code, born_on=asked.form.born_on.data, gestation_days=asked.form.gestation.days(),
        pregnancy_id=asked.form.pregnancy.data, actor=asked.actor,
    )  # fmt: skip
    return f"The birth is recorded: {age}."


def _dates(asked: Asked) -> str:
    age = life.correct_dates(
        asked.ctx, asked.code, due_on=asked.form.due_on.data, born_on=asked.form.born_on.data,
        gestation_days=asked.form.gestation.days(), pregnancy_id=asked.form.pregnancy.data, actor=asked.actor,
    )  # fmt: skip
    return f"The dates are corrected: {age}. What was sent already does not come again."


def _pregnancy(asked: Asked) -> str:
    life.add_pregnancy(
        asked.ctx, asked.code, babies=asked.form.names(), due_on=asked.form.due_on.data,
        born_on=asked.form.born_on.data, gestation_days=asked.form.gestation.days(), actor=asked.actor,
    )  # fmt: skip
    return "The pregnancy or child is added to the family."


def _loss(asked: Asked) -> str:
    pregnancy_id, babies = asked.form.of()
    life.tell_loss(
        asked.ctx, asked.code, reason=LOSS_REASONS[asked.form.reason.data], pregnancy_id=pregnancy_id, babies=babies,
        actor=asked.actor,
    )  # fmt: skip
    return "The loss is recorded. Everything has stopped, for every caregiver of this family."


def _undo_loss(asked: Asked) -> str:
    life.undo_loss(
        asked.ctx, asked.code, because=asked.form.because.data, confirmations=asked.form.confirmations(asked.code),
        pregnancy_id=asked.form.pregnancy.data, actor=asked.actor,
    )  # fmt: skip
    return "The loss is undone. Whatever else is held stays so until one of us ends the hold."


def _loss_reason(asked: Asked) -> str:
    pregnancy_id, babies = asked.form.of()
    life.correct_loss_reason(
        asked.ctx, asked.code, reason=LOSS_REASONS[asked.form.reason.data], pregnancy_id=pregnancy_id, babies=babies,
        actor=asked.actor,
    )  # fmt: skip
    return "What happened is corrected. Nothing else has changed, and nothing is sent."


def _reason_told(given: Given) -> Mapping[str, object]:
    """Return what is on record of a loss, and of which baby."""
    told = next(((one.id, lost) for one in given.pregnancies for lost in one.infants if lost.loss_reason), None)
    return {"babies": [f"{told[0]}-{told[1].position}"], "reason": told[1].loss_reason} if told else {}


def _hold(asked: Asked) -> str:
    taken_back = life.hold(
        asked.ctx, asked.code, why=Hold(asked.form.why.data), pregnancy_id=asked.form.pregnancy.data,
        actor=asked.actor,
    )  # fmt: skip
    comments = {0: "", 1: " A comment that had not left was taken back."}.get(
        taken_back, f" {taken_back} comments that had not left were taken back."
    )
    return f"Messages about this baby wait until one of us ends the hold.{comments}"


def _release(asked: Asked) -> str:
    life.release(
        asked.ctx, asked.code, because=asked.form.because.data, pregnancy_id=asked.form.pregnancy.data,
        actor=asked.actor,
    )  # fmt: skip
    return "The hold is ended. Messages go on with the next slot."


def _join(asked: Asked) -> str:
    caregivers.add_caregiver(asked.ctx, asked.code, asked.form.caregiver(), actor=asked.actor)
    return "The caregiver is added to the family."


def _move(asked: Asked) -> str:
    study, _, arm = asked.form.arm.data.partition(" ")
    enrolments.move(asked.ctx, asked.code, study=study, arm=arm, actor=asked.actor)
    return "The family moves tomorrow; today stays as it is."


def _withdraw(asked: Asked) -> str:
    data = DATA_CHOICES[asked.form.gave.data]
    enrolments.withdraw(asked.ctx, asked.code, data=data, actor=asked.actor)
    said = "The family has withdrawn; nothing more is sent."
    return f"{said} A task asks for everything to be erased." if data.value == "erase" else said


def _wishes(given: Given) -> Mapping[str, object]:
    return forms.wishes(given.caregiver) if given.caregiver else {}


def _preferences(asked: Asked) -> str:
    changed = asked.form.changed(asked.caregiver)
    if not changed:
        return "Nothing was changed."
    caregivers.set_preferences(asked.ctx, asked.caregiver.id, **changed, actor=asked.actor)
    return "The wishes are saved; they hold from the next slot on."


def _pause(asked: Asked) -> str:
    until = caregivers.pause_by_staff(asked.ctx, asked.caregiver.id, days=asked.form.days.data, actor=asked.actor)
    return f"Messages are paused until {day(until)}." if until else "Messages are paused until they say so."


def _resume(asked: Asked) -> str:
    caregivers.resume_by_staff(asked.ctx, asked.caregiver.id, actor=asked.actor)
    return "The pause is ended. Messages go on with the next slot."


def _stop(asked: Asked) -> str:
    caregivers.stop_by_staff(asked.ctx, asked.caregiver.id, actor=asked.actor)
    return "Messages have stopped."


def _start(asked: Asked) -> str:
    caregivers.start_by_staff(asked.ctx, asked.caregiver.id, because=asked.form.because.data, actor=asked.actor)
    return "Messages start again with the next slot."


def _number(asked: Asked) -> str:
    caregivers.change_number(asked.ctx, asked.caregiver.id, asked.form.phone.data, actor=asked.actor)
    return "The number is changed. The old one gets nothing more."


def _wrong_number(asked: Asked) -> str:
    caregivers.wrong_number_by_staff(asked.ctx, asked.caregiver.id, actor=asked.actor)
    return "The number is closed and gets nothing more. A task asks for the right one."


def _leave(asked: Asked) -> str:
    caregivers.leave(asked.ctx, asked.caregiver.id, actor=asked.actor)
    return "The caregiver has left the family and gets nothing more. The others go on."


NO_STUDY = "This family takes part in no study at present."

# By the last part of the address of its page.
FAMILY_ACTIONS: Mapping[str, Action] = {
    "birth": Action(
        title="Record a birth",
        says=(
            "From the same day on, messages fit the baby's age. Each caregiver who gets messages is "
            "congratulated, at a decent hour."
        ),
        button="Record the birth",
        do=_birth, form=forms.BirthForm, about=lambda one: not one.lost and one.born_on is None, fits=_some_baby,
        otherwise="No baby of this family is still to be born.",
    ),
    "dates": Action(
        title="Correct dates",
        says="Fill in only what was wrong. From today on messages fit the new dates, and what was sent already "
        "does not come again.",
        button="Correct the dates",
        do=_dates, form=forms.DatesForm, about=lambda one: not one.lost, fits=_some_baby,
        otherwise="There are no dates to correct.",
    ),
    "pregnancies/new": Action(
        title="Add a pregnancy or child",
        says="Brothers and sisters take turns from day to day, so that nobody gets too many messages.",
        button="Add to the family",
        do=_pregnancy, form=forms.AddPregnancyForm, fits=_takes_part, otherwise=NO_STUDY,
    ),
    "caregivers/new": Action(
        title="Add a caregiver",
        says="Messages begin with the next slot. Before it they get a welcome, unless the family has had a loss.",
        button="Add the caregiver",
        do=_join, form=forms.JoinForm, fits=_takes_part, otherwise=NO_STUDY,
        filled=lambda given: {"zone": given.family.zone},
    ),
    "loss": Action(
        title="Record a loss",
        says=(
            "As soon as you save this, everything stops at once, for every caregiver of this family. What is "
            "planned is cancelled, and nothing more goes out by itself. If the study has approved a message of "
            "condolence, it is the only one that is sent.\n"
            "Messages about a surviving twin or another child wait as well, until one of us has spoken with "
            "the family. Their photos and words are kept; they may be precious."
        ),
        button="Save",
        do=_loss, form=forms.LossForm, about=lambda one: not one.lost, fits=_some_baby,
        otherwise="There is no living or expected baby in this family that this could be about.", calm=True,
    ),
    "loss-reason": Action(
        title="Correct what happened",
        says="If what we wrote down of a loss is not what the family told us. Nothing is sent, and everything stays "
        "as silent as it is. If there was no loss at all, a lead can undo it.",
        button="Save",
        do=_loss_reason, form=forms.LossReasonForm, filled=_reason_told,
        about=lambda one: any(infant.lost for infant in one.infants), fits=_some_baby,
        otherwise="No loss is recorded for this family.", calm=True,
    ),
    "undo-loss": Action(
        title="Undo a loss",
        says="Only if it was told by mistake or in bad faith, and only with the parent's own word. Messages then go "
        "on with the next slot. Where babies died at different times, the loss that was told last is undone.",
        button="Undo the loss",
        do=_undo_loss, form=forms.UndoLossForm, about=lambda one: any(infant.lost for infant in one.infants),
        fits=_some_baby, otherwise="No loss is recorded for this family.", roles=LEADS, calm=True,
    ),
    "hold": Action(
        title="Hold messages",
        says=(
            "Nothing more goes out about this baby, to anybody, until one of us ends the hold. Comments to this "
            "family that have not left are taken back, for they were written before; whoever writes one from now on "
            "is told of the hold first."
        ),
        button="Hold messages",
        do=_hold, form=forms.HoldForm, about=lambda one: not one.lost and one.hold is None, fits=_some_baby,
        otherwise="There is no baby in this family about whom messages go out.", calm=True,
    ),
    "release": Action(
        title="End a hold",
        says="First speak with the family. Messages about this baby then go on with the next slot. A comment that "
        "the hold took back goes only if somebody writes it anew.",
        button="End the hold",
        do=_release, form=forms.ReleaseForm, about=lambda one: not one.lost and one.hold is not None,
        fits=_some_baby, otherwise="Nothing about this family is held.", calm=True,
    ),
    "move": Action(
        title="Move to another study or arm",
        says="The family moves tomorrow. What was sent until then stays with the old study and arm.",
        button="Move the family",
        do=_move, form=forms.MoveForm, fits=_may_move,
        otherwise="There is no other study or arm that this family could move to.",
    ),
    "withdraw": Action(
        title="Withdraw from the study",
        says="Nothing more is sent to any caregiver of this family. They need to give no reason.",
        button="Withdraw the family",
        do=_withdraw, form=forms.WithdrawForm, fits=_takes_part, otherwise=NO_STUDY, calm=True,
    ),
}  # fmt: skip

_THERE = tuple(state for state in Messaging if state is not Messaging.LEFT)
LEFT = "This caregiver has left the family. If they come back, add them anew."

CAREGIVER_ACTIONS: Mapping[str, Action] = {
    "preferences": Action(
        title="Change times and wishes",
        says="Times are on the caregiver's own clock. Today's messages move too, unless the new time is over.",
        button="Save",
        do=_preferences, form=forms.PreferencesForm, fits=_is(*_THERE), otherwise=LEFT,
        filled=_wishes,
    ),
    "pause": Action(
        title="Pause messages",
        says="The daily messages wait; nothing is made up for afterwards. Comments that people write still go.",
        button="Pause messages",
        do=_pause, form=forms.PauseForm, fits=_is(Messaging.ACTIVE, Messaging.PAUSED),
        otherwise="This caregiver gets no messages, so there is nothing to pause.",
    ),
    "resume": Action(
        title="End the pause",
        says="Messages go on with the next slot. What was missed does not come.",
        button="End the pause",
        do=_resume, fits=_is(Messaging.PAUSED), otherwise="This caregiver has no pause to end.",
    ),
    "stop": Action(
        title="Stop messages",
        says=(
            "Because they asked for it. Nothing more goes to this caregiver, comments included, nor to anybody "
            "who shares the phone. They can start again themselves with START."
        ),
        button="Stop messages",
        do=_stop, fits=_is(Messaging.ACTIVE, Messaging.PAUSED), otherwise="This caregiver gets no messages.",
        calm=True,
    ),
    "start": Action(
        title="Start messages again",
        says=(
            "Only when the caregiver has asked for it. If they sent STOP to our number, the phone company "
            "holds messages back until they send START themselves."
        ),
        button="Start messages",
        do=_start, form=forms.StartForm, fits=_is(Messaging.STOPPED, Messaging.NO_CONSENT),
        otherwise="This caregiver gets messages already, or has left the family.",
    ),
    "number": Action(
        title="Change the number",
        says="The old number gets nothing more, and stays in the history.",
        button="Change the number",
        do=_number, form=forms.NumberForm, fits=_is(*_THERE), otherwise=LEFT,
    ),
    "wrong-number": Action(
        title="Wrong number",
        says=(
            "If this number belongs to somebody else, it is closed at once and gets nothing more. A task then "
            "asks for the right one."
        ),
        button="Close the number",
        do=_wrong_number, fits=_has_a_number, otherwise="This caregiver has no number that could be closed.",
        calm=True,
    ),
    "leave": Action(
        title="Take out of the family",
        says="Nothing more goes to this caregiver, and their number is closed. The others go on as before.",
        button="Take out of the family",
        do=_leave, fits=_is(*_THERE), otherwise=LEFT, calm=True,
    ),
}  # fmt: skip
