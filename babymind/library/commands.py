"""The commands of the content bank: ``babymind content …``."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from babymind.clock import utc_now
from babymind.domain.age import dates, parse_gestation
from babymind.errors import BabyMindError, ConfigurationError, InvalidInputError
from babymind.library import coverage, pack
from babymind.library import preview as phone
from babymind.library.bank import Library, gap_told, in_runs
from babymind.library.diff import diff
from babymind.library.values import counted

if TYPE_CHECKING:
    from babymind.library.check import Report


def default_root() -> Path:
    """Return the content folder beside the installed project."""
    return Path(__file__).resolve().parents[2] / "content"


class _Group(click.Group):
    """Shows what we refuse as one sentence, with exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BabyMindError as error:
            raise click.ClickException(str(error)) from error


class _Gestation(click.ParamType[int]):
    name = "weeks+days"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return parse_gestation(value)
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)


content_option = click.option(
    "--content",
    "root",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    default=default_root,
    show_default="content/ beside the project",
    help="The folder that holds facts/, prompts/ and the rest.",
)
locale_option = click.option("--locale", default="en-GB", show_default=True, help="The language of the texts.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for a program.")
calendar_day = click.DateTime(["%Y-%m-%d"])
out_file = click.Path(dir_okay=False, path_type=Path)


@click.group("content", cls=_Group)
def content_group() -> None:
    """Check, show and compare the texts that families read."""


@content_group.command("check")
@content_option
@json_option
@click.pass_context
def check_command(context: click.Context, root: Path, *, as_json: bool) -> None:
    """Check every text by every rule; exit 1 when one is broken.

    Example: babymind content check --json
    """
    try:
        from babymind.library.check import check  # its libraries are an extra; the other commands need none
    except ImportError as missing:
        told = f"'{missing.name}' is not installed; the check needs it: pip install 'babymind[content]'."
        raise ConfigurationError(told) from missing
    report = check(root, _today())
    if as_json:
        _print_json(report.document())
    else:
        _show(report)
    context.exit(1 if report.refused else 0)


@content_group.command("coverage")
@content_option
@locale_option
@json_option
@click.option("--svg", type=out_file, help="Also draw the days, slots and themes into this file.")
@click.pass_context
def coverage_command(context: click.Context, root: Path, locale: str, svg: Path | None, *, as_json: bool) -> None:
    """Show which days have a fact and a prompt; exit 1 when there is a gap.

    Example: babymind content coverage --svg coverage.svg
    """
    covered = coverage.cover(Library.load(root, _today()), locale)
    if svg is not None:
        svg.write_text(coverage.picture(covered), encoding="utf-8")
    if as_json:
        _print_json(covered.document())
    else:
        click.echo(covered.table())
        click.echo()
        for first, last in in_runs(covered.gaps):
            click.echo(f"gap: {gap_told(first, last)}")
        told = f"{counted(covered.days, 'day')}, {counted(len(covered.gaps), 'gap')}"
        click.echo(f"{told}; every day needs a fact and a prompt" if covered.gaps else told)
    context.exit(1 if covered.gaps else 0)


@content_group.command("preview")
@content_option
@locale_option
@click.option("--birth-date", type=calendar_day, help="The day of birth.")
@click.option("--due-date", type=calendar_day, help="The day of 40+0 weeks.")
@click.option("--gestation", type=_Gestation(), help="Gestation at birth, such as 31+2.")
@click.option("--from", "first", type=calendar_day, help="The first day shown; without it the birth, or 28+0 weeks.")
@click.option("--days", type=click.IntRange(1, 800), default=14, show_default=True, help="How many days to show.")
@click.option("--names", default="", help="First names, with commas between those of twins: Ada,Ben")
@click.option(
    "--babies", type=click.IntRange(1, 8), default=1, show_default=True, help="How many, if there are no names."
)
@click.option("--html", type=out_file, help="Also write a page that looks like a phone into this file.")
@json_option
def preview_command(
    root: Path,
    locale: str,
    birth_date: datetime | None,
    due_date: datetime | None,
    gestation: int | None,
    first: datetime | None,
    days: int,
    names: str,
    babies: int,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    """Show what a family would read, as on a phone.

    Example: babymind content preview --birth-date 2026-03-08 --gestation 31+2 --names Ada,Ben
    """
    if birth_date is None and due_date is None:
        raise click.UsageError("Give --birth-date or --due-date, such as --due-date 2026-03-08.")
    born_on, due_on = _day(birth_date), _day(due_date)
    known = dates(due_on=due_on, born_on=born_on, gestation_days=gestation, today=born_on or due_on or _today())
    called: list[str | None] = [name.strip() for name in names.split(",") if name.strip()]
    called = called or [None] * babies
    start = _day(first) or phone.first_day(known)
    library = Library.load(root, _today())
    bubbles = phone.preview(library, locale, known, called, first=start, days=days)
    if html is not None:
        html.write_text(pack.phone_page(bubbles, "BabyMind", locale=locale, names=called), encoding="utf-8")
    if as_json:
        _print_json([bubble.document() for bubble in bubbles])
    else:
        click.echo(phone.drawn(bubbles) or "Nothing is due on these days.")


@content_group.command("diff")
@click.argument("revision")
@content_option
@json_option
def diff_command(revision: str, root: Path, *, as_json: bool) -> None:
    """Show the texts added, changed and withdrawn since a git revision.

    Example: babymind content diff HEAD~1
    """
    changes = diff(root, revision)
    if as_json:
        _print_json([change.document() for change in changes])
        return
    for change in changes:
        click.echo(str(change))
    click.echo(f"{counted(len(changes), 'text')} {'differs' if len(changes) == 1 else 'differ'} from {revision}")


@content_group.command("review-pack")
@content_option
@locale_option
@click.option("--out", type=out_file, required=True, help="The HTML file to write.")
def review_pack_command(root: Path, locale: str, out: Path) -> None:
    """Write every text with its sources beside it, to print and tick.

    Example: babymind content review-pack --out review.html
    """
    out.write_text(pack.review_pack(Library.load(root, _today()), locale), encoding="utf-8")
    click.echo(f"Written to {out}; open it in a browser and print it.")


def _show(report: "Report") -> None:
    for finding in report.findings:
        click.echo(str(finding))
    for kind, counts in report.counts.items():
        click.echo(f"{kind}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))


def _today() -> date:
    return utc_now().date()


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()


def _print_json(document: object) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    content_group(prog_name="babymind content")
