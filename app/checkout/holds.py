"""Limited things an order holds: a product's seats, a code's uses. One conditional update moves each.

All of it inside the caller's transaction(), with the order's row locked or new.
"""

from sqlalchemy import func, or_, select, update

from app import clock
from app.catalog.models import Product, PromotionCode
from app.checkout.errors import CodeUnusable
from app.checkout.models import Order, OrderItem, PromotionRedemption
from app.db import db


def hold_seats(item: OrderItem, *, wanted: int) -> bool:
    """Let the item hold exactly wanted of its product's seats; False, and no change, when that many are not free."""
    difference = wanted - item.held_quantity
    if difference == 0:
        return True
    statement = update(Product).where(Product.id == item.product_id)
    if difference > 0:
        statement = statement.where(
            or_(Product.capacity.is_(None), Product.taken_seats + difference <= Product.capacity)
        )
    moved = db.session.execute(
        statement.values(taken_seats=Product.taken_seats + difference).returning(Product.id)
    ).scalar_one_or_none()
    if moved is None:
        return False
    item.held_quantity = wanted
    return True


def reserve_code(order: Order, *, promotion_code_id: int, customer_key: str) -> None:
    """Reserve a use of the code for a new order. Raises CodeUnusable when its limits, window or state say no."""
    code = _take_use(promotion_code_id, is_new=True)
    if code is None:
        raise CodeUnusable
    # The update above locked the code's row, so nobody else reserves while this counts.
    if code.per_customer_limit is not None:
        used = db.session.scalar(
            select(func.count()).where(
                PromotionRedemption.promotion_code_id == code.id,
                PromotionRedemption.customer_key == customer_key,
                PromotionRedemption.status.in_(("reserved", "redeemed")),
            )
        )
        if (used or 0) >= code.per_customer_limit:
            raise CodeUnusable
    db.session.add(
        PromotionRedemption(
            order_id=order.id,
            promotion_code_id=code.id,
            customer_key=customer_key,
            amount=order.discount_amount,
            status="reserved",
            created_at=clock.now(),
        )
    )


def redeem_code(order_id: int) -> bool:
    """The order is paid: its use counts for good. False when the use had been given back and went to somebody else."""
    redemption = _find_redemption(order_id)
    if redemption is None or redemption.status == "redeemed":
        return True
    if redemption.status == "released" and _take_use(redemption.promotion_code_id, is_new=False) is None:
        return False
    redemption.status = "redeemed"
    return True


def release_code(order_id: int) -> None:
    """Give the order's use back: it was not paid, or all of it was refunded. Once, however often it is called."""
    redemption = _find_redemption(order_id)
    if redemption is None or redemption.status == "released":
        return
    db.session.execute(
        update(PromotionCode)
        .where(PromotionCode.id == redemption.promotion_code_id)
        .values(redeemed_count=PromotionCode.redeemed_count - 1)
    )
    redemption.status = "released"


def _find_redemption(order_id: int) -> PromotionRedemption | None:
    return db.session.get(PromotionRedemption, order_id, populate_existing=True)


def _take_use(promotion_code_id: int, *, is_new: bool) -> PromotionCode | None:
    """Count one use more if the limit allows it; a new use also needs a code that is on and in its window."""
    statement = update(PromotionCode).where(
        PromotionCode.id == promotion_code_id,
        or_(
            PromotionCode.max_redemptions.is_(None),
            PromotionCode.redeemed_count < PromotionCode.max_redemptions,
        ),
    )
    if is_new:
        moment = clock.now()
        statement = statement.where(
            PromotionCode.is_active,
            or_(PromotionCode.starts_at.is_(None), PromotionCode.starts_at <= moment),
            or_(PromotionCode.ends_at.is_(None), PromotionCode.ends_at > moment),
        )
    taken = db.session.execute(
        statement.values(redeemed_count=PromotionCode.redeemed_count + 1).returning(PromotionCode.id)
    ).scalar_one_or_none()
    return None if taken is None else db.session.get_one(PromotionCode, taken, populate_existing=True)
