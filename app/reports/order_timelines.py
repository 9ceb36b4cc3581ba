"""What happened to an order, newest first: typed events, each with who did it and why. For the back-office only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from app.accounts.models import User
from app.audit import AuditEntry
from app.blog.models import Post
from app.catalog.models import Lesson
from app.checkout.models import (
    CheckoutAttempt,
    Finding,
    LedgerEntry,
    Order,
    OrderConsent,
    OrderNote,
    RefundRequest,
    TouchPoint,
)
from app.checkout.move_models import OrderMove
from app.checkout.refund_plans import OrderSeat
from app.checkout.withdrawal_models import WithdrawalRequest
from app.db import db
from app.enrollment.models import Enrollment
from app.formatting import date_long, money
from app.mail.models import Message

TEAM_NOTE = "note"
MOST_MAILS = 200
# Sentence, icon and color of each kind of entry; {amount} is its money.
MONEY_EVENTS = {
    "payment": ("{amount} paid{method}", "card", "ok"),
    "refund": ("{amount} refunded{who}", "undo", "info"),
    "refund_failed": ("The refund of {amount} failed and came back", "warning", "bad"),
    "dispute_opened": ("The buyer’s bank disputes {amount}", "warning", "bad"),
    "dispute_withdrawn": ("The bank took {amount}", "minus", "bad"),
    "dispute_reinstated": ("The bank gave {amount} back", "plus", "ok"),
    "dispute_won": ("The dispute was won", "circle-check", "ok"),
    "dispute_lost": ("The dispute was lost", "x", "bad"),
}
NOTE_EVENTS = {
    "inquiry": ("The buyer’s bank asks about the payment", "info", "warn"),
    "failed": ("The payment failed", "x", "bad"),
    "expired": ("The checkout ended without a payment", "clock", ""),
}
# What staff did, from the audit log. Refunds and notes are told from their own rows.
AUDIT_EVENTS = {
    "order.receipt_resent": ("Receipt sent again{who}", "send", ""),
    "order.claim_link_resent": ("Claim link sent again{who}", "send", ""),
    "order.move_requested": ("Move to {to} begun{who}", "arrow-right", "info"),
    "order.move_withdrawn": ("Move to {to} withdrawn{who}", "undo", ""),
    "order.moved": ("Moved to {to}", "arrow-right", "ok"),
    "order.move_undone": ("Move undone{who}", "undo", "info"),
    "order.fetched": ("Fetched from Stripe{who}", "download", ""),
    "finding.dismissed": ("Marked as resolved{who}", "circle-check", "ok"),
}
WITHDRAWAL_WORDS = {
    "in_time": "Within the period",
    "late": "After the period had ended",
    "waived": "The right ended when the course opened, as agreed at checkout",
}
REFUND_WORDS = {
    "none": "Nothing goes back by itself",
    "by_hand": "A person decides about the refund",
    "due": "The refund is asked for now",
    "asked": "The refund was asked for by the shop itself",
    "not_possible": "There was nothing the shop could refund",
}
MAIL_WORDS = {
    "receipt": "Receipt",
    "claim_seat": "Claim link",
    "gift_seat": "Gift",
    "order_refunded": "Refund notice",
    "refund_failed": "Notice of the failed refund",
    "order_returned": "Notice that the money goes back",
    "payment_failed": "Notice of the failed payment",
    "seat_lost": "Notice of the closed seat",
    "order_move": "Link to take the purchase over",
    "order_moved": "Notice of the move",
    "withdrawal": "Acknowledgment of the withdrawal",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TimelineEvent:
    """One thing that happened; at is UTC, detail says why or what else, kind is stable."""

    kind: str
    sentence: str
    at: datetime
    detail: str = ""
    icon: str = "circle"
    color: str = ""


def list_events(order: Order, *, seats: Sequence[OrderSeat]) -> list[TimelineEvent]:
    """Everything known about the order, newest first; its entries and attempts are loaded.

    Stripe tells whole seconds: of one second, what was written later comes first.
    """
    names = _Names()
    found = [
        _begun(order),
        *_list_attempts(order.attempts),
        *_list_consents(order.id),
        *_list_money(order, names),
        *_list_notes(order.id, names),
        *_list_findings(order.id),
        *_list_seats(seats),
        *_list_lessons(seats),
        *_list_mails(order, seats),
        *_list_deeds(order, names),
        *_list_withdrawals(order.id),
    ]
    return sorted(found, key=lambda event: event.at.replace(microsecond=0))[::-1]


class _Names:
    """Names of people by id, each asked for once."""

    def __init__(self) -> None:
        self._known: dict[int | str, str] = {}

    def of(self, key: int | str | None) -> str:
        """The name behind an account's key or public id, "" for nobody."""
        if not key:
            return ""
        if key not in self._known:
            condition = User.id == key if isinstance(key, int) else User.public_id == key
            row = db.session.execute(select(User.name, User.email).where(condition)).one_or_none()
            self._known[key] = "" if row is None else row.name or row.email
        return self._known[key]


def _by(name: str) -> str:
    return f" by {name}" if name else ""


