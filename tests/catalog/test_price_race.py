"""Two admins replace the same price at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from flask import Flask
from sqlalchemy import select

from app.catalog.models import Price
from app.catalog.services import replace_price
from app.db import db
from tests.factories import get_price, make_course


def test_two_new_prices_at_once_leave_one_in_force(app: Flask) -> None:
    product_id = get_price(make_course(unit_amount=100)).product_id
    db.session.rollback()
    amounts = [200, 300, 400, 500]
    gate = Barrier(len(amounts))

    def replace(amount: int) -> None:
        with app.app_context():
            gate.wait()
            replace_price(product_id=product_id, unit_amount=amount, currency="usd")

    with ThreadPoolExecutor(len(amounts)) as pool:
        list(pool.map(replace, amounts))

    rows = db.session.execute(select(Price.unit_amount, Price.status).order_by(Price.id)).all()
    assert sorted(row.unit_amount for row in rows) == [100, 200, 300, 400, 500]
    assert [row.status for row in rows] == ["retired"] * 4 + ["active"]
