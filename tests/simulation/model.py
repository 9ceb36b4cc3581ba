"""The reference model: what a shop ought to think, from nothing but what Stripe holds. Shares no code with the app.

Written from payments.md (policies P1-P7), not from the shop: for each order it names price and tax, adds up the money,
names the state, and says what access, which ledger, which invoice, which use of a code and how many mails follow.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Protocol

Document = dict[str, Any]

MOVING = ("pending", "requires_action", "succeeded")  # refunds whose money is out of the shop's hands
UNDECIDED = ("needs_response", "under_review")
OPEN_STATES = ("paid", "partially_refunded", "disputed")
SEAT_OF_STATE = {
    "paid": "active",
    "partially_refunded": "active",
    "disputed": "suspended",
    "refunded": "revoked",
    "lost": "revoked",
}


class Stripe(Protocol):
    """Who can list Stripe's objects."""

    def list_all(self, path: str, **filters: str) -> list[Document]: ...


@dataclass(frozen=True, kw_only=True)
class Money:
    """Sums in minor units of one currency."""

    captured: int = 0
    refunded: int = 0
    withdrawn: int = 0
    reinstated: int = 0

    @property
    def net(self) -> int:
        return self.captured - self.refunded - self.withdrawn + self.reinstated


@dataclass
class Account:
    """All of Stripe's objects that belong to one order."""

    sessions: list[Document] = field(default_factory=list)
    intents: list[Document] = field(default_factory=list)
    charges: list[Document] = field(default_factory=list)
    refunds: list[Document] = field(default_factory=list)
    disputes: list[Document] = field(default_factory=list)

    @property
    def money(self) -> Money:
        moves = [move for dispute in self.disputes for move in dispute["balance_transactions"]]
        return Money(
            captured=sum(charge["amount"] for charge in self.charges),
            refunded=sum(refund["amount"] for refund in self.refunds if refund["status"] in MOVING),
            withdrawn=sum(-move["amount"] for move in moves if move["amount"] < 0),
            reinstated=sum(move["amount"] for move in moves if move["amount"] > 0),
        )

    @property
    def paid_sessions(self) -> list[Document]:
        """Those that were paid, or had nothing to pay, in the order in which they were opened."""
        done = [each for each in self.sessions if each["status"] == "complete" and each["payment_status"] != "unpaid"]
        return sorted(done, key=lambda each: int(each["metadata"]["attempt"]))

    @property
    def tax(self) -> int:
        """What Stripe took for tax, on top of the price or inside it: of the first payment, the one that counts."""
        return sum(int(each["total_details"]["amount_tax"]) for each in self.paid_sessions[:1])

    @property
    def is_paid(self) -> bool:
        """Whether money arrived, or a session of ours ended with nothing to pay."""
        return bool(self.charges) or any(each["payment_status"] == "no_payment_required" for each in self.sessions)

    @property
    def returned_by_shop(self) -> list[Document]:
        return [refund for refund in self.refunds if "refund_request" in (refund["metadata"] or {})]

    def state(self) -> str:
        """The order's state once everybody knows everything: of several payments one that stands is enough (P4)."""
        if not self.is_paid:
            return self._unpaid_state()
        fates = {self._fate(charge) for charge in self.charges} or {"standing"}
        money = self.money
        if money.captured and money.refunded >= money.captured:
            fates -= {"standing", "disputed"}
        if "standing" in fates:
            return "partially_refunded" if money.refunded else "paid"
        return next((fate for fate in ("disputed", "lost") if fate in fates), "refunded")

    def _fate(self, charge: Document) -> str:
        """Of one payment: who has its money now."""
        statuses = {dispute["status"] for dispute in self.disputes if dispute["charge"] == charge["id"]}
        refunds = [each for each in self.refunds if each["charge"] == charge["id"] and each["status"] in MOVING]
        if "lost" in statuses:
            return "lost"
        if sum(refund["amount"] for refund in refunds) >= charge["amount"]:
            return "refunded"
        return "disputed" if statuses & set(UNDECIDED) else "standing"

    def ledger(self) -> dict[tuple[str, str], int]:
        """What must be written: (kind, Stripe's id) -> minor units. Refunds that failed are judged apart."""
        wanted = {("payment", charge["id"]): int(charge["amount"]) for charge in self.charges}
        wanted |= {
            ("refund", refund["id"]): int(refund["amount"]) for refund in self.refunds if refund["status"] in MOVING
        }
        for dispute in self.disputes:
            moves = [int(move["amount"]) for move in dispute["balance_transactions"]]
            taken, given = -sum(move for move in moves if move < 0), sum(move for move in moves if move > 0)
            if taken:
                wanted["dispute_withdrawn", dispute["id"]] = taken
            if given:
                wanted["dispute_reinstated", dispute["id"]] = given
        return wanted

    def _unpaid_state(self) -> str:
        statuses = {intent["status"] for intent in self.intents}
        if any(each["status"] == "complete" for each in self.sessions):
            return "processing" if "processing" in statuses else "failed"
        return "pending" if any(each["status"] == "open" for each in self.sessions) else "expired"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a buyer asked for. terms: those of the promotion code, {} for none. mailed: whether somebody is sent a link
    to a seat (a guest for their own, the recipient of a gift). has_tax_on_top: whether the shop's prices are without.
    """

    unit_amount: int
    quantity: int
    terms: Document
    is_mailed: bool
    has_tax_on_top: bool = False

    @property
    def price(self) -> int:
        """What is to pay, in minor units. The run's percentages and prices leave nothing to round."""
        whole = self.unit_amount * self.quantity
        return whole - min(whole, self.terms.get("amount_off", whole * self.terms.get("percent_off", 0) // 100))


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the shop must say of one order. seat_status: of seats that were not refunded one by one; None: no seats.

    charged: the price with the tax that comes on top of it. invoices: those that Stripe made of its payments.
    """

    price: int
    tax: int
    is_tax_included: bool
    charged: int
    invoices: frozenset[str]
    state: str
    money: Money
    is_numbered: bool
    seat_status: str | None
    receipts: int
    invitations: int
    failure_notices: int
    code_status: str
    ledger: dict[tuple[str, str], int]


class Books:
    """Stripe's side, read once: every object that carries this installation's mark, by order."""

    def __init__(self, stripe: Stripe, app_id: str) -> None:
        self.accounts: defaultdict[str, Account] = defaultdict(Account)
        self.session_orders: dict[str, str] = {}
        self.invoices: dict[str, Document] = {each["id"]: each for each in stripe.list_all("/v1/invoices")}
        order_of_intent: dict[str, str] = {}
        for session in stripe.list_all("/v1/checkout/sessions"):
            metadata = session["metadata"] or {}
            if metadata.get("app_id") != app_id:
                continue
            order = metadata["order"]
            self.session_orders[session["id"]] = order
            self.accounts[order].sessions.append(session)
            if session["payment_intent"]:
                order_of_intent[session["payment_intent"]] = order
        for kind, path in (
            ("intents", "/v1/payment_intents"),
            ("charges", "/v1/charges"),
            ("refunds", "/v1/refunds"),
            ("disputes", "/v1/disputes"),
        ):
            for document in stripe.list_all(path):
                intent = document["id"] if kind == "intents" else document["payment_intent"]
                if intent not in order_of_intent or (kind == "charges" and document["status"] != "succeeded"):
                    continue
                getattr(self.accounts[order_of_intent[intent]], kind).append(document)

    def expect(self, order: str, asked: Asked, *, is_late: bool) -> Expected:
        """What is due to an order. is_late: its money came after the last seat was gone (P3), so it gets no seat."""
        account = self.accounts[order] if order in self.accounts else Account()
        is_free = asked.price == 0
        state = "paid" if is_free else account.state()
        is_paid = is_free or account.is_paid
        is_served = is_paid and not is_late
        return Expected(
            price=asked.price,
            tax=account.tax,
            is_tax_included=account.tax > 0 and not asked.has_tax_on_top,
            charged=asked.price + account.tax * asked.has_tax_on_top,
            invoices=frozenset(each["invoice"] for each in account.paid_sessions if each["invoice"]),
            state=state,
            money=account.money,
            is_numbered=is_paid,
            seat_status=SEAT_OF_STATE[state] if is_served else None,
            receipts=int(is_served),
            invitations=int(is_served and asked.is_mailed),
            failure_notices=int(state == "failed"),
            code_status="redeemed" if is_served and state in OPEN_STATES else "released",
            ledger={("payment", order): 0} if is_free else account.ledger(),
        )