def _begun(order: Order) -> TimelineEvent:
    title = db.session.scalar(
        select(Post.title)
        .join(TouchPoint, TouchPoint.post_id == Post.id)
        .where(TouchPoint.order_id == order.id)
        .order_by(TouchPoint.position.desc())
        .limit(1)
    )
    detail = f"From the post “{title}”" if title else ""
    return TimelineEvent(kind="created", sentence="Checkout started", at=order.created_at, detail=detail, icon="bag")


def _list_attempts(attempts: Iterable[CheckoutAttempt]) -> list[TimelineEvent]:
    return [
        TimelineEvent(
            kind="attempt", sentence="Payment page opened anew", at=each.created_at, detail=f"Try {each.number}",
            icon="refresh",
        )
        for each in attempts
        if each.number > 1
    ]  # fmt: skip


def _list_consents(order_id: int) -> list[TimelineEvent]:
    rows = db.session.scalars(select(OrderConsent).where(OrderConsent.order_id == order_id).order_by(OrderConsent.id))
    return [
        TimelineEvent(kind="consent", sentence="Agreed by the buyer", at=each.given_at, detail=each.text, icon="check")
        for each in rows
    ]


def _list_money(order: Order, names: _Names) -> list[TimelineEvent]:
    requests = {
        each.id: each for each in db.session.scalars(select(RefundRequest).where(RefundRequest.order_id == order.id))
    }
    told = {entry.refund_request_id for entry in order.entries}
    events = [
        _tell_entry(order, entry, requests.get(entry.refund_request_id or 0), names)
        for entry in sorted(order.entries, key=lambda each: each.id)
        if entry.kind in MONEY_EVENTS
    ]
    for each in requests.values():
        if each.id not in told:
            amount = money(each.amount, each.currency)
            who = _by(names.of(each.requested_by_id))
            sentence = f"Stripe refused the refund of {amount}" if each.error else f"Refund of {amount} asked for{who}"
            detail = each.reason if each.error else f"{each.reason}. Stripe hasn’t answered yet; it’s tried again."
            color = "bad" if each.error else "warn"
            events.append(
                TimelineEvent(
                    kind="refund_waiting", sentence=sentence, at=each.created_at, detail=detail, icon="undo",
                    color=color,
                )
            )  # fmt: skip
    return events


def _tell_entry(order: Order, entry: LedgerEntry, request: RefundRequest | None, names: _Names) -> TimelineEvent:
    sentence, icon, color = MONEY_EVENTS[entry.kind]
    who = names.of(request.requested_by_id) if request is not None else ""
    origin = _by(who) or _name_origin(request)
    method = f" with {order.payment_method_label}" if order.payment_method_label and entry.amount else ""
    if entry.kind == "payment" and not entry.amount:
        sentence = "Nothing to pay"
    details = [f"Reason: {request.reason}"] if request is not None and request.reason else []
    if entry.kind == "refund" and not any(
        other.kind == "refund_failed" and other.stripe_object_id == entry.stripe_object_id for other in order.entries
    ):
        details.append("Arrives in 5–10 days")
    return TimelineEvent(
        kind=entry.kind,
        sentence=sentence.format(amount=money(entry.amount, entry.currency), who=origin, method=method),
        # Stripe gives a verdict no time of its own.
        at=entry.recorded_at if entry.kind in {"dispute_won", "dispute_lost"} else entry.occurred_at,
        detail=". ".join(details),
        icon=icon,
        color=color,
    )


def _name_origin(request: RefundRequest | None) -> str:
    """Where a refund came from that no person of ours asked for in the back-office."""
    if request is None:
        return " in Stripe’s dashboard"
    return " from the command line" if request.request_key.startswith("cli:") else " by the shop itself"


def _list_notes(order_id: int, names: _Names) -> list[TimelineEvent]:
    events = []
    for note in db.session.scalars(select(OrderNote).where(OrderNote.order_id == order_id).order_by(OrderNote.id)):
        if note.kind == TEAM_NOTE:
            who = names.of(note.actor_id)
            sentence = f"Note from {who}" if who else "Note"
            events.append(
                TimelineEvent(
                    kind=TEAM_NOTE, sentence=sentence, at=note.created_at, detail=note.text, icon="pencil", color="note"
                )
            )
        elif note.kind in NOTE_EVENTS:
            sentence, icon, color = NOTE_EVENTS[note.kind]
            detail = note.text if note.text != note.kind else ""
            events.append(
                TimelineEvent(
                    kind=note.kind, sentence=sentence, at=note.created_at, detail=detail, icon=icon, color=color
                )
            )
    return events


def _list_findings(order_id: int) -> list[TimelineEvent]:
    events = []
    for each in db.session.scalars(select(Finding).where(Finding.order_id == order_id).order_by(Finding.id)):
        events.append(
            TimelineEvent(
                kind="finding", sentence="Needs a person", at=each.created_at, detail=each.detail, icon="warning",
                color="warn",
            )
        )  # fmt: skip
        if each.resolved_at is not None:
            events.append(
                TimelineEvent(
                    kind="resolved", sentence="No longer needs a person", at=each.resolved_at,
                    detail=each.resolution or "", icon="circle-check", color="ok",
                )
            )  # fmt: skip
    return events


