"""Which verdict the strands of a course add up to, and its sentence. Pure: the facts are read already."""

from collections.abc import Sequence
from datetime import datetime

from app.checkout.ledger import sum_entries
from app.formatting import date_long, mask_email, money
from app.reports.access_chain import LATE_PAYMENT, LONGEST_BANK_DAYS, UNPAID_STATES, find_review
from app.reports.access_facts import Facts
from app.reports.access_mails import is_scheduled
from app.reports.access_shape import AccessVerdict, Fix
from app.reports.access_strands import Strand, is_live
from app.reports.access_words import CLOSED_ACCOUNT, MEMBERSHIP, NEAR, NOTHING, RANKS, VERDICTS

UNPAID_CODES = {"pending": "unpaid", "processing": "processing", "failed": "failed", "expired": "expired"}
ENDED_CODES = {"lost": "dispute_lost", "refunded": "refunded", "disputed": "disputed"}


def judge(strands: Sequence[Strand]) -> tuple[str, Strand | None]:
    """The code of the verdict and the strand that decides it: the one nearest to an open course, of ended ones the
    newest; ("nothing", None) without any."""
    found = [(judge_strand(strand), strand) for strand in strands]
    if not found:
        return NOTHING, None
    near = [each for each in found if each[0] in NEAR]
    if near:
        return min(near, key=lambda each: (RANKS[each[0]], -each[1].begun_at.timestamp()))
    return max(found, key=lambda each: each[1].begun_at)


def judge_strand(strand: Strand) -> str:
    """The code that this strand alone would give."""
    if is_open(strand):
        return "open"
    if strand.order is None:
        return _judge_grant(strand)
    if strand.order.state in UNPAID_STATES:
        return "under_review" if find_review(strand) is not None else UNPAID_CODES[strand.order.state]
    if strand.seat is None and strand.has_finding(LATE_PAYMENT):
        return "sold_out"
    return ENDED_CODES.get(strand.order.state) or _judge_seat(strand)


def is_open(strand: Strand) -> bool:
    """Whether the judged account may open the course by this strand."""
    person = strand.subject.person
    return person is not None and any(
        grant.user_id == person.id and is_live(grant, strand.moment) for grant in strand.grants
    )


def _judge_seat(strand: Strand) -> str:
    seat = strand.seat
    if seat is None:
        return "unassigned" if strand.role == "manager" else "incomplete"
    if seat.status != "active":
        is_refunded = any(each.seat_id == seat.id for each in strand.requests)
        closed = "seat_refunded" if is_refunded else "closed"
        return "disputed" if seat.status == "suspended" else closed
    if strand.is_former or strand.is_reassigned:
        return "closed" if strand.is_former else "reassigned"
    return _judge_link(strand) if seat.claimed_by_id is None else _judge_taken(strand)


def _judge_taken(strand: Strand) -> str:
    """Somebody sits on the seat, and the judged account may not open the course by it."""
    if strand.role == "giver":
        return "gift_opened"
    if strand.is_elsewhere and strand.live_grant is not None:
        return "wrong_account"
    return _judge_grant(strand)


def _judge_link(strand: Strand) -> str:
    """The seat is free: where the link to it is."""
    if strand.seat is None or strand.seat.invited_email is None:
        return "unassigned"
    mail = strand.link_mail
    if mail is None:
        return "mail_missing"
    if strand.link_ends_at is None:
        queued = "gift_scheduled" if is_scheduled(strand) else "mail_waiting"
        return "mail_failed" if mail.failed_at is not None else queued
    if strand.link_ends_at <= strand.moment:
        return "link_expired" if mail.failed_at is not None or mail.sent_at is not None else "mail_waiting"
    return "gift_unclaimed" if strand.role == "giver" else "unclaimed"


def _judge_grant(strand: Strand) -> str:
    grant = strand.own_grant or next(iter(strand.grants), None)
    if grant is None:
        return "incomplete"
    if grant.revoked_at is not None:
        return "closed"
    return "disputed" if grant.suspended_at is not None else "access_ended"


def make_verdict(code: str, *, facts: Facts, course_id: int, strand: Strand | None) -> AccessVerdict:
    """The verdict in words; code as judge() or with_silent_stripe() gives it."""
    words = VERDICTS[code]
    course, person = facts.courses[course_id], facts.subject.person
    template, fix = words.sentence, words.fix
    if words.others and (strand is None or not strand.is_buyer):
        template, fix = words.others, _fix_of_others(words.fix)
    if code == "open" and person is not None and not person.is_active:
        template, fix = CLOSED_ACCOUNT, "contact"
    elif code in MEMBERSHIP and strand is not None and strand.membership is not None:
        template = MEMBERSHIP[code]
    sentence = template.format(
        course=course.title,
        own=_own_address(facts),
        address=_address(code, strand),
        on=_on(_date(code, strand)),
        until=_until(strand),
        amount=_refunded(strand),
        reason=_reason(strand),
        days=LONGEST_BANK_DAYS,
    )
    return AccessVerdict(code=code, is_open=code == "open", heading=words.heading, sentence=sentence, fix=fix)


def _fix_of_others(fix: Fix) -> Fix:
    """Whoever did not pay sees no refund of it."""
    return "contact" if fix == "refund" else fix


def _own_address(facts: Facts) -> str:
    if facts.subject.person is not None:
        return mask_email(facts.subject.person.email)
    return mask_email(facts.subject.addresses[0]) if facts.subject.addresses else "you"


def _address(code: str, strand: Strand | None) -> str:
    if strand is None:
        return ""
    if code in {"wrong_account", "gift_opened"} and strand.claimer is not None:
        return mask_email(strand.claimer.email)
    if strand.seat is None:
        return mask_email(strand.gift.recipient_email) if strand.gift is not None else ""
    return mask_email(strand.seat.invited_email or "")


def _date(code: str, strand: Strand | None) -> datetime | None:
    if strand is None:
        return None
    grant, mail = strand.own_grant, strand.sent_link_mail
    if code in {"unclaimed", "gift_unclaimed"}:
        return mail.sent_at if mail is not None else None
    if code == "link_expired":
        return strand.link_ends_at
    if code == "gift_scheduled":
        return strand.link_mail.send_after if strand.link_mail is not None else None
    if code == "access_ended":
        return grant.expires_at if grant is not None else None
    return grant.revoked_at if code == "closed" and grant is not None else None


def _on(moment: datetime | None) -> str:
    return f" on {date_long(moment)}" if moment is not None else ""


def _until(strand: Strand | None) -> str:
    grant = strand.own_grant if strand is not None else None
    return f" until {date_long(grant.expires_at)}" if grant is not None and grant.expires_at is not None else ""


def _refunded(strand: Strand | None) -> str:
    if strand is None or strand.order is None:
        return ""
    return money(sum_entries(strand.order.entries).refunded_amount, strand.order.currency)


def _reason(strand: Strand | None) -> str:
    reason = strand.order.failure_reason if strand is not None and strand.order is not None else None
    return reason or "Your bank didn’t approve it."
