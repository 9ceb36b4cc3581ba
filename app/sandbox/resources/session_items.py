"""The lines of a Checkout Session: which price, how many, what the discount takes off."""

from dataclasses import dataclass

from app.sandbox.documents import Document, new_id
from app.sandbox.errors import InvalidRequest, missing_parameter, no_such_reference
from app.sandbox.money import format_amount, largest_charge, minimum_charge
from app.sandbox.resources.coupons import discount_by_item, find_redeemable
from app.sandbox.resources.prices import insert_price
from app.sandbox.resources.products import insert_product
from app.sandbox.resources.promotion_codes import find_usable
from app.sandbox.store import Transaction


@dataclass(frozen=True)
class Basket:
    """Everything a session sells, with its sums in minor units."""

    items: list[Document]
    currency: str
    subtotal: int
    discount: int
    coupon: str | None
    promotion_code: str | None
    discount_amounts: list[Document]

    @property
    def total(self) -> int:
        return self.subtotal - self.discount


def fill_basket(transaction: Transaction, params: Document, session_id: str) -> Basket:
    """Resolves line items and discount. Raises InvalidRequest for whatever Stripe would not sell."""
    lines = params.get("line_items")
    if not lines:
        raise missing_parameter("line_items")
    resolved = [_resolve(transaction, line, index) for index, line in enumerate(lines)]
    currency = str(params.get("currency") or resolved[0][0]["currency"])
    for index, (price, _product, _quantity) in enumerate(resolved):
        if price["currency"] != currency:
            raise InvalidRequest(
                f"The price specified supports currencies of `{price['currency']}`. This Checkout Session's currency "
                f"is `{currency}`; all of its prices must be in it.",
                param=f"line_items[{index}]",
            )
    amounts = [price["unit_amount"] * quantity for price, _product, quantity in resolved]
    coupon_id, code_id, discounts = None, None, [0] * len(amounts)
    if params.get("discounts"):
        coupon_id, code_id = _find_discount(transaction, params, currency, sum(amounts))
        coupon = find_redeemable(transaction, coupon_id, param="discounts[0][coupon]")
        products = [(price["product"], amount) for (price, _, _), amount in zip(resolved, amounts, strict=True)]
        discounts = discount_by_item(transaction, coupon, currency, products)
    discount = _discount(transaction, session_id, coupon_id, code_id)
    items = [_item(line, sold, taken, discount) for line, sold, taken in zip(lines, resolved, discounts, strict=True)]
    basket = Basket(
        items,
        currency,
        sum(amounts),
        sum(discounts),
        coupon_id,
        code_id,
        [{"amount": sum(discounts), "discount": discount}] if discount else [],
    )
    _check_total(basket)
    return basket


def _resolve(transaction: Transaction, line: Document, index: int) -> tuple[Document, Document, int]:
    at = f"line_items[{index}]"
    if "price" in line and "price_data" in line:
        raise InvalidRequest("You may only specify one of these parameters: price, price_data.", param=f"{at}[price]")
    if "quantity" not in line:
        raise InvalidRequest(
            f"Quantity is required. Add `quantity` to `{at}`", code="parameter_missing", param=f"{at}[quantity]"
        )
    if line["quantity"] < 1:
        raise InvalidRequest(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=f"{at}[quantity]",
        )
    if "price_data" in line:
        price = _inline_price(transaction, line["price_data"], at)
    elif "price" in line:
        found = transaction.find("price", line["price"])
        if found is None:
            raise no_such_reference("price", line["price"], param=f"{at}[price]")
        price = found
        if not price["active"]:
            raise InvalidRequest(
                "The price specified is inactive. This field only accepts active prices.", param=f"{at}[price]"
            )
    else:
        raise missing_parameter(f"{at}[price]")
    if price["type"] == "recurring":
        raise InvalidRequest(
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use "
            "only one-time prices.",
            param=f"{at}[price]",
        )
    product = transaction.get("product", price["product"])
    if "price" in line and not product["active"]:
        raise InvalidRequest(
            f"Price `{price['id']}` is not available to be purchased because its product is not active.",
            param=f"{at}[price]",
        )
    return price, product, line["quantity"]


