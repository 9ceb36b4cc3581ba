"""Puts the sandbox together: one Flask application and, if wanted, its threads."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial

from flask import Flask, Response, request

from app.sandbox.actions import Actions
from app.sandbox.api import Api
from app.sandbox.background import Background
from app.sandbox.clock import Clock
from app.sandbox.config import SandboxConfig
from app.sandbox.control import Control
from app.sandbox.dashboard import Dashboard
from app.sandbox.delivery import Deliverer
from app.sandbox.guard import refuse_other_sites
from app.sandbox.hosted import HostedPage
from app.sandbox.invoice_pages import InvoicePages
from app.sandbox.store import Store
from app.sandbox.traffic import Recorder


@dataclass(frozen=True)
class Sandbox:
    """The parts of a running sandbox, for who starts and stops it."""

    store: Store
    actions: Actions
    deliverer: Deliverer
    background: Background

    def close(self) -> None:
        """Stops the threads and closes the file. Nothing is lost by leaving this out."""
        self.background.stop()
        self.store.close()


def create_sandbox(config: SandboxConfig) -> Flask:
    """The application. Its parts are in `extensions["sandbox"]`; with `config.background` its threads run already."""
    store = Store(config.database, is_durable=config.is_durable)
    recorder = Recorder(config.traffic)
    store.listeners.append(recorder.record_events)
    deliverer = Deliverer(store, config)
    actions = Actions(config, store, deliverer)
    sandbox = Sandbox(store, actions, deliverer, Background(store, deliverer, config))

    flask = Flask("app.sandbox", static_url_path="/_sandbox/static")
    flask.config["MAX_CONTENT_LENGTH"] = 2_000_000
    flask.extensions["sandbox"] = sandbox
    flask.before_request(_guard_pages)
    flask.after_request(partial(_add_headers, store.clock))
    flask.register_blueprint(Api(config, store, recorder).blueprint())
    flask.register_blueprint(Control(config, store, deliverer, actions).blueprint())
    flask.register_blueprint(HostedPage(config, store, deliverer).blueprint())
    flask.register_blueprint(InvoicePages(config, store).blueprint())
    flask.register_blueprint(Dashboard(config, store, actions).blueprint())

    actions.prepare()
    deliverer.recover()
    if config.background:
        sandbox.background.start()
    return flask


def _guard_pages() -> None:
    """The API is guarded by its key; everything else by where the request comes from."""
    if request.blueprint != "api":
        refuse_other_sites()


def _add_headers(clock: Clock, response: Response) -> Response:
    """`Date` follows the sandbox's clock: by it a shop measures how far its own is off."""
    response.headers["Date"] = format_datetime(datetime.fromtimestamp(clock.now(), UTC), usegmt=True)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
