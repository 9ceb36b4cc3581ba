"""The pages a run goes through: Stripe's lists and our orders, and what is done about each thing on them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app import clock
from app.checkout.owners import report_unknown_order
from app.checkout.reconcile_objects import Suspicion, compare
from app.checkout.reconcile_orders import Outcome, heal_order, list_orders_to_read, plan_order
from app.payments.gateway import PAGE_SIZE
from app.payments.listing import ListedObject, list_page

Kind = Literal["sessions", "refunds", "disputes", "orders"]

KINDS: tuple[Kind, ...] = ("sessions", "refunds", "disputes", "orders")
# Each order costs some five calls to Stripe; each object of a list the hundredth part of one.
ORDERS_PER_PAGE = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing on a page, an object that Stripe lists or an order of ours; a scan goes on behind its cursor."""

    cursor: str
    listed: ListedObject | None = None
    order_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page of one kind, newest first."""

    items: Sequence[Item]
    has_more: bool


def read_page(kind: Kind, *, since: datetime, read_before: datetime, after: str | None) -> Page:
    """The page behind the cursor after, the first for None; since and read_before as in list_orders_to_read().

    Raises StripeObjectMissing when the object behind which to go on is gone, PaymentUnavailable.
    """
    if kind == "orders":
        ids = list_orders_to_read(since=since, read_before=read_before, after=after, limit=ORDERS_PER_PAGE)
        items = [Item(cursor=str(order_id), order_id=order_id) for order_id in ids]
        return Page(items=items, has_more=len(ids) == ORDERS_PER_PAGE)
    page = list_page(kind, created_since=since, after=after, limit=PAGE_SIZE)
    items = [Item(cursor=each.id, listed=each) for each in page.objects]
    return Page(items=items, has_more=page.has_more and bool(items))


def heal_item(item: Item) -> Outcome | None:
    """Bring in line what the item is about; None when all is well or it is another app's."""
    suspicion = _suspect(item)
    if suspicion is None:
        return None
    if suspicion.order_id is not None:
        return heal_order(suspicion.order_id, session_id=suspicion.session_id)
    report_unknown_order(suspicion.unknown_order)
    return _tell_unknown(suspicion.unknown_order)


def plan_run(*, since: datetime) -> Iterator[Outcome]:
    """What a run over everything made since then would find and heal, each order once. Writes nothing.

    Raises PaymentUnavailable when Stripe does not answer for a page.
    """
    moment = clock.now()
    told: set[int | str] = set()
    for kind in KINDS:
        after, has_more = None, True
        while has_more:
            page = read_page(kind, since=since, read_before=moment, after=after)
            for item in page.items:
                after = item.cursor
                outcome = _plan_item(item, told)
                if outcome is not None:
                    yield outcome
            has_more = page.has_more


def plan_item(item: Item) -> Outcome | None:
    """What heal_item() would do about it. Writes nothing."""
    return _plan_item(item, set())


def _plan_item(item: Item, told: set[int | str]) -> Outcome | None:
    suspicion = _suspect(item)
    if suspicion is None:
        return None
    name = suspicion.unknown_order if suspicion.order_id is None else suspicion.order_id
    if name in told:
        return None
    told.add(name)
    if suspicion.order_id is None:
        return _tell_unknown(suspicion.unknown_order)
    return plan_order(suspicion.order_id, session_id=suspicion.session_id)


def _suspect(item: Item) -> Suspicion | None:
    return Suspicion(order_id=item.order_id) if item.listed is None else compare(item.listed)


def _tell_unknown(public_id: str) -> Outcome:
    return Outcome(subject=public_id[:60], result="unhealed", reason="Stripe names an order that is not here.")
