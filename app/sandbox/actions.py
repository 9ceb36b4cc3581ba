"""What a person does on the dashboard and a test does by JSON: settle, refund, dispute, resend, reset.

Each takes Stripe's ids and raises StripeError where Stripe would, so both audiences tell the same story.
"""

import threading
from datetime import UTC, datetime

from app.sandbox.background import let_time_pass, run_due_timers
from app.sandbox.checkout import settle_payment
from app.sandbox.config import SandboxConfig
from app.sandbox.delivery import Deliverer, Outcome
from app.sandbox.documents import Document, new_id
from app.sandbox.errors import InvalidRequest, Refused, no_such
from app.sandbox.events import resend
from app.sandbox.idempotency import forget_all
from app.sandbox.levers import RELEASES, LeverError, pull, remove
from app.sandbox.resources.disputes import OUTCOMES, check_reason, close_dispute, escalate_inquiry, open_dispute
from app.sandbox.resources.disputes import retrieve_dispute as get_dispute
from app.sandbox.resources.endpoints import ensure_endpoint
from app.sandbox.resources.events import forget_events
from app.sandbox.resources.refunds import create_refund, settle_refund
from app.sandbox.store import Store, Transaction

MOST_ADVANCE_SECONDS = 10 * 366 * 86_400


class Actions:
    """The sandbox's hands. Every method is one transaction and safe from any thread."""

    def __init__(self, config: SandboxConfig, store: Store, deliverer: Deliverer) -> None:
        self._config = config
        self._store = store
        self._deliverer = deliverer
        self._moving = threading.Lock()

    def prepare(self) -> None:
        """What must be there at start and after a reset: the account's id, the shop's webhook endpoint."""
        with self._store.write() as transaction:
            transaction.run(
                "INSERT OR IGNORE INTO settings (name, value) VALUES ('account_id', ?)", new_id("acct")[:21]
            )
            if self._config.webhook_url:
                ensure_endpoint(transaction, self._config.webhook_url, self._config.webhook_secret)

    def reset(self) -> None:
        self._store.reset()
        self.prepare()

    def pull_lever(self, wanted: Document) -> Document:
        """Pulls a lever, releases one, or forgets idempotency keys or events. Raises LeverError."""
        kind = wanted.get("kind")
        with self._store.write() as transaction:
            if kind == "forget_idempotency_keys":
                return {"kind": kind, "forgotten": forget_all(transaction)}
            if kind == "forget_events":
                return {"kind": kind, "forgotten": forget_events(transaction)}
            if kind in RELEASES:
                return {"kind": kind, "removed": remove(transaction, kind=RELEASES[str(kind)])}
            return pull(transaction, wanted).document()

    def remove_levers(self, lever_id: int | None = None) -> int:
        with self._store.write() as transaction:
            return remove(transaction, lever_id=lever_id)

    def deliver_now(self) -> list[Outcome]:
        return self._deliverer.flush()

    def tick(self, seconds: float) -> int:
        """Does what falls due within the next seconds, now. Gives how much it was."""
        return run_due_timers(self._store, self._store.clock.precise_now() + seconds)

    def read_clock(self) -> Document:
        """The sandbox's time, and by how many seconds it is ahead of the machine's."""
        at = self._store.clock.now()
        return {
            "now": at,
            "utc": datetime.fromtimestamp(at, UTC).isoformat(),
            "ahead_seconds": round(self._store.clock.offset_seconds),
        }

    def advance_clock(self, seconds: float) -> Document:
        """Lets that much time pass, for good; everything due in between happens at its own time. Raises LeverError."""
        if seconds > MOST_ADVANCE_SECONDS:
            raise LeverError("advance_seconds must be at most ten years")
        with self._moving:
            done = let_time_pass(self._store, seconds)
        return {"done": done, **self.read_clock()}

    def restore_clock(self) -> Document:
        """The machine's time again; meant for after a reset, because what exists keeps its times."""
        with self._moving:
            self._store.restore_clock()
        return self.read_clock()

    def settle(self, identifier: str, outcome: str) -> Document:
        """Ends a bank debit (session or payment intent) or a refund; only a pending refund can be `canceled`."""
        with self._store.write() as transaction:
            is_refund = transaction.find("refund", identifier) is not None
            known = ("succeeded", "failed", "canceled") if is_refund else ("succeeded", "failed")
            if outcome not in known:
                raise InvalidRequest(f"Invalid outcome: must be one of {', '.join(known)}", param="outcome")
            if is_refund:
                return settle_refund(transaction, identifier, outcome)
            session = transaction.find("checkout.session", identifier)
            intent_id = identifier if session is None else session["payment_intent"]
            if intent_id is None or transaction.find("payment_intent", intent_id) is None:
                raise no_such("payment", identifier, param="id")
            return settle_payment(transaction, intent_id, outcome)

    def refund(self, identifier: str, amount: int | None, reason: str | None = None) -> Document:
        """As Stripe's own dashboard would: the shop hears of it by webhook only."""
        params: Document = {"charge" if identifier.startswith(("ch_", "py_")) else "payment_intent": identifier}
        params |= {name: value for name, value in (("amount", amount), ("reason", reason)) if value is not None}
        with self._store.write() as transaction:
            return create_refund(self._config.async_seconds, transaction, params)

    def dispute(self, identifier: str, *, reason: str, is_inquiry: bool, amount: int) -> Document:
        with self._store.write() as transaction:
            charge = _find_charge(transaction, identifier)
            return open_dispute(transaction, charge, reason=check_reason(reason), is_inquiry=is_inquiry, amount=amount)

    def close_dispute(self, identifier: str, outcome: str) -> Document:
        if outcome not in OUTCOMES:
            raise InvalidRequest(f"Invalid outcome: must be one of {', '.join(OUTCOMES)}", param="outcome")
        with self._store.write() as transaction:
            return close_dispute(transaction, get_dispute(transaction, {}, identifier), outcome)

    def escalate(self, identifier: str) -> Document:
        with self._store.write() as transaction:
            return escalate_inquiry(transaction, get_dispute(transaction, {}, identifier))

    def resend(self, event_id: str) -> int:
        with self._store.write() as transaction:
            if transaction.find("event", event_id) is None:
                raise no_such("event", event_id, param="id")
            return resend(transaction, event_id)


def _find_charge(transaction: Transaction, identifier: str) -> Document:
    intent = transaction.find("payment_intent", identifier)
    found = transaction.find("charge", identifier if intent is None else intent["latest_charge"] or "")
    if found is None:
        if intent is not None:
            raise Refused(f"Payment intent {identifier} has no charge yet.")
        raise no_such("charge", identifier, param="id")
    return found
