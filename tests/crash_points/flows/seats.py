"""The mails of an order, and the seat that one of them gives out."""

import re
from datetime import timedelta
from email import message_from_bytes, policy

from app import clock
from app.mail.services import list_due_message_ids
from app.queue import run_task
from tests.crash_points.flows.flow import (
    COMPLETED,
    Flow,
    begin_and_pay,
    buy,
    leave_to_worker,
    make_offer,
    store_event,
    take_tasks,
)
from tests.crash_points.flows.settling import OPEN, PAID
from tests.crash_points.scene import Facts, Scene

GIFT_DAYS = 3
# After the hour of that day at which gifts go out, whatever hour it is now.
GIFT_MINUTES = (GIFT_DAYS * 24 + 10) * 60
CLAIM_PATH = re.compile(r"/seats/claim/[\w.\-]+")


def _prepare_claim(scene: Scene) -> Facts:
    facts = buy(scene, make_offer(scene))
    letters = (
        message_from_bytes(path.read_bytes(), policy=policy.default) for path in scene.world.letters.glob("*.eml")
    )
    texts = [body.get_content() for letter in letters if (body := letter.get_body(("plain",))) is not None]
    [path] = {found for text in texts for found in CLAIM_PATH.findall(text)}
    return {**facts, "claim_path": path}


def _claim(scene: Scene, facts: Facts) -> None:
    answer = scene.request("POST", facts["claim_path"])
    # 409 says that the course is in the account already, which is where the person wants it.
    assert answer.status in {303, 409}, answer


def _claim_again(scene: Scene, facts: Facts) -> None:
    if not scene.noted("answer"):
        _claim(scene, facts)


def _prepare_mails(scene: Scene) -> Facts:
    """The receipt and the claim link, queued and not sent."""
    facts = store_event(scene, begin_and_pay(scene, make_offer(scene)), COMPLETED)
    scene.take_one()
    return facts


def _prepare_gift(scene: Scene) -> Facts:
    """A gift was paid three days ago, and all that was to do until its day has been done."""
    facts = make_offer(scene)
    day = clock.now() + timedelta(days=GIFT_DAYS)
    gift = {"purpose": "gift", "recipient_email": "friend@example.org", "gift_on": day.date().isoformat()}
    facts["form"] |= {**gift, "giver_name": "Maya", "gift_message": "Enjoy!"}
    bought = buy(scene, facts)
    scene.advance(days=GIFT_DAYS - 1)
    scene.work()
    return bought


def _send_due(scene: Scene, _facts: Facts) -> None:
    """The worker's sweep of the outbox; the day's other work has flows of its own."""
    with scene.app.app_context():
        for message_id in list_due_message_ids():
            run_task("mail.deliver_message", [message_id])


FLOWS = (
    Flow(
        name="gift-day",
        prepare=_prepare_gift,
        act=_send_due,
        resume=leave_to_worker,
        promise={**PAID, "mail gift_seat": 1, "seat active free": 1},
        starts_after_minutes=GIFT_MINUTES,
    ),
    Flow(
        name="claim",
        prepare=_prepare_claim,
        act=_claim,
        resume=_claim_again,
        promise={**PAID, **OPEN, "account": 1},
    ),
    Flow(
        name="mail",
        prepare=_prepare_mails,
        act=take_tasks,
        resume=leave_to_worker,
        promise={**PAID, "mail claim_seat": 1},
    ),
    Flow(
        name="mail-file",
        prepare=_prepare_mails,
        act=take_tasks,
        resume=leave_to_worker,
        promise={**PAID, "mail claim_seat": 1},
        settings={"mail_url": None},
    ),
)
