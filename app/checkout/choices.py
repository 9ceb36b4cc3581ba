"""Who buys what: the buyer, the wish as the form says it, and the choice read once from the catalog."""

import hashlib
import json
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import select

from app import clock
from app.accounts.emails import normalize_email
from app.catalog.models import Course, Price, Product, ProductCourse
from app.catalog.price_rules import in_force
from app.checkout.errors import NotOnSale
from app.db import db
from app.errors import InvalidInput

Purpose = Literal["self", "team", "gift"]
LARGEST_QUANTITY = 100
LONGEST_MESSAGE = 500
LONGEST_NAME = 120
LATEST_GIFT = timedelta(days=366)


@dataclass(frozen=True, kw_only=True, slots=True)
class Buyer:
    """Who presses Enroll: user_id of a signed-in person, else browser_key, a random id in the browser's cookie."""

    user_id: int | None
    browser_key: str
    email: str | None

    @property
    def key(self) -> str:
        return f"user:{self.user_id}" if self.user_id is not None else f"browser:{self.browser_key}"


@dataclass(frozen=True, kw_only=True, slots=True)
class GiftWish:
    """Whom a gift is for; send_at (UTC) None means as soon as it is paid."""

    recipient_email: str
    recipient_name: str = ""
    giver_name: str = ""
    message: str = ""
    send_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What the form asks for beside the price. takes_seat counts for a team only: its first seat is the buyer's.

    form_key is a random value of the page the form stood on: the same form sent twice, even after it was paid, is one
    purchase. Programs that leave it out get a new order once the earlier one is paid.
    """

    quantity: int = 1
    purpose: Purpose = "self"
    takes_seat: bool = True
    code: str = ""
    gift: GiftWish | None = None
    consents: frozenset[str] = field(default_factory=frozenset)
    form_key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What is bought, read once and written into the order as its snapshot."""

    price: Price
    product: Product
    courses: tuple[Course, ...]

    @property
    def key(self) -> str:
        """One payable order for each buyer and product: of two prices, codes or quantities the later one counts."""
        return self.product.public_id


def get_choice(price_public_id: str) -> Choice:
    """What is on sale under a price's public id. Raises NotOnSale."""
    row = db.session.execute(
        select(Price, Product)
        .join(Product, Product.id == Price.product_id)
        .where(Price.public_id == price_public_id, in_force())
        .where(Product.status == "active")
    ).one_or_none()
    if row is None:
        raise NotOnSale
    courses = db.session.scalars(
        select(Course)
        .join(ProductCourse, ProductCourse.course_id == Course.id)
        .where(ProductCourse.product_id == row.Product.id)
        .order_by(ProductCourse.position)
    ).all()
    if not courses or any(course.status != "published" for course in courses):
        raise NotOnSale
    return Choice(price=row.Price, product=row.Product, courses=tuple(courses))


def check_quantity(quantity: int) -> int:
    """A number of seats that can be bought at once. Raises InvalidInput."""
    if not 1 <= quantity <= LARGEST_QUANTITY:
        raise InvalidInput(f"Choose 1 to {LARGEST_QUANTITY} seats.", field="quantity")
    return quantity


def check_wish(wish: Wish) -> Wish:
    """The wish in one spelling. Raises InvalidInput with the field that is wrong."""
    check_quantity(wish.quantity)
    if wish.purpose == "gift":
        if wish.gift is None:
            raise InvalidInput("Enter the address the gift goes to.", field="recipient_email")
        if wish.quantity != 1:
            raise InvalidInput("A gift is for one person. Buy seats for several.", field="quantity")
        return replace(wish, takes_seat=False, gift=_check_gift(wish.gift))
    if wish.quantity > 1 or wish.purpose == "team":
        return replace(wish, purpose="team", gift=None)
    return replace(wish, takes_seat=True, gift=None)


def make_digest(choice: Choice, wish: Wish, *, code: str, email: str | None) -> str:
    """What tells one click from another: equal for the same form, different after any change that matters."""
    gift = None
    if wish.gift is not None:
        gift = [str(each) for each in astuple(wish.gift)]
    facts = [choice.price.public_id, wish.quantity, wish.purpose, wish.takes_seat, code, gift, email, wish.form_key]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _check_gift(gift: GiftWish) -> GiftWish:
    try:
        recipient_email = normalize_email(gift.recipient_email)
    except InvalidInput as error:
        raise InvalidInput(error.sentence, field="recipient_email") from error
    if len(gift.message) > LONGEST_MESSAGE:
        raise InvalidInput(f"Keep the message to {LONGEST_MESSAGE} characters.", field="gift_message")
    send_at = gift.send_at
    if send_at is not None and send_at > clock.now() + LATEST_GIFT:
        raise InvalidInput("Choose a day within the next year.", field="gift_on")
    return replace(
        gift,
        recipient_email=recipient_email,
        recipient_name=_one_line(gift.recipient_name),
        giver_name=_one_line(gift.giver_name),
        message=gift.message.replace("\x00", "").strip(),
        send_at=send_at if send_at is not None and send_at > clock.now() else None,
    )


def _one_line(text: str) -> str:
    return " ".join(text.replace("\x00", "").split())[:LONGEST_NAME]
