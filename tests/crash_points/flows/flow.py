"""What a flow is, and the steps that several flows begin or end with."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.accounts.models import User
from app.accounts.sessions import sign_in
from tests.crash_points.scene import NAVIGATION, Answer, Facts, Scene, find_session_id
from tests.factories import get_price, make_course, make_user

MOST_CLICKS = 4
COMPLETED = "checkout.session.completed"


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One use of the shop. Each part runs in a process of its own; facts and notes are all that they share.

    prepare: what was there before. act: the part that is killed; its first moment is starts_after_minutes later.
    resume: what people and Stripe do next, by the facts and by what the dead process told them; the worker works then
    by itself, and healed_after_minutes later everything must be right. promise: how many of these the undisturbed run
    must end with. may_vanish: what of that the dead process need not have left. settings: the shop's, where they differ.
    """

    name: str
    prepare: Callable[[Scene], Facts]
    act: Callable[[Scene, Facts], None]
    resume: Callable[[Scene, Facts], None]
    promise: Mapping[str, int]
    starts_after_minutes: float = 0
    healed_after_minutes: float = 9  # less than the reconciler waits: it must not hide what an event lost
    may_vanish: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def breaks_promise(self, counted: Counter[str]) -> list[str]:
        """What the undisturbed run lacks."""
        return [
            f"{name}: {counted[name]} instead of {wanted}"
            for name, wanted in self.promise.items()
            if counted[name] != wanted
        ]


def make_offer(scene: Scene, **course: Any) -> Facts:
    """A course for sale."""
    with scene.app.app_context():
        made = make_course(**course)
        return {"form": {"price_id": get_price(made).public_id}, "course_id": made.id}


def make_signed_in(scene: Scene) -> tuple[User, str]:
    """A learner, and the cookie of a browser that is signed in."""
    with scene.app.app_context():
        user = make_user()
    with scene.app.test_request_context("/"):
        sign_in(user)
        response = scene.app.process_response(scene.app.make_response(""))
        return user, response.headers["Set-Cookie"].partition("=")[2].partition(";")[0]


def press_enroll(scene: Scene, form: Facts, *, cookie: str = "") -> Answer:
    """Send the form as a browser does: its first purchase is sent around once for a cookie."""
    answer = scene.request("POST", "/checkout", data=form, cookie=cookie, headers=NAVIGATION)
    if answer.status == 307:
        answer = scene.request("POST", answer.location, data=form, cookie=answer.cookie, headers=NAVIGATION)
    return answer


def press_until_answered(scene: Scene, form: Facts, *, cookie: str = "") -> str:
    """The address that this browser was sent to: by a click that was answered, else by the next that is.

    A browser keeps the cookie it got. While Stripe still works on the dead click's call, ours asks to try again.
    """
    for _ in range(MOST_CLICKS):
        answers = [note for note in scene.noted("answer") if note["path"].startswith("/checkout")]
        done = [note["location"] for note in answers if note["status"] == 303]
        if done:
            return done[-1]
        cookie = answers[-1]["cookie"] if answers else cookie
        scene.advance(seconds=30)
        press_enroll(scene, form, cookie=cookie)
    raise AssertionError(f"no click was answered: {scene.noted('answer')}")


def begin_and_pay(scene: Scene, facts: Facts, *, cookie: str = "", **paying: Any) -> Facts:
    """A checkout begun and paid, of which the shop has not heard: session_id, payment_id and the browser's cookie."""
    answer = press_enroll(scene, facts["form"], cookie=cookie)
    assert answer.status == 303, answer
    session_id = find_session_id(answer.location)
    paid = scene.control(f"/pay/{session_id}", **paying)
    return {**facts, "session_id": session_id, "payment_id": paid["payment_intent"], "cookie": answer.cookie}


def buy(scene: Scene, facts: Facts, *, cookie: str = "", **paying: Any) -> Facts:
    """A checkout begun, paid and settled, with its mails sent; the events so far are remembered as old."""
    facts = begin_and_pay(scene, facts, cookie=cookie, **paying)
    scene.deliver_all()
    return {**facts, "old_events": [event["id"] for event in scene.events()]}


def store_event(scene: Scene, facts: Facts, *types: str) -> Facts:
    """Stripe delivers the first new event of these types; its task waits in the queue. All others are lost."""
    old = facts.get("old_events", [])
    event = next(each for each in scene.events(*types) if each["id"] not in old)
    assert scene.deliver(event) == 200
    return {**facts, "event_id": event["id"]}


def take_task(scene: Scene, _facts: Facts) -> None:
    """The worker takes the next task."""
    scene.take_one()


def take_tasks(scene: Scene, _facts: Facts) -> None:
    """The worker takes tasks until none is left."""
    scene.drain_queue()


def leave_to_worker(scene: Scene, facts: Facts) -> None:
    """Nobody does anything: the worker has to find it."""
