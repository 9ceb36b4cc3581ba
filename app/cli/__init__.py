"""The command line audience: flask <noun> <verb>."""

from flask import Flask

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


def init_app(app: Flask) -> None:
    """Register the commands."""
    for group in GROUPS:
        app.cli.add_command(group)
