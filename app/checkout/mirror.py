"""What Stripe must know before it can ask for money: products, prices and coupons, made when they are first sold."""

from sqlalchemy import update

from app.catalog.models import Price, Product, PromotionCode
from app.checkout.choices import Choice
from app.checkout.models import Order, PromotionRedemption
from app.db import db, retry_conflicts, transaction
from app.payments.gateway import ensure_coupon, ensure_price, ensure_product


def mirror_price(choice: Choice) -> None:
    """Make the Stripe Product and Price of ours when they are sold for the first time. Raises PaymentUnavailable."""
    if choice.price.stripe_price_id is not None:
        return
    stripe_product_id = ensure_product(public_id=choice.product.public_id, title=choice.product.title)
    stripe_price_id = ensure_price(
        public_id=choice.price.public_id,
        stripe_product_id=stripe_product_id,
        unit_amount=choice.price.unit_amount,
        currency=choice.price.currency,
    )
    _save_mirror(
        product_id=choice.product.id,
        price_id=choice.price.id,
        stripe_product_id=stripe_product_id,
        stripe_price_id=stripe_price_id,
    )


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
def _save_mirror(*, product_id: int, price_id: int, stripe_product_id: str, stripe_price_id: str) -> None:
    with transaction() as session:
        session.execute(update(Product).where(Product.id == product_id).values(stripe_product_id=stripe_product_id))
        session.execute(update(Price).where(Price.id == price_id).values(stripe_price_id=stripe_price_id))
