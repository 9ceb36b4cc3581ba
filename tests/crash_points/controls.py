"""Negative controls: a guard is taken out of the shop, the process is killed where it mattered, and the judge must say so.

Every sabotage changes the shop inside one forked child only, before and after the kill alike.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask
from sqlalchemy import event, update

from app import clock, queue
from app.checkout import refunds, sessions, settle
from app.db import db, transaction
from app.mail import services as mail
from app.mail.models import Message
from app.mail.rendering import RenderedMail
from app.payments.facts import CheckoutFacts, RefundFacts
from app.payments.gateway import SessionRequest
from app.webhooks import views
from tests.crash_points.flows import FLOWS
from tests.crash_points.judge import Complaint, Kind
from tests.crash_points.points import Trap
from tests.crash_points.runs import Run, Sabotage, judge_run, rehearse
from tests.crash_points.world import World

MOST_POINTS = 4


@dataclass(frozen=True, kw_only=True)
class Control:
    """A guard that is missing, the point (nearest the end of the flow, or its beginning) where a kill must show it, and
    the words in which the judge says so.
    """

    name: str
    flow: str
    sabotage: Sabotage
    label: str
    is_last: bool
    expected: Kind
    says: str

    def try_out(self, world: World) -> Complaint | None:
        """What the judge said as expected of the first such run; None: it was blind."""
        rehearsal = rehearse(world, FLOWS[self.flow])
        occurrences = range(1, rehearsal.labels.count(self.label) + 1)
        for occurrence in (occurrences[::-1] if self.is_last else occurrences)[:MOST_POINTS]:
            trap = Trap(occurrence, only=self.label)
            run = Run(world=world, flow=FLOWS[self.flow], trap=trap, sabotage=self.sabotage)
            verdict = judge_run(run, rehearsal)
            found = next((each for each in verdict.complaints if self.says in each.text), None)
            if found is not None and found.kind == self.expected:
                return found
        return None


def _forget_session_key(app: Flask) -> None:
    create = sessions.create_checkout_session

    def create_anew(request: SessionRequest) -> CheckoutFacts:
        return create(replace(request, idempotency_key=secrets.token_hex(8)))

    _put(sessions, "create_checkout_session", create_anew)
    # The second guard against the same: whoever asks again looks for the lost session first.
    _put(settle, "find_session_of_order", lambda *_given: None)


def _keep_inbox_in_memory(app: Flask) -> None:
    _put(views, "record_event", lambda **_given: None)


def _trust_the_queue(app: Flask) -> None:
    queue._sweeps[:] = [each for each in queue._sweeps if not each.task.startswith("checkout.")]


def _commit_halfway(app: Flask) -> None:
    numbered = []

    def notice(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("UPDATE invoice_counters"):
            numbered.append(statement)

    def commit(connection: Any, *_rest: Any) -> None:
        if numbered:
            numbered.clear()
            connection.connection.dbapi_connection.commit()

    with app.app_context():
        event.listen(db.engine, "after_cursor_execute", notice)
        event.listen(db.engine, "before_cursor_execute", commit)


def _forget_refund_key(app: Flask) -> None:
    create: Callable[..., RefundFacts] = refunds.create_refund

    def create_anew(**given: Any) -> RefundFacts:
        return create(**{**given, "idempotency_key": secrets.token_hex(8)})

    _put(refunds, "create_refund", create_anew)
    _put(refunds, "find_refund", lambda **_given: None)


def _rename_each_try(app: Flask) -> None:
    render = mail.render_message

    def render_anew(message: Message) -> RenderedMail:
        return replace(render(message), message_id=f"<{secrets.token_hex(8)}@localhost>")

    _put(mail, "render_message", render_anew)


def _mark_before_sending(app: Flask) -> None:
    deliver = mail.deliver

    def mark_and_deliver(rendered: RenderedMail) -> None:
        with transaction() as session:
            session.execute(
                update(Message).where(Message.message_id == rendered.message_id).values(sent_at=clock.now())
            )
        deliver(rendered)

    _put(mail, "deliver", mark_and_deliver)


def _put(module: Any, name: str, function: Callable[..., Any]) -> None:
    assert hasattr(module, name), f"{module.__name__} has no {name} any more: this control tests nothing"
    setattr(module, name, function)


CONTROLS = (
    Control(
        name="a session is asked for without its stored key",
        flow="begin-guest",
        sabotage=_forget_session_key,
        label="after receive from Stripe",
        is_last=True,
        expected="doubled",
        says="payable or paid sessions of one order",
    ),
    Control(
        name="an event is answered before it is stored",
        flow="ingest",
        sabotage=_keep_inbox_in_memory,
        label="after answer",
        is_last=True,
        expected="lost",
        says="is not in the inbox",
    ),
    Control(
        name="a task taken from the queue is all there is",
        flow="settle-guest",
        sabotage=_trust_the_queue,
        label="after queue take",
        is_last=False,
        expected="lost",
        says="a paid session whose order is pending",
    ),
    Control(
        name="the transaction of a payment is committed in two parts",
        flow="settle-guest",
        sabotage=_commit_halfway,
        label="before statement UPDATE orders",
        is_last=False,
        expected="doubled",
        says="2 numbers for 1 orders",
    ),
    Control(
        name="a refund is asked for without its stored key",
        flow="refund",
        sabotage=_forget_refund_key,
        label="before statement UPDATE refund_requests",
        is_last=True,
        expected="doubled",
        says="one refund was made 2 times",
    ),
    Control(
        name="a mail gets a new Message-ID with each try",
        flow="mail",
        sabotage=_rename_each_try,
        label="after receive from the mail server",
        is_last=True,
        expected="doubled",
        says="letters arrived that no row sent",
    ),
    Control(
        name="a mail is marked as sent before it is",
        flow="mail",
        sabotage=_mark_before_sending,
        label="before connection to the mail server",
        is_last=True,
        expected="lost",
        says="never arrived",
    ),
)
