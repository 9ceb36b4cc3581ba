"""What Stripe had of each product and price when it was last compared: for the sync page and the editor's panel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from app.catalog.models import Course, Price, Product, ProductCourse
from app.checkout.mirror_models import MirrorState
from app.checkout.mirror_sync import IS_SENT, needs_sending
from app.db import db
from app.paging import PAGE_SIZE, Page, clamp_page, read_page
from app.reports.event_words import explain_error

# Word and color of each state.
WORDS = {
    "unsent": ("Not sent yet", "hollow"),
    "sent": ("Sent, not compared", "info"),
    "unneeded": ("Free: not needed", "hollow"),
    "in_sync": ("In sync", "ok"),
    "differs": ("Differs", "warn"),
    "missing": ("Missing at Stripe", "bad"),
    "archived": ("Archived at Stripe", "warn"),
    "failed": ("Sending failed", "bad"),
}
# From bad to good: a product is as its worst part.
WORST = ("failed", "missing", "differs", "archived", "unsent", "sent", "unneeded", "in_sync")
MOST_TROUBLE = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class MirrorFacts:
    """A product or price at Stripe; error is the last sending's in words, "" for none."""

    public_id: str
    stripe_id: str
    state: str
    detail: str
    checked_at: datetime | None
    error: str
    error_at: datetime | None

    @property
    def word(self) -> str:
        """The state as a badge says it."""
        return WORDS[self.state][0]

    @property
    def kind(self) -> str:
        """The badge's color."""
        return WORDS[self.state][1]


@dataclass(frozen=True, kw_only=True, slots=True)
class MirrorPrice:
    """A price in force with what is known of it; unit_amount in minor units."""

    unit_amount: int
    currency: str
    facts: MirrorFacts


@dataclass(frozen=True, kw_only=True, slots=True)
class MirrorProduct:
    """A product with its prices in force; course is the public id of the course it sells, "" for a bundle."""

    title: str
    kind: str
    course: str
    facts: MirrorFacts
    prices: tuple[MirrorPrice, ...]

    @property
    def overall(self) -> MirrorFacts:
        """The worst of its parts."""
        return min((self.facts, *(each.facts for each in self.prices)), key=lambda facts: WORST.index(facts.state))

    @property
    def needs_sending(self) -> bool:
        """Whether sending it again would do something."""
        return self.overall.state not in {"in_sync", "sent", "unneeded"}


def list_mirror_page(*, view: str, number: int) -> Page[MirrorProduct]:
    """Products on sale, newest first; view "attention" only those that are not as they should be, 5,000 at most."""
    if view != "attention":
        page = read_page(select_products(), number=number)
        return Page(rows=_shape(page.rows), total=page.total, number=page.number, size=page.size)
    # Which they are is the costly question: asked once, not for the count and again for the page.
    ids = list(db.session.scalars(select_trouble()))
    number = clamp_page(number, total=len(ids))
    shown = select(Product).where(Product.id.in_(ids[(number - 1) * PAGE_SIZE :][:PAGE_SIZE]))
    products = list(db.session.scalars(shown.order_by(Product.id.desc())))
    return Page(rows=_shape(products), total=len(ids), number=number)


def select_products() -> Select[Product]:
    """The list's statement."""
    return select(Product).where(Product.status == "active").order_by(Product.id.desc())


def select_trouble() -> Select[int]:
    """The ids of what needs sending, in the list's order."""
    statement = select(Product.id).where(Product.status == "active", needs_sending())
    return statement.order_by(Product.id.desc()).limit(MOST_TROUBLE)


def get_product_mirror(product_id: int) -> MirrorProduct:
    """One product, for its editor."""
    return _shape([db.session.get_one(Product, product_id)])[0]


def get_course_mirror(course_public_id: str) -> MirrorProduct | None:
    """The own product of a course, None where it has none."""
    product = db.session.scalar(
        select(Product)
        .join(ProductCourse, ProductCourse.product_id == Product.id)
        .join(Course, Course.id == ProductCourse.course_id)
        .where(Course.public_id == course_public_id, Product.kind == "course")
        .order_by(Product.id)
        .limit(1)
    )
    return None if product is None else _shape([product])[0]


def find_compared_at() -> datetime | None:
    """When anything was last compared with Stripe."""
    return db.session.scalar(select(func.max(MirrorState.checked_at)))


def _shape(products: Sequence[Product]) -> list[MirrorProduct]:
    ids = [product.id for product in products]
    prices: dict[int, list[Price]] = {}
    for price in db.session.scalars(select(Price).where(Price.product_id.in_(ids), *IS_SENT).order_by(Price.currency)):
        prices.setdefault(price.product_id, []).append(price)
    names = [product.public_id for product in products]
    names += [price.public_id for each in prices.values() for price in each]
    states = {
        row.public_id: row for row in db.session.scalars(select(MirrorState).where(MirrorState.public_id.in_(names)))
    }
    courses: dict[int, str] = dict(
        db.session.execute(
            select(ProductCourse.product_id, Course.public_id)
            .join(Course, Course.id == ProductCourse.course_id)
            .where(ProductCourse.product_id.in_(ids), Course.deleted_at.is_(None))
            .order_by(ProductCourse.position.desc())
        ).all()
    )
    return [
        MirrorProduct(
            title=product.title,
            kind=product.kind,
            course=courses.get(product.id, "") if product.kind == "course" else "",
            facts=_tell(
                product.public_id, product.stripe_product_id, states,
                unsent="unsent" if product.id in prices else "unneeded",
            ),
            prices=tuple(
                MirrorPrice(
                    unit_amount=price.unit_amount, currency=price.currency,
                    facts=_tell(price.public_id, price.stripe_price_id, states),
                )
                for price in prices.get(product.id, [])
            ),
        )
        for product in products
    ]  # fmt: skip


def _tell(
    public_id: str, stripe_id: str | None, states: dict[str, MirrorState], *, unsent: str = "unsent"
) -> MirrorFacts:
    row: Any = states.get(public_id)
    error = row.error if row is not None else None
    state = unsent if stripe_id is None else "sent"
    if error is not None:
        state = "failed"
    elif stripe_id is not None and row is not None and row.state is not None:
        state = row.state
    return MirrorFacts(
        public_id=public_id,
        stripe_id=stripe_id or "",
        state=state,
        detail=row.detail if row is not None else "",
        checked_at=row.checked_at if row is not None else None,
        error=explain_send_error(error),
        error_at=row.error_at if row is not None else None,
    )


def explain_send_error(error: str | None) -> str:
    """Why sending to Stripe failed last, "" where it did not."""
    words = {
        "payment_unavailable": "Stripe did not answer.",
        "payment_refused": "Stripe refused it. Its dashboard, Developers, Logs, says why.",
        "stripe_object_missing": "The product it belongs to is gone at Stripe.",
    }
    return words.get(error or "", explain_error(error))
