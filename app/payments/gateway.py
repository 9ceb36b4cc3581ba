"""The only calls to Stripe. SDK objects and errors end here: what leaves are our own values and errors.

Every write carries an idempotency key named after our row. The client waits 8 s and repeats twice; the SDK's own
defaults would hold a request for four minutes (tried, payments.md section 0.1, hole 4).
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import BoundedSemaphore
from typing import Any, cast

import stripe
import structlog
from flask import Flask, current_app

from app.config import Settings, current_settings
from app.db import in_transaction
from app.errors import AppError
from app.payments.facts import (
    CheckoutFacts,
    Metadata,
    PaymentFacts,
    RefundFacts,
    list_fees,
    read_dispute,
    read_payment,
    read_refund,
    read_session,
)

log = structlog.get_logger()

TIMEOUT_SECONDS = 8
NETWORK_RETRIES = 1
# For a page that only looks: somebody waits before it, and asking again later loses nothing.
BRIEF_SECONDS = 4
PAGE_SIZE = 100
# While Stripe hangs, each call holds a thread of the server for some 17 seconds: so many may, the others go on serving
# pages (F45). Whoever finds no place in two seconds is told to try again.
MOST_CALLS_AT_ONCE = 12
PLACE_SECONDS = 2
_places = BoundedSemaphore(MOST_CALLS_AT_ONCE)
_is_brief: ContextVar[bool] = ContextVar("is_brief", default=False)


class PaymentUnavailable(AppError):
    """Stripe did not answer, or not usefully: what was asked may or may not have happened. Call again, same key."""

    code = "payment_unavailable"
    status = 503
    title = "Payments are paused for a moment"
    sentence = "Stripe isn’t answering. Nothing was charged: try again in a minute."
    nothing_charged = True
    retry_after_seconds = 30


class PaymentRefused(AppError):
    """Stripe understood and said no; repeating the same request would not help."""

    code = "payment_refused"
    status = 502
    title = "The payment page couldn’t be opened"
    sentence = "Nothing was charged. Tell us which course you wanted and we’ll sort it out."
    nothing_charged = True


class StripeObjectMissing(PaymentRefused):
    """Stripe knows no object with that id."""

    code = "stripe_object_missing"


class IdempotencyMismatch(PaymentRefused):
    """The key was used before with other parameters (F43): a new attempt needs a new key."""

    code = "idempotency_mismatch"


@dataclass(frozen=True, kw_only=True, slots=True)
class LineItem:
    """One line of a Checkout Session."""

    stripe_price_id: str
    quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRequest:
    """Everything a Checkout Session is made from; expires_at is UTC, stripe_coupon_id None without a discount."""

    order_public_id: str
    idempotency_key: str
    line_items: tuple[LineItem, ...]
    stripe_coupon_id: str | None
    customer_email: str | None
    is_tax_enabled: bool
    collects_tax_id: bool
    makes_invoice: bool
    success_url: str
    cancel_url: str
    expires_at: datetime
    metadata: Metadata
    origin_metadata: Metadata  # on the session only: how the buyer came here


def init_app(app: Flask, settings: Settings) -> None:
    """Make the app's clients, with their timeouts and retries."""
    app.extensions["stripe_client"] = _make_client(settings, timeout=TIMEOUT_SECONDS, retries=NETWORK_RETRIES)
    app.extensions["stripe_client_brief"] = _make_client(settings, timeout=BRIEF_SECONDS, retries=0)


def _make_client(settings: Settings, *, timeout: int, retries: int) -> stripe.StripeClient:
    return stripe.StripeClient(
        settings.stripe_secret_key,
        base_addresses={"api": settings.stripe_api_base},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=timeout),
    )


@contextmanager
def brief_patience() -> Iterator[None]:
    """Within the block each call to Stripe is tried once and waits four seconds. For looking, not for money."""
    token = _is_brief.set(True)
    try:
        yield
    finally:
        _is_brief.reset(token)


def is_own_product(stripe_product_id: str) -> bool:
    """Whether ensure_product() chose the id; others were made in Stripe's dashboard and imported."""
    settings: Settings = current_app.config["SETTINGS"]
    return stripe_product_id.startswith(f"{settings.stripe_app_id}_")


def ensure_product(*, public_id: str, title: str) -> str:
    """The Stripe Product of ours, made if need be. Its id is chosen by us, so it can only be made once."""
    settings: Settings = current_app.config["SETTINGS"]
    stripe_id = f"{settings.stripe_app_id}_{public_id}"[:255]
    with stripe_errors("product"):
        try:
            stripe_client().v1.products.create(
                {"id": stripe_id, "name": title, "metadata": {"app_id": settings.stripe_app_id, "product": public_id}},
                _single_use_key(f"product:{public_id}"),
            )
        except stripe.InvalidRequestError as error:
            if error.code != "resource_already_exists":
                raise
    return stripe_id


