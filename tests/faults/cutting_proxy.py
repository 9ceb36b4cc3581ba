"""A TCP proxy in front of PostgreSQL that cuts the connection at a COMMIT: before it arrives, or after it was carried out."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

from sqlalchemy.engine import URL

Cut = Literal["before", "after"]

COMMIT = b"COMMIT\x00"
COMMITTED = b"COMMIT\x00Z"  # the end of CommandComplete, and ReadyForQuery after it
CHUNK = 65_536


class CuttingProxy:
    """Forwards everything between clients and a server's socket; cuts one connection at the n-th COMMIT from arm() on."""

    def __init__(self, server: URL) -> None:
        folder = server.query["host"]
        assert isinstance(folder, str)
        self._address = f"{folder}/.s.PGSQL.{server.port or 5432}"
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._cut: Cut = "after"
        self._left = 0
        self.has_cut = False
        self.url = server.set(
            host="127.0.0.1",
            port=self._listening.getsockname()[1],
            query={"sslmode": "disable", "gssencmode": "disable"},
        )
        threading.Thread(target=self._serve, daemon=True).start()

    def arm(self, cut: Cut, number: int) -> None:
        """Cut at the number-th COMMIT from now on."""
        with self._lock:
            self._cut, self._left, self.has_cut = cut, number, False

    def disarm(self) -> None:
        with self._lock:
            self._left = 0

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self._address)
            is_swallowing = threading.Event()
            threading.Thread(target=_answer, args=(server, client, is_swallowing), daemon=True).start()
            for message in _read_messages(client):
                cut = self._decide(message)
                if cut == "before":
                    break
                if cut == "after":
                    is_swallowing.set()
                server.sendall(message)
            _close(server)

    def _decide(self, message: bytes) -> Cut | None:
        if message[:1] != b"Q" or not message.endswith(COMMIT):
            return None
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return None
            self.has_cut = True
            return self._cut


def _read_messages(client: socket.socket) -> Iterator[bytes]:
    """The client's messages: the first has a length only, each other one a letter before it."""
    with client.makefile("rb") as stream:
        head = stream.read(4)
        while len(head) in {4, 5}:
            length = int.from_bytes(head[-4:], "big")
            yield head + stream.read(length - 4)
            head = stream.read(5)


def _answer(server: socket.socket, client: socket.socket, is_swallowing: threading.Event) -> None:
    """Forward what the server says, but not its word about the COMMIT: once that was given, the client is cut off."""
    swallowed = b""
    with suppress(OSError):
        while COMMITTED not in swallowed and (part := server.recv(CHUNK)):
            if is_swallowing.is_set():
                swallowed += part
            else:
                client.sendall(part)
        _close(client)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
