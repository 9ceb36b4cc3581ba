"""An order's seats, for who bought them: invite, send again, take back, give to somebody else, share one link, gift.

The asker is known by an account, by the browser that bought as a guest (for 24 hours), or by the order's mailed link.
Whatever an order's owner may see or do here, nobody else learns that there is such an order.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import clock
from app.accounts.emails import normalize_email
from app.accounts.services import proved_email
from app.accounts.sessions import current_user_or_none
from app.checkout.orders import OrderView, find_order_by_public_id, get_order_of_link, get_order_of_user
from app.checkout.ownership import GUEST_ACCESS
from app.checkout.seat_orders import SeatItem, SeatOrder, change_gift, find_price_for_more, get_seat_order
from app.enrollment.address_lists import BadLine, parse_addresses
from app.enrollment.invitations import (
    InviteReport,
    free_seat,
    invite_addresses,
    reassign_seat,
    resend_invitation,
)
from app.enrollment.seat_views import SeatView, list_seats
from app.enrollment.shared_links import close_shared_link, find_shared_link, make_join_token, open_shared_link
from app.errors import AppError, InvalidInput, NotFound
from app.extensions import csrf, limiter
from app.site import limits
from app.site.blueprint import blueprint
from app.site.browser import began_here, list_browser_orders
from app.site.checkout_forms import format_day, read_gift_day
from app.site.origin import refuse_cross_site
from app.site.viewer import canonical_url

PAGE_LIMIT = "60/minute"
LONGEST_NUMBER = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The order whose seats are looked at, and the addresses of its pages for this asker."""

    order: SeatOrder
    view: OrderView
    seats_url: str
    order_url: str


@dataclass(kw_only=True, slots=True)
class Page:
    """What the page says beside the seats: refusals by field, what was typed, what became of a pasted list."""

    errors: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    report: InviteReport | None = None
    bad_lines: tuple[BadLine, ...] = ()
    status: int = 200


@blueprint.get("/account/orders/<order>/seats")
@limiter.limit(PAGE_LIMIT)
def seats(order: str) -> ResponseReturnValue:
    return _render(_find_place(order), Page())


@blueprint.get("/orders/<token>/seats")
@limiter.limit(PAGE_LIMIT)
def seats_by_link(token: str) -> ResponseReturnValue:
    return _render(_open_place(token), Page())


@blueprint.post("/account/orders/<order>/seats/<action>")
@limits.CHANGE
def change_seats(order: str, action: str) -> ResponseReturnValue:
    return _change(_find_place(order), action)


@blueprint.post("/orders/<token>/seats/<action>")
@limits.CHANGE
def change_seats_by_link(token: str, action: str) -> ResponseReturnValue:
    return _change(_open_place(token), action)


def find_own_order(public_id: str) -> OrderView:
    """The order, for the account that bought it or the browser that did so as a guest today. Raises NotFound."""
    user = current_user_or_none()
    if user is not None:
        try:
            return get_order_of_user(public_id=public_id, user_id=user.id, email=proved_email(user))
        except NotFound:
            pass
    found = find_order_by_public_id(public_id) if public_id in list_browser_orders() else None
    if found is None or found.user_id is not None or not began_here(found):
        raise NotFound
    if found.paid_at is None or found.paid_at < clock.now() - GUEST_ACCESS:
        raise NotFound
    return found


def has_seats_of(public_id: str) -> bool:
    """Whether this browser may give out the order's seats: longer than a day it remembers only that it bought them."""
    try:
        find_own_order(public_id)
    except NotFound:
        return False
    return True


def _find_place(public_id: str) -> Place:
    found = find_own_order(public_id)
    return Place(
        order=get_seat_order(order_id=found.id),
        view=found,
        seats_url=url_for("site.seats", order=found.public_id),
        order_url=url_for("site.order", order=found.public_id),
    )


