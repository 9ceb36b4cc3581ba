"""Promotion codes in the back-office: made, limited, ended, exported."""

import csv
import io
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select

from app.audit import AuditEntry
from app.catalog.models import PromotionCode, PromotionCodeProduct
from app.catalog.promotion_codes import create_batch, create_code, disable_code
from app.checkout.refund_orders import refund_order
from app.checkout.refund_plans import RefundScope
from app.checkout.services import StartedCheckout
from app.db import db
from tests.admin.staff import Staff
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import get_price, make_course, make_user

NEW = {"kind": "single", "discount": "percent", "currency": "usd", "minimum_quantity": "1"}


def read_codes() -> list[PromotionCode]:
    db.session.remove()
    return list(db.session.scalars(select(PromotionCode).order_by(PromotionCode.id)))


def buy_with_code(shop: Shop) -> StartedCheckout:
    """An order of 100.00 with the code LAUNCH."""
    started = shop.begin(make_course(unit_amount=10000), user=make_user(), code="LAUNCH")
    shop.pay(started)
    shop.deliver_all()
    return started


def list_actions() -> list[str]:
    return list(db.session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("code."))))


def test_a_code_is_made_with_everything_the_form_says(app: Flask) -> None:
    course = make_course()
    admin = Staff(app, "admin")

    answer = admin.send("/admin/codes/new", {
        **NEW, "code": "launch 20", "percent": "20", "max_redemptions": "100", "per_customer_limit": "1",
        "minimum_quantity": "2", "starts_at": "2026-12-01T09:00", "ends_at": "2026-12-31T00:00",
        "products": [str(get_price(course).product_id)],
    })  # fmt: skip

    [code] = read_codes()
    assert answer.headers["Location"] == f"/admin/codes/{code.public_id}"
    assert (code.code, code.percent_off, code.max_redemptions, code.per_customer_limit) == ("LAUNCH20", 20, 100, 1)
    assert (code.minimum_quantity, code.starts_at) == (2, datetime(2026, 12, 1, 9, tzinfo=UTC))
    assert code.ends_at == datetime(2026, 12, 31, tzinfo=UTC)
    limited = db.session.scalars(select(PromotionCodeProduct.product_id)).all()
    assert limited == [get_price(course).product_id]
    page = admin.get(f"/admin/codes/{code.public_id}").text
    assert f"http://localhost/courses/{course.slug}?code=LAUNCH20" in page
    assert list_actions() == ["code.created"]


def test_an_amount_is_typed_as_money_and_kept_in_minor_units(app: Flask) -> None:
    admin = Staff(app, "admin")

    admin.send("/admin/codes/new", {**NEW, "code": "TEN", "discount": "amount", "amount": "$10", "currency": "usd"})
    admin.send("/admin/codes/new", {**NEW, "code": "DINAR", "discount": "amount", "amount": "1.250", "currency": "kwd"})

    assert [(code.amount_off, code.currency) for code in read_codes()] == [(1000, "usd"), (1250, "kwd")]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"percent": "20"}, "Name the code."),
        ({"code": "A", "percent": "20"}, "A code has 3 to 40 letters"),
        ({"code": "LAUNCH", "percent": "120"}, "The percentage must be from 1 to 100."),
        ({"code": "LAUNCH", "percent": "1_0"}, "Enter a whole number."),
        ({"code": "LAUNCH", "percent": "-5"}, "Enter a whole number."),
        ({"code": "LAUNCH"}, "Enter a percentage from 1 to 100."),
        ({"code": "LAUNCH", "discount": "amount", "amount": "ten"}, "Enter an amount such as 97 or 97.00."),
        ({"code": "LAUNCH", "discount": "amount", "amount": "0"}, "The amount taken off must be more than 0."),
        ({"code": "LAUNCH", "percent": "5", "products": ["999999"]}, "valid choice"),
        ({"code": "LAUNCH", "percent": "5", "ends_at": "soon"}, "Enter a day and time such as 2026-11-27 18:00."),
        ({"code": "LAUNCH", "percent": "5", "starts_at": "2026-12-02", "ends_at": "2026-12-01"}, "must end after it starts"),
        ({"kind": "batch", "percent": "5", "count": "10001", "prefix": "VIP"}, "Make 1 to 10,000 codes at once."),
        ({"kind": "batch", "percent": "5"}, "Say what the codes begin with."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_and_what_was_typed_is_kept(
    app: Flask, fields: dict[str, object], sentence: str
) -> None:
    admin = Staff(app, "admin")

    answer = admin.send("/admin/codes/new", {**NEW, "batch": "Kept text", **fields})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert "Kept text" in answer.text
    assert read_codes() == []


def test_a_name_that_is_taken_says_so_beside_the_code(app: Flask) -> None:
    create_code("LAUNCH", percent_off=10)
    admin = Staff(app, "admin")

    answer = admin.send("/admin/codes/new", {**NEW, "code": "Launch", "percent": "20"})

    assert "The code LAUNCH exists already. Choose another one." in answer.text
    assert [code.percent_off for code in read_codes()] == [10]


def test_a_batch_leads_to_its_codes_and_their_csv(app: Flask) -> None:
    admin = Staff(app, "admin")

    answer = admin.send("/admin/codes/new", {**NEW, "kind": "batch", "prefix": "vip", "count": "3", "percent": "100", "batch": "=SUM(A1)"})  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(admin.get("/admin/codes/export.csv?batch=%3DSUM(A1)").text)))

    assert answer.headers["Location"] == "/admin/codes?batch=%3DSUM(A1)"
    assert sorted(row["code"] for row in rows) == sorted(code.code for code in read_codes())
    assert {(row["batch"], row["percent_off"], row["max_redemptions"]) for row in rows} == {("'=SUM(A1)", "100", "1")}


