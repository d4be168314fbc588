"""Mail to the people who run the service, when something does not add up. Never about a family, never with a name."""

import smtplib
import ssl
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit

from babymind.errors import ChannelError

TIMEOUT_SECONDS = 20.0
SUBMISSION_PORT = 587


class Mail(Protocol):
    """Takes a message for the people who run the service."""

    def send(self, subject: str, text: str) -> None:
        """Send it.

        Raises:
            ChannelError: It was not taken.
        """
        ...


class SmtpMail:
    """Sends through a mail server: ``smtps://user:password@host`` or ``smtp://host:587``, which is then encrypted.

    Only ``smtp://`` to this very machine may go unencrypted. Source: RFC 8314, RFC 6409.
    """

    def __init__(self, url: str, *, to: str) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "smtps"
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (smtplib.SMTP_SSL_PORT if self._secure else SUBMISSION_PORT)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._to = to

    def send(self, subject: str, text: str) -> None:
        """Send it; see `Mail.send`."""
        message = EmailMessage()
        message["Subject"], message["To"], message["From"] = subject, self._to, self._to
        message.set_content(text)
        try:
            with self._connect() as server:
                if self._user:
                    server.login(self._user, self._password)
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            raise ChannelError(f"The mail server did not take the alert ({type(error).__name__}).") from error

    def _connect(self) -> smtplib.SMTP:
        if self._secure:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, timeout=TIMEOUT_SECONDS, context=context)
        server = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_SECONDS)
        if self._host not in ("localhost", "127.0.0.1", "::1"):
            server.starttls(context=ssl.create_default_context())
        return server
