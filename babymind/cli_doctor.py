"""``babymind doctor``: what is wrong with this installation, and what to do."""

from collections.abc import Iterator

import click

from babymind.bootstrap import build, set_up_logging
from babymind.cli_parts import json_option, show
from babymind.config import Settings
from babymind.errors import ConfigurationError, ContentError
from babymind.services import doctor
from babymind.services.doctor import Finding, Place


@click.command("doctor")
@json_option
@click.pass_context
def doctor_command(click_ctx: click.Context, as_json: bool) -> None:
    """Look at every part of this installation, and say what to do; exit 1 where one is not right.

    It looks at the settings, the database, the clock, the content, the keys, the store of pictures, the provider, the
    web address and the mail server. Nothing is sent to anybody.

    Example: babymind doctor
    """
    findings = []
    for one in _findings():
        findings.append(one)
        if not as_json:
            click.echo(f"{'ok    ' if one.ok else 'NOT OK'}  {one.check:<13}  {one.message}")
    if as_json:
        show([{"check": one.check, "ok": one.ok, "message": one.message} for one in findings], "", as_json=True)
    if not all(one.ok for one in findings):
        click_ctx.exit(1)


def _findings() -> Iterator[Finding]:
    try:
        settings = Settings.read()
        set_up_logging(settings.log_format)
        ctx = build(settings, need_schema=False)
    except (ConfigurationError, ContentError) as error:
        yield Finding("configuration", False, str(error))
        return
    try:
        yield from doctor.examine(
            ctx,
            Place(
                public_url=settings.public_url, smtp_url=settings.smtp_url, alert_email=settings.alert_email,
            ),
        )  # fmt: skip
    finally:
        ctx.senders.shutdown(wait=True)
        ctx.database.dispose()
