"""Serves the sandbox: a thread a request, header and body in one write.

Written apart, loopback's delayed acknowledgement makes each call wait 44 ms. Granian, which serves the shop, cannot cut
a connection in the middle of a call, and that is one of the levers; hence this server.
"""

import socket
from dataclasses import replace
from threading import Thread

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from app.sandbox.application import Sandbox, create_sandbox
from app.sandbox.config import SandboxConfig


class BufferedRequestHandler(WSGIRequestHandler):
    """Collects what is written until the end of the answer, and logs no request."""

    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    timeout = 60

    def send_response(self, code: int, message: str | None = None) -> None:
        """The status alone: the application dates its answers by the sandbox's clock, not by the machine's."""
        self.send_response_only(code, message)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The record of traffic says more."""


def make_sandbox_server(flask: Flask, host: str, port: int, fd: int | None = None) -> BaseWSGIServer:
    """A bound server. `fd`: a socket that listens already."""
    return make_server(host, port, flask, threaded=True, request_handler=BufferedRequestHandler, fd=fd)


class ServerThread:
    """A sandbox with its server in threads of this process, for tests. `port=0` in the settings takes a free port."""

    def __init__(self, config: SandboxConfig) -> None:
        with socket.create_server((config.host, config.port), backlog=128) as listening:
            self.config = replace(config, port=listening.getsockname()[1])
            self.flask = create_sandbox(self.config)
            self._server = make_sandbox_server(self.flask, config.host, self.config.port, fd=listening.fileno())
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{self.config.host}:{self.config.port}"

    @property
    def sandbox(self) -> Sandbox:
        """The parts, for what is quicker said in Python than by HTTP."""
        sandbox: Sandbox = self.flask.extensions["sandbox"]
        return sandbox

    def webhook_secret(self) -> str:
        """The secret of the shop's endpoint, also when it was made at start."""
        with self.sandbox.store.read() as transaction:
            endpoint = transaction.where("webhook_endpoint", "url", self.config.webhook_url)[0]
            return str(transaction.private(endpoint["id"])["secret"])

    def stop(self) -> None:
        """Stops listening and the sandbox's own threads; the file stays."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
        self.sandbox.close()
