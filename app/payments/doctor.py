"""Checks of what lies between Stripe and us. Each says one line with its fix; none raises, whatever the net does."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from flask import current_app

from app import clock
from app.config import STRIPE_API_BASE, Settings, current_settings
from app.db import db
from app.errors import AppError
from app.payments.account import PINNED_VERSION, EndpointFacts, get_account, get_tax, is_key_refused
from app.payments.gateway import PaymentUnavailable
from app.payments.models import StripeEvent
from app.payments.probe import WRONG_SECRET, Unreachable, make_probe, post_event
from app.payments.webhook_endpoints import EVERYTHING, list_missing_events, list_own_endpoints, make_webhook_url

Level = Literal["ok", "warn", "fail"]

CONFIGURE = "Run flask stripe doctor --configure."
# Signatures are refused beyond five minutes; a clock that is off by two is on its way there.
SKEW_FAILS_AT_SECONDS = 120
HALF_SECOND = timedelta(milliseconds=500)
SKEW_WARNS_AT_SECONDS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One line of the doctor's: what was looked at, how it is, and what to do about it ("" where all is well).

    reason names a state that other pages speak of too, "" for the rest: "unreachable", "secret_mismatch",
    "endpoint_missing", "endpoint_disabled", "events_missing".
    """

    name: str
    level: Level
    what: str
    fix: str = ""
    reason: str = ""


def check_stripe(handled: Collection[str]) -> Iterator[Check]:
    """Key, version, clock, tax and webhook endpoint, as Stripe tells them; handled are the events with an effect."""
    yield check_key_mode()
    yield from _guard("account", _check_account)
    yield from _guard("endpoint", lambda: _check_endpoints(handled))
    yield from _guard("tax", _check_tax)


def check_key_mode() -> Check:
    """Whether the key fits APP_ENV; a live key outside production does not even start."""
    settings: Settings = current_app.config["SETTINGS"]
    mode = "live" if settings.is_livemode else "test"
    if settings.is_production and not settings.is_livemode:
        return Check(
            name="key",
            level="warn",
            what="The key is a test key in production: nobody is charged.",
            fix="Set STRIPE_SECRET_KEY to the live key, together with the live endpoint’s secret.",
        )
    where = "Stripe" if settings.stripe_api_base == STRIPE_API_BASE else settings.stripe_api_base
    return Check(name="key", level="ok", what=f"A {mode} key for APP_ENV={settings.app_env}, used at {where}.")


def check_webhook_secret() -> tuple[list[Check], str | None]:
    """Two events sent to ourselves through PUBLIC_URL: a signed one must be taken, a wrongly signed one refused.

    Returns the checks and the id of the event that was taken, None where none was.
    """
    settings: Settings = current_app.config["SETTINGS"]
    event_id, body = make_probe()
    try:
        signed = [post_event(body, secret=secret) for secret in settings.stripe_webhook_secrets]
        unsigned, _ = post_event(make_probe()[1], secret=WRONG_SECRET)
    except Unreachable as error:
        what = f"Nobody answers at {make_webhook_url()} ({error})."
        fix = "Start the web server, and look at PUBLIC_URL, DNS, the proxy and its certificate."
        return [Check(name="webhook", level="fail", what=what, fix=fix, reason="unreachable")], None
    checks = [_judge_signed(status, location) for status, location in signed]
    if unsigned != 400:  # noqa: PLR2004 - P10
        what = f"A wrongly signed event was answered {unsigned} instead of 400."
        checks.append(Check(name="webhook", level="fail", what=what, fix="Let the path reach this program only."))
    is_taken = any(check.level == "ok" for check in checks)
    if not is_taken:
        return checks, None
    # Ends the snapshot of what was read before: the event was stored by another process since.
    db.session.rollback()
    if db.session.get(StripeEvent, event_id) is None:
        what = "The web server took a signed event, but not into this database."
        fix = "Give this command and the web server the same DATABASE_URL, or correct PUBLIC_URL."
        return [Check(name="webhook", level="fail", what=what, fix=fix)], None
    return checks, event_id


def _judge_signed(status: int, location: str) -> Check:
    url, reason = make_webhook_url(), ""
    if 200 <= status < 300:  # noqa: PLR2004 - what Stripe takes for an answer
        return Check(name="webhook", level="ok", what=f"A signed event sent to {url} was taken.")
    if 300 <= status < 400:  # noqa: PLR2004
        what = f"{url} redirects ({status} to {location or 'nowhere'}); Stripe does not follow."
        fix = "Set PUBLIC_URL to the address that answers itself, with the right scheme and host."
    elif status == 400:  # noqa: PLR2004
        what = "The web server refuses a signed event: its secret is another one, or its clock is off."
        fix = "Give the web server the same STRIPE_WEBHOOK_SECRET as this command and restart it."
        reason = "secret_mismatch"
    else:
        what = f"{url} answered {status} to a signed event."
        fix = "Look into the web server’s and the proxy’s log for this request."
    return Check(name="webhook", level="fail", what=what, fix=fix, reason=reason)


