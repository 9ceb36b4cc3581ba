"""The offline Stripe as a process of its own in which nothing happens by itself. Ends when its stdin ends.

python -m tests.simulation.stripe_process SOCKET DATABASE
"""

import os
import socket
import sys
import threading
from pathlib import Path

from app.sandbox.application import create_sandbox
from app.sandbox.config import SandboxConfig
from app.sandbox.server import make_sandbox_server


def main() -> None:
    listening = socket.socket(fileno=int(sys.argv[1]))
    host, port = listening.getsockname()
    config = SandboxConfig(host=host, port=port, database=Path(sys.argv[2]), webhook_url="", background=False)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    make_sandbox_server(create_sandbox(config), host, port, fd=listening.fileno()).serve_forever(poll_interval=0.05)


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
