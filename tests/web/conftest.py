"""The whole application over a database in a temporary folder, with the real check of signatures and no network."""

import html
import io
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import Engine
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from babymind.app import create_app
from babymind.channels.memory import MemoryChannel
from babymind.channels.twilio import TwilioAccount, TwilioChannel
from babymind.config import Settings
from babymind.library.bank import Library
from babymind.services import accounts, enrol, receive, triage
from babymind.services.context import Context
from babymind.services.enrol import Enrolled, NewCaregiver, NewFamily
from babymind.store import schema, tasks
from babymind.store.base import make_engine
from babymind.store.tasks import Task, TaskKind
from babymind.web.auth import hash_password
from tests.conftest import context_of

ACCOUNT = "AC" + "5" * 32
AUTH_TOKEN = "the-accounts-token"
PUBLIC_URL = "https://babymind.test"
OURS = "+447700900999"
PASSWORD = "a long enough password"
HASHED = hash_password(PASSWORD)


@pytest.fixture(scope="session")
def empty_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the tables in it, and nothing else."""
    file = tmp_path_factory.mktemp("web") / "empty.db"
    engine = make_engine(f"sqlite:///{file}")
    schema.upgrade(engine)
    engine.dispose()
    return file


@pytest.fixture
def database_url(empty_template: Path, tmp_path: Path) -> str:
    """SQLite only: what both databases must do alike is tested below the web."""
    shutil.copy(empty_template, tmp_path / "web.db")
    return f"sqlite:///{tmp_path / 'web.db'}"


@pytest.fixture
def ctx(database: Engine, library: Library, tmp_path: Path) -> Iterator[Context]:
    """The parts of an installation; its engine is not started, so tests take each step themselves."""
    account = TwilioAccount(
        account_sid=ACCOUNT, auth_token=AUTH_TOKEN, public_url=PUBLIC_URL, from_numbers=(OURS,), simulated=True
    )
    context = context_of(database, MemoryChannel(), library, tmp_path)
    yield replace(context, channel=TwilioChannel(account))
    context.senders.shutdown()


def settings_for(public_url: str = PUBLIC_URL) -> Settings:
    """Return settings of a test."""
    return Settings.model_construct(
        secret_key="s" * 40, public_url=public_url, channel="simulator", database_url="", data_keys=()
    )


@pytest.fixture
def app(ctx: Context) -> Flask:
    """The application, as a WSGI server would load it."""
    return create_app(ctx, settings_for())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that has not signed in."""
    return browser(app)


def browser(app: Flask) -> FlaskClient:
    """Return a browser with a cookie jar of its own, on the public address."""
    client = app.test_client()
    client.environ_base["wsgi.url_scheme"] = "https"
    client.environ_base["HTTP_HOST"] = "babymind.test"
    client.environ_base["HTTP_REFERER"] = f"{PUBLIC_URL}/staff/"
    return client


@pytest.fixture
def sign_in(app: Flask, ctx: Context) -> Callable[..., FlaskClient]:
    """Make an account with some roles, and return the browser in which it is signed in."""

    def make(*roles: str, study: str | None = None) -> FlaskClient:
        email = f"{'-'.join(roles)}@team.test"
        add_staff(ctx, email, *roles, study=study)
        client = browser(app)
        assert log_in(client, email).status_code == 302
        return client

    return make


@pytest.fixture
def reviewer(sign_in: Callable[..., FlaskClient]) -> FlaskClient:
    """A browser in which a reviewer is signed in."""
    return sign_in("reviewer")


@pytest.fixture
def family(ctx: Context) -> Enrolled:
    """An enrolled family: Sam, and Robin born twenty days ago."""
    return enrol_family(ctx)


def add_staff(ctx: Context, email: str, *roles: str, study: str | None = None) -> int:
    """Add an account with the usual password."""
    return accounts.add_staff(
        ctx, email, PASSWORD, roles=roles, hash_password=lambda _: HASHED, study=study, name=email.partition("@")[0]
    )


