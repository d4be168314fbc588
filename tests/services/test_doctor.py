"""The doctor looks at every part, says what to do about what is wrong, and harms nothing."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from freezegun import freeze_time
from sqlalchemy import delete, text

from babymind.channels.memory import MemoryChannel
from babymind.errors import ChannelConfigurationError, ChannelUnknownError
from babymind.library.bank import Library
from babymind.media.files import ObjectMediaStore
from babymind.services import doctor, health, room
from babymind.services.context import Context
from babymind.services.doctor import Finding, Place
from babymind.store.content import ContentVersion
from babymind.store.sealing import Vault
from tests.channels.test_mail import postbox  # noqa: F401 - a fixture
from tests.factories import enrol_family

CHECKS = ["configuration", "database", "clock", "content", "keys", "storage", "provider", "webhooks", "mail"]


class Front(BaseHTTPRequestHandler):
    """As much of our web server as the doctor asks for; elsewhere something else answers."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"ready":true}' if self.path == "/readyz" else b"<h1>Welcome to nginx!</h1>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def front() -> Iterator[str]:
    """A web server on this machine; its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Front) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def place(front: str) -> Place:
    """Where everything is, as the settings would have it."""
    return Place(public_url=front)


@pytest.fixture
def whole(ctx: Context) -> Context:
    """An installation whose clock has just ticked, with a family."""
    enrol_family(ctx)
    for name in ("look", "plan"):
        health.ticked(ctx, name)
    return ctx


def wrong(ctx: Context, place: Place) -> list[Finding]:
    return [one for one in doctor.examine(ctx, place) if not one.ok]


def test_a_sound_installation_is_found_sound_in_every_part(whole: Context, place: Place, tmp_path: Path) -> None:
    found = list(doctor.examine(whole, place))

    assert [one.check for one in found] == CHECKS
    assert [one for one in found if not one.ok] == []
    assert all(one.message.endswith(".") for one in found)
    assert list((tmp_path / "media").iterdir()) == []  # what was tried there is gone


def test_a_database_of_another_version_is_told_and_what_needs_it_is_not_looked_at(
    whole: Context, place: Place
) -> None:
    with whole.sessions.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))

    found = wrong(whole, place)

    assert [one.check for one in found] == ["database", "clock", "content", "keys"]
    assert found[0].message.endswith("run: babymind db upgrade")
    assert {one.message for one in found[1:]} == {doctor.THE_DATABASE_FIRST}


def test_a_clock_that_stands_still_is_told(ctx: Context, place: Place) -> None:
    (one,) = wrong(ctx, place)

    assert one.check == "clock"
    assert "start babymind serve, or babymind worker" in one.message


def test_texts_that_are_not_loaded_are_told(whole: Context, place: Place) -> None:
    with whole.sessions.begin() as session:
        version = session.query(ContentVersion).first()
        assert version
        version.text = "Another one"

    (one,) = wrong(whole, place)

    assert (one.check, one.message.split(" ", 1)[0]) == ("content", "1")
    assert "babymind content load" in one.message


def test_days_without_a_text_are_told(whole: Context, place: Place, library: Library) -> None:
    gone = next(item for item in library.items if not item.withdrawn)
    places = {place: item for place, item in library._places.items() if item is not gone}
    short = replace(library, items=tuple(item for item in library.items if item is not gone), _places=places)
    from babymind.services import content

    ctx = replace(whole, library=short)
    with whole.sessions.begin() as session:  # it was never there, so it leaves no trace
        session.execute(delete(ContentVersion).where(ContentVersion.text == gone.text))
    content.load(ctx)

    (one,) = wrong(ctx, place)

    assert one.check == "content"
    assert f"no {gone.kind.value} for {gone.stage.value} day {gone.day}" in one.message


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (lambda old: [Fernet.generate_key().decode()], "no longer holds"),
        (lambda old: [old, Fernet.generate_key().decode()], "put the oldest key back"),
    ],
)
def test_a_key_that_is_gone_or_out_of_place_is_told(
    ctx: Context, place: Place, keys: Callable[[str], list[str]], says: str
) -> None:
    old = Fernet.generate_key().decode()
    before = replace(ctx, vault=Vault([old]))
    enrol_family(before)

    found = {one.check: one for one in doctor.examine(replace(ctx, vault=Vault(keys(old))), place)}

    assert not found["keys"].ok
    assert says in found["keys"].message
    assert {one.check: one.ok for one in doctor.examine(before, place)}["keys"]


def test_a_store_that_takes_nothing_is_told(whole: Context, place: Place, tmp_path: Path) -> None:
    class Full(ObjectMediaStore):
        def put(self, key: str, data: bytes) -> None:
            raise OSError("no space left on device")

    (one,) = wrong(replace(whole, media=Full((tmp_path / "media").as_uri())), place)

    assert (one.check, one.message.split(":")[0]) == ("storage", "BABYMIND_MEDIA_URL")


@pytest.mark.fault(60)
def test_a_disk_that_fills_up_is_told(whole: Context, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LEAST_FREE_BYTES", 10**15)

    (one,) = wrong(whole, place)

    assert (one.check, "make room" in one.message) == ("storage", True)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ChannelConfigurationError("Check account and token.", provider_code=20003), "does not let us in: Check"),
        (ChannelUnknownError("No answer."), "could not be asked: No answer."),
    ],
)
def test_a_provider_that_does_not_let_us_in_is_told(
    whole: Context, place: Place, channel: MemoryChannel, error: ChannelUnknownError, says: str
) -> None:
    channel.fail_look_up = error

    (one,) = wrong(whole, place)

    assert one.check == "provider"
    assert says in one.message


def test_a_web_address_that_is_not_ours_is_told(whole: Context, place: Place) -> None:
    (elsewhere,) = wrong(whole, replace(place, public_url=f"{place.public_url}/nginx"))
    (nowhere,) = wrong(whole, replace(place, public_url="http://127.0.0.1:9"))

    assert elsewhere.check == nowhere.check == "webhooks"
    assert "it is not BabyMind" in elsewhere.message
    assert "is the web server running" in nowhere.message


def test_a_mail_server_is_greeted_and_given_nothing(
    whole: Context,
    place: Place,
    postbox: tuple[int, list[str]],  # noqa: F811 - the fixture
) -> None:
    port, taken = postbox
    there = replace(place, smtp_url=f"smtp://127.0.0.1:{port}", alert_email="team@example.org")

    assert wrong(whole, there) == []
    (one,) = wrong(whole, replace(there, smtp_url="smtp://127.0.0.1:1"))

    assert taken == []
    assert (one.check, "BABYMIND_SMTP_URL" in one.message) == ("mail", True)


def test_nothing_that_is_found_names_a_family_or_a_secret(whole: Context, place: Place) -> None:
    told = repr(list(doctor.examine(whole, place))) + repr(place)

    assert not any(word in told for word in ("Sam", "Robin", "7700"))


@pytest.mark.fault(62)
@freeze_time("2026-03-08T09:00Z", tick=True)
def test_clocks_that_differ_are_told(whole: Context, place: Place) -> None:
    """Years apart from the database's own; on SQLite there is but one clock."""
    found = wrong(whole, place)

    drift = [one for one in found if "differ by" in one.message]
    assert len(drift) == (1 if whole.database.dialect.name == "postgresql" else 0)
