"""What stands in front of the servers in production, as far as a restart needs it: a new connection goes where it points."""

import socket
import threading
from contextlib import suppress

CHUNK = 65_536


class Front:
    """Listens on one port and forwards each connection to the server it points to at that moment."""

    def __init__(self, port: int, *, to: int) -> None:
        self._to = to
        self._open: dict[int, int] = {}
        self._changed = threading.Condition()
        self._listening = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._serve, daemon=True).start()

    def point_to(self, port: int, *, patience_seconds: float = 60) -> None:
        """Send new connections there, and wait until the old server has answered all it was given."""
        with self._changed:
            before, self._to = self._to, port
            assert self._changed.wait_for(lambda: not self._open.get(before), patience_seconds)

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                with self._changed:
                    port = self._to
                    self._open[port] = self._open.get(port, 0) + 1
                threading.Thread(target=self._connect, args=(client, port), daemon=True).start()

    def _connect(self, client: socket.socket, port: int) -> None:
        try:
            with client, suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
                answering = threading.Thread(target=_forward, args=(server, client), daemon=True)
                answering.start()
                _forward(client, server)
                answering.join()
        finally:
            with self._changed:
                self._open[port] -= 1
                self._changed.notify_all()


def _forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(CHUNK):
            target.sendall(part)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
