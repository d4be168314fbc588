"""The machine gives out: a busy, read-only or full database, a full disk, no file handles. Nothing is lost."""

import contextlib
import io
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from freezegun import freeze_time
from PIL import Image
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from babymind.app import create_app
from babymind.channels.memory import MemoryChannel
from babymind.channels.twilio import TwilioAccount, TwilioChannel
from babymind.errors import NoRoomError, NotFoundError
from babymind.services import deliver, health, plan, receipts, receive, room, triage
from babymind.services.context import Context
from babymind.store.deliveries import Delivery, Receipt
from babymind.store.replies import Inbound, Media, MediaStatus, Reply
from tests.factories import SAM, enrol_family, rows, utc
from tests.web.conftest import ACCOUNT, AUTH_TOKEN, OURS, PUBLIC_URL, browser, message, settings_for, signed

ROOT = Path(__file__).parents[1]
MESSAGES = "/webhooks/twilio/messages"


def sid(number: int) -> str:
    return f"SM{number:032}"


@pytest.fixture
def app(ctx: Context) -> Flask:
    """The application over either database, with the real check of signatures."""
    account = TwilioAccount(account_sid=ACCOUNT, auth_token=AUTH_TOKEN, public_url=PUBLIC_URL, from_numbers=(OURS,))
    return create_app(replace(ctx, channel=TwilioChannel(account)), settings_for())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return browser(app)


def posted(client: FlaskClient, number: int, delivery: Delivery) -> tuple[int, int]:
    """Post a message and a receipt, and return what each was answered."""
    told = message(sid(number)) | {"MessageStatus": "delivered"}
    return (
        client.open(**signed(MESSAGES, message(sid(number)))).status_code,
        client.open(**signed(f"/webhooks/twilio/status/{delivery.id}", told)).status_code,
    )


@pytest.mark.fault(58)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # which has one writer at a time
def test_a_webhook_waits_for_another_writer_and_then_asks_to_be_called_again(
    client: FlaskClient, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol_family(ctx)
    [delivery] = rows(ctx, Delivery, kind="welcome")
    for module in ("receive", "receipts"):
        monkeypatch.setattr(f"babymind.services.{module}.CALLER_SECONDS", 1)

    with ctx.sessions.begin() as session:
        session.execute(text("UPDATE study SET name = name"))
        began_at = time.monotonic()
        answers = posted(client, 1, delivery)
        waited = time.monotonic() - began_at

    assert answers == (503, 503)
    assert 1.9 < waited < 10  # Twilio waits for fifteen
    assert not [*rows(ctx, Inbound), *rows(ctx, Receipt)]
    assert posted(client, 1, delivery) == (200, 204)
    assert len(rows(ctx, Inbound)) == len(rows(ctx, Receipt)) == 1


@pytest.mark.fault(58)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_our_own_writers_are_patient_again_after_a_webhook_that_was_not(ctx: Context) -> None:
    receive.keep(ctx, sid(1), {"From": [SAM], "Body": ["Hello"]})

    with ctx.sessions.begin() as session:
        assert session.scalar(text("PRAGMA busy_timeout")) == 30_000


@contextlib.contextmanager
def read_only(ctx: Context) -> Iterator[None]:
    """Let the database take no write, as a replica before it is made the first one."""
    if ctx.database.dialect.name == "sqlite":

        @event.listens_for(ctx.database, "checkout")
        def connected(connection, *_):  # type: ignore[no-untyped-def]
            connection.execute("PRAGMA query_only = ON")

        yield
        event.remove(ctx.database, "checkout", connected)
        ctx.database.dispose()
        return
    _alter(ctx, "default_transaction_read_only = on")
    yield
    _alter(ctx, "default_transaction_read_only = off")


def _alter(ctx: Context, setting: str) -> None:
    with ctx.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(f"ALTER DATABASE {ctx.database.url.database} SET {setting}"))
    ctx.database.dispose()  # it counts for new connections


@contextlib.contextmanager
def full(ctx: Context) -> Iterator[None]:
    """Let the database have no room for another row."""
    if ctx.database.dialect.name == "sqlite":

        @event.listens_for(ctx.database, "checkout")
        def connected(connection, *_):  # type: ignore[no-untyped-def]
            connection.execute("PRAGMA max_page_count = 1")  # no more pages than there are

        for keep in (lambda: receive.keep(ctx, secrets.token_hex(9), {}), lambda: receipts.told(ctx, None, {})):
            with contextlib.suppress(OperationalError):  # when what was free in those is used
                while True:
                    keep()
        yield
        event.remove(ctx.database, "checkout", connected)
        ctx.database.dispose()
        return
    with ctx.sessions.begin() as session:
        session.execute(text(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
        ))  # fmt: skip
        for table in ("inbound", "receipt"):
            session.execute(text(f"CREATE TRIGGER no_room BEFORE INSERT ON {table} EXECUTE FUNCTION no_room()"))
    yield
    with ctx.sessions.begin() as session:
        session.execute(text("DROP FUNCTION no_room CASCADE"))


@pytest.mark.fault(59, 60)
@pytest.mark.parametrize("trouble", [read_only, full])
@freeze_time("2026-03-08T09:00Z")
def test_a_database_that_takes_no_write_asks_to_be_called_again_and_then_has_each_once(
    client: FlaskClient, ctx: Context, trouble: Callable[[Context], contextlib.AbstractContextManager[None]]
) -> None:
    enrol_family(ctx)
    [delivery] = rows(ctx, Delivery, kind="welcome")

    with trouble(ctx):
        before = len(rows(ctx, Inbound)), len(rows(ctx, Receipt))
        assert posted(client, 1, delivery) == (503, 503)
        assert (len(rows(ctx, Inbound)), len(rows(ctx, Receipt))) == before
        assert client.get("/healthz").status_code in (200, 503)  # and no error of ours

    assert posted(client, 1, delivery) == (200, 204)
    assert [row.provider_ref for row in rows(ctx, Inbound)].count(sid(1)) == 1


