"""Loading the bank: what was sent keeps its version, what has not left yet follows the new one."""

from dataclasses import replace
from datetime import date

from freezegun import freeze_time

from babymind.channels.memory import MemoryChannel
from babymind.domain.age import Stage
from babymind.library.bank import Library, placed
from babymind.library.values import ContentKind, Item
from babymind.services import content, deliver, plan
from babymind.services.context import Context
from babymind.store.content import ContentItem, ContentVersion
from tests.factories import daily, enrol_family, rows


def with_items(library: Library, change: dict[str, Item]) -> Library:
    """The bank with some items in place of those with their keys."""
    items = tuple(change.get(item.key, item) for item in library.items)
    return replace(library, items=items, _places=placed(items))


def item_of(library: Library, kind: ContentKind, day: int) -> Item:
    found = library.item_on("en-GB", kind, Stage.INFANT, day)
    assert found is not None
    return found


@freeze_time("2026-03-08T00:30Z")
def test_a_text_withdrawn_before_it_left_is_replaced_by_its_stand_in(ctx: Context, channel: MemoryChannel) -> None:
    enrol_family(ctx, born_on=date(2026, 2, 1))  # day 35
    gone = item_of(ctx.library, ContentKind.FACT, 35)
    spare = replace(item_of(ctx.library, ContentKind.FACT, 200), key="fact-infant-spare", day=36, fits=(0, 365),
                    spare=True, text="A spare text about {baby}.")  # fmt: skip
    items = (*(replace(one, withdrawn=True) if one is gone else one for one in ctx.library.items), spare)
    object.__setattr__(ctx, "library", replace(ctx.library, items=items, _places=placed(items)))

    loaded = content.load(ctx)
    with freeze_time("2026-03-08T09:00Z"):
        deliver.deliver_due(ctx)

    assert loaded.withdrawn == 1
    assert channel.sent[-1].text == "A spare text about Robin."
    keys = {row.id: row.key for row in rows(ctx, ContentItem)}
    assert keys[next(row.item_id or 0 for row in daily(ctx) if row.kind.value == "fact")] == "fact-infant-spare"


@freeze_time("2026-03-08T00:30Z")
def test_what_was_sent_keeps_its_version_and_what_was_not_gets_the_new_text(
    ctx: Context, channel: MemoryChannel
) -> None:
    enrol_family(ctx, born_on=date(2026, 2, 1))
    with freeze_time("2026-03-08T09:00Z"):
        deliver.deliver_due(ctx)
    fact, prompt = (item_of(ctx.library, kind, 35) for kind in (ContentKind.FACT, ContentKind.PROMPT))
    change = {one.key: replace(one, text=f"New words for {{baby}}: {kind}?") for one, kind in
              ((fact, "fact"), (prompt, "prompt"))}  # fmt: skip
    object.__setattr__(ctx, "library", with_items(ctx.library, change))

    content.load(ctx)
    with freeze_time("2026-03-08T17:00Z"):
        deliver.deliver_due(ctx)

    numbers = {row.id: row.number for row in rows(ctx, ContentVersion)}
    assert {row.kind.value: numbers[row.version_id or 0] for row in daily(ctx)} == {"fact": 1, "prompt": 2}
    assert channel.sent[-1].text == "New words for Robin: prompt?"


@freeze_time("2026-03-08T00:30Z")
def test_loading_the_same_bank_again_changes_nothing(ctx: Context) -> None:
    enrol_family(ctx)
    before = [(row.id, row.item_id) for row in daily(ctx)]

    loaded = content.load(ctx)

    assert (loaded.new, loaded.changed, loaded.withdrawn) == (0, 0, 0)
    assert [(row.id, row.item_id) for row in daily(ctx)] == before
    assert plan.plan_due(ctx, everything=True) == {}
