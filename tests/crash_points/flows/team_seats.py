"""What a team's owner does on the seats page, and joining by its shared link: each click once, however often it is sent."""

import html
import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from app.checkout.models import Order, OrderItem
from app.db import db
from app.enrollment.invitations import invite_addresses
from app.enrollment.models import Seat
from app.enrollment.seat_mails import Occasion
from app.enrollment.shared_links import find_shared_link, make_join_token, open_shared_link
from app.signing import sign_link
from tests.crash_points.flows.flow import Flow, buy, make_offer, make_signed_in
from tests.crash_points.scene import Answer, Facts, Scene

NIA, TOM, ANN = "nia@example.org", "tom@example.org", "ann@example.org"
OCCASION = Occasion(titles=("Course",), order_number="NSL-1001", from_name="Maya Okafor")
TOKEN_FIELD = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')

TEAM = {"quantity": "4", "purpose": "team", "takes_seat": "1"}
# What is there whatever was clicked: the buyer sits on the first of four seats.
SOLD = {"order paid": 1, "mail receipt": 1, "seats taken": 4, "grant live": 1}


def _prepare_team(scene: Scene) -> Facts:
    """A paid team order, and its owner on the page of its seats, where a form stands ready."""
    facts = make_offer(scene, capacity=4)
    facts["form"] |= TEAM
    facts = buy(scene, facts, cookie=make_signed_in(scene)[1])
    with scene.app.app_context():
        item_id = db.session.scalars(select(OrderItem.id)).one()
        link = sign_link("order", db.session.scalars(select(Order.public_id)).one())
        seats = list(db.session.scalars(select(Seat.public_id).order_by(Seat.position)))
    return {**facts, "item_id": item_id, "page": f"/orders/{link}/seats", "seats": seats}


def _open_page(scene: Scene, facts: Facts) -> Facts:
    page = scene.request("GET", facts["page"])
    token = TOKEN_FIELD.search(page.text)
    assert token is not None, page
    return {**facts, "csrf_token": html.unescape(token.group(1)), "owner": page.cookie}


def _prepare_page(scene: Scene) -> Facts:
    return _open_page(scene, _prepare_team(scene))


def _prepare_invited(scene: Scene) -> Facts:
    """Somebody is invited to the second seat and has the mail."""
    facts = _prepare_team(scene)
    with scene.app.app_context():
        invite_addresses(order_item_id=facts["item_id"], addresses=[NIA], occasion=OCCASION)
    scene.work()
    # Longer than a mail must wait until it may be sent again.
    scene.advance(minutes=11)
    return _open_page(scene, facts)


def _prepare_shared(scene: Scene) -> Facts:
    facts = _prepare_team(scene)
    with scene.app.app_context():
        open_shared_link(order_item_id=facts["item_id"], limit_count=2)
        link = find_shared_link(order_item_id=facts["item_id"])
        assert link is not None
        return {**facts, "join": f"/seats/join/{make_join_token(link)}", "cookie": ""}


def _prepare_shared_for_learner(scene: Scene) -> Facts:
    return {**_prepare_shared(scene), "cookie": make_signed_in(scene)[1]}


def _click(action: str, *, seat: int | None = None, **form: Any) -> Callable[[Scene, Facts], Answer]:
    """One of the page's buttons, with the worker beside it."""

    def click(scene: Scene, facts: Facts) -> Answer:
        row = {} if seat is None else {"seat": facts["seats"][seat - 1]}
        data = {"csrf_token": facts["csrf_token"], **row, **form}
        answer = scene.request("POST", f"{facts['page']}/{action}", data=data, cookie=facts["owner"])
        scene.drain_queue()
        return answer

    return click


def _join(scene: Scene, facts: Facts) -> Answer:
    form = {} if facts["cookie"] else {"email": NIA}
    answer = scene.request("POST", facts["join"], data=form, cookie=facts["cookie"])
    scene.drain_queue()
    return answer


def _again(click: Callable[[Scene, Facts], Answer]) -> Callable[[Scene, Facts], None]:
    """Who saw no answer clicks again, after the worker has done what there was: the mails may be out already."""

    def click_again(scene: Scene, facts: Facts) -> None:
        scene.work()
        if not scene.noted("answer"):
            answer = click(scene, facts)
            assert answer.status < 400, answer.text

    return click_again


def _act(click: Callable[[Scene, Facts], Answer]) -> Callable[[Scene, Facts], None]:
    def act(scene: Scene, facts: Facts) -> None:
        answer = click(scene, facts)
        assert answer.status == 303, answer

    return act


def _flow(
    name: str, prepare: Callable[[Scene], Facts], click: Callable[[Scene, Facts], Answer], promise: dict[str, int]
) -> Flow:
    return Flow(
        name=f"seats-{name}",
        prepare=prepare,
        act=_act(click),
        resume=_again(click),
        promise={**SOLD, **promise},
        starts_after_minutes=11 if prepare is _prepare_invited else 0,
    )


INVITED = {"mail claim_seat": 1, "seat invited": 1}
PASSED_ON = {"mail claim_seat": 2, "seat invited": 1, "passed on": 1}

FLOWS = (
    _flow("invite", _prepare_page, _click("invite", addresses=NIA), INVITED),
    _flow(
        "invite-list",
        _prepare_page,
        _click("invite", addresses=f"{NIA}\n{TOM}, {ANN}\n{NIA}"),
        {"mail claim_seat": 3, "seat invited": 3},
    ),
    _flow("resend", _prepare_invited, _click("resend", seat=2), {**INVITED, "mail claim_seat": 2}),
    _flow("take-back", _prepare_invited, _click("take-back", seat=2), {"seat invited": 0, "passed on": 1}),
    _flow("reassign", _prepare_invited, _click("reassign", seat=2, email=TOM), PASSED_ON),
    _flow("share", _prepare_page, _click("share", limit="2"), {"open link": 1, "seat invited": 0}),
    _flow("join-by-mail", _prepare_shared, _join, {**INVITED, "link use": 1}),
    _flow("join", _prepare_shared_for_learner, _join, {"grant live": 2, "enrollment": 2, "link use": 1}),
)
