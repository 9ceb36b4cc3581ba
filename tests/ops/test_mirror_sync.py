"""Products and prices at Stripe: compared, and sent again when they are missing, archived or different there."""

from typing import Any

import pytest
from sqlalchemy import select, update

from app.audit import AuditEntry
from app.catalog.models import Course, Price, Product, ProductCourse
from app.checkout import mirror_sync
from app.checkout.mirror_models import MirrorState
from app.checkout.mirror_sync import (
    ask_to_send_all,
    compare_with_stripe,
    list_wanted_product_ids,
    send_product_again,
    send_wanted_product,
)
from app.db import db, transaction
from app.errors import NotFound
from app.payments import catalog
from app.payments.gateway import PaymentUnavailable
from app.reports.mirror_pages import MirrorProduct, get_course_mirror
from tests.checkout.conftest import Shop
from tests.factories import get_price, make_course
from tests.interleaving import do_before
from tests.ops.conftest import post_to_stripe


def product_of(course: Course) -> Product:
    db.session.rollback()
    query = select(Product).join(ProductCourse).where(ProductCourse.course_id == course.id)
    return db.session.scalars(query.execution_options(populate_existing=True)).one()


def look(course: Course) -> MirrorProduct:
    db.session.rollback()
    found = get_course_mirror(course.public_id)
    assert found is not None
    return found


def states(course: Course) -> tuple[str, ...]:
    found = look(course)
    return (found.facts.state, *(price.facts.state for price in found.prices))


def ids_of(course: Course) -> tuple[str, str]:
    found = look(course)
    return found.facts.stripe_id, found.prices[0].facts.stripe_id


def delete_at_stripe(shop: Shop, course: Course) -> None:
    """As when the key is another account's: the shop's ids name nothing there."""
    with transaction() as session:
        session.execute(update(Product).values(stripe_product_id="prod_gone"))
        session.execute(update(Price).values(stripe_price_id="price_gone"))


def test_a_product_that_was_never_sold_is_sent_by_hand_once_however_often(shop: Shop) -> None:
    course = make_course(unit_amount=9700, title="Cloud costs")
    assert (states(course), look(course).needs_sending) == (("unsent", "unsent"), True)

    send_product_again(product_of(course).public_id)
    sent = ids_of(course)
    send_product_again(product_of(course).public_id)

    assert (ids_of(course), states(course), look(course).needs_sending) == (sent, ("in_sync", "in_sync"), False)
    found = shop.stripe("/v1/prices?limit=100")["data"]
    assert [(each["id"], each["unit_amount"], each["product"]) for each in found] == [(sent[1], 9700, sent[0])]
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "product.sent_to_stripe")).all()
    assert entries[0].after == {"stripe_product_id": sent[0], get_price(course).public_id: sent[1]}
    assert (entries[1].before, entries[1].after) == ({}, {})


def test_a_comparison_says_of_each_what_stripe_has(shop: Shop) -> None:
    courses = {name: make_course(title=name) for name in ("same", "renamed", "archived", "gone", "free", "unsent")}
    for name in ("same", "renamed", "archived", "gone"):
        send_product_again(product_of(courses[name]).public_id)
    post_to_stripe(shop, f"/v1/products/{ids_of(courses['renamed'])[0]}", name="Other name")
    post_to_stripe(shop, f"/v1/products/{ids_of(courses['archived'])[0]}", active="false")
    post_to_stripe(shop, f"/v1/prices/{ids_of(courses['archived'])[1]}", active="false")
    with transaction() as session:
        gone = get_price(courses["gone"]).id
        session.execute(update(Price).where(Price.id == gone).values(stripe_price_id="price_gone"))
        session.execute(update(Product).where(Product.title == "gone").values(stripe_product_id="prod_gone"))
        session.execute(update(Price).where(Price.id == get_price(courses["free"]).id).values(unit_amount=0))

    compared = compare_with_stripe()

    assert (compared.count, compared.trouble_count, compared.is_complete) == (8, 5, True)
    assert {name: states(course) for name, course in courses.items()} == {
        "same": ("in_sync", "in_sync"),
        "renamed": ("differs", "in_sync"),
        "archived": ("archived", "archived"),
        "gone": ("missing", "missing"),
        "free": ("unneeded",),
        "unsent": ("unsent", "unsent"),
    }
    assert look(courses["renamed"]).facts.detail == "name: “Other name” at Stripe"


def test_sending_again_repairs_what_is_archived_renamed_or_gone(shop: Shop) -> None:
    archived, gone = make_course(title="Archived"), make_course(title="Gone", unit_amount=1200)
    for course in (archived, gone):
        send_product_again(product_of(course).public_id)
    before = ids_of(archived)
    post_to_stripe(shop, f"/v1/products/{before[0]}", name="Other", active="false")
    post_to_stripe(shop, f"/v1/prices/{before[1]}", active="false")
    with transaction() as session:
        session.execute(update(Product).where(Product.title == "Gone").values(stripe_product_id="prod_gone"))
        session.execute(update(Price).where(Price.id == get_price(gone).id).values(stripe_price_id="price_gone"))

    for course in (archived, gone):
        send_product_again(product_of(course).public_id)

    compare_with_stripe()
    assert (states(archived), ids_of(archived)) == (("in_sync", "in_sync"), before)
    assert states(gone) == ("in_sync", "in_sync")
    assert shop.stripe(f"/v1/prices/{ids_of(gone)[1]}")["unit_amount"] == 1200