def ensure_coupon(*, public_id: str, amount_off: int, currency: str, name: str) -> str:
    """The Stripe Coupon of ours that takes amount_off (minor units) off a session, made if need be; name is for people.

    Its id is chosen by us and a coupon's amount never changes, so it can only be made once and never be wrong.
    """
    settings: Settings = current_app.config["SETTINGS"]
    stripe_id = f"{settings.stripe_app_id}_{public_id}"[:255]
    with stripe_errors("coupon"):
        try:
            stripe_client().v1.coupons.create(
                {
                    "id": stripe_id,
                    "amount_off": amount_off,
                    "currency": currency,
                    "duration": "once",
                    "name": name[:40],
                    "metadata": {"app_id": settings.stripe_app_id, "promotion_code": public_id},
                },
                _single_use_key(f"coupon:{public_id}"),
            )
        except stripe.InvalidRequestError as error:
            if error.code != "resource_already_exists":
                raise
    return stripe_id


def ensure_price(*, public_id: str, stripe_product_id: str, unit_amount: int, currency: str) -> str:
    """The Stripe Price of ours, found by its lookup key or made. Prices are immutable, so this may run at any time."""
    settings = current_settings()
    lookup_key = f"{settings.stripe_app_id}:{public_id}"[:200]
    with stripe_errors("price"):
        prices = stripe_client().v1.prices
        found = prices.list({"lookup_keys": [lookup_key], "limit": 1})
        if found.data:
            return found.data[0].id
        params = make_price_params(public_id, stripe_product_id, unit_amount, currency)
        try:
            made = prices.create(cast(Any, params), _single_use_key(f"price:{public_id}"))
        except stripe.InvalidRequestError:
            # Another worker made it in between: lookup keys are unique among prices.
            found = prices.list({"lookup_keys": [lookup_key], "limit": 1})
            if not found.data:
                raise
            return found.data[0].id
        return made.id


def make_price_params(public_id: str, stripe_product_id: str, unit_amount: int, currency: str) -> dict[str, Any]:
    """What a Stripe Price of ours is made from."""
    settings = current_settings()
    params: dict[str, Any] = {
        "product": stripe_product_id,
        "unit_amount": unit_amount,
        "currency": currency,
        "lookup_key": f"{settings.stripe_app_id}:{public_id}"[:200],
        "metadata": {"app_id": settings.stripe_app_id, "price": public_id},
    }
    if settings.is_tax_enabled:
        # Cannot be changed later; a price made before has none, and Stripe then takes the account's default.
        params["tax_behavior"] = settings.tax_behavior
    return params


def _single_use_key(name: str) -> Any:
    # Stripe keeps the first answer of a key for a day, a 500 too. Where an id or lookup key of ours already rules out
    # a second object, a key for each call lets the next call succeed; the SDK's own repeats still share it.
    return {"idempotency_key": f"{name}:{secrets.token_hex(8)}"}


def create_checkout_session(request: SessionRequest) -> CheckoutFacts:
    """Open a Checkout Session. Repeating it with the same key gives the same session back.

    Raises IdempotencyMismatch (F43), PaymentUnavailable (outcome unknown), PaymentRefused.
    """
    params: dict[str, Any] = {
        "mode": "payment",
        "line_items": [{"price": line.stripe_price_id, "quantity": line.quantity} for line in request.line_items],
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
        "client_reference_id": request.order_public_id,
        "expires_at": int(request.expires_at.timestamp()),
        "metadata": {**request.origin_metadata, **request.metadata},
        # A session's metadata does not reach its PaymentIntent by itself.
        "payment_intent_data": {"metadata": request.metadata},
    }
    if request.stripe_coupon_id is not None:
        params["discounts"] = [{"coupon": request.stripe_coupon_id}]
    if request.customer_email is not None:
        params["customer_email"] = request.customer_email
    if request.is_tax_enabled:
        params["automatic_tax"] = {"enabled": True}
    if request.collects_tax_id:
        params["tax_id_collection"] = {"enabled": True}
    if request.makes_invoice:
        params["invoice_creation"] = {"enabled": True, "invoice_data": {"metadata": request.metadata}}
    with stripe_errors("checkout_session"):
        session = stripe_client().v1.checkout.sessions.create(
            cast(Any, params), {"idempotency_key": request.idempotency_key}
        )
        return read_session(session.to_dict())


def get_checkout_session(session_id: str) -> CheckoutFacts:
    """A Checkout Session as it is now. Raises StripeObjectMissing, PaymentUnavailable."""
    with stripe_errors("checkout_session"):
        return read_session(stripe_client().v1.checkout.sessions.retrieve(session_id).to_dict())


def expire_checkout_session(session_id: str) -> None:
    """Close an open session, so that nobody can pay on it any more.

    Raises PaymentRefused when it is not open: it was paid or closed meanwhile, so read it. PaymentUnavailable.
    """
    with stripe_errors("checkout_session"):
        stripe_client().v1.checkout.sessions.expire(session_id)


def get_invoice_url(invoice_id: str) -> str:
    """Where Stripe keeps the PDF of an invoice it made; the address works for a while, so ask each time.

    Raises StripeObjectMissing also while the PDF is still being made, PaymentUnavailable.
    """
    with stripe_errors("invoice"):
        invoice = stripe_client().v1.invoices.retrieve(invoice_id).to_dict()
    url = invoice.get("invoice_pdf") or invoice.get("hosted_invoice_url")
    if not isinstance(url, str):
        raise StripeObjectMissing
    return url


