"""Our own messages (welcome, answers, …), rendered from the library with everything filled in."""

from collections.abc import Sequence
from datetime import date

from babymind.domain.wording import render
from babymind.services.context import Context

SERVICE = "BabyMind"
READING_HOURS = "Mon-Fri 9-5"  # when somebody reads; told truthfully in the welcome and the help text


def message_text(ctx: Context, key: str, locale: str, *, today: date, babies: Sequence[str | None] = (),
                 **values: str) -> str:  # fmt: skip
    """Return one of our messages as it is sent.

    Args:
        ctx: The installation.
        key: Which message, as in ``content/messages/``.
        locale: In which language.
        today: The day by which its signposts must be fresh.
        babies: The names of the babies it speaks of, None for one without a name.
        values: What its other placeholders stand for.
    """
    message = ctx.library.message(key, locale)
    given = {"service": SERVICE, "reading_hours": READING_HOURS, **values}
    if message.signposts:
        given["signposts"] = ctx.library.signposts_of(message, today)
    return render(message.text, babies, **given)
