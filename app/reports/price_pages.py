"""What staff sees of a product's prices: in force, planned and past, by whom, and whom a change would reach."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from app import clock
from app.audit import AuditEntry
from app.catalog.models import Course, Price, Product, ProductCourse
from app.catalog.offers import site_currency
from app.catalog.price_history import Period, begin_of, find_lowest, list_charged, list_periods
from app.catalog.price_rules import RETIRED, SALE
from app.checkout.models import CheckoutAttempt, Order, OrderItem
from app.db import db
from app.errors import NotFound
from app.reports.audit_log import name_actors


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceLine:
    """A price at a time: minor units of its currency, UTC moments; ended_at None: no end is known. who made it."""

    public_id: str
    unit_amount: int
    is_sale: bool
    struck_amount: int | None
    lowest_amount: int | None  # of the 30 days before it began; none: nothing was on sale then
    began_at: datetime
    ended_at: datetime | None
    who: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CurrencyPrices:
    """A product's prices in one currency. now is what is charged; regular differs from it while a sale runs.

    lowest_amount is of the 30 days until now. planned is to come, soonest first; past is over, newest first.
    """

    currency: str
    now: PriceLine | None
    regular: PriceLine | None
    lowest_amount: int | None
    charged: tuple[int, ...]
    planned: tuple[PriceLine, ...]
    past: tuple[PriceLine, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PricePage:
    """A product with its prices, the shop's own currency first. course_public_id: "" for a bundle."""

    product_id: int
    public_id: str
    title: str
    kind: str
    course_public_id: str
    currencies: tuple[CurrencyPrices, ...]

    def find(self, currency: str) -> CurrencyPrices:
        """The prices in a currency; nothing but the code where it was never sold in it."""
        none = CurrencyPrices(
            currency=currency, now=None, regular=None, lowest_amount=None, charged=(), planned=(), past=()
        )
        return next((each for each in self.currencies if each.currency == currency), none)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """Whom a change of price leaves alone: open checkouts, until when at the latest (UTC), and paid orders."""

    open_count: int
    open_until: datetime | None
    paid_count: int


def get_price_page(product_public_id: str) -> PricePage:
    """The prices of a course's own product, or of a bundle. Raises NotFound."""
    session = db.session()
    product = session.scalars(select(Product).where(Product.public_id == product_public_id)).one_or_none()
    if product is None:
        raise NotFound("There is no such product.")
    groups: defaultdict[str, list[Price]] = defaultdict(list)
    for price in session.scalars(
        select(Price).where(Price.product_id == product.id, Price.type == "one_time").order_by(Price.id)
    ):
        groups[price.currency].append(price)
    makers = _read_makers([price.public_id for prices in groups.values() for price in prices])
    course = (
        session.scalar(
            select(Course.public_id)
            .join(ProductCourse, ProductCourse.course_id == Course.id)
            .where(ProductCourse.product_id == product.id)
        )
        if product.kind == "course"
        else None
    )
    own = site_currency()
    in_order = sorted(groups, key=lambda each: (each != own, each))
    return PricePage(
        product_id=product.id, public_id=product.public_id, title=product.title, kind=product.kind,
        course_public_id=course or "",
        currencies=tuple(_shape(currency, groups[currency], makers) for currency in in_order),
    )  # fmt: skip


def get_reach(*, product_id: int, currency: str) -> Reach:
    """Who has a checkout open for a product in a currency now, and how many orders of it are paid."""
    items = (
        select(Order.id)
        .join(OrderItem, OrderItem.order_id == Order.id)
        .where(OrderItem.product_id == product_id, OrderItem.currency == currency)
    )
    pending = items.where(Order.state == "pending").subquery()
    open_count, open_until = (
        db.session()
        .execute(
            select(func.count(CheckoutAttempt.order_id.distinct()), func.max(CheckoutAttempt.expires_at)).where(
                CheckoutAttempt.order_id.in_(select(pending.c.id)), CheckoutAttempt.expires_at > clock.now()
            )
        )
        .one()
    )
    paid = items.where(Order.paid_at.is_not(None)).subquery()
    paid_count = db.session().scalar(select(func.count()).select_from(paid)) or 0
    return Reach(open_count=open_count, open_until=open_until, paid_count=paid_count)


def find_price_changer(price_public_id: str) -> str:
    """Who made a price, "" where nobody wrote it down."""
    return _read_makers([price_public_id]).get(price_public_id, "")


def _shape(currency: str, prices: Sequence[Price], makers: dict[str, str]) -> CurrencyPrices:
    moment = clock.now()
    periods = list_periods(prices)
    lines = [(each, _line(each, periods, makers)) for each in periods]
    # What is planned is shown as it was planned, not cut up by the sale that lies over it.
    planned = [
        _line(Period(price=each, began_at=began_at, ended_at=each.ends_at), periods, makers)
        for each in prices
        if (began_at := begin_of(each)) is not None and began_at > moment and each.status != RETIRED
    ]
    now = next((line for each, line in lines if _covers(each, moment)), None)
    return CurrencyPrices(
        currency=currency,
        now=now,
        regular=_find_regular(prices, periods, makers, moment),
        lowest_amount=find_lowest(periods, before=moment),
        charged=tuple(list_charged(periods, before=moment)),
        planned=tuple(sorted(planned, key=lambda line: line.began_at)),
        past=tuple(line for each, line in reversed(lines) if each.ended_at is not None and each.ended_at <= moment),
    )


def _find_regular(
    prices: Sequence[Price], periods: Sequence[Period], makers: dict[str, str], moment: datetime
) -> PriceLine | None:
    regular = list_periods(each for each in prices if each.kind != SALE)
    return next((_line(each, periods, makers) for each in regular if _covers(each, moment)), None)


def _covers(period: Period, moment: datetime) -> bool:
    return period.began_at <= moment and (period.ended_at is None or period.ended_at > moment)


def _line(period: Period, periods: Sequence[Period], makers: dict[str, str]) -> PriceLine:
    price = period.price
    charged = list_charged(periods, before=begin_of(price) or period.began_at)
    return PriceLine(
        public_id=price.public_id, unit_amount=price.unit_amount, is_sale=price.kind == SALE,
        struck_amount=price.compare_at_amount if price.compare_at_amount in charged else None,
        lowest_amount=charged[0] if charged else None, began_at=period.began_at, ended_at=period.ended_at,
        who=makers.get(price.public_id, ""),
    )  # fmt: skip


def _read_makers(price_public_ids: Sequence[str]) -> dict[str, str]:
    """Who made each price: the first entry about it, for the worker writes later ones."""
    entries = db.session().scalars(
        select(AuditEntry)
        .where(AuditEntry.subject_type == "price", AuditEntry.subject_id.in_(price_public_ids))
        .order_by(AuditEntry.id.desc())
    )
    first = {entry.subject_id: entry for entry in entries}
    names = name_actors(list(first.values()))
    return {public_id: names[entry.id] for public_id, entry in first.items()}
