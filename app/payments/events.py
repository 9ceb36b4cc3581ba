"""The inbox: stores an event before the 2xx, hands out the ones that are due, keeps the outcome of each attempt."""

import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import and_, case, or_, select, update
from sqlalchemy.orm import Session

from app import clock
from app.audit import record_audit
from app.db import db, insert_once, retry_conflicts, transaction
from app.errors import AppError, InvalidInput, NotFound
from app.payments.models import StripeEvent
from app.payments.overdue import PATIENCE
from app.queue import send_after_commit

log = structlog.get_logger()

FIRST_DELAY_SECONDS = 5
LONGEST_DELAY = timedelta(hours=1)
# After this many tries (about a day) a person is needed; a redelivery arms it again.
LAST_ATTEMPT = 30


class AlreadyReplayed(AppError):
    """Somebody had the event handled again since the page was opened that asks for it."""

    code = "already_replayed"
    status = 409
    sentence = "Somebody else replayed this event a moment ago. It was not handled a second time."


class EventUnreadable(InvalidInput):
    """The body is signed but is no Event object."""

    code = "event_unreadable"
    sentence = "This body is not a Stripe event."


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedEvent:
    """What the inbox needs to know of a payload; everything else is read from Stripe later."""

    id: str
    type: str
    api_version: str | None
    livemode: bool
    object_id: str | None


def parse_event(payload: bytes) -> ParsedEvent:
    """Read a verified body. Raises EventUnreadable on anything that is not an Event object, in whatever way."""
    try:
        body = json.loads(payload.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_read_finite)
    except (ValueError, RecursionError) as error:
        raise EventUnreadable from error
    if not isinstance(body, dict):
        raise EventUnreadable
    event_id, event_type = body.get("id"), body.get("type")
    if not _is_short_text(event_id) or not _is_short_text(event_type):
        raise EventUnreadable
    data = body.get("data")
    stripe_object = data.get("object") if isinstance(data, dict) else None
    object_id = stripe_object.get("id") if isinstance(stripe_object, dict) else None
    api_version = body.get("api_version")
    return ParsedEvent(
        id=str(event_id),
        type=str(event_type),
        api_version=str(api_version)[:60] if _is_short_text(api_version) else None,
        livemode=body.get("livemode") is True,
        object_id=object_id if _is_short_text(object_id) else None,
    )


@retry_conflicts
def record_event(*, payload: bytes) -> None:
    """Store an event and wake a worker; returns only when the row is on disk, so a 2xx may follow.

    A redelivery of an event that is not handled yet arms it again; of a handled one, it changes nothing but a count.
    """
    event = parse_event(payload)
    moment = clock.now()
    with transaction() as session:
        values = {
            "id": event.id,
            "type": event.type,
            "api_version": event.api_version,
            "livemode": event.livemode,
            "object_id": event.object_id,
            "payload": payload.decode("utf-8"),
            "state": "received",
            "received_at": moment,
            "delivery_count": 1,
            "attempt_count": 0,
            "next_attempt_at": moment,
        }
        if insert_once(StripeEvent, values, unique=["id"]) is None:
            session.execute(
                update(StripeEvent)
                .where(StripeEvent.id == event.id)
                .values(delivery_count=StripeEvent.delivery_count + 1)
            )
            session.execute(
                update(StripeEvent)
                .where(StripeEvent.id == event.id, StripeEvent.state.in_(("received", "failed")))
                .values(
                    state="received",
                    next_attempt_at=moment,
                    # One that was given up has its tries ahead again, or its next one would be one too many.
                    attempt_count=case((StripeEvent.state == "failed", 0), else_=StripeEvent.attempt_count),
                )
            )
        send_after_commit("checkout.handle_event", event.id)
    log.info("event_stored", stripe_event=event.id, type=event.type)


def get_event_object(event: StripeEvent) -> dict[str, Any]:
    """The data.object of a stored event, {} where the payload has none (thin events) or was emptied."""
    body = json.loads(event.payload) if event.payload else {}
    data = body.get("data") if isinstance(body, dict) else None
    stripe_object = data.get("object") if isinstance(data, dict) else None
    return stripe_object if isinstance(stripe_object, dict) else {}


def list_due_event_ids() -> list[str]:
    """Events that wait for handling, oldest first."""
    query = (
        select(StripeEvent.id)
        .where(StripeEvent.state == "received", StripeEvent.next_attempt_at <= clock.now())
        .order_by(StripeEvent.received_at)
        .limit(500)
    )
    return list(db.session.scalars(query))


def get_event(event_id: str) -> StripeEvent:
    """One stored event as it is now. Raises NotFound."""
    event = db.session.get(StripeEvent, event_id, populate_existing=True)
    if event is None:
        raise NotFound(f"The inbox has no event {event_id[:80]}.")
    return event


def list_events(*, state: str | None = None, limit: int = 50) -> list[StripeEvent]:
    """Stored events, newest first; only those in a state where one is given."""
    query = select(StripeEvent).order_by(StripeEvent.received_at.desc(), StripeEvent.id).limit(limit)
    return list(db.session.scalars(query if state is None else query.where(StripeEvent.state == state)))


def list_unhandled_event_ids(object_ids: Collection[str]) -> list[str]:
    """Events about these Stripe objects that nobody has handled, oldest first."""
    query = (
        select(StripeEvent.id)
        .where(StripeEvent.object_id.in_(object_ids), StripeEvent.state.in_(("received", "failed")))
        .order_by(StripeEvent.received_at, StripeEvent.id)
    )
    return list(db.session.scalars(query))


