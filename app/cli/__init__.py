"""The command line audience: flask <noun> <verb>."""

from flask import Flask

from app.cli.courses import courses
from app.cli.demo import demo
from app.cli.jobs import jobs
from app.cli.posts import posts

GROUPS = (courses, demo, jobs, posts)


def init_app(app: Flask) -> None:
    """Register the commands."""
    for group in GROUPS:
        app.cli.add_command(group)
