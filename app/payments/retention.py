"""Old payloads are emptied; an event's id, type and times stay for good, so a redelivery never has an effect (F11)."""

from datetime import timedelta

import structlog
from sqlalchemy import select, update

from app import clock
from app.db import db, retry_conflicts, transaction
from app.payments.models import HAS_PAYLOAD, StripeEvent

log = structlog.get_logger()

# Stripe redelivers for three days and lists events for thirty; what a payload says is never believed anyway.
PAYLOADS_KEPT_FOR = timedelta(days=90)
BATCH = 500
ENDED_STATES = ("handled", "ignored")


def list_old_payload_ids(limit: int = 1) -> list[str]:
    """Events whose payload nobody needs any more, oldest first. One is enough to know that there is work."""
    query = (
        select(StripeEvent.id)
        .where(HAS_PAYLOAD, StripeEvent.state.in_(ENDED_STATES))
        .where(StripeEvent.received_at < clock.now() - PAYLOADS_KEPT_FOR)
        .order_by(StripeEvent.received_at)
        .limit(limit)
    )
    return list(db.session.scalars(query))


@retry_conflicts
def empty_old_payloads() -> int:
    """Empty a small batch of old payloads; returns how many. Two at once share the work."""
    with transaction() as session:
        emptied = session.scalars(
            update(StripeEvent)
            .where(StripeEvent.id.in_(list_old_payload_ids(BATCH)), HAS_PAYLOAD, StripeEvent.state.in_(ENDED_STATES))
            .values(payload="")
            .returning(StripeEvent.id)
        ).all()
    log.info("payloads_emptied", count=len(emptied))
    return len(emptied)
