"""Stripe's lists page by page, newest first, for a reader that may be stopped after any page and go on later.

Events are not among them: Stripe forgets them after 30 days, its objects never.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from app.payments.facts import (
    CheckoutFacts,
    DisputeFacts,
    Metadata,
    RefundFacts,
    object_id,
    read_dispute,
    read_refund,
    read_session,
)
from app.payments.gateway import PAGE_SIZE, stripe_client, stripe_errors

ListedKind = Literal["sessions", "refunds", "disputes"]
Facts = CheckoutFacts | RefundFacts | DisputeFacts


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedObject:
    """One object of a page. metadata is that of its payment where it has none of ours itself.

    facts is None when the object lacks what it cannot be without: one such object must not hide the rest of its page.
    """

    id: str
    metadata: Metadata
    stripe_ids: tuple[str, ...]
    facts: Facts | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedPage:
    """A page of Stripe's list; the next one begins after its last object."""

    objects: tuple[ListedObject, ...]
    has_more: bool


def list_page(kind: ListedKind, *, created_since: datetime, after: str | None, limit: int = PAGE_SIZE) -> ListedPage:
    """The page of the account's objects made since then that follows the object named by after, the first for None.

    Raises StripeObjectMissing when Stripe does not know after, PaymentUnavailable.
    """
    params: dict[str, Any] = {"created": {"gte": int(created_since.astimezone(UTC).timestamp())}, "limit": limit}
    if after is not None:
        params["starting_after"] = after
    if kind != "sessions":
        # Refunds and disputes carry no metadata of ours; one answer for a page instead of one call for each object.
        params["expand"] = ["data.payment_intent"]
    with stripe_errors(kind):
        services = stripe_client().v1
        lists = {"sessions": services.checkout.sessions.list, "refunds": services.refunds.list,
                 "disputes": services.disputes.list}  # fmt: skip
        page = cast(Any, lists[kind])(params).to_dict()
        return ListedPage(
            objects=tuple(_read(kind, each) for each in page["data"]), has_more=page.get("has_more") is True
        )


def _read(kind: ListedKind, each: Mapping[str, Any]) -> ListedObject:
    payment = each.get("payment_intent")
    metadata = each.get("metadata")
    if kind != "sessions" and isinstance(payment, Mapping):
        metadata = payment.get("metadata")
    references = (each["id"], object_id(payment), object_id(each.get("charge")))
    return ListedObject(
        id=str(each["id"]),
        metadata={str(name): str(text) for name, text in metadata.items()} if isinstance(metadata, Mapping) else {},
        stripe_ids=tuple(str(reference) for reference in references if reference),
        facts=_read_facts(kind, each),
    )


def _read_facts(kind: ListedKind, each: Mapping[str, Any]) -> Facts | None:
    try:
        if kind == "sessions":
            return read_session(each)
        return read_refund(each) if kind == "refunds" else read_dispute(each)
    except (KeyError, TypeError, ValueError):
        return None
