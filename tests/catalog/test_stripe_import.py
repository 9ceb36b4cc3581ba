"""Products of a Stripe account from before, taken over as drafts that are sold under Stripe's own ids."""

from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.audit import AuditEntry
from app.catalog.models import Category, Course, Price, Product, ProductCourse
from app.catalog.stripe_import import ImportRow, import_products, plan_import
from app.checkout.mirror_sync import compare_with_stripe
from app.db import db, transaction
from app.payments.gateway import PaymentUnavailable
from tests.checkout.conftest import Shop, shop
from tests.factories import make_course
from tests.ops.conftest import post_to_stripe
from tests.races import run_at_once

__all__ = ["shop"]


def add_product(shop: Shop, name: str, *prices: dict[str, Any], **more: Any) -> tuple[str, list[str]]:
    product_id = str(post_to_stripe(shop, "/v1/products", name=name, **more)["id"])
    made = [post_to_stripe(shop, "/v1/prices", product=product_id, **price)["id"] for price in prices]
    return product_id, [str(each) for each in made]


def usd(amount: int, **more: Any) -> dict[str, Any]:
    return {"currency": "usd", "unit_amount": amount, **more}


def plan_of(product_id: str) -> ImportRow:
    db.session.rollback()
    return next(row for row in plan_import().rows if row.stripe_product_id == product_id)


def list_products() -> list[tuple[str, str, str | None, list[tuple[int, str, str | None]]]]:
    db.session.rollback()
    found = []
    for product in db.session.scalars(select(Product).order_by(Product.id)):
        prices = db.session.scalars(select(Price).where(Price.product_id == product.id).order_by(Price.currency))
        rows = [(price.unit_amount, price.currency, price.stripe_price_id) for price in prices]
        found.append((product.kind, product.title, product.stripe_product_id, rows))
    return found


def test_the_preview_names_what_would_be_made_and_why_the_rest_is_not(shop: Shop) -> None:
    good, prices = add_product(
        shop, "  Old   course ", usd(4900), usd(5900), {"currency": "eur", "unit_amount": 4500},
        usd(900, **{"recurring[interval]": "month"}), usd(10), usd(100, active="false"),
    )  # fmt: skip
    post_to_stripe(shop, f"/v1/products/{good}", default_price=prices[0])
    monthly, _ = add_product(shop, "Club", usd(900, **{"recurring[interval]": "month"}))
    archived, _ = add_product(shop, "Gone", usd(900), active="false")
    bare, _ = add_product(shop, "Bare")

    row = plan_of(good)

    assert (row.title, row.state, row.reason) == ("Old course", "new", "")
    assert [(each.unit_amount, each.currency) for each in row.usable_prices] == [(4900, "usd"), (4500, "eur")]
    assert {(each.unit_amount, each.currency): each.reason for each in row.prices} == {
        (4900, "usd"): "",
        (4500, "eur"): "",
        (5900, "usd"): "one price in USD is enough, and another comes first",
        (900, "usd"): "it is a subscription; only one-time prices are sold here",
        (10, "usd"): row.prices[2].reason,
        (100, "usd"): "it is archived at Stripe",
    }
    assert "$0.50" in row.prices[2].reason
    assert plan_of(monthly).reason == plan_of(bare).reason == "It has no price that can be sold here."
    assert plan_of(archived).reason == "It is archived at Stripe."


def test_a_course_draft_is_sold_under_the_ids_that_stripe_has(shop: Shop) -> None:
    product_id, (price_id,) = add_product(shop, "Old course", usd(4900))

    imported = import_products({product_id: "course"})

    assert (imported.titles, imported.skipped_count) == (("Old course",), 0)
    assert list_products() == [("course", "Old course", product_id, [(4900, "usd", price_id)])]
    course = db.session.scalars(select(Course)).one()
    assert (course.status, course.slug) == ("draft", "old-course")
    assert db.session.scalars(select(Category.name)).all() == ["Imported"]
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "course.imported_from_stripe")).one()
    assert (entry.subject_id, entry.after) == (
        course.public_id,
        {"title": "Old course", "stripe_product_id": product_id, "prices": [f"4900 usd {price_id}"]},
    )
    assert plan_of(product_id).state == "linked"


def test_a_bundle_draft_is_not_on_sale_and_has_no_course_yet(shop: Shop) -> None:
    product_id, (price_id,) = add_product(shop, "Old bundle", usd(9900))

    import_products({product_id: "bundle"})

    assert list_products() == [("bundle", "Old bundle", product_id, [(9900, "usd", price_id)])]
    assert db.session.scalars(select(Product.status)).one() == "archived"
    assert db.session.scalar(select(func.count()).select_from(ProductCourse)) == 0


def test_what_was_imported_is_in_sync_though_its_name_was_tidied(shop: Shop) -> None:
    product_id, _ = add_product(shop, "  Old   course ", usd(4900))
    import_products({product_id: "course"})

    compared = compare_with_stripe()

    assert (compared.count, compared.trouble_count) == (2, 0)


def test_importing_twice_makes_nothing_twice(shop: Shop) -> None:
    product_id, _ = add_product(shop, "Old course", usd(4900))
    import_products({product_id: "course"})
    before = list_products()

    again = import_products({product_id: "course", "prod_unknown": "course"})

    assert (again.titles, again.skipped_count, list_products()) == ((), 2, before)


def test_a_taken_web_address_gets_a_number(shop: Shop) -> None:
    make_course(slug="old-course")
    ids = [add_product(shop, "Old course", usd(4900))[0] for _ in range(2)]

    import_products(dict.fromkeys(ids, "course"))

    slugs = db.session.scalars(select(Course.slug).where(Course.status == "draft")).all()
    assert sorted(slugs) == ["old-course-2", "old-course-3"]


def test_what_was_imported_can_be_bought(shop: Shop) -> None:
    product_id, (price_id,) = add_product(shop, "Old course", usd(4900))
    import_products({product_id: "course"})
    with transaction() as session:
        session.execute(update(Course).values(status="published"))
    price = db.session.scalars(select(Price.public_id)).one()

    started = shop.begin(db.session.scalars(select(Course)).one(), price=price)

    items = shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}/line_items")["data"]
    assert [(each["price"]["id"], each["amount_total"]) for each in items] == [(price_id, 4900)]


@pytest.mark.slow
def test_two_who_import_the_same_at_once_make_it_once(shop: Shop) -> None:
    ids = [add_product(shop, f"Course {number}", usd(4900))[0] for number in range(3)]
    kinds = dict.fromkeys(ids, "course")

    outcomes = run_at_once(shop.app, *[lambda: import_products(kinds)] * 3)  # type: ignore[arg-type]

    assert sum(len(each.titles) for each in outcomes) == 3
    assert sum(each.skipped_count for each in outcomes) == 6
    assert sorted(str(row[2]) for row in list_products()) == sorted(ids)
    assert db.session.scalar(select(func.count()).select_from(Course)) == 3


def test_nothing_is_imported_while_stripe_does_not_answer(shop: Shop) -> None:
    product_id, _ = add_product(shop, "Old course", usd(4900))
    shop.control("/levers", {"kind": "api_error", "status": 500})

    with pytest.raises(PaymentUnavailable):
        import_products({product_id: "course"})

    shop.remove_levers()
    assert list_products() == []