def get_payment(payment_intent_id: str) -> PaymentFacts:
    """A PaymentIntent with its charges, refunds and disputes as they are now; all pages are read (F48)."""
    client = stripe_client()
    with stripe_errors("payment_intent"):
        intent = client.v1.payment_intents.retrieve(payment_intent_id).to_dict()
        page: Any = {"payment_intent": payment_intent_id, "limit": PAGE_SIZE}
        # The balance transactions say when the money moved, which may be days after the object was made.
        booked: Any = {**page, "expand": ["data.balance_transaction"]}
        undone: Any = {**page, "expand": ["data.balance_transaction", "data.failure_balance_transaction"]}
        charges = [each.to_dict() for each in client.v1.charges.list(booked).auto_paging_iter()]
        refunds = [each.to_dict() for each in client.v1.refunds.list(undone).auto_paging_iter()]
        disputes = [each.to_dict() for each in client.v1.disputes.list(page).auto_paging_iter()]
        # Here, where an object that lacks what it must have is Stripe not answering usefully.
        return read_payment(
            intent,
            charges=charges,
            refunds=[read_refund(each) for each in refunds],
            disputes=[read_dispute(each) for each in disputes],
            fees=list_fees([*charges, *refunds, *disputes]),
        )


def get_payment_metadata(payment_intent_id: str) -> Metadata:
    """The metadata of a PaymentIntent: says whose it is when an event carries none."""
    with stripe_errors("payment_intent"):
        intent = stripe_client().v1.payment_intents.retrieve(payment_intent_id).to_dict()
    return dict(intent.get("metadata") or {})


def create_refund(*, charge_id: str, amount: int, idempotency_key: str, refund_request: str) -> RefundFacts:
    """Give amount (minor units of the charge's currency) back. Repeating it with the same key makes no second refund.

    Raises PaymentRefused when Stripe says no (more than is left), PaymentUnavailable when the outcome is unknown.
    """
    settings: Settings = current_app.config["SETTINGS"]
    with stripe_errors("refund"):
        refund = stripe_client().v1.refunds.create(
            {
                "charge": charge_id,
                "amount": amount,
                "metadata": {"app_id": settings.stripe_app_id, "refund_request": refund_request},
            },
            {"idempotency_key": idempotency_key},
        )
        return read_refund(refund.to_dict())


def find_refund(*, charge_id: str, refund_request: str) -> RefundFacts | None:
    """The refund that an earlier create_refund() made, when its answer was lost or its key is forgotten (F41, F44)."""
    with stripe_errors("refund"):
        page: Any = {"charge": charge_id, "limit": PAGE_SIZE}
        for refund in stripe_client().v1.refunds.list(page).auto_paging_iter():
            facts = read_refund(refund.to_dict())
            if facts.metadata.get("refund_request") == refund_request:
                return facts
    return None


def list_checkout_sessions(*, created_since: datetime) -> Iterator[CheckoutFacts]:
    """Every Checkout Session of the account made since then, newest first, page by page."""
    with stripe_errors("checkout_session"):
        page: Any = {"created": {"gte": int(created_since.astimezone(UTC).timestamp())}, "limit": PAGE_SIZE}
        for session in stripe_client().v1.checkout.sessions.list(page).auto_paging_iter():
            yield read_session(session.to_dict())


def stripe_client() -> stripe.StripeClient:
    """The app's client, for this package. Raises RuntimeError inside transaction(): its locks would wait for Stripe."""
    if in_transaction():
        raise RuntimeError("Stripe must not be called inside transaction()")
    client: stripe.StripeClient = current_app.extensions["stripe_client_brief" if _is_brief.get() else "stripe_client"]
    return client


@contextmanager
def stripe_errors(subject: str) -> Iterator[None]:
    """Turn the SDK's errors into ours; subject names what was asked for, in the log.

    Raises PaymentUnavailable also when too many wait for Stripe in this process already.
    """
    if not _places.acquire(timeout=PLACE_SECONDS):
        log.warning("stripe_crowded", subject=subject)
        raise PaymentUnavailable
    try:
        yield
    except stripe.IdempotencyError as error:
        if error.http_status == 409:  # noqa: PLR2004 - the same key is being worked on right now
            raise PaymentUnavailable from error
        raise IdempotencyMismatch from error
    except stripe.InvalidRequestError as error:
        if error.code == "resource_missing":
            raise StripeObjectMissing from error
        log.warning("stripe_refused", subject=subject, code=error.code, param=error.param, request=error.request_id)
        raise PaymentRefused from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        log.critical("stripe_key_refused", subject=subject, status=error.http_status)
        raise PaymentUnavailable from error
    except (stripe.StripeError, ValueError, KeyError, TypeError, AttributeError) as error:
        # Timeouts, 429, 5xx, an answer that is no JSON or lacks what it must have: the outcome is unknown.
        log.warning("stripe_unavailable", subject=subject, error=type(error).__name__)
        raise PaymentUnavailable from error
    finally:
        _places.release()
