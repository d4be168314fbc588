"""The ``babymind`` command. An entry point: it reads what was typed, calls a step, and says what came of it."""

import contextlib
import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import structlog
from cryptography.fernet import Fernet
from sqlalchemy import Engine

from babymind import demo as demonstration
from babymind.app import create_app
from babymind.bootstrap import build, set_up_logging
from babymind.cli_doctor import doctor_command
from babymind.cli_families import arm_command, families_group
from babymind.cli_parts import Day, at_option, installation, json_option, show
from babymind.cli_simulate import simulate_command
from babymind.clock import clock_at, utc_now
from babymind.config import Settings
from babymind.domain.age import parse_gestation
from babymind.errors import BabyMindError, InvalidInputError
from babymind.library.commands import content_group
from babymind.services import accounts, calendar, content, deliver, enrol, export, ledger, measures, plan
from babymind.store import schema
from babymind.store.base import make_engine, make_sessions
from babymind.web.auth import hash_password
from babymind.web.server import serve_forever
from babymind.worker import Worker

log = structlog.get_logger()


class SectionedGroup(click.Group):
    """Lists its commands under headings."""

    SECTIONS = (
        ("Try it", ("demo", "simulate")),
        ("Run it", ("serve", "worker", "db", "keys", "staff", "doctor")),
        ("Content", ("content",)),
        ("Families", ("study", "enrol", "families", "calendar")),
        ("The path, by hand", ("plan", "deliver", "ledger")),
        ("Research", ("export",)),
    )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list."""
        for title, names in self.SECTIONS:
            with formatter.section(title):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(70)) for name in names if name in self.commands]
                )


@click.group(cls=SectionedGroup)
@click.version_option(package_name="babymind")
def cli() -> None:
    """BabyMind: a daily fact and a daily prompt about a baby's mind, and people who read every answer."""


cli.add_command(content_group)
cli.add_command(simulate_command)
cli.add_command(families_group)
cli.add_command(doctor_command)


@cli.command("demo")
@click.option("--port", default=8000, show_default=True, help="The pages' port; the phone simulator takes the next.")
@click.option("--fresh", is_flag=True, help="Forget the last demo and start over.")
@click.option(
    "--faults",
    default="none",
    show_default=True,
    metavar="NAME",
    help="What goes wrong at the simulated provider, such as accept-drop or throttle; 'everything' for all.",
)
def demo_command(port: int, fresh: bool, faults: str) -> None:
    """Start everything with sample families and a simulated phone; nothing to set up.

    Example: babymind demo --port 8000 --faults accept-drop
    """
    demonstration.run(port=port, fresh=fresh, faults=faults)


@cli.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8000, show_default=True)
def serve_command(host: str, port: int) -> None:
    """Run pages, webhooks, clock and engine in one process.

    Example: babymind serve --port 8000
    """
    settings = Settings.read()
    set_up_logging(settings.log_format)
    ctx = build(settings)
    worker = Worker(ctx)
    worker.start()
    try:
        serve_forever(create_app(ctx, settings), host=host, port=port)
    finally:
        end(worker)


def end(worker: Worker) -> None:
    """Stop a worker; a call that the provider does not answer does not keep the process from ending."""
    if not worker.stop():
        log.warning("something is still under way; it is reconciled by whoever runs next")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


@cli.command("worker")
def worker_command() -> None:
    """Run clock and engine alone; any number of these is harmless.

    Example: babymind worker
    """
    with installation() as ctx:
        worker, done = Worker(ctx), threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: done.set())
        port = Settings.read().metrics_port
        if port is not None:
            measures.serve(port)
        worker.start()
        done.wait()
        end(worker)


@contextlib.contextmanager
def _database() -> Iterator[Engine]:
    """Open the database of the settings, whatever revision it is at."""
    database = make_engine(Settings.read().database_url)
    try:
        yield database
    finally:
        database.dispose()


@cli.group("db")
def db_group() -> None:
    """The database: bring it up to date, check it."""


@db_group.command("upgrade")
def db_upgrade_command() -> None:
    """Bring the database to the revision of this version.

    Example: babymind db upgrade
    """
    with _database() as database:
        schema.upgrade(database)
        plan.make_months(make_sessions(database))  # before the first worker is there to do it
        click.echo(f"The database is at revision {schema.current(database)}.")


@db_group.command("check")
def db_check_command() -> None:
    """Say whether the database is what this version needs.

    Example: babymind db check
    """
    with _database() as database:
        at = schema.current(database)
        right = at == schema.head()
        differs = right and schema.differences(database)
    if not right:
        raise InvalidInputError(f"The database is at {schema.to_do_about(at)}")
    if differs:
        raise InvalidInputError("The tables differ from those of this version; restore them, or ask for help.")
    click.echo(f"The database is at revision {at} and its tables are as they should be.")


