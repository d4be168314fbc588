"""Load the bank: what stands under content/ becomes items, versions and the calendar that planning joins."""

from babymind.clock import utc_now
from babymind.library.bank import Library
from babymind.services.context import Context
from babymind.store import content, plan
from babymind.store.content import CalendarDay, Loaded, Wording

PROGRAMME = "standard"


def load(ctx: Context) -> Loaded:
    """Bring the database in line with the library: changed texts become new versions, missing ones are withdrawn.

    What is planned and has not left yet follows the new calendar.
    """
    with ctx.sessions.begin() as session:
        loaded = content.load(session, _wordings(ctx.library), utc_now())
        content.replace_calendar(
            session,
            PROGRAMME,
            [
                CalendarDay(locale=locale, kind=kind.value, stage=stage, age_day=age_day, key=key)
                for locale, kind, stage, age_day, key in ctx.library.calendar()
            ],
        )
        plan.repoint(session, PROGRAMME)
    return loaded


def _wordings(library: Library) -> list[Wording]:
    items = [
        Wording(
            key=item.key, locale=item.locale, kind=item.kind.value, text=item.text,
            details={
                "stage": item.stage.value, "day": item.day, "age": item.age_basis.value, "themes": list(item.themes),
                "sources": list(item.sources), "evidence": item.evidence, "reviewer": item.reviewer,
                "review_by": item.review_by.isoformat(),
            },
        )
        for item in library.items
        if not item.withdrawn
    ]  # fmt: skip
    messages = [
        Wording(key=message.key, locale=message.locale, kind=message.kind.value, text=message.text,
                details={"reviewer": message.reviewer, "review_by": message.review_by.isoformat()})
        for message in library.messages
    ]  # fmt: skip
    return items + messages
