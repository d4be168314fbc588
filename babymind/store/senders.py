"""What we send from: numbers and messaging services, how fast each may go, and when it last did."""

from datetime import datetime

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from babymind.store.base import Base
from babymind.store.families import ChannelName


class Sender(Base):
    """A number or a messaging service of ours. What the settings no longer name is retired, never deleted."""

    __tablename__ = "sender"
    __table_args__ = (UniqueConstraint("channel", "address"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[ChannelName]
    address: Mapped[str] = mapped_column(String(64))  # E.164, or the provider's id of a messaging service
    segments_per_second: Mapped[int | None]  # in all processes together; empty: as fast as the provider takes them
    next_at: Mapped[datetime | None]  # when its next segment may leave: what lies before has been given away
    stopped_until: Mapped[datetime | None]  # set up wrongly: nothing leaves from it before
    stopped_code: Mapped[int | None]  # what the provider said of it
    retired_at: Mapped[datetime | None]
