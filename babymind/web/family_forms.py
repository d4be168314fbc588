"""The forms of family life, one for each thing that a person does; whether it can be is for the services to say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    Field,
    Form,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget, TelInput, TimeInput

from babymind.domain.age import parse_gestation
from babymind.services.families import LOSS_REASONS, CaregiverView, FamilyView, InfantView, PregnancyView, StudyView
from babymind.services.life import CHOSEN_HOLDS
from babymind.web.forms import BabiesFields, CaregiverFields, PlainDateField
from babymind.web.show import HOLDS, LOSSES, day

LONGEST_WHY = 150
NO_CHOICE = "Choose one of these."


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a form is about, and what it may offer."""

    family: FamilyView
    caregiver: CaregiverView | None
    pregnancies: Sequence[PregnancyView]  # those that the action can be about
    studies: Sequence[StudyView]
    locales: Sequence[str]


def plain(_form: Form, field: Field) -> None:
    """Refuse what no keyboard types: it would spoil the record."""
    if field.data and not field.data.replace("\r\n", " ").replace("\n", " ").isprintable():
        raise ValidationError("There are characters in this that cannot be kept; type it anew.")


class FamilyForm(FlaskForm):  # type: ignore[misc]  # the library ships no types
    """A form that asks nothing but whether to do it."""

    def offer(self, given: Given) -> None:
        """Offer what there is to choose from."""


class PregnancyForm(FamilyForm):
    """About one pregnancy; where there is only one, it is chosen already."""

    pregnancy = SelectField("Which baby", coerce=int)

    def offer(self, given: Given) -> None:
        """Offer the pregnancies that it can be about."""
        self.pregnancy.choices = [SelectChoice(one.id, labelled(one)) for one in given.pregnancies]


def labelled(pregnancy: PregnancyView) -> str:
    """Return a pregnancy as a list of choices shows it: its babies and its dates."""
    if pregnancy.lost:
        return pregnancy.babies
    if pregnancy.born_on:
        return f"{pregnancy.babies}, born {day(pregnancy.born_on)} at {pregnancy.gestation} weeks"
    return f"{pregnancy.babies}, due {day(pregnancy.due_on)}"


def baby_called(infant: InfantView, pregnancy: PregnancyView) -> str:
    """Return a baby as a list of choices shows it."""
    if infant.name:
        return infant.name
    return f"the baby without a name, number {infant.position}" if len(pregnancy.infants) > 1 else pregnancy.babies


class GestationField(StringField):  # type: ignore[misc]  # the library ships no types
    """Weeks and days of pregnancy at birth."""

    def __init__(self, label: str, hint: str = "Leave it empty if nobody knows.", **more: Any) -> None:
        super().__init__(label, [Length(max=10)], description=f"Weeks and days, such as 39+4. {hint}", **more)

    def days(self) -> int | None:
        """Return the days, None where nothing was typed.

        Raises:
            InvalidInputError: It is no gestation.
        """
        return parse_gestation(self.data) if (self.data or "").strip() else None


class BirthForm(PregnancyForm):
    """A birth."""

    born_on = PlainDateField("Birth date", [InputRequired("Give the day of the birth.")])
    gestation = GestationField("Weeks of pregnancy at birth")


class DatesForm(PregnancyForm):
    """Dates that were wrong."""

    due_on = PlainDateField("Due date", [Optional()])
    born_on = PlainDateField("Birth date", [Optional()], description="Only once born.")
    gestation = GestationField("Weeks of pregnancy at birth", "Only once born.")


class AddPregnancyForm(BabiesFields, FamilyForm):
    """Another pregnancy or child."""

    due_on = PlainDateField("Due date", [Optional()], description="Needed before the birth.")
    born_on = PlainDateField("Birth date", [Optional()], description="Only once born.")
    gestation = GestationField("Weeks of pregnancy at birth")


class LossForm(FamilyForm):
    """A loss: which baby, and what they said of it."""

    lost = False  # whether it is about babies whose loss is on record
    babies = SelectMultipleField(
        "Which baby", option_widget=CheckboxInput(), widget=ListWidget(), description="Mark each who died."
    )
    reason = RadioField(
        "What happened, if they told us",
        [InputRequired(NO_CHOICE)],
        choices=[SelectChoice(reason, LOSSES[reason]) for reason in LOSS_REASONS],
        default="not_said",
        description="Only what they said themselves; nobody needs to ask.",
    )

    def offer(self, given: Given) -> None:
        """Offer the babies who are expected or living, or those whose loss is on record."""
        self.babies.choices = [
            SelectChoice(f"{one.id}-{infant.position}", baby_called(infant, one))
            for one in given.pregnancies
            for infant in one.infants
            if infant.lost is self.lost
        ]

    def validate_babies(self, field: Field) -> None:
        """Ask for a baby, and for those of one pregnancy only."""
        if not field.data:
            raise ValidationError("Mark which baby it is about.")
        if len({one.partition("-")[0] for one in field.data}) > 1:
            raise ValidationError("Record this for one pregnancy at a time; everything stops with the first already.")

    def of(self) -> tuple[int, list[int]]:
        """Return the pregnancy, and the positions of the babies."""
        pairs = [one.split("-") for one in self.babies.data]
        return int(pairs[0][0]), sorted(int(position) for _, position in pairs)


