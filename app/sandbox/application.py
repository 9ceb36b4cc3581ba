"""Puts the sandbox together: one Flask application and, if wanted, its threads."""

from dataclasses import dataclass

from flask import Flask, Response, request

from app.sandbox.actions import Actions
from app.sandbox.api import Api
from app.sandbox.background import Background
from app.sandbox.config import SandboxConfig
from app.sandbox.control import Control
from app.sandbox.dashboard import Dashboard
from app.sandbox.delivery import Deliverer
from app.sandbox.guard import refuse_other_sites
from app.sandbox.hosted import HostedPage
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
    store = Store(config.database)
    recorder = Recorder(config.traffic)
    store.listeners.append(recorder.record_events)
    deliverer = Deliverer(store, config)
    actions = Actions(config, store, deliverer)
    sandbox = Sandbox(store, actions, deliverer, Background(store, deliverer, config))

    flask = Flask("app.sandbox", static_url_path="/_sandbox/static")
    flask.config["MAX_CONTENT_LENGTH"] = 2_000_000
    flask.extensions["sandbox"] = sandbox
    flask.before_request(_guard_pages)
    flask.after_request(_name_server)
    flask.register_blueprint(Api(config, store, recorder).blueprint())
    flask.register_blueprint(Control(config, store, deliverer, actions).blueprint())
    flask.register_blueprint(HostedPage(config, store, deliverer).blueprint())
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


def _name_server(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
