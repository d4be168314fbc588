"""What every step works with: the parts of one installation, picked once at the start."""

import threading
from concurrent.futures import Executor
from dataclasses import dataclass, field

from sqlalchemy import Engine as DatabaseEngine

from babymind.channels.base import Channel
from babymind.channels.mail import Mail
from babymind.engine.base import Engine
from babymind.library.bank import Library
from babymind.media.base import MediaStore
from babymind.store.base import Sessions
from babymind.store.sealing import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The parts of an installation."""

    database: DatabaseEngine
    sessions: Sessions  # write; one transaction each
    readers: Sessions  # only read
    vault: Vault = field(repr=False)
    channel: Channel
    engine: Engine
    media: MediaStore
    library: Library
    senders: Executor  # the threads that talk to the provider, each with its own connection
    send_threads: int
    alerts: Mail | None = None  # to the people who run it
    provider_answers: bool  # the provider itself answers STOP, START and HELP
    stopping: threading.Event = field(default_factory=threading.Event)
