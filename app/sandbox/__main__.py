"""`python -m app.sandbox`: the sandbox in the foreground until Ctrl-C or SIGTERM."""

import logging
import signal
import sys
import threading
from types import FrameType

from app.sandbox.application import create_sandbox
from app.sandbox.config import read_config
from app.sandbox.server import make_sandbox_server

logger = logging.getLogger("sandbox")


def main() -> int:
    """Exit code 0 after a stop that was asked for, 1 if it could not start."""
    logging.basicConfig(level=logging.INFO, format="sandbox: %(message)s", stream=sys.stderr)
    try:
        config = read_config()
        flask = create_sandbox(config)
        server = make_sandbox_server(flask, config.host, config.port)
    except (OSError, ValueError) as error:
        logger.critical("cannot start: %s", error)
        return 1

    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    logger.info("offline Stripe at %s, webhooks to %s", config.base_url, config.webhook_url or "nobody")
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    flask.extensions["sandbox"].close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
