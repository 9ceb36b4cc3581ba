"""Why somebody has, or has not, a course: from the order to the open lesson, with times. Only reads.

access_facts reads, access_strands sorts by purchase, access_chain and access_mails tell the steps, access_verdict
decides, access_words says it. Who may see a trace is the caller's matter; access_links knows what a mailed link shows.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import or_, select
from sqlalchemy.orm import selectinload

from app.accounts.models import User
from app.catalog.models import Course
from app.checkout.models import Order
from app.checkout.numbers import format_order_number
from app.db import db
from app.enrollment.models import Grant, Seat
from app.errors import NotFound
from app.formatting import mask_email
from app.reports.access_chain import list_steps
from app.reports.access_facts import Facts, Person, Subject, find_people, load_facts
from app.reports.access_shape import AccessStep, AccessTrace, StepKind, StepState
from app.reports.access_strands import Strand, list_strands
from app.reports.access_verdict import judge, make_verdict
from app.reports.access_words import CONFIRMING, VERDICTS

__all__ = ["AccessTrace", "explain_access", "explain_courses", "find_course_to_explain", "with_silent_stripe"]

# Verdicts that say that the chain holds; all others turn on a step that does not.
HOLDING_CODES = frozenset({"open", "gift_opened"})
OPEN_ORDER_CODES = frozenset({"unpaid", "processing"})


def explain_access(
    *,
    course_id: int,
    user_id: int | None = None,
    email: str | None = None,
    order_public_id: str | None = None,
    seat_public_id: str | None = None,
) -> AccessTrace:
    """Why a person may, or may not, open a course. Reads a fixed number of times, whatever they bought.

    The person is user_id; without it whoever has the address email; without both the account that the order was bought
    with or the seat was taken by, and nobody while that is unproved (then nothing but the order or seat itself is told:
    an address typed at Stripe proves nothing). email (normalized) adds the orders and invitations of that address; it
    is for admins, and for addresses that are proved. The verdict is open exactly when list_open_course_ids() of
    that person holds the course. Raises NotFound for ids that do not exist; ValueError when nobody is named.
    """
    traces = explain_courses(
        course_ids=[course_id],
        user_id=user_id,
        email=email,
        order_public_id=order_public_id,
        seat_public_id=seat_public_id,
    )
    return traces[0]


def explain_courses(
    *,
    course_ids: Sequence[int] = (),
    user_id: int | None = None,
    email: str | None = None,
    order_public_id: str | None = None,
    seat_public_id: str | None = None,
) -> list[AccessTrace]:
    """explain_access() for several courses in the same number of reads; without course_ids, for every course of the
    order or seat. In the order of course_ids. Raises as explain_access() does."""
    if user_id is None and email is None and order_public_id is None and seat_public_id is None:
        raise ValueError("name an account, an address, an order or a seat")
    order = _get_order(order_public_id) if order_public_id is not None else None
    seat = _get_seat(seat_public_id) if seat_public_id is not None else None
    wanted = list(dict.fromkeys(course_ids or _list_course_ids(order, seat)))
    person = _find_person(user_id=user_id, email=email, order=order, seat=seat)
    subject = Subject(
        person=person,
        addresses=_list_addresses(person, email),
        order_id=order.id if order is not None else None,
        seat_id=seat.id if seat is not None else None,
    )
    facts = load_facts(subject, course_ids=wanted)
    if len(facts.courses) < len(wanted) or not wanted:
        raise NotFound
    return [_explain(facts, course_id) for course_id in wanted]


def find_course_to_explain(slug: str, *, user_id: int) -> int | None:
    """The id of a course that this person may ask about: one that has, or had, a page, or that they were let into."""
    granted = select(Grant.course_id).where(Grant.user_id == user_id)
    return db.session.scalar(
        select(Course.id).where(Course.slug == slug, or_(Course.status != "draft", Course.id.in_(granted)))
    )


def find_claim_version(seat_public_id: str) -> int | None:
    """The version of the seat's links that work now; None for a seat that does not exist."""
    return db.session.scalar(select(Seat.claim_version).where(Seat.public_id == seat_public_id))


def find_link_version(order_public_id: str) -> int | None:
    """The version of the order's links that work now; None for an order that does not exist."""
    return db.session.scalar(select(Order.link_version).where(Order.public_id == order_public_id))


def with_silent_stripe(trace: AccessTrace) -> AccessTrace:
    """The trace when Stripe did not answer just now: an unpaid order may be paid, so it only says "confirming"."""
    if trace.verdict.code not in OPEN_ORDER_CODES:
        return trace
    words = VERDICTS[CONFIRMING]
    verdict = replace(trace.verdict, code=CONFIRMING, heading=words.heading, sentence=words.sentence, fix=words.fix)
    return replace(trace, verdict=verdict)