def _guard(name: str, check: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """What one check says, up to where Stripe stops answering."""
    try:
        yield from check()
    except PaymentUnavailable as error:
        if is_key_refused(error):
            fix = "Copy the secret key from Stripe’s dashboard, Developers, API keys, into STRIPE_SECRET_KEY."
            yield Check(name=name, level="fail", what="Stripe refuses the key.", fix=fix)
        else:
            fix = "Look at status.stripe.com and at this machine’s way out, then run this again."
            yield Check(name=name, level="fail", what="Stripe does not answer.", fix=fix)
    except AppError as error:
        yield Check(
            name=name, level="fail", what=f"Stripe refuses to tell ({error.code}).", fix="Look at the key’s rights."
        )


def _check_account() -> Iterator[Check]:
    asked_at = clock.now()
    account = get_account()
    answered_at = clock.now()
    if account.can_charge:
        yield Check(name="account", level="ok", what=f"{account.id} may charge.")
    else:
        fix = "Finish the account’s activation in Stripe’s dashboard."
        yield Check(name="account", level="fail", what=f"Stripe does not let {account.id} charge.", fix=fix)
    if account.api_version == PINNED_VERSION:
        yield Check(name="version", level="ok", what=f"Stripe answers in version {PINNED_VERSION}.")
    else:
        what = f"Stripe answers in version {account.api_version or 'unknown'}, this program reads {PINNED_VERSION}."
        yield Check(name="version", level="fail", what=what, fix="Install the locked version of the stripe library.")
    if account.answered_at is None:
        yield Check(name="clock", level="warn", what="Stripe’s answer names no time.", fix="Compare the clock by hand.")
        return
    # Stripe's header counts whole seconds, so it means their middle; between question and answer lies the network.
    middle = asked_at + (answered_at - asked_at) / 2
    skew = abs((middle - account.answered_at - HALF_SECOND).total_seconds())
    level: Level = "fail" if skew >= SKEW_FAILS_AT_SECONDS else "warn" if skew >= SKEW_WARNS_AT_SECONDS else "ok"
    yield Check(
        name="clock",
        level=level,
        what=f"The clock is {round(skew)} seconds off Stripe’s.",
        fix="" if level == "ok" else "Let the machine set its clock (NTP); Stripe’s signatures end after 300 seconds.",
    )


def _check_endpoints(handled: Collection[str]) -> Iterator[Check]:
    settings: Settings = current_app.config["SETTINGS"]
    ours = list_own_endpoints()
    if not ours:
        what = f"Stripe delivers no webhooks to {make_webhook_url()}: there is no endpoint for it."
        yield Check(name="endpoint", level="fail", what=what, fix=CONFIGURE, reason="endpoint_missing")
        return
    endpoint, *others = ours
    if others:
        names = ", ".join(each.id for each in others)
        what = f"{len(others)} more endpoints deliver to the same address, each with a secret of its own: {names}."
        yield Check(
            name="endpoint", level="warn", what=what, fix=f"Delete all but {endpoint.id} in Stripe’s dashboard."
        )
    if endpoint.livemode != settings.is_livemode:
        what = f"{endpoint.id} is {'live' if endpoint.livemode else 'test'}, the key is not."
        yield Check(name="endpoint", level="fail", what=what, fix="Use key and endpoint secret of one mode.")
    elif not endpoint.is_enabled:
        what = f"{endpoint.id} is switched off: no webhook comes."
        yield Check(name="endpoint", level="fail", what=what, fix=CONFIGURE, reason="endpoint_disabled")
    else:
        yield Check(name="endpoint", level="ok", what=f"{endpoint.id} delivers to {endpoint.url}.")
    yield from _check_subscription(endpoint, handled)


def _check_subscription(endpoint: EndpointFacts, handled: Collection[str]) -> Iterator[Check]:
    missing = list_missing_events(endpoint, handled)
    superfluous = sorted(set(endpoint.enabled_events) - set(handled) - {EVERYTHING})
    narrow = "Choose only the events named in the README, in Stripe’s dashboard; more do no harm but cost."
    if missing:
        what = f"Events that never come: {', '.join(missing)}."
        yield Check(name="events", level="fail", what=what, fix=CONFIGURE, reason="events_missing")
    if EVERYTHING in endpoint.enabled_events:
        yield Check(name="events", level="warn", what="The endpoint sends every event there is.", fix=narrow)
    elif superfluous:
        what = f"Events without effect here: {', '.join(superfluous)}."
        yield Check(name="events", level="warn", what=what, fix=narrow)
    elif not missing:
        yield Check(name="events", level="ok", what=f"All {len(set(handled))} events that have an effect, no others.")
    if endpoint.api_version == PINNED_VERSION:
        yield Check(name="events", level="ok", what=f"Events come in version {PINNED_VERSION}.")
    else:
        version = endpoint.api_version or "the account’s default version"
        what = f"Events come in {version}, not in {PINNED_VERSION}; nothing of them is believed but their ids."
        fix = f"Delete {endpoint.id} in Stripe’s dashboard, run flask stripe doctor --configure, set the new secret."
        yield Check(name="events", level="warn", what=what, fix=fix)


def _check_tax() -> Iterator[Check]:
    settings = current_settings()
    if not settings.is_tax_enabled:
        yield Check(name="tax", level="ok", what="Taxes are not computed (TAX_ENABLED is off).")
        return
    tax = get_tax()
    if tax.status == "active":
        yield Check(name="tax", level="ok", what="Stripe computes taxes.")
        return
    missing = f"; missing: {', '.join(tax.missing_fields)}" if tax.missing_fields else ""
    what = f"TAX_ENABLED is on, but Stripe’s tax settings are {tax.status or 'unknown'}{missing}: nobody can pay."
    yield Check(name="tax", level="fail", what=what, fix="Complete Settings, Tax in Stripe’s dashboard.")
