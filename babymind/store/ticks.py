"""When the installation last did what it does by the clock, whichever process did it."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from babymind.store.base import Base


class Tick(Base):
    """Something done by the clock, and when it was last done to its end."""

    __tablename__ = "tick"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]
