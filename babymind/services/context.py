"""What every step works with: the parts of one installation, picked once at the start."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine as DatabaseEngine
from sqlalchemy.orm import Session

from babymind.channels.base import Channel
from babymind.channels.mail import Mail
from babymind.clock import utc_now
from babymind.domain.looking import LEASE_ANSWERS
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
    whatsapp_template: str | None = None  # the provider's id of an approved one whose only blank is the text
    answer_seconds: float = 20.0  # how long the provider may take to answer; leases and looks are counted in it
    lease_now: Callable[[Session], datetime] = field(default=lambda _session: utc_now())  # the clock of leases
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def lease_seconds(self) -> float:
        """How long a claim lasts: longer than any call to the provider may take."""
        return LEASE_ANSWERS * self.answer_seconds
