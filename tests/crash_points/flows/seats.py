"""The mails of an order, and the seat that one of them gives out."""

import re
from email import message_from_bytes, policy

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


FLOWS = (
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
