"""Every list of the back-office over very many rows: PostgreSQL answers its first page through an index.

An area adds a row to CASES: what the list asks -> (the statement, the big table that must not be read from end to end),
and its rows to tests/admin/big_tables.py. `make bench-admin` measures the same lists with 100,000 orders.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Select

from app.checkout.models import Order
from app.db import db
from app.enrollment.manual_grants import select_free_seats
from app.paging import PAGE_SIZE
from app.reports.event_lists import EventQuery, select_events
from app.reports.keyset import find_place, seek
from app.reports.order_lists import OrderQuery, select_orders
from app.reports.people_lists import GUESTS, PeopleQuery, select_people
from app.reports.people_lists import make_order as people_order
from app.reports.subscriber_lists import SubscriberQuery, select_subscribers
from app.reports.subscriber_lists import make_order as subscriber_order
from app.reports.withdrawals import select_withdrawals
from tests.admin.big_tables import fill_events, fill_orders, fill_people
from tests.conftest import empty_database
from tests.databases import DATABASE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DATABASE == "sqlite", reason="SQLite is for small shops; its plans are not promised"),
]
ROWS = 30_000
Case = tuple[Callable[[], Select[Any]], str]


def orders(**query: Any) -> Case:
    return lambda: select_orders(OrderQuery(**query)).limit(PAGE_SIZE), "orders"


def withdrawals(view: str) -> Case:
    return lambda: select_withdrawals(view).limit(PAGE_SIZE), "withdrawal_requests"


def people(*, skip: str = "", **query: Any) -> Case:
    """A page of the learners; skip: the public id of the row that it begins after."""

    def make() -> Select[Any]:
        wanted = PeopleQuery(**query)
        order = people_order(wanted)
        return seek(select_people(wanted), order, find_place(order, skip)).limit(PAGE_SIZE + 1)

    return make, "orders" if query.get("view") == GUESTS else "users"


def subscribers(*, skip: str = "", **query: Any) -> Case:
    """A page of the subscribers, as people()."""

    def make() -> Select[Any]:
        wanted = SubscriberQuery(**query)
        order = subscriber_order(wanted)
        return seek(select_subscribers(wanted), order, find_place(order, skip)).limit(PAGE_SIZE + 1)

    return make, "subscribers"


def events(**query: Any) -> Case:
    return lambda: select_events(EventQuery(**query)), "stripe_events"


CASES: dict[str, Case] = {
    "orders": orders(),
    "orders, oldest first": orders(is_descending=False),
    "orders by total": orders(sort="total"),
    "orders by customer": orders(sort="customer", is_descending=False),
    "orders, page 100": (lambda: select_orders(OrderQuery()).limit(PAGE_SIZE).offset(99 * PAGE_SIZE), "orders"),
    "orders, paid": orders(view="paid"),
    "orders, needs attention": orders(view="attention"),
    "orders, pending": orders(view="pending"),
    "orders, refunded": orders(view="refunded"),
    "orders, disputed": orders(view="disputed"),
    "orders, free": orders(view="free"),
    "orders in one state": orders(state="expired"),
    "orders in a rare currency": orders(currency="eur"),
    "orders of a rare course": orders(course="RARE"),
    "orders with a code": orders(code="RARECODE"),
    "orders of a span": orders(since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime.now(UTC) - timedelta(days=90)),
    "orders by number": orders(text="NSL-100500"),
    "orders by address": orders(text="buyer4711@example.org"),
    "orders by the start of an address": orders(text="buyer4711"),
    "orders by surname": orders(text="Last4711"),
    "orders by both names": orders(text="First811 Last4711"),
    "orders by the start of a name": orders(text="last47"),
    "orders by payment intent": orders(text="pi_4711"),
    "orders by session": orders(text="cs_4711"),
    "orders by charge": orders(text="ch_4711"),
    "orders by customer's id": orders(text="cus_4711"),
    "orders by invoice": orders(text="in_4711"),
    "orders by our own id": orders(text="ord_4711"),
    "withdrawals": withdrawals(""),
    "withdrawals to decide": withdrawals("open"),
    "withdrawals without a right": withdrawals("late"),
    "people": people(),
    "people, page by page": people(skip="usr_4712"),
    "people by name": people(sort="name", is_descending=False),
    "people by name, page by page": people(sort="name", is_descending=False, skip="usr_4712"),
    "people by address": people(sort="email", is_descending=False, skip="usr_4712"),
    "people, with purchases": people(view="bought"),
    "people, with free seats": people(view="given"),
    "people, never signed in": people(view="unproved"),
    "people, closed": people(view="closed"),
    "people, bought without an account": people(view=GUESTS),
    "people of a rare course": people(course="RARE"),
    "people who bought since": people(since=datetime.now(UTC) - timedelta(days=2)),
    "people found by address": people(text="buyer4712"),
    "people found by number": people(text="NSL-104712"),
    "people found by surname": people(text="Last4712"),
    "people found by Stripe's id": people(text="pi_4712"),
    "people found by id": people(text="usr_4712"),
    "subscribers": subscribers(),
    "subscribers, page by page": subscribers(skip="sub_4712"),
    "subscribers by address": subscribers(sort="email", is_descending=False, skip="sub_4712"),
    "subscribers who wait": subscribers(view="pending"),
    "subscribers who are erased": subscribers(view="erased"),
    "subscribers from a page": subscribers(source="/blog/post-7"),
    "subscribers found by address": subscribers(text="reader4712"),
    "events": events(),
    "events, failed": events(view="failed"),
    "events, waiting": events(view="waiting"),
    "events, handled": events(view="handled"),
    "events, ignored": events(view="ignored"),
    "events, page after one in the middle": events(after="evt_15000"),
    "events, page before one in the middle": events(before="evt_15000"),
    "events, failed, page after": events(view="failed", after="evt_15001"),
    "events of a rare type": events(type="charge.dispute.created"),
    "events of a common type": events(type="charge.succeeded"),
    "events of a day": events(
        since=datetime.now(UTC) - timedelta(days=20), until=datetime.now(UTC) - timedelta(days=19)
    ),
    "failed events of a rare type": events(view="failed", type="charge.dispute.created"),
    "events by id": events(text="evt_4711"),
    "events by object": events(text="ch_4713"),
    "events by order number": events(text="NSL-104711"),
    "free seats": (lambda: select_free_seats().limit(PAGE_SIZE), "grants"),
}


@pytest.fixture(scope="module")
def rare_course(migrated_app: Flask) -> Iterator[str]:
    """The shop once for all cases: filling it takes longer than asking."""
    course = fill_orders(ROWS)
    fill_people(ROWS, course=course)
    fill_events(ROWS)
    yield course
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
        # As PostgreSQL is told on disks that do not turn: for a hundredth of the rows the two ways cost about the same else.
        connection.exec_driver_sql("SET LOCAL random_page_cost = 1.1")
        answer = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", compiled.params)
        plan: dict[str, Any] = answer.scalar_one()[0]["Plan"]
        return plan


@pytest.mark.parametrize("name", CASES)
def test_the_list_is_answered_through_an_index(rare_course: str, name: str) -> None:
    make, table = CASES[name]
    of_course = {"orders of a rare course": orders, "people of a rare course": people}
    statement = make() if name not in of_course else of_course[name](course=rare_course)[0]()

    plan = explain(statement)

    assert table not in list_scans(plan), plan


def test_control_a_question_without_an_index_is_noticed(rare_course: str) -> None:
    plan = explain(select_orders(OrderQuery()).where(Order.payment_method_label == "none").order_by(None).limit(1))

    assert list_scans(plan) == {"orders"}