@cli.command("keys")
def keys_command() -> None:
    """Make the two secrets of a new installation.

    Example: babymind keys >> .env
    """
    click.echo(f"BABYMIND_SECRET_KEY={secrets.token_urlsafe(48)}")
    click.echo(f"BABYMIND_DATA_KEYS={Fernet.generate_key().decode()}")


@cli.group("staff")
def staff_group() -> None:
    """Accounts of the app team."""


@staff_group.command("add")
@click.argument("email")
@click.option("--role", "roles", multiple=True, required=True, help="reviewer, lead, editor, researcher or admin.")
@click.option("--name", help="As colleagues and comments show it.")
@click.option("--study", help="Only in this study.")
@click.password_option(help="At least 12 characters; asked for if not given.")
def staff_add_command(email: str, roles: tuple[str, ...], name: str | None, study: str | None, password: str) -> None:
    """Add an account.

    Example: babymind staff add ada@example.org --role reviewer
    """
    with installation() as ctx:
        accounts.add_staff(ctx, email, password, roles=roles, name=name, study=study, hash_password=hash_password)
    click.echo(f"{email} can sign in.")


@content_group.command("load")
@json_option
def content_load_command(as_json: bool) -> None:
    """Load the bank into the database: changed texts become new versions.

    Example: babymind content load
    """
    with installation() as ctx:
        loaded = content.load(ctx)
    document = {"new": loaded.new, "changed": loaded.changed, "withdrawn": loaded.withdrawn,
                "unchanged": loaded.unchanged}  # fmt: skip
    show(document, ", ".join(f"{count} {name}" for name, count in document.items()), as_json=as_json)


@cli.group("study")
def study_group() -> None:
    """Studies."""


study_group.add_command(arm_command)


@study_group.command("add")
@click.argument("slug")
@click.option("--name", help="As pages show it.")
def study_add_command(slug: str, name: str | None) -> None:
    """Add a study with one arm that gets facts and prompts daily.

    Example: babymind study add pilot --name "The pilot"
    """
    with installation() as ctx:
        enrol.add_study(ctx, slug, name)
    click.echo(f"The study {slug} is there.")


@cli.command("enrol")
@click.option("--study", required=True)
@click.option("--phone", "phones", multiple=True, required=True, help="E.164; once for each caregiver.")
@click.option("--caregiver", "names", multiple=True, required=True, help="First name; once for each caregiver.")
@click.option("--role", "roles", multiple=True, help="mother, father, partner…; once for each caregiver.")
@click.option("--baby", "babies", multiple=True, help="Name of a baby; twice for twins; leave out for none.")
@click.option("--birth-date", type=Day())
@click.option("--due-date", type=Day())
@click.option("--gestation", help="At birth, weeks+days such as 39+4.")
@click.option("--timezone", default="Europe/London", show_default=True, help="IANA name.")
@click.option("--fact-time", default="09:00", show_default=True)
@click.option("--prompt-time", default="17:00", show_default=True)
@click.option("--research-consent", is_flag=True, help="The caregivers agreed to research use of the log.")
@json_option
def enrol_command(as_json: bool, **typed: Any) -> None:
    """Enrol a family.

    Example: babymind enrol --study demo --phone +447700900123 --caregiver Sam --baby Robin --birth-date 2026-11-01
    """
    new = _new_family(typed)
    with installation() as ctx:
        enrolled = enrol.enrol(ctx, new)
    document = {
        "study_code": enrolled.study_code,
        "caregivers": [{"id": caregiver_id, "phone": phone} for caregiver_id, phone in enrolled.caregivers],
    }
    show(document, f"Enrolled as {enrolled.study_code}; messages start with the next slot.", as_json=as_json)


def _new_family(typed: dict[str, Any]) -> enrol.NewFamily:
    names, phones, roles = typed["names"], typed["phones"], typed["roles"]
    if len(names) != len(phones) or (roles and len(roles) != len(names)):
        raise InvalidInputError("Give --caregiver and --phone (and --role, if at all) once for each caregiver.")
    caregivers = [
        enrol.NewCaregiver(
            name=name, phone=phone, role=role, zone=typed["timezone"], fact_time=typed["fact_time"],
            prompt_time=typed["prompt_time"], research_consent=typed["research_consent"],
        )
        for name, phone, role in zip(names, phones, roles or ["other"] * len(names), strict=True)
    ]  # fmt: skip
    return enrol.NewFamily(
        study=typed["study"], caregivers=caregivers, babies=typed["babies"] or ("",), due_on=typed["due_date"],
        born_on=typed["birth_date"],
        gestation_days=parse_gestation(typed["gestation"]) if typed["gestation"] else None,
    )  # fmt: skip


@cli.command("plan")
@at_option
@click.option("--dry-run", is_flag=True, help="Say what would be planned, and plan nothing.")
@json_option
def plan_command(at: datetime | None, dry_run: bool, as_json: bool) -> None:
    """Plan the local day of every zone; again is harmless.

    Example: babymind plan --at 2026-03-08T00:05:00Z
    """
    with installation() as ctx, _clock(at):
        planned = plan.plan_due(ctx, everything=True, dry_run=dry_run)
    skipped = {reason.value: count for reason, count in planned.items() if reason is not None}
    text = f"{planned[None]} planned; not sent: {sum(skipped.values())}"
    details = "".join(f"\n  {reason}: {count}" for reason, count in sorted(skipped.items()))
    show({"planned": planned[None], "skipped": skipped}, text + details, as_json=as_json)


