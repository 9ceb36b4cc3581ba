"""The world outside the shop, which no kill reaches: Stripe's sandbox and a mail server that keeps what it takes.

`python -m tests.crash_points.outside FOLDER` prints its ports as JSON and ends when its standard input is closed.
"""

import json
import sys
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

from app.sandbox.config import SandboxConfig
from app.sandbox.server import ServerThread

QUIET_SECONDS = 5.0


class MailServer(ThreadingTCPServer):
    """Speaks as much SMTP as smtplib needs. A mail is a file in the folder before the server says that it took it."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), MailHandler)
        self.folder = folder
        self.numbers = count(1)
        self._open = 0
        self._changed = threading.Condition()

    def process_request(self, request: Any, client_address: Any) -> None:
        # Counted before the next connection is accepted, so whoever connects later sees it.
        with self._changed:
            self._open += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def wait_until_alone(self) -> None:
        """Wait until the one who asks is the only one connected."""
        with self._changed:
            self._changed.wait_for(lambda: self._open == 1, QUIET_SECONDS)


class MailHandler(StreamRequestHandler):
    """One connection."""

    server: MailServer
    disable_nagle_algorithm = True

    def handle(self) -> None:
        # A sender that is killed resets the connection.
        with suppress(ConnectionError):
            self._talk()

    def _talk(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline():
            command = line.split(b" ", 1)[0].strip().upper()
            if command == b"DATA":
                self._say("354 go on")
                if not self._take():
                    return
            elif command == b"WAIT":
                self.server.wait_until_alone()
            self._say("250 fine")
            if command == b"QUIT":
                return

    def _take(self) -> bool:
        """Keep a mail that came to its end; False when the sender died before."""
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line.endswith(b"\n"):
                return False
            lines.append(line.removeprefix(b"."))
        number = next(self.server.numbers)
        partial = self.server.folder / f"{number:06}.part"
        partial.write_bytes(b"".join(lines))
        partial.rename(partial.with_suffix(".eml"))
        return True

    def _say(self, answer: str) -> None:
        self.wfile.write(answer.encode() + b"\r\n")


def main(folder: Path) -> None:
    letters = folder / "letters"
    letters.mkdir()
    mail = MailServer(letters)
    threading.Thread(target=mail.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    stripe = ServerThread(SandboxConfig(port=0, database=folder / "stripe.sqlite", webhook_url="", background=False))
    ports = {"stripe": stripe.config.port, "mail": mail.server_address[1]}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    mail.shutdown()
    mail.server_close()
    stripe.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
