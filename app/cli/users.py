"""flask users create | list | show | promote | demote."""

import json
import sys
from typing import Any

import click
from flask.cli import AppGroup

from app.accounts import by_hand
from app.accounts.models import User
from app.accounts.services import create_user, grant_role, remove_role
from app.audit import AuditEntry
from app.cli.files import fail_in_words
from app.errors import InvalidInput

users = AppGroup("users", help="Accounts and their roles: learner, reader, editor, support, admin, owner.")


@users.command("create")
@click.option("--email", required=True, help="The person’s address; it counts as confirmed.")
@click.option("--name", required=True, help="The name shown on receipts.")
@click.option("--role", "roles", multiple=True, help="A role besides learner; repeat for more.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input (one line).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def create(email: str, name: str, roles: tuple[str, ...], password_stdin: bool, as_json: bool) -> None:  # noqa: FBT001
    """Make an account. Without a password it prints a link that signs in once within 24 hours.

    \b
    Example:
      flask users create --email ana@example.org --name "Ana Lee" --role owner
      flask users create --email ben@example.org --name Ben --password-stdin < password.txt
    """
    link = None
    if password_stdin:
        user = create_user(email=email, name=name, password=_read_password(), role_names=list(roles), is_confirmed=True)
    else:
        user, link = by_hand.create_user_with_link(email=email, name=name, role_names=list(roles))
    if as_json:
        click.echo(json.dumps({**describe(user), "sign_in_url": link}))
        return
    click.echo(f"Made {user.email} ({_names(user)}).")
    if link is not None:
        click.echo(f"Signs in once, within 24 hours: {link}")


@users.command("list")
@click.option("--role", help="Only accounts with this role.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def list_all(role: str | None, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """List accounts in the order they were made.

    \b
    Example:
      flask users list --role owner
    """
    found = page = by_hand.list_users(role_name=role)
    while page:
        page = by_hand.list_users(role_name=role, after=page[-1].id)
        found = found + page
    if as_json:
        click.echo(json.dumps({"users": [describe(user) for user in found], "count": len(found)}))
        return
    for user in found:
        click.echo(f"{user.email:<40}  {_state(user):<11}  {_names(user)}")
    click.echo("1 account." if len(found) == 1 else f"{len(found)} accounts.")


@users.command("show")
@click.argument("email")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def show(email: str, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Show an account and what was last changed about it.

    \b
    Example:
      flask users show ana@example.org
    """
    record = by_hand.get_account_record(email)
    facts = {**describe(record.user), "has_password": record.user.password is not None}
    if as_json:
        click.echo(json.dumps({**facts, "audit": [_describe_entry(entry) for entry in record.entries]}))
        return
    for name, value in facts.items():
        text = ", ".join(value) if isinstance(value, list) else {True: "yes", False: "no", None: "-"}.get(value, value)
        click.echo(f"{name.replace('_', ' '):>14}  {text}")
    for entry in record.entries:
        click.echo(f"{entry.created_at:%Y-%m-%d %H:%M} UTC  {entry.action}  {_change(entry)}")


@users.command("promote")
@click.argument("email")
@click.argument("role")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def promote(email: str, role: str, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Give an account a role; it counts from the next request on.

    \b
    Example:
      flask users promote ana@example.org owner
    """
    user = by_hand.get_user_by_email(email)
    grant_role(user_id=user.id, role_name=role)
    _tell_roles(email, as_json=as_json)


@users.command("demote")
@click.argument("email")
@click.argument("role")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def demote(email: str, role: str, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Take a role from an account; it counts from the next request on.

    \b
    Example:
      flask users demote ana@example.org owner
    """
    user = by_hand.get_user_by_email(email)
    remove_role(user_id=user.id, role_name=role)
    _tell_roles(email, as_json=as_json)


def describe(user: User) -> dict[str, Any]:
    """An account as JSON; times in UTC. No password, no hash."""
    return {
        "id": user.public_id,
        "email": user.email,
        "name": user.name,
        "roles": sorted(role.name for role in user.roles),
        "state": _state(user),
        "confirmed_at": user.confirmed_at.isoformat() if user.confirmed_at else None,
        "created_at": user.created_at.isoformat(),
    }


def _read_password() -> str:
    lines = sys.stdin.read().splitlines()
    if len(lines) != 1:
        raise InvalidInput("Give the password on standard input, in one line.")
    return lines[0]


def _tell_roles(email: str, *, as_json: bool) -> None:
    user = by_hand.get_user_by_email(email)
    if as_json:
        click.echo(json.dumps(describe(user)))
        return
    words = {0: "no role", 1: f"the role {_names(user)}"}.get(len(user.roles), f"the roles {_names(user)}")
    click.echo(f"{user.email} has {words}.")


def _names(user: User) -> str:
    return ", ".join(sorted(role.name for role in user.roles))


def _state(user: User) -> str:
    if not user.active:
        return "closed"
    return "active" if user.confirmed_at is not None else "unconfirmed"


def _describe_entry(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.created_at.isoformat(),
        "actor": entry.actor_id or entry.actor_kind,
        "action": entry.action,
        "before": entry.before,
        "after": entry.after,
    }


def _change(entry: AuditEntry) -> str:
    return f"{json.dumps(entry.before)} → {json.dumps(entry.after)}"
