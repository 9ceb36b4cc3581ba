"""A buyer withdraws from the contract: recorded once, acknowledged at once, and then refunded or put before a person.

Source: Directive 2011/83/EU, article 11a (the withdrawal function, law since 19 June 2026): no sign-in, a confirmation,
and an acknowledgment with content, day and time without delay (read 2026-11).
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Select, select, update
from sqlalchemy.orm import selectinload

from app import clock
from app.audit import record_audit
from app.checkout.findings import add_finding
from app.checkout.models import Order
from app.checkout.numbers import format_order_number
from app.checkout.order_links import order_link_value, read_order_link
from app.checkout.orders import ORDER_LINK_SECONDS
from app.checkout.refund_orders import refund_order
from app.checkout.refund_plans import ENDED_STATES, RefundScope
from app.checkout.refunds import NothingToRefund
from app.checkout.settle import lock_order
from app.checkout.withdrawal_models import WithdrawalRequest
from app.checkout.withdrawal_terms import WITHDRAWAL_PURPOSE, WithdrawalTerms, find_withdrawal_terms, last_moment
from app.config import current_settings
from app.db import db, insert_once, make_public_id, retry_conflicts, transaction
from app.errors import NotFound
from app.mail.services import queue_message
from app.queue import send_after_commit
from app.signing import read_link, sign_link

log = structlog.get_logger()

REASON = "The buyer withdrew from the contract."
NUMBER = re.compile(r"(?:[A-Za-z0-9]{1,4}\s*-\s*)?([0-9]{1,9})")


@dataclass(frozen=True, kw_only=True, slots=True)
class WithdrawalView:
    """What a buyer sees of a withdrawal, before and after; times UTC.

    verdict: "in_time", "late" or "waived", as it is now or was then. withdrawn_at is None until they confirm;
    refund_state: as the row keeps it, "" before.
    """

    order_number: str
    items: tuple[tuple[str, int], ...]
    paid_at: datetime
    ends_at: datetime
    verdict: str
    withdrawn_at: datetime | None
    refund_state: str

    @property
    def last_day(self) -> datetime:
        """A moment of the period's last day."""
        return last_moment(self.ends_at)


def get_withdrawal(token: str) -> WithdrawalView:
    """The contract of a signed link. Raises LinkInvalid, NotFound: the order moved on, or there is no such right."""
    order = _get_order(token)
    view = _view(order)
    if view is None:
        raise NotFound
    return view


def find_withdrawal(order_public_id: str) -> tuple[WithdrawalView, str] | None:
    """The same with its link's token, for whoever sees the order's page; None where the shop has no such function."""
    order = db.session.scalar(_select_order().where(Order.public_id == order_public_id))
    view = _view(order) if order is not None else None
    if order is None or view is None:
        return None
    return view, sign_link(WITHDRAWAL_PURPOSE, order_link_value(order))


def withdraw_by_link(token: str) -> None:
    """Record the declaration of whoever has the order's link; twice is once. Raises LinkInvalid, NotFound."""
    _record(_get_order(token).id, is_proved=True)


def withdraw_by_number(*, number: str, email: str) -> None:
    """Record the declaration that names an order and the address that paid it (normalized).

    Says nothing about whether there is such an order: the acknowledgment goes to that address alone.
    """
    found = NUMBER.fullmatch(number.strip())
    if found is None:
        return
    order_id = db.session.scalar(select(Order.id).where(Order.number == int(found[1]), Order.email == email))
    if order_id is not None:
        with suppress(NotFound):
            _record(order_id, is_proved=False)


def refund_withdrawal(request_id: int) -> None:
    """Give back everything that is left of a withdrawn order. Safe to call again: its refund has one key.

    Where nothing can go back, because somebody was faster or the bank holds it, a person is told if one is needed.
    """
    request = db.session.get_one(WithdrawalRequest, request_id, populate_existing=True)
    if request.refund_state != "due":
        return
    order = db.session.get_one(Order, request.order_id)
    try:
        refund_order(
            order_public_id=order.public_id,
            request_key=f"withdrawal:{request.public_id}",
            scope=RefundScope(),
            reason=REASON,
        )
    except NothingToRefund as error:
        _end_refund(request_id, state="not_possible", sentence=error.sentence)
    else:
        _end_refund(request_id, state="asked", sentence="")


def list_due_withdrawal_ids() -> list[int]:
    """Withdrawals whose money has still to be asked for."""
    return list(
        db.session.scalars(
            select(WithdrawalRequest.id)
            .where(WithdrawalRequest.refund_state == "due")
            .order_by(WithdrawalRequest.id)
            .limit(100)
        )
    )


