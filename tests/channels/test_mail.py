"""An alert reaches the mail server, and a server that is away is an error that can be told."""

import socketserver
import threading
from collections.abc import Iterator

import pytest

from babymind.channels.mail import SmtpMail
from babymind.errors import ChannelError


class Postbox(socketserver.StreamRequestHandler):
    """As much of a mail server as takes one message (RFC 5321)."""

    taken: list[str]

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline().decode():
            match line[:4].upper():
                case "DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = []
                    while (text := self.rfile.readline().decode()) != ".\r\n":
                        lines.append(text)
                    self.taken.append("".join(lines))
                    self.wfile.write(b"250 taken\r\n")
                case "QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                case _:
                    self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def postbox() -> Iterator[tuple[int, list[str]]]:
    """A mail server on this machine: its port, and what it has taken."""
    taken: list[str] = []
    handler = type("Handler", (Postbox,), {"taken": taken})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1], taken
        server.shutdown()
        thread.join()


def test_an_alert_is_taken_by_the_server(postbox: tuple[int, list[str]]) -> None:
    port, taken = postbox

    SmtpMail(f"smtp://127.0.0.1:{port}", to="team@example.org").send("It does not add up", "3 missing")

    assert len(taken) == 1
    assert "Subject: It does not add up" in taken[0]
    assert "To: team@example.org" in taken[0]
    assert "3 missing" in taken[0]


def test_a_server_that_is_away_is_told_of(postbox: tuple[int, list[str]]) -> None:
    with pytest.raises(ChannelError, match="did not take the alert"):
        SmtpMail("smtp://127.0.0.1:1", to="team@example.org").send("x", "y")
