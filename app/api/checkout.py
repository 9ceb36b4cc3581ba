"""POST /api/v1/checkout-sessions: the Enroll button for programs."""

import hashlib
import secrets
from typing import Any

from flask import request

from app.accounts.emails import normalize_email
from app.api.blueprint import PREFIX, ShopBlueprint
from app.api.schemas import CheckoutHeaders, CheckoutSessionArguments, CheckoutSessionSchema
from app.checkout.choices import Buyer, Wish
from app.checkout.services import start_checkout
from app.extensions import limiter

STARTS = "120 per minute"

blueprint = ShopBlueprint("checkout", __name__, url_prefix=f"{PREFIX}/checkout-sessions", description="Buying.")


@blueprint.post("")
@limiter.limit(STARTS)
@blueprint.arguments(CheckoutHeaders, location="headers")
@blueprint.arguments(CheckoutSessionArguments)
@blueprint.response(201, CheckoutSessionSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def create_checkout_session(headers: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Open a Checkout Session

    Send the buyer to its url. With an Idempotency-Key a repeated call gives the same session while it can be paid.
    The price comes from our tables: no amount is taken from the caller.
    """
    email = normalize_email(arguments["email"]) if arguments["email"] else None
    buyer = Buyer(user_id=None, browser_key=_buyer_key(headers["idempotency_key"]), email=email)
    wish = Wish(
        quantity=arguments["quantity"],
        purpose="team" if arguments["quantity"] > 1 else "self",
        code=arguments["code"],
        consents=frozenset(arguments["consents"]),
    )
    started = start_checkout(price_public_id=arguments["price_id"], buyer=buyer, wish=wish)
    return {
        "id": started.stripe_checkout_session_id,
        "url": started.url,
        "expires_at": started.expires_at,
        "order_id": started.order_public_id,
        "amount_total": started.total_amount,
        "currency": started.currency,
        "status": started.state,
    }


def _buyer_key(idempotency_key: str | None) -> str:
    """Who buys: the same for the same key from the same address, so that nobody meets another's session by guessing."""
    if idempotency_key is None:
        return f"api-{secrets.token_hex(16)}"
    return "api-" + hashlib.sha256(f"{request.remote_addr} {idempotency_key}".encode()).hexdigest()[:40]
