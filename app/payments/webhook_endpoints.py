"""Our webhook endpoint at Stripe: which of the account's endpoints are ours, and making or repairing one."""

from collections.abc import Collection
from dataclasses import dataclass

from flask import current_app

from app.config import Settings
from app.payments.account import EndpointFacts, create_endpoint, list_endpoints, update_endpoint

PATH = "/webhooks/stripe"
EVERYTHING = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Configured:
    """What was done. secret is there only when the endpoint was just made; others name the same address too."""

    endpoint: EndpointFacts
    action: str
    secret: str | None
    duplicate_ids: tuple[str, ...]


def make_webhook_url() -> str:
    """Where Stripe must deliver: an address under PUBLIC_URL."""
    settings: Settings = current_app.config["SETTINGS"]
    return settings.public_url + PATH


def list_own_endpoints() -> list[EndpointFacts]:
    """The account's endpoints that deliver to us, those switched on first. Raises PaymentUnavailable."""
    ours = [each for each in list_endpoints() if each.url.rstrip("/").casefold() == make_webhook_url().casefold()]
    return sorted(ours, key=lambda each: not each.is_enabled)


def list_missing_events(endpoint: EndpointFacts, handled: Collection[str]) -> list[str]:
    """Events that have an effect here and that the endpoint does not send."""
    return [] if EVERYTHING in endpoint.enabled_events else sorted(set(handled) - set(endpoint.enabled_events))


def configure_endpoint(handled: Collection[str]) -> Configured:
    """Make our endpoint, or add what it lacks and switch it on. Deletes nothing; a second call changes nothing.

    Two calls at once may make two: they name each other as duplicates afterwards.
    Raises PaymentRefused (Stripe takes no such address), PaymentUnavailable.
    """
    ours = list_own_endpoints()
    if not ours:
        made = create_endpoint(url=make_webhook_url(), events=sorted(handled))
        duplicates = tuple(each.id for each in list_own_endpoints() if each.id != made.id)
        return Configured(endpoint=made, action="made", secret=made.secret, duplicate_ids=duplicates)
    endpoint, *others = ours
    duplicates = tuple(each.id for each in others)
    missing = list_missing_events(endpoint, handled)
    if not missing and endpoint.is_enabled:
        return Configured(endpoint=endpoint, action="unchanged", secret=None, duplicate_ids=duplicates)
    repaired = update_endpoint(endpoint.id, events=sorted({*endpoint.enabled_events, *missing}))
    return Configured(endpoint=repaired, action="repaired", secret=None, duplicate_ids=duplicates)
