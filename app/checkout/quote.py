"""What a choice costs before tax: the sum our page shows is the sum Stripe is asked for."""

from dataclasses import dataclass

from sqlalchemy import exists, select

from app import clock
from app.catalog.models import PromotionCode
from app.catalog.promotion_codes import decide_state, discount_of, find_code, list_code_product_ids
from app.checkout.choices import Choice
from app.checkout.errors import CodeUnusable
from app.checkout.models import Order, PromotionRedemption
from app.db import db
from app.errors import InvalidInput
from app.money import LARGEST_AMOUNT, minimum_charge


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """Amounts in minor units of currency. promotion_code is None where no code was given."""

    unit_amount: int
    quantity: int
    currency: str
    subtotal_amount: int
    discount_amount: int
    promotion_code: PromotionCode | None

    @property
    def total_amount(self) -> int:
        return self.subtotal_amount - self.discount_amount


def make_quote(choice: Choice, *, quantity: int, code: str = "", buyer_key: str = "") -> Quote:
    """Work out what is to pay. A rest below Stripe's minimum charge is waived: a card cannot be charged for it.

    buyer_key: a code that is used up by this buyer's own open order still counts. Raises CodeUnusable (one answer for
    every reason), InvalidInput (more than one charge can be).
    """
    unit_amount, currency = choice.price.unit_amount, choice.price.currency
    subtotal_amount = unit_amount * quantity
    if subtotal_amount > LARGEST_AMOUNT:
        raise InvalidInput("That’s more than one card payment can be. Buy fewer seats at a time.", field="quantity")
    promotion_code = _find_usable(code, choice, quantity=quantity, buyer_key=buyer_key) if code.strip() else None
    discount_amount = 0
    if promotion_code is not None:
        discount_amount = discount_of(promotion_code, subtotal_amount=subtotal_amount, currency=currency)
        if discount_amount == 0:
            raise CodeUnusable
    if 0 < subtotal_amount - discount_amount < minimum_charge(currency):
        discount_amount = subtotal_amount
    return Quote(
        unit_amount=unit_amount,
        quantity=quantity,
        currency=currency,
        subtotal_amount=subtotal_amount,
        discount_amount=discount_amount,
        promotion_code=promotion_code,
    )


def _find_usable(code: str, choice: Choice, *, quantity: int, buyer_key: str) -> PromotionCode:
    found = find_code(code)
    if found is None or quantity < found.minimum_quantity:
        raise CodeUnusable
    product_ids = list_code_product_ids(code_id=found.id)
    if product_ids and choice.product.id not in product_ids:
        raise CodeUnusable
    state = decide_state(found, moment=clock.now())
    if state != "active" and not (state == "used_up" and _is_reserved_by(buyer_key, found)):
        raise CodeUnusable
    return found


def _is_reserved_by(buyer_key: str, code: PromotionCode) -> bool:
    return bool(
        db.session.scalar(
            select(
                exists().where(
                    PromotionRedemption.promotion_code_id == code.id,
                    PromotionRedemption.status == "reserved",
                    PromotionRedemption.order_id == Order.id,
                    Order.buyer_key == buyer_key,
                    Order.state == "pending",
                )
            )
        )
    )
