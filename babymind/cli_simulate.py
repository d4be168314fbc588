"""``babymind simulate``: a virtual year, and whether every promise held in it."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import click
import structlog

from babymind.bootstrap import set_up_logging
from babymind.clock import utc_now
from babymind.library.bank import Library
from babymind.library.commands import default_root
from babymind.simulation import report
from babymind.simulation.invariants import check_all
from babymind.simulation.phones import FaultName
from babymind.simulation.run import simulate

ALL = "all"


@click.command("simulate")
@click.option("--families", type=click.IntRange(1, 20_000), default=100, show_default=True)
@click.option("--days", type=click.IntRange(1, 1000), default=60, show_default=True)
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same year.")
@click.option("--faults", "names", multiple=True, type=click.Choice([*(one.value for one in FaultName), ALL]),
              help="What goes wrong; may be given several times.")  # fmt: skip
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="Write the days as an SVG file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for a program.")
@click.pass_context
def simulate_command(click_ctx: click.Context, families: int, days: int, seed: int, names: tuple[str, ...],
                     picture: Path | None, as_json: bool) -> None:  # fmt: skip
    """Let families live through virtual days, and check every promise; exit 1 if one broke.

    It works in a database of its own, which is gone afterwards, and texts nobody.

    Example: babymind simulate --families 300 --days 400 --seed 7 --faults all
    """
    set_up_logging("console")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # it makes errors on purpose
    faults = list(FaultName) if ALL in names else [FaultName(name) for name in names]
    folder = Path(tempfile.mkdtemp(prefix="babymind-simulation-"))
    try:
        with click.progressbar(length=days, label="Days", file=sys.stderr) as bar:
            world = simulate(
                Library.load(default_root(), utc_now().date()), families=families, days=days, seed=seed,
                faults=faults, folder=folder, progress=lambda _day: bar.update(1),
            )  # fmt: skip
        invariants = check_all(world)
        if picture:
            picture.write_text(report.picture(world), encoding="utf-8")
        click.echo(json.dumps(report.document(world, invariants)) if as_json else report.table(world, invariants))
        world.ctx.database.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if any(one.violations for one in invariants):
        click_ctx.exit(1)
