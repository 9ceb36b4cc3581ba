"""Prices planned ahead: the price shown is the price charged in the very second of a change, worker or not."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.catalog.models import Price
from app.catalog.price_plans import list_due_product_ids, plan_price, plan_sale, stop_planned_price
from app.catalog.prices import PriceChanged, replace_price, withdraw_currency
from app.catalog.services import get_course_page, list_courses
from app.catalog.stock import list_course_stock
from app.db import db
from app.errors import InvalidInput, NotFound
from app.queue import run_sweeps
from tests.catalog.prices import charged, freeze, is_sold, price_actions, rows, sell_cheaper, shown
from tests.conftest import MovableClock
from tests.factories import get_price, make_course
from tests.shop import course_text, load_course

SECOND = timedelta(seconds=1)


def test_a_planned_price_counts_from_its_second_on_before_any_worker(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    course = make_course(unit_amount=9700)
    old = get_price(course)
    plan = plan_price(
        product_id=old.product_id, unit_amount=11700, currency="usd", starts_at=moment + timedelta(days=1)
    )
    new = plan.public_id

    moving_clock.freeze(moment + timedelta(days=1) - SECOND)
    assert (shown(course), charged(course), is_sold(new)) == (9700, 9700, False)
    moving_clock.freeze(moment + timedelta(days=1))

    assert (shown(course), charged(course), is_sold(old.public_id)) == (11700, 11700, False)
    assert [card.offer.unit_amount for card in list_courses(price="paid", sort="price").items] == [11700]
    assert [row.prices for row in list_course_stock()] == [((11700, "usd"),)]
    # The worker comes an hour late, and writes down the planned moment.
    moving_clock.freeze(moment + timedelta(days=1, hours=1))
    run_sweeps()
    assert rows() == [(9700, "regular", "retired"), (11700, "regular", "active")]
    planned_for = moment + timedelta(days=1)
    assert list(db.session.execute(select(Price.activated_at, Price.retired_at).order_by(Price.id))) == [
        (moment, planned_for), (planned_for, None),
    ]  # fmt: skip
    assert price_actions() == [("price.planned", "system"), ("price.began", "system")]
    assert (shown(course), list_due_product_ids()) == (11700, [])


def test_a_sale_comes_and_the_former_price_comes_back_by_itself(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    course = make_course(unit_amount=9700)
    product_id = get_price(course).product_id
    sale = sell_cheaper(product_id, 7900, starts_in=1, days=2)

    seen = []
    for days in (1, 3):
        for step in (-SECOND, timedelta()):
            moving_clock.freeze(moment + timedelta(days=days) + step)
            seen.append((shown(course), charged(course), is_sold(sale.public_id)))

    assert seen == [(9700, 9700, False), (7900, 7900, True), (7900, 7900, True), (9700, 9700, False)]
    # A worker that slept through all of it writes both down.
    run_sweeps()
    assert rows() == [(9700, "regular", "active"), (7900, "sale", "retired")]
    assert [action for action, _ in price_actions()] == ["price.sale_planned", "price.began", "price.sale_ended"]


def test_what_replaces_the_price_during_a_sale_is_what_comes_back(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    course = make_course(unit_amount=9700)
    product_id = get_price(course).product_id
    sell_cheaper(product_id, 7900, days=2)
    moving_clock.advance(days=1)

    replace_price(product_id=product_id, unit_amount=11700, currency="usd")

    assert shown(course) == 7900
    moving_clock.freeze(moment + timedelta(days=2))
    assert (shown(course), charged(course)) == (11700, 11700)


def test_several_changes_that_nobody_wrote_down_count_in_their_order(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    course = make_course(unit_amount=9700)
    product_id = get_price(course).product_id
    for day, amount in ((2, 12900), (1, 11700)):
        plan_price(product_id=product_id, unit_amount=amount, currency="usd", starts_at=moment + timedelta(days=day))
    sell_cheaper(product_id, 5000, starts_in=0.5, days=1)
    sell_cheaper(product_id, 6000, starts_in=1.5, days=0.25)

    seen = []
    for hours in (0, 12, 24, 35, 36, 42, 48):
        moving_clock.freeze(moment + timedelta(hours=hours))
        seen.append(charged(course))

    assert seen == [9700, 5000, 5000, 5000, 6000, 11700, 12900]
    replace_price(product_id=product_id, unit_amount=13900, currency="usd")
    assert shown(course) == 13900
    assert rows() == [
        (9700, "regular", "retired"), (12900, "regular", "retired"), (11700, "regular", "retired"),
        (5000, "sale", "retired"), (6000, "sale", "retired"), (13900, "regular", "active"),
    ]  # fmt: skip


def test_a_plan_in_one_currency_leaves_the_others_alone(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    course = make_course(unit_amount=9700)
    product_id = get_price(course).product_id
    replace_price(product_id=product_id, unit_amount=14800, currency="jpy")
    replace_price(product_id=product_id, unit_amount=29500, currency="kwd")
    plan_sale(
        product_id=product_id, unit_amount=9800, currency="jpy", starts_at=None, ends_at=moment + timedelta(days=1)
    )

    page = get_course_page(slug=course.slug)

    assert page.card.offer.unit_amount == 9700
    assert [(each.unit_amount, each.currency) for each in page.other_prices] == [(9800, "jpy"), (29500, "kwd")]


def test_windows_that_overlap_are_refused_and_those_that_touch_are_not(app: Flask, moving_clock: MovableClock) -> None:
    freeze(moving_clock)
    product_id = get_price(make_course(unit_amount=9700)).product_id
    sell_cheaper(product_id, 7900, starts_in=2, days=2)

    for starts_in, days in ((None, 3), (1, 2), (3, 5), (2.5, 0.5), (1, 9)):
        with pytest.raises(InvalidInput) as refused:
            sell_cheaper(product_id, 6900, starts_in=starts_in, days=days)
        assert refused.value.field == "starts_at"
        assert refused.value.sentence.startswith("A sale at $79.00 is planned from ")
        assert refused.value.sentence.endswith(" Cancel that one first, or choose other days.")
    sell_cheaper(product_id, 6900, starts_in=4, days=1)
    sell_cheaper(product_id, 5900, starts_in=1, days=1)

    assert [amount for amount, kind, _ in rows() if kind == "sale"] == [7900, 6900, 5900]


def test_the_same_plan_sent_twice_is_one(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    product_id = get_price(make_course(unit_amount=9700)).product_id
    plan = {"product_id": product_id, "currency": "usd", "starts_at": moment + timedelta(days=30)}

    twice = [plan_price(unit_amount=11700, **plan).id for _ in range(2)]
    sales = [sell_cheaper(product_id, 7900, days=1).id for _ in range(2)]

    assert (len(set(twice)), len(set(sales)), len(rows())) == (1, 1, 3)
    with pytest.raises(InvalidInput, match=r"A change to \$117.00 is planned for that moment"):
        plan_price(unit_amount=12700, **plan)


@pytest.mark.parametrize(
    ("amount", "field", "sentence"),
    [
        (9700, "unit_amount", "A sale must be below the regular price, which is $97.00 in that time."),
        (49, "unit_amount", "A price must be 0 or at least $0.50: cards take nothing smaller."),
    ],
)
def test_a_sale_that_is_none_is_refused(app: Flask, amount: int, field: str, sentence: str) -> None:
    product_id = get_price(make_course(unit_amount=9700)).product_id

    with pytest.raises(InvalidInput) as refused:
        sell_cheaper(product_id, amount)

    assert (refused.value.field, refused.value.sentence) == (field, sentence)
    assert rows() == [(9700, "regular", "active")]


def test_times_that_make_no_sense_are_refused(app: Flask) -> None:
    product_id = get_price(make_course(unit_amount=9700)).product_id
    now = clock.now()
    terms = {"product_id": product_id, "unit_amount": 7900, "currency": "usd"}

    for field, plan in (
        ("starts_at", lambda: plan_price(starts_at=now - SECOND, **terms)),
        ("starts_at", lambda: plan_price(starts_at=now + timedelta(days=900), **terms)),
        ("ends_at", lambda: plan_sale(starts_at=None, ends_at=now - SECOND, **terms)),
        ("ends_at", lambda: plan_sale(starts_at=now + timedelta(days=2), ends_at=now + timedelta(days=1), **terms)),
    ):
        with pytest.raises(InvalidInput) as refused:
            plan()
        assert refused.value.field == field
    with pytest.raises(InvalidInput, match="no regular price at that time"):
        plan_sale(**{**terms, "currency": "eur"}, starts_at=None, ends_at=now + timedelta(days=1))
    with pytest.raises(NotFound):
        plan_price(**{**terms, "product_id": 987_654}, starts_at=now + timedelta(days=1))


def test_a_regular_price_never_falls_to_a_sale_that_runs_or_is_planned(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    product_id = get_price(make_course(unit_amount=9700)).product_id
    sell_cheaper(product_id, 7900, starts_in=10, days=2)

    with pytest.raises(InvalidInput, match=r"The sale until .* asks \$79.00") as refused:
        replace_price(product_id=product_id, unit_amount=7900, currency="usd")
    assert refused.value.field == "unit_amount"
    with pytest.raises(InvalidInput, match=r"asks \$79.00"):
        plan_price(product_id=product_id, unit_amount=5000, currency="usd", starts_at=moment + timedelta(days=11))

    plan_price(product_id=product_id, unit_amount=5000, currency="usd", starts_at=moment + timedelta(days=12))
    assert len(rows()) == 3


def test_what_is_planned_can_be_canceled_and_a_sale_ended_once(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    course = make_course(unit_amount=9700)
    product_id = get_price(course).product_id
    plan = plan_price(product_id=product_id, unit_amount=11700, currency="usd", starts_at=moment + timedelta(days=9))
    sale = sell_cheaper(product_id, 7900, days=2)
    moving_clock.advance(days=1)

    for price in (plan, sale):
        stop_planned_price(product_id=product_id, price_public_id=price.public_id)
        with pytest.raises(PriceChanged):
            stop_planned_price(product_id=product_id, price_public_id=price.public_id)

    assert (shown(course), is_sold(sale.public_id)) == (9700, False)
    moving_clock.advance(days=30)
    assert (shown(course), run_sweeps()) == (9700, 0)
    assert [action for action, _ in price_actions()][-2:] == ["price.plan_canceled", "price.sale_ended"]
    with pytest.raises(PriceChanged):
        stop_planned_price(product_id=product_id, price_public_id=get_price(course).public_id)
    with pytest.raises(NotFound):
        stop_planned_price(product_id=product_id, price_public_id="prc_none")


def test_a_planned_price_that_a_sale_needs_is_not_canceled(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    product_id = get_price(make_course(unit_amount=5000)).product_id
    plan = plan_price(product_id=product_id, unit_amount=9700, currency="usd", starts_at=moment + timedelta(days=2))
    sale = sell_cheaper(product_id, 7900, starts_in=3, days=1).public_id

    with pytest.raises(InvalidInput, match=r"The sale at \$79\.00 until .* needs this price over it"):
        stop_planned_price(product_id=product_id, price_public_id=plan.public_id)

    assert rows()[1] == (9700, "regular", "scheduled")
    stop_planned_price(product_id=product_id, price_public_id=sale)
    stop_planned_price(product_id=product_id, price_public_id=plan.public_id)
    assert rows() == [(5000, "regular", "active"), (9700, "regular", "retired"), (7900, "sale", "retired")]


def test_a_planned_price_that_has_begun_cannot_be_canceled(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    course = make_course(unit_amount=9700)
    product_id = get_price(course).product_id
    plan = plan_price(product_id=product_id, unit_amount=11700, currency="usd", starts_at=moment + timedelta(days=1))
    moving_clock.freeze(moment + timedelta(days=1))

    with pytest.raises(PriceChanged):
        stop_planned_price(product_id=product_id, price_public_id=plan.public_id)

    assert shown(course) == 11700


def test_a_currency_that_is_withdrawn_takes_its_sale_and_plans_along(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    course = make_course(unit_amount=9700)
    product_id = get_price(course).product_id
    euros = replace_price(product_id=product_id, unit_amount=8900, currency="eur")
    terms = {"product_id": product_id, "currency": "eur"}
    plan_price(unit_amount=9900, starts_at=moment + timedelta(days=20), **terms)
    plan_sale(unit_amount=5900, starts_at=None, ends_at=moment + timedelta(days=2), **terms)

    with pytest.raises(PriceChanged):
        withdraw_currency(product_id=product_id, currency="eur", seen_price_id="prc_other")
    withdraw_currency(product_id=product_id, currency="eur", seen_price_id=euros.public_id)

    assert {status for _, _, status in rows(currency="eur")} == {"retired"}
    assert (shown(course), get_course_page(slug=course.slug).other_prices) == (9700, ())
    moving_clock.advance(days=30)
    assert (shown(course), get_course_page(slug=course.slug).other_prices) == (9700, ())


def test_a_file_names_the_regular_price_and_leaves_a_sale_alone(app: Flask, moving_clock: MovableClock) -> None:
    freeze(moving_clock)
    load_course(course_text(prices="[20.00 USD, 18.00 EUR]"))
    product_id = db.session.query(Price).first().product_id
    sell_cheaper(product_id, 1500, days=2)

    load_course(course_text(prices="[20.00 USD, 18.00 EUR]"))
    assert rows(currency="usd") == [(2000, "regular", "active"), (1500, "sale", "active")]
    load_course(course_text(prices="[25.00 USD, 18.00 EUR]"))
    assert get_course_page(slug="small-course").card.offer.unit_amount == 1500
    with pytest.raises(InvalidInput, match=r"asks \$15.00"):
        load_course(course_text(prices="[9.00 USD, 18.00 EUR]"))
    load_course(course_text(prices="[18.00 EUR]"))

    offer = get_course_page(slug="small-course").card.offer
    assert (offer.unit_amount, offer.currency) == (1800, "eur")
    assert {status for _, _, status in rows(currency="usd")} == {"retired"}


def test_a_file_replaces_what_a_plan_has_put_in_force(app: Flask, moving_clock: MovableClock) -> None:
    moment = freeze(moving_clock)
    load_course(course_text(prices="[20.00 USD]"))
    product_id = db.session.query(Price).first().product_id
    plan_price(product_id=product_id, unit_amount=3000, currency="usd", starts_at=moment + timedelta(days=1))
    moving_clock.advance(days=2)

    load_course(course_text(prices="[30.00 USD]", title="Another"))
    load_course(course_text(prices="[35.00 USD]", title="Another"))

    assert rows() == [
        (2000, "regular", "retired"), (3000, "regular", "retired"), (3500, "regular", "active"),
    ]  # fmt: skip