def log_in(client: FlaskClient, email: str, password: str = PASSWORD, **query: str) -> TestResponse:
    """Fill in the sign-in form."""
    page = client.get("/staff/login", query_string=query)
    return client.post(
        "/staff/login", query_string=query,
        data={"email": email, "password": password, "csrf_token": token_in(page)},
    )  # fmt: skip


def token_in(page: TestResponse) -> str:
    """Return the token of the first form on a page."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found, page.text
    return found.group(1)


def shown(text: str) -> str:
    """Return the words of a page, without its tags."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


def enrol_family(ctx: Context, phone: str = "+447700900001", *, name: str = "Sam", baby: str = "Robin",
                 study: str = "demo") -> Enrolled:  # fmt: skip
    """Enrol a family, adding its study where it is new."""
    with ctx.readers.begin() as session:
        from babymind.store.studies import study_by_slug

        known = study_by_slug(session, study)
    if known is None:
        enrol.add_study(ctx, study, "The demo study")
    born_on = (datetime.now(UTC) - timedelta(days=20)).date()
    caregiver = NewCaregiver(name=name, phone=phone, role="father")
    return enrol.enrol(ctx, NewFamily(study=study, caregivers=[caregiver], babies=[baby], born_on=born_on))


def signed(
    path: str, form: dict[str, str], *, token: str = AUTH_TOKEN, public_url: str = PUBLIC_URL
) -> dict[str, Any]:
    """Return what a test client needs to call a webhook as the provider does."""
    signature = RequestValidator(token).compute_signature(public_url + path, form)
    return {
        "path": path,
        "method": "POST",
        "data": urlencode(form),
        "content_type": "application/x-www-form-urlencoded",
        "headers": {"X-Twilio-Signature": signature},
    }


def message(sid: str = "SM" + "1" * 32, body: str = "He smiled", sender: str = "+447700900001",
            **more: str) -> dict[str, str]:  # fmt: skip
    """Return the form of a message as the provider posts it."""
    return {
        "MessageSid": sid,
        "AccountSid": ACCOUNT,
        "From": sender,
        "To": OURS,
        "Body": body,
        "NumMedia": "0",
        **more,
    }


def receive_reply(ctx: Context, body: str = "He smiled", sender: str = "+447700900001", **more: str) -> int:
    """Store a message, make a reply of it, and return the reply's id."""
    from babymind.store.replies import Reply

    sid = "SM" + f"{abs(hash((body, sender, len(more)))):032d}"[-32:]
    form = message(sid, body, sender, **more)
    receive.keep(ctx, sid, {name: [value] for name, value in form.items()})
    receive.process_new(ctx)
    triage.triage_new(ctx)
    with ctx.readers.begin() as session:
        return int(session.query(Reply.id).order_by(Reply.id.desc()).limit(1).scalar())


def store_picture(ctx: Context, reply_id: int, colour: str = "seagreen", size: tuple[int, int] = (640, 480)) -> str:
    """Put a picture into a reply, as if it had been fetched, and return its outside name."""
    from babymind.store.replies import Media, MediaStatus

    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG")
    with ctx.sessions.begin() as session:
        media = Media(
            reply_id=reply_id, position=session.query(Media).filter_by(reply_id=reply_id).count() + 1, source_url="",
            told_type="image/jpeg", status=MediaStatus.STORED, next_look_at=datetime.now(UTC),
            key=f"key-{reply_id}-{colour}",
            content_type="image/jpeg", n_bytes=len(out.getvalue()), width=size[0], height=size[1], attempts=1,
        )  # fmt: skip
        session.add(media)
        session.flush()
        token = media.token
    ctx.media.put(f"key-{reply_id}-{colour}", out.getvalue())
    return token


def add_task(ctx: Context, family: Enrolled | None, kind: TaskKind = TaskKind.ASK_ABOUT_BIRTH, **details: Any) -> int:
    """Ask for something to be done, about a family or about the service, and return the task's id."""
    with ctx.sessions.begin() as session:
        number = session.query(Task.id).count() + 1
        tasks.ask(session, kind, f"test:{number}", now=datetime.now(UTC),
                  family_id=family.family_id if family else None, **details)  # fmt: skip
        return int(session.query(Task.id).filter_by(occasion=f"test:{number}").one()[0])