def _explain(facts: Facts, course_id: int) -> AccessTrace:
    strands = list_strands(facts, course_id=course_id)
    code, decisive = judge(strands)
    steps = [step for strand in strands for step in list_steps(strand)]
    if decisive is None:
        steps.append(_nothing_step(facts))
    verdict = make_verdict(code, facts=facts, course_id=course_id, strand=decisive)
    cause = _find_cause(steps, decisive, code)
    order = decisive.order if decisive is not None else None
    course = facts.courses[course_id]
    return AccessTrace(
        course_id=course_id,
        course_slug=course.slug,
        course_title=course.title,
        user_id=facts.subject.person.id if facts.subject.person is not None else None,
        verdict=verdict,
        cause=cause,
        steps=(*steps, *_closing_steps(facts, course_id, decisive)),
        strand=cause.strand,
        order_public_id=order.public_id if order is not None else "",
        order_number=format_order_number(order.number) if order is not None else "",
        seat_public_id=decisive.seat.public_id if decisive is not None and decisive.seat is not None else "",
        claim_version=decisive.seat.claim_version if decisive is not None and decisive.seat is not None else 0,
    )


def _find_cause(steps: Sequence[AccessStep], decisive: Strand | None, code: str) -> AccessStep:
    """The last step of the kind that this verdict turns on; where the strand has none, the last that does not hold."""
    own = [step for step in steps if decisive is None or step.strand == decisive.key]
    kind = VERDICTS[code].kind
    of_kind = [step for step in own if step.kind == kind]
    wanted = [step for step in of_kind or own if (step.state == "ok") is (code in HOLDING_CODES)]
    return (wanted or [step for step in own if step.state != "ok"] or own)[-1]


def _nothing_step(facts: Facts) -> AccessStep:
    person = facts.subject.person
    address = person.email if person is not None else next(iter(facts.subject.addresses), "")
    return AccessStep(
        kind="nothing",
        state="missing",
        sentence=f"No order, invitation or gift is known for {mask_email(address)}",
        at=None,
        strand="",
        ids={"email": address} if address else {},
    )


def _closing_steps(facts: Facts, course_id: int, decisive: Strand | None) -> list[AccessStep]:
    """What stands in the way beside the purchases: the account, and the course itself."""
    person, course = facts.subject.person, facts.courses[course_id]
    strand = decisive.key if decisive is not None else ""
    steps = []
    if person is not None:
        ids = {"user": str(person.id), "email": person.email}
        address = mask_email(person.email)
        if not person.is_active:
            steps.append(_closing("account", "broken", f"The account of {address} is closed", strand, ids))
        elif person.confirmed_at is None:
            steps.append(_closing("account", "missing", f"The address {address} isn’t confirmed yet", strand, ids))
        if decisive is not None and decisive.is_elsewhere and not decisive.is_former and decisive.role == "holder":
            steps.append(_closing("account", "broken", f"You’re signed in as {address}", strand, ids))
    ids = {"course": course.public_id, "status": course.status}
    if course.status == "archived":
        sentence = "The course is no longer sold; whoever has it keeps it"
        steps.append(_closing("course", "ok", sentence, strand, ids))
    elif course.status == "draft":
        sentence = "The course isn’t public at the moment; whoever has it keeps it"
        steps.append(_closing("course", "ok", sentence, strand, ids))
    return steps


def _closing(kind: StepKind, state: StepState, sentence: str, strand: str, ids: dict[str, str]) -> AccessStep:
    return AccessStep(kind=kind, state=state, sentence=sentence, at=None, strand=strand, ids=ids)


def _get_order(public_id: str) -> Order:
    order = db.session.scalar(
        select(Order)
        .where(Order.public_id == public_id)
        .options(selectinload(Order.items))
        .execution_options(populate_existing=True)
    )
    if order is None:
        raise NotFound
    return order


def _get_seat(public_id: str) -> Seat:
    seat = db.session.scalar(select(Seat).where(Seat.public_id == public_id).execution_options(populate_existing=True))
    if seat is None:
        raise NotFound
    return seat


def _list_course_ids(order: Order | None, seat: Seat | None) -> list[int]:
    courses = list(seat.courses) if seat is not None else []
    if order is not None:
        courses += [course for item in order.items for course in item.courses]
    return [course["course_id"] for course in courses]


def _find_person(*, user_id: int | None, email: str | None, order: Order | None, seat: Seat | None) -> Person | None:
    if user_id is not None:
        people = find_people(User.id == user_id)
        if not people:
            raise NotFound
        return people[user_id]
    if email is not None:
        return next(iter(find_people(User.email == email).values()), None)
    holder_id = seat.claimed_by_id if seat is not None else None
    if order is not None:
        holder_id = order.user_id or _find_claimer_id(order)
    return find_people(User.id == holder_id).get(holder_id) if holder_id is not None else None


def _find_claimer_id(order: Order) -> int | None:
    """The account that a guest took their own seat into: it proved the address that paid."""
    if order.purpose == "gift" or not order.takes_seat:
        return None
    return db.session.scalar(
        select(Seat.claimed_by_id)
        .where(Seat.order_item_id.in_([item.id for item in order.items]), Seat.position == 1)
        .where(Seat.claimed_by_id.is_not(None), Seat.invited_email == order.email)
        .limit(1)
    )


def _list_addresses(person: Person | None, email: str | None) -> tuple[str, ...]:
    """The addresses whose purchases may be told: the one asked about, and the person's own once it is proved."""
    own = [person.email] if person is not None and person.confirmed_at is not None else []
    return tuple(dict.fromkeys([*own, *([email] if email is not None else [])]))
