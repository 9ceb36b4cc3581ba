"""Home and reports over a hundred thousand orders: PostgreSQL reads the period's rows through an index, not all of them.

Breakdowns are asked for one day: for months of orders it is right to read the tables they join from end to end, once.
Who comes back is left out: whose first purchase it was can only be known from all purchases.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Select, select, text

from app import clock
from app.checkout.models import Order
from app.db import db
from app.reports.attention import select_failed_mails, select_latest_orders, select_slow_orders
from app.reports.breakdowns import select_campaigns, select_codes, select_countries, select_products
from app.reports.periods import make_period
from app.reports.post_sales import select_places, select_reads, select_shares
from app.reports.sales import select_daily_money, select_daily_orders, select_moved
from tests.conftest import empty_database
from tests.databases import DATABASE
from tests.factories import get_price, make_course
from tests.shop import load_post, post_text

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DATABASE == "sqlite", reason="SQLite is for small shops; its plans are not promised"),
]
ROWS = 100_000
# One order every five minutes: nearly a year.
MOMENT = "now() - n * interval '5 minutes'"
COLUMNS = {
    "orders": {
        "id": "n", "public_id": "'ord_' || n", "number": "100000 + n", "buyer_key": "'b' || n", "choice_key": "'c'",
        "choice_digest": "''", "purpose": "'self'", "takes_seat": "true", "email": "'b' || n || '@example.org'",
        "customer_name": "'Name'", "livemode": "false", "currency": "'usd'", "subtotal_amount": "1000",
        "discount_amount": "0", "tax_amount": "100", "is_tax_included": "false", "total_amount": "1000",
        "state": "'paid'", "payment_method_label": "''", "country": "'DE'", "created_at": MOMENT, "paid_at": MOMENT,
    },
    "order_items": {
        "order_id": "n", "product_id": ":product", "price_id": ":price", "title": "'A course'", "currency": "'usd'",
        "unit_amount": "1000", "quantity": "1", "held_quantity": "1", "subtotal_amount": "1000",
        "discount_amount": "0", "tax_amount": "0", "total_amount": "1000", "courses": "'[]'", "refund_days": "14",
    },
    "ledger_entries": {
        "order_id": "n", "kind": "'payment'", "stripe_object_id": "'ch_' || n", "amount": "1100",
        "currency": "'usd'", "status": "''", "occurred_at": MOMENT, "recorded_at": MOMENT,
    },
    "touch_points": {
        "order_id": "n", "post_id": ":post", "position": "0", "is_last": "true", "place": "'side'", "utm": "'{}'",
        "touched_at": MOMENT,
    },
    "messages": {
        "key": "'m' || n", "template": "'receipt'", "to_address": "'a@example.org'", "data": "'{}'",
        "message_id": "'<' || n || '>'", "created_at": MOMENT, "send_after": MOMENT, "attempt_count": "1",
        "sent_at": MOMENT,
    },
}  # fmt: skip
BIG_TABLES = set(COLUMNS)


def over_moved(make_from: Callable[..., Select[Any]], *, with_period: bool = False) -> Callable[[], Select[Any]]:
    def make() -> Select[Any]:
        period = make_period("", first_day=clock.now().date())
        moved = select_moved(period.span, currency="usd")
        return make_from(moved, period) if with_period else make_from(moved)

    return make


CASES: dict[str, Callable[[], Select[Any]]] = {
    "sales by day": lambda: select_daily_money(make_period("30d")),
    "orders by day": lambda: select_daily_orders(make_period("30d")),
    "by course": over_moved(select_products),
    "by code": over_moved(select_codes),
    "by campaign": over_moved(select_campaigns),
    "by country": over_moved(select_countries, with_period=True),
    "by post": over_moved(select_shares),
    "by place": over_moved(select_places),
    "reads": lambda: select_reads(make_period("30d")),
    "latest orders": lambda: select_latest_orders(5),
    "payments that wait": select_slow_orders,
    "mails that failed": select_failed_mails,
}


@pytest.fixture(scope="module")
def big_shop(migrated_app: Flask) -> Iterator[None]:
    """The shop once for all cases: filling it takes longer than asking."""
    price = get_price(make_course())
    values = {"rows": ROWS, "product": price.product_id, "price": price.id, "post": load_post(post_text())}
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table, columns in COLUMNS.items():
            names, each = ", ".join(columns), ", ".join(columns.values())
            statement = f"INSERT INTO {table} ({names}) SELECT {each} FROM generate_series(1, :rows) AS n"
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), used)
            connection.execute(text(f"VACUUM ANALYZE {table}"))
    yield
    db.session.rollback()
    empty_database()
    db.session.remove()


def list_scans(plan: dict[str, Any]) -> set[str]:
    """The tables that a plan reads from end to end."""
    found = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return found.union(*(list_scans(each) for each in plan.get("Plans", [])))


def explain(statement: Select[Any]) -> dict[str, Any]:
    compiled = statement.compile(db.engine, compile_kwargs={"render_postcompile": True})
    with db.engine.connect() as connection:
        answer = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", compiled.params)
        plan: dict[str, Any] = answer.scalar_one()[0]["Plan"]
        return plan


@pytest.mark.parametrize("name", CASES)
def test_a_period_is_read_through_an_index(big_shop: None, name: str) -> None:
    plan = explain(CASES[name]())

    assert list_scans(plan) & BIG_TABLES == set(), plan


def test_control_a_question_without_an_index_is_noticed(big_shop: None) -> None:
    plan = explain(select(Order.id).where(Order.customer_name == "none"))

    assert list_scans(plan) == {"orders"}
