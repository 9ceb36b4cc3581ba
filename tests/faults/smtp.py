"""A mail server with faults, in threads of this process: it speaks enough SMTP for smtplib (RFC 5321)."""

import socketserver
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

# What it does from the greeting on; "drops" takes the mail and hangs up without a word.
MODES = ("works", "greets with 421", "refuses the recipient for now", "refuses the recipient", "refuses the mail", "drops",
         "is silent")  # fmt: skip


class MailServer:
    """mode may change at any time; taken are the mails whose DATA arrived whole, whatever it answered then."""

    def __init__(self) -> None:
        self.mode = "works"
        self.taken: list[EmailMessage] = []
        self.asleep = threading.Event()
        outer = self

        class Conversation(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer._talk(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation)
        self._server.daemon_threads = True
        self.url = f"smtp://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.asleep.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def ids(self) -> list[str]:
        """The Message-IDs of what was taken, in order."""
        return [mail["Message-ID"] for mail in self.taken]

    def _talk(self, connection: Any) -> None:
        def say(line: str) -> None:
            connection.wfile.write(f"{line}\r\n".encode())

        mode = self.mode
        if mode == "is silent":
            self.asleep.wait(30)
            return
        say("421 busy" if mode == "greets with 421" else "220 here")
        if mode == "greets with 421":
            return
        while line := connection.rfile.readline().decode().strip():
            verb = line.partition(" ")[0].upper()
            if verb == "QUIT":
                say("221 bye")
                return
            if verb == "RCPT" and mode.startswith("refuses the recipient"):
                say("450 later" if mode.endswith("for now") else "550 nobody of that name")
            elif verb == "DATA":
                say("354 go on")
                mail = message_from_bytes(self._read_data(connection), policy=policy.default)
                if mode == "refuses the mail":
                    say("451 not now")
                    continue
                assert isinstance(mail, EmailMessage)
                self.taken.append(mail)
                if mode == "drops":
                    return
                say("250 taken")
            else:
                say("250 fine")

    def _read_data(self, connection: Any) -> bytes:
        lines = []
        while (line := connection.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        return b"".join(lines)
