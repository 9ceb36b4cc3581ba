"""Tax that Stripe works out and invoices that Stripe makes, where the shop turns them on."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from app.checkout.models import Finding, Order
from app.checkout.orders import find_order_by_public_id
from app.checkout.reconcile_orders import heal_order
from app.config import Settings
from app.db import db, transaction
from app.enrollment.services import list_open_course_ids
from tests.accounts.people import Browser, make_person
from tests.checkout.conftest import Shop
from tests.factories import make_course, make_user


@pytest.fixture
def settings_of(shop: Shop) -> Iterator[Any]:
    before: Settings = shop.app.config["SETTINGS"]

    def change(**values: Any) -> None:
        shop.app.config["SETTINGS"] = replace(before, **values)

    yield change
    shop.app.config["SETTINGS"] = before


def buy(shop: Shop, **pay: Any) -> tuple[Any, Any]:
    user, course = make_user(), make_course(unit_amount=10_000)
    started = shop.begin(course, user=user)
    shop.pay(started, **pay)
    shop.deliver_all()
    return shop.order(started), (user, course)


def test_tax_on_top_is_charged_recorded_and_no_mismatch(shop: Shop, settings_of: Any) -> None:
    settings_of(is_tax_enabled=True, tax_behavior="exclusive")

    order, (user, course) = buy(shop, country="DE", postal_code="10115")

    assert (order.state, order.total_amount, order.tax_amount, order.is_tax_included) == ("paid", 10_000, 1900, False)
    assert order.charged_amount == 11_900
    assert list_open_course_ids(user_id=user.id) == {course.id}
    view = find_order_by_public_id(order.public_id)
    assert view is not None
    assert (view.total_amount, view.tax_amount) == (11_900, 1900)


def test_tax_inside_the_price_leaves_the_total_as_shown(shop: Shop, settings_of: Any) -> None:
    settings_of(is_tax_enabled=True, tax_behavior="inclusive")

    order, _ = buy(shop, country="DE", postal_code="10115")

    assert (order.state, order.tax_amount, order.is_tax_included) == ("paid", 1597, True)
    assert order.charged_amount == 10_000


def test_company_abroad_with_a_tax_number_pays_no_tax(shop: Shop, settings_of: Any) -> None:
    settings_of(is_tax_enabled=True, tax_behavior="exclusive", collects_tax_ids=True)

    order, _ = buy(shop, country="FR", postal_code="75001", tax_id="FRAB123456789")

    assert (order.state, order.tax_amount, order.charged_amount) == ("paid", 0, 10_000)


def test_less_than_the_order_says_is_never_granted_whatever_is_called_tax(shop: Shop, settings_of: Any) -> None:
    settings_of(is_tax_enabled=True, tax_behavior="exclusive")
    user, course = make_user(), make_course(unit_amount=10_000)
    started = shop.begin(course, user=user)
    shop.pay(started, country="DE", postal_code="10115")
    with transaction() as session:
        order = session.get_one(type(shop.order(started)), shop.order(started).id)
        # 119.00 were charged; neither that nor 100.00 is what this order asks for.
        order.total_amount, order.subtotal_amount = 20_000, 20_000

    shop.deliver_all()

    assert shop.order(started).state == "pending"
    assert list_open_course_ids(user_id=user.id) == set()
    assert db.session.scalars(select(Finding.kind)).all() == ["amount_mismatch"]


def test_refund_of_everything_returns_the_tax_too(shop: Shop, settings_of: Any) -> None:
    settings_of(is_tax_enabled=True, tax_behavior="exclusive")
    order, (user, _) = buy(shop, country="DE", postal_code="10115")

    shop.control(f"/refund/{order.stripe_payment_intent_id}", {"amount": 11_900})
    shop.deliver_all()

    view = find_order_by_public_id(order.public_id)
    assert view is not None
    assert (view.state, view.refunded_amount) == ("refunded", 11_900)
    assert list_open_course_ids(user_id=user.id) == set()


def test_invoice_of_stripe_is_linked_for_its_buyer_and_nobody_else(shop: Shop, settings_of: Any) -> None:
    settings_of(makes_invoices=True)
    maya = make_person("maya@example.org")
    make_person("noah@example.org")
    course = make_course(unit_amount=10_000)
    started = shop.begin(course, user=maya)
    shop.pay(started)
    shop.deliver_all()
    order = shop.order(started)
    assert order.stripe_invoice_id is not None
    owner, stranger = Browser(shop.app), Browser(shop.app)
    owner.sign_in("maya@example.org")
    stranger.sign_in("noah@example.org")
    address = f"/account/orders/{order.public_id}/invoice"

    answer = owner.get(address)

    invoice = shop.stripe(f"/v1/invoices/{order.stripe_invoice_id}")
    assert (answer.status_code, answer.headers["Location"]) == (303, invoice["invoice_pdf"])
    assert invoice["metadata"]["order"] == order.public_id
    assert address in owner.get(f"/account/orders/{order.public_id}").text
    assert stranger.get(address).status_code == 404
    assert Browser(shop.app).get(address).status_code in {302, 303}


def test_shop_that_makes_no_invoices_offers_none(shop: Shop) -> None:
    maya = make_person("maya@example.org")
    started = shop.begin(make_course(), user=maya)
    shop.pay(started)
    shop.deliver_all()
    owner = Browser(shop.app)
    owner.sign_in("maya@example.org")

    assert owner.get(f"/account/orders/{started.order_public_id}/invoice").status_code == 404
    assert "Invoice PDF" not in owner.get(f"/account/orders/{started.order_public_id}").text


def test_the_buyers_country_is_kept_for_the_tax_report(shop: Shop, settings_of: Any) -> None:
    settings_of(is_tax_enabled=True)

    order, _ = buy(shop, country="DE", postal_code="10115")

    assert order.country == "DE"


def test_an_older_orders_country_is_filled_in_by_the_reconciler(shop: Shop, settings_of: Any) -> None:
    settings_of(is_tax_enabled=True)
    order, _ = buy(shop, country="SE", postal_code="11122")
    with transaction() as session:
        session.execute(update(Order).values(country=None))

    outcome = heal_order(order.id)

    assert outcome is not None
    assert outcome.difference is not None
    assert (outcome.result, outcome.difference.columns) == ("healed", ("country",))
    db.session.rollback()
    assert db.session.scalars(select(Order.country)).one() == "SE"
    assert heal_order(order.id) is None
