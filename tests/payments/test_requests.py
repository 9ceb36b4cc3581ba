"""What Stripe is asked, to the last parameter: read from the sandbox's record of what was said."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from app import clock
from app.catalog.promotion_codes import create_code
from app.payments.account import PINNED_VERSION, create_endpoint, update_endpoint
from app.payments.gateway import (
    LineItem,
    SessionRequest,
    StripeObjectMissing,
    create_checkout_session,
    create_refund,
    ensure_price,
    ensure_product,
    find_refund,
    get_payment_metadata,
    list_checkout_sessions,
)
from app.payments.listing import list_page
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, payment_intent
from tests.factories import get_price, make_course, make_user

Asked = tuple[str, str, dict[str, str]]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)


@pytest.fixture
def asked(shop: Shop) -> Any:
    """The calls since the test began, or since the last look: method, path, parameters."""
    traffic = shop.sandbox.config.traffic
    assert traffic is not None
    traffic.touch()
    seen = traffic.stat().st_size

    def read() -> list[Asked]:
        nonlocal seen
        with traffic.open(encoding="utf-8") as file:
            file.seek(seen)
            lines = [json.loads(line) for line in file.read().splitlines()]
            seen = file.tell()
        calls = [line for line in lines if "method" in line]
        return [
            (
                each["method"],
                each["path"].partition("?")[0],
                dict(parse_qsl(each["request_body"] or each["path"].partition("?")[2], keep_blank_values=True)),
            )
            for each in calls
        ]

    return read


def test_first_sale_makes_product_price_and_coupon_and_asks_for_a_session(shop: Shop, asked: Any) -> None:
    user, course = make_user(email="maya@example.org"), make_course(unit_amount=9700)
    create_code("LAUNCH20", percent_off=20)
    app_id, price = shop.settings.stripe_app_id, get_price(course)

    started = shop.begin(course, user=user, quantity=2, code="LAUNCH20")

    product, price_list, made_price, coupon, session = asked()
    order_id = started.order_public_id
    product_id = product[2]["id"]
    public_product_id = product_id.removeprefix(f"{app_id}_")
    assert product == (
        "POST",
        "/v1/products",
        {
            "id": product_id,
            "name": course.title,
            "metadata[app_id]": app_id,
            "metadata[product]": public_product_id,
        },
    )
    lookup = f"{app_id}:{price.public_id}"
    assert price_list == ("GET", "/v1/prices", {"lookup_keys[0]": lookup, "limit": "1"})
    assert made_price == (
        "POST",
        "/v1/prices",
        {
            "product": product_id,
            "unit_amount": "9700",
            "currency": "usd",
            "lookup_key": lookup,
            "metadata[app_id]": app_id,
            "metadata[price]": price.public_id,
        },
    )
    code_id = coupon[2]["metadata[promotion_code]"]
    assert code_id.endswith("_3880usd")
    assert coupon == (
        "POST",
        "/v1/coupons",
        {
            "id": f"{app_id}_{code_id}",
            "amount_off": "3880",
            "currency": "usd",
            "duration": "once",
            "name": "LAUNCH20",
            "metadata[app_id]": app_id,
            "metadata[promotion_code]": code_id,
        },
    )
    assert started.expires_at is not None
    metadata = {"app_id": app_id, "order": order_id, "attempt": "1"}
    assert session == (
        "POST",
        "/v1/checkout/sessions",
        {
            "mode": "payment",
            "line_items[0][price]": shop.stripe("/v1/prices")["data"][0]["id"],
            "line_items[0][quantity]": "2",
            "success_url": "http://localhost/checkout/success?session_id={CHECKOUT_SESSION_ID}",
            "cancel_url": f"http://localhost/checkout/cancelled?order={order_id}",
            "client_reference_id": order_id,
            "customer_email": "maya@example.org",
            "expires_at": str(int(started.expires_at.timestamp())),
            "discounts[0][coupon]": f"{app_id}_{code_id}",
            **{f"metadata[{name}]": value for name, value in metadata.items()},
            **{f"payment_intent_data[metadata][{name}]": value for name, value in metadata.items()},
        },
    )


def test_session_asks_for_what_the_shop_turned_on_and_for_nothing_else(shop: Shop, asked: Any) -> None:
    product_id = ensure_product(public_id="prd_1", title="Course")
    price_id = ensure_price(public_id="prc_1", stripe_product_id=product_id, unit_amount=500, currency="usd")
    plain = SessionRequest(
        order_public_id="ord_1",
        idempotency_key="checkout:ord_1:1",
        line_items=(LineItem(stripe_price_id=price_id, quantity=1),),
        stripe_coupon_id=None,
        customer_email=None,
        is_tax_enabled=False,
        collects_tax_id=False,
        makes_invoice=False,
        success_url="http://localhost/success",
        cancel_url="http://localhost/cancel",
        expires_at=clock.now() + timedelta(hours=1),
        metadata={"order": "ord_1"},
        origin_metadata={},
    )
    rich = replace(
        plain,
        idempotency_key="checkout:ord_1:2",
        is_tax_enabled=True,
        collects_tax_id=True,
        makes_invoice=True,
        origin_metadata={"post": "a-post"},
    )
    asked()

    first = create_checkout_session(plain)
    again = create_checkout_session(plain)
    create_checkout_session(rich)

    assert first == again
    (_, _, bare), _, (_, _, full) = asked()
    assert set(bare) == {
        *("mode", "line_items[0][price]", "line_items[0][quantity]", "success_url", "cancel_url"),
        *("client_reference_id", "expires_at", "metadata[order]", "payment_intent_data[metadata][order]"),
    }
    assert {name: value for name, value in full.items() if name not in bare} == {
        "metadata[post]": "a-post",
        "automatic_tax[enabled]": "true",
        "tax_id_collection[enabled]": "true",
        "invoice_creation[enabled]": "true",
        "invoice_creation[invoice_data][metadata][order]": "ord_1",
    }


def test_refund_names_its_charge_its_amount_and_its_wish_and_is_found_again_by_it(shop: Shop, asked: Any) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    intent = payment_intent(shop, started)
    charge_id = shop.stripe(f"/v1/payment_intents/{intent}")["latest_charge"]
    asked()

    made = create_refund(charge_id=charge_id, amount=500, idempotency_key="refund:rfr_1", refund_request="rfr_1")
    again = create_refund(charge_id=charge_id, amount=500, idempotency_key="refund:rfr_1", refund_request="rfr_1")
    create_refund(charge_id=charge_id, amount=600, idempotency_key="refund:rfr_2", refund_request="rfr_2")

    assert made == again
    assert asked()[0] == (
        "POST",
        "/v1/refunds",
        {
            "charge": charge_id,
            "amount": "500",
            "metadata[app_id]": shop.settings.stripe_app_id,
            "metadata[refund_request]": "rfr_1",
        },
    )
    assert find_refund(charge_id=charge_id, refund_request="rfr_1") == made
    assert asked() == [("GET", "/v1/refunds", {"charge": charge_id, "limit": "100"})]
    assert find_refund(charge_id=charge_id, refund_request="rfr_3") is None
    assert get_payment_metadata(intent) == {
        "app_id": shop.settings.stripe_app_id,
        "order": started.order_public_id,
        "attempt": "1",
    }


def test_refund_asked_for_again_reads_the_payment_once_and_sends_nothing(shop: Shop, asked: Any) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    first = give_back(started, amount=500)
    asked()

    again = give_back(started, amount=500)

    assert again == first
    calls = [(method, path.split("/")[2]) for method, path, _ in asked()]
    assert calls.count(("GET", "payment_intents")) == 1
    assert [method for method, _ in calls if method != "GET"] == []


def test_lists_are_asked_by_time_and_page(shop: Shop, asked: Any) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    pages = [list_page(kind, created_since=since, after=None, limit=7) for kind in ("sessions", "refunds", "disputes")]
    sessions = list(list_checkout_sessions(created_since=since))
    with pytest.raises(StripeObjectMissing):
        list_page("refunds", created_since=since, after="re_unknown")

    assert (sessions, [(page.objects, page.has_more) for page in pages]) == ([], [((), False)] * 3)
    gte = {"created[gte]": "1767225600"}
    expanded = {"expand[0]": "data.payment_intent"}
    assert asked() == [
        ("GET", "/v1/checkout/sessions", {**gte, "limit": "7"}),
        ("GET", "/v1/refunds", {**gte, "limit": "7", **expanded}),
        ("GET", "/v1/disputes", {**gte, "limit": "7", **expanded}),
        ("GET", "/v1/checkout/sessions", {**gte, "limit": "100"}),
        ("GET", "/v1/refunds", {**gte, "limit": "100", "starting_after": "re_unknown", **expanded}),
    ]


def test_endpoint_is_made_and_repaired_with_its_events_and_the_version_we_read(shop: Shop, asked: Any) -> None:
    made = create_endpoint(url="http://localhost/webhooks/stripe", events=["refund.created", "refund.failed"])
    repaired = update_endpoint(made.id, events=["refund.created"])

    assert made.secret is not None
    assert replace(made, secret=None) == replace(repaired, enabled_events=("refund.created", "refund.failed"))
    assert (made.is_enabled, made.livemode, made.api_version) == (True, False, PINNED_VERSION)
    assert asked() == [
        (
            "POST",
            "/v1/webhook_endpoints",
            {
                "url": "http://localhost/webhooks/stripe",
                "enabled_events[0]": "refund.created",
                "enabled_events[1]": "refund.failed",
                "api_version": PINNED_VERSION,
                "description": shop.settings.site_name,
                "metadata[app_id]": shop.settings.stripe_app_id,
            },
        ),
        ("POST", f"/v1/webhook_endpoints/{made.id}", {"enabled_events[0]": "refund.created", "disabled": "false"}),
    ]
