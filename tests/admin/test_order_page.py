"""The page of one order: every cent to the net, every deed with who and why, and what can be done from it."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.audit import AuditEntry
from app.catalog.promotion_codes import create_code
from app.checkout.findings import record_finding
from app.checkout.models import Finding, LedgerEntry, Order, OrderNote, StripeFee
from app.checkout.services import StartedCheckout
from app.config import STRIPE_API_BASE, Settings
from app.db import db
from app.reports.order_pages import describe_payment, get_order_page
from app.reports.order_totals import explain_totals
from tests.accounts.people import list_mails
from tests.admin.staff import Staff
from tests.checkout.conftest import Shop
from tests.checkout.money import buy_seats, give_back, payment_intent
from tests.factories import make_course, make_user


def read_page(staff: Staff, started: StartedCheckout, query: str = "") -> str:
    answer = staff.get(f"/admin/orders/{started.order_public_id}{query}")
    assert answer.status_code == 200
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


def list_totals(started: StartedCheckout) -> list[tuple[str, int]]:
    totals = get_order_page(started.order_public_id).totals
    return [*((line.label, line.amount) for line in totals.lines), ("Net", totals.net_amount)]


def list_audit(started: StartedCheckout) -> list[tuple[str, str]]:
    db.session.rollback()
    return [
        (each.action, each.reason)
        for each in db.session.scalars(
            select(AuditEntry).where(AuditEntry.subject_id == started.order_public_id).order_by(AuditEntry.id)
        )
    ]


def test_the_fee_of_a_charge_is_kept_once_and_a_refunds_is_nothing(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700))
    give_back(started, amount=2000)
    shop.deliver_all()

    fees = db.session.execute(select(StripeFee.amount, StripeFee.currency, StripeFee.stripe_object_id)).all()

    charge = shop.stripe("/v1/charges")["data"][0]
    assert [tuple(fee) for fee in fees] == [(311, "usd", charge["id"])]


def test_the_totals_explain_every_cent_from_paid_to_net(shop: Shop) -> None:
    create_code("TENOFF", amount_off=700, percent_off=None, currency="usd")
    started = shop.begin(make_course(unit_amount=9700), code="TENOFF", email="maya@example.org")
    shop.pay(started, email="maya@example.org")
    shop.deliver_all()
    give_back(started, amount=2000)

    fee = shop.stripe("/v1/balance_transactions?type=charge")["data"][0]["fee"]
    assert list_totals(started) == [
        ("Subtotal", 9700),
        ("Discount, code TENOFF", -700),
        ("Paid by customer", 9000),
        ("Refunded", -2000),
        ("Stripe fee", -fee),
        ("Net", 9000 - 2000 - fee),
    ]


def test_what_a_dispute_took_and_its_fee_are_in_the_totals(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700))
    status, opened = shop.control(f"/dispute/{payment_intent(shop, started)}", {"reason": "fraudulent"})
    assert status == 200, opened
    shop.deliver_all()

    totals = dict(list_totals(started))

    assert totals["Taken by the bank"] == -9700
    assert totals["Stripe fee for the dispute"] == -1500
    assert totals["Net"] == 9700 - 9700 - 311 - 1500


def make_order(**values: Any) -> Order:
    return Order(
        **{
            "currency": "usd", "subtotal_amount": 9700, "discount_amount": 0, "tax_amount": 1067,
            "is_tax_included": False, "total_amount": 9700, "paid_at": None, **values,
        }
    )  # fmt: skip


def make_entry(kind: str, amount: int, id: str = "ch_1") -> Any:  # noqa: A002
    return LedgerEntry(
        id=len(id), kind=kind, amount=amount, currency="usd", stripe_object_id=id, related_stripe_object_id="ch_1",
        occurred_at=datetime(2026, 11, 20, tzinfo=UTC),
    )  # fmt: skip


def make_fee(amount: int, currency: str = "usd") -> StripeFee:
    return StripeFee(
        id=1, amount=amount, currency=currency, stripe_object_id="ch_1",
        occurred_at=datetime(2026, 11, 20, tzinfo=UTC),
    )  # fmt: skip


def test_tax_to_remit_shrinks_with_what_was_refunded() -> None:
    entries = [make_entry("payment", 10767), make_entry("refund", 2000, "re_12")]

    totals = explain_totals(make_order(), entries=entries, fees=[make_fee(342)], code="")

    assert [(line.label, line.amount) for line in totals.lines] == [
        ("Subtotal", 9700), ("Tax", 1067), ("Paid by customer", 10767), ("Refunded", -2000), ("Stripe fee", -342),
        ("Tax to remit", -869),
    ]  # fmt: skip
    assert (totals.net_amount, totals.has_fee) == (7556, True)


def test_a_fee_in_another_currency_is_told_and_not_taken_off() -> None:
    order = make_order(tax_amount=0)

    totals = explain_totals(order, entries=[make_entry("payment", 9700)], fees=[make_fee(300, "eur")], code="")

    assert [(line.label, line.amount, line.currency, line.kind) for line in totals.lines][-1] == (
        "Stripe fee, paid in EUR", -300, "eur", "note",
    )  # fmt: skip
    assert (totals.net_amount, totals.has_fee) == (9700, False)


def test_included_tax_is_a_part_of_the_price() -> None:
    order = make_order(tax_amount=1000, is_tax_included=True)

    totals = explain_totals(order, entries=[make_entry("payment", 9700)], fees=[make_fee(0)], code="")

    assert [(line.label, line.kind) for line in totals.lines] == [
        ("Subtotal", "part"), ("Tax, included above", "note"), ("Paid by customer", "paid"), ("Tax to remit", "move"),
    ]  # fmt: skip
    assert (totals.net_amount, totals.has_fee) == (8700, True)


def test_the_timeline_says_who_did_what_and_why(shop: Shop, app: Flask) -> None:
    started = buy_seats(shop, quantity=2, unit_amount=5000)
    staff = Staff(app, "support")
    base = f"/admin/orders/{started.order_public_id}"

    assert staff.send(f"{base}/notes", {"text": "Called <b>twice</b>."}).status_code == 303
    assert staff.send(f"{base}/receipt").status_code == 303
    give_back(started, amount=2000)
    text = read_page(staff, started)

    for part in (
        "Note from Support Person", "Called <b>twice</b>.", "Receipt sent again by Support Person",
        "$20.00 refunded", "Reason: Asked for it", "$100.00 paid with Visa ending 4242", "Checkout started", "Seat 1 taken",
    ):  # fmt: skip
        assert part in text, part
    assert "<b>twice</b>" not in staff.get(base).text
    assert list_audit(started)[:2] == [("order.note_added", ""), ("order.receipt_resent", "")]
    assert "Called" not in shop.client.get(f"/orders/{started.order_public_id}").text


def test_an_empty_note_is_refused_and_nothing_is_written(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course())
    staff = Staff(app, "support")

    staff.send(f"/admin/orders/{started.order_public_id}/notes", {"text": "  "})

    assert "Write the note first." in read_page(staff, started)
    assert db.session.scalars(select(OrderNote.kind)).all() == ["paid"]


def test_the_receipt_goes_out_again_once_an_hour(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course(), user=make_user(email="maya@example.org"))
    staff = Staff(app, "support")
    path = f"/admin/orders/{started.order_public_id}/receipt"

    staff.send(path)
    staff.send(path)

    assert [mail.template for mail in list_mails("maya@example.org")].count("receipt") == 2
    assert "It was sent again within this hour." in read_page(staff, started)


def test_a_claim_link_goes_out_again_and_a_fresh_one_does_not(shop: Shop, app: Flask, moving_clock: Any) -> None:
    started = shop.begin(make_course(), browser="b1")
    shop.pay(started, email="gia@example.org")
    shop.deliver_all()
    seat = get_order_page(started.order_public_id).seats[0].public_id
    path = f"/admin/orders/{started.order_public_id}/seats/{seat}/claim-link"
    staff = Staff(app, "support")

    staff.send(path)
    assert "less than 10 minutes ago" in read_page(staff, started)
    moving_clock.advance(minutes=11)
    staff.send(path)

    assert [mail.template for mail in list_mails("gia@example.org")].count("claim_seat") == 2
    assert list_audit(started) == [("order.claim_link_resent", "")]


def test_a_finding_is_resolved_with_a_reason_and_by_a_name(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course())
    record_finding(key="x", order_id=shop.order(started).id, kind="oversold", detail="One more than there are seats.")
    staff = Staff(app, "support")
    path = "/admin/attention/findings/x"

    assert staff.send(path, {"reason": ""}).status_code == 422
    assert db.session.scalars(select(Finding.resolved_at)).one() is None
    answer = staff.send(path, {"reason": "Added a seat", "back": "order"})
    assert answer.location == f"/admin/orders/{started.order_public_id}"

    text = read_page(staff, started)
    assert "Marked as resolved by Support Person" in text
    assert "Added a seat" in text
    assert list_audit(started) == [("finding.dismissed", "Added a seat")]


def test_stripes_events_and_payloads_show_on_demand(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course())
    staff = Staff(app, "reader")

    assert "checkout.session.completed" not in read_page(staff, started)
    text = read_page(staff, started, "?events=1")

    assert "checkout.session.completed" in text
    assert f'"id": "{started.stripe_checkout_session_id}"' in text


def test_the_sandbox_has_no_link_to_stripes_dashboard(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course())

    page = Staff(app, "reader").get(f"/admin/orders/{started.order_public_id}").text

    assert "dashboard.stripe.com" not in page
    assert payment_intent(shop, started) in page


def test_readers_see_no_button_that_changes_something(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course())

    text = read_page(Staff(app, "reader"), started)

    for label in ("Refund…", "Move…", "Resend receipt", "Add note"):
        assert label not in text


def test_the_trace_tells_why_a_seat_is_open(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course(title="Draw the path"), user=make_user())
    seat = get_order_page(started.order_public_id).seats[0]

    page = Staff(app, "reader").get(f"/admin/orders/{started.order_public_id}/access?seat={seat.public_id}").text

    assert "Draw the path" in page
    assert seat.public_id in page
    assert (seat.state, seat.has_access, seat.done, seat.total) == ("taken", True, 0, 2)


def test_no_order_can_be_deleted(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course())
    owner = Staff(app, "owner")
    path = f"/admin/orders/{started.order_public_id}"

    assert owner.open(path, method="DELETE").status_code == 405
    assert owner.send(f"{path}/delete").status_code == 404
    assert "Delete" not in owner.get(path).text
    assert owner.get(path).status_code == 200


@pytest.mark.parametrize(("livemode", "mode"), [(True, ""), (False, "test/")])
def test_the_link_to_stripes_dashboard_knows_the_mode(app: Flask, livemode: bool, mode: str) -> None:
    real = replace(app.config["SETTINGS"], stripe_api_base=STRIPE_API_BASE)
    order = make_order(livemode=livemode, stripe_payment_intent_id="pi_1", payment_method_label="Visa ending 4242")
    order.entries, order.attempts = [make_entry("payment", 9700)], []

    with patched(app, real):
        payment = describe_payment(order)

    assert payment.stripe_url == f"https://dashboard.stripe.com/{mode}payments/pi_1"
    assert payment.ids == (("Intent", "pi_1"), ("Charge", "ch_1"))


@contextmanager
def patched(app: Flask, settings: Settings) -> Iterator[None]:
    before = app.config["SETTINGS"]
    app.config["SETTINGS"] = settings
    try:
        yield
    finally:
        app.config["SETTINGS"] = before


def test_deeds_on_what_is_not_there_are_refused_and_leave_nothing(shop: Shop, app: Flask) -> None:
    started = shop.begin(make_course(), browser="b1")
    bought = buy_seats(shop, quantity=2)
    staff = Staff(app, "support")
    pending, paid = (f"/admin/orders/{each.order_public_id}" for each in (started, bought))
    free = get_order_page(bought.order_public_id).seats[1].public_id

    staff.send(f"{pending}/receipt")
    assert "A receipt goes out once the order is paid" in read_page(staff, started)
    staff.send(f"{paid}/seats/{free}/claim-link")
    assert "Look at the list again" in read_page(staff, bought)
    staff.send(f"{paid}/notes", {"text": "x" * 2001})
    assert "Use at most 2000 characters." in read_page(staff, bought)
    for path in (
        "/admin/orders/ord_none/notes",
        "/admin/attention/findings/none",
        f"{pending}/seats/{free}/claim-link",
    ):
        assert staff.send(path, {"text": "x", "reason": "x"}).status_code == 404, path

    assert (list_audit(started), list_audit(bought)) == ([], [])


def test_a_finding_that_somebody_resolved_is_resolved_once(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course())
    record_finding(key="x", order_id=shop.order(started).id, kind="oversold", detail="One too many.")
    staff = Staff(app, "support")
    path = "/admin/attention/findings/x"

    for reason in ("First", "Second"):
        staff.send(path, {"reason": reason})

    assert db.session.scalars(select(Finding.resolution)).one() == "First"
    assert list_audit(started) == [("finding.dismissed", "First")]
    assert "Somebody took it off the list before you." in staff.get(f"/admin/orders/{started.order_public_id}").text
