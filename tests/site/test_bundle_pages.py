"""What visitors see of bundles and struck prices."""

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock
from app.catalog.bundle_edits import BundleEdit, get_edited_bundle, save_bundle
from app.catalog.models import Course
from app.catalog.price_plans import plan_sale
from app.checkout.models import Order
from app.db import db
from tests.accounts.people import SAME_ORIGIN, Browser, make_person
from tests.catalog.bundles import find_price_id, make_bundle
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import get_price, make_course


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture
def pair(app: Flask) -> tuple[Course, Course]:
    return make_course(title="Alpha", unit_amount=9700), make_course(title="Beta", unit_amount=8000)


def test_a_courses_page_offers_the_bundle_with_what_it_saves(client: FlaskClient, pair: tuple[Course, Course]) -> None:
    path = f"/courses/{pair[0].slug}"
    assert "Also in the bundle" not in client.get(path).text
    make_bundle(*pair, unit_amount=15000)

    page = client.get(path).text

    assert 'href="/bundles/both-at-once"' in page
    assert "Also in the bundle Both at once 2 courses. Save $27 against buying each. $150" in words(page)


def test_the_bundles_page_sells_it(client: FlaskClient, pair: tuple[Course, Course]) -> None:
    make_bundle(*pair, unit_amount=15000)

    page = client.get("/bundles/both-at-once").text

    assert "<h1>Both at once</h1>" in page
    assert f'name="price_id" value="{find_price_id()}"' in page
    assert "Enroll — $150" in page
    assert "One by one the courses cost $177." in page
    assert ["Alpha" in page, "Beta" in page] == [True, True]
    assert "http://localhost/bundles/both-at-once" in client.get("/sitemap.xml").text
    assert client.get("/bundles/none").status_code == 404


def test_the_checkout_names_the_bundle_and_leads_back_to_it(client: FlaskClient, pair: tuple[Course, Course]) -> None:
    make_bundle(*pair)

    page = client.get(f"/checkout/{find_price_id()}").text

    assert "Check out Both at once" in page
    assert '<a class="back" href="/bundles/both-at-once">Back to the bundle</a>' in page
    assert "Alpha, Beta" in page


def test_who_cancels_lands_on_the_bundle_again(shop: Shop, pair: tuple[Course, Course]) -> None:
    make_bundle(*pair)
    browser = Browser(shop.app)
    begun = browser.post("/checkout", {"price_id": find_price_id()}, headers=SAME_ORIGIN)
    assert begun.status_code == 303
    db.session.remove()
    order = db.session.query(Order).one().public_id
    db.session.remove()

    back = browser.get(f"/checkout/cancelled?order={order}")

    assert back.headers["Location"] == "/bundles/both-at-once"
    assert (
        "You haven’t been charged. The bundle is here whenever you’re ready."
        in browser.get("/bundles/both-at-once").text
    )


def test_who_has_a_part_of_it_is_told_so(shop: Shop, pair: tuple[Course, Course]) -> None:
    make_bundle(*pair, unit_amount=15000)
    person = make_person("maya@example.org")
    db.session.refresh(person)
    db.session.expunge(person)
    shop.buy(pair[0], user=person)
    browser = Browser(shop.app)
    browser.sign_in("maya@example.org")

    page = words(browser.get("/bundles/both-at-once").text)

    assert "You already have Alpha. The bundle’s price stays the same; the rest one by one costs $80." in page
    assert "Enroll — $150" in page
    shop.buy(pair[1], user=person)
    owned = words(browser.get("/bundles/both-at-once").text)
    assert ("You have every course in it." in owned, "Enroll — $150" in owned) == (True, False)


def test_an_archived_bundle_keeps_its_page_and_is_offered_nowhere(
    client: FlaskClient, pair: tuple[Course, Course]
) -> None:
    public_id = make_bundle(*pair)
    found = get_edited_bundle(public_id=public_id)
    edit = BundleEdit(title="Both at once", summary="", course_ids=found.edit.course_ids, is_active=False)
    save_bundle(public_id=public_id, version=found.version, edit=edit)

    page = client.get("/bundles/both-at-once")

    assert (page.status_code, "No longer sold" in page.text, "Enroll —" in page.text) == (200, True, False)
    assert "/bundles/" not in client.get(f"/courses/{pair[0].slug}").text
    assert "/bundles/" not in client.get("/sitemap.xml").text


def test_a_struck_price_stands_with_the_lowest_of_thirty_days(client: FlaskClient, moving_clock: MovableClock) -> None:
    moment = clock.now().replace(microsecond=0)
    moving_clock.freeze(moment)
    course = make_course(unit_amount=9700)
    product_id = get_price(course).product_id
    moving_clock.advance(days=1)
    plan_sale(
        product_id=product_id, unit_amount=7900, currency="usd", starts_at=None,
        ends_at=moment + timedelta(days=3), compare_at_amount=9700,
    )  # fmt: skip
    db.session.remove()
    paths = (f"/courses/{course.slug}", "/courses", "/")

    for path in paths:
        page = words(client.get(path).text)
        assert "Before: $97 $79" in page or "$79 Before: $97" in page, path
        assert "Lowest price of the last 30 days: $97" in page, path
    moving_clock.freeze(moment + timedelta(days=3))

    for path in paths:
        page = words(client.get(path).text)
        assert ("$79" in page, "Before:" in page, "last 30 days" in page, "$97" in page) == (False, False, False, True)