class LossReasonForm(LossForm):
    """What happened, corrected."""

    lost = True


class UndoLossForm(PregnancyForm):
    """A loss that was told wrongly."""

    because = StringField(
        "Why it is undone",
        [DataRequired("Say in a few words, without names, why the loss is undone."), Length(max=LONGEST_WHY), plain],
        description="In a few words, without names. It stays in the history.",
    )
    spoken = BooleanField("I have spoken with the parent")
    code = StringField(
        "The family's study code", [Length(max=64)], description="Type it as it stands at the top of this page."
    )

    def confirmations(self, study_code: str) -> int:
        """Return how many of the two confirmations were given."""
        return bool(self.spoken.data) + ((self.code.data or "").strip().upper() == study_code)


class HoldForm(PregnancyForm):
    """Why messages about a baby have to wait."""

    why = RadioField(
        "Why", [InputRequired(NO_CHOICE)], choices=[SelectChoice(one.value, HOLDS[one]) for one in CHOSEN_HOLDS]
    )


class ReleaseForm(PregnancyForm):
    """Why messages go on."""

    because = StringField(
        "Why messages go on",
        [DataRequired("Say in a few words, without names, why messages go on."), Length(max=LONGEST_WHY), plain],
        description="In a few words, without names. It stays in the history.",
    )


class JoinForm(CaregiverFields, FamilyForm):
    """Another caregiver of the family."""


class MoveForm(FamilyForm):
    """Another study, or another arm."""

    arm = SelectField("Study and arm", [InputRequired(NO_CHOICE)])

    def offer(self, given: Given) -> None:
        """Offer every arm but the family's own."""
        self.arm.choices = other_arms(given)


def other_arms(given: Given) -> list[SelectChoice]:
    """Return the studies and arms that a family could move to."""
    own = given.family.enrolment
    return [
        SelectChoice(f"{study.slug} {arm.slug}", f"{study.name}: {arm.name}")
        for study in given.studies
        for arm in study.arms
        if own is None or (study.slug, arm.slug) != (own.study_slug, own.arm_slug)
    ]


class WithdrawForm(FamilyForm):
    """What is to become of what the family gave."""

    gave = RadioField(
        "What they gave us so far",
        [InputRequired("Ask the family, and choose one of these.")],
        choices=[
            SelectChoice("keep", "may be kept for the study"),
            SelectChoice("erase", "is to be erased"),
        ],
    )


class StartForm(FamilyForm):
    """How somebody asked for messages again."""

    because = StringField(
        "How they asked for it",
        [
            DataRequired("Say how the caregiver asked for messages again, such as: by telephone on Monday."),
            Length(max=LONGEST_WHY),
            plain,
        ],
        description="Such as: by telephone on Monday.",
    )


class PauseForm(FamilyForm):
    """For how long."""

    days = IntegerField(
        "For how many days", [Optional()], description="Leave it empty to pause until they say so themselves."
    )


class PreferencesForm(FamilyForm):
    """When, where, in which language, and what of it."""

    fact_time = StringField("Time of the fact", [DataRequired("Give a time.")], widget=TimeInput())
    prompt_time = StringField("Time of the prompt", [DataRequired("Give a time.")], widget=TimeInput())
    zone = StringField(
        "Time zone", [DataRequired("Give a time zone."), Length(max=64)], description="Where they live."
    )
    locale = SelectField("Language", [InputRequired(NO_CHOICE)])
    wants_facts = BooleanField("Wants the fact of the day")
    wants_prompts = BooleanField("Wants the prompt of the day")

    def offer(self, given: Given) -> None:
        """Offer the languages that there are texts in."""
        self.locale.choices = [SelectChoice(locale, locale) for locale in given.locales]

    def changed(self, one: CaregiverView) -> dict[str, Any]:
        """Return what differs from how it is, as the service takes it."""
        typed = {name: value.strip() if isinstance(value, str) else value for name, value in self.data.items()}
        return {name: typed[name] for name, value in wishes(one).items() if typed[name] != value}


def wishes(one: CaregiverView) -> dict[str, object]:
    """Return a caregiver's times, zone, language and slots, as a form shows them."""
    return {
        "fact_time": f"{one.fact_time:%H:%M}",
        "prompt_time": f"{one.prompt_time:%H:%M}",
        "zone": one.zone,
        "locale": one.locale,
        "wants_facts": one.wants_facts,
        "wants_prompts": one.wants_prompts,
    }


class NumberForm(FamilyForm):
    """Another number."""

    phone = StringField(
        "New mobile number",
        [DataRequired("Give a mobile number."), Length(max=40)],
        widget=TelInput(),
        description="With + and the country, such as +447700900123.",
    )
