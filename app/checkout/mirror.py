"""What Stripe must know before it can ask for money: products, prices and coupons, made when they are first sold."""

from typing import Any

from sqlalchemy import update

from app import clock
from app.catalog.models import Price, Product, PromotionCode
from app.checkout.choices import Choice
from app.checkout.mirror_models import MirrorState
from app.checkout.models import Order, PromotionRedemption
from app.db import db, insert_once, retry_conflicts, transaction
from app.payments.gateway import (
    PaymentRefused,
    PaymentUnavailable,
    ensure_coupon,
    ensure_price,
    ensure_product,
    is_own_product,
)


def mirror_price(choice: Choice) -> None:
    """Make the Stripe Product and Price of ours when they are sold for the first time. Raises PaymentUnavailable."""
    if choice.price.stripe_price_id is not None:
        return
    # Read before any transaction(), which forgets what was read.
    product_id, price_id = choice.product.id, choice.price.id
    product_public_id, price_public_id = choice.product.public_id, choice.price.public_id
    try:
        stripe_product_id = ensure_own_product(choice.product)
        stripe_price_id = ensure_price(
            public_id=price_public_id,
            stripe_product_id=stripe_product_id,
            unit_amount=choice.price.unit_amount,
            currency=choice.price.currency,
        )
    except (PaymentRefused, PaymentUnavailable) as error:
        note_mirror_error(price_public_id, error=error.code)
        raise
    _save_mirror(
        product_id=product_id,
        price_id=price_id,
        public_ids=(product_public_id, price_public_id),
        stripe_product_id=stripe_product_id,
        stripe_price_id=stripe_price_id,
    )


def ensure_own_product(product: Product) -> str:
    """The Stripe Product of ours, made if need be; one that was imported stays the one it is.

    Raises PaymentUnavailable, PaymentRefused.
    """
    known = product.stripe_product_id
    if known is not None and not is_own_product(known):
        return known
    return ensure_product(public_id=product.public_id, title=product.title)


def mirror_discount(order: Order) -> str | None:
    """The Stripe Coupon that takes exactly the order's discount off, None where there is none.

    An amount, also for a percentage: Stripe's rounding could differ from ours by a cent, and what our page showed
    must be what is charged. Orders of one code and amount share their coupon. Raises PaymentUnavailable.
    """
    if order.discount_amount == 0:
        return None
    redemption = db.session.get_one(PromotionRedemption, order.id)
    code = db.session.get_one(PromotionCode, redemption.promotion_code_id)
    return ensure_coupon(
        public_id=f"{code.public_id}_{order.discount_amount}{order.currency}",
        amount_off=order.discount_amount,
        currency=order.currency,
        name=code.code,
    )


@retry_conflicts
def note_mirror_error(public_id: str, *, error: str) -> None:
    """Keep why sending a product or price failed last, for whoever looks at it in the back-office."""
    with transaction():
        write_mirror_state(public_id, error=error, error_at=clock.now())


def write_mirror_state(public_id: str, **values: Any) -> None:
    """Write down what is known of a product or price at Stripe, inside the caller's transaction()."""
    insert_once(MirrorState, {"public_id": public_id, "detail": ""}, unique=["public_id"])
    db.session().execute(update(MirrorState).where(MirrorState.public_id == public_id).values(**values))


def in_sync() -> dict[str, Any]:
    """The values of a row that is as it should be, now."""
    return {"state": "in_sync", "detail": "", "checked_at": clock.now(), "error": None, "error_at": None}


@retry_conflicts
def _save_mirror(
    *, product_id: int, price_id: int, public_ids: tuple[str, str], stripe_product_id: str, stripe_price_id: str
) -> None:
    with transaction() as session:
        session.execute(update(Product).where(Product.id == product_id).values(stripe_product_id=stripe_product_id))
        session.execute(update(Price).where(Price.id == price_id).values(stripe_price_id=stripe_price_id))
        for public_id in public_ids:
            write_mirror_state(public_id, **in_sync())