def _list_seats(seats: Sequence[OrderSeat]) -> list[TimelineEvent]:
    is_one = len(seats) == 1
    return [
        TimelineEvent(
            kind="claimed",
            sentence="Access opened" if is_one else f"Seat {each.number} taken",
            at=each.seat.claimed_at,
            detail=f"For {each.holder}" if each.holder else "",
            icon="check",
            color="ok",
        )
        for each in seats
        if each.seat.claimed_at is not None
    ]


def _list_lessons(seats: Sequence[OrderSeat]) -> list[TimelineEvent]:
    pairs = {
        (each.seat.claimed_by_id, course["course_id"]): each
        for each in seats
        if each.seat.claimed_by_id is not None
        for course in each.seat.courses
    }
    rows = db.session.execute(
        select(Enrollment.user_id, Enrollment.course_id, Enrollment.last_opened_at, Lesson.title)
        .outerjoin(Lesson, Lesson.id == Enrollment.last_lesson_id)
        .where(Enrollment.user_id.in_({user_id for user_id, _ in pairs}), Enrollment.last_opened_at.is_not(None))
    )
    events = []
    for user_id, course_id, opened_at, title in rows.all():
        each = pairs.get((user_id, course_id))
        if each is not None and opened_at is not None:
            detail = title or ""
            if len(seats) > 1:
                detail = f"{detail}, {each.holder}".lstrip(", ")
            events.append(
                TimelineEvent(
                    kind="lesson", sentence="Last lesson opened", at=opened_at, detail=detail, icon="book", color="info"
                )
            )
    return events


def list_messages(order: Order, *, seats: Sequence[OrderSeat]) -> list[Message]:
    """The mails whose key names the order, one of its seats or its money, oldest first; found by their addresses."""
    names = [order.public_id, *(each.seat.public_id for each in seats)]
    names += [entry.stripe_object_id for entry in order.entries]
    moves = db.session.execute(
        select(OrderMove.public_id, OrderMove.to_email, OrderMove.before).where(OrderMove.order_id == order.id)
    ).all()
    addresses = {order.email, *(each.holder for each in seats), *(each.seat.invited_email for each in seats)}
    for _, to_email, before in moves:
        addresses |= {to_email, before.get("email")}
    rows = db.session.scalars(
        select(Message)
        .where(Message.to_address.in_(sorted(each for each in addresses if each)))
        .where(or_(*(Message.key.contains(name, autoescape=True) for name in dict.fromkeys(names))))
        .order_by(Message.id.desc())
        .limit(MOST_MAILS)
    )
    return list(rows)[::-1]


def _list_mails(order: Order, seats: Sequence[OrderSeat]) -> list[TimelineEvent]:
    events = []
    for mail in list_messages(order, seats=seats):
        what = MAIL_WORDS.get(mail.template, "Mail")
        if mail.failed_at is not None:
            sentence, color, detail = f"{what} could not be sent to {mail.to_address}", "bad", mail.error or ""
        elif mail.sent_at is not None:
            sentence, color, detail = f"{what} sent to {mail.to_address}", "ok", ""
        elif mail.send_after > mail.created_at:
            sentence, color = f"{what} waits for {mail.to_address}", "warn"
            detail = f"Goes out on {date_long(mail.send_after)}" if mail.send_after.year < 9999 else "Held back"  # noqa: PLR2004 - HELD
        else:
            sentence, color, detail = f"{what} is on its way to {mail.to_address}", "warn", mail.error or ""
        at = mail.failed_at or mail.sent_at or mail.created_at
        events.append(TimelineEvent(kind="mail", sentence=sentence, at=at, detail=detail, icon="mail", color=color))
    return events


def _list_withdrawals(order_id: int) -> list[TimelineEvent]:
    rows = db.session.scalars(select(WithdrawalRequest).where(WithdrawalRequest.order_id == order_id))
    return [
        TimelineEvent(
            kind="withdrawal",
            sentence="Withdrawn from the contract by the buyer",
            at=each.created_at,
            detail=f"{WITHDRAWAL_WORDS[each.verdict]}. {REFUND_WORDS[each.refund_state]}",
            icon="undo",
            color="warn",
        )
        for each in rows
    ]


def _list_deeds(order: Order, names: _Names) -> list[TimelineEvent]:
    rows = db.session.scalars(
        select(AuditEntry)
        .where(AuditEntry.subject_type == "order", AuditEntry.subject_id == order.public_id)
        .where(AuditEntry.action.in_(AUDIT_EVENTS))
        .order_by(AuditEntry.id)
    )
    events = []
    for each in rows:
        sentence, icon, color = AUDIT_EVENTS[each.action]
        values: Mapping[str, object] = each.after or each.before or {}
        who = _by(names.of(each.actor_id) if each.actor_kind == "user" else "")
        events.append(
            TimelineEvent(
                kind=each.action.partition(".")[2],
                sentence=sentence.format(who=who, to=values.get("to") or values.get("email") or "another address"),
                at=each.created_at,
                detail=each.reason,
                icon=icon,
                color=color,
            )
        )
    return events
