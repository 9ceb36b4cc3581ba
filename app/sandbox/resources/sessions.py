"""Checkout Sessions: made by the shop, paid on the hosted page (see app.sandbox.checkout), expired by either side."""

from app.sandbox.documents import Document, new_id
from app.sandbox.errors import InvalidRequest, Refused, missing_parameter, no_such, no_such_reference
from app.sandbox.events import emit
from app.sandbox.listing import Filter, list_page, page_of
from app.sandbox.parameters import merge_metadata
from app.sandbox.resources.payments import cancel_open_payment
from app.sandbox.resources.session_items import Basket, fill_basket
from app.sandbox.resources.tax_settings import require_active_tax
from app.sandbox.store import Transaction
from app.sandbox.timers import set_timer

SHORTEST_SECONDS, LONGEST_SECONDS = 30 * 60, 24 * 3600
_TOLERANCE_SECONDS = 60  # a clock a moment behind ours still means 30 minutes
BANK_DEBITS = {
    "usd": "us_bank_account", "eur": "sepa_debit", "gbp": "bacs_debit", "cad": "acss_debit", "aud": "au_becs_debit",
}  # fmt: skip
_FILTERS = (
    Filter("customer", "customer"),
    Filter("payment_intent", "payment_intent"),
    Filter("status", "status"),
    Filter("email", "customer_details.email"),
)


def bank_debit_type(currency: str) -> str:
    """The delayed method offered in a currency; where Stripe has no debit, SEPA's shape stands in."""
    return BANK_DEBITS.get(currency, "sepa_debit")


def create_session(base_url: str, transaction: Transaction, params: Document) -> Document:
    """Raises InvalidRequest for parameters that exclude each other, a wrong expiry, total or currency."""
    _check(transaction, params)
    at = transaction.now()
    session_id = new_id("cs_test")
    basket = fill_basket(transaction, params, session_id)
    expires_at = params.get("expires_at", at + LONGEST_SECONDS)
    customer = transaction.find("customer", params.get("customer", ""))
    session = _document(params, basket, customer) | {
        "id": session_id,
        "created": at,
        "expires_at": expires_at,
        "url": f"{base_url}/c/pay/{session_id}",
    }
    private = {
        "line_items": basket.items,
        "discount_amounts": basket.discount_amounts,
        "coupon": basket.coupon,
        "promotion_code": basket.promotion_code,
        "base_url": base_url,
        "customer_update": params.get("customer_update", {}),
        "payment_intent_data": params.get("payment_intent_data", {}),
    }
    transaction.insert(session, private)
    set_timer(transaction, "expire_session", session_id, due_at=float(expires_at))
    return session


def _check(transaction: Transaction, params: Document) -> None:
    for name in ("mode", "success_url"):
        if name not in params:
            raise missing_parameter(name)
    if params["mode"] != "payment":
        raise InvalidRequest("The offline sandbox only knows sessions in `payment` mode.", param="mode")
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise InvalidRequest("The offline sandbox only knows `hosted_page`.", param="ui_mode")
    for one, other in (
        ("customer", "customer_email"),
        ("customer", "customer_creation"),
        ("discounts", "allow_promotion_codes"),
        ("allowed_payment_method_types", "excluded_payment_method_types"),
    ):
        if one in params and other in params:
            raise InvalidRequest(f"You may only specify one of these parameters: {one}, {other}.", param=one)
    if "customer_update" in params and "customer" not in params:
        raise InvalidRequest("`customer_update` can only be used with `customer`.", param="customer_update")
    if "customer" in params and transaction.find("customer", params["customer"]) is None:
        raise no_such_reference("customer", params["customer"], param="customer")
    if params.get("automatic_tax", {}).get("enabled"):
        require_active_tax(transaction)
    _check_expiry(transaction, params)


def _check_expiry(transaction: Transaction, params: Document) -> None:
    ahead = params.get("expires_at", transaction.now() + LONGEST_SECONDS) - transaction.now()
    if ahead < SHORTEST_SECONDS - _TOLERANCE_SECONDS:
        raise InvalidRequest(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.", param="expires_at"
        )
    if ahead > LONGEST_SECONDS + _TOLERANCE_SECONDS:
        raise InvalidRequest(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.", param="expires_at"
        )


def _method_types(params: Document, currency: str) -> list[str]:
    offered = ["card", bank_debit_type(currency)]
    if "allowed_payment_method_types" in params:
        offered = [name for name in offered if name in params["allowed_payment_method_types"]]
    offered = [name for name in offered if name not in params.get("excluded_payment_method_types", [])]
    if not offered:
        raise InvalidRequest("No payment method types enabled for the payment method types you chose.")
    return offered


