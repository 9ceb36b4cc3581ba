"""What the tests of faults look at, and how they put the shop back while Stripe goes on."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select

from app.checkout.ledger import sum_entries
from app.checkout.models import LedgerEntry, Order
from app.checkout.services import StartedCheckout
from app.cli.db_copy import go_on_counting
from app.db import Base, db, transaction
from app.enrollment.models import Enrollment, Grant
from app.mail.models import Message
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.conftest import KEPT_TABLES, empty_database


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What the first order of a shop has brought about: what may be there once."""

    state: str
    number: int | None
    sums: tuple[int, int, int, int]
    entries: int
    live_grants: int
    enrollments: int
    mails: tuple[str, ...]


def effects() -> Effects:
    """As the database has it, of the only order there is. sums: captured, refunded, withdrawn, reinstated."""
    db.session.rollback()
    db.session.expire_all()
    order = db.session.scalars(select(Order)).one()
    entries = db.session.scalars(select(LedgerEntry)).all()
    found = sum_entries(entries)
    live = select(func.count()).where(Grant.revoked_at.is_(None), Grant.suspended_at.is_(None))
    return Effects(
        state=order.state,
        number=order.number,
        sums=(found.captured_amount, found.refunded_amount, found.withdrawn_amount, found.reinstated_amount),
        entries=len(entries),
        live_grants=db.session.scalars(live).one(),
        enrollments=db.session.scalars(select(func.count()).select_from(Enrollment)).one(),
        mails=tuple(sorted(key.partition(":")[0] for key in db.session.scalars(select(Message.key)))),
    )


def find_event(shop: Shop, event_type: str) -> dict[str, Any]:
    """The newest event of a type."""
    return next(event for event in reversed(shop.events()) if event["type"] == event_type)


def event_states() -> dict[str, str]:
    """The inbox: state by event id."""
    db.session.rollback()
    return {row.id: row.state for row in db.session.execute(select(StripeEvent.id, StripeEvent.state))}


def payment_intent(shop: Shop, started: StartedCheckout) -> str:
    return str(shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}")["payment_intent"])


def ask(shop: Shop, path: str, /, **body: Any) -> dict[str, Any]:
    """One of the sandbox's controls; gives its answer."""
    status, answer = shop.control(path, body)
    assert status == 200, answer
    return dict(answer or {})


def pull(shop: Shop, kind: str, /, **lever: Any) -> None:
    ask(shop, "/levers", kind=kind, **lever)


Rows = dict[str, list[dict[str, Any]]]


def keep_rows() -> Rows:
    """Every row of the shop, to be put back by put_rows_back()."""
    db.session.rollback()
    with db.engine.connect() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in Base.metadata.sorted_tables
            if table.name not in KEPT_TABLES
        }


def put_rows_back(rows: Rows) -> None:
    """The shop as it was when its rows were kept; what Stripe did since then stays done."""
    db.session.rollback()
    db.session.expunge_all()
    empty_database()
    with transaction() as session:
        for table in Base.metadata.sorted_tables:
            if rows.get(table.name):
                session.execute(insert(table), rows[table.name])
                go_on_counting(table, session.connection())
