"""The commands of the content bank: ``babymind content …``."""

import json
from pathlib import Path

import click

from babymind.clock import utc_now
from babymind.library.check import Report
from babymind.library.check import check as check_bank


def default_root() -> Path:
    """Return the content folder beside the installed project."""
    return Path(__file__).resolve().parents[2] / "content"


content_option = click.option(
    "--content",
    "root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=default_root,
    show_default="content/ beside the project",
    help="The folder that holds facts/, prompts/ and the rest.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for a program.")


@click.group("content")
def content_group() -> None:
    """The texts that families read: check, show and compare them."""


@content_group.command("check")
@content_option
@json_option
@click.pass_context
def check_command(context: click.Context, root: Path, *, as_json: bool) -> None:
    """Check every text by every rule; exit 1 when one is broken.

    Example: babymind content check --json
    """
    report = check_bank(root.resolve(), utc_now().date())
    if as_json:
        click.echo(json.dumps(report.document(), ensure_ascii=False, indent=2))
    else:
        _show(report)
    context.exit(1 if report.refused else 0)


def _show(report: Report) -> None:
    for finding in report.findings:
        click.echo(str(finding))
    for kind, counts in report.counts.items():
        click.echo(f"{kind}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))


if __name__ == "__main__":
    content_group(prog_name="babymind content")