def _inline_price(transaction: Transaction, data: Document, at: str) -> Document:
    """A price made for this session alone; it and its new product are inactive, so no list of offers shows them."""
    if "unit_amount" not in data:
        raise missing_parameter(f"{at}[price_data][unit_amount]")
    if ("product" in data) == ("product_data" in data):
        raise InvalidRequest(
            "You must specify either `product` or `product_data` when creating a price.",
            param=f"{at}[price_data][product]",
        )
    if "product_data" in data:
        product_id = new_id("prod")
        insert_product(transaction, product_id, {**data["product_data"], "active": False})
    else:
        product_id = data["product"]
        if transaction.find("product", product_id) is None:
            raise no_such_reference("product", product_id, param=f"{at}[price_data][product]")
    return insert_price(transaction, product_id, {**data, "active": False}, param=f"{at}[price_data][unit_amount]")


def _find_discount(transaction: Transaction, params: Document, currency: str, subtotal: int) -> tuple[str, str | None]:
    """The coupon's id, and the promotion code's if the discount came by one. Raises InvalidRequest."""
    given = params["discounts"][0]
    if "coupon" in given and "promotion_code" in given:
        raise InvalidRequest(
            "You may only specify one of these parameters: coupon, promotion_code.", param="discounts[0][coupon]"
        )
    if "promotion_code" in given:
        code = find_usable(
            transaction,
            given["promotion_code"],
            subtotal=subtotal,
            currency=currency,
            customer=params.get("customer"),
            param="discounts[0][promotion_code]",
        )
        return code["promotion"]["coupon"], code["id"]
    if "coupon" not in given:
        raise missing_parameter("discounts[0][coupon]")
    return given["coupon"], None


def _discount(transaction: Transaction, session_id: str, coupon_id: str | None, code_id: str | None) -> Document | None:
    if coupon_id is None:
        return None
    return {
        "id": new_id("di"),
        "object": "discount",
        "checkout_session": session_id,
        "customer": None,
        "end": None,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": code_id,
        "source": {"coupon": coupon_id, "type": "coupon"},
        "start": transaction.now(),
        "subscription": None,
        "subscription_item": None,
    }


def _item(line: Document, sold: tuple[Document, Document, int], taken: int, discount: Document | None) -> Document:
    price, product, quantity = sold
    subtotal = price["unit_amount"] * quantity
    adjustable = line.get("adjustable_quantity")
    item = {
        "id": new_id("li"),
        "object": "item",
        "amount_discount": taken,
        "amount_subtotal": subtotal,
        "amount_tax": 0,
        "amount_total": subtotal - taken,
        "currency": price["currency"],
        "description": product["name"],
        "price": price,
        "quantity": quantity,
        # Not shown unless asked for: app.sandbox.rendering takes them out.
        "_taxes": [],
        "_discounts": [{"amount": taken, "discount": discount}] if discount else [],
        "_about": product["description"],
    }
    if "metadata" in line:
        item["metadata"] = line["metadata"]
    if adjustable:
        item["adjustable_quantity"] = {
            "enabled": adjustable["enabled"],
            "maximum": adjustable.get("maximum"),
            "minimum": adjustable.get("minimum"),
        }
    return item


def _check_total(basket: Basket) -> None:
    least, most = minimum_charge(basket.currency), largest_charge(basket.currency)
    if 0 < basket.total < least:
        raise InvalidRequest(
            "The Checkout Session's total amount due must add up to at least "
            f"{format_amount(least, basket.currency)} {basket.currency}",
            code="amount_too_small",
        )
    if basket.total > most:
        raise InvalidRequest(
            "The Checkout Session's total amount due must add up to no more than "
            f"{format_amount(most, basket.currency)} {basket.currency}",
            code="amount_too_large",
        )