def _open_place(token: str) -> Place:
    found = get_order_of_link(token)
    return Place(
        order=get_seat_order(order_id=found.id),
        view=found,
        seats_url=url_for("site.seats_by_link", token=token),
        order_url=url_for("site.order_by_link", token=token),
    )


def _change(place: Place, action: str) -> ResponseReturnValue:
    refuse_cross_site()
    csrf.protect()
    actions = GIFT_ACTIONS if place.order.purpose == "gift" else TEAM_ACTIONS
    if action not in actions:
        raise NotFound
    try:
        page = actions[action](place)
    except NotFound:
        raise
    except AppError as error:
        if error.field is not None:
            values = {name: text[:40_000] for name, text in request.form.items()}
            # The rows have a field of the same name each: the error belongs to the row that was sent.
            name = f"{error.field}-{values.get('seat', '')}" if action == "reassign" else error.field
            return _render(place, Page(errors={name: error.sentence}, values=values, status=error.status))
        flash(error.sentence, "warning")
        page = None
    return redirect(place.seats_url, 303) if page is None else _render(place, page)


def _invite(place: Place) -> Page | None:
    item = _get_item(place)
    typed = request.form.get("addresses", "")
    parsed = parse_addresses(typed)
    report = invite_addresses(order_item_id=item.id, addresses=parsed.addresses, occasion=item.occasion)
    if parsed.bad_lines or report.unseated or report.resting:
        left = [*report.unseated, *report.resting, *(line.text for line in parsed.bad_lines)]
        return Page(report=report, bad_lines=parsed.bad_lines, values={"addresses": "\n".join(left)}, status=422)
    flash(_sum_up(report, repeated=len(parsed.repeated)), "success" if report.invited else "info")
    return None


def _sum_up(report: InviteReport, *, repeated: int) -> str:
    count = len(report.invited)
    parts = []
    if count:
        is_one = count == 1
        parts.append(f"{report.invited[0]} is invited." if is_one else f"{count} people are invited.")
    if report.already:
        is_one = len(report.already) == 1
        known = report.already[0] if is_one else f"{len(report.already)} addresses"
        parts.append(f"{known} {'has' if is_one else 'have'} a seat of this order already.")
    if repeated:
        parts.append(f"{repeated} address{' was' if repeated == 1 else 'es were'} in the list more than once.")
    return " ".join(parts)


def _resend(place: Place) -> None:
    item, seat = _get_seat(place)
    address = resend_invitation(order_item_id=item.id, seat_public_id=seat.public_id, occasion=item.occasion)
    flash(f"A new mail to {address} is on its way. Its link works for 30 days.", "success")


def _take_back(place: Place) -> None:
    item, seat = _get_seat(place)
    free_seat(
        order_item_id=item.id,
        seat_public_id=seat.public_id,
        titles=item.occasion.titles,
        owner_emails=place.order.owner_emails,
    )
    flash("The seat is free again. Links that were out for it don’t work any more.", "success")


def _reassign(place: Place) -> None:
    item, seat = _get_seat(place)
    email = normalize_email(request.form.get("email", ""))
    reassign_seat(
        order_item_id=item.id,
        seat_public_id=seat.public_id,
        email=email,
        occasion=item.occasion,
        owner_emails=place.order.owner_emails,
    )
    flash(f"{email} is invited to the seat.", "success")


def _share(place: Place) -> None:
    item = _get_item(place)
    open_shared_link(order_item_id=item.id, limit_count=_read_limit(request.form.get("limit", "")))
    flash("The link is on for 30 days. One that was out before doesn’t work any more.", "success")


def _stop_sharing(place: Place) -> None:
    close_shared_link(order_item_id=_get_item(place).id)
    flash("The link is off. Whoever joined with it keeps the seat.", "success")


