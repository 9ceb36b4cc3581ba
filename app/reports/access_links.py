"""The signed link to a trace, and what its holder may see: the purchase it names, and nobody else's."""

from dataclasses import dataclass, replace

from app.checkout.access_links import ACCESS_PURPOSE
from app.enrollment.seats import InvitationReplaced
from app.errors import NotFound
from app.reports.access import explain_courses, find_claim_version, find_link_version
from app.reports.access_shape import AccessTrace
from app.signing import LinkInvalid, read_link

ACCESS_LINK_SECONDS = 10 * 365 * 24 * 60 * 60
LONGEST_TOKEN = 400
# Steps that belong to the person and the course, not to a purchase.
BESIDE = frozenset({"account", "course"})


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessLink:
    """What a link names: an order, or a seat that somebody was invited to. The other one is "".

    A seat given to somebody else has a newer claim_version, and whoever had it before learns nothing of that person.
    """

    order_public_id: str = ""
    seat_public_id: str = ""
    claim_version: int = 0
    order_version: int = 0


def read_access_link(token: str) -> AccessLink:
    """What the token names. Raises LinkInvalid for anything that we did not sign for this purpose, LinkExpired."""
    if len(token) > LONGEST_TOKEN:
        raise LinkInvalid
    match read_link(ACCESS_PURPOSE, token, max_age_seconds=ACCESS_LINK_SECONDS):
        case [str(order)] if order.startswith("ord_"):
            return AccessLink(order_public_id=order, order_version=1)
        case [str(order), int(version)] if order.startswith("ord_"):
            return AccessLink(order_public_id=order, order_version=version)
        case [str(seat), int(version)] if seat.startswith("seat_"):
            return AccessLink(seat_public_id=seat, claim_version=version)
    raise LinkInvalid


def explain_link(link: AccessLink, *, viewer_id: int | None = None) -> list[AccessTrace]:
    """A trace for each course of the link's order or seat, as its holder may see it.

    viewer_id is the account signed in where the link was opened: it is judged, and the link’s purchase is context.
    Of other purchases only the grant that decides is kept. Raises NotFound when the order is gone
    or moved to another address, InvitationReplaced when the seat is.
    """
    if link.seat_public_id and find_claim_version(link.seat_public_id) != link.claim_version:
        raise InvitationReplaced
    if link.order_public_id and find_link_version(link.order_public_id) != link.order_version:
        raise NotFound
    traces = explain_courses(
        user_id=viewer_id,
        order_public_id=link.order_public_id or None,
        seat_public_id=link.seat_public_id or None,
    )
    if not traces:
        raise NotFound
    return [_keep_own(trace, link) for trace in traces]


def is_of_link(trace: AccessTrace, link: AccessLink) -> bool:
    """Whether the purchase that decides is the one the link names: only that may be acted on by its holder."""
    return trace.strand in _list_own_strands(trace, link)


def _keep_own(trace: AccessTrace, link: AccessLink) -> AccessTrace:
    own = _list_own_strands(trace, link)
    kept = [step for step in trace.steps if step.strand in own or step.kind in BESIDE or step is trace.cause]
    return replace(trace, steps=tuple(kept))


def _list_own_strands(trace: AccessTrace, link: AccessLink) -> set[str]:
    return {
        step.strand
        for step in trace.steps
        if (link.order_public_id and step.strand.partition("/")[0] == link.order_public_id)
        or (link.seat_public_id and step.ids.get("seat") == link.seat_public_id)
    }
