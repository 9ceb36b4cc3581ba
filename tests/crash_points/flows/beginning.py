"""Pressing Enroll: one order and one payable session, however often it is pressed, and nothing kept of what was given up."""

from collections.abc import Callable
from typing import Any

from app.catalog.promotion_codes import create_code
from tests.crash_points.flows.flow import Flow, make_offer, make_signed_in, press_enroll, press_until_answered
from tests.crash_points.scene import Facts, Scene, find_session_id

BOUGHT = {"order paid": 1, "order with a number": 1, "mail receipt": 1}

TEAM = {"quantity": "3", "purpose": "team", "takes_seat": "1"}


def _prepare_guest(scene: Scene) -> Facts:
    return make_offer(scene)


def _prepare_learner(scene: Scene) -> Facts:
    facts = make_offer(scene)
    return {**facts, "cookie": make_signed_in(scene)[1]}


def _prepare_free(scene: Scene) -> Facts:
    facts = make_offer(scene, unit_amount=0)
    return {**facts, "form": {**facts["form"], "email": "free@example.org"}}


def _prepare_last_seat(scene: Scene) -> Facts:
    """One seat is left, and one use of a code."""
    return _with_code(scene, make_offer(scene, capacity=1), percent_off=20, max_redemptions=1)


def _prepare_code(scene: Scene) -> Facts:
    return _with_code(scene, make_offer(scene), amount_off=1700, currency="usd", max_redemptions=1)


def _prepare_free_by_code(scene: Scene) -> Facts:
    facts = _with_code(scene, make_offer(scene), percent_off=100, per_customer_limit=1)
    return {**facts, "form": {**facts["form"], "email": "free@example.org"}}


def _prepare_team(scene: Scene) -> Facts:
    facts = make_offer(scene, capacity=3)
    return {**facts, "form": {**facts["form"], **TEAM}}


def _prepare_gift(scene: Scene) -> Facts:
    facts = make_offer(scene)
    gift = {"purpose": "gift", "recipient_email": "friend@example.org", "giver_name": "Maya", "gift_message": "Enjoy!"}
    return {**facts, "form": {**facts["form"], **gift}}


def _prepare_other_choice(scene: Scene) -> Facts:
    """One seat was chosen, its session is open; then three are."""
    facts = make_offer(scene, capacity=3)
    cookie = press_enroll(scene, facts["form"]).cookie
    return {**facts, "form": {**facts["form"], **TEAM}, "cookie": cookie}


def _with_code(scene: Scene, facts: Facts, **terms: Any) -> Facts:
    with scene.app.app_context():
        create_code("LAUNCH", **terms)
    return {**facts, "form": {**facts["form"], "code": "LAUNCH"}}


def _press(scene: Scene, facts: Facts) -> None:
    press_enroll(scene, facts["form"], cookie=facts.get("cookie", ""))


def _press_again_and_pay(scene: Scene, facts: Facts) -> None:
    url = press_until_answered(scene, facts["form"], cookie=facts.get("cookie", ""))
    scene.control(f"/pay/{find_session_id(url)}", email="buyer@example.org")
    scene.deliver_all()


def _press_again(scene: Scene, facts: Facts) -> None:
    press_until_answered(scene, facts["form"], cookie=facts.get("cookie", ""))


def _give_up_and_let_another_buy(scene: Scene, facts: Facts) -> None:
    """Whatever was opened ends at Stripe unseen, no event comes; two hours later the seat must be free again."""
    for session in scene.stripe("/v1/checkout/sessions?limit=100")["data"]:
        scene.stripe(f"/v1/checkout/sessions/{session['id']}/expire", form="")
    scene.advance(hours=2)
    scene.work()
    scene.notes.clear()
    _press_again_and_pay(scene, facts)


def _begin(name: str, prepare: Callable[[Scene], Facts], **promise: int) -> Flow:
    """Enroll, press again if need be, pay."""
    return Flow(
        name=f"begin-{name}",
        prepare=prepare,
        act=_press,
        resume=_press_again_and_pay,
        promise={**BOUGHT, "session complete paid": 1, **{key.replace("_", " "): promise[key] for key in promise}},
    )


FLOWS = (
    _begin("guest", _prepare_guest, seat_active_free=1, seats_taken=1),
    _begin("learner", _prepare_learner, grant_live=1, enrollment=1, account=1, seats_taken=1),
    _begin("code", _prepare_code, charge_8000_usd=1, redemption_redeemed=1, code_uses=1),
    _begin("team", _prepare_team, charge_29100_usd=1, seat_active_free=3, seats_taken=3),
    _begin("gift", _prepare_gift, charge_9700_usd=1, seat_active_free=1),
    _begin("other-choice", _prepare_other_choice, order_expired=1, charge_29100_usd=1, seats_taken=3),
    Flow(
        name="begin-free",
        prepare=_prepare_free,
        act=_press,
        resume=_press_again,
        promise={**BOUGHT, "mail claim_seat": 1, "seat active free": 1},
    ),
    Flow(
        name="begin-free-by-code",
        prepare=_prepare_free_by_code,
        act=_press,
        resume=_press_again,
        promise={**BOUGHT, "mail claim_seat": 1, "redemption redeemed": 1, "code uses": 1},
    ),
    Flow(
        name="begin-given-up",
        prepare=_prepare_last_seat,
        act=_press,
        resume=_give_up_and_let_another_buy,
        promise={**BOUGHT, "order expired": 1, "seats taken": 1, "redemption released": 1, "code uses": 1},
        may_vanish=frozenset({"order expired", "note expired", "redemption released"}),
    ),
)
