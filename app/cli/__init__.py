"""The command line audience: flask <noun> <verb>."""

import click
from flask import Flask

from app.audit import Actor, acting_as
from app.cli.codes import codes
from app.cli.courses import courses
from app.cli.db_copy import db_commands
from app.cli.demo import demo
from app.cli.jobs import jobs
from app.cli.ledger import ledger
from app.cli.orders import orders
from app.cli.posts import posts
from app.cli.stripe import stripe
from app.cli.users import users

GROUPS = (codes, courses, db_commands, demo, jobs, ledger, orders, posts, stripe, users)
# What the audit log calls a change that was made here. What jobs do is the system's own doing.
COMMAND_LINE = Actor(kind="system", id="command line")


def init_app(app: Flask) -> None:
    """Register the commands."""
    for group in GROUPS:
        # The database's group has a callback of its own, which takes its options.
        if group not in {jobs, db_commands}:
            group.callback = _act_as_command_line
        app.cli.add_command(group)


def _act_as_command_line() -> None:
    click.get_current_context().with_resource(acting_as(COMMAND_LINE))
