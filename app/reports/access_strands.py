"""Splits the facts into strands: each purchase, invitation or grant by hand that could open the course."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.checkout.models import Finding, Gift, LedgerEntry, Order, OrderItem, RefundRequest
from app.enrollment.models import Grant, Membership, Seat
from app.enrollment.seat_mails import CLAIM_LIFETIME
from app.mail.models import Message
from app.reports.access_facts import Facts, Person, Subject, is_buyer
from app.reports.access_shape import AccessStep, StepKind, StepState

# holder: the seat is this person's. giver: they gave it away. manager: they hand a team's seats out.
Role = Literal["holder", "giver", "manager"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Strand:
    """One way the course could be open. order and item are None for grants by hand and by membership."""

    key: str
    course_id: int
    moment: datetime
    subject: Subject
    role: Role
    is_buyer: bool
    order: Order | None
    item: OrderItem | None
    seat: Seat | None
    gift: Gift | None
    grants: tuple[Grant, ...]
    membership: Membership | None
    claimer: Person | None
    requests: tuple[RefundRequest, ...]
    findings: tuple[Finding, ...]
    seat_mails: tuple[Message, ...]
    receipts: tuple[Message, ...]

    @property
    def begun_at(self) -> datetime:
        if self.order is not None:
            return self.order.created_at
        return self.grants[0].granted_at

    @property
    def own_grant(self) -> Grant | None:
        """The subject's grant; where no account is judged, that of whoever sits on the seat."""
        person = self.subject.person
        wanted = person.id if person is not None else self.seat.claimed_by_id if self.seat is not None else None
        return next((grant for grant in self.grants if grant.user_id == wanted), None)

    @property
    def live_grant(self) -> Grant | None:
        """Any account's grant that opens the course at this moment."""
        return next((grant for grant in self.grants if is_live(grant, self.moment)), None)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the seat is in another account than the one judged."""
        if self.seat is None or self.seat.claimed_by_id is None or self.subject.person is None:
            return False
        return self.seat.claimed_by_id != self.subject.person.id

    @property
    def is_former(self) -> bool:
        """Whether the judged account had the seat before it went to somebody else, whom it must not learn about."""
        person, seat = self.subject.person, self.seat
        if person is None or seat is None or self.is_buyer or seat.claimed_by_id == person.id:
            return False
        return any(grant.user_id == person.id for grant in self.grants)

    @property
    def shown_grants(self) -> tuple[Grant, ...]:
        """The judged account's grants; without any, those of whoever has the seat now."""
        own = self.own_grant
        if own is not None:
            return (own,)
        return tuple(grant for grant in self.grants if self.seat is None or grant.user_id == self.seat.claimed_by_id)

    @property
    def is_reassigned(self) -> bool:
        """Whether the buyer's own seat was given to another address."""
        if self.role != "holder" or not self.is_buyer or self.seat is None or self.order is None:
            return False
        if self.own_grant is not None and self.seat.claimed_by_id == self.own_grant.user_id:
            return False
        own = {self.order.email, *self.subject.addresses}
        return self.seat.invited_email is not None and self.seat.invited_email not in own

    @property
    def link_mail(self) -> Message | None:
        """The newest mail with the link that works now, sent or not; None before one was queued."""
        return self.seat_mails[-1] if self.seat_mails else None

    @property
    def sent_link_mail(self) -> Message | None:
        """The newest mail with the link that works now and that the mail server took."""
        return next((mail for mail in reversed(self.seat_mails) if mail.sent_at is not None), None)

    @property
    def link_ends_at(self) -> datetime | None:
        """When the newest link that is out stops working (UTC): it is signed on sending. None: no link is out."""
        mail = self.sent_link_mail
        return mail.sent_at + CLAIM_LIFETIME if mail is not None and mail.sent_at is not None else None

    @property
    def seat_entries(self) -> list[LedgerEntry]:
        """The order's ledger without the refunds of other people's seats."""
        if self.order is None:
            return []
        others = {each.id for each in self.requests if each.seat_id is not None and each.seat_id != self.seat_id}
        return [entry for entry in self.order.entries if entry.refund_request_id not in others]

    @property
    def seat_id(self) -> int | None:
        return self.seat.id if self.seat is not None else None

    def has_finding(self, *kinds: str) -> bool:
        """Whether the order has, or had, one of these findings."""
        return self.find_finding(*kinds) is not None

    def find_finding(self, *kinds: str) -> Finding | None:
        return next((finding for finding in self.findings if finding.kind in kinds), None)


def is_live(grant: Grant, moment: datetime) -> bool:
    """Whether a grant opens its course at that moment: the rule of enrollment.list_open_course_ids()."""
    is_over = grant.expires_at is not None and grant.expires_at <= moment
    return grant.revoked_at is None and grant.suspended_at is None and not is_over