def _document(params: Document, basket: Basket, customer: Document | None) -> Document:
    email = params.get("customer_email") or (customer or {}).get("email")
    tax = params.get("automatic_tax", {}).get("enabled", False)
    needs_invoice = params.get("invoice_creation", {}).get("enabled", False)
    invoice_data = params.get("invoice_creation", {}).get("invoice_data", {})
    session: Document = {
        "id": "",
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": params.get("adaptive_pricing", {}).get("enabled", False)},
        "after_expiration": None,
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "amount_subtotal": basket.subtotal,
        "amount_total": basket.total,
        "automatic_tax": {
            "enabled": tax,
            "liability": {"type": "self"} if tax else None,
            "provider": "stripe" if tax else None,
            "status": "requires_location_inputs" if tax else None,
        },
        "billing_address_collection": params.get("billing_address_collection"),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": _consent_collection(params.get("consent_collection")),
        "created": 0,
        "currency": basket.currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            name: params.get("custom_text", {}).get(name) or None
            for name in ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
        },
        "customer": params.get("customer"),
        "customer_creation": None if customer else params.get("customer_creation", "if_required"),
        "customer_details": contact(email, name=(customer or {}).get("name")) if email else None,
        "customer_email": params.get("customer_email"),
        "discounts": _discounts(basket),
        "expires_at": 0,
        "invoice": None,
        "invoice_creation": {
            "enabled": needs_invoice,
            "invoice_data": {
                "account_tax_ids": None,
                "custom_fields": invoice_data.get("custom_fields") or None,
                "description": invoice_data.get("description"),
                "footer": invoice_data.get("footer"),
                "issuer": None,
                "metadata": merge_metadata({}, invoice_data.get("metadata", {})),
                "rendering_options": None,
            },
        },
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": params.get("metadata", {}),
        "mode": "payment",
        "origin_context": params.get("origin_context"),
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": _method_types(params, basket.currency),
        "payment_status": "unpaid" if basket.total else "no_payment_required",
        "permissions": None,
        "phone_number_collection": {"enabled": params.get("phone_number_collection", {}).get("enabled", False)},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params["success_url"],
        "tax_id_collection": {
            "enabled": params.get("tax_id_collection", {}).get("enabled", False),
            "required": params.get("tax_id_collection", {}).get("required", "never"),
        },
        "total_details": {"amount_discount": basket.discount, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": None,
        "wallet_options": None,
    }
    session |= {
        name: params[name]
        for name in ("allowed_payment_method_types", "excluded_payment_method_types")
        if name in params
    }
    if "name_collection" in params:
        session["name_collection"] = {
            kind: {"enabled": given["enabled"], "optional": given.get("optional", False)}
            for kind, given in params["name_collection"].items()
        }
    return session


def _discounts(basket: Basket) -> list[Document]:
    """Stripe names what was given: the promotion code, or else the coupon."""
    if basket.promotion_code:
        return [{"coupon": None, "promotion_code": basket.promotion_code}]
    return [{"coupon": basket.coupon, "promotion_code": None}] if basket.coupon else []


def _consent_collection(given: Document | None) -> Document | None:
    if given is None:
        return None
    return {
        "payment_method_reuse_agreement": given.get("payment_method_reuse_agreement"),
        "promotions": given.get("promotions", "none"),
        "terms_of_service": given.get("terms_of_service", "none"),
    }


def contact(
    email: str | None,
    *,
    name: str | None = None,
    address: Document | None = None,
    tax_ids: list[Document] | None = None,
    phone: str | None = None,
) -> Document:
    """A session's customer_details."""
    return {
        "address": address,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": phone,
        "tax_exempt": "none",
        "tax_ids": tax_ids,
    }


def retrieve_session(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("checkout.session", identifier)
    if found is None:
        raise no_such("checkout.session", identifier, param="session")
    return found


def update_session(transaction: Transaction, params: Document, identifier: str) -> Document:
    """Metadata only. Stripe has no event for it."""
    session = retrieve_session(transaction, params, identifier)
    if "metadata" in params:
        session["metadata"] = merge_metadata(session["metadata"], params["metadata"])
        transaction.save(session)
    return session


def list_sessions(transaction: Transaction, params: Document) -> Document:
    flat = {**params, **params.get("customer_details", {})}
    return list_page(transaction, "checkout.session", "/v1/checkout/sessions", flat, _FILTERS)


def list_line_items(transaction: Transaction, params: Document, identifier: str) -> Document:
    retrieve_session(transaction, params, identifier)
    items = transaction.private(identifier)["line_items"]
    return page_of(items, f"/v1/checkout/sessions/{identifier}/line_items", params)


def expire_session(transaction: Transaction, params: Document, identifier: str) -> Document:
    """Raises Refused unless the session is open."""
    session = retrieve_session(transaction, params, identifier)
    if session["status"] != "open":
        raise Refused(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"{session['status']}.",
            param="session",
        )
    return close_expired(transaction, session)


def close_expired(transaction: Transaction, session: Document) -> Document:
    """Ends an open session; a payment begun on it can no longer be finished."""
    session |= {"status": "expired", "url": None}
    transaction.save(session)
    cancel_open_payment(transaction, session)
    emit(transaction, "checkout.session.expired", session)
    return session
