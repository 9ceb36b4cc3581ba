"""How the webhooks do, in one sentence with a named reason and its fix; read from the database alone."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select

from app import clock
from app.checkout.models import CheckoutAttempt
from app.db import db
from app.formatting import datetime_short
from app.payments.models import DoctorRun, StripeEvent
from app.payments.overdue import PATIENCE
from app.payments.probe import PROBE_TYPE
from app.payments.refusals import Refusals, find_refusals
from app.reports.doctor_runs import find_last_run

Level = Literal["ok", "warn", "fail"]
# Where the fix is: a button of the page, or words only.
Place = Literal["", "check", "endpoint", "failed", "waiting"]
SILENCE = timedelta(hours=1)
MOST_ATTEMPTS = 200
# What the doctor found, in the order of how much it hinders.
FOUND: dict[str, tuple[str, str, Place]] = {
    "endpoint_missing": (
        "Stripe has no webhook endpoint for this shop, so no event comes.", "Make the endpoint.", "endpoint",
    ),
    "endpoint_disabled": (
        "The webhook endpoint is switched off at Stripe, so no event comes.", "Repair the endpoint.", "endpoint",
    ),
    "secret_mismatch": (
        "The web server refuses what is signed with the webhook secret.",
        "Set STRIPE_WEBHOOK_SECRET to the endpoint’s signing secret and restart web server and worker.", "check",
    ),
    "unreachable": (
        "Nobody answers at the webhook’s address.",
        "Look at PUBLIC_URL, DNS, the proxy and its certificate, then check again.", "check",
    ),
    "events_missing": ("The endpoint does not send every event the shop needs.", "Repair the endpoint.", "endpoint"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookHealth:
    """reason is stable; sentence says how it is, fix what to do ("" where all is well), place which button does it.

    since: when the trouble was last seen, or the last event came (UTC); now where neither is known.
    """

    reason: str
    level: Level
    sentence: str
    since: datetime = field(default_factory=clock.now)
    fix: str = ""
    place: Place = ""


def judge_webhooks() -> WebhookHealth:
    """The first of these that holds: refused signatures, what the doctor found, none ever, events waiting, silence."""
    last_at = db.session.scalar(select(func.max(StripeEvent.received_at)).where(StripeEvent.type != PROBE_TYPE))
    refusals = find_refusals(since=last_at)
    if refusals is not None:
        return _tell_refusals(refusals, last_at)
    found = _judge_doctor(find_last_run(), last_at)
    if found is not None:
        return found
    if last_at is None:
        return WebhookHealth(
            reason="never_received", level="warn", sentence="The shop has never received an event from Stripe.",
            fix="Check now: it says whether Stripe has an endpoint for this shop, and whether it can be reached.",
            place="check",
        )  # fmt: skip
    return (
        _judge_work()
        or _judge_silence(last_at)
        or WebhookHealth(
            reason="ok", level="ok", sentence=f"Webhooks work: the last event came {datetime_short(last_at)}."
        )
    )


def _tell_refusals(refusals: Refusals, last_at: datetime | None) -> WebhookHealth:
    count = f"{refusals.count:,} time{'' if refusals.count == 1 else 's'}"
    since = f"since {datetime_short(last_at)}, when the last event was taken" if last_at else "and never taken one"
    is_late = refusals.reason == "timestamp"
    return WebhookHealth(
        reason="signature_refused",
        level="fail",
        sentence=f"The shop refused a webhook’s signature at least {count} {since}.",
        fix="Let the machine set its clock (NTP): the signatures are too old or from the future."
        if is_late
        else "Copy the endpoint’s signing secret from Stripe’s dashboard into STRIPE_WEBHOOK_SECRET and restart.",
        place="check",
        since=refusals.last_at,
    )


def _judge_doctor(run: DoctorRun | None, last_at: datetime | None) -> WebhookHealth | None:
    """What the doctor found, unless an event came since: that says more."""
    if run is None or (last_at is not None and last_at > run.checked_at):
        return None
    reasons = {check.get("reason") for check in run.checks}
    for reason, (sentence, fix, place) in FOUND.items():
        if reason in reasons:
            said = f"{sentence} Checked {datetime_short(run.checked_at)}."
            return WebhookHealth(reason=reason, level="fail", sentence=said, fix=fix, place=place, since=run.checked_at)
    return None


def _judge_work() -> WebhookHealth | None:
    failed = select(StripeEvent.id).where(StripeEvent.state == "failed")
    if db.session.scalar(failed.limit(1)) is not None:
        return WebhookHealth(
            reason="events_failed", level="fail", sentence="Events arrive, but some were given up after many tries.",
            fix="Open one, read its error, then replay them all.", place="failed",
        )  # fmt: skip
    overdue = select(StripeEvent.id).where(
        StripeEvent.state == "received", StripeEvent.received_at < clock.now() - PATIENCE
    )
    if db.session.scalar(overdue.limit(1)) is None:
        return None
    return WebhookHealth(
        reason="events_waiting", level="fail",
        sentence="Events arrive, but some have been waiting for more than five minutes.",
        fix="See whether a worker runs, under Jobs; start it with flask jobs work.", place="waiting",
    )  # fmt: skip


def _judge_silence(last_at: datetime) -> WebhookHealth | None:
    """Nothing came although Stripe must have had something to tell: a checkout was opened after the last event."""
    newest = select(CheckoutAttempt).order_by(CheckoutAttempt.id.desc()).limit(MOST_ATTEMPTS).subquery()
    ends_at = db.session.scalar(
        select(func.min(newest.c.expires_at)).where(
            newest.c.created_at > last_at, newest.c.stripe_checkout_session_id.is_not(None)
        )
    )
    # Each checkout ends with an event: paid, or expired.
    if ends_at is None or ends_at > clock.now() - SILENCE:
        return None
    return WebhookHealth(
        reason="silent", level="warn",
        sentence=f"No event has come since {datetime_short(last_at)}, though checkouts have ended since.",
        fix="Check now: it says whether the endpoint is on and can be reached.", place="check",
    )  # fmt: skip