def make_step(
    strand: Strand, kind: StepKind, state: StepState, sentence: str, at: datetime | None, **ids: str
) -> AccessStep:
    """A step of the strand; ids that are empty are left out."""
    known = {name: value for name, value in ids.items() if value}
    return AccessStep(kind=kind, state=state, sentence=sentence, at=at, strand=strand.key, ids=known)


def list_strands(facts: Facts, *, course_id: int) -> list[Strand]:
    """Every strand of the course, the oldest first."""
    purchases = list(_purchases(facts, course_id))
    told = {grant.id for strand in purchases for grant in strand.grants}
    strands = [*purchases, *_grants_by_themselves(facts, course_id, told)]
    return sorted(strands, key=lambda strand: strand.begun_at)


def _purchases(facts: Facts, course_id: int) -> Iterator[Strand]:
    for order in facts.orders:
        buyer = is_buyer(facts.subject, order)
        for item in order.items:
            if all(course["course_id"] != course_id for course in item.courses):
                continue
            found = [
                (seat, _role_of(facts, order, seat))
                for seat in facts.seats
                if seat.order_item_id == item.id and _concerns(facts, order, seat)
            ]
            if not found and buyer:
                yield _make(facts, (course_id, order, item), seat=None, role=_role_without_seat(order))
            for seat, role in found:
                yield _make(facts, (course_id, order, item), seat=seat, role=role)


def _concerns(facts: Facts, order: Order, seat: Seat) -> bool:
    if _is_own(facts, seat):
        return True
    # The first seat is the buyer's own unless the team's manager takes none; a gift's only seat is theirs to see.
    return is_buyer(facts.subject, order) and seat.position == 1 and (order.takes_seat or order.purpose == "gift")


def _is_own(facts: Facts, seat: Seat) -> bool:
    person = facts.subject.person
    if seat.id == facts.subject.seat_id:
        return True
    if person is not None and any(g.seat_id == seat.id and g.user_id == person.id for g in facts.grants):
        return True
    if person is not None and seat.claimed_by_id == person.id:
        return True
    return seat.invited_email is not None and seat.invited_email in facts.subject.addresses


def _role_of(facts: Facts, order: Order, seat: Seat) -> Role:
    if order.purpose == "gift" and is_buyer(facts.subject, order) and not _is_own(facts, seat):
        return "giver"
    return "holder"


def _role_without_seat(order: Order) -> Role:
    if order.purpose == "gift":
        return "giver"
    return "holder" if order.takes_seat else "manager"


def _make(facts: Facts, what: tuple[int, Order, OrderItem], *, seat: Seat | None, role: Role) -> Strand:
    course_id, order, item = what
    seat_id = seat.id if seat is not None else None
    return Strand(
        key=f"{order.public_id}/{seat.position if seat is not None else 0}",
        course_id=course_id,
        moment=facts.moment,
        subject=facts.subject,
        role=role,
        is_buyer=is_buyer(facts.subject, order),
        order=order,
        item=item,
        seat=seat,
        gift=facts.gifts.get(order.id),
        grants=tuple(
            g for g in facts.grants if seat_id is not None and g.seat_id == seat_id and g.course_id == course_id
        ),
        membership=None,
        claimer=facts.people.get(seat.claimed_by_id) if seat is not None and seat.claimed_by_id is not None else None,
        requests=tuple(each for each in facts.refund_requests if each.order_id == order.id),
        findings=tuple(each for each in facts.findings if each.order_id == order.id),
        seat_mails=_list_mails(facts, f"claim:{seat.public_id}:{seat.claim_version}") if seat is not None else (),
        receipts=_list_mails(facts, f"receipt:{order.public_id}"),
    )


def _list_mails(facts: Facts, key: str) -> tuple[Message, ...]:
    """The mails of one cause, repeats included (":" and why it was sent again), oldest first."""
    return tuple(mail for mail in facts.messages if mail.key == key or mail.key.startswith(f"{key}:"))


def _grants_by_themselves(facts: Facts, course_id: int, told: set[int]) -> Iterator[Strand]:
    """Grants by hand and by membership, and those of purchases beyond MOST_ORDERS."""
    person = facts.subject.person
    for grant in facts.grants:
        if grant.course_id != course_id or grant.id in told or person is None or grant.user_id != person.id:
            continue
        yield Strand(
            key=f"grant:{grant.id}",
            course_id=course_id,
            moment=facts.moment,
            subject=facts.subject,
            role="holder",
            is_buyer=False,
            order=None,
            item=None,
            seat=None,
            gift=None,
            grants=(grant,),
            membership=facts.memberships.get(grant.membership_id) if grant.membership_id is not None else None,
            claimer=None,
            requests=(),
            findings=(),
            seat_mails=(),
            receipts=(),
        )