def test_a_stripe_that_answers_slowly_is_not_waited_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    course = make_course()
    send_product_again(product_of(course).public_id)
    monkeypatch.setattr(catalog, "MOST_SECONDS", -1.0)

    compared = compare_with_stripe()

    assert (compared.count, compared.is_complete, states(course)) == (0, False, ("in_sync", "in_sync"))


@pytest.mark.parametrize(
    ("terms", "detail"),
    [
        ({"unit_amount": 500, "currency": "usd"}, "amount: $5.00 at Stripe"),
        (
            {"unit_amount": 9700, "currency": "usd", "recurring[interval]": "month"},
            "it is no one-time price at Stripe",
        ),
        (
            {"unit_amount": 9700, "currency": "usd", "product": "other"},
            "it belongs to another product at Stripe",
        ),
    ],
)
def test_a_price_that_is_another_one_at_stripe_is_replaced(shop: Shop, terms: dict[str, Any], detail: str) -> None:
    course = make_course(unit_amount=9700)
    send_product_again(product_of(course).public_id)
    product_id, former = ids_of(course)
    other = post_to_stripe(shop, "/v1/products", name="Other")["id"]
    product = other if terms.pop("product", "") else product_id
    wrong = post_to_stripe(shop, "/v1/prices", product=product, **terms)["id"]
    with transaction() as session:
        session.execute(update(Price).values(stripe_price_id=wrong))
    compare_with_stripe()
    assert (states(course), look(course).overall.detail) == (("in_sync", "differs"), detail)

    send_product_again(product_of(course).public_id)

    assert ids_of(course)[1] not in {wrong, former}
    compare_with_stripe()
    assert states(course) == ("in_sync", "in_sync")


def test_an_error_of_the_first_sale_is_kept_and_gone_with_the_next(shop: Shop) -> None:
    course = make_course()
    shop.control("/levers", {"kind": "api_error", "status": 500, "path": "/v1/prices", "stored": False})
    with pytest.raises(PaymentUnavailable):
        shop.begin(course)
    shop.remove_levers()
    failed = look(course).prices[0].facts
    assert (failed.state, failed.error, look(course).needs_sending) == ("failed", "Stripe did not answer.", True)
    assert failed.error_at is not None

    shop.begin(course, browser="b2")

    assert (states(course), look(course).prices[0].facts.error) == (("in_sync", "in_sync"), "")


def test_an_error_of_sending_by_hand_is_kept_too(shop: Shop) -> None:
    course = make_course()
    shop.control("/levers", {"kind": "api_error", "status": 500, "path": "/v1/products/*", "stored": False})

    with pytest.raises(PaymentUnavailable):
        send_product_again(product_of(course).public_id)

    shop.remove_levers()
    assert states(course) == ("failed", "unsent")


def test_an_imported_product_stays_the_one_it_is_when_its_price_is_new(shop: Shop) -> None:
    course = make_course(title="Imported")
    stripe_id = post_to_stripe(shop, "/v1/products", name="Imported")["id"]
    with transaction() as session:
        session.execute(update(Product).values(stripe_product_id=stripe_id))

    shop.begin(course)

    assert ids_of(course)[0] == stripe_id
    assert shop.stripe(f"/v1/prices/{ids_of(course)[1]}")["product"] == stripe_id


def test_a_worker_sends_all_that_somebody_wants_sent(shop: Shop) -> None:
    courses = [make_course(), make_course()]
    make_course(unit_amount=None)
    assert ask_to_send_all() == 2
    assert len(list_wanted_product_ids()) == 2

    shop.work()

    assert [states(course) for course in courses] == [("in_sync", "in_sync")] * 2
    assert (list_wanted_product_ids(), ask_to_send_all()) == ([], 0)


def test_of_two_workers_one_sends_and_a_failure_ends_the_wish(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    course = make_course()
    public_id = product_of(course).public_id
    ask_to_send_all()
    shop.control("/levers", {"kind": "api_error", "status": 500, "path": "/v1/products/*", "stored": False})
    do_before(monkeypatch, mirror_sync, "send_product_again", lambda: send_wanted_product(public_id))

    send_wanted_product(public_id)

    shop.remove_levers()
    assert (states(course), list_wanted_product_ids()) == (("failed", "unsent"), [])
    send_wanted_product(public_id)
    assert states(course) == ("failed", "unsent")


def test_an_account_that_has_more_than_is_read_leaves_the_rest_as_it_was(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    courses = [make_course(title=f"Course {number}") for number in range(3)]
    for course in courses:
        send_product_again(product_of(course).public_id)
    with transaction() as session:
        session.execute(update(MirrorState).values(state="differs"))
    monkeypatch.setattr(catalog, "MOST_OBJECTS", 1)

    compared = compare_with_stripe()

    assert (compared.count, compared.is_complete) == (2, False)
    assert [states(course) for course in courses] == [("differs", "differs")] * 2 + [("in_sync", "in_sync")]


def test_what_is_not_there_cannot_be_sent(shop: Shop) -> None:
    with pytest.raises(NotFound):
        send_product_again("prd_missing")
