"""Whatever is replaced, planned, canceled and slept through: page, checkout and history say the same at every moment."""

from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app import clock
from app.catalog.models import Price
from app.catalog.price_history import list_periods, list_regular_periods
from app.catalog.price_plans import plan_price, stop_planned_price
from app.catalog.prices import PriceChanged, replace_price
from app.db import db
from app.errors import InvalidInput
from app.queue import run_sweeps
from tests.catalog.prices import charged, freeze, sell_cheaper, shown
from tests.conftest import MovableClock
from tests.factories import get_price, make_course

AMOUNTS = st.integers(1, 12).map(lambda dollars: dollars * 1000)
HOURS = st.integers(1, 48)
STEPS = st.one_of(
    st.tuples(st.just("replace"), AMOUNTS, HOURS),
    st.tuples(st.just("plan"), AMOUNTS, HOURS),
    st.tuples(st.just("sale"), AMOUNTS, HOURS),
    st.tuples(st.just("sale now"), AMOUNTS, HOURS),
    st.tuples(st.just("stop"), AMOUNTS, HOURS),
    st.tuples(st.just("sweep"), AMOUNTS, HOURS),
    st.tuples(st.just("wait"), AMOUNTS, HOURS),
)


def take(step: tuple[str, int, int], product_id: int, moving_clock: MovableClock) -> None:
    """One thing that staff, the worker or time does; what is refused changes nothing."""
    kind, amount, hours = step
    starts_in = hours / 24
    try:
        if kind == "replace":
            replace_price(product_id=product_id, unit_amount=amount, currency="usd")
        elif kind == "plan":
            starts_at = clock.now() + timedelta(hours=hours)
            plan_price(product_id=product_id, unit_amount=amount, currency="usd", starts_at=starts_at)
        elif kind.startswith("sale"):
            sell_cheaper(product_id, amount, days=0.5, starts_in=starts_in if kind == "sale" else None)
        elif kind == "stop":
            newest = select(Price.public_id).where(Price.product_id == product_id).order_by(Price.id.desc()).limit(1)
            stop_planned_price(product_id=product_id, price_public_id=db.session.scalars(newest).one())
        elif kind == "sweep":
            run_sweeps()
        else:
            moving_clock.advance(hours=hours)
    except (InvalidInput, PriceChanged):
        db.session.rollback()
    moving_clock.advance(minutes=1)


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12), looks=st.lists(st.integers(0, 240), min_size=4, max_size=4))
def test_page_checkout_and_history_agree_at_every_moment(
    app: Flask, moving_clock: MovableClock, steps: list[tuple[str, int, int]], looks: list[int]
) -> None:
    freeze(moving_clock)
    course = make_course(unit_amount=9000)
    product_id = get_price(course).product_id
    for step in steps:
        take(step, product_id, moving_clock)
        db.session.rollback()

    start = clock.now()
    for quarters in sorted(looks):
        moving_clock.freeze(start + timedelta(minutes=15 * quarters))
        prices = list(db.session.scalars(select(Price).where(Price.product_id == product_id).order_by(Price.id)))
        moment = clock.now()
        told = [
            each.price.unit_amount
            for each in list_periods(prices)
            if each.began_at <= moment and (each.ended_at is None or each.ended_at > moment)
        ]
        assert [shown(course)] == [charged(course)] == told
        # A sale never asks more than the price it stands over.
        beneath = [
            each.price.unit_amount
            for each in list_regular_periods(prices)
            if each.began_at <= moment and (each.ended_at is None or each.ended_at > moment)
        ]
        assert len(beneath) == 1
        assert told[0] <= beneath[0]
    run_sweeps()
    assert shown(course) == told[0]
