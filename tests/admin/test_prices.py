"""Prices in the back-office: replaced after a look at whom it reaches, planned, put on sale, stopped."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.catalog.models import Course, Price, Product
from app.catalog.services import get_course_page
from app.db import db
from app.queue import run_sweeps
from tests.admin.staff import Staff
from tests.catalog.prices import price_actions, rows
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import get_price, make_course, make_user

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def admin(app: Flask) -> Staff:
    return Staff(app, "admin")


def prices_path(course: Course) -> str:
    db.session.rollback()
    product_id = get_price(course).product_id
    return f"/admin/prices/{db.session.scalars(select(Product.public_id).where(Product.id == product_id)).one()}"


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split()).replace(" ,", ",")


def reach(page: str) -> str:
    """The one sentence about open checkouts and past orders."""
    found = re.search(r"<p data-reach>(.*?)</p>", page, re.DOTALL)
    assert found is not None, words(page)
    return words(found.group(1))


def preview(admin: Staff, path: str, **fields: str) -> str:
    """Open the form, fill it in and look at what changes."""
    values = {"currency": "usd", "kind": "now"} | fields
    opened = admin.get(f"{path}/change?kind={values['kind']}&currency={values['currency']}").text
    seen = re.search(r'name="seen"[^>]*value="([^"]*)"', opened)
    return admin.get(f"{path}/change", query_string={"seen": seen.group(1) if seen else "", **values}).text


def confirm(admin: Staff, path: str, page: str) -> TestResponse:
    """Press the one button of the preview that is open."""
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    found.pop("csrf_token", None)
    answer = admin.send(f"{path}/change", found)
    db.session.remove()
    return answer


def test_a_new_price_names_whom_it_leaves_alone_and_old_orders_keep_theirs(shop: Shop, app: Flask) -> None:
    course = make_course(unit_amount=9700)
    paid = [shop.buy(course, user=make_user()) for _ in range(2)]
    still_open = shop.begin(course, user=make_user())
    admin, path = Staff(app, "admin"), prices_path(course)

    page = preview(admin, path, amount="117")

    until = shop.attempts(still_open)[0].expires_at
    assert reach(page) == (
        f"1 checkout is open at $97.00 and keeps it until it expires, at {until:%b} {until.day}, {until:%H:%M} at the "
        "latest, and the 2 past orders keep theirs."
    )
    assert "Replace $97.00 with $117.00" in page
    assert rows() == [(9700, "regular", "active")]
    answer = confirm(admin, path, page)

    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert f"“{course.title}” costs $117.00 now." in words(admin.get(path).text)
    assert rows() == [(9700, "regular", "retired"), (11700, "regular", "active")]
    assert price_actions() == [("price.replaced", "user")]
    shop.pay(still_open)
    shop.deliver_all()
    assert [shop.order(each).total_amount for each in (*paid, still_open)] == [9700, 9700, 9700]
    assert shop.begin(course, user=make_user(), price=_active(course)).total_amount == 11700


def _active(course: Course) -> str:
    return get_price(course).public_id


def test_without_anybody_the_sentence_says_so(admin: Staff) -> None:
    path = prices_path(make_course(unit_amount=9700))

    page = preview(admin, path, amount="$117.50")

    assert reach(page) == "No checkout is open at $97.00, and there are no past orders yet."
    assert "Replace $97.00 with $117.50" in page


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("", "Enter an amount such as 97 or 97.00."),
        ("much", "Enter an amount such as 97 or 97.00."),
        ("0.10", "A price must be 0 or at least $0.50: cards take nothing smaller."),
        ("97", "It costs $97.00 already."),
        ("1" * 21, "Use at most 20 characters."),
    ],
)
def test_an_amount_that_cannot_be_is_named_beside_its_field(admin: Staff, amount: str, sentence: str) -> None:
    path = prices_path(make_course(unit_amount=9700))

    answer = admin.get(f"{path}/change", query_string={"kind": "now", "currency": "usd", "amount": amount})

    assert answer.status_code == 422
    assert f'<a href="#amount">{sentence}</a>' in unescape(answer.text)
    assert f'value="{amount}"' in answer.text
    sent = admin.send(f"{path}/change", {"kind": "now", "currency": "usd", "amount": amount, "seen": "prc_1"})
    assert (sent.status_code, rows()) == (422 if amount != "97" else 303, [(9700, "regular", "active")])


def test_two_who_replace_at_once_are_one_change_and_one_clear_message(app: Flask, admin: Staff) -> None:
    course = make_course(unit_amount=9700)
    path = prices_path(course)
    owner = Staff(app, "owner")
    mine, theirs = preview(admin, path, amount="117"), preview(owner, path, amount="107")

    assert confirm(owner, path, theirs).status_code == 303
    refused = confirm(admin, path, mine)

    assert refused.status_code == 409
    assert re.search(
        r"Owner Person was faster: it is \$107\.00 since \w+ \d+, \d\d:\d\d\. Nothing of yours was saved\.",
        words(refused.text),
    )
    assert 'value="117"' in refused.text
    assert rows() == [(9700, "regular", "retired"), (10700, "regular", "active")]
    # The page now holds the price as it is: pressing on replaces it knowingly.
    again = admin.get(f"{path}/change", query_string=_fields(refused.text)).text
    assert confirm(admin, path, again).status_code == 303
    assert rows()[-1] == (11700, "regular", "active")


def _fields(page: str) -> dict[str, str]:
    found = re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', page)
    return {name: value for name, value in found if name not in {"csrf_token", "q"}}


def test_the_button_pressed_twice_is_one_price(admin: Staff) -> None:
    path = prices_path(make_course(unit_amount=9700))
    page = preview(admin, path, amount="117")

    answers = [confirm(admin, path, page).status_code for _ in range(2)]

    assert (answers, rows()) == ([303, 303], [(9700, "regular", "retired"), (11700, "regular", "active")])


def test_a_sale_is_planned_and_listed_with_its_end(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    admin = Staff(app, "admin")
    course = make_course(unit_amount=9700)
    path = prices_path(course)
    plan = {"kind": "sale", "amount": "79", "starts_at": "2027-03-10T00:00", "ends_at": "2027-03-12T00:00"}

    page = preview(admin, path, **plan, compare_at="97.00")
    assert "Plan the sale at $79.00" in page
    assert confirm(admin, path, page).status_code == 303

    sale = db.session.query(Price).filter_by(kind="sale").one()
    assert (sale.scheduled_at, sale.ends_at) == (datetime(2027, 3, 10, tzinfo=UTC), datetime(2027, 3, 12, tzinfo=UTC))
    listed = words(admin.get(path).text)
    assert "$79.00 Sale beside $97.00 March 10, 2027, 00:00 – March 12, 2027, 00:00, planned by Admin Person" in listed
    moving_clock.freeze(datetime(2027, 3, 11, tzinfo=UTC))
    admin.sign_in(admin.email)
    during = words(admin.get(path).text)
    assert "On sale until Mar 12, 00:00" in during
    assert "Price now Struck: $97.00 $79.00" in during
    assert "Afterwards again $97.00" in during
    assert "Lowest of the last 30 days $79.00" in during


def test_times_are_typed_and_shown_in_the_shops_zone_and_kept_as_utc(
    app: Flask, moving_clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving_clock.freeze(NOON)
    monkeypatch.setitem(app.config, "SETTINGS", replace(app.config["SETTINGS"], site_timezone="America/New_York"))
    admin, path = Staff(app, "admin"), prices_path(make_course(unit_amount=9700))

    page = preview(admin, path, kind="later", amount="117", starts_at="2027-07-02T09:30")
    assert "July 2, 2027, 09:30" in words(page)
    confirm(admin, path, page)

    plan = db.session.query(Price).filter_by(status="scheduled").one()
    assert plan.scheduled_at == datetime(2027, 7, 2, 13, 30, tzinfo=UTC)
    assert "July 2, 2027, 09:30 on, planned by Admin Person" in words(admin.get(path).text)


@pytest.mark.parametrize(
    ("kind", "field", "typed", "sentence"),
    [
        ("later", "starts_at", "", "Choose when the new price starts."),
        ("sale", "ends_at", "", "Choose when the sale ends."),
        ("sale", "ends_at", "tomorrow", "Enter a day and time such as 2026-11-27 18:00."),
        ("later", "starts_at", "2020-01-01T00:00", "Choose a day and time to come."),
        ("sale", "compare_at", "1x", "Enter an amount such as 97 or 97.00."),
        ("sale", "compare_at", "147", "That price wasn’t charged in the 30 days before"),
    ],
)
def test_a_plan_without_its_time_never_changes_anything(
    admin: Staff, kind: str, field: str, typed: str, sentence: str
) -> None:
    path = prices_path(make_course(unit_amount=9700))
    values = {"kind": kind, "currency": "usd", "amount": "79", "ends_at": "2027-11-01T00:00", field: typed}

    looked = admin.get(f"{path}/change", query_string=values)
    sent = admin.send(f"{path}/change", values)

    assert (looked.status_code, sent.status_code) == (422, 422)
    for answer in (looked, sent):
        assert f'<a href="#{field}">{sentence}' in unescape(answer.text)
    assert rows() == [(9700, "regular", "active")]


def test_an_overlap_is_refused_with_what_to_do_next(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    admin = Staff(app, "admin")
    path = prices_path(make_course(unit_amount=9700))
    plan = {"kind": "sale", "amount": "79", "starts_at": "2027-03-10T00:00", "ends_at": "2027-03-12T00:00"}
    confirm(admin, path, preview(admin, path, **plan))

    page = preview(
        admin, path, **{**plan, "amount": "69", "starts_at": "2027-03-11T00:00", "ends_at": "2027-03-20T00:00"}
    )

    assert (
        "A sale at $79.00 is planned from Mar 10, 00:00 to Mar 12, 00:00. Cancel that one first, or choose other days."
    ) in unescape(page)
    assert len(rows()) == 2


def test_a_planned_change_takes_effect_and_is_the_systems_deed(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    admin = Staff(app, "admin")
    course = make_course(unit_amount=9700)
    path = prices_path(course)

    page = preview(admin, path, kind="later", amount="117", starts_at="2027-03-02T09:30")
    assert reach(page).startswith(
        "Whoever has a checkout open at that moment keeps the price it shows until it expires"
    )
    confirm(admin, path, page)

    moving_clock.freeze(datetime(2027, 3, 2, 9, 30, tzinfo=UTC))
    admin.sign_in(admin.email)
    assert get_course_page(slug=course.slug).card.offer.unit_amount == 11700
    db.session.rollback()
    run_sweeps()
    assert price_actions() == [("price.planned", "user"), ("price.began", "system")]
    listed = words(admin.get(path).text)
    assert "$117.00 Mar 2, 09:30 on Set by Admin Person $97.00" in listed
    assert "$97.00 Mar 1, 12:00 – Mar 2, 09:30" in listed


def test_what_is_planned_is_canceled_by_name_and_only_once(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    admin = Staff(app, "admin")
    path = prices_path(make_course(unit_amount=9700))
    confirm(admin, path, preview(admin, path, kind="later", amount="117", starts_at="2027-03-02T09:30"))
    plan = db.session.query(Price).filter_by(status="scheduled").one().public_id

    asked = words(admin.get(f"{path}/{plan}/stop").text)
    assert "Cancel the change to $117.00?" in asked
    for said in ("Canceled: the change to $117.00 will not happen.", "That was over already, or somebody else"):
        assert admin.send(f"{path}/{plan}/stop").status_code == 303
        assert said in words(admin.get(path).text)

    assert rows() == [(9700, "regular", "active"), (11700, "regular", "retired")]
    assert admin.get(f"{path}/{plan}/stop").status_code == 404


def test_a_plan_that_a_sale_needs_says_what_to_do_first(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    admin, path = Staff(app, "admin"), prices_path(make_course(unit_amount=5000))
    confirm(admin, path, preview(admin, path, kind="later", amount="97", starts_at="2027-03-02T00:00"))
    sale = {"kind": "sale", "amount": "79", "starts_at": "2027-03-03T00:00", "ends_at": "2027-03-04T00:00"}
    confirm(admin, path, preview(admin, path, **sale, compare_at=""))
    plan = db.session.query(Price).filter_by(unit_amount=9700).one().public_id

    admin.send(f"{path}/{plan}/stop")

    assert "Cancel the sale first." in words(admin.get(path).text)
    assert [status for _, _, status in rows()] == ["active", "scheduled", "scheduled"]


def test_a_running_sale_is_ended_and_a_currency_withdrawn(admin: Staff) -> None:
    course = make_course(unit_amount=9700)
    path = prices_path(course)
    confirm(admin, path, preview(admin, path, currency="eur", amount="89"))
    page = preview(admin, path, kind="sale", amount="79", ends_at="2028-01-01T00:00")
    confirm(admin, path, page)
    sale, euros = (
        db.session.query(Price).filter_by(kind="sale").one(),
        db.session.query(Price).filter_by(currency="eur").one(),
    )
    sale_id, euros_id = sale.public_id, euros.public_id
    db.session.remove()

    assert "End the sale at $79.00?" in words(admin.get(f"{path}/{sale_id}/stop").text)
    admin.send(f"{path}/{sale_id}/stop")
    assert "The sale is over. The price is $97.00 again." in words(admin.get(path).text)
    assert "Stop selling in EUR?" in words(admin.get(f"{path}/{euros_id}/stop").text)
    admin.send(f"{path}/{euros_id}/stop")

    assert f"“{course.title}” is no longer sold in EUR." in words(admin.get(path).text)
    assert [status for _, _, status in rows()] == ["active", "retired", "retired"]


@pytest.mark.parametrize(
    ("currency", "typed", "amount"), [("jpy", "14800", 14800), ("eur", "89,000.50", 8900050), ("kwd", "29.5", 29500)]
)
def test_every_kind_of_currency_is_typed_in_major_units(admin: Staff, currency: str, typed: str, amount: int) -> None:
    path = prices_path(make_course(unit_amount=9700))
    assert 'name="currency"' in admin.get(f"{path}/change?currency=new").text

    confirm(admin, path, preview(admin, path, currency=currency, amount=typed))

    assert rows(currency=currency) == [(amount, "regular", "active")]
    assert f"Price in {currency.upper()}" in words(admin.get(path).text)


def test_decimals_that_a_currency_does_not_have_are_refused(admin: Staff) -> None:
    path = prices_path(make_course(unit_amount=9700))

    page = preview(admin, path, currency="jpy", amount="148.50")

    assert "JPY has 0 decimal places." in page


def test_the_editor_shows_the_price_and_leads_to_its_page(app: Flask, admin: Staff) -> None:
    course = make_course(unit_amount=9700)
    path = prices_path(course)

    for staff, can_write in ((admin, True), (Staff(app, "editor"), False)):
        page = staff.get(f"/admin/courses/{course.public_id}").text
        assert f'href="{path}"' in page
        assert (f"{path}/change?" in page) is can_write
    assert ">Replace" not in Staff(app, "reader").get(path).text


def test_a_course_without_a_price_is_offered_its_first(admin: Staff) -> None:
    course = make_course(unit_amount=None)
    page = admin.get(f"/admin/courses/{course.public_id}").text
    path = re.search(r'href="(/admin/prices/\w+)"', page).group(1)
    assert "No price yet" in admin.get(path).text

    confirm(admin, path, preview(admin, path, amount="0"))

    assert rows() == [(0, "regular", "active")]
    assert get_course_page(slug=course.slug).card.offer.state == "free"


def test_a_hostile_title_stays_text(admin: Staff) -> None:
    course = make_course(title="<script>alert(1)</script>", unit_amount=9700)
    path = prices_path(course)

    for page in (admin.get(path).text, preview(admin, path, amount="117")):
        assert "<script>alert" not in page
