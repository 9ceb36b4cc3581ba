"""Two admins change the same price at once: one effect, and the others are told. Each race has a control beside it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.catalog.models import Price
from app.catalog.price_plans import plan_sale, stop_planned_price, write_due_prices_of
from app.catalog.prices import list_prices, replace_price, replace_seen_price
from app.db import db
from tests.catalog.prices import freeze, price_actions, rows
from tests.conftest import MovableClock
from tests.factories import get_price, make_course
from tests.races import Pause, kinds, run_at_once

AMOUNTS = (20000, 30000, 40000, 50000)


def test_two_new_prices_at_once_leave_one_in_force(app: Flask) -> None:
    product_id = get_price(make_course(unit_amount=10000)).product_id
    db.session.rollback()

    run_at_once(app, *(
        lambda amount=amount: replace_price(product_id=product_id, unit_amount=amount, currency="usd")
        for amount in AMOUNTS
    ))  # fmt: skip

    assert sorted(amount for amount, _, _ in rows()) == [10000, *AMOUNTS]
    assert [status for _, _, status in rows()] == ["retired"] * 4 + ["active"]


def replacing(seen: Price, amount: int) -> Callable[[], Any]:
    return lambda: replace_seen_price(
        product_id=seen.product_id, unit_amount=amount, currency="usd", seen_price_id=seen.public_id
    )


def test_of_four_who_replace_the_price_they_saw_one_does(app: Flask) -> None:
    seen = get_price(make_course(unit_amount=10000))
    db.session.rollback()

    outcomes = run_at_once(app, *(replacing(seen, amount) for amount in AMOUNTS))

    assert kinds(outcomes) == {"Price": 1, "PriceChanged": 3}
    assert [status for _, _, status in rows()] == ["retired", "active"]
    assert [action for action, _ in price_actions()] == ["price.replaced"]


def test_control_a_look_before_the_write_lets_all_four_replace_it(app: Flask) -> None:
    seen = get_price(make_course(unit_amount=10000))
    db.session.rollback()
    pause = Pause(len(AMOUNTS))

    def look_then_write(amount: int) -> Price:
        active = db.session.scalar(select(Price.public_id).where(Price.status == "active"))
        db.session.rollback()
        assert active == seen.public_id
        pause.wait()
        return replace_price(product_id=seen.product_id, unit_amount=amount, currency="usd")

    outcomes = run_at_once(app, *(lambda amount=amount: look_then_write(amount) for amount in AMOUNTS))

    assert kinds(outcomes) == {"Price": 4}
    assert len(rows()) == 5


def test_the_same_button_four_times_is_one_price(app: Flask) -> None:
    seen = get_price(make_course(unit_amount=10000))
    db.session.rollback()

    outcomes = run_at_once(app, *(replacing(seen, 11700) for _ in range(4)))

    assert kinds(outcomes) == {"Price": 4}
    assert rows() == [(10000, "regular", "retired"), (11700, "regular", "active")]


def test_of_four_first_prices_in_a_currency_one_is_made(app: Flask) -> None:
    product_id = get_price(make_course(unit_amount=10000)).product_id
    db.session.rollback()

    outcomes = run_at_once(app, *(
        lambda amount=amount: replace_seen_price(
            product_id=product_id, unit_amount=amount, currency="eur", seen_price_id=None
        )
        for amount in AMOUNTS
    ))  # fmt: skip

    assert kinds(outcomes) == {"Price": 1, "PriceChanged": 3}
    assert len(rows(currency="eur")) == 1


def planning(product_id: int, day: int) -> Callable[[], Any]:
    """Windows of ten days that all hold day 10."""
    begin = clock.now() + timedelta(days=day)
    return lambda: plan_sale(
        product_id=product_id, unit_amount=5000 + day, currency="usd", starts_at=begin,
        ends_at=begin + timedelta(days=10),
    )  # fmt: skip


def test_of_four_sales_that_overlap_one_is_planned(app: Flask, moving_clock: MovableClock) -> None:
    freeze(moving_clock)
    product_id = get_price(make_course(unit_amount=10000)).product_id
    db.session.rollback()

    outcomes = run_at_once(app, *(planning(product_id, day) for day in (2, 4, 6, 8)))

    assert kinds(outcomes) == {"Price": 1, "InvalidInput": 3}
    assert len(rows(kind="sale")) == 1


def test_control_a_look_before_the_lock_lets_sales_overlap(
    app: Flask, moving_clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody looks at the other windows before anybody writes: what a check without the product's lock would do."""
    freeze(moving_clock)
    product_id = get_price(make_course(unit_amount=10000)).product_id
    db.session.rollback()
    pause = Pause(4)
    monkeypatch.setattr("app.catalog.price_plans.list_prices", lambda *_: pause.seen.prices)

    def look_then_plan(day: int) -> Price:
        pause.seen.prices = list_prices(db.session(), product_id, "usd")
        db.session.expunge_all()
        db.session.rollback()
        pause.wait()
        made: Price = planning(product_id, day)()
        return made

    outcomes = run_at_once(app, *(lambda day=day: look_then_plan(day) for day in (2, 4, 6, 8)))

    assert kinds(outcomes) == {"Price": 4}
    assert len(rows(kind="sale")) == 4


def test_workers_and_admins_write_down_a_change_once(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    product_id = get_price(make_course(unit_amount=10000)).product_id
    sale = planning(product_id, 1)()
    public_id = sale.public_id
    db.session.rollback()
    moving_clock.freeze(moment + timedelta(days=2))

    outcomes = run_at_once(
        app,
        *(lambda: write_due_prices_of(product_id=product_id) for _ in range(3)),
        *(lambda: stop_planned_price(product_id=product_id, price_public_id=public_id) for _ in range(2)),
    )

    assert kinds(outcomes) == {"NoneType": 3, "Price": 1, "PriceChanged": 1}
    assert [action for action, _ in price_actions()] == ["price.sale_planned", "price.began", "price.sale_ended"]
