"""What is to be sent and said in a run, and so what each phone ought to have got in the end."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from PIL import Image
from sqlalchemy import bindparam, update

from babymind.domain.age import Stage
from babymind.domain.delivery import Kind
from babymind.domain.wording import render
from babymind.library.values import ContentKind
from babymind.services.context import Context
from babymind.store import deliveries
from babymind.store.families import Address, Caregiver
from babymind.store.studies import Arm
from bench.parts import add_families

LOCALE, BABY = "en-GB", "Robin"
AGES = 360  # as many as `add_families` makes
FAMILIES, MESSAGES = 20, 26  # of these many families, each gets a prompt, some a comment, and one the same one twice
COMMENT_HOURS = 6

Text = tuple[str, str]  # to which phone, and what it says


@dataclass(frozen=True, slots=True)
class Said:
    """What a caregiver answers."""

    phone: str
    text: str
    pictures: int


@dataclass(slots=True)
class Load:
    """What ought to come of a run; it may grow while the run goes on."""

    phones: dict[int, str]  # of each caregiver
    expected: Counter[Text]
    replies: list[Said]
    comments: int = 0

    def comment(self, ctx: Context, texts: Sequence[tuple[int, str]], now: datetime) -> None:
        """Write comments to some caregivers, to be sent now."""
        first = self.comments + 1
        self.comments += len(texts)
        self.expected.update((self.phones[n], text) for n, text in texts)
        with ctx.sessions.begin() as session:
            deliveries.add_many(session, [
                deliveries.new_delivery(
                    n, Kind.COMMENT, f"comment:{number}", local_day=now.date(), due_at=now,
                    window_ends_at=now + timedelta(hours=COMMENT_HOURS), text_sealed=ctx.vault.seal(text),
                )
                for number, (n, text) in enumerate(texts, first)
            ])  # fmt: skip

    def grow(self, ctx: Context, now: datetime) -> None:
        """Add a comment, and an answer with a picture."""
        n = self.comments % len(self.phones) + 1
        self.comment(ctx, [(n, f"And one more thing, the {self.comments}th.")], now)
        self.replies.append(Said(self.phones[n], f"One more look, the {len(self.replies)}th.", 1))


def add(ctx: Context, messages: int, now: datetime) -> Load:
    """Add families where it is noon, with a prompt each that is due, and comments that were written just now."""
    count = -(-messages * FAMILIES // MESSAGES)
    add_families(ctx, count, now, zone=noon_zone(now))
    load = Load({n: f"+1{200 + n // 100}55501{n % 100:02d}" for n in range(1, count + 1)}, Counter(), [])
    for n, phone in load.phones.items():
        item = ctx.library.item_on(LOCALE, ContentKind.PROMPT, Stage.INFANT, n % AGES)
        assert item is not None
        load.expected[phone, render(item.text, [BABY])] += 1
        if n % 5 == 0:
            pictures = (n % 25 == 0) + (n % 10 == 0)
            load.replies.append(Said(phone, f"She looked at the lamp, then at me. {n}", pictures))
    _reach(ctx, load.phones)
    texts = [(n, f"Lovely! Thank you, from all of us; we read about {n} today.") for n in load.phones if n % 4 == 0]
    load.comment(ctx, [one for one in texts for _ in range(2 if one[0] % FAMILIES == 0 else 1)], now)
    return load


def noon_zone(now: datetime) -> str:
    """Return a zone in which it is between 12 and 1, whatever the hour: nothing is held back for the night."""
    east = 12 - now.hour
    return f"Etc/GMT{-east:+d}" if east else "Etc/GMT"  # named by how far west they are


def picture(number: int) -> bytes:
    """Return a small picture."""
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (number % 256, 120, 160)).save(out, "JPEG")
    return out.getvalue()


def _reach(ctx: Context, phones: dict[int, str]) -> None:
    """Give each caregiver a number of their own, and one slot a day: of two that are late only the newer goes."""
    addresses = Address.__table__
    with ctx.sessions.begin() as session:
        session.execute(update(Arm).values(gets_facts=False))
        session.execute(update(Caregiver).values(fact_time=time(9), prompt_time=time(10)))
        session.connection().execute(
            update(addresses)  # type: ignore[arg-type]  # a mapped class's table is a Table
            .where(addresses.c.caregiver_id == bindparam("whose"))
            .values(value_sealed=bindparam("sealed"), look_up=bindparam("hash")),
            [{"whose": n, "sealed": ctx.vault.seal(phone), "hash": ctx.vault.look_up(phone)}
             for n, phone in phones.items()],
        )  # fmt: skip