def test_views_count_each_code_once_by_its_first_reason(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(datetime(2026, 11, 27, tzinfo=UTC))
    create_code("ACTIVE", percent_off=10)
    create_code("ENDED", percent_off=10, ends_at=datetime(2026, 11, 27, tzinfo=UTC))
    create_code("SCHEDULED", percent_off=10, starts_at=datetime(2100, 1, 1, tzinfo=UTC))
    create_code("DISABLED", percent_off=10, ends_at=datetime(2026, 11, 1, tzinfo=UTC))
    disable_code("DISABLED")
    moving_clock.frozen = None
    admin = Staff(app, "admin")

    def shown(query: str) -> list[str]:
        text = admin.get(f"/admin/codes?{query}").text
        return [name for name in ("ACTIVE", "ENDED", "SCHEDULED", "DISABLED") if f">{name}</a>" in text]

    assert shown("view=scheduled") == ["SCHEDULED"]
    assert shown("view=active") == ["ACTIVE"]
    assert shown("view=ended") == ["ENDED"]
    assert shown("view=disabled") == ["DISABLED"]
    assert shown("q=dis") == ["DISABLED"]
    assert shown("") == ["ACTIVE", "ENDED", "SCHEDULED", "DISABLED"]


def test_limits_change_and_never_below_what_was_used(app: Flask, shop: Shop) -> None:
    path = f"/admin/codes/{create_code('LAUNCH', percent_off=20, max_redemptions=5).public_id}"
    buy_with_code(shop)
    admin = Staff(app, "admin")

    refused = admin.send(path, {"max_redemptions": "0"})
    admin.send(path, {"max_redemptions": "1", "ends_at": "2030-01-01T00:00"})

    assert refused.status_code == 422
    [changed] = read_codes()
    assert (changed.max_redemptions, changed.ends_at) == (1, datetime(2030, 1, 1, tzinfo=UTC))
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "code.limits_changed")).one()
    assert (entry.before, entry.after) == (
        {"max_redemptions": 5}, {"max_redemptions": 1, "ends_at": "2030-01-01T00:00:00+00:00"},
    )  # fmt: skip
    assert ">Used up<" in admin.get(path).text


def test_revenue_is_what_stayed_of_the_orders_with_the_code(app: Flask, shop: Shop) -> None:
    path = f"/admin/codes/{create_code('LAUNCH', percent_off=20).public_id}"
    started = buy_with_code(shop)
    shop.buy(make_course(unit_amount=10000), user=make_user())
    refund_order(order_public_id=started.order_public_id, request_key="k", scope=RefundScope(amount=500), reason="Late")
    admin = Staff(app, "admin")

    assert "$75.00" in admin.get("/admin/codes").text
    page = admin.get(path).text
    assert (page.count("$75.00"), page.count("$20.00")) == (1, 1)


def test_a_code_is_ended_and_counts_again(app: Flask) -> None:
    [code] = create_batch(1, "VIP", percent_off=50)
    admin = Staff(app, "admin")

    admin.send(f"/admin/codes/{code.public_id}/disable")
    assert read_codes()[0].is_active is False
    admin.send(f"/admin/codes/{code.public_id}/enable")
    admin.send(f"/admin/codes/{code.public_id}/enable")

    assert read_codes()[0].is_active is True
    assert list_actions() == ["code.batch_created", "code.disabled", "code.enabled"]


def test_an_empty_shop_says_what_a_code_does(app: Flask) -> None:
    assert "There is no promotion code yet" in Staff(app, "reader").get("/admin/codes").text
