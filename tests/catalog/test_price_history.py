"""What was charged when, the lowest price of the 30 days before a reduction, and which struck prices that proves."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.catalog.models import Price
from app.catalog.price_history import find_lowest, list_charged, list_periods
from app.catalog.price_plans import plan_price, plan_sale
from app.catalog.prices import replace_price, replace_seen_price
from app.catalog.services import get_course_page, list_courses
from app.db import db, transaction
from app.errors import InvalidInput
from tests.catalog.prices import freeze, sell_cheaper
from tests.conftest import MovableClock
from tests.factories import get_price, make_course
from tests.queries import count_queries

DAY = timedelta(days=1)


def read_prices() -> list[Price]:
    db.session.rollback()
    return list(db.session.scalars(select(Price).order_by(Price.id).execution_options(populate_existing=True)))


def strike(product_id: int, amount: int, struck: int) -> Price:
    """Replace the price in dollars, with another struck through."""
    seen = db.session.scalars(
        select(Price.public_id).where(Price.product_id == product_id, Price.status == "active", Price.kind == "regular")
    ).one()
    db.session.rollback()
    return replace_seen_price(
        product_id=product_id, unit_amount=amount, currency="usd", seen_price_id=seen, compare_at_amount=struck
    )


def test_the_history_tells_every_span_with_its_price(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    product_id = get_price(make_course(unit_amount=9700)).product_id
    sell_cheaper(product_id, 7900, starts_in=2, days=2)
    plan_price(product_id=product_id, unit_amount=12900, currency="usd", starts_at=moment + 10 * DAY)
    moving_clock.advance(days=3)
    replace_price(product_id=product_id, unit_amount=11700, currency="usd")

    periods = list_periods(read_prices())

    assert [(each.price.unit_amount, each.began_at - moment, each.ended_at) for each in periods] == [
        (9700, 0 * DAY, moment + 2 * DAY),
        (7900, 2 * DAY, moment + 4 * DAY),
        (11700, 4 * DAY, moment + 10 * DAY),
        (12900, 10 * DAY, None),
    ]


def test_the_lowest_price_is_of_the_thirty_days_before(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    product_id = get_price(make_course(unit_amount=9700)).product_id
    for days, amount in ((10, 5000), (20, 11700)):
        moving_clock.freeze(moment + days * DAY)
        replace_price(product_id=product_id, unit_amount=amount, currency="usd")

    periods = list_periods(read_prices())

    # 50.00 was charged from day 10 until day 20, the end left out: until day 50 it is the lowest.
    lowest = [find_lowest(periods, before=moment + days * DAY) for days in (0, 5, 10, 11, 49, 50, 51)]
    assert lowest == [None, 9700, 9700, 5000, 5000, 11700, 11700]
    assert list_charged(periods, before=moment + 20 * DAY) == [5000, 9700]


def test_what_a_sale_hid_all_the_time_was_not_charged(app: Flask, moving_clock: MovableClock) -> None:
    freeze(moving_clock)
    product_id = get_price(make_course(unit_amount=9700)).product_id
    moving_clock.advance(days=1)
    sell_cheaper(product_id, 7900, days=40)
    moving_clock.advance(days=40)

    with pytest.raises(InvalidInput) as refused:
        strike(product_id, 6900, 9700)

    assert refused.value.field == "compare_at_amount"
    assert refused.value.sentence == (
        "That price wasn’t charged in the 30 days before, so it can’t be shown struck. You can strike $79.00."
    )


@pytest.mark.parametrize(
    ("struck", "sentence"),
    [
        (14700, "That price wasn’t charged in the 30 days before, so it can’t be shown struck. You can strike $97.00."),
        (7900, "A struck price must be higher than the new one."),
    ],
)
def test_a_struck_price_that_nobody_paid_is_refused(app: Flask, struck: int, sentence: str) -> None:
    product_id = get_price(make_course(unit_amount=9700)).product_id

    with pytest.raises(InvalidInput) as refused:
        strike(product_id, 7900, struck)

    assert (refused.value.field, refused.value.sentence) == ("compare_at_amount", sentence)
    assert [each.unit_amount for each in read_prices()] == [9700]


def test_the_first_price_has_nothing_to_strike(app: Flask) -> None:
    product_id = get_price(make_course(unit_amount=9700)).product_id

    with pytest.raises(InvalidInput, match=r"Leave it empty: nothing higher was charged\."):
        replace_seen_price(
            product_id=product_id, unit_amount=7900, currency="eur", seen_price_id=None, compare_at_amount=9700
        )


def test_a_struck_price_stands_beside_the_lowest_of_thirty_days(app: Flask, moving_clock: MovableClock) -> None:
    freeze(moving_clock)
    course = make_course(unit_amount=9700)
    product_id = get_price(course).product_id
    moving_clock.advance(days=5)
    replace_price(product_id=product_id, unit_amount=14700, currency="usd")
    moving_clock.advance(days=5)
    strike(product_id, 11700, 14700)

    page, card = get_course_page(slug=course.slug).card.offer, list_courses().items[0].offer

    assert (page.unit_amount, page.struck_amount, page.lowest_amount) == (11700, 14700, 9700)
    assert card == page
    # The 30 days are those before the reduction began, however long it lasts.
    moving_clock.advance(days=90)
    assert get_course_page(slug=course.slug).card.offer == page


def test_a_planned_sale_strikes_only_what_was_charged_by_then(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    course = make_course(unit_amount=9700)
    product_id = get_price(course).product_id
    plan_sale(
        product_id=product_id, unit_amount=5900, currency="usd", starts_at=moment + 60 * DAY,
        ends_at=moment + 67 * DAY, compare_at_amount=9700,
    )  # fmt: skip
    moving_clock.freeze(moment + 10 * DAY)
    replace_price(product_id=product_id, unit_amount=7900, currency="usd")

    moving_clock.freeze(moment + 60 * DAY)

    offer = get_course_page(slug=course.slug).card.offer
    assert (offer.unit_amount, offer.struck_amount, offer.lowest_amount) == (5900, None, None)


def test_a_claim_that_the_history_does_not_prove_is_never_shown(app: Flask) -> None:
    course = make_course(unit_amount=9700)
    with transaction() as session:
        session.get_one(Price, get_price(course).id).compare_at_amount = 19900

    offer = get_course_page(slug=course.slug).card.offer

    assert (offer.unit_amount, offer.struck_amount, offer.lowest_amount) == (9700, None, None)


def test_proving_takes_one_query_however_many_courses_are_struck(app: Flask, moving_clock: MovableClock) -> None:
    freeze(moving_clock)
    product_ids = [get_price(make_course(unit_amount=9700)).product_id for _ in range(5)]
    moving_clock.advance(days=1)
    with count_queries() as plain:
        list_courses()
    strike(product_ids[0], 7900, 9700)
    with count_queries() as with_one:
        list_courses()
    for product_id in product_ids[1:]:
        strike(product_id, 7900, 9700)

    with count_queries() as with_five:
        found = list_courses()

    assert [card.offer.struck_amount for card in found.items] == [9700] * 5
    assert len(with_five) == len(with_one) == len(plain) + 1