@retry_conflicts
def _record(order_id: int, *, is_proved: bool) -> None:
    """Raises NotFound where there is no such right."""
    with transaction():
        order = lock_order(order_id)
        terms = find_withdrawal_terms(order)
        if terms is None:
            raise NotFound
        verdict = _judge(terms)
        refund_state = _choose_refund(order, verdict, is_proved=is_proved)
        values = {
            "public_id": make_public_id("wdr"),
            "order_id": order.id,
            "is_proved": is_proved,
            "verdict": verdict,
            "items": [{"title": item.title, "quantity": item.quantity} for item in order.items],
            "ends_at": terms.ends_at,
            "refund_state": refund_state,
            "created_at": clock.now(),
        }
        request_id = insert_once(WithdrawalRequest, values, unique=["order_id"])
        if request_id is None:
            return
        record_audit(
            action="order.withdrawn", subject_type="order", subject_id=order.public_id,
            after={"verdict": verdict, "refund": refund_state, "is_proved": is_proved},
        )  # fmt: skip
        _acknowledge(order, values)
        if refund_state == "due":
            send_after_commit("checkout.refund_withdrawal", int(request_id))
        elif refund_state == "by_hand":
            _ask_person(order, is_proved=is_proved)
        log.info("order_withdrawn", order=order.public_id, verdict=verdict, refund=refund_state)


def _judge(terms: WithdrawalTerms) -> str:
    if terms.is_waived:
        return "waived"
    return "in_time" if clock.now() < terms.ends_at else "late"


def _choose_refund(order: Order, verdict: str, *, is_proved: bool) -> str:
    if verdict != "in_time" or order.state in ENDED_STATES:
        return "none"
    # Order numbers count up and addresses are known to many: who has only these may not move money or close a course.
    return "due" if is_proved and current_settings().refunds_withdrawals else "by_hand"


def _ask_person(order: Order, *, is_proved: bool) -> None:
    doubt = "" if is_proved else " Whoever sent it knew its number and address, and has proved nothing more."
    add_finding(
        key=f"withdrawal:{order.public_id}",
        order_id=order.id,
        kind="withdrawal",
        detail=f"The buyer withdrew from the contract in time.{doubt} Refund the order within 14 days: that takes this "
        "off the list.",
    )


def _acknowledge(order: Order, values: dict[str, Any]) -> None:
    """The mail that the law asks for: what was declared, on which day and at what time."""
    if order.email is None:
        return
    queue_message(
        key=f"withdrawal:{order.public_id}",
        template="withdrawal",
        to_address=order.email,
        data={
            "order_number": format_order_number(order.number),
            "items": values["items"],
            "withdrawn_at": values["created_at"].isoformat(),
            "last_day": last_moment(values["ends_at"]).isoformat(),
            "verdict": values["verdict"],
            "refund_state": values["refund_state"],
        },
    )


@retry_conflicts
def _end_refund(request_id: int, *, state: str, sentence: str) -> None:
    with transaction() as session:
        order_id = session.execute(
            update(WithdrawalRequest)
            .where(WithdrawalRequest.id == request_id, WithdrawalRequest.refund_state == "due")
            .values(refund_state=state)
            .returning(WithdrawalRequest.order_id)
        ).scalar_one_or_none()
        order = session.get_one(Order, order_id, populate_existing=True) if order_id is not None else None
        if order is not None and state == "not_possible" and order.state not in ENDED_STATES:
            add_finding(
                key=f"withdrawal:{order.public_id}",
                order_id=order.id,
                kind="withdrawal",
                detail=f"The buyer withdrew from the contract in time, but nothing could be refunded. {sentence}",
            )


def _get_order(token: str) -> Order:
    link = read_order_link(read_link(WITHDRAWAL_PURPOSE, token, max_age_seconds=ORDER_LINK_SECONDS))
    if link is None:
        raise NotFound
    order = db.session.scalar(_select_order().where(Order.public_id == link[0], Order.link_version == link[1]))
    if order is None:
        raise NotFound
    return order


def _select_order() -> Select[Order]:
    return select(Order).options(selectinload(Order.items)).execution_options(populate_existing=True)


def _view(order: Order) -> WithdrawalView | None:
    terms = find_withdrawal_terms(order)
    if terms is None or order.paid_at is None:
        return None
    request = db.session.scalar(select(WithdrawalRequest).where(WithdrawalRequest.order_id == order.id))
    return WithdrawalView(
        order_number=format_order_number(order.number),
        items=tuple((item.title, item.quantity) for item in order.items),
        paid_at=order.paid_at,
        ends_at=terms.ends_at if request is None else request.ends_at,
        verdict=_judge(terms) if request is None else request.verdict,
        withdrawn_at=None if request is None else request.created_at,
        refund_state="" if request is None else request.refund_state,
    )