@retry_conflicts
def arm_event(event_id: str, *, replay_count: int | None = None) -> None:
    """Make an event due now with all its tries ahead, whatever became of it before; the audit log says who did.

    replay_count: what the page showed that a person looked at; of two people who saw the same, one is let through.
    Raises NotFound, AlreadyReplayed.
    """
    with transaction() as session:
        event = _claim_replay(session, event_id, replay_count, state_after="received")
        event.state, event.attempt_count, event.handled_at, event.error = "received", 0, None, None
        event.next_attempt_at = clock.now()


@retry_conflicts
def claim_replay(event_id: str, *, replay_count: int | None) -> None:
    """Note that a person replays an event whose payload was emptied; its state stays. As arm_event() for the rest."""
    with transaction() as session:
        event = _claim_replay(session, event_id, replay_count, state_after=None)
        log.info("event_replayed", stripe_event=event.id)


def _claim_replay(session: Session, event_id: str, replay_count: int | None, *, state_after: str | None) -> StripeEvent:
    event = session.get(StripeEvent, event_id, with_for_update=True, populate_existing=True)
    if event is None:
        raise NotFound(f"The inbox has no event {event_id[:80]}.")
    if replay_count is not None and event.replay_count != replay_count:
        raise AlreadyReplayed
    event.replay_count += 1
    record_audit(
        action="event.replayed",
        subject_type="event",
        subject_id=event_id,
        before={"state": event.state},
        after={"state": state_after or event.state},
    )
    return event


@retry_conflicts
def arm_failed_events(limit: int = 500) -> int:
    """Make every event that was given up due now, oldest first; returns how many. A worker handles them.

    Of two people who ask at once, each event is one's: the other's count is the rest, or 0.
    """
    with transaction() as session:
        failed = select(StripeEvent.id).where(StripeEvent.state == "failed").order_by(StripeEvent.received_at)
        armed = session.scalars(
            update(StripeEvent)
            .where(StripeEvent.id.in_(failed.limit(limit).scalar_subquery()), StripeEvent.state == "failed")
            .values(
                state="received",
                attempt_count=0,
                next_attempt_at=clock.now(),
                replay_count=StripeEvent.replay_count + 1,
            )
            .returning(StripeEvent.id)
        ).all()
        for event_id in armed:
            record_audit(
                action="event.replayed",
                subject_type="event",
                subject_id=event_id,
                before={"state": "failed"},
                after={"state": "received"},
            )
            send_after_commit("checkout.handle_event", event_id)
    return len(armed)


@retry_conflicts
def retry_events(limit: int = 100) -> int:
    """Make the events that failed, or wait for long, due now with all their tries ahead; returns how many.

    A worker handles them. Any number of times, also at once: an event is handled once.
    """
    moment = clock.now()
    is_stuck = or_(
        StripeEvent.state == "failed",
        and_(StripeEvent.state == "received", StripeEvent.received_at < moment - PATIENCE),
    )
    with transaction() as session:
        stuck = select(StripeEvent.id, StripeEvent.state).where(is_stuck).order_by(StripeEvent.received_at).limit(limit)
        before = {row.id: row.state for row in session.execute(stuck)}
        armed = session.scalars(
            update(StripeEvent)
            .where(StripeEvent.id.in_(before), is_stuck)
            .values(state="received", attempt_count=0, next_attempt_at=moment)
            .returning(StripeEvent.id)
        ).all()
        for event_id in armed:
            record_audit(
                action="event.retried",
                subject_type="event",
                subject_id=event_id,
                before={"state": before[event_id]},
                after={"state": "received"},
            )
            send_after_commit("checkout.handle_event", event_id)
    return len(armed)


@retry_conflicts
def claim_event(event_id: str) -> StripeEvent | None:
    """Take an event that is due for one try, or None. The next try is set first, each wait twice the one before.

    So a worker that is killed, or an event that makes its handler crash, delays only itself (F15, F21, F23).
    """
    moment = clock.now()
    with transaction() as session:
        attempt_count = session.execute(
            update(StripeEvent)
            .where(StripeEvent.id == event_id, StripeEvent.state == "received", StripeEvent.next_attempt_at <= moment)
            .values(attempt_count=StripeEvent.attempt_count + 1)
            .returning(StripeEvent.attempt_count)
        ).scalar_one_or_none()
        if attempt_count is None:
            return None
        event = session.get_one(StripeEvent, event_id, populate_existing=True)
        if attempt_count > LAST_ATTEMPT:
            event.state = "failed"
            log.error("event_failed", stripe_event=event_id, type=event.type, attempts=attempt_count)
            return None
        delay = timedelta(seconds=FIRST_DELAY_SECONDS * 2 ** min(attempt_count - 1, 12))
        event.next_attempt_at = moment + min(delay, LONGEST_DELAY)
        return event


@retry_conflicts
def mark_event(event_id: str, *, state: str) -> None:
    """Write the outcome of an event: "handled" or "ignored"."""
    with transaction() as session:
        session.execute(
            update(StripeEvent)
            .where(StripeEvent.id == event_id, StripeEvent.state == "received")
            .values(state=state, handled_at=clock.now(), error=None)
        )


@retry_conflicts
def note_event_error(event_id: str, *, error: str) -> None:
    """Keep why the last try failed; the event stays due."""
    with transaction() as session:
        session.execute(update(StripeEvent).where(StripeEvent.id == event_id).values(error=error[:500]))
    log.warning("event_postponed", stripe_event=event_id, error=error[:200])


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _read_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number beyond every bound")
    return value


def _is_short_text(value: object) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= 255 or "\x00" in value:  # noqa: PLR2004 - Stripe's longest id
        return False
    return value.isprintable()
