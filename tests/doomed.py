"""A process that a test kills, fills up or starves: ``python -m tests.doomed WHAT DATABASE_URL FOLDER NUMBER``."""

import itertools
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from twilio.request_validator import RequestValidator  # noqa: F401 - loaded while there are still file handles

from babymind.app import create_app
from babymind.channels.memory import MemoryChannel
from babymind.channels.twilio import TwilioAccount, TwilioChannel
from babymind.library.bank import Library
from babymind.services import export, receive
from babymind.services.context import Context
from babymind.store import schema
from babymind.store.base import make_engine
from babymind.web.server import WebServer
from tests.conftest import context_of
from tests.web.conftest import ACCOUNT, AUTH_TOKEN, OURS, PUBLIC_URL, settings_for

PICTURE_BYTES = 2_000_000
SPARE_HANDLES = 12  # beside those that are open when it has begun


def migrate(url: str, _folder: Path, statements: int) -> None:
    """Bring a database to this version, and die after some of the statements that change something."""
    engine, done = make_engine(url), itertools.count(1)

    @event.listens_for(engine, "after_cursor_execute")
    def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith(("CREATE", "ALTER", "INSERT", "UPDATE")) and next(done) >= statements:
            die()

    schema.upgrade(engine)


def export_study(url: str, folder: Path, tables: int) -> None:
    """Export, and die when some of the tables are written."""
    write, done = export._write_table, itertools.count(1)

    def deadly(*args: Any) -> int:
        count = write(*args)
        if next(done) >= tables:
            die()
        return count

    export._write_table = deadly  # type: ignore[assignment]  # it takes whatever the real one takes
    export.export(installation(url, folder), "demo", folder / "out")


def fill_up(url: str, folder: Path, file_bytes: int) -> None:
    """Keep texts until no file may grow any more, saying which; then try a picture."""
    ctx = installation(url, folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    for number in itertools.count():
        try:
            receive.keep(ctx, f"SM{number}", {"From": ["+447700900101"], "Body": ["x" * 1000]})
        except OperationalError:
            break
        say(f"SM{number}")
    try:
        ctx.media.put("picture", b"p" * PICTURE_BYTES)
    except Exception as error:
        say(type(error).__name__)


def serve(url: str, folder: Path, _: int) -> None:
    """Answer webhooks with hardly any file handles, until standard input ends."""
    ctx = installation(url, folder)
    account = TwilioAccount(account_sid=ACCOUNT, auth_token=AUTH_TOKEN, public_url=PUBLIC_URL, from_numbers=(OURS,))
    object.__setattr__(ctx, "channel", TwilioChannel(account))
    with WebServer(create_app(ctx, settings_for())) as server:
        most = len(os.listdir("/proc/self/fd")) + SPARE_HANDLES  # noqa: PTH208 - the names are the handles
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        say(str(server.port))
        sys.stdin.read()


def installation(url: str, folder: Path) -> Context:
    """Return an installation; reading the content bank takes longest, and none of its texts is needed here."""
    return context_of(make_engine(url), MemoryChannel(), cast("Library", None), folder)


def die() -> None:
    """End at once, as a machine does that loses power."""
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def say(what: str) -> None:
    """Write a line that is there whatever comes next."""
    os.write(sys.stdout.fileno(), f"{what}\n".encode())


WHATS = {what.__name__: what for what in (migrate, export_study, fill_up, serve)}

if __name__ == "__main__":
    WHATS[sys.argv[1]](sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
