"""The mails that somebody else can make us send: capped for each address, so that a form is no weapon (attack A79)."""

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from app import clock
from app.db import db, make_public_id
from app.mail.models import Message
from app.mail.services import queue_message

CAP_WINDOW = timedelta(days=1)


def queue_capped(*, key_prefix: str, template: str, to_address: str, data: dict[str, Any], per_day: int) -> bool:
    """Queue a mail unless its template went to this address per_day times within 24 hours; returns whether it did.

    Call it inside the transaction of its cause. The key is the prefix and a running number: of two callers that count
    at the same moment one gets the number, so the cap holds under concurrency as well.
    """
    session = db.session()
    mails = select(func.count(Message.id)).where(Message.to_address == to_address, Message.template == template)
    if session.scalars(mails.where(Message.created_at > clock.now() - CAP_WINDOW)).one() >= per_day:
        return False
    number = session.scalars(mails).one() + 1
    return queue_message(key=f"{key_prefix}:{number}", template=template, to_address=to_address, data=data)


def write_and_forget(*, to_address: str) -> None:
    """The same writes as a mail, with nothing left: an unknown address must cost the same time as a known one (A43).

    Call it inside transaction(); the commit then waits for the disk as the other branch does.
    """
    session = db.session()
    moment = clock.now()
    row = Message(
        key=make_public_id("none"), template="none", to_address=to_address, data={}, message_id=make_public_id("none"),
        created_at=moment, send_after=moment, failed_at=moment,
    )  # fmt: skip
    session.add(row)
    session.flush()
    session.delete(row)
