"""A bundle bought, refused where everything is owned, and given back; and a price that changes while somebody pays."""

from datetime import timedelta

import pytest
from sqlalchemy import select

import app.checkout.services as services_module
from app import clock
from app.catalog.bundle_edits import BundleEdit, get_edited_bundle, save_bundle
from app.catalog.models import Course, Price, Product
from app.catalog.price_plans import plan_price, plan_sale
from app.catalog.prices import replace_price
from app.checkout.errors import AlreadyEnrolled, NotOnSale
from app.checkout.refund_orders import refund_order
from app.checkout.refund_plans import RefundScope
from app.checkout.services import StartedCheckout
from app.db import db
from app.enrollment.services import list_open_course_ids
from tests.catalog.bundles import find_price_id, make_bundle
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import get_price, make_course, make_user


@pytest.fixture
def pair(shop: Shop) -> tuple[Course, Course]:
    return make_course(title="Alpha", unit_amount=9700), make_course(title="Beta", unit_amount=8000)


def open_ids(user_id: int) -> set[int]:
    db.session.rollback()
    return set(list_open_course_ids(user_id=user_id))


def give_back(started: StartedCheckout, amount: int) -> None:
    refund_order(
        order_public_id=started.order_public_id, request_key="test:1", scope=RefundScope(amount=amount), reason="Asked"
    )


def test_paying_opens_every_course_in_it(shop: Shop, pair: tuple[Course, Course]) -> None:
    make_bundle(*pair, unit_amount=15000)
    user = make_user()

    started = shop.begin(pair[0], user=user, price=find_price_id())
    shop.pay(started)
    shop.deliver_all()

    assert open_ids(user.id) == {course.id for course in pair}
    assert (shop.order(started).state, shop.order(started).total_amount) == ("paid", 15000)
    product = db.session.scalars(select(Product).where(Product.kind == "bundle")).one()
    price = db.session.scalars(select(Price).where(Price.product_id == product.id)).one()
    at_stripe = shop.stripe(f"/v1/prices/{price.stripe_price_id}")
    assert (at_stripe["unit_amount"], at_stripe["product"]) == (15000, product.stripe_product_id)


def test_a_refund_takes_all_of_it_but_what_another_grant_holds(shop: Shop, pair: tuple[Course, Course]) -> None:
    make_bundle(*pair)
    user = make_user()
    shop.buy(pair[1], user=user)
    started = shop.begin(pair[0], user=user, price=find_price_id())
    shop.pay(started)
    shop.deliver_all()
    assert open_ids(user.id) == {course.id for course in pair}

    give_back(started, 15000)
    shop.work()
    shop.deliver_all()

    assert shop.order(started).state == "refunded"
    assert open_ids(user.id) == {pair[1].id}


def test_who_has_all_of_it_cannot_buy_it_and_who_has_a_part_can(shop: Shop, pair: tuple[Course, Course]) -> None:
    make_bundle(*pair)
    some, everything = make_user(), make_user()
    shop.buy(pair[0], user=some)
    for course in pair:
        shop.buy(course, user=everything)

    started = shop.begin(pair[0], user=some, price=find_price_id())

    assert started.total_amount == 15000
    with pytest.raises(AlreadyEnrolled):
        shop.begin(pair[0], user=everything, price=find_price_id())


def test_what_was_bought_stays_when_the_bundle_changes(shop: Shop, pair: tuple[Course, Course]) -> None:
    public_id = make_bundle(*pair)
    user, third = make_user(), make_course()
    started = shop.begin(pair[0], user=user, price=find_price_id())
    edit = BundleEdit(title="Other", summary="", course_ids=(pair[1].id, third.id))
    save_bundle(public_id=public_id, version=get_edited_bundle(public_id=public_id).version, edit=edit)

    shop.pay(started)
    shop.deliver_all()

    assert open_ids(user.id) == {course.id for course in pair}


def test_a_session_opened_in_a_sale_keeps_its_price_and_the_next_has_the_old_one(
    shop: Shop, moving_clock: MovableClock
) -> None:
    course = make_course(unit_amount=9700)
    regular = get_price(course)
    sale = plan_sale(
        product_id=regular.product_id, unit_amount=7900, currency="usd", starts_at=None,
        ends_at=clock.now() + timedelta(minutes=2),
    ).public_id  # fmt: skip
    db.session.remove()
    in_sale, user = make_user(), make_user()
    started = shop.begin(course, user=in_sale, price=sale)

    moving_clock.advance(minutes=3)

    with pytest.raises(NotOnSale):
        shop.begin(course, user=user, price=sale)
    assert shop.begin(course, user=user, price=regular.public_id).total_amount == 9700
    shop.pay(started)
    shop.deliver_all()
    assert (shop.order(started).state, shop.order(started).total_amount) == ("paid", 7900)
    assert open_ids(in_sale.id) == {course.id}


def test_a_price_that_begins_between_look_and_write_is_not_charged_under_the_old_one(
    shop: Shop, moving_clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = make_course(unit_amount=9700)
    old = get_price(course)
    plan_price(
        product_id=old.product_id, unit_amount=11700, currency="usd", starts_at=clock.now() + timedelta(minutes=5)
    )
    db.session.remove()

    def quote_and_wait(*arguments: object, **values: object) -> object:
        found = real(*arguments, **values)
        moving_clock.advance(minutes=6)
        return found

    real = services_module.make_quote
    monkeypatch.setattr(services_module, "make_quote", quote_and_wait)

    with pytest.raises(NotOnSale):
        shop.begin(course, user=make_user(), price=old.public_id)

    assert db.session.scalar(select(Price.id).where(Price.stripe_price_id.is_not(None))) is None


def test_a_replaced_price_is_mirrored_beside_the_old_one(shop: Shop) -> None:
    course = make_course(unit_amount=9700)
    shop.buy(course, user=make_user())
    new = replace_price(product_id=get_price(course).product_id, unit_amount=11700, currency="usd").public_id
    db.session.remove()

    shop.begin(course, user=make_user(), price=new)

    db.session.rollback()
    rows = db.session.scalars(select(Price).order_by(Price.id)).all()
    at_stripe = [shop.stripe(f"/v1/prices/{row.stripe_price_id}") for row in rows]
    assert [(each["unit_amount"], each["lookup_key"].partition(":")[2]) for each in at_stripe] == [
        (row.unit_amount, row.public_id) for row in rows
    ]  # fmt: skip
    assert len({each["product"] for each in at_stripe}) == 1
