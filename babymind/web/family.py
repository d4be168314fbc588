"""The page of a family, and the pages on which a person does something for it: one view over a table of actions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from babymind.domain.age import Stage
from babymind.domain.delivery import Hold, Messaging
from babymind.errors import BabyMindError, ConflictError
from babymind.services import families
from babymind.services.families import CaregiverView, FamilyView, PregnancyView, StudyView
from babymind.web import family_calendar, history
from babymind.web.access import TEAM, may, open_to
from babymind.web.current import context, staff_id
from babymind.web.errors import status_of
from babymind.web.family_actions import CAREGIVER_ACTIONS, FAMILY_ACTIONS, Action, Asked
from babymind.web.family_forms import Given, JoinForm, baby_called
from babymind.web.forms import ZONES
from babymind.web.keys import TOKEN
from babymind.web.show import CLOSED, HOLDS, LOSSES, day

changes = Blueprint("changes", __name__, url_prefix="/families/<study_code>")  # behind the door of the staff pages
View = Callable[..., ResponseReturnValue]


@open_to(TEAM)
def page(study_code: str) -> ResponseReturnValue:
    """Show a family: how it stands, what it was and will be sent, what was done, and what one can do."""
    found, studies = _family(study_code), families.list_studies(context())
    return render_template(
        "family.html",
        family=found,
        standing=list(standing(found)),
        silent=not found.enrolled or all(one.lost or one.hold for one in found.pregnancies),
        links=_links(found, None, studies),
        caregiver_links={one.id: _links(found, one, studies) for one in found.caregivers},
        weeks=family_calendar.weeks(context(), found),
        deliveries=families.last_deliveries(context(), study_code),
        events=families.history(context(), study_code),
        told=history.told,
        said=history.said,
    )


def _family(study_code: str) -> FamilyView:
    if not TOKEN.fullmatch(study_code):
        abort(404)
    return families.family(context(), study_code, viewer_id=staff_id())


# Doing something


def _carry_out(action: Action, study_code: str, caregiver_id: int | None) -> ResponseReturnValue:
    """Show the form of an action; carry it out, or show it again with what is wrong."""
    found = _family(study_code)
    caregiver = next((one for one in found.caregivers if one.id == caregiver_id), None)
    if caregiver_id is not None and caregiver is None:
        abort(404)  # a caregiver of another family is none here
    given = _given(action, found, caregiver, families.list_studies(context()))
    form = action.form(data=action.filled(given))
    form.offer(given)
    fits = action.fits(given)
    error: BabyMindError | None = None
    if request.method == "POST" and not fits:
        error = ConflictError(action.otherwise)
    elif form.validate_on_submit():
        asked = Asked(ctx=context(), given=given, form=form, actor=f"staff:{staff_id()}")
        try:
            done = action.do(asked)
        except BabyMindError as refused:
            error = refused
        else:
            flash(done, "calm" if action.calm else "good")
            return redirect(url_for("admin.family", study_code=study_code), 303)
    shown = render_template(
        "action.html",
        action=action,
        form=form,
        error=error,
        fits=fits,
        family=found,
        caregiver=caregiver,
        zones=ZONES,
        consents=_consents(given) if action.form is JoinForm else {},
    )
    return shown, (status_of(error) if error else 422 if form.errors else 200)


def _given(action: Action, found: FamilyView, caregiver: CaregiverView | None, studies: Sequence[StudyView]) -> Given:
    return Given(
        family=found,
        caregiver=caregiver,
        pregnancies=[one for one in found.pregnancies if action.about(one)],
        studies=studies,
        locales=sorted(context().library.locales),
    )


def _consents(given: Given) -> Mapping[str, str]:
    """Return what whoever joins agrees to, by the box that says so."""
    own = given.family.enrolment
    for study in given.studies:
        if own and study.slug == own.study_slug:
            return {"messaging_consent": study.consent_messaging, "research_consent": study.consent_research}
    return {}


def _view(action: Action) -> View:
    @open_to(action.roles)
    def view(study_code: str, caregiver_id: int | None = None) -> ResponseReturnValue:
        return _carry_out(action, study_code, caregiver_id)

    return view


def _endpoint(name: str, caregiver: bool) -> str:
    return ("caregiver_" if caregiver else "family_") + name.replace("/", "_").replace("-", "_")


for _name, _action in FAMILY_ACTIONS.items():
    changes.add_url_rule(f"/{_name}", _endpoint(_name, False), _view(_action), methods=["GET", "POST"])
for _name, _action in CAREGIVER_ACTIONS.items():
    changes.add_url_rule(
        f"/caregivers/<key:caregiver_id>/{_name}", _endpoint(_name, True), _view(_action), methods=["GET", "POST"]
    )


def _links(found: FamilyView, caregiver: CaregiverView | None, studies: Sequence[StudyView]) -> list[tuple[str, str]]:
    """Return the pages of what can be done now by whoever is signed in, each with its title."""
    whose: dict[str, Any] = {"caregiver_id": caregiver.id} if caregiver else {}
    return [
        (url_for(f"admin.changes.{_endpoint(name, bool(caregiver))}", study_code=found.study_code, **whose),
         action.title)
        for name, action in (CAREGIVER_ACTIONS if caregiver else FAMILY_ACTIONS).items()
        if may(action.roles) and action.fits(_given(action, found, caregiver, studies))
    ]  # fmt: skip


# How it stands


@dataclass(frozen=True, slots=True)
class Standing:
    """Something about a family that whoever opens its page must see first."""

    kind: str  # loss, hold, pause, stop, wrong: for the look; the word below says the same
    word: str
    about: str | None
    says: str


def standing(found: FamilyView) -> Iterator[Standing]:
    """Return all that keeps messages from a family, the gravest first."""
    for pregnancy in found.pregnancies:
        yield from _losses(pregnancy)
    for pregnancy in found.pregnancies:
        yield from _holds(pregnancy, known=any(infant.lost for one in found.pregnancies for infant in one.infants))
    for caregiver in found.caregivers:
        yield from _messaging(caregiver)
        yield from _number(caregiver)
    yield from _enrolment(found)


def _losses(pregnancy: PregnancyView) -> Iterator[Standing]:
    for infant in pregnancy.infants:
        if infant.loss_reason:
            told = LOSSES[infant.loss_reason]
            yield Standing("loss", "Loss", baby_called(infant, pregnancy),
                           f"{told[0].upper()}{told[1:]}. Nothing goes out about this baby.")  # fmt: skip


def _holds(pregnancy: PregnancyView, *, known: bool) -> Iterator[Standing]:
    if pregnancy.lost:
        return
    if pregnancy.hold is Hold.AFTER_LOSS and not known:
        yield Standing(
            "loss", "A loss was told", pregnancy.babies,
            "A caregiver wrote of a loss, and we do not know yet of whom they speak. Nothing goes out until one "
            "of us has asked.",
        )  # fmt: skip
    elif pregnancy.hold is Hold.AFTER_LOSS:
        there = [baby_called(infant, pregnancy) for infant in pregnancy.infants if not infant.lost]
        yield Standing(
            "hold", "On hold", " and ".join(there),
            "After the loss nothing more goes out until one of us has spoken with the family.",
        )  # fmt: skip
    elif pregnancy.hold:
        yield Standing(
            "hold", "On hold", pregnancy.babies,
            f"Nothing goes out, for {HOLDS[pregnancy.hold]}, until one of us ends the hold. Comments that had not "
            "left were taken back; whoever writes one now is told of the hold first.",
        )  # fmt: skip
    elif pregnancy.stage is Stage.HELD:
        yield Standing(
            "hold", "Waits", pregnancy.babies,
            "The due date is long past and nobody told us of a birth. Nothing goes out until one of us has asked.",
        )  # fmt: skip


def _messaging(one: CaregiverView) -> Iterator[Standing]:
    match one.messaging:
        case Messaging.PAUSED:
            until = day(one.paused_until) if one.paused_until else "they say so"
            yield Standing("pause", "Paused", one.name, f"Daily messages wait until {until}.")
        case Messaging.STOPPED:
            yield Standing(
                "stop", "Stopped", one.name, "They want no more messages, and get none, comments included."
            )
        case Messaging.NO_CONSENT:
            yield Standing("stop", "No consent", one.name, "They have not agreed to messages, and get none.")
        case Messaging.LEFT:
            yield Standing("stop", "Left", one.name, "They no longer belong to the family, and get nothing.")


def _number(one: CaregiverView) -> Iterator[Standing]:
    if one.number or one.messaging is Messaging.LEFT:
        return
    last = one.numbers[0] if one.numbers else None
    why = f"The number {last.phone} is closed: {CLOSED[last.closed_why]}." if last and last.closed_why else ""
    word = "Wrong number" if last and last.closed_why == "wrong_number" else "No number"
    yield Standing("wrong", word, one.name, f"{why} Ask the family for the right one.".strip())


def _enrolment(found: FamilyView) -> Iterator[Standing]:
    own = found.enrolment
    if own is None:
        yield Standing("stop", "In no study", None, "Nothing goes out.")
    elif own.to_day:
        erased = " They want what they gave erased." if own.erase else ""
        yield Standing(
            "stop", "Ended", None, f"Their part in the study ended on {day(own.to_day)}. Nothing goes out.{erased}"
        )
    elif own.from_day > found.today:
        yield Standing("pause", "Moves", None, f"From {day(own.from_day)} on the family is in the arm {own.arm}.")