@cli.command("deliver")
@at_option
@click.option("--once", is_flag=True, help="One batch only.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and send nothing.")
@json_option
def deliver_command(at: datetime | None, once: bool, dry_run: bool, as_json: bool) -> None:
    """Send what is due.

    Example: babymind deliver --at 2026-03-08T09:00:00Z
    """
    with installation() as ctx, _clock(at):
        outcomes = (
            deliver.preview(ctx) if dry_run else deliver.deliver_due(ctx, limit=deliver.BATCH if once else None)
        )
    document = {"tried": outcomes.total(), "outcomes": {status.value: n for status, n in outcomes.items()}}
    text = ", ".join(f"{count} {status.value}" for status, count in outcomes.items()) or "Nothing is due."
    show(document, text, as_json=as_json)


def _clock(at: datetime | None) -> contextlib.AbstractContextManager[None]:
    return clock_at(at) if at else contextlib.nullcontext()


@cli.command("calendar")
@click.argument("study_code")
@click.option("--from", "first", type=Day(), help="First local day; today, if not said.")
@click.option("--days", default=14, show_default=True, help="How many days.")
@json_option
def calendar_command(study_code: str, first: date | None, days: int, as_json: bool) -> None:
    """Say what each caregiver of a family gets and when, or why not.

    Example: babymind calendar 7KQ2M-XW9RT --from 2026-03-01 --days 14
    """
    with installation() as ctx:
        entries = calendar.of_family(ctx, study_code, first=first, days=days)
    document = [
        {
            "caregiver_id": entry.caregiver_id, "local_day": entry.local_day.isoformat(), "slot": entry.kind.value,
            "stage": entry.stage.value, "age_day": entry.age_day, "item": entry.item,
            "due_at": entry.due_at.isoformat().replace("+00:00", "Z"), "outcome": entry.outcome.value,
            "reason": entry.reason.value if entry.reason else None,
        }
        for entry in entries
    ]  # fmt: skip
    lines = [
        f"{entry.local_day}  {entry.due_at.astimezone(ZoneInfo(entry.zone)):%H:%M}  caregiver {entry.caregiver_id}  "
        f"{entry.kind.value:<6}  {entry.stage.value} {entry.age_day:>4}  "
        f"{entry.outcome.value}{f': {entry.reason.value}' if entry.reason else ''}"
        f"{'' if entry.planned else ' (foretold)'}  {entry.item or ''}".rstrip()
        for entry in entries
    ]
    show(document, "\n".join(lines) or "Nothing is due to this family in these days.", as_json=as_json)


@cli.command("ledger")
@click.option("--day", type=Day(), help="The local day; yesterday in UTC, if not said.")
@json_option
@click.pass_context
def ledger_command(click_ctx: click.Context, day: date | None, as_json: bool) -> None:
    """Compare what was due on a day with what became of it; exit 1 where they do not add up.

    Example: babymind ledger --day 2026-03-08
    """
    with installation() as ctx:
        found = ledger.of_day(ctx, day or utc_now().date() - timedelta(days=1))
    document = {
        "day": found.day.isoformat(), "ok": found.ok,
        "lines": [
            {
                "study": line.study, "zone": line.zone, "expected": line.expected, "actual": line.actual,
                "missing": line.missing, "stuck": line.stuck, "outcomes": dict(line.outcomes),
            }
            for line in found.lines
        ],
    }  # fmt: skip
    text = [f"{found.day}: {'everything adds up' if found.ok else 'IT DOES NOT ADD UP'}"]
    for line in found.lines:
        text.append(
            f"{line.study}  {line.zone}: expected {line.expected}, written {line.actual}, missing {line.missing}, "
            f"still open {line.stuck}"
        )
        text += [f"    {outcome}: {number}" for outcome, number in line.outcomes.items()]
    show(document, "\n".join(text), as_json=as_json)
    if not found.ok:
        click_ctx.exit(1)


@cli.command("export")
@click.argument("study")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new or empty folder.")
@json_option
def export_command(study: str, out: Path, as_json: bool) -> None:
    """Write the pseudonymous bundle of a study: CSV files, codebook, manifest.

    Example: babymind export demo --out var/export
    """
    with installation() as ctx:
        manifest = export.export(ctx, study, out)
    rows = ", ".join(f"{count} {name}" for name, count in manifest["rows"].items())
    show(manifest, f"{out}: {rows}", as_json=as_json)


def main() -> None:
    """Run the command; a reason that people can read instead of a traceback."""
    try:
        cli(prog_name="babymind")
    except BabyMindError as error:
        click.echo(f"babymind: {error}", err=True)
        sys.exit(1)
