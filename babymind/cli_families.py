"""``babymind families …``: importing, listing, and what happens in a family's life, by hand."""

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import click

from babymind.cli_parts import Day, installation, json_option, show
from babymind.domain.age import parse_gestation
from babymind.domain.delivery import Hold
from babymind.errors import InvalidInputError
from babymind.services import caregivers, enrolments, families, importing, life
from babymind.services.enrol import NewCaregiver
from babymind.store.families import LossReason, Role
from babymind.store.studies import FREQUENCIES, DataChoice

ACTOR = "command"
Command = Callable[..., None]


@click.group("families")
def families_group() -> None:
    """Families: import, list, and what happens in their lives."""


@families_group.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Say what would be imported, and import nothing.")
@click.option("--study", help="For rows that name none.")
@click.option("--country", help="Two letters such as GB, to read numbers that do not begin with +.")
@click.option("--all-or-nothing", is_flag=True, help="Import nothing if any row is refused.")
@json_option
@click.pass_context
def import_command(click_ctx: click.Context, file: Path, dry_run: bool, study: str | None, country: str | None,
                   all_or_nothing: bool, as_json: bool) -> None:  # fmt: skip
    """Import a spreadsheet of caregivers, one a row; each row that cannot be taken is explained.

    Exit 0 when something was imported, or everything could be; 1 when nothing was.

    Example: babymind families import pilot.csv --dry-run
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInputError(f"{file} is not in UTF-8; save it as 'CSV UTF-8'.") from None
    with installation() as ctx:
        rows = max(text.count("\n"), 1)
        with click.progressbar(length=rows, label="Checking", file=sys.stderr) as bar:
            sheet = importing.read(ctx, text, study=study, country=country, progress=_to(bar))
        refused = bool(sheet.refusals)
        stop = all_or_nothing and refused
        if not (dry_run or stop):
            with click.progressbar(length=len(sheet.families) or 1, label="Importing", file=sys.stderr) as bar:
                importing.load(ctx, sheet, actor=ACTOR, progress=_to(bar))
    done = 0 if dry_run or stop else sheet.caregivers
    document = {
        "imported": done,
        "refused": [
            {"line": one.line, "column": one.column, "value": one.value, "message": one.message}
            for one in sheet.refusals
        ],
    }
    lines = [f"line {one.line}, {one.column} '{one.value}': {one.message}" for one in sheet.refusals]
    would = f"{sheet.caregivers} caregivers of {len(sheet.families)} families"
    said = (
        "could be imported"
        if dry_run
        else "can be imported; none was, for others are refused"
        if stop
        else "imported"
    )
    show(document, "\n".join([*lines, f"{would} {said}; {len(lines)} refusals."]), as_json=as_json)
    if refused and (stop or not sheet.families):
        click_ctx.exit(1)


def _to(bar: Any) -> Callable[[int], None]:
    def told(done: int) -> None:
        bar.update(done - bar.pos)

    return told


@families_group.command("template")
def template_command() -> None:
    """Print a spreadsheet to start from, with numbers that are reserved for fiction.

    Example: babymind families template > families.csv
    """
    click.echo(importing.TEMPLATE, nl=False)


@families_group.command("list")
@click.option("--study", help="Only of this study.")
@json_option
def list_command(study: str | None, as_json: bool) -> None:
    """List the newest families: codes and ages, no name and no number.

    Example: babymind families list --study pilot
    """
    with installation() as ctx:
        found = [one for one in families.list_families(ctx) if study in (None, one.study_slug)]
    document = [
        {
            "study_code": one.study_code, "study": one.study_slug, "caregivers": len(one.caregivers),
            "pregnancies": [{"stage": p.stage.value, "age": p.age} for p in one.pregnancies],
        }
        for one in found
    ]  # fmt: skip
    lines = [
        f"{one.study_code}  {one.study_slug}  {len(one.caregivers)} caregivers  "
        f"{'; '.join(pregnancy.age for pregnancy in one.pregnancies)}"
        for one in found
    ]
    show(document, "\n".join(lines) or "There is no family.", as_json=as_json)


pregnancy_option = click.option("--pregnancy", "pregnancy_id", type=int, help="Which one, where there are several.")
caregiver_option = click.option("--caregiver", "caregiver_id", type=int, required=True, help="The caregiver's id.")
because_option = click.option("--because", required=True, help="Why, in a few words without names.")
code_argument = click.argument("study_code")


def _weeks(text: str | None) -> int | None:
    return parse_gestation(text) if text else None


@families_group.command("birth")
@code_argument
@click.option("--date", "born_on", type=Day(), required=True, help="The day of birth.")
@click.option("--gestation", help="At birth, weeks+days such as 31+2.")
@pregnancy_option
def birth_command(study_code: str, born_on: date, gestation: str | None, pregnancy_id: int | None) -> None:
    """Record a birth: the messages follow the baby's age from today.

    Example: babymind families birth 7KQ2M-XW9RT --date 2026-03-08 --gestation 39+4
    """
    with installation() as ctx:
        said = life.tell_birth(ctx, study_code, born_on=born_on, gestation_days=_weeks(gestation),
                               pregnancy_id=pregnancy_id, actor=ACTOR)  # fmt: skip
    click.echo(f"The birth is recorded: {said}.")


@families_group.command("dates")
@code_argument
@click.option("--due-date", type=Day())
@click.option("--birth-date", type=Day())
@click.option("--gestation", help="At birth, weeks+days such as 31+2.")
@pregnancy_option
def dates_command(study_code: str, due_date: date | None, birth_date: date | None, gestation: str | None,
                  pregnancy_id: int | None) -> None:  # fmt: skip
    """Correct the due date, the birth date or the gestation; nothing that was sent is sent again.

    Example: babymind families dates 7KQ2M-XW9RT --due-date 2026-04-02
    """
    with installation() as ctx:
        said = life.correct_dates(
            ctx, study_code, due_on=due_date, born_on=birth_date, gestation_days=_weeks(gestation),
            pregnancy_id=pregnancy_id, actor=ACTOR,
        )  # fmt: skip
    click.echo(f"The dates are corrected: {said}.")


@families_group.command("pregnancy")
@code_argument
@click.option("--due-date", type=Day())
@click.option("--birth-date", type=Day())
@click.option("--gestation", help="At birth, weeks+days such as 31+2.")
@click.option("--baby", "babies", multiple=True, help="Name of a baby; twice for twins; leave out for none.")
def pregnancy_command(study_code: str, due_date: date | None, birth_date: date | None, gestation: str | None,
                      babies: tuple[str, ...]) -> None:  # fmt: skip
    """Add another pregnancy or child to a family; siblings then take turns.

    Example: babymind families pregnancy 7KQ2M-XW9RT --due-date 2026-09-01
    """
    with installation() as ctx:
        added = life.add_pregnancy(ctx, study_code, babies=babies or ("",), due_on=due_date, born_on=birth_date,
                                   gestation_days=_weeks(gestation), actor=ACTOR)  # fmt: skip
    click.echo(f"Pregnancy {added} is added.")


@families_group.command("loss")
@code_argument
@click.option(
    "--reason",
    type=click.Choice([one.value for one in LossReason]),
    default=LossReason.NOT_SAID.value,
    show_default=True,
)
@click.option("--baby", "babies", type=int, multiple=True, help="Which of several, by number; all, if not said.")
@pregnancy_option
def loss_command(study_code: str, reason: str, babies: tuple[int, ...], pregnancy_id: int | None) -> None:
    """Record a loss: every message to everybody of the family stops at once.

    Example: babymind families loss 7KQ2M-XW9RT --reason stillbirth
    """
    with installation() as ctx:
        life.tell_loss(ctx, study_code, reason=LossReason(reason), babies=babies, pregnancy_id=pregnancy_id,
                       actor=ACTOR)  # fmt: skip
    click.echo("It is recorded. Nothing more is sent to this family.")


@families_group.command("undo-loss")
@code_argument
@because_option
@click.option("--spoken-with-parent", is_flag=True, help="You have spoken with the parent.")
@click.option("--confirm", help="The family's study code, once more.")
@pregnancy_option
def undo_loss_command(study_code: str, because: str, spoken_with_parent: bool, confirm: str | None,
                      pregnancy_id: int | None) -> None:  # fmt: skip
    """Undo a loss that was told wrongly; both confirmations are needed.

    Example: babymind families undo-loss 7KQ2M-XW9RT --because "a mistake" --spoken-with-parent --confirm 7KQ2M-XW9RT
    """
    with installation() as ctx:
        life.undo_loss(ctx, study_code, because=because, confirmations=spoken_with_parent + (confirm == study_code),
                       pregnancy_id=pregnancy_id, actor=ACTOR)  # fmt: skip
    click.echo("The loss is undone; messages go on with the next slot.")


@families_group.command("loss-reason")
@code_argument
@click.option("--reason", type=click.Choice([one.value for one in LossReason]), required=True)
@click.option(
    "--baby", "babies", type=int, multiple=True, help="Which of several, by number; all who died, if not said."
)
@pregnancy_option
def loss_reason_command(study_code: str, reason: str, babies: tuple[int, ...], pregnancy_id: int | None) -> None:
    """Correct what is on record of how a loss came; nothing is sent.

    Example: babymind families loss-reason 7KQ2M-XW9RT --reason stillbirth
    """
    with installation() as ctx:
        life.correct_loss_reason(ctx, study_code, reason=LossReason(reason), babies=babies, pregnancy_id=pregnancy_id,
                                 actor=ACTOR)  # fmt: skip
    click.echo("What happened is corrected.")


@families_group.command("hold")
@code_argument
@click.option("--why", type=click.Choice([one.value for one in life.CHOSEN_HOLDS]), required=True)
@pregnancy_option
def hold_command(study_code: str, why: str, pregnancy_id: int | None) -> None:
    """Hold everything about a pregnancy until a person releases it.

    Example: babymind families hold 7KQ2M-XW9RT --why ill
    """
    with installation() as ctx:
        taken_back = life.hold(ctx, study_code, why=Hold(why), pregnancy_id=pregnancy_id, actor=ACTOR)
    click.echo(f"Everything about it is held. Comments taken back: {taken_back}.")


@families_group.command("release")
@code_argument
@because_option
@pregnancy_option
def release_command(study_code: str, because: str, pregnancy_id: int | None) -> None:
    """Let messages about a pregnancy go on.

    Example: babymind families release 7KQ2M-XW9RT --because "spoken with the mother"
    """
    with installation() as ctx:
        life.release(ctx, study_code, because=because, pregnancy_id=pregnancy_id, actor=ACTOR)
    click.echo("Messages go on with the next slot.")


@families_group.command("stop")
@code_argument
@caregiver_option
def stop_command(study_code: str, caregiver_id: int) -> None:
    """Stop a caregiver's messages.

    Example: babymind families stop 7KQ2M-XW9RT --caregiver 12
    """
    with installation() as ctx:
        families.require_member(ctx, study_code, caregiver_id)
        caregivers.stop_by_staff(ctx, caregiver_id, actor=ACTOR)
    click.echo("Messages to this caregiver have stopped.")


@families_group.command("start")
@code_argument
@caregiver_option
@because_option
def start_command(study_code: str, caregiver_id: int, because: str) -> None:
    """Begin again, with the caregiver's word to a person.

    Example: babymind families start 7KQ2M-XW9RT --caregiver 12 --because "asked by telephone"
    """
    with installation() as ctx:
        families.require_member(ctx, study_code, caregiver_id)
        caregivers.start_by_staff(ctx, caregiver_id, because=because, actor=ACTOR)
    click.echo("Messages go on with the next slot.")


@families_group.command("pause")
@code_argument
@caregiver_option
@click.option("--days", type=int, help="For how many days; until it is ended, if not said.")
def pause_command(study_code: str, caregiver_id: int, days: int | None) -> None:
    """Pause a caregiver's daily messages.

    Example: babymind families pause 7KQ2M-XW9RT --caregiver 12 --days 7
    """
    with installation() as ctx:
        families.require_member(ctx, study_code, caregiver_id)
        until = caregivers.pause_by_staff(ctx, caregiver_id, days=days, actor=ACTOR)
    click.echo(f"Paused until {until}." if until else "Paused until it is ended.")


@families_group.command("resume")
@code_argument
@caregiver_option
def resume_command(study_code: str, caregiver_id: int) -> None:
    """End a pause.

    Example: babymind families resume 7KQ2M-XW9RT --caregiver 12
    """
    with installation() as ctx:
        families.require_member(ctx, study_code, caregiver_id)
        caregivers.resume_by_staff(ctx, caregiver_id, actor=ACTOR)
    click.echo("Messages go on with the next slot.")


@families_group.command("times")
@code_argument
@caregiver_option
@click.option("--fact-time")
@click.option("--prompt-time")
@click.option("--timezone", "zone", help="IANA name.")
@click.option("--locale", help="Language of the messages, such as en-GB.")
@click.option("--facts/--no-facts", "wants_facts", default=None)
@click.option("--prompts/--no-prompts", "wants_prompts", default=None)
def times_command(study_code: str, caregiver_id: int, **given: Any) -> None:
    """Change a caregiver's times, zone, language and slots; what is not given stays.

    Example: babymind families times 7KQ2M-XW9RT --caregiver 12 --fact-time 08:30 --no-prompts
    """
    if all(value is None for value in given.values()):
        raise InvalidInputError("Give what is to change, such as --fact-time 08:30.")
    with installation() as ctx:
        families.require_member(ctx, study_code, caregiver_id)
        caregivers.set_preferences(ctx, caregiver_id, **given, actor=ACTOR)
    click.echo("It is changed.")


@families_group.command("number")
@code_argument
@caregiver_option
@click.argument("phone")
def number_command(study_code: str, caregiver_id: int, phone: str) -> None:
    """Give a caregiver another number; the old one stays in the history.

    Example: babymind families number 7KQ2M-XW9RT --caregiver 12 +447700900123
    """
    with installation() as ctx:
        families.require_member(ctx, study_code, caregiver_id)
        caregivers.change_number(ctx, caregiver_id, phone, actor=ACTOR)
    click.echo("The number is changed.")


@families_group.command("wrong-number")
@code_argument
@caregiver_option
def wrong_number_command(study_code: str, caregiver_id: int) -> None:
    """Close a number that is somebody else's; a task asks for the right one.

    Example: babymind families wrong-number 7KQ2M-XW9RT --caregiver 12
    """
    with installation() as ctx:
        families.require_member(ctx, study_code, caregiver_id)
        caregivers.wrong_number_by_staff(ctx, caregiver_id, actor=ACTOR)
    click.echo("Nothing more goes to that number.")


@families_group.command("leave")
@code_argument
@caregiver_option
def leave_command(study_code: str, caregiver_id: int) -> None:
    """A caregiver has left the family; the others' messages go on.

    Example: babymind families leave 7KQ2M-XW9RT --caregiver 12
    """
    with installation() as ctx:
        families.require_member(ctx, study_code, caregiver_id)
        caregivers.leave(ctx, caregiver_id, actor=ACTOR)
    click.echo("This caregiver gets nothing more.")


@families_group.command("add-caregiver")
@code_argument
@click.option("--phone", required=True, help="E.164.")
@click.option("--caregiver", "name", required=True, help="First name.")
@click.option("--role", type=click.Choice([one.value for one in Role]), default=Role.OTHER.value, show_default=True)
@click.option("--timezone", "zone", default="Europe/London", show_default=True)
@click.option("--fact-time", default="09:00", show_default=True)
@click.option("--prompt-time", default="17:00", show_default=True)
@click.option("--locale", help="Language of the messages; the study's, if not said.")
@click.option("--research-consent", is_flag=True, help="The caregiver agreed to research use of the log.")
@click.option("--shares-phone", is_flag=True, help="It is another caregiver's phone; that one gets the messages.")
@json_option
def add_caregiver_command(study_code: str, as_json: bool, **given: Any) -> None:
    """Add a caregiver to a family; messages start with the next slot.

    Example: babymind families add-caregiver 7KQ2M-XW9RT --phone +447700900124 --caregiver Jo --role father
    """
    with installation() as ctx:
        added = caregivers.add_caregiver(ctx, study_code, NewCaregiver(**given), actor=ACTOR)
    show({"caregiver_id": added}, f"Caregiver {added} is added; messages start with the next slot.", as_json=as_json)


@families_group.command("withdraw")
@code_argument
@click.option(
    "--data", type=click.Choice([one.value for one in DataChoice]), required=True, help="What they want done with it."
)
def withdraw_command(study_code: str, data: str) -> None:
    """End a family's part in its study.

    Example: babymind families withdraw 7KQ2M-XW9RT --data keep
    """
    with installation() as ctx:
        enrolments.withdraw(ctx, study_code, data=DataChoice(data), actor=ACTOR)
    click.echo(f"The family has withdrawn; what it gave is to be {'erased' if data == 'erase' else 'kept'}.")


@families_group.command("move")
@code_argument
@click.option("--study", required=True)
@click.option("--arm", help="The first arm of the study, if not said.")
def move_command(study_code: str, study: str, arm: str | None) -> None:
    """Move a family to another study or arm, from tomorrow on.

    Example: babymind families move 7KQ2M-XW9RT --study pilot --arm control
    """
    with installation() as ctx:
        enrolments.move(ctx, study_code, study=study, arm=arm, actor=ACTOR)
    click.echo("The family moves with tomorrow's first slot.")


@click.command("arm")
@click.argument("study")
@click.argument("arm")
@click.option("--name", help="As pages show it.")
@click.option("--frequency", type=click.Choice([*FREQUENCIES]), default="daily", show_default=True)
@click.option("--facts/--no-facts", default=True, show_default=True)
@click.option("--prompts/--no-prompts", default=True, show_default=True)
def arm_command(study: str, arm: str, name: str | None, frequency: str, facts: bool, prompts: bool) -> None:
    """Add an arm to a study, or change what it gets from the next day on.

    Example: babymind study arm pilot control --no-facts --no-prompts
    """
    with installation() as ctx:
        enrolments.set_arm(ctx, study, arm, name=name, frequency=frequency, facts=facts, prompts=prompts, actor=ACTOR)
    click.echo(f"The arm {arm} of {study} is set.")