def _change_gift(place: Place) -> None:
    try:
        email = normalize_email(request.form.get("recipient_email", ""))
    except InvalidInput as error:
        raise InvalidInput(error.sentence, field="recipient_email") from error
    typed = request.form.get("gift_on", "").strip()
    send_at = read_gift_day(typed) if typed else None
    if change_gift(order_id=place.order.id, recipient_email=email, send_at=send_at):
        flash(f"Saved. The gift goes to {email}.", "success")
    else:
        flash("Nothing was changed.", "info")


TEAM_ACTIONS: dict[str, Callable[[Place], Page | None]] = {
    "invite": _invite,
    "resend": _resend,
    "take-back": _take_back,
    "reassign": _reassign,
    "share": _share,
    "stop-sharing": _stop_sharing,
}
GIFT_ACTIONS: dict[str, Callable[[Place], Page | None]] = {"resend": _resend, "gift": _change_gift}


def _get_item(place: Place) -> SeatItem:
    """The order item that the form is about, by its place in the order; the first where it says nothing."""
    typed = request.form.get("item", "1")
    for number, item in enumerate(place.order.items, start=1):
        if typed == str(number):
            return item
    raise NotFound


def _get_seat(place: Place) -> tuple[SeatItem, SeatView]:
    wanted = request.form.get("seat", "")
    items = {item.id: item for item in place.order.items}
    for seat in list_seats(order_item_ids=list(items)):
        if seat.public_id == wanted:
            return items[seat.order_item_id], seat
    raise NotFound


def _read_limit(text: str) -> int:
    cleaned = text.strip()
    if not cleaned.isascii() or not cleaned.isdigit() or len(cleaned) > LONGEST_NUMBER:
        raise InvalidInput("Enter how many people may join, as a whole number.", field="limit")
    return int(cleaned)


def _render(place: Place, page: Page) -> ResponseReturnValue:
    seats = list_seats(order_item_ids=[item.id for item in place.order.items])
    groups = [
        _shape_item(place, item, [seat for seat in seats if seat.order_item_id == item.id], number=number)
        for number, item in enumerate(place.order.items, start=1)
    ]
    body = render_template(
        "seats.html",
        order=place.order,
        groups=groups,
        gift=place.order.gift,
        gift_seat=seats[0] if place.order.gift is not None and seats else None,
        gift_day=format_day(seats[0].sends_at) if seats else "",
        errors=page.errors,
        values=page.values,
        report=page.report,
        bad_lines=page.bad_lines,
        seats_url=place.seats_url,
        order_url=place.order_url,
    )
    return body, page.status


def _shape_item(place: Place, item: SeatItem, seats: list[SeatView], *, number: int) -> dict[str, Any]:
    link = find_shared_link(order_item_id=item.id)
    price_id = find_price_for_more(item)
    return {
        "number": number,
        "title": item.title,
        "seats": [_shape_seat(place, seat) for seat in seats],
        "total": len(seats),
        "free": _count(seats, "free"),
        "invited": _count(seats, "invited", "expired", "scheduled"),
        "taken": _count(seats, "taken"),
        "closed": _count(seats, "suspended", "revoked"),
        "link": link,
        "link_url": canonical_url(url_for("site.join", token=make_join_token(link))) if link is not None else None,
        "more_url": _more_url(price_id) if price_id is not None else None,
    }


def _more_url(price_id: str) -> str:
    return url_for("site.checkout", price_id=price_id) + "?quantity=2&for=team"


def _shape_seat(place: Place, seat: SeatView) -> dict[str, Any]:
    is_own = seat.claimed_by_id is not None and seat.claimed_by_id == place.order.user_id
    return {
        "id": seat.public_id,
        "position": seat.position,
        "state": seat.state,
        "email": seat.email,
        "is_own": is_own or seat.email in place.order.owner_emails,
        "invited_at": seat.invited_at,
        "sends_at": seat.sends_at,
        "expires_at": seat.expires_at,
        "claimed_at": seat.claimed_at,
        "is_used": seat.is_used,
    }


def _count(seats: list[SeatView], *states: str) -> int:
    return sum(seat.state in states for seat in seats)
