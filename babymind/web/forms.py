"""The forms that staff fill in. They ask; whether an answer can be is for the services to say."""

from collections.abc import Sequence
from zoneinfo import available_timezones

from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, ValidationError
from wtforms.widgets import TelInput, TimeInput

from babymind.domain.age import parse_gestation
from babymind.services.enrol import LONGEST_NAME, NewCaregiver, NewFamily
from babymind.services.families import ROLES, StudyView

MOST_BABIES = 3
ZONES = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
NO_DAY = "Give the day as year-month-day, such as 2026-03-08."


class PlainDateField(DateField):  # type: ignore[misc]  # the library ships no types
    """A day, or a sentence that says how to write one."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed."""
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValidationError(NO_DAY) from None


class BabiesFields(FlaskForm):  # type: ignore[misc]  # the library ships no types
    """Up to three babies of one pregnancy."""

    babies = SelectField(
        "How many babies", choices=[SelectChoice(n, str(n)) for n in range(1, MOST_BABIES + 1)], coerce=int
    )
    baby_1 = StringField("First baby", [Length(max=LONGEST_NAME)])
    baby_2 = StringField("Second baby", [Length(max=LONGEST_NAME)])
    baby_3 = StringField("Third baby", [Length(max=LONGEST_NAME)])

    def names(self) -> list[str]:
        """Return a name for each baby, empty for none; a name typed is a baby, whatever the number says."""
        names = [(name or "").strip() for name in (self.baby_1.data, self.baby_2.data, self.baby_3.data)]
        named = max((position for position, name in enumerate(names, 1) if name), default=1)
        return names[: max(named, self.babies.data)]


class CaregiverFields(FlaskForm):  # type: ignore[misc]  # the library ships no types
    """A caregiver, and what they agree to."""

    name = StringField("Name", [DataRequired("Give the caregiver's name."), Length(max=LONGEST_NAME)])
    role = SelectField(
        "Who they are to the baby", choices=[SelectChoice(role, role.replace("_", " ")) for role in ROLES]
    )
    phone = StringField("Mobile number", [DataRequired("Give a mobile number."), Length(max=40)], widget=TelInput())
    shares_phone = BooleanField("This is the phone of another caregiver of the family, who gets the messages")
    zone = StringField("Time zone", [DataRequired("Give a time zone."), Length(max=64)], default="Europe/London")
    fact_time = StringField("Time of the fact", [DataRequired("Give a time.")], widget=TimeInput(), default="09:00")
    prompt_time = StringField(
        "Time of the prompt", [DataRequired("Give a time.")], widget=TimeInput(), default="17:00"
    )
    messaging_consent = BooleanField(
        "The caregiver has read this, or heard it read, and agrees",
        [DataRequired("Without this agreement nothing may be sent, so the caregiver cannot be enrolled.")],
    )
    research_consent = BooleanField("The caregiver agrees to this as well (it is their choice)")

    def caregiver(self) -> NewCaregiver:
        """Return the caregiver that was typed."""
        return NewCaregiver(
            name=self.name.data,
            phone=self.phone.data,
            role=self.role.data,
            zone=self.zone.data.strip(),
            fact_time=self.fact_time.data,
            prompt_time=self.prompt_time.data,
            research_consent=self.research_consent.data,
            shares_phone=self.shares_phone is not None and self.shares_phone.data,
        )


class EnrolForm(BabiesFields, CaregiverFields):
    """A family with one caregiver and up to three babies."""

    shares_phone = None  # there is nobody yet to share it with
    study = SelectField("Study", [InputRequired("Choose a study.")])
    due_on = PlainDateField("Due date", [Optional()])
    born_on = PlainDateField("Birth date", [Optional()])
    gestation_weeks = IntegerField("Weeks", [Optional(), NumberRange(0, 99, "Give whole weeks.")])
    gestation_days = IntegerField("Days", [Optional(), NumberRange(0, 6, "Give 0 to 6 days.")])

    def offer(self, studies: Sequence[StudyView]) -> None:
        """Offer the studies that there are."""
        self.study.choices = [SelectChoice(study.slug, study.name) for study in studies]

    def family(self) -> NewFamily:
        """Return what was typed.

        Raises:
            InvalidInputError: The gestation is none.
        """
        return NewFamily(
            study=self.study.data,
            caregivers=[self.caregiver()],
            babies=self.names(),
            due_on=self.due_on.data,
            born_on=self.born_on.data,
            gestation_days=self._gestation(),
        )

    def _gestation(self) -> int | None:
        weeks, days = self.gestation_weeks.data, self.gestation_days.data
        if weeks is None and not days:
            return None
        return parse_gestation(f"{'' if weeks is None else weeks}+{days or 0}")
