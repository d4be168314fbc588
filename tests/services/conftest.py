"""What tests of the services share: phones that remember, and a clock that they move."""

from collections.abc import Iterator
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import Engine, event

from babymind.services import accounts
from babymind.services.context import Context
from tests.services.living import Living, Phones


@pytest.fixture
def channel() -> Phones:
    """Phones that remember when each message came."""
    return Phones()


def never_wait_for_the_disk(database: Engine) -> None:
    """Weeks are lived through here in a second: a power cut is no part of it."""
    off = "PRAGMA synchronous=OFF" if database.dialect.name == "sqlite" else "SET synchronous_commit TO off"

    @event.listens_for(database, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.execute(off)
        connection.commit()


@pytest.fixture
def living(ctx: Context, channel: Phones) -> Iterator[Living]:
    """An installation on the morning of Monday 2 March 2026, in UTC; the test moves its clock."""
    never_wait_for_the_disk(ctx.database)
    with freeze_time("2026-03-02T07:00Z", ignore=["_pytest."]) as frozen:
        yield Living(ctx, channel, frozen)


@pytest.fixture
def reviewer(ctx: Context) -> int:
    """A person of the app team."""
    return accounts.add_staff(
        ctx,
        "ada@example.org",
        "correct horse battery",
        roles=["reviewer"],
        hash_password=lambda text: f"hash:{text[:1]}",
    )
