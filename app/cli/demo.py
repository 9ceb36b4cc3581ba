"""flask demo load: a shop to look at, loaded as often as one likes."""

import json
import os
import secrets
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import select

from app.accounts.models import User
from app.accounts.services import create_user
from app.blog.post_files import parse_post_file
from app.blog.services import save_post_files
from app.catalog.course_files import parse_course_file
from app.catalog.services import ensure_categories, save_course_files
from app.cli.files import fail_in_words, read_files
from app.cli.posts import site_zone
from app.config import Settings
from app.db import db
from app.reports.post_editor import resolve_posts

CONTENT = Path(__file__).parent / "demo_content"
CATEGORIES = ("AI & Automation", "Digital Growth", "Data & Machine Learning", "Cybersecurity", "Cloud")
PEOPLE = (("admin@example.org", "Ana Admin", ("owner",)), ("learner@example.org", "Leo Learner", ()))

demo = AppGroup("demo", help="The demo shop.")


@demo.command("load")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def load_demo(as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Load the demo's topics, courses, posts, one owner and one learner; a second time it changes nothing.

    Their password is DEMO_PASSWORD, or one made once and kept in the instance folder.

    \b
    Example:
      flask demo load
    """
    settings: Settings = current_app.config["SETTINGS"]
    if settings.is_production:
        raise click.ClickException("The demo is not for production: it makes an owner whose password is on disk.")
    # First: a password that is refused must not leave half a shop.
    made = _make_people(settings)
    ensure_categories(CATEGORIES)
    courses = save_course_files([parse_course_file(text, name) for name, text in read_files([CONTENT / "courses"])])
    post_files = [parse_post_file(text, name, zone=site_zone()) for name, text in read_files([CONTENT / "posts"])]
    posts = save_post_files(resolve_posts(post_files))
    rows = {
        "categories": len(CATEGORIES),
        "courses": len(courses),
        "courses_changed": sum(course.outcome != "unchanged" for course in courses),
        "posts": len(posts),
        "posts_changed": sum(post.outcome != "unchanged" for post in posts),
        "users": len(PEOPLE),
        "users_created": made,
    }
    if as_json:
        click.echo(json.dumps(rows))
        return
    click.echo(
        f"Demo shop: {rows['categories']} categories, {rows['courses']} courses ({rows['courses_changed']} changed),"
        f" {rows['posts']} posts ({rows['posts_changed']} changed), {rows['users']} users ({made} created)."
    )
    click.echo(f"Sign in as {' or '.join(person[0] for person in PEOPLE)} with the demo password.")


def demo_password(settings: Settings) -> str:
    """DEMO_PASSWORD, or one that is made once and kept in the instance folder, readable by its owner only."""
    chosen = os.environ.get("DEMO_PASSWORD", "")
    if chosen:
        return chosen
    path = settings.instance_path / ".demo_password"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    password = f"{secrets.token_hex(3)}-{secrets.token_hex(3)}-{secrets.token_hex(3)}"
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(password + "\n")
    return password


def _make_people(settings: Settings) -> int:
    password = demo_password(settings)
    known = set(db.session().scalars(select(User.email).where(User.email.in_([person[0] for person in PEOPLE]))))
    missing = [person for person in PEOPLE if person[0] not in known]
    for email, name, roles in missing:
        create_user(email=email, name=name, password=password, role_names=list(roles), is_confirmed=True)
    return len(missing)
