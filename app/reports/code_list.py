"""Promotion codes as the back-office lists them: state, use, and the money that came in with them."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from app import clock
from app.catalog.models import Course, Product, PromotionCode, PromotionCodeProduct
from app.catalog.offers import OWN_PRODUCT
from app.catalog.promotion_terms import CodeState, decide_state
from app.checkout.models import LedgerEntry, Order, PromotionRedemption
from app.db import db
from app.errors import NotFound
from app.paging import Page, read_page
from app.reports.ledger_export import SIGNS, quote_formula

BATCH_SIZE = 500
LATEST_USES = 50
CSV_COLUMNS = (
    "code", "batch", "state", "percent_off", "amount_off", "currency", "redeemed_count", "max_redemptions",
    "per_customer_limit", "minimum_quantity", "starts_at", "ends_at", "created_at", "net_revenue",
)  # fmt: skip
SORTS = {"created": PromotionCode.id, "code": PromotionCode.code, "used": PromotionCode.redeemed_count}


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeRow:
    """A code in the list. net: (minor units, currency) of the orders it was used for, after refunds and disputes."""

    promotion_code: PromotionCode
    state: CodeState
    net: tuple[tuple[int, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeUse:
    """An order with the code. status: reserved, redeemed or released; discount_amount in minor units of currency."""

    order_public_id: str
    order_number: int | None
    email: str
    order_state: str
    status: str
    discount_amount: int
    currency: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeReport:
    """One code with what it is limited to and its latest uses."""

    row: CodeRow
    product_titles: tuple[str, ...]
    courses: tuple[tuple[str, str], ...]  # (title, slug) of the published courses it counts for
    uses: Sequence[CodeUse]


def list_code_rows(*, view: str = "", batch: str = "", q: str = "", sort: str = "created", is_descending: bool = True,
                   page: int = 1) -> Page[CodeRow]:  # fmt: skip
    """A page of codes. view: "" or a state; q: the start of a code."""
    statement = select_codes(view=view, batch=batch, q=q, sort=sort, is_descending=is_descending)
    found = read_page(statement, number=page)
    return Page(rows=_shape(found.rows), total=found.total, number=found.number, size=found.size)


def count_codes(*, batch: str = "", q: str = "") -> dict[str, int]:
    """How many codes each view holds, within batch and search."""
    words = case(*((condition, state) for state, condition in _conditions(clock.now()).items()))
    base = select_codes(batch=batch, q=q).order_by(None).with_only_columns(words.label("state")).subquery()
    rows = db.session().execute(select(base.c.state, func.count()).group_by(base.c.state)).all()
    return {"": sum(row[1] for row in rows), **{row[0]: row[1] for row in rows}}


def list_batches() -> list[str]:
    """The names that codes were made under."""
    statement = select(PromotionCode.batch).where(PromotionCode.batch != "").distinct().order_by(PromotionCode.batch)
    return list(db.session().scalars(statement))


def get_code_report(public_id: str) -> CodeReport:
    """One code. Raises NotFound."""
    code = db.session().scalar(select(PromotionCode).where(PromotionCode.public_id == public_id))
    if code is None:
        raise NotFound
    products = (
        db.session()
        .execute(
            select(Product.id, Product.title)
            .join(PromotionCodeProduct, PromotionCodeProduct.product_id == Product.id)
            .where(PromotionCodeProduct.promotion_code_id == code.id)
            .order_by(Product.title)
        )
        .all()
    )
    courses = select(Course.title, Course.slug).where(Course.status == "published").order_by(Course.position, Course.id)
    if products:
        courses = courses.where(OWN_PRODUCT.in_([product.id for product in products]))
    rows = db.session().execute(
        select(PromotionRedemption, Order)
        .join(Order, Order.id == PromotionRedemption.order_id)
        .where(PromotionRedemption.promotion_code_id == code.id)
        .order_by(PromotionRedemption.order_id.desc())
        .limit(LATEST_USES)
    )
    uses = [
        CodeUse(
            order_public_id=order.public_id, order_number=order.number, email=order.email or "",
            order_state=order.state, status=use.status, discount_amount=use.amount, currency=order.currency,
            at=use.created_at,
        )
        for use, order in rows
    ]  # fmt: skip
    return CodeReport(
        row=_shape([code])[0],
        product_titles=tuple(product.title for product in products),
        courses=tuple((row.title, row.slug) for row in db.session().execute(courses)),
        uses=uses,
    )


def write_codes_csv(*, view: str = "", batch: str = "", q: str = "") -> Iterator[str]:
    """The codes of a filtered list as CSV, in pieces; text that a spreadsheet would take for a formula is quoted."""
    yield _line(CSV_COLUMNS)
    last_id = 0
    while True:
        statement = select_codes(view=view, batch=batch, q=q, is_descending=False).where(PromotionCode.id > last_id)
        codes = db.session().scalars(statement.limit(BATCH_SIZE)).all()
        if not codes:
            return
        last_id = codes[-1].id
        for row in _shape(codes):
            code = row.promotion_code
            yield _line([
                quote_formula(code.code), quote_formula(code.batch), row.state, code.percent_off, code.amount_off,
                code.currency, code.redeemed_count, code.max_redemptions, code.per_customer_limit,
                code.minimum_quantity, code.starts_at and code.starts_at.isoformat(),
                code.ends_at and code.ends_at.isoformat(), code.created_at.isoformat(),
                " ".join(f"{amount} {currency}" for amount, currency in row.net),
            ])  # fmt: skip


def select_codes(*, view: str = "", batch: str = "", q: str = "", sort: str = "created", is_descending: bool = True
                 ) -> Select[PromotionCode]:  # fmt: skip
    """The statement behind the list."""
    column = SORTS[sort]
    statement = select(PromotionCode).order_by(column.desc() if is_descending else column, PromotionCode.id.desc())
    if view:
        statement = statement.where(_conditions(clock.now())[view])
    if batch:
        statement = statement.where(PromotionCode.batch == batch)
    if q:
        start = q.upper()
        statement = statement.where(PromotionCode.code >= start, PromotionCode.code < start + "\U0010ffff")
    return statement


def _conditions(moment: datetime) -> dict[str, ColumnElement[bool]]:
    """decide_state() for the database: each state excludes the ones before it."""
    code = PromotionCode
    is_ended = and_(code.ends_at.is_not(None), code.ends_at <= moment)
    is_early = and_(code.starts_at.is_not(None), code.starts_at > moment)
    is_used_up = and_(code.max_redemptions.is_not(None), code.redeemed_count >= code.max_redemptions)
    is_past = or_(~code.is_active, is_ended)
    return {
        "disabled": ~code.is_active,
        "ended": and_(code.is_active, is_ended),
        "scheduled": and_(~is_past, is_early),
        "used_up": and_(~is_past, ~is_early, is_used_up),
        "active": and_(~is_past, ~is_early, ~is_used_up),
    }


def _shape(codes: Sequence[PromotionCode]) -> list[CodeRow]:
    net = _sum_net([code.id for code in codes])
    moment = clock.now()
    return [
        CodeRow(promotion_code=code, state=decide_state(code, moment=moment), net=tuple(net.get(code.id, ())))
        for code in codes
    ]


def _sum_net(code_ids: Sequence[int]) -> dict[int, list[tuple[int, str]]]:
    signed = case(SIGNS, value=LedgerEntry.kind, else_=0) * LedgerEntry.amount
    rows = db.session().execute(
        select(PromotionRedemption.promotion_code_id, LedgerEntry.currency, func.sum(signed))
        .join(LedgerEntry, LedgerEntry.order_id == PromotionRedemption.order_id)
        .where(PromotionRedemption.promotion_code_id.in_(code_ids))
        .group_by(PromotionRedemption.promotion_code_id, LedgerEntry.currency)
        .order_by(LedgerEntry.currency)
    )
    found: dict[int, list[tuple[int, str]]] = {}
    for code_id, currency, amount in rows:
        found.setdefault(code_id, []).append((int(amount), currency))
    return found


def _line(cells: Sequence[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(["" if cell is None else cell for cell in cells])
    return buffer.getvalue()