@pytest.mark.fault(59)
@freeze_time("2026-03-08T09:00Z")
def test_what_was_never_posted_again_is_found_by_listing(ctx: Context, channel: MemoryChannel) -> None:
    enrol_family(ctx)
    with read_only(ctx), pytest.raises(DBAPIError, match="read"):
        receive.keep(ctx, sid(1), {"MessageSid": [sid(1)], "From": [SAM], "Body": ["STOP"]})
    form = {"MessageSid": sid(1), "From": SAM, "Body": "STOP", "NumMedia": "0"}
    channel.inbound = [(utc("2026-03-08T08:58"), form)]

    assert receive.listen(ctx) == 1


# Room


@pytest.mark.fault(60)
def test_on_a_disk_that_is_nearly_full_pictures_wait_and_texts_go_on(
    ctx: Context, channel: MemoryChannel, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with freeze_time("2026-03-08T08:00Z"):
        enrol_family(ctx)
        picture = io.BytesIO()
        Image.new("RGB", (60, 30), "red").save(picture, "JPEG")
        channel.media["m1"] = picture.getvalue()
        form = {"MessageSid": sid(1), "From": SAM, "Body": "He smiled", "NumMedia": "1", "MediaUrl0": "m1"}
        receive.keep(ctx, sid(1), {name: [value] for name, value in form.items()})
        with monkeypatch.context() as patch, freeze_time("2026-03-08T09:00:30Z"):
            patch.setattr(room, "LEAST_FREE_BYTES", 10**15)
            plan.plan_due(ctx)
            receive.process_new(ctx)
            triage.triage_new(ctx)

            assert receive.fetch_media(ctx) == 0
            assert deliver.deliver_due(ctx).total() >= 2  # the welcome, and the fact of the day

            with pytest.raises(NoRoomError, match="Words go through"):
                room.require(ctx)
            told = client.get("/healthz")
            assert told.status_code == 503
            assert any("make room before it is full" in one for one in told.get_json()["reasons"])
            assert [ctx.vault.open(reply.text_sealed) for reply in rows(ctx, Reply)] == ["He smiled"]
            assert [(one.status, one.attempts) for one in rows(ctx, Media)] == [(MediaStatus.WAITING, 0)]

        room.require(ctx)
        assert receive.fetch_media(ctx) == 1
        assert [one.status for one in rows(ctx, Media)] == [MediaStatus.STORED]


@pytest.mark.fault(60)
@freeze_time("2026-03-08T09:00Z")
def test_the_room_on_the_disk_is_a_figure(ctx: Context) -> None:
    figures = {one.labels["holds"]: one.value for one in health.figures(ctx) if "disk" in one.name}

    assert set(figures) == ({"database", "media"} if ctx.database.dialect.name == "sqlite" else {"media"})
    assert min(figures.values()) > 0


@pytest.mark.fault(60)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # its file is on our disk
def test_a_disk_that_is_full_costs_nothing_that_was_answered_and_breaks_no_file(
    ctx: Context, database_url: str, tmp_path: Path
) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "tests.doomed", "fill_up", database_url, str(tmp_path), "600000"],
        cwd=ROOT, check=False, timeout=60, capture_output=True, text=True,
    )  # fmt: skip

    *answered, picture = done.stdout.split()
    assert done.returncode == 0, done.stderr
    assert len(answered) > 10
    assert "Error" in picture
    with ctx.readers.begin() as session:
        assert session.scalar(text("PRAGMA integrity_check")) == "ok"
    assert [row.provider_ref for row in rows(ctx, Inbound)] == answered
    with pytest.raises(NotFoundError):
        ctx.media.get("picture")
    assert receive.keep(ctx, f"SM{len(answered)}", {"From": [SAM], "Body": ["There is room again"]})


# File handles


def ask(port: int, call: dict[str, object] | None = None) -> int:
    """Call the application over a connection of its own; 0 when no answer comes."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        if call is None:
            connection.request("GET", "/readyz")
        else:
            headers = {"Content-Type": str(call["content_type"])} | dict(call["headers"])  # type: ignore[call-overload]
            connection.request("POST", str(call["path"]), str(call["data"]), headers)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


@pytest.mark.fault(61)
def test_without_file_handles_health_fails_and_nothing_that_was_answered_is_lost(
    ctx: Context, database_url: str, tmp_path: Path
) -> None:
    calls = [signed(MESSAGES, message(sid(number))) for number in range(12)]
    command = [sys.executable, "-m", "tests.doomed", "serve", database_url, str(tmp_path), "0"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        first = [ask(port, call) for call in calls[:4]]
        with contextlib.ExitStack() as idle:
            for _ in range(40):  # more than it has handles for
                idle.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            time.sleep(0.2)
            starved = [ask(port), *(ask(port, call) for call in calls[4:6])]
        until = time.monotonic() + 20
        while ask(port) != 200 and time.monotonic() < until:
            time.sleep(0.1)
        last = [ask(port, call) for call in calls]  # the provider calls again
    finally:
        process.kill()
        process.communicate()

    assert first == [200] * 4
    assert starved[0] != 200
    assert set(starved) <= {0, 500, 503}
    assert last == [200] * 12
    assert sorted(row.provider_ref for row in rows(ctx, Inbound)) == [sid(number) for number in range(12)]
