"""What the session cookie remembers of a browser: its random key, and the orders it began."""

import secrets

from flask import request, session

from app.accounts.seeing import is_seeing_as_other
from app.checkout.orders import OrderView

BROWSER_KEY = "browser"
ORDERS_KEY = "orders"
MOST_ORDERS = 10


def has_browser_key() -> bool:
    """Whether this browser has been here for a purchase before."""
    return BROWSER_KEY in session


def get_browser_key() -> str:
    """The browser's random key, made on first use."""
    if BROWSER_KEY not in session:
        session[BROWSER_KEY] = secrets.token_urlsafe(18)
        session.permanent = True
    return str(session[BROWSER_KEY])


def remember_order(public_id: str) -> None:
    """Let this browser see the order it began."""
    orders = [each for each in list_browser_orders() if each != public_id]
    session[ORDERS_KEY] = [*orders, public_id][-MOST_ORDERS:]
    session.permanent = True


def began_here(order: OrderView) -> bool:
    """Whether this browser began the order, and it has not moved to another address since."""
    return order.link_version == 1 and order.public_id in list_browser_orders()


def list_browser_orders() -> list[str]:
    """Public ids of the orders that this browser began; [] without touching the session when no cookie was sent.

    What staff bought in this browser is not what the learner sees as whom they look.
    """
    if not request.cookies or is_seeing_as_other():
        return []
    orders = session.get(ORDERS_KEY, [])
    return [str(each) for each in orders] if isinstance(orders, list) else []
