"""``python -m bench.soak``: run the cases, print what was kept and broken, and write ``var/soak.json``."""

import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from bench.soak.cases import CASES, Case
from bench.soak.oracle import Finding
from bench.soak.run import LOGS, Report, soak

RESULTS = Path("var/soak.json")
LINE_SECONDS = 10.0  # between two lines of progress where there is no terminal


class Progress:
    """One line that is written over, or on no terminal a line now and then."""

    def __init__(self, name: str) -> None:
        self._name, self._began, self._said_at = name, time.monotonic(), 0.0

    def __call__(self, where: str) -> None:
        """Say where a run stands."""
        line = f"{self._name}, {time.monotonic() - self._began:.0f} s: {where}"
        if sys.stderr.isatty():
            click.echo(f"\r\033[K{line[:150]}", nl=False, err=True)
        elif time.monotonic() - self._said_at >= LINE_SECONDS:
            self._said_at = time.monotonic()
            click.echo(line, err=True)

    def end(self) -> None:
        """Clear the line."""
        if sys.stderr.isatty():
            click.echo("\r\033[K", nl=False, err=True)


@click.command()
@click.option(
    "--case",
    "names",
    multiple=True,
    type=click.Choice(list(CASES)),
    metavar="NAME",
    help="Only this one; may be given several times.",
)
@click.option("--messages", type=click.IntRange(20), help="How many messages, instead of each case's own number.")
@click.option("--kills", type=click.IntRange(0), help="How many processes are killed, instead of each case's own.")
@click.option("--seed", default=1, show_default=True, help="Who is killed, and where.")
@click.option("--list", "only_list", is_flag=True, help="Say which cases there are.")  # fmt: skip
def main(names: Sequence[str], messages: int | None, kills: int | None, seed: int, *, only_list: bool) -> None:
    """Kill processes and let the provider fail, and compare what each phone got with what it ought to have got.

    Example: python -m bench.soak --case kill-sqlite-inline --messages 300 --kills 10
    """
    if only_list:
        for case in CASES.values():
            click.echo(f"{case.name:34} {case.messages:>6} messages {case.kills:>4} kills")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever was started is ended, too
    broken = False
    for name in names or CASES:
        case = CASES[name]
        if messages is not None:
            case = replace(case, messages=messages)
        if kills is not None:
            case = replace(case, kills=kills)
        report = _run(case, seed)
        _show(case, report)
        _write(case.name, report.findings)
        broken = broken or not report.kept
    sys.exit(int(broken))


def _run(case: Case, seed: int) -> Report:
    progress = Progress(case.name)
    try:
        return soak(case, progress, seed=seed)
    finally:
        progress.end()


def _show(case: Case, report: Report) -> None:
    dead = ", ".join(f"{count} {where}" for where, count in sorted(report.deaths.items()))
    click.echo(f"\n{case.name}: {case.messages} messages, {report.deaths.total()} killed, {report.seconds:.0f} s")
    if dead:
        click.echo(f"  killed: {dead}")
    if report.errors:
        click.echo(f"  errors logged: {sum(report.errors.values())}")
    for one in report.findings:
        click.echo(f"  {one.name:52} {one.checked:>7} checked {one.violations:>5} broken")
        if one.violations:
            for example in one.examples:
                click.echo(f"      {example}")
    if not report.kept:
        click.echo(f"  what the processes logged is in {LOGS / case.name}")


def _write(name: str, findings: Sequence[Finding]) -> None:
    """Put the findings of a case in the place of its earlier ones."""
    RESULTS.parent.mkdir(exist_ok=True)
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    rows = [row for row in known if not row["name"].startswith(f"{name}: ")]
    rows += [
        {"name": f"{name}: {one.name}", "checked": one.checked, "violations": one.violations} for one in findings
    ]
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
