"""What every seed finds in the shop: courses in three currency exponents, scarce ones, a free one, and people.

Runs inside the zygote, once: brings the database up to date and fills it.
"""

from typing import Any

from flask import Flask, session
from flask_migrate import upgrade

from app.accounts.models import User
from app.accounts.sessions import sign_in
from app.catalog.promotion_codes import create_code
from app.config import Settings
from app.db import db
from tests.factories import get_price, make_course, make_user

USERS = 4
# Name, minor units, currency, seats (None: as many as are wanted).
COURSES = (
    ("dollar", 9700, "usd", None),
    ("euro", 4900, "eur", None),
    ("yen", 12500, "jpy", None),
    ("dinar", 45000, "kwd", None),
    ("last_seat", 19900, "usd", 1),
    ("two_seats", 15000, "eur", 2),
    ("free", 0, "usd", None),
)
# Code, its terms (catalog.promotion_codes.CodeTerms).
CODES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("HALF", {"percent_off": 50, "max_redemptions": 2}),
    ("LAST", {"percent_off": 20, "max_redemptions": 1}),
    ("ONCE", {"amount_off": 1000, "currency": "usd", "per_customer_limit": 1}),
    ("TEAM", {"percent_off": 50, "minimum_quantity": 3}),
    ("ALL", {"percent_off": 100, "max_redemptions": 2}),
)


def open_shopfront(app: Flask) -> dict[str, Any]:
    """Fills an empty database. Gives what buyers and the judge need to know of it."""
    with app.app_context():
        upgrade()
        people = [make_user() for _ in range(USERS)]
        courses = {name: _make(name, amount, currency, capacity) for name, amount, currency, capacity in COURSES}
        for code, terms in CODES:
            create_code(code, **terms)
        cookies = [_sign_in(app, user) for user in people]
        db.session.remove()
        _leave(app)
    return {
        "courses": courses,
        "codes": dict(CODES),
        "people": [
            {"email": user.email, "id": user.id, "cookie": cookie} for user, cookie in zip(people, cookies, strict=True)
        ],
    }


def _make(name: str, amount: int, currency: str, capacity: int | None) -> dict[str, Any]:
    course = make_course(
        unit_amount=amount, currency=currency, capacity=capacity, slug=name.replace("_", "-"), title=name
    )
    price = get_price(course)
    return {
        "slug": course.slug,
        "course_id": course.id,
        "price_id": price.public_id,
        "product_id": price.product_id,
        "amount": amount,
        "currency": currency,
        "capacity": capacity,
    }


def _sign_in(app: Flask, user: User) -> str:
    """The cookie of a browser in which this person has signed in."""
    settings: Settings = app.config["SETTINGS"]
    with app.test_request_context(base_url=settings.public_url):
        sign_in(user)
        response = app.make_response("")
        app.session_interface.save_session(app, session, response)
    return response.headers["Set-Cookie"].partition(";")[0]


def _leave(app: Flask) -> None:
    """Close every connection."""
    db.session.remove()
    db.engine.dispose()
    app.extensions["huey"].storage.close()
