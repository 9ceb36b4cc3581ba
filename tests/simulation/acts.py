"""What the shop does when somebody inside it says so, beside its command line. Each runs in a child of the zygote.

Prints what its asker wants to know. Exit code 3: the shop refused and stored nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from flask import Flask
from flask.cli import ScriptInfo
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from app.checkout.apply import close_unpaid
from app.checkout.models import CheckoutAttempt, Order
from app.checkout.refund_orders import refund_order
from app.checkout.refund_plans import RefundScope
from app.checkout.sessions import add_attempt, open_session
from app.checkout.settle import OPEN_STATES, lock_order
from app.db import db, transaction
from app.errors import AppError

REFUSED = 3


def command(app: Flask, *, arguments: Sequence[str]) -> None:
    """One command of the shop's command line."""
    app.cli.main(args=list(arguments), obj=ScriptInfo(create_app=lambda: app), prog_name="flask")


def refund(app: Flask, *, order: str, key: str, amount: int | None, seats: Sequence[int]) -> None:
    """The use case behind `flask orders refund` and the back office."""
    scope = RefundScope(amount=amount, seats=tuple(seats))
    with app.app_context(), _refusals():
        refund_order(order_public_id=order, request_key=key, scope=scope, reason="The simulator asks.")


def give_up(app: Flask, *, order: str) -> None:
    """An order is closed though it can still be paid, as after a wrong verdict: what it held goes to others (P3)."""
    with app.app_context():
        order_id = _find_order(order).id
        with transaction():
            found = lock_order(order_id)
            if found.state not in OPEN_STATES:
                raise SystemExit(REFUSED)
            close_unpaid(found, state="expired")


def open_again(app: Flask, *, order: str) -> None:
    """A second payable session of an order, as two tabs may have had before one was closed (P4). Prints its id."""
    with app.app_context(), _refusals():
        found = _find_order(order)
        with transaction() as session:
            tries = session.scalar(select(func.count()).where(CheckoutAttempt.order_id == found.id)) or 0
            add_attempt(session.get_one(Order, found.id), number=tries + 1)
        print(open_session(order_id=found.id).stripe_checkout_session_id)  # noqa: T201 - the answer


ACTS: dict[str, Callable[..., None]] = {
    "command": command,
    "refund": refund,
    "give_up": give_up,
    "open_again": open_again,
}


def _find_order(public_id: str) -> Order:
    found = db.session.scalars(
        select(Order).where(Order.public_id == public_id).options(selectinload(Order.items))
    ).one()
    db.session.rollback()
    return found


@contextmanager
def _refusals() -> Iterator[None]:
    """Turns the shop's refusals into an exit code, their names into output."""
    try:
        yield
    except AppError as error:
        print(error.code)  # noqa: T201 - the answer
        raise SystemExit(REFUSED) from error
